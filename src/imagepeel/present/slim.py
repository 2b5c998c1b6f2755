"""The plan of `slim`: what to do, what each step saves, and the lines that do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from imagepeel.findings.slim import Slim, SlimStep
from imagepeel.present.document import Document, Item, Section, code, dim, item, items, path, say, section, term
from imagepeel.present.heading import LAYER_MISSING, about
from imagepeel.results.slim import SlimResult
from imagepeel.text import number, plural, shortened, size, title

_LINE = 400
"""Characters of a line of a Dockerfile that a document shows; --json has it whole."""


def slim_document(result: SlimResult, *, most: int = 0) -> Document:
    """Return the plan of an image, with its `most` largest steps; all of them when it is 0."""
    return about(result.image, *slim_sections(result, most=most))


def slim_sections(result: Slim | SlimResult, *, most: int = 0) -> Iterator[Section]:
    """Yield what becomes of the image, then each step; the others are one sentence with their sum."""
    if not result.steps and not result.complete and not result.content:
        return  # the list of layers is missing
    yield section(*_sums(result))
    shown = result.steps[:most] if most else result.steps
    for at, step in enumerate(shown, 1):
        yield section(items(_step(at, step)))
    if rest := result.steps[len(shown) :]:
        yield section(_rest(rest))


def _sums(result: Slim | SlimResult) -> Iterator[Any]:
    if result.steps:
        yield say(
            f"{size(result.content)} become ", term(size(result.content_after)),
            f" in {plural(len(result.steps), 'step')}, stored {size(result.stored)} become "
            f"{size(result.stored_after)}. Steps are independent; each byte is counted once.",
        )  # fmt: skip
    elif result.complete:
        yield say("No file is shipped in vain: there is nothing to do.")
    else:
        yield say("In the layers that are here no file is shipped in vain.")
    if not result.complete:
        yield say(LAYER_MISSING, level="warn")


def _step(at: int, step: SlimStep) -> Item:
    more = step.files - len(step.paths)
    named: list[Any] = []
    for one in step.paths:
        named += [", " if named else "", path(one)]
    counts = f"{number(step.content)} bytes, {number(step.stored)} stored, {plural(step.files, 'file')}: "
    lines = [item(code(shortened(line, _LINE)), keep=True) for line in step.dockerfile]
    return item(
        term(size(step.content)), f"  {title(step.what)}: {step.do}.",
        label=f"{at}.",
        by=step.evidence,
        below=[
            item(dim(counts), *named, dim(f" and {more} more" if more else "")),
            *lines,
        ],
    )  # fmt: skip


def _rest(steps: Sequence[SlimStep]) -> Any:
    content, stored = sum(step.content for step in steps), sum(step.stored for step in steps)
    return say(
        f"{plural(len(steps), 'smaller step')} more: {number(content)} bytes, {number(stored)} stored. ",
        code("imagepeel slim --all"), " shows them.",
    )  # fmt: skip
