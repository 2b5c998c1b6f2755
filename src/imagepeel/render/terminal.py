"""A terminal, or plain text where there is none.  Only escaped text reaches its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import msgspec

from imagepeel.evidence import Receipt
from imagepeel.present.document import (
    AnnotatedBytes,
    Bars,
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
    tree_marks,
)
from imagepeel.render.escape import terminal, to_the_letter
from imagepeel.render.layout import (
    GridColumn,
    Line,
    cells,
    in_columns,
    line_cells,
    stripped,
    styled,
    wrapped,
    written,
)
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

LEAST = 20
"""Columns that a text gets, however narrow the terminal is."""

BOLD, DIM, CYAN, MAGENTA = "1", "2", "36", "35"
STYLES = {
    "plain": "",
    "term": BOLD,
    "path": CYAN,
    "code": MAGENTA,
    "value": "",
    "digest": MAGENTA,
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "dim": DIM,
}
"""How each kind of span looks; colour never carries meaning alone."""
LEVELS = {"": "", "good": "32", "warn": "33", "bad": "31"}


class _Screen(msgspec.Struct, frozen=True):
    """What lines are laid out for: columns, whether proofs are told, and the marks that trees are drawn with."""

    width: int
    receipts: bool = False
    marks: tuple[str, str, str, str] = tree_marks(False)

    def beside(self, indent: int) -> int:
        """Return the columns that are left."""
        return max(LEAST, self.width - indent)


def print_document(
    document: Document, out: TextIO, *, width: int = WIDTH, colour: bool = False, receipts: bool = False
) -> None:
    """Print a document; with `receipts`, below each claim the commands that show the same.

    Commands are never wrapped, so that what is copied from the screen is one line.
    """
    ascii_only = not (getattr(out, "encoding", None) or "utf-8").lower().startswith("utf")
    for line in _document(document, _Screen(width, receipts, tree_marks(ascii_only))):
        out.write(written(line, colour=colour) + "\n")


def document_text(document: Document, *, width: int = WIDTH) -> str:
    """Return a document as a terminal of `width` columns without colours shows it, without blanks at ends of lines."""
    return "\n".join(written(line, colour=False).rstrip() for line in _document(document, _Screen(width)))


def document_lines(document: Document, *, width: int, ascii_only: bool = False) -> Iterator[Line]:
    """Yield the lines of a document with their styles, for who puts them on a screen; a command may be wider."""
    return _document(document, _Screen(width, marks=tree_marks(ascii_only)))


def rich_parts(document: Document, width: int) -> Iterator[Any]:
    """Yield a document for rich to print, line by line."""
    from rich.text import Text as RichText  # start time

    for line in _document(document, _Screen(width)):
        yield RichText.from_ansi(written(line, colour=True), overflow="fold") if line else RichText()


def styled_line(text: Text, style: str = "") -> Line:
    """Return a text with its styles, escaped."""
    # A command to copy stays whole.
    return [
        (terminal(span.text if span.kind == "code" else brief_paths(span.text)), styled(style, STYLES[span.kind]))
        for span in text
    ]


def _command(words: str, lead: str = "try it  ", remark: str = "", indent: int = INDENT) -> Line:
    """Return a shell command on a line of its own."""
    out = [(" " * indent, ""), (lead, DIM), (terminal(words), MAGENTA)]
    return [*out, (f"   # {terminal(remark)}", DIM)] if remark else out


def _indented(lines: Sequence[Line] | Iterator[Line], indent: int) -> Iterator[Line]:
    """Yield lines moved to the right."""
    for line in lines:
        yield [(" " * indent, ""), *line] if line and indent else line


def _hanging(lead: Line, words: Line, width: int) -> Iterator[Line]:
    """Yield a paragraph behind its label: the lines after the first stand under the first word."""
    indent = line_cells(lead)
    for number, line in enumerate(wrapped(words, max(LEAST, min(width, PROSE) - indent))):
        yield stripped([(" " * indent, ""), *line] if number else [*lead, *line])


def _document(document: Document, screen: _Screen) -> Iterator[Line]:
    """Yield the lines of a document, top to bottom."""
    head: Line = []
    for index, span in enumerate(document.headline):
        head.append(("   " if index else "", ""))
        head.append((terminal(span.text), STYLES[span.kind] if index else BOLD))
    if any(text for text, _ in head):
        yield from wrapped(head, screen.beside(0))
    yield from _section(Section(blocks=document.summary), screen)
    for at, section in enumerate(document.sections):
        if at or head:
            yield []
        yield from _section(section, screen)


def _section(section: Section, screen: _Screen) -> Iterator[Line]:
    if section.number or section.title:
        number = f"{section.number}  " if section.number else ""
        yield from wrapped([(number, BOLD), *styled_line(section.title, BOLD)], screen.beside(0))
    indent = INDENT if section.number else 2 if section.title else 0
    seen: set[str] = set()
    for block in section.blocks:
        if isinstance(block, Items):
            yield from _items(block.items, indent, screen)
            continue
        if isinstance(block, Lines):
            yield from ([(to_the_letter(text), "")] for text in block.lines)
            continue
        if isinstance(block, Bars):
            continue
        yield from _block(block, indent, screen, deeper=bool(section.number))
        if screen.receipts and not isinstance(block, ReceiptRef):
            yield from _receipt_lines(block, seen, indent + INDENT)


def _block(block: Block, indent: int, screen: _Screen, *, deeper: bool) -> Iterator[Line]:
    """Yield the lines of one block; in a chapter its tables stand `deeper`."""
    inner = indent + INDENT if deeper else indent
    if isinstance(block, Claim):
        alone = len(block.text) == 1 and block.text[0].kind == "code"
        words = styled_line(block.text, LEVELS[block.level] if not deeper else "")
        yield from _paragraph(words, inner if alone else indent, screen)
    elif isinstance(block, Note):
        yield from _paragraph(styled_line(block.text), indent, screen)
    elif isinstance(block, Table):
        yield from _table(block, indent, inner, screen)
    elif isinstance(block, Tree):
        for root in block.roots:
            yield from _indented(_tree(root, screen.beside(indent), screen.marks), indent)
    elif isinstance(block, Steps):
        yield from _indented(_steps(block, screen.beside(indent)), indent)
    elif isinstance(block, AnnotatedBytes):
        yield from _paragraph(styled_line(block.caption), indent, screen)
        yield from _indented(_bytes(block, screen.beside(inner)), inner)
    elif isinstance(block, ReceiptRef):
        yield _command(block.receipt.command, indent=indent)


def _paragraph(words: Line, indent: int, screen: _Screen) -> Iterator[Line]:
    return _indented(wrapped(words, screen.beside(indent)), indent)


def _items(items: Sequence[Item], indent: int, screen: _Screen) -> Iterator[Line]:
    """Yield entries with their labels aligned; one without a label begins at the margin."""
    width = max((line_cells(styled_line(item.label)) for item in items if item.label), default=0)
    width += 2 if width else 0
    for item in items:
        label = styled_line(item.label, DIM)
        lead = [(" " * indent, ""), *label]
        if item.label:
            lead.append((" " * (width - line_cells(label)), DIM))
        words = styled_line(item.text, LEVELS[item.level])
        if item.keep:
            yield [*lead, *words]
        else:
            yield from _hanging(lead, words, screen.width)
        inner = indent + (width or 2)
        yield from _items(item.items, inner, screen)
        if screen.receipts:
            yield from (_receipt_line(receipt, inner) for receipt in item.evidence.receipts)


def _table(block: Table, indent: int, inner: int, screen: _Screen) -> Iterator[Line]:
    if block.caption:
        yield from _paragraph(styled_line(block.caption), indent, screen)
    yield from _indented(_fitted(block, screen.beside(inner)), inner)
    if block.hidden:
        yield _command(block.all, lead=f"{block.hidden:,} more  ", indent=inner)


def _fitted(table: Table, width: int) -> Iterator[Line]:
    """Yield the lines of a table with the columns that the terminal has room for."""
    columns, grid, left = _fit(table, width)
    laid = [
        GridColumn(column.right, column.keep, min(column.room, WORDS, _widest(column, own)) if column.room else 0)
        for column, own in zip(columns, grid, strict=True)
    ]
    titled = any(column.title for column in columns)
    header = [[(terminal(column.title), DIM)] for column in columns] if titled else []
    yield from in_columns(laid, list(zip(*grid, strict=True)), width, header=header)
    if left:
        said = f"{width} columns have no room for {', '.join(terminal(column.title) for column in left)}"
        yield from wrapped([(said, DIM)], width)


def _fit(table: Table, width: int) -> tuple[list[Column], list[list[Line]], list[Column]]:
    """Return the columns and their cells in the first form of `Column` whose lines fit, and the columns that left."""
    grid = [[styled_line(row.cells[at], _row_style(row)) for row in table.rows] for at in range(len(table.columns))]
    columns = list(table.columns)
    if not any(column.short or column.leave for column in columns) or _needs(columns, grid) <= width:
        return columns, grid, []
    shorter = [
        [styled_line(_shortened(row.cells[at]), _row_style(row)) for row in table.rows] for at in range(len(columns))
    ]
    for leaving in (0, *sorted({column.leave for column in columns if column.leave})):
        kept = [at for at, column in enumerate(table.columns) if not 0 < column.leave <= leaving]
        columns = [Column(c.short or c.title, c.right, c.keep, room=c.room) for c in (table.columns[at] for at in kept)]
        grid = [shorter[at] for at in kept]
        if _needs(columns, grid) <= width:
            break
    return columns, grid, [column for at, column in enumerate(table.columns) if at not in kept and column.title]


def _needs(columns: list[Column], grid: list[list[Line]]) -> int:
    """The characters of a line on which what is not words stays whole; two part columns, none follow the last."""
    widths = (
        _widest(column, own) if column.keep else min(column.room, _widest(column, own))
        for column, own in zip(columns, grid, strict=True)
    )
    return sum(width + 2 for width in widths) - 2


def _widest(column: Column, own: list[Line]) -> int:
    return max(cells(terminal(column.title)), *map(line_cells, own), 0)


def _shortened(cell: Text) -> Text:
    """A cell with its digests cut further; another algorithm than sha256 stands in front of a colon."""
    return tuple(
        Span(":".join((*(parts := span.text.split(":"))[:-1], parts[-1][:DIGITS])), "digest")
        if span.kind == "digest"
        else span
        for span in cell
    )


def _row_style(row: Row) -> str:
    return BOLD if row.total else LEVELS[row.level]


def _tree(root: TreeNode, width: int, marks: tuple[str, str, str, str]) -> Iterator[Line]:
    branch, corner, goes_on, blank = marks
    pending = [(root, "", "")]
    while pending:
        node, first, later = pending.pop()
        for number, line in enumerate(wrapped(styled_line(node.text), width - cells(first))):
            yield [(later if number else first, DIM), *line]
        below = [
            (child, later + (corner if last else branch), later + (blank if last else goes_on))
            for child, last in zip(node.children, (*[False] * (len(node.children) - 1), True), strict=False)
        ]
        pending.extend(reversed(below))


def _steps(block: Steps, width: int) -> Iterator[Line]:
    columns = (GridColumn(keep=True), GridColumn(), GridColumn(), GridColumn(right=True, keep=True))
    rows = [
        (
            [(terminal(step.label), DIM)],
            [(terminal(brief_paths(step.path)), CYAN)],
            styled_line(step.what),
            [(step.origin, "")],
        )
        for step in block.rounds
    ]
    return in_columns(columns, rows, width)


def _bytes(block: AnnotatedBytes, width: int) -> Iterator[Line]:
    # On a narrow terminal the words stay whole and the bytes wrap.
    columns = (GridColumn(keep=True), GridColumn(), GridColumn(least=20))
    rows: list[tuple[Line, ...]] = [
        ([(f"byte {piece.offset}", DIM)], [(piece.data.hex(" "), "")], styled_line(piece.meaning))
        for piece in block.pieces
    ]
    return in_columns(columns, rows, width)


def _receipt_lines(block: Block, seen: set[str], indent: int) -> Iterator[Line]:
    """The receipts of a block, each command once a section."""
    for evidence in evidence_of(block):
        for receipt in evidence.receipts:
            if receipt.command not in seen:
                seen.add(receipt.command)
                yield _receipt_line(receipt, indent)


def _receipt_line(receipt: Receipt, indent: int) -> Line:
    return _command(receipt.command, lead="$ ", remark=receipt.shows, indent=indent)
