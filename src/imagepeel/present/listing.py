"""Listings as documents: a table of paths, or a tree, cut where a page would be too long to open."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from imagepeel.evidence import Evidence, Location, layer_label, text
from imagepeel.present.document import (
    UNPROVED,
    Claim,
    Column,
    Document,
    Row,
    Span,
    Table,
    dim,
    path,
    row,
    say,
    section,
    tree_marks,
    warn,
    words,
)
from imagepeel.present.heading import about
from imagepeel.results.head import ImageHead, stamp
from imagepeel.results.listing import ListedPath
from imagepeel.text import number, size

if TYPE_CHECKING:
    from imagepeel.rootfs.search import Hidden

MOST = 10_000
"""Paths on one page; a terminal and --json have all of them."""

_LETTER = {"file": "-", "dir": "d", "symlink": "l", "hardlink": "h", "char": "c", "block": "b", "fifo": "p"}


def mode_text(row: ListedPath) -> str:
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


def note(row: ListedPath) -> str:
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


def listing_document(head: ImageHead, rows: Iterable[ListedPath], *, full: bool) -> Document:
    """Return a table of paths, the first `MOST` of them; `full` shows whole paths instead of names."""
    return _document(head, ((row, "") for row in rows), full=full)


def found_document(head: ImageHead, found: Iterable[tuple[ListedPath, Hidden | None]]) -> Document:
    """Return a table of what `find` found, the first `MOST` paths, with what became of each."""
    said = ((row, "" if hidden is None else fate(row, hidden)) for row, hidden in found)
    return _document(head, said, full=True)


def fate(row: ListedPath, hidden: Hidden) -> str:
    """Say which layer has a path that cannot be seen, and which one took it away."""
    if hidden.by is None:
        return f"{row.label} has it; not shown, since a runtime refuses the image"
    return f"{row.label} has it, {'removed' if hidden.fate == 'removed' else 'replaced'} by {layer_label(hidden.by)}"


def _document(head: ImageHead, said: Iterable[tuple[ListedPath, str]], *, full: bool) -> Document:
    all_rows = iter(said)
    table = [_row(one, full=full, said=words) for one, words in islice(all_rows, MOST)]
    columns = (
        Column("mode", keep=True), Column("links", right=True, keep=True), Column("owner", keep=True),
        Column("size", right=True, keep=True), Column("time (UTC)", keep=True), Column("layer", keep=True),
        Column("name"), Column(""),
    )  # fmt: skip
    blocks = Table(columns=columns, rows=tuple(table)) if table else say("Nothing.")
    return about(head, section(blocks, *_rest(all_rows)))


def _rest(rows: Iterable[object]) -> list[Claim]:
    left = sum(1 for _ in rows)
    if not left:
        return []
    return [say(dim(f"{number(left)} more: the command without --html and --markdown lists all of them."))]


def _row(one: ListedPath, *, full: bool, said: str) -> Row:
    name = text(one.path if full else one.name)
    if one.kind == "symlink":
        name += f" -> {text(one.target)}"
    elif one.kind == "hardlink":
        name += f" link to {text(one.target)}"
    device = one.device if one.kind in ("char", "block") else None
    return row(
        mode_text(one),
        "-" if one.nlink is None else str(one.nlink),
        f"{one.uid}:{one.gid}",
        f"{device[0]}, {device[1]}" if device is not None else size(one.size),
        stamp(one.mtime),
        one.label,
        path(name),
        words(*_spaced(warn(note(one)), Span(said), dim(one.content))),
        by=_place(one),
    )


def _spaced(*spans: Span) -> Iterator[Span]:
    told = [span for span in spans if span.text]
    for at, span in enumerate(told):
        if at:
            yield Span("  ")
        yield span


def _place(one: ListedPath) -> Evidence:
    """Return where the path's tar member is; no proof for a directory that no member describes."""
    if one.layer is None or one.entry is None:
        return UNPROVED
    return Evidence(locations=(Location(layer=one.layer, entry=one.entry, layer_offset=one.offset),))


def tree_document(head: ImageHead, base: bytes, rows: Callable[[], Iterable[ListedPath]]) -> Document:
    """Return the tree below `base`, drawn line by line, the first `MOST` of its paths.

    `rows` gives the rows, parents first, as often as it is called.
    """
    lines = with_lasts(rows, level(base))
    branch, corner, line, blank = tree_marks(ascii_only=False)
    table = [row(path(text(base)), "", "")]
    for one, lasts in islice(lines, MOST):
        drawn = "".join(blank if last else line for last in lasts[:-1]) + (corner if lasts[-1] else branch)
        name = "*" if one.action == "hide" else text(one.name)
        if one.target:
            name += f" -> {text(one.target)}" if one.kind == "symlink" else f" link to {text(one.target)}"
        layer = "" if one.kind == "dir" else one.label
        table.append(row(path(drawn + name), layer, warn(note(one)), by=_place(one)))
    columns = (Column("", keep=True), Column("", keep=True), Column(""))
    return about(head, section(Table(columns=columns, rows=tuple(table)), *_rest(lines)))


def level(path: bytes) -> int:
    """Return how many components an absolute path has."""
    return 0 if path == b"/" else path.count(b"/")


def with_lasts(rows: Callable[[], Iterable[ListedPath]], above: int) -> Iterator[tuple[ListedPath, list[bool]]]:
    """Yield each row with, for itself and each ancestor below the top, whether it is the last of its directory.

    That is known from the end only; walking twice takes a tenth of the memory of holding a million rows.
    """
    depths = array("I", (max(1, level(one.path) + (one.action == "hide") - above) for one in rows()))
    last = bytearray(len(depths))
    later: list[bool] = []
    # From the end: a row is the last of its directory when none of its depth came since a shallower one.
    for i in range(len(depths) - 1, -1, -1):
        depth = depths[i]
        later.extend([False] * (depth - len(later)))
        del later[depth:]
        last[i] = not later[-1]
        later[-1] = True
    stack: list[bool] = []
    for i, one in enumerate(rows()):
        del stack[depths[i] - 1 :]
        stack.append(bool(last[i]))
        yield one, stack
