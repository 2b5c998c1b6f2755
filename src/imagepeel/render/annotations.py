"""Workflow commands of GitHub Actions."""

from __future__ import annotations

from imagepeel.render.escape import github
from imagepeel.results.check import CheckOutcome, place_of, summary
from imagepeel.results.findings import FindingResult

_COMMANDS = {"high": "error", "medium": "warning", "low": "notice", "info": "notice"}


def check_github(outcome: CheckOutcome) -> str:
    """Return one annotation a new finding; text of the image cannot end one or begin another."""
    lines = [_annotation(outcome, finding) for finding in outcome.new]
    lines.append(github(f"imagepeel check {summary(outcome)}"))
    return "\n".join(lines) + "\n"


def _annotation(outcome: CheckOutcome, finding: FindingResult) -> str:
    title = github(f"{finding.rule} {finding.title}", property=True)
    file = github(outcome.image.archive, property=True)
    text = finding.message if finding.message.endswith((".", "!", "?")) else f"{finding.message}."
    place = f" ({place_of(finding)})" if place_of(finding) else ""
    fix = f" Fix: {finding.fix}" if finding.fix else ""
    # %0A is how a line ends within an annotation.
    lines = "".join(f"%0A{github(line)}" for line in finding.lines)
    return f"::{_COMMANDS[finding.severity]} title={title},file={file}::{github(text + place + fix)}{lines}"
