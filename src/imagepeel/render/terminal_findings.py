"""`wtf` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from imagepeel.evidence import Location
from imagepeel.findings.finding import Figure
from imagepeel.render.terminal_tables import heading, print_line, print_table, safe, table
from imagepeel.results.findings import FindingResult, RuleListResult, RuleResult, WtfResult

STYLES = {"high": "bold red", "medium": "yellow", "low": "cyan", "info": "dim"}
_LEAD = 8


def print_findings(console: Console, result: WtfResult, *, receipts: bool = False) -> None:
    """Print findings, worst first: sentence, place, proof, fix.  `receipts` prints all proofs, also of notes."""
    print_line(console, heading(result.image))
    console.print()
    if not result.findings:
        console.print("Nothing here surprises the rules of the catalogue (imagepeel wtf --list).")
        return
    for finding in result.findings:
        _finding(console, finding, receipts)
    shown = [f"{number} {severity}" for severity, number in result.counts.items() if number]
    console.print(Text(f"{', '.join(shown)}.  The story of one: imagepeel wtf --explain {result.findings[0].rule}"))


def _finding(console: Console, finding: FindingResult, receipts: bool) -> None:
    head = Text.assemble(
        Text(f"{finding.severity:<{_LEAD}}", style=STYLES[finding.severity]), Text(finding.rule, style="bold")
    )
    print_line(console, head)
    _paragraph(console, safe(finding.message))
    quiet = finding.severity == "info" and not receipts
    if finding.locations and not quiet:
        _paragraph(console, Text.assemble(Text("at    ", style="dim"), safe(_place(finding.locations[0]), "dim")), 6)
    for figure in finding.figures if not quiet else ():
        _figure(console, figure)
    if receipts:
        for detail in finding.details:
            _paragraph(console, safe(detail, "dim"))
    shown = finding.receipts if receipts else finding.receipts[:1] if not quiet else ()
    for receipt in shown:
        # A command stays one line, so that it can be copied.
        print_line(console, Text(" " * _LEAD + "proof ", style="dim"), safe(receipt.command, "magenta"))
    if not quiet:
        _paragraph(console, Text.assemble(Text("fix   ", style="dim"), safe(finding.fix)), 6)
    console.print()


def _figure(console: Console, figure: Figure) -> None:
    parts = [f"{part.value:,} {part.label}" for part in figure.parts]
    if figure.rest is not None:
        parts.append(f"{figure.rest.value:,} in {figure.rest.label}")
    if len(parts) > 1:
        words = f"{figure.total:,} {figure.unit} = " + " + ".join(parts)
        _paragraph(console, Text.assemble(Text("sum   ", style="dim"), safe(words, "dim")), 6)


def _paragraph(console: Console, words: Text, hang: int = 0) -> None:
    """Print wrapped words under the lead; lines after the first hang."""
    width = max(30, console.width - _LEAD - hang)
    # The lines after the first stand further in: all are as short as those, or their ends are cut off.
    lines = words.wrap(console, width)
    for number, line in enumerate(lines):
        line.rstrip()
        console.print(Padding(line, (0, 0, 0, _LEAD + (hang if number else 0)), expand=False), soft_wrap=True)


def _lines(console: Console, words: Text) -> None:
    """Print wrapped words without blanks at the ends of lines."""
    for line in words.wrap(console, console.width):
        line.rstrip()
        console.print(line, soft_wrap=True)


def _place(where: Location) -> str:
    return str(where)


def print_rules(console: Console, result: RuleListResult) -> None:
    """Print the catalogue, one rule a line, by family."""
    family = ""
    grid = table(("rule", "text"), ("worst", "text"), ("what it finds", "text"))
    for rule in result.rules:
        if rule.family != family:
            family = rule.family
            grid.add_row(Text(family, style="dim"), Text(), Text())
        grid.add_row(Text(rule.id, style="bold"), Text(rule.severity, style=STYLES[rule.severity]), Text(rule.title))
    print_table(console, grid)
    console.print(Text(f"{len(result.rules)} rules.  imagepeel wtf --explain RULE tells the story of one."))


def print_rule(console: Console, rule: RuleResult) -> None:
    """Print the page of one rule."""
    style = STYLES[rule.severity]
    print_line(console, Text(rule.id, style="bold"), Text("  "), Text(rule.severity, style=style))
    console.print(Text(rule.title, style="bold"))
    console.print()
    _lines(console, Text(rule.why))
    console.print()
    _lines(console, Text.assemble(Text("Fix: ", style="bold"), Text(rule.fix)))
    console.print()
    for line in (
        f"See it: imagepeel wtf --reproduce {rule.id} demo.tar; imagepeel wtf demo.tar",
        f"Owner: {rule.role}.  Lesson: {rule.lesson}.",
        f"Also known as: {', '.join(rule.codes)}." if rule.codes else "",
        f"Sources: {', '.join(rule.sources)}." if rule.sources else "",
    ):
        if line:
            _lines(console, Text(line, style="dim"))
