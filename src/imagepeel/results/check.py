"""What `check --json` writes, and the value that its other formats are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import ANSWER_IS_NO, COMPLETE, ImagepeelError
from imagepeel.evidence import Location
from imagepeel.findings.budget import Spent
from imagepeel.findings.finding import Finding
from imagepeel.findings.gate import Gate, Known, Threshold
from imagepeel.findings.rule import Rule
from imagepeel.findings.suppress import Suppression
from imagepeel.history.attested import SourceLines, lines_in_words
from imagepeel.results.findings import FindingResult, RuleResult, finding_result, rule_result
from imagepeel.results.head import ImageHead
from imagepeel.text import number, plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


class SuppressedFinding(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and the suppression that is about it."""

    finding: FindingResult
    suppression: Suppression


class CheckOutcome(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="image", tag_field="type"):
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
    dockerfile: str = ""
    """The Dockerfile that was given for this image; "" without one."""
    lines: dict[str, SourceLines] = {}
    """Of findings by their key the lines there that made what they are about, where that is certain."""
    suppressed: tuple[SuppressedFinding, ...] = ()
    """Findings that do not count, each with the suppression that says why."""
    expired: tuple[SuppressedFinding, ...] = ()
    """Of the new findings those that were suppressed until a day that has passed."""
    unused: tuple[Suppression, ...] = ()
    """Suppressions that are about nothing that was found; [] where a part could not be read, or of several images."""


class NotChecked(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """An archive that could not be judged, or not as a whole, and why."""

    archive: str
    """Name of the archive as it was given."""
    error: str
    """The code of the error."""
    exit_code: int
    message: str
    where: str
    """The place in the archive, "" where it is the archive itself."""
    hint: str
    partly: bool
    """Whether an outcome of what could be read stands beside."""


class CheckRun(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="images", tag_field="type"):
    """The outcome of the gate for several images, in the order in which their archives were named."""

    passed: bool
    """Whether all archives were judged and none failed."""
    exit_code: int
    """The largest of all: 0 where all passed, 1 where a finding fails, above that where an archive was not judged."""
    outcomes: tuple[CheckOutcome, ...]
    not_checked: tuple[NotChecked, ...]
    stale: tuple[Known, ...] = ()
    """Entries of the baseline that no finding of any image matches; [] where an archive was not judged."""
    unused: tuple[Suppression, ...] = ()
    """Suppressions that are about nothing that was found; [] where an archive was not judged as a whole."""


CheckOutput = CheckOutcome | CheckRun


def not_checked(archive: str, error: ImagepeelError, *, partly: bool) -> NotChecked:
    """Return the row of an archive that could not be judged."""
    return NotChecked(
        archive=archive,
        error=error.code,
        exit_code=error.exit_code,
        message=error.what,
        where=str(error.where or ""),
        hint=error.hint or error.remedy,
        partly=partly,
    )


def check_run(
    outcomes: Sequence[CheckOutcome],
    errors: Sequence[NotChecked],
    stale: Sequence[Known] = (),
    unused: Sequence[Suppression] = (),
) -> CheckRun:
    """Join the outcomes of several images and the archives that were not judged."""
    codes = [COMPLETE if outcome.passed else ANSWER_IS_NO for outcome in outcomes]
    worst = max((*codes, *(error.exit_code for error in errors)), default=COMPLETE)
    return CheckRun(
        passed=worst == COMPLETE,
        exit_code=worst,
        outcomes=tuple(outcomes),
        not_checked=tuple(errors),
        stale=() if errors else tuple(stale),
        unused=() if errors else tuple(unused),
    )


def check_outcome(
    head: ImageHead,
    gate: Gate,
    rules: tuple[Rule, ...],
    beside: tuple[ImageHead, ...] = (),
    budgets: tuple[Spent, ...] = (),
    *,
    source: tuple[str, dict[str, SourceLines]] = ("", {}),
) -> CheckOutcome:
    """Join the gate with what the rules say; `source` is a Dockerfile and the lines of findings in it."""
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
        dockerfile=source[0],
        lines=source[1],
        suppressed=_with_suppressions(gate.suppressed),
        expired=_with_suppressions(gate.expired),
    )


def _with_suppressions(pairs: Sequence[tuple[Finding, Suppression]]) -> tuple[SuppressedFinding, ...]:
    return tuple(SuppressedFinding(finding=finding_result(finding), suppression=one) for finding, one in pairs)


def expiry(outcome: CheckOutcome, finding: FindingResult) -> str:
    """The sentence about a new finding that was suppressed until a day that has passed, "" for any other one."""
    for one in outcome.expired:
        if one.finding.key == finding.key:
            return f"its suppression has expired: {one.suppression}"
    return ""


def fails(outcome: CheckOutcome, finding: FindingResult) -> bool:
    """Whether a new finding fails the gate."""
    from imagepeel.findings.finding import SEVERITIES  # start time

    if outcome.fail_on == "none":
        return False
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(outcome.fail_on)


def source_lines(image: LayeredImage, found: Sequence[Finding], source: str) -> dict[str, SourceLines]:
    """Return by the keys of findings the lines of a Dockerfile that made what they are about, where that is certain.

    Where an attestation holds the same Dockerfile, its lines count.
    """
    from imagepeel.history.placed import deciding_step, lines_of_steps  # start time

    history = image.config.history or () if image.config is not None else ()
    of_steps = lines_of_steps(source, history)
    attested = image.attestations.attested
    same = attested is not None and attested.source.splitlines() == source.splitlines()
    out: dict[str, SourceLines] = {}
    for finding in found:
        place = finding.locations[0] if finding.locations else Location()
        lines = image.lines_of(place.layer) if same and place.layer is not None else None
        step = place.step
        if step is None and place.pointer is not None and place.pointer.startswith("/config/"):
            step = deciding_step(place.pointer.split("/")[2], history)
        if lines is None and step is not None and step < len(of_steps):
            lines = of_steps[step]
        if lines is not None:
            out.setdefault(finding.key, lines)
    return out


def place_of(outcome: CheckOutcome, finding: FindingResult) -> str:
    """The first place of a finding in words, "" without one; before it that in the Dockerfile where it is known."""
    place = str(finding.locations[0]).removeprefix("at ") if finding.locations else ""
    lines = outcome.lines.get(finding.key)
    source = f"{outcome.dockerfile} {lines_in_words(lines)}" if lines is not None else ""
    return ", ".join(filter(None, (source, place)))


def name_of(run: CheckRun, outcome: CheckOutcome) -> str:
    """What an outcome is of: the archive, and the image where the run has several of that archive."""
    head = outcome.image
    several = sum(one.image.archive == head.archive for one in run.outcomes) > 1
    return f"{head.archive} #{head.number}" if several else head.archive


def summary_of_run(run: CheckRun) -> str:
    """One sentence about all images: how many passed, failed, and were not judged."""
    failed = sum(not outcome.passed for outcome in run.outcomes)
    parts = [f"{number(failed)} failed" if failed else "", f"{number(len(run.outcomes) - failed)} passed"]
    if run.not_checked:
        parts.append(f"{plural(len(run.not_checked), 'archive')} could not be judged")
    return ", ".join(filter(None, parts))


def summary(outcome: CheckOutcome) -> str:
    """One sentence: what was found and whether it passes."""
    counts: dict[str, int] = {}
    for finding in outcome.new:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
    parts = [f"{counts[severity]} {severity}" for severity in ("high", "medium", "low", "info") if severity in counts]
    found = ", ".join(parts) if parts else "nothing"
    known = f", {len(outcome.known)} known" if outcome.known else ""
    known += f", {len(outcome.suppressed)} suppressed" if outcome.suppressed else ""
    images = f" in {plural(len(outcome.beside) + 1, 'image')}" if outcome.beside else ""
    verdict = "passed" if outcome.passed else "failed"
    limit = "never fails" if outcome.fail_on == "none" else f"fails on {outcome.fail_on}"
    return f"{verdict}: {found} new{known}{images}; the gate {limit}"
