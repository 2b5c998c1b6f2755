"""Find paths by what their headers say: pure predicates over one walk, never a read of content.

Three places can be searched: the merged tree of a view, the members of one layer's tar, and what a later layer
removed or shadowed, whose bytes every pull still carries.  Each costs one pass over the entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from imagepeel.errors import UsageError
from imagepeel.evidence import Name, raw, text
from imagepeel.formats.tar.header import PAX_GLOBAL
from imagepeel.formats.tar.table import KINDS, EntryKind
from imagepeel.formats.tar.whiteouts import Mark, hidden_path, parse
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.layer_events import events
from imagepeel.rootfs.path import compile_glob, compile_name, fixed_letters
from imagepeel.rootfs.tree.inode import NodeKind
from imagepeel.rootfs.tree.metadata import KIND, apply_metadata, new_inode
from imagepeel.rootfs.tree.name_pattern import NamePattern

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import Entry, EntryTable
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

LETTERS: dict[str, EntryKind] = {
    "f": "file",
    "d": "dir",
    "l": "symlink",
    "h": "hardlink",
    "c": "char",
    "b": "block",
    "p": "fifo",
}
"""One-letter names of kinds as find(1) has them; `h`, a hardlink member, exists only in one layer's tar."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; everything that is given must hold.

    patterns: shell patterns of which one must match; `**` spans directories.  One without a slash matches the last
    component of a path, another the whole path from the root.  kinds: of file, dir, symlink, hardlink, char, block,
    fifo, ghost; () for all.  larger, smaller: bounds in bytes, exclusive, of regular files only.  set_bits: bits of
    the mode that must all be set (0o4000 set-uid, 0o2000 set-gid, 0o002 writable by everybody); symlinks, whose mode
    means nothing, never match them.  uid, gid: numbers.  newer, older: bounds of the modification time in seconds
    since 1970, exclusive; what gets its time when it is unpacked matches neither.  xattr: a shell pattern for the
    name of an extended attribute.
    """

    patterns: tuple[str, ...] = ()
    kinds: tuple[NodeKind | EntryKind, ...] = ()
    larger: int | None = None
    smaller: int | None = None
    set_bits: int = 0
    uid: int | None = None
    gid: int | None = None
    newer: float | None = None
    older: float | None = None
    xattr: str = ""

    @property
    def only_path(self) -> bool:
        """Whether nothing but the path is asked about: then what removes a path is an answer too."""
        return self == Query(patterns=self.patterns)


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A path of one layer that a later one took away: `fate` is "removed" or "shadowed" (replaced), by layer `by`.

    `by` is None where the runtime refuses the image: the path is not in the best effort, and nobody can tell why.
    node.layer and node.entry say where the bytes still are.
    """

    path: bytes
    node: Inode
    fate: Literal["removed", "shadowed"]
    by: int | None


def search(rootfs: Rootfs, query: Query, *, top: Name = b"/") -> Iterator[tuple[bytes, Inode]]:
    """Return the (path, node) of a view that match, depth first, names sorted; links are not followed.

    `top` is where to start, itself included; patterns still count from the root.  NotFound when it does not exist.
    """
    named, fits = path_matcher(query), _predicate(query)
    by_name = _name_matcher(query)
    walk = rootfs.walk(
        _start(rootfs, query, raw(top)), named if by_name is None else by_name, by_name=by_name is not None
    )
    return walk if query.only_path else ((path, node) for path, node in walk if fits(node))


def search_layer(table: EntryTable, query: Query) -> Iterator[Entry]:
    """Yield the members of one layer's tar that match, in stream order.

    A whiteout matches by the path that it removes, and only where nothing but the path is asked about.
    """
    named = path_matcher(query)
    bare = query.only_path
    attribute = _glob(query.xattr) if query.xattr else None
    common = [
        meta.type != PAX_GLOBAL and _common(query, KINDS.get(meta.type, "unknown"), meta.mode, meta.uid, meta.gid)
        for meta in table.metas
    ]
    metas = table.meta_ids
    for entry in table:
        i = entry.index
        if not common[metas[i]]:
            continue
        if entry.is_whiteout:
            mark = parse(entry.name) if bare else None
            if mark is None or mark.mark is Mark.AUFS:
                continue
            path = hidden_path(entry.path)
        else:
            path = entry.path
            if query.larger is not None and table.size(i) <= query.larger:
                continue
            if query.smaller is not None and table.size(i) >= query.smaller:
                continue
            if not _in_time(query, table.mtime(i)):
                continue
            if attribute is not None and not any(attribute(text(name)) for name in entry.xattrs):
                continue
        if named is None or named(path):
            yield entry


def search_hidden(rootfs: Rootfs, query: Query, *, layer: int | None = None) -> Iterator[Hidden]:
    """Yield what a later layer removed or replaced, each version of a path once, sorted by path, then by layer.

    `layer` (0-based) keeps only what that layer ships.  A directory that merges with the one above is neither.  Of an
    image that the runtime refuses: what its layers ship and the best effort does not show.
    UsageError for a view that keeps no layer trees by its nature.
    """
    named = path_matcher(query)
    fits = _predicate(query)
    found: list[Hidden] = []
    if rootfs.refusal is not None and not has_uppers(rootfs):
        found = [
            hidden
            for hidden in _unseen(rootfs)
            if (layer is None or hidden.node.layer == layer)
            and fits(hidden.node)
            and (named is None or named(hidden.path))
        ]
        yield from sorted(found, key=_place)
        return
    for event in events(rootfs):
        what, by, path, before, after = event.what, event.layer, event.path, event.before, event.after
        if before is None or what == "kept" or before.implied or before.layer is None:
            continue
        if what == "replaced" and before.kind == "dir" and after is not None and after.kind == "dir":
            continue
        if (layer is None or before.layer == layer) and fits(before) and (named is None or named(path)):
            fate: Literal["removed", "shadowed"] = "removed" if what == "removed" else "shadowed"
            found.append(Hidden(path=path, node=before, fate=fate, by=by))
    yield from sorted(found, key=_place)


def _place(hidden: Hidden) -> tuple[bytes, int]:
    return hidden.path, hidden.node.layer or 0


def _unseen(rootfs: Rootfs) -> Iterator[Hidden]:
    """Yield what layers ship and the tree does not show; for an image that the runtime refuses."""
    seen = {(node.layer, node.entry) for _, node in rootfs.walk()}
    for layer in rootfs.layers:
        for entry in layer.table:
            if entry.is_whiteout or entry.type not in KIND or (layer.index, entry.index) in seen:
                continue
            path = entry.path
            now = rootfs.resolve(path, follow=False).node
            if now is not None and now.kind == "dir" and entry.kind == "dir":
                continue
            node = new_inode(entry, layer.index)
            apply_metadata(node, entry)
            by = now.layer if now is not None and (now.layer or 0) > layer.index else None
            yield Hidden(path=path, node=node, fate="removed" if by is None else "shadowed", by=by)


def _glob(pattern: str) -> Callable[[str], object]:
    try:
        matches: Callable[[str], object] = compile_glob(pattern)
    except (re.error, OverflowError) as error:
        raise UsageError(f"{pattern!r} is no shell pattern: {error}", hint="write ranges as [a-z]") from error
    return matches


def path_matcher(query: Query) -> Callable[[bytes], object] | None:
    """Return what decides about an absolute path, None when there are no patterns.  UsageError for a bad pattern."""
    if not query.patterns:
        return None
    names: list[Callable[[str], object]] = []
    plain: re.Pattern[bytes] | None = None
    wholes: list[Callable[[str], object]] = []
    for pattern in query.patterns:
        bare = pattern.strip("/")
        if not bare:
            raise UsageError("a pattern needs at least one character", hint="leave it out to match every path")
        last = _of_name(pattern)
        if last is None:
            wholes.append(_glob(bare))
        else:
            names.append(_glob(last))
            plain = compile_name(last)
    if len(names) == 1 and not wholes:
        if plain is not None:
            matches = plain.fullmatch
            return lambda path: matches(path, path.rfind(b"/") + 1)
        (match,) = names
        return lambda path: match(text(path[path.rfind(b"/") + 1 :]))
    if len(wholes) == 1 and not names:
        (match,) = wholes
        return lambda path: match(text(path[1:]))

    def named(path: bytes) -> bool:
        shown = text(path[1:])
        name = shown[shown.rfind("/") + 1 :]
        return any(matches(name) for matches in names) or any(matches(shown) for matches in wholes)

    return named


def _of_name(pattern: str) -> str | None:
    """Return a pattern for the last part of a path that decides as this one does, None where that takes all parts."""
    bare = pattern.strip("/")
    # `**/x` is what `x` is, at half the cost.
    last = bare.removeprefix("**/") if not pattern.startswith("/") else bare
    return None if "/" in last or pattern.startswith("/") or last == "**" else last


def _name_matcher(query: Query) -> NamePattern | None:
    """Return what decides by the last part of a path alone, None where the patterns take more."""
    last = _of_name(query.patterns[0]) if len(query.patterns) == 1 else None
    pattern = compile_name(last) if last is not None else None
    return NamePattern(pattern, fixed_letters(last)) if last is not None and pattern is not None else None


def _start(rootfs: Rootfs, query: Query, top: bytes) -> bytes:
    """Return a deeper place to start at when the one pattern begins with plain directories that really exist."""
    if top.strip(b"/") or len(query.patterns) != 1:
        return top or b"/"
    parts = query.patterns[0].strip("/").split("/")
    plain = []
    for part in parts[:-1]:
        if any(char in part for char in "*?["):
            break
        plain.append(part)
    path = b"/" + raw("/".join(plain))
    found = rootfs.resolve(path, follow=False)
    return path if plain and found.node is not None and found.node.is_dir and found.path == path else b"/"


def _common(query: Query, kind: str, mode: int, uid: int, gid: int) -> bool:
    if query.kinds and kind not in query.kinds:
        return False
    if (query.larger is not None or query.smaller is not None) and kind != "file":
        return False
    if query.set_bits and (kind == "symlink" or mode & query.set_bits != query.set_bits):
        return False
    return (query.uid is None or uid == query.uid) and (query.gid is None or gid == query.gid)


def _in_time(query: Query, mtime: tuple[int, int] | None) -> bool:
    if query.newer is None and query.older is None:
        return True
    if mtime is None:
        return False
    moment = mtime[0] + mtime[1] / 1e9
    return (query.newer is None or moment > query.newer) and (query.older is None or moment < query.older)


def _predicate(query: Query) -> Callable[[Inode], bool]:
    if query.only_path:
        return lambda node: True
    attribute = _glob(query.xattr) if query.xattr else None

    kinds, larger, smaller = query.kinds, query.larger, query.smaller
    if query == Query(patterns=query.patterns, kinds=kinds, larger=larger, smaller=smaller):
        wanted: tuple[str, ...] = kinds or get_args(NodeKind)
        if larger is not None or smaller is not None:
            wanted = ("file",) if "file" in wanted else ()
        low, high = -1 if larger is None else larger, 1 << 64 if smaller is None else smaller
        if larger is None and smaller is None:
            return lambda node: node.kind in wanted
        return lambda node: node.kind in wanted and low < node.size < high

    def fits(node: Inode) -> bool:
        if not _common(query, node.kind, node.mode, node.uid, node.gid):
            return False
        if query.larger is not None and node.size <= query.larger:
            return False
        if query.smaller is not None and node.size >= query.smaller:
            return False
        if not _in_time(query, node.mtime):
            return False
        return attribute is None or any(attribute(text(name)) for name in node.xattrs)

    return fits
