"""What `check --json` writes, and the value that its other formats are made of."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown
from imagepeel.findings.budget import Spent
from imagepeel.findings.gate import Gate, Known, Threshold
from imagepeel.findings.rule import Rule
from imagepeel.results.findings import FindingResult, RuleResult, finding_result, rule_result
from imagepeel.results.head import ImageHead
from imagepeel.text import plural


class CheckOutcome(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the gate; `failing` are the keys of the new findings that fail it."""

    image: ImageHead
    beside: tuple[ImageHead, ...]
    """Images for other platforms whose findings are here too, each under its name."""
    passed: bool
    fail_on: Threshold
    """Least severity that fails the gate, or `none`."""
    failing: tuple[str, ...]
    """Keys of the new findings that fail it."""
    new: tuple[FindingResult, ...]
    """Findings that the baseline does not know, worst first."""
    known: tuple[FindingResult, ...]
    """Findings that the baseline knows, worst first."""
    stale: tuple[Known, ...]
    """Entries of the baseline that no finding matches."""
    rules: tuple[RuleResult, ...]
    """Rules that were checked."""
    budgets: tuple[Spent, ...] = ()
    """Each limit that was set, and what the image spends of it."""


def check_outcome(
    head: ImageHead,
    gate: Gate,
    rules: tuple[Rule, ...],
    beside: tuple[ImageHead, ...] = (),
    budgets: tuple[Spent, ...] = (),
) -> CheckOutcome:
    """Join the gate with what the rules say."""
    return CheckOutcome(
        image=head,
        beside=beside,
        passed=gate.passed,
        fail_on=gate.fail_on,
        failing=tuple(dict.fromkeys(finding.key for finding in gate.failing)),
        new=tuple(finding_result(finding) for finding in gate.new),
        known=tuple(finding_result(finding) for finding in gate.known),
        stale=gate.stale,
        rules=tuple(map(rule_result, rules)),
        budgets=budgets,
    )


def fails(outcome: CheckOutcome, finding: FindingResult) -> bool:
    """Whether a new finding fails the gate."""
    from imagepeel.findings.finding import SEVERITIES  # start time

    if outcome.fail_on == "none":
        return False
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(outcome.fail_on)


def place_of(finding: FindingResult) -> str:
    """The first place of a finding in words, "" without one."""
    return str(finding.locations[0]) if finding.locations else ""


def summary(outcome: CheckOutcome) -> str:
    """One sentence: what was found and whether it passes."""
    counts: dict[str, int] = {}
    for finding in outcome.new:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
    parts = [f"{counts[severity]} {severity}" for severity in ("high", "medium", "low", "info") if severity in counts]
    found = ", ".join(parts) if parts else "nothing"
    known = f", {len(outcome.known)} known" if outcome.known else ""
    images = f" in {plural(len(outcome.beside) + 1, 'image')}" if outcome.beside else ""
    verdict = "passed" if outcome.passed else "failed"
    limit = "never fails" if outcome.fail_on == "none" else f"fails on {outcome.fail_on}"
    return f"{verdict}: {found} new{known}{images}; the gate {limit}"
