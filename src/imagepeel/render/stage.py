"""A document as screens for a room: a big title, few lines, a foot that says which keys there are.

Nothing is wider or higher than the screen.  What is too long for one screen goes on with the next.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.present.document import Document, Section, evidence_of, plain
from imagepeel.render.escape import terminal
from imagepeel.render.layout import Line, folded, line_cells, wrapped
from imagepeel.render.terminal import BOLD, DIM, LEAST, MAGENTA, document_lines

MARGIN = 4
"""Blanks at the left of everything."""
TEXT = 84
"""Columns of text, on a screen of any width: more are hard to read from afar."""
LEAST_ROWS = 3
"""Rows of text that a screen gets, however low it is."""
AROUND = 4
"""Rows for the title, the foot, and a blank row at each."""
KEYS = "Enter on   b back   r receipt   q quit"
NO_RECEIPT = "This says nothing about the image that a command could show."


def idea_lines(idea: Document, width: int, *, ascii_only: bool = False, folding: bool = True) -> list[Line]:
    """Return the lines of an idea, a blank one between its blocks; each has room in `width` columns.

    Without `folding` a command stays one line, however wide, for whoever copies it.
    """
    parts = [section.blocks for section in idea.sections]
    alone = [Document(title=idea.title, headline=idea.headline, sections=())] if idea.headline else []
    blocks = [*idea.summary, *(block for part in parts for block in part)]
    alone += [Document(title=idea.title, headline=(), sections=(Section(blocks=(block,)),)) for block in blocks]
    out: list[Line] = []
    for document in alone:
        lines = list(document_lines(document, width=width, ascii_only=ascii_only))
        out += [[]] if out else []
        out += [piece for line in lines for piece in _fitting(line, width, folding)]
    return out


def receipt_lines(idea: Document, width: int, *, folding: bool = True) -> list[Line]:
    """Return the receipts of an idea: each command, what it shows and what to expect, each command once."""
    blocks = [*idea.summary, *(block for section in idea.sections for block in section.blocks)]
    found = [receipt for block in blocks for evidence in evidence_of(block) for receipt in evidence.receipts]
    out: list[Line] = []
    for receipt in {one.command: one for one in found}.values():
        out += [[]] if out else []
        out += _fitting([("$ ", DIM), (terminal(receipt.command), MAGENTA)], width, folding)
        said = [f"shows {receipt.shows}"] if receipt.shows else []
        said += [f"prints {receipt.expect}"] if receipt.expect else []
        out += wrapped([(terminal(" and ".join(said)), DIM)], width) if said else []
    return out or wrapped([(NO_RECEIPT, DIM)], width)


def _fitting(line: Line, width: int, folding: bool) -> list[Line]:
    """Return a line as it is, or cut where the screen ends."""
    return folded(line, width) if folding and line_cells(line) > width else [line]


def title_of(idea: Document, width: int) -> str:
    """Return the title of an idea: the number and title of its chapter, in wide capitals where there is room."""
    (section,) = idea.sections or (None,)
    words = f"{section.number}  {terminal(plain(section.title))}" if section is not None else terminal(idea.title)
    wide = " ".join(words.upper())
    return wide if section is not None and wide.isascii() and len(wide) <= width else words


def screens(
    idea: Document, place: str, width: int, height: int, *, receipts: bool = False, ascii_only: bool = False
) -> list[list[Line]]:
    """Return the screens of an idea, each of exactly `height` lines of at most `width` columns.

    `place` says where in the story it stands.  With `receipts` they show its receipts instead.
    """
    room = max(LEAST, min(TEXT, width - 2 * MARGIN))
    margin = min(MARGIN, max(0, (width - room) // 2))
    body = receipt_lines(idea, room) if receipts else idea_lines(idea, room, ascii_only=ascii_only)
    rows = max(LEAST_ROWS, height - AROUND)
    pages = [body[at : at + rows] for at in range(0, len(body), rows)] or [[]]
    size = (width, height, margin)
    return [_screen(idea, page, (place, number, len(pages)), size) for number, page in enumerate(pages, 1)]


def _screen(idea: Document, page: Sequence[Line], at: tuple[str, int, int], size: tuple[int, int, int]) -> list[Line]:
    place, number, pages = at
    width, height, margin = size
    blank: Line = [(" " * margin, "")]
    title = folded([(title_of(idea, width - margin), BOLD)], max(1, width - margin))[0]
    told = f"{place}, part {number} of {pages}" if pages > 1 else place
    room = max(1, width - margin)
    keys = f"{KEYS}   {told}" if len(f"{KEYS}   {told}") <= room else told
    foot = folded([(keys, DIM)], room)[0]
    rows: list[Line] = [[*blank, *title], []]
    rows += [[*blank, *line] if line else [] for line in page]
    rows = rows[: max(1, height - 2)]
    rows += [[] for _ in range(height - 1 - len(rows))]
    return [*rows, [*blank, *foot]][-height:]
