"""The outcome of `check` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from imagepeel.render.terminal_findings import STYLES
from imagepeel.render.terminal_tables import heading, print_line, safe
from imagepeel.results.check import CheckOutcome, fails, place_of, summary


def print_check(console: Console, outcome: CheckOutcome) -> None:
    """Print one line a new finding, with its place and fix where it fails the gate, and the outcome."""
    print_line(console, heading(outcome.image))
    console.print()
    for finding in outcome.new:
        mark = "fails " if fails(outcome, finding) else "      "
        print_line(
            console,
            Text(mark, style="bold red"),
            Text(f"{finding.severity:<7}", style=STYLES[finding.severity]),
            Text(f"{finding.rule}  ", style="bold"),
            safe(finding.message),
        )
        if fails(outcome, finding):
            if place_of(finding):
                print_line(console, Text("             at   ", style="dim"), safe(place_of(finding), "dim"))
            if finding.fix:
                print_line(console, Text("             fix  ", style="dim"), safe(finding.fix))
    for known in outcome.stale:
        print_line(
            console,
            Text("gone         ", style="dim"),
            safe(known.key),
            Text("  take it out of the baseline", style="dim"),
        )
    if outcome.new or outcome.stale:
        console.print()
    print_line(console, Text(summary(outcome), style="bold green" if outcome.passed else "bold red"))
