"""A terminal, or plain text where there is none.  Only escaped text reaches rich, and never its markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from errno import EPIPE
from io import StringIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table as Grid
from rich.text import Text as Line
from rich.tree import Tree as Branches

from imagepeel.evidence import Receipt
from imagepeel.present.document import (
    AnnotatedBytes,
    Block,
    Claim,
    Column,
    Document,
    Item,
    Items,
    Lines,
    Note,
    ReceiptRef,
    Row,
    Section,
    Span,
    Steps,
    Table,
    Text,
    Tree,
    TreeNode,
    evidence_of,
)
from imagepeel.render.escape import terminal
from imagepeel.text import brief_paths

WIDTH = 100
"""Columns where nobody says how many there are: a projector."""
INDENT = 4
"""Where the text of a chapter begins."""
PROSE = 120
"""Columns of a list that is wrapped: longer lines are hard to read."""
WORDS = 14
"""Columns that words keep in a table that fits in no form."""
DIGITS = 7
"""Hex digits of a digest in a narrow table."""

STYLES = {
    "plain": "",
    "term": "bold",
    "path": "cyan",
    "code": "magenta",
    "value": "",
    "digest": "magenta",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "dim": "dim",
}
"""How each kind of span looks; colour never carries meaning alone."""
LEVELS = {"": "", "good": "green", "warn": "yellow", "bad": "red"}


class PipedConsole(Console):
    """A console that leaves a closed pipe to its caller, as every other write does: rich would end with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(EPIPE, "the reader closed the pipe")


def print_document(document: Document, console: Console, *, receipts: bool = False) -> None:
    """Print a document; with `receipts`, below each claim the commands that show the same."""
    for part in document_parts(document, receipts=receipts):
        if isinstance(part, Kept):
            # Unwrapped, so that what is copied from the screen is one command.
            console.print(part.line, soft_wrap=True)
        else:
            console.print(part)


def document_text(document: Document, *, width: int = 100) -> str:
    """Return a document as a terminal of `width` columns without colours shows it, without blanks at ends of lines."""
    written = StringIO()
    console = Console(
        file=written, width=width, force_terminal=False, color_system=None, highlight=False, markup=False, emoji=False
    )
    print_document(document, console)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def line(text: Text, style: str = "") -> Line:
    """Return a text with its styles, escaped."""
    out = Line(style=style)
    for span in text:
        # A command to copy stays whole.
        shown = span.text if span.kind == "code" else brief_paths(span.text)
        out.append(terminal(shown), STYLES[span.kind])
    return out


class Kept:
    """A line that is never wrapped where that can be avoided."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        out = self.line.copy()
        out.overflow = "fold"
        yield out


def command(words: str, lead: str = "try it  ", remark: str = "", indent: int = INDENT) -> Kept:
    """Return a shell command on a line of its own."""
    out = Line(" " * indent)
    out.append(lead, "dim")
    out.append(terminal(words), "magenta")
    if remark:
        out.append(f"   # {terminal(remark)}", "dim")
    return Kept(out)


class Hanging:
    """A paragraph behind its label: the lines after the first stand under the first word."""

    def __init__(self, lead: Line, words: Line) -> None:
        self.lead = lead
        self.words = words

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = self.lead.cell_len
        lines = self.words.wrap(console, max(20, min(options.max_width, PROSE) - indent))
        for number, one in enumerate(lines):
            one.rstrip()
            yield Line.assemble(Line(" " * indent) if number else self.lead, one)


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


def document_parts(document: Document, *, receipts: bool = False) -> Iterator[RenderableType]:
    """Yield the pieces of a document, top to bottom."""
    head = Line()
    for index, span in enumerate(document.headline):
        head.append("   " if index else "")
        head.append(terminal(span.text), "bold" if not index else STYLES[span.kind])
    if head:
        yield Indented(head, 0)
    summary = Section(blocks=document.summary)
    yield from _section(summary, receipts=receipts)
    for at, section in enumerate(document.sections):
        if at or head:
            yield Line()
        yield from _section(section, receipts=receipts)


def _section(section: Section, *, receipts: bool) -> Iterator[RenderableType]:
    if section.number or section.title:
        title = Line(f"{section.number}  " if section.number else "", style="bold")
        yield Indented(title.append_text(line(section.title)), 0)
    indent = INDENT if section.number else 2 if section.title else 0
    seen: set[str] = set()
    for block in section.blocks:
        if isinstance(block, Items):
            yield from _items(block.items, indent, receipts=receipts)
            continue
        if isinstance(block, Lines):
            yield from (Kept(Line(terminal(text))) for text in block.lines)
            continue
        yield from _block(block, indent, deeper=bool(section.number))
        if receipts and not isinstance(block, ReceiptRef):
            yield from _receipt_lines(block, seen, indent + INDENT)


def _block(block: Block, indent: int, *, deeper: bool) -> Iterator[RenderableType]:
    """Yield the pieces of one block; in a chapter its tables stand `deeper`."""
    inner = indent + INDENT if deeper else indent
    if isinstance(block, Claim):
        alone = len(block.text) == 1 and block.text[0].kind == "code"
        yield Indented(line(block.text, LEVELS[block.level] if not deeper else ""), inner if alone else indent)
    elif isinstance(block, Note):
        yield Indented(line(block.text), indent)
    elif isinstance(block, Table):
        yield from _table(block, indent, inner)
    elif isinstance(block, Tree):
        for root in block.roots:
            yield Indented(_tree(root), indent)
    elif isinstance(block, Steps):
        yield Indented(_steps(block), indent)
    elif isinstance(block, AnnotatedBytes):
        yield Indented(line(block.caption), indent)
        yield Indented(_bytes(block), inner)
    elif isinstance(block, ReceiptRef):
        yield command(block.receipt.command, indent=indent)


def _items(items: tuple[Item, ...], indent: int, *, receipts: bool) -> Iterator[RenderableType]:
    """Yield entries with their labels aligned; one without a label begins at the margin."""
    labels = [line(item.label, "dim") for item in items]
    width = max((label.cell_len for label in labels), default=0)
    width += 2 if width else 0
    for item, label in zip(items, labels, strict=True):
        if item.label:
            label.pad_right(width - label.cell_len)
        lead, words = Line.assemble(" " * indent, label), line(item.text, LEVELS[item.level])
        yield Kept(lead.append_text(words)) if item.keep else Hanging(lead, words)
        inner = indent + (width or 2)
        yield from _items(item.items, inner, receipts=receipts)
        if receipts:
            yield from (_receipt_line(receipt, inner) for receipt in item.evidence.receipts)


def grid(columns: Iterable[tuple[str, bool, bool]], *, header: bool = True) -> Grid:
    """Return an empty table without lines; each column is (title, right, keep), `keep` means not wrapped."""
    out = Grid(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title, right, keep in columns:
        out.add_column(Line(terminal(title)), justify="right" if right else "left", no_wrap=keep, overflow="fold")
    return out


def _table(block: Table, indent: int, inner: int) -> Iterator[RenderableType]:
    if block.caption:
        yield Indented(line(block.caption), indent)
    yield Indented(_Fitted(block), inner)
    if block.hidden:
        yield command(block.all, lead=f"{block.hidden:,} more  ", indent=inner)


class _Fitted:
    """A table with the columns that the terminal has room for."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns, cells = self._fit(options.max_width)
        out = grid(
            ((column.title, column.right, column.keep) for column in columns),
            header=any(column.title for column in columns),
        )
        for at, column in enumerate(columns):
            if column.room:
                out.columns[at].min_width = min(column.room, WORDS, _widest(column, cells[at]))
        for row in zip(*cells, strict=True) if cells else ():
            out.add_row(*row)
        yield out

    def _fit(self, width: int) -> tuple[list[Column], list[list[Line]]]:
        """Return the columns and their cells in the first form of `Column` whose lines fit."""
        table = self.table
        cells = [[line(row.cells[at], _row_style(row)) for row in table.rows] for at in range(len(table.columns))]
        columns = list(table.columns)
        if not any(column.short or column.leave for column in columns) or self._needs(columns, cells) <= width:
            return columns, cells
        shorter = [
            [line(_shortened(row.cells[at]), _row_style(row)) for row in table.rows] for at in range(len(columns))
        ]
        for leaving in (0, *sorted({column.leave for column in columns if column.leave})):
            kept = [at for at, column in enumerate(table.columns) if not 0 < column.leave <= leaving]
            columns = [
                Column(c.short or c.title, c.right, c.keep, room=c.room) for c in (table.columns[at] for at in kept)
            ]
            cells = [shorter[at] for at in kept]
            if self._needs(columns, cells) <= width:
                break
        return columns, cells

    @staticmethod
    def _needs(columns: list[Column], cells: list[list[Line]]) -> int:
        """The characters of a line on which what is not words stays whole; two part columns, none follow the last."""
        widths = (
            _widest(column, items) if column.keep else min(column.room, _widest(column, items))
            for column, items in zip(columns, cells, strict=True)
        )
        return sum(width + 2 for width in widths) - 2


def _widest(column: Column, cells: list[Line]) -> int:
    return max(cell_len(terminal(column.title)), *(cell.cell_len for cell in cells), 0)


def _shortened(cell: Text) -> Text:
    """A cell with its digests cut further; another algorithm than sha256 stands in front of a colon."""
    return tuple(
        Span(":".join((*(parts := span.text.split(":"))[:-1], parts[-1][:DIGITS])), "digest")
        if span.kind == "digest"
        else span
        for span in cell
    )


def _row_style(row: Row) -> str:
    return "bold" if row.total else LEVELS[row.level]


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
            Line(terminal(step.label), "dim"),
            Line(terminal(brief_paths(step.path)), "cyan"),
            line(step.what),
            Line(step.origin),
        )
    return out


def _bytes(block: AnnotatedBytes) -> Grid:
    out = grid((("", False, True), ("", False, False), ("", False, False)), header=False)
    # On a narrow terminal the words stay whole and the bytes wrap.
    out.columns[2].min_width = 20
    for piece in block.pieces:
        out.add_row(Line(f"byte {piece.offset}", "dim"), Line(piece.data.hex(" ")), line(piece.meaning))
    return out


def _receipt_lines(block: Block, seen: set[str], indent: int) -> Iterator[RenderableType]:
    """The receipts of a block, each command once a section."""
    for evidence in evidence_of(block):
        for receipt in evidence.receipts:
            if receipt.command not in seen:
                seen.add(receipt.command)
                yield _receipt_line(receipt, indent)


def _receipt_line(receipt: Receipt, indent: int) -> Kept:
    return command(receipt.command, lead="$ ", remark=receipt.shows, indent=indent)
