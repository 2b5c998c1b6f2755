"""A terminal, or plain text where there is none.  Only escaped text reaches rich, and never its markup."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table as Grid
from rich.text import Text as Line
from rich.tree import Tree as Branches

from imagepeel.evidence import Receipt
from imagepeel.present.document import (
    AnnotatedBytes,
    Block,
    Chapter,
    Claim,
    Note,
    ReceiptRef,
    Row,
    Steps,
    Story,
    Table,
    Text,
    Tree,
    TreeNode,
    evidence_of,
)
from imagepeel.render.escape import terminal

WIDTH = 100
"""Columns where nobody says how many there are: a projector."""
INDENT = 4

STYLES = {
    "plain": "",
    "term": "bold",
    "path": "cyan",
    "code": "magenta",
    "value": "",
    "digest": "blue",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "dim": "dim",
}
"""How each kind of span looks; colour never carries meaning alone."""


def make_console(
    *, color: str = "auto", width: int | None = None, file: IO[str] | None = None, stderr: bool = False
) -> Console:
    """Return a console that obeys `color` (auto, always, never), NO_COLOR, COLUMNS and TERM=dumb.

    Without a terminal the output is plain text of `WIDTH` columns.
    """
    out = file if file is not None else sys.stderr if stderr else sys.stdout
    attached = bool(getattr(out, "isatty", lambda: False)())
    columns = os.environ.get("COLUMNS", "")
    if width is None and columns.isdigit() and int(columns) > 0:
        width = int(columns)
    if width is None and not attached:
        width = WIDTH
    return Console(
        file=out,
        width=width,
        force_terminal=True if color == "always" else None,
        no_color=True if color == "never" or (color == "auto" and bool(os.environ.get("NO_COLOR"))) else None,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
        legacy_windows=False,
    )


def print_story(story: Story, console: Console, *, receipts: bool = False) -> None:
    """Print a story; with `receipts`, below each claim the commands that show the same."""
    for part in story_parts(story, receipts=receipts):
        if isinstance(part, Command):
            # Unwrapped, so that what is copied from the screen is one command.
            console.print(part.line, soft_wrap=True)
        else:
            console.print(part)


def line(text: Text, style: str = "") -> Line:
    """Return a text with its styles, escaped."""
    out = Line(style=style)
    for span in text:
        out.append(terminal(span.text), STYLES[span.kind])
    return out


class Command:
    """A shell command on a line of its own: never wrapped where that can be avoided."""

    def __init__(self, command: str, lead: str = "try it  ", remark: str = "", indent: int = INDENT) -> None:
        self.line = Line(" " * indent)
        self.line.append(lead, "dim")
        self.line.append(terminal(command), "magenta")
        if remark:
            self.line.append(f"   # {terminal(remark)}", "dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        out = self.line.copy()
        out.overflow = "fold"
        yield out


class Indented:
    """A renderable moved to the right, without blanks at the ends of its lines."""

    def __init__(self, inner: RenderableType, indent: int = INDENT) -> None:
        self.inner = inner
        self.indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(20, options.max_width - self.indent)
        for segments in console.render_lines(self.inner, options.update(width=width), pad=False):
            kept = list(segments)
            while kept and not kept[-1].text.strip():
                kept.pop()
            if kept:
                last = kept[-1]
                kept[-1] = Segment(last.text.rstrip(), last.style, last.control)
                yield Segment(" " * self.indent)
                yield from kept
            yield Segment.line()


def story_parts(story: Story, *, receipts: bool = False) -> Iterator[RenderableType]:
    """Yield the pieces of a story, top to bottom."""
    head = Line()
    for index, span in enumerate(story.headline):
        head.append("   " if index else "")
        head.append(terminal(span.text), "bold" if not index else STYLES[span.kind])
    yield Indented(head, 0)
    for chapter in story.chapters:
        yield from chapter_parts(chapter, receipts=receipts)


def chapter_parts(chapter: Chapter, *, receipts: bool = False) -> Iterator[RenderableType]:
    """Yield the pieces of one chapter."""
    yield Line()
    title = Line(f"{chapter.number}  ", style="bold")
    title.append(terminal(chapter.title))
    yield title
    seen: set[str] = set()
    for block in chapter.blocks:
        yield from block_parts(block)
        if receipts and not isinstance(block, ReceiptRef):
            yield from _receipt_lines(block, seen)


def block_parts(block: Block) -> Iterator[RenderableType]:
    """Yield the pieces of one block, indented."""
    if isinstance(block, Claim):
        alone = len(block.text) == 1 and block.text[0].kind == "code"
        yield Indented(line(block.text), INDENT * 2 if alone else INDENT)
    elif isinstance(block, Note):
        yield Indented(line(block.text), INDENT)
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Tree):
        for root in block.roots:
            yield Indented(_tree(root), INDENT)
    elif isinstance(block, Steps):
        yield Indented(_steps(block), INDENT)
    elif isinstance(block, AnnotatedBytes):
        yield Indented(line(block.caption), INDENT)
        yield Indented(_bytes(block), INDENT * 2)
    elif isinstance(block, ReceiptRef):
        yield Command(block.receipt.command)


def grid(columns: Iterable[tuple[str, bool, bool]], *, header: bool = True) -> Grid:
    """Return an empty table without lines; each column is (title, right, keep), `keep` means not wrapped."""
    out = Grid(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title, right, keep in columns:
        out.add_column(Line(terminal(title)), justify="right" if right else "left", no_wrap=keep, overflow="fold")
    return out


def _table(block: Table) -> Iterator[RenderableType]:
    if block.caption:
        yield Indented(line(block.caption), INDENT)
    out = grid(
        ((column.title, column.right, column.keep) for column in block.columns),
        header=any(column.title for column in block.columns),
    )
    for row in block.rows:
        out.add_row(*(line(cell, _row_style(row)) for cell in row.cells))
    yield Indented(out, INDENT * 2)
    if block.hidden:
        yield Command(block.all, lead=f"{block.hidden:,} more  ", indent=INDENT * 2)


def _row_style(row: Row) -> str:
    return "bold" if row.total else ""


def _tree(node: TreeNode) -> Branches:
    root = Branches(line(node.text), guide_style="dim")
    pending = [(root, child) for child in node.children]
    while pending:
        parent, child = pending.pop(0)
        branch = parent.add(line(child.text))
        pending.extend((branch, below) for below in child.children)
    return root


def _steps(block: Steps) -> Grid:
    out = grid((("", False, True), ("", False, False), ("", False, False), ("", True, True)), header=False)
    for step in block.rounds:
        out.add_row(
            Line(terminal(step.label), "dim"), Line(terminal(step.path), "cyan"), line(step.what), Line(step.origin)
        )
    return out


def _bytes(block: AnnotatedBytes) -> Grid:
    out = grid((("", False, True), ("", False, False), ("", False, False)), header=False)
    # On a narrow terminal the words stay whole and the bytes wrap.
    out.columns[2].min_width = 20
    for piece in block.pieces:
        out.add_row(Line(f"byte {piece.offset}", "dim"), Line(piece.data.hex(" ")), line(piece.meaning))
    return out


def _receipt_lines(block: Block, seen: set[str]) -> Iterator[RenderableType]:
    """The receipts of a block, each command once a chapter."""
    for evidence in evidence_of(block):
        for receipt in evidence.receipts:
            if receipt.command not in seen:
                seen.add(receipt.command)
                yield receipt_line(receipt)


def receipt_line(receipt: Receipt) -> Command:
    """Return a receipt as a line that can be copied."""
    return Command(receipt.command, lead="$ ", remark=receipt.shows, indent=INDENT * 2)
