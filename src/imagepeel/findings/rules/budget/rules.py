"""What exceeds the limits that a team set: size, waste, layers, and growth since another image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import Location
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.history.builders import instruction
from imagepeel.text import shortened, size

if TYPE_CHECKING:
    from imagepeel.findings.budget import Measure, Spent
    from imagepeel.findings.subject import Subject

_STEP = 80
"""Characters of the step to blame."""


def _over(rule: Rule, subject: Subject, measure: Measure, words: str) -> Iterator[Finding]:
    for one in subject.spent:
        if one.measure == measure and one.over:
            note = f" ({one.note})" if one.note else ""
            place = Location(layer=one.blame) if one.blame is not None else Location(pointer="/layers")
            yield rule.report(f"{words} {one.words}{note}{_blame(subject, one)}", place)


def _blame(subject: Subject, one: Spent) -> str:
    if one.blame is None:
        return ""
    layer = subject.layers[one.blame]
    step = f" ({shortened(instruction(layer.created_by), _STEP)})" if layer.created_by else ""
    return f"; {size(one.blame_bytes)} come with {layer.label}{step}"


@rule(
    "BUDGET-SIZE",
    "The layers are larger than they may be",
    "high",
    "weaknesses",
    "deployments",
    why="""Each node that starts the image fetches and unpacks all of its layers first.  The limit is that of
    `--max-size`: decompressed bytes of all layers.""",
    fix="imagepeel slim says what to do, largest saving first; or raise --max-size",
    decides="how large this image may be",
    threshold="only with --max-size",
    sources="image-spec manifest.md layers",
)
def too_large(rule: Rule, subject: Subject) -> Iterator[Finding]:
    yield from _over(rule, subject, "size", "the layers unpack to")


@rule(
    "BUDGET-WASTE",
    "More bytes are unreachable than may be",
    "high",
    "weaknesses",
    "deployments",
    why="""Files that a later layer removes, replaces or copies for a changed owner are shipped with every pull, and
    nothing can read them.  The limit is that of `--max-waste`.""",
    fix="imagepeel slim says which step to change; or raise --max-waste",
    decides="how much of this image may be in vain",
    threshold="only with --max-waste",
    sources="image-spec layer.md Whiteouts",
)
def too_wasteful(rule: Rule, subject: Subject) -> Iterator[Finding]:
    yield from _over(rule, subject, "waste", "unreachable are")


@rule(
    "BUDGET-LAYERS",
    "There are more layers than there may be",
    "high",
    "weaknesses",
    "deployments",
    why="""Engines stack a limited number of layers, and an image that others build upon leaves them the rest.  The
    limit is that of `--max-layers`.""",
    fix="join steps, or copy the outcome of a build stage; or raise --max-layers",
    decides="how many layers this image may have",
    threshold="only with --max-layers",
    sources="moby layer/layer_store.go maxLayerDepth",
)
def too_many_layers(rule: Rule, subject: Subject) -> Iterator[Finding]:
    yield from _over(rule, subject, "layers", "the image has")


@rule(
    "BUDGET-GROWTH",
    "The image has grown by more than it may",
    "high",
    "weaknesses",
    "deployments",
    why="""Images grow a little with each change, and nobody looks.  The limit is that of `--max-growth`, measured from
    the image that `--against` names: decompressed bytes of all layers.""",
    fix="look at the step that is named; or raise --max-growth",
    decides="how much this image may grow",
    threshold="only with --max-growth and --against",
    sources="image-spec manifest.md layers",
)
def grown_too_much(rule: Rule, subject: Subject) -> Iterator[Finding]:
    yield from _over(rule, subject, "growth", "the layers have grown by")


RULES: tuple[Rule, ...] = (too_large, too_wasteful, too_many_layers, grown_too_much)
