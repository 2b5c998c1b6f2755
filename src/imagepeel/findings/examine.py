"""Run rules over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.findings.catalogue import RULES
from imagepeel.findings.finding import Finding, order
from imagepeel.findings.rule import Rule
from imagepeel.findings.subject import Subject
from imagepeel.masking import redacted
from imagepeel.text import noun, plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

OF_DOCUMENTS = frozenset(
    (
        *("TWO-IMAGES", "MISSING-PARTS", "SPARSE-SAVE", "PLATFORM-DISAGREES", "DOCUMENTS-DISAGREE"),
        *("WRONG-DIGEST", "WRONG-SIZE", "ODD-DOCUMENTS"),
    )
)
"""Rules about the archive and its documents, which hold for everything that is stored in it."""
MOST = 50
"""Findings kept of one rule: a hostile image must not turn a report into a flood."""


def examine(
    image: LayeredImage, rules: Sequence[Rule] = RULES, *, subject: Subject | None = None
) -> tuple[Finding, ...]:
    """Return what the rules find, worst first; the same image always gives the same tuple.

    At most `MOST` findings of one rule are kept; the last of them then says how many were left out.
    """
    subject = subject or Subject(image)
    if image.record.knowledge.artifact:
        # The others are about what layers make, who starts in it and what it ships: an artifact is none of that.
        rules = [rule for rule in rules if rule.id in OF_DOCUMENTS]
    found: list[Finding] = []
    for rule in rules:
        mine = sorted(dict.fromkeys(map(_masked, rule.results(subject))), key=order)
        found.extend(_bounded(rule, mine))
    return tuple(sorted(found, key=order))


def _masked(finding: Finding) -> Finding:
    """The finding without secrets: a command line or an error that is quoted may hold one."""
    told = (finding.message, finding.fix)
    listed = (finding.details, finding.dockerfile)
    shown, lines = tuple(map(redacted, told)), tuple(tuple(map(redacted, each)) for each in listed)
    if shown == told and lines == listed:
        return finding
    (message, fix), (details, dockerfile) = shown, lines
    return msgspec.structs.replace(finding, message=message, fix=fix, details=details, dockerfile=dockerfile)


def _bounded(rule: Rule, mine: list[Finding]) -> list[Finding]:
    if len(mine) <= MOST:
        return mine
    left = len(mine) - MOST + 1
    more = rule.report(
        f"{plural(left, 'more finding')} of this rule {noun(left, 'is', 'are')} not listed", severity=mine[-1].severity
    )
    return [*mine[: MOST - 1], more]
