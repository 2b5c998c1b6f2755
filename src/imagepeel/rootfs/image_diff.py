"""What differs between two filesystems, path by path, without unpacking either.

Both are walked side by side in the order of names.  Where two images begin with the same layers, a directory that only
these layers describe is the same on both sides and is skipped as a whole: what is left to look at is what the layers
above them touch.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.errors import ImagepeelError, NotFound
from imagepeel.evidence import Name, raw, text
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import Pile, pile, shown_raw

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

TEXT_BYTES = 256 * 1024
"""Largest file that is shown as a text difference."""
TEXT_LINES = 10_000
"""Most lines of such a file: comparing takes more than linear time."""
_CHUNK = 256 * 1024


class PathChange(msgspec.Struct, frozen=True, kw_only=True):
    """One path that differs.

    kind: added (only in the second), removed (only in the first) or changed.  Everything below a directory that one
    side lacks has a change of its own.  fields: of type, content, target, device, mode, uid, gid, xattrs, and mtime
    when times are compared; "content?" when the bytes of one side are not there to tell.
    """

    kind: Literal["added", "removed", "changed"]
    path: bytes
    before: Inode | None
    after: Inode | None
    fields: tuple[str, ...] = ()


Listing = list[tuple[int, Mapping[bytes, Inode]]]
Same = Callable[[Inode, Inode], "bool | None"]


def difference(
    before: Rootfs,
    after: Rootfs,
    *,
    shared: int = 0,
    top: Name = b"/",
    times: bool = False,
    same: Same | None = None,
) -> Iterator[PathChange]:
    """Yield what differs, depth first, names sorted by bytes.

    `shared` is how many layers, from the base, are the same in both (equal DiffIDs, same view); `top` limits the
    walk to a path and all below it, links in it followed on each side; `times` compares modification times too,
    which two builds of one Dockerfile never share; `same` decides about the content of two files of equal size
    (default: `Contents(before, after)`).  NotFound when neither side has `top`.
    """
    sides = (_Side(before), _Side(after))
    if not (sides[0].layered and sides[1].layered and before.view == after.view):
        shared = 0
    walk = _Walk(sides, shared, times, same or Contents(before, after))
    found = (sides[0].at(raw(top)), sides[1].at(raw(top)))
    if not found[0][1] and not found[1][1]:
        raise NotFound(f"{text(raw(top))} is in neither image", hint="check the path with ls")
    path = found[1][0] if found[1][1] else found[0][0]
    return walk.run(path, found[0][1], found[1][1])


class _Side:
    """One of the two filesystems as piles of layer directories."""

    def __init__(self, rootfs: Rootfs) -> None:
        self.rootfs = rootfs
        # A view that keeps no layers apart is a pile of one finished tree, in which nothing hides anything.
        self.layered = has_uppers(rootfs) and bool(rootfs.uppers)

    def root(self) -> Pile:
        if not self.layered:
            return ((0, self.rootfs.root.top),)
        return tuple((i, self.rootfs.uppers[i].root) for i in reversed(range(len(self.rootfs.uppers))))

    def at(self, path: bytes) -> tuple[bytes, Pile]:
        """Return the canonical path and what is there."""
        found = self.rootfs.resolve(path)
        if found.node is None:
            # A dangling link is a path too.
            found = self.rootfs.resolve(path, follow=False)
            if found.node is None:
                return found.path, ()
        pile = self.root()
        for depth, part in enumerate(part for part in found.path.split(b"/") if part):
            pile = self.child(self.listing(pile), part, raw_=self.is_raw(pile, depth == 0))
        return found.path, pile

    def listing(self, pile: Pile) -> Listing:
        return [(layer, node.peek()) for layer, node in pile if node.kind == "dir"]

    def is_raw(self, pile: Pile, root: bool) -> bool:
        """Whether whiteouts in a directory show up as names that cannot be opened: overlayfs reads it unmerged."""
        return self.layered and len(pile) == 1 and not root

    def child(self, listings: Listing, name: bytes, *, raw_: bool) -> Pile:
        """Return what a name is in a directory, given as (layer, children) from the top.

        `raw_`: overlayfs reads the directory unmerged, so a whiteout in it is a name that cannot be opened.
        """
        if self.layered and not raw_:
            return pile(listings, name)
        for layer, children in listings:
            node = children.get(name)
            if node is not None:
                return ((layer, shown_raw(node) if raw_ else node),)
        return ()


class _Walk:
    def __init__(self, sides: tuple[_Side, _Side], shared: int, times: bool, same: Same) -> None:
        self.sides = sides
        self.shared = shared
        self.times = times
        self.same = same

    def run(self, path: bytes, old: Pile, new: Pile) -> Iterator[PathChange]:
        change = self.compare(path, old, new)
        if change is not None:
            yield change
        base = b"" if path == b"/" else path
        stack = [self.directory(base, old, new)] if _is_dir(old) or _is_dir(new) else []
        while stack:
            for item in stack[-1]:
                if isinstance(item, PathChange):
                    yield item
                else:
                    stack.append(self.directory(*item))
                    break
            else:
                stack.pop()

    def directory(self, path: bytes, old: Pile, new: Pile) -> Iterator[PathChange | tuple[bytes, Pile, Pile]]:
        """Yield the changes among the names of one directory, and the directories below to look at."""
        one, two = self.sides
        old = old if _is_dir(old) else ()
        new = new if _is_dir(new) else ()
        was, now = one.listing(old), two.listing(new)
        raws = (one.is_raw(old, not path), two.is_raw(new, not path))
        names: set[bytes] = set()
        alike = self.prefix(old) == self.prefix(new) and raws[0] == raws[1]
        for listings in (was, now):
            for layer, children in listings:
                if layer >= self.shared or not alike:
                    names.update(children)
        for name in sorted(names):
            first, second = one.child(was, name, raw_=raws[0]), two.child(now, name, raw_=raws[1])
            if self.untouched(first, second):
                continue
            full = path + b"/" + name
            change = self.compare(full, first, second)
            if change is not None:
                yield change
            if _is_dir(first) or _is_dir(second):
                yield full, first, second

    def prefix(self, pile: Pile) -> tuple[int, ...]:
        return tuple(layer for layer, _ in pile if layer < self.shared)

    def untouched(self, first: Pile, second: Pile) -> bool:
        """Whether both are made by the same entries of the same layers."""
        return len(first) == len(second) and all(
            one[0] == two[0] < self.shared and one[1].kind == two[1].kind
            for one, two in zip(first, second, strict=True)
        )

    def compare(self, path: bytes, old: Pile, new: Pile) -> PathChange | None:
        if not old and not new:
            return None
        if not old:
            return PathChange(kind="added", path=path, before=None, after=new[0][1])
        if not new:
            return PathChange(kind="removed", path=path, before=old[0][1], after=None)
        before, after = old[0][1], new[0][1]
        fields = self.fields(before, after)
        return PathChange(kind="changed", path=path, before=before, after=after, fields=fields) if fields else None

    def fields(self, before: Inode, after: Inode) -> tuple[str, ...]:
        out: list[str] = []
        if before.kind != after.kind:
            out.append("type")
        elif before.kind == "file":
            equal = before.size == after.size and (not before.size or self.same(before, after))
            if not equal:
                out.append("content?" if equal is None else "content")
        elif before.kind == "symlink":
            if before.target != after.target:
                out.append("target")
        elif before.device != after.device:
            out.append("device")
        links = "symlink" in (before.kind, after.kind)
        if before.mode != after.mode and not links and before.kind != "ghost":
            out.append("mode")
        out += [name for name in ("uid", "gid", "xattrs") if getattr(before, name) != getattr(after, name)]
        if self.times and before.mtime is not None and after.mtime is not None and before.mtime != after.mtime:
            out.append("mtime")
        return tuple(out)


def _is_dir(pile: Pile) -> bool:
    return bool(pile) and pile[0][1].kind == "dir"


class Contents:
    """Says whether two files of equal size hold equal bytes, None when bytes are missing.

    SHA-256 decides where both scans took it.  Else a different CRC-32 settles that they differ, and equal ones are
    believed unless `exact`: a CRC finds every accident that matters, but an enemy can make two files share one.
    With `exact` the bytes are read and compared.  Holes of sparse files that both have are not read.
    """

    def __init__(self, before: Rootfs, after: Rootfs, *, exact: bool = True) -> None:
        self._sides = (before, after)
        self.exact = exact

    def __call__(self, before: Inode, after: Inode) -> bool | None:
        one, two = self._sides
        if before.layer is None or before.entry is None or after.layer is None or after.entry is None:
            return None
        first = one.layers[before.layer].table[before.entry]
        second = two.layers[after.layer].table[after.entry]
        if first.sha256 is not None and second.sha256 is not None:
            return first.sha256 == second.sha256
        if first.crc32 is not None and second.crc32 is not None:
            if first.crc32 != second.crc32:
                return False
            if not self.exact:
                return True
        try:
            left, right = one.open(before), two.open(after)
            for offset, length in _stored(first.sparse, second.sparse, before.size):
                for at in range(offset, offset + length, _CHUNK):
                    count = min(_CHUNK, offset + length - at)
                    if left.pread(at, count) != right.pread(at, count):
                        return False
        except ImagepeelError:
            return None
        return True


def _stored(
    one: tuple[tuple[int, int], ...] | None, two: tuple[tuple[int, int], ...] | None, size: int
) -> list[tuple[int, int]]:
    """Return the regions that at least one of two files stores; outside them both read as zeros."""
    if one is None or two is None:
        return [(0, size)]
    out: list[tuple[int, int]] = []
    for offset, length in sorted((*one, *two)):
        if out and offset <= out[-1][0] + out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], offset + length - out[-1][0]))
        else:
            out.append((offset, length))
    return out


def text_difference(before: bytes, after: bytes, name: str) -> list[str] | None:
    """Return the lines of a unified difference, None unless both are UTF-8 text of bounded size.

    Lines end without a newline; a missing one at the end of a file is said as diff(1) says it.
    """
    if max(len(before), len(after)) > TEXT_BYTES or b"\0" in before or b"\0" in after:
        return None
    try:
        old, new = before.decode("utf-8"), after.decode("utf-8")
    except UnicodeDecodeError:
        return None
    lines = (_lines(old), _lines(new))
    if max(map(len, lines)) > TEXT_LINES:
        return None
    out: list[str] = []
    for line in difflib.unified_diff(*lines, f"a{name}", f"b{name}", n=3):
        if line.endswith("\n"):
            out.append(line[:-1])
        else:
            out += [line, "\\ No newline at end of file"]
    return out


def _lines(content: str) -> list[str]:
    """Split at newlines only: other separators are part of a line."""
    parts = content.split("\n")
    last = parts.pop()
    return [part + "\n" for part in parts] + ([last] if last else [])
