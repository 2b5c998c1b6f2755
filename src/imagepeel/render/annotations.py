"""Workflow commands of GitHub Actions."""

from __future__ import annotations

from imagepeel.render.escape import github
from imagepeel.results.check import CheckOutcome, CheckRun, expiry, name_of, place_of, summary
from imagepeel.results.findings import FindingResult
from imagepeel.text import title

_COMMANDS = {"high": "error", "medium": "warning", "low": "notice", "info": "notice"}


def check_github(run: CheckRun) -> str:
    """Return one annotation a new finding; text of the image cannot end one or begin another."""
    lines = []
    for outcome in run.outcomes:
        lines += [_annotation(outcome, finding) for finding in outcome.new]
        of = f" of {name_of(run, outcome)}" if len(run.outcomes) > 1 or run.not_checked else ""
        lines.append(github(f"imagepeel check{of} {summary(outcome)}"))
    for error in run.not_checked:
        file = github(error.archive, property=True)
        lines.append(f"::error title=not judged,file={file}::{github(f'{error.message}. {error.hint}')}")
    return "\n".join(lines) + "\n"


def _annotation(outcome: CheckOutcome, finding: FindingResult) -> str:
    heading = github(f"{finding.rule} {finding.title}", property=True)
    lines = outcome.lines.get(finding.key)
    file = github(outcome.dockerfile if lines is not None else outcome.image.archive, property=True)
    if lines is not None:
        file += f",line={lines.first},endLine={lines.last}"
    text = finding.message if finding.message.endswith((".", "!", "?")) else f"{finding.message}."
    where = place_of(outcome, finding)
    place = f" ({where})" if where else ""
    expired = f" {title(expiry(outcome, finding))}." if expiry(outcome, finding) else ""
    fix = f"{expired} Fix: {finding.fix}" if finding.fix else expired
    # %0A is how a line ends within an annotation.
    below = "".join(f"%0A{github(line)}" for line in finding.lines)
    return f"::{_COMMANDS[finding.severity]} title={heading},file={file}::{github(text + place + fix)}{below}"
