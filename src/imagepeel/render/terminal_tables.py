"""Lines and tables on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from imagepeel.render.escape import terminal
from imagepeel.results.tables import ImageHead

STEP_WIDTH = 60
"""Characters of a history step that are worth a row; --json has it whole."""


def safe(words: str, style: str = "") -> Text:
    """Return text of an image as something that rich only prints."""
    return Text(terminal(words), style=style)


def print_table(console: Console, grid: Table) -> None:
    """Print a table without the spaces that fill its last column."""
    with console.capture() as capture:
        console.print(grid)
    for line in capture.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def print_line(console: Console, *parts: Text) -> None:
    """Print one line, never wrapped."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def heading(head: ImageHead) -> Text:
    """Return which image this is about, in one line."""
    name = head.names[0] if head.names else "an image without a name"
    out = [safe(head.archive if head.archive != "-" else "standard input", "bold"), Text("   ")]
    out += [safe(head.archive_kind), Text("   "), safe(name)]
    if head.platform:
        out += [Text("   "), safe(head.platform)]
    if not head.complete:
        out += [Text("   "), Text("incomplete", style="red")]
    return Text.assemble(*out)


def table(*columns: tuple[str, str]) -> Table:
    """Return an empty table without lines; columns are (title, kind): text, number, or words and brief, which wrap."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for title, kind in columns:
        grid.add_column(
            title,
            justify="right" if kind == "number" else "left",
            no_wrap=kind not in ("words", "brief"),
            overflow="fold",
            min_width={"words": 14, "brief": 8}.get(kind),
        )
    return grid
