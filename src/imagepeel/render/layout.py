"""Lines of styled text on a grid of characters: how wide they are, where they break, how they stand in columns.

A line is a list of runs, each a text and its style.  A style is what stands in a sequence of ECMA-48 that selects
it (SGR, section 8.3.117): `1` bold, `36` cyan, `1;31` both, "" none.  Texts are escaped before they come here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from imagepeel._lazy import late

Run = tuple[str, str]
Line = list[Run]

GAP = 2
"""Blanks between two columns."""

_WORD = late(r"\s*\S+\s*")


class GridColumn(msgspec.Struct, frozen=True):
    """How a column stands: `right` aligns it there, `keep` never wraps it, it has `least` characters at least."""

    right: bool = False
    keep: bool = False
    least: int = 0


def styled(*styles: str) -> str:
    """Return the style that has all of these; a later colour wins."""
    return ";".join(style for style in styles if style)


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: 2 for a wide character, 0 for one that adds to another."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    from unicodedata import category, east_asian_width  # start time

    if east_asian_width(character) in "WF":
        return 2
    return 0 if category(character) in ("Mn", "Me", "Cf") else 1


def line_cells(line: Line) -> int:
    """Return how many columns a line takes."""
    return sum(cells(text) for text, _ in line)


def written(line: Line, *, colour: bool) -> str:
    """Return a line as text, with its styles where there is colour."""
    if not colour:
        return "".join(text for text, _ in line)
    return "".join(f"\x1b[{style}m{text}\x1b[0m" if style and text else text for text, style in line)


def stripped(line: Line) -> Line:
    """Return a line without the blanks at its end."""
    out = list(line)
    while out:
        text, style = out.pop()
        if text := text.rstrip():
            return [*out, (text, style)]
    return out


def wrapped(line: Line, width: int) -> list[Line]:
    """Break a line between words to lines of at most `width` columns, which end without blanks.

    A word that no line has room for is cut.
    """
    plain = "".join(text for text, _ in line)
    if len(plain) <= width and plain.isascii():
        return [stripped(line)]
    return [stripped(piece) for piece in _cut(line, _breaks(plain, width))]


def clipped(line: Line, width: int) -> Line:
    """Return what of a line has room in `width` columns."""
    if line_cells(line) <= width:
        return line
    plain = "".join(text for text, _ in line)
    return _cut(line, [len(next(_folded(plain, width)))])[0]


def folded(line: Line, width: int) -> list[Line]:
    """Cut a line wherever `width` columns are full, as a terminal does: every character of it stays."""
    offsets: list[int] = []
    for piece in _folded("".join(text for text, _ in line), width):
        offsets.append(len(piece) + (offsets[-1] if offsets else 0))
    return _cut(line, offsets[:-1])


def _breaks(plain: str, width: int) -> list[int]:
    """Return where a text breaks, as offsets."""
    out: list[int] = []
    used = 0
    for found in _WORD.finditer(plain):
        start, word = found.start(), found[0]
        needed = cells(word.rstrip())
        if used + needed <= width:
            used += cells(word)
            continue
        for piece in _folded(word, width) if needed > width else (word,):
            if start:
                out.append(start)
            start += len(piece)
            used = cells(piece)
    return out


def _folded(word: str, width: int) -> Iterator[str]:
    """Yield a text in pieces of at most `width` columns; a character that is wider alone."""
    first = used = 0
    for at, character in enumerate(word):
        needed = cells(character)
        if used + needed > width and at > first:
            yield word[first:at]
            first, used = at, 0
        used += needed
    yield word[first:]


def _cut(line: Line, offsets: Sequence[int]) -> list[Line]:
    """Cut a line at offsets of characters, which increase."""
    out: list[Line] = [[]]
    ends = iter((*offsets, -1))
    end, passed = next(ends), 0
    for text, style in line:
        at = 0
        while 0 <= end <= passed + len(text):
            out[-1].append((text[at : end - passed], style))
            at = end - passed
            out.append([])
            end = next(ends)
        out[-1].append((text[at:], style))
        passed += len(text)
    return out


def in_columns(
    columns: Sequence[GridColumn], rows: Sequence[Sequence[Line]], width: int, *, header: Sequence[Line] = ()
) -> Iterator[Line]:
    """Yield the lines of rows below each other, and of the header above them.

    A table that is wider than `width` takes from its widest columns of words first, and from all when that is not
    enough; what is never wrapped loses its end then.
    """
    shown = [header, *rows] if header else rows
    widest = [max((line_cells(row[at]) for row in shown), default=0) for at in range(len(columns))]
    widths = _widths(columns, widest, width)
    for number, row in enumerate(shown):
        stacks = [
            [clipped(cell, room)] if column.keep else wrapped(cell, room)
            for column, cell, room in zip(columns, row, widths, strict=True)
        ]
        height = max(map(len, stacks), default=0)
        for at in range(height):
            out: Line = []
            for column, stack, room in zip(columns, stacks, widths, strict=True):
                # What stands above a column stands right above it.
                level = at - (height - len(stack)) if header and not number else at
                cell = stripped(stack[level]) if 0 <= level < len(stack) else []
                blank = [(" " * (room - line_cells(cell)), "")]
                out += [*blank, *cell] if column.right else [*cell, *blank]
                out.append((" " * GAP, ""))
            yield stripped(out)


def _widths(columns: Sequence[GridColumn], widest: Sequence[int], width: int) -> list[int]:
    """Return how wide each column is."""
    gaps = [GAP] * (len(columns) - 1) + [0]
    full = [
        max(min(most + gap, width), column.least + gap, 1)
        for column, most, gap in zip(columns, widest, gaps, strict=True)
    ]
    widths = list(full)
    words = [at for at, column in enumerate(columns) if not column.keep]
    while words and (excess := sum(widths) - width) > 0 and (top := max(widths[at] for at in words)):
        below = max((widths[at] for at in words if widths[at] != top), default=0)
        _take(excess, widths, [at for at in words if widths[at] == top], [top - below] * len(widths))
    if (excess := sum(widths) - width) > 0:
        _take(excess, widths, [at for at, one in enumerate(widths) if one], list(widths))
    return [
        max(min(now, most), column.least + gap) - gap
        for now, most, column, gap in zip(widths, full, columns, gaps, strict=True)
    ]


def _take(excess: int, widths: list[int], chosen: Iterable[int], most: Sequence[int]) -> None:
    """Take `excess` evenly from the chosen columns, from none more than its `most`."""
    rest = list(chosen)
    while rest:
        at = rest.pop(0)
        taken = min(most[at], round(excess / (len(rest) + 1)))
        widths[at] -= taken
        excess -= taken
