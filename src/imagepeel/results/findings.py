"""What `--json` of `wtf` carries: findings, the catalogue, or the page of one rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Location, Receipt
from imagepeel.findings.advisories import ADVISORIES, Advisory
from imagepeel.findings.finding import SEVERITIES, Figure, Finding, Lesson, Role, Severity
from imagepeel.results.head import ImageHead

if TYPE_CHECKING:
    from imagepeel.findings.rule import Rule


class FindingResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One finding with what its rule says.

    `rule` is the stable id, `severity` high, medium, low or info, `key` stays the same over rebuilds.  `profiles`
    are the engines for which it was proved, [] for all.  Each figure is a total with its addends.
    """

    rule: str
    title: str
    severity: Severity
    lesson: Lesson
    role: Role
    message: str
    fix: str
    dockerfile: tuple[str, ...]
    """The fix as lines of a Dockerfile; [] where it is none."""
    decides: str
    """What only a person can decide; "" where following the fix changes the image."""
    key: str
    profiles: tuple[str, ...]
    details: tuple[str, ...]
    figures: tuple[Figure, ...]
    locations: tuple[Location, ...]
    receipts: tuple[Receipt, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a Dockerfile that stand below the fix: those that are not the fix itself."""
        return tuple(line for line in self.dockerfile if line != self.fix)


class WtfResult(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="findings", tag_field="type"):
    """What will surprise people about an image, worst first; `counts` has each severity, also with 0."""

    image: ImageHead
    counts: dict[Severity, int]
    findings: tuple[FindingResult, ...]


class RuleResult(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="rule", tag_field="type"):
    """One rule of the catalogue."""

    id: str
    title: str
    severity: Severity
    """The worst that the rule reports."""
    lesson: Lesson
    role: Role
    family: str
    codes: tuple[str, ...]
    """Other names of the same thing."""
    why: str
    fix: str
    dockerfile: tuple[str, ...]
    """The fix as lines of a Dockerfile that are the same for every image."""
    decides: str
    """What only a person can decide; "" where following the fix changes the image."""
    sources: tuple[str, ...]
    advisories: tuple[Advisory, ...] = ()
    """Attacks that the rule finds, each with the first fixed version of each program."""


class RuleListResult(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="rules", tag_field="type"):
    """The catalogue."""

    rules: tuple[RuleResult, ...]


WtfOutput = WtfResult | RuleResult | RuleListResult


def finding_result(finding: Finding) -> FindingResult:
    """A finding joined with its rule."""
    from imagepeel.findings.catalogue import find_rule  # start time

    rule = find_rule(finding.rule)
    return FindingResult(
        rule=finding.rule,
        title=rule.title,
        severity=finding.severity,
        lesson=rule.lesson,
        role=rule.role,
        message=finding.message,
        fix=finding.fix or rule.fix,
        dockerfile=finding.dockerfile or rule.dockerfile,
        decides=rule.decides,
        key=finding.key,
        profiles=finding.profiles,
        details=finding.details,
        figures=finding.figures,
        locations=finding.evidence.locations,
        receipts=finding.evidence.receipts,
    )


def wtf_result(head: ImageHead, found: Sequence[Finding]) -> WtfResult:
    """The result of `wtf`."""
    return WtfResult(image=head, counts=severity_counts(found), findings=tuple(map(finding_result, found)))


def severity_counts(found: Sequence[Finding]) -> dict[Severity, int]:
    """Return how many findings have each severity, worst first, also with 0."""
    return {severity: sum(finding.severity == severity for finding in found) for severity in SEVERITIES}


def rule_result(rule: Rule) -> RuleResult:
    """A rule as a value that can be written."""
    from imagepeel.findings.catalogue import FAMILY_OF  # start time

    return RuleResult(
        id=rule.id,
        title=rule.title,
        severity=rule.severity,
        lesson=rule.lesson,
        role=rule.role,
        family=FAMILY_OF[rule.id],
        codes=rule.codes,
        why=rule.why,
        fix=rule.fix,
        dockerfile=rule.dockerfile,
        decides=rule.decides,
        sources=rule.sources,
        advisories=tuple(ADVISORIES[number] for number in rule.advisories),
    )
