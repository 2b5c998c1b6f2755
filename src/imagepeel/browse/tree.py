"""The rows that people walk in: directories open where somebody opens them, each path with what a layer did to it.

Nothing is made of a directory before it is opened, so an image of any size is there at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from imagepeel.rootfs.layer_diff import Change, ChangeKind, directory_delta, has_uppers
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import Merged, Pile

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

Mark = Literal["", "A", "M", "D", "S", "."]
"""What the chosen layer does to a path: adds, modifies, deletes it, ships the same again; `.` to something below it."""
Order = Literal["name", "size"]

MARK_WORDS: dict[Mark, str] = {
    "A": "added",
    "M": "modified",
    "D": "deleted",
    "S": "the same again",
    ".": "something below it",
}
MOST_ROWS = 200_000
"""Rows after which opening everything stops."""

_MARKS: dict[ChangeKind, Mark] = {"added": "A", "changed": "M", "opaque": "M", "removed": "D", "same": "S"}


class FileRow(NamedTuple):
    """One path of the tree; `merged` is the directory behind it, None for what is none and for what was deleted."""

    path: bytes
    node: Inode
    mark: Mark
    depth: int
    """From 0 for what lies in the root directory."""
    merged: Merged | None

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]

    @property
    def is_dir(self) -> bool:
        return self.node.kind == "dir"


class FileTree:
    """The filesystem after a layer, as rows.

    Arguments: `layer` is the index from 0 of the layer after which it is shown and whose changes are marked, None for
    the whole image without marks.  Marks need a view that keeps its layers apart (`marked` says whether there are any).
    """

    def __init__(self, rootfs: Rootfs, layer: int | None = None) -> None:
        self.rootfs = rootfs
        self.marked: bool = layer is not None and has_uppers(rootfs)
        self.layer = layer if self.marked else None
        self.order: Order = "name"
        self.changes_only = False
        self.sizes: Mapping[bytes, int] | None = None
        """Bytes below each directory, None until somebody counted them."""
        self.opened: set[bytes] = set()
        self.rows: list[FileRow] = []
        self.cut = False
        """Whether opening everything stopped at `MOST_ROWS`."""
        self.root: Merged = rootfs.root
        self._piles: dict[bytes, tuple[Pile, Pile]] = {}
        if self.layer is not None:
            self.root = rootfs.below(self.layer + 1)
            stack = tuple((i, rootfs.uppers[i].root) for i in reversed(range(self.layer + 1)))
            self._piles[b""] = (stack[1:], stack)
        self.reload()

    # ---- rows ---------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Make all rows anew: the order, the filter of changes, or the sizes are others."""
        self.rows = self._below(b"", self.root, 0)

    def _below(self, path: bytes, merged: Merged | None, depth: int, *, every: bool = False) -> list[FileRow]:
        """Return the rows of a directory and of what is open in it; with `every`, open all, up to `MOST_ROWS`."""
        out: list[FileRow] = []
        # A stack instead of recursion: paths may be thousands of directories deep.
        ahead = [iter(self._children(path, merged, depth))]
        while ahead:
            for row in ahead[-1]:
                out.append(row)
                if every and len(out) >= MOST_ROWS:
                    self.cut = True
                    return out
                if row.is_dir and every:
                    self.opened.add(row.path)
                if row.is_dir and row.path in self.opened:
                    ahead.append(iter(self._children(row.path, row.merged, row.depth + 1)))
                    break
            else:
                ahead.pop()
        return out

    def _children(self, path: bytes, merged: Merged | None, depth: int) -> list[FileRow]:
        marks, removed = self._changes(path)
        # Of a name that is listed and cannot be opened, what is deleted says more.
        found = {
            name: child for name, child in (merged.peek() if merged is not None else {}).items() if name not in removed
        }
        rows = [
            FileRow(path + b"/" + name, child.top, marks.get(name, ""), depth, child)
            if isinstance(child, Merged)
            else FileRow(path + b"/" + name, child, marks.get(name, ""), depth, None)
            for name, child in found.items()
        ]
        rows += [FileRow(path + b"/" + name, node, "D", depth, None) for name, node in removed.items()]
        if self.changes_only:
            rows = [row for row in rows if row.mark]
        if self.order == "size":
            rows.sort(key=lambda row: (-(self.size(row) or 0), row.path))
        else:
            rows.sort()
        return rows

    def _changes(self, path: bytes) -> tuple[dict[bytes, Mark], dict[bytes, Inode]]:
        """Return the marks of a directory's names, and the nodes of those that the layer deletes."""
        piles = self._piles.get(path)
        marks: dict[bytes, Mark] = {}
        removed: dict[bytes, Inode] = {}
        if piles is None or self.layer is None:
            return marks, removed
        for item in directory_delta(path, *piles, self.layer, self.rootfs.layers):
            if not isinstance(item, Change):
                below, was, now = item
                self._piles[below] = (was, now)
                name = below.rpartition(b"/")[2]
                touched = now and now[0][0] == self.layer and now[0][1].peek()
                if name not in marks or (marks[name] == "S" and touched):
                    marks[name] = "."
                continue
            name = item.path.rpartition(b"/")[2]
            marks[name] = _MARKS[item.kind]
            if item.kind == "removed" and item.before is not None:
                removed[name] = item.before
        return marks, removed

    def size(self, row: FileRow) -> int | None:
        """Return the bytes of a file, or of all files below a directory; None where nobody has counted them yet."""
        if not row.is_dir:
            return row.node.size if row.node.kind == "file" else 0
        return None if self.sizes is None or row.mark == "D" else self.sizes.get(row.path, 0)

    # ---- moving -------------------------------------------------------------------------------------------

    def open(self, at: int) -> bool:
        """Open the directory at a row; say whether there was something to open."""
        row = self.rows[at]
        if not row.is_dir or row.path in self.opened:
            return False
        self.opened.add(row.path)
        self.rows[at + 1 : at + 1] = self._below(row.path, row.merged, row.depth + 1)
        return True

    def close(self, at: int) -> bool:
        """Close the directory at a row; say whether it was open."""
        row = self.rows[at]
        if row.path not in self.opened:
            return False
        self.opened.discard(row.path)
        end = at + 1
        while end < len(self.rows) and self.rows[end].depth > row.depth:
            end += 1
        del self.rows[at + 1 : end]
        return True

    def open_all(self, at: int) -> None:
        """Open the directory at a row with everything below it, up to `MOST_ROWS` rows; `cut` says where it stopped."""
        row = self.rows[at]
        if not row.is_dir:
            return
        self.close(at)
        self.cut = False
        self.opened.add(row.path)
        self.rows[at + 1 : at + 1] = self._below(row.path, row.merged, row.depth + 1, every=True)

    def parent(self, at: int) -> int:
        """Return the row of the directory that a row lies in, the row itself at the top."""
        depth = self.rows[at].depth
        for above in range(at - 1, -1, -1):
            if self.rows[above].depth < depth:
                return above
        return at

    def jump(self, path: bytes) -> tuple[int | None, bool]:
        """Open what is above a canonical path; return its row and True, or the nearest one that is there and False.

        None where not even the first part of the path is there.
        """
        parts = [part for part in path.split(b"/") if part]
        found: int | None = None
        here, start = b"", 0
        for part in parts:
            here += b"/" + part
            depth = here.count(b"/") - 1
            at = self._row_of(here, start, depth)
            if at is None:
                return found, False
            found, start = at, at + 1
            if here != path:
                self.open(at)
        return found, found is not None

    def _row_of(self, path: bytes, start: int, depth: int) -> int | None:
        for at in range(start, len(self.rows)):
            row = self.rows[at]
            if row.depth < depth:
                return None
            if row.depth == depth and row.path == path:
                return at
        return None
