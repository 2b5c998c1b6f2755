"""A path of a listing as one line of text: listings of millions of paths stream, so they are no document here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from imagepeel.evidence import text
from imagepeel.present.document import tree_marks
from imagepeel.present.listing import level, mode_text, note, with_lasts
from imagepeel.render.escape import exact
from imagepeel.results.head import stamp
from imagepeel.results.listing import ListedPath
from imagepeel.text import plural, size

_COLOUR = {"dir": "1;34", "symlink": "36", "char": "33", "block": "33", "fifo": "33", "ghost": "31"}


def painted(row: ListedPath, shown: str, colour: bool) -> str:
    """Return an escaped name in the colour of its kind."""
    if not colour:
        return shown
    code = _COLOUR.get(row.kind, "1;32" if row.kind == "file" and row.mode & 0o111 else "")
    if row.action:
        code = "31"
    return f"\x1b[{code}m{shown}\x1b[0m" if code else shown


def short_line(row: ListedPath, shown: bytes, *, colour: bool = False) -> str:
    """Return a name alone; of what removes or hides, with the words for it."""
    words = note(row) if row.action or row.kind == "ghost" else ""
    name = painted(row, exact(shown), colour)
    kind = f"  {exact(row.content)}" if row.content else ""
    return name + (f"  {words}" if words else "") + kind


class LongLines:
    """Lines like those of ls -l with the layer in front of the name; columns grow as wider values come."""

    def __init__(self, rows: list[ListedPath] | None = None, *, human: bool = False, colour: bool = False) -> None:
        self._human = human
        self._colour = colour
        self._widths = [1, 1, 1, 1, 2] if rows is not None else [2, 4, 4, 9, 2]
        for row in rows or ():
            self._cells(row)

    def _cells(self, row: ListedPath) -> list[str]:
        links = "-" if row.nlink is None else str(row.nlink)
        cells = [links, str(row.uid), str(row.gid), self._size(row), row.label]
        self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        return cells

    def _size(self, row: ListedPath) -> str:
        if row.device is not None and row.kind in ("char", "block"):
            return f"{row.device[0]}, {row.device[1]}"
        if not self._human:
            return str(row.size)
        return size(row.size)

    def line(self, row: ListedPath, shown: bytes) -> str:
        """Return one line; `shown` is the name or path to show."""
        links, uid, gid, width, label = self._cells(row)
        w = self._widths
        out = (
            f"{mode_text(row)} {links:>{w[0]}} {uid:>{w[1]}} {gid:>{w[2]}} {width:>{w[3]}} "
            f"{stamp(row.mtime):<16} {label:<{w[4]}} {painted(row, exact(shown), self._colour)}"
        )
        if row.kind == "symlink":
            out += f" -> {exact(text(row.target))}"
        elif row.kind == "hardlink":
            out += f" link to {exact(text(row.target))}"
        words = note(row)
        if words:
            out += f"  {words}"
        if row.content:
            out += f"  {exact(row.content)}"
        return out


def tree_lines(
    base: bytes, rows: Callable[[], Iterable[ListedPath]], *, colour: bool, ascii_only: bool
) -> Iterator[str]:
    """Yield the lines of a tree; `rows` gives its rows, parents first, as often as it is called."""
    branch, corner, line, blank = tree_marks(ascii_only)
    yield exact(base)
    directories = others = 0
    for row, lasts in with_lasts(rows, level(base)):
        directories += row.kind == "dir" and not row.action
        others += row.kind != "dir" or bool(row.action)
        shown = painted(row, "*" if row.action == "hide" else exact(row.name), colour)
        if row.kind == "symlink":
            shown += f" -> {exact(row.target)}"
        elif row.kind == "hardlink":
            shown += f" link to {exact(row.target)}"
        words = note(row)
        bytes_ = f"  {size(row.size)}" if row.kind == "file" and not row.action else ""
        if bytes_ and (row.nlink or 1) > 1:
            bytes_ += f", counted once for {row.nlink} names"
        tail = f"{bytes_}  {words}" if words else "" if row.kind == "dir" else f"{bytes_}  {row.label}"
        yield "".join(blank if last else line for last in lasts[:-1]) + (corner if lasts[-1] else branch) + shown + tail
    yield ""
    yield f"{plural(directories, 'directory')}, {plural(others, 'other name')}"
