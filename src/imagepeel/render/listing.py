"""A path of a listing, as one line of text, one node of a drawn tree, or one JSON value."""

from __future__ import annotations

import base64
from typing import NamedTuple

from imagepeel.evidence import text
from imagepeel.render.escape import terminal
from imagepeel.results.tables import ListingEntry, octal, readable, stamp

_LETTER = {"file": "-", "dir": "d", "symlink": "l", "hardlink": "h", "char": "c", "block": "b", "fifo": "p"}
_COLOUR = {"dir": "1;34", "symlink": "36", "char": "33", "block": "33", "fifo": "33", "ghost": "31"}


class Row(NamedTuple):
    """One path of a listing; bytes are raw.  `offset` is that of the header in the decompressed layer."""

    path: bytes
    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: tuple[int, int] | None = None
    target: bytes = b""
    device: tuple[int, int] | None = None
    nlink: int | None = None
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    layer: int | None = None
    entry: int | None = None
    offset: int | None = None
    implied: bool = False
    action: str = ""
    raw_name: bytes = b""
    content: str = ""

    @property
    def name(self) -> bytes:
        """The last component, `/` for the root."""
        return self.path.rpartition(b"/")[2] or b"/"

    @property
    def label(self) -> str:
        """`L3`, or `-` when no layer has a tar member for it."""
        return "-" if self.layer is None else f"L{self.layer + 1}"


def mode_text(row: Row) -> str:
    """Return type and permissions as ls -l writes them."""
    if row.action:
        return "-" * 10 if row.kind == "file" else _LETTER.get(row.kind, "?") + "-" * 9
    if row.kind == "ghost":
        return "?" * 10
    out = [_LETTER.get(row.kind, "?")]
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = row.mode >> shift
        out.append("r" if bits & 4 else "-")
        out.append("w" if bits & 2 else "-")
        if row.mode & special:
            out.append(letter if bits & 1 else letter.upper())
        else:
            out.append("x" if bits & 1 else "-")
    return "".join(out)


def note(row: Row) -> str:
    """Return what a reader must know about the path beyond its name, "" for an ordinary one."""
    if row.action == "remove":
        return f"[removed by {row.label}: a whiteout]"
    if row.action == "hide":
        return f"[{row.label} hides what lower layers have in here: an opaque whiteout]"
    if row.action == "ignore":
        return "[runtimes ignore this name]"
    if row.kind == "ghost":
        return "[ghost: listed, but it cannot be opened]"
    if row.implied and row.layer is not None and row.entry is not None:
        return "[implied: a higher layer has entries below it and none for itself]"
    if row.implied:
        return "[implied: no tar entry describes it]"
    return ""


def painted(row: Row, shown: str, colour: bool) -> str:
    """Return an escaped name in the colour of its kind."""
    if not colour:
        return shown
    code = _COLOUR.get(row.kind, "1;32" if row.kind == "file" and row.mode & 0o111 else "")
    if row.action:
        code = "31"
    return f"\x1b[{code}m{shown}\x1b[0m" if code else shown


def short_line(row: Row, shown: bytes, *, colour: bool = False) -> str:
    """Return a name alone; of what removes or hides, with the words for it."""
    words = note(row) if row.action or row.kind == "ghost" else ""
    name = painted(row, terminal(shown), colour)
    kind = f"  {terminal(row.content)}" if row.content else ""
    return name + (f"  {words}" if words else "") + kind


class LongLines:
    """Lines like those of ls -l with the layer in front of the name; columns grow as wider values come."""

    def __init__(self, rows: list[Row] | None = None, *, human: bool = False, colour: bool = False) -> None:
        self._human = human
        self._colour = colour
        self._widths = [1, 1, 1, 1, 2] if rows is not None else [2, 4, 4, 9, 2]
        for row in rows or ():
            self._cells(row)

    def _cells(self, row: Row) -> list[str]:
        links = "-" if row.nlink is None else str(row.nlink)
        cells = [links, str(row.uid), str(row.gid), self._size(row), row.label]
        self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        return cells

    def _size(self, row: Row) -> str:
        if row.device is not None and row.kind in ("char", "block"):
            return f"{row.device[0]}, {row.device[1]}"
        if not self._human:
            return str(row.size)
        from imagepeel.text import size

        return size(row.size)

    def line(self, row: Row, shown: bytes) -> str:
        """Return one line; `shown` is the name or path to show."""
        links, uid, gid, size, label = self._cells(row)
        w = self._widths
        out = (
            f"{mode_text(row)} {links:>{w[0]}} {uid:>{w[1]}} {gid:>{w[2]}} {size:>{w[3]}} "
            f"{stamp(row.mtime):<16} {label:<{w[4]}} {painted(row, terminal(shown), self._colour)}"
        )
        if row.kind == "symlink":
            out += f" -> {terminal(text(row.target))}"
        elif row.kind == "hardlink":
            out += f" link to {terminal(text(row.target))}"
        words = note(row)
        if words:
            out += f"  {words}"
        if row.content:
            out += f"  {terminal(row.content)}"
        return out


def to_entry(row: Row) -> ListingEntry:
    """Return the JSON value of a path."""
    path, path_b64 = readable(row.path)
    target, target_b64 = readable(row.target) if row.target else (None, None)
    return ListingEntry(
        path=path,
        path_b64=path_b64,
        kind=row.kind,
        mode=octal(row.mode),
        uid=row.uid,
        gid=row.gid,
        size=row.size,
        mtime=stamp(row.mtime, exact=True) if row.mtime is not None else None,
        target=target,
        target_b64=target_b64,
        device=row.device,
        nlink=row.nlink,
        xattrs={readable(name)[0]: base64.b64encode(value).decode("ascii") for name, value in row.xattrs},
        layer=row.layer,
        label="" if row.layer is None else row.label,
        entry=row.entry,
        layer_offset=row.offset,
        implied=row.implied,
        action=row.action,
        raw_name=readable(row.raw_name)[0] if row.action else "",
        content=row.content,
    )


def tree_marks(ascii_only: bool) -> tuple[str, str, str, str]:
    """Return the drawing of a tree: branch, last branch, a line that goes on, and its absence."""
    return ("|-- ", "`-- ", "|   ", "    ") if ascii_only else ("├── ", "└── ", "│   ", "    ")
