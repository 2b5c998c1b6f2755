"""Upper directories that are made from the columns of a layer only where somebody looks.

Nearly every real layer is regular: no path twice, no parent that is a link or file, no whiteout of what it also
brings, hardlinks to earlier members.  For such a layer the order of entries does not matter, and its unpacked tree
is a plain grouping by directory: nothing needs to be unpacked in memory.  `lazy_upper` checks that in one linear
pass and returns None for any other layer, which the extractor then plays through entry by entry.
A property test holds the two equal.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise

from imagepeel.formats.tar.header import CHAR, DIRECTORY, HARDLINK, SYMLINK
from imagepeel.formats.tar.table import ESCAPES, WHITEOUT, Entry, EntryTable
from imagepeel.rootfs.changes import KIND, OPAQUE, LayerEntries, bound_time, new_inode, owner
from imagepeel.rootfs.containerd import apply_metadata
from imagepeel.rootfs.inode import NAME_MAX, PATH_MAX, Errno, Inode, Tree

_MOST_IMPLIED = 250_000
"""Directories that no entry describes: real layers have some ten thousand, hostile names make millions."""


_SPECIAL = bytes(2 if flag & ESCAPES else 1 if flag & WHITEOUT else 0 for flag in range(256))
"""Maps flags to what stands out: 1 a whiteout, 2 a name that leaves the root."""


class Groups:
    """The entries of each directory: runs of equal directory id, sorted by that id."""

    __slots__ = ("_first", "_run_end", "_run_start", "names", "table")

    def __init__(self, table: EntryTable) -> None:
        self.table = table
        dirs, _, _, _, self.names = table.columns()
        starts = array("I")
        owners = array("I")
        before = -1
        for i, directory in enumerate(dirs):
            if directory != before:
                starts.append(i)
                owners.append(directory)
                before = directory
        ends = array("I", starts[1:])
        if starts:
            ends.append(len(dirs))
        order = sorted(range(len(starts)), key=owners.__getitem__)
        self._run_start = array("I", (starts[r] for r in order))
        self._run_end = array("I", (ends[r] for r in order))
        first = array("I", bytes(4 * (len(table.dirs) + 1)))
        for r in owners:
            first[r + 1] += 1
        for d in range(len(table.dirs)):
            first[d + 1] += first[d]
        self._first = first

    def indexes(self, directory: int) -> list[int]:
        """Return the entries that stand in a directory, in stream order."""
        out: list[int] = []
        for r in range(self._first[directory], self._first[directory + 1]):
            out.extend(range(self._run_start[r], self._run_end[r]))
        return out

    def names_in(self, directory: int) -> list[bytes]:
        """Return the names of these entries, in the same order."""
        ends, names = self.table._name_end, self.names
        out: list[bytes] = []
        for r in range(self._first[directory], self._first[directory + 1]):
            start, stop = self._run_start[r], self._run_end[r]
            bounds = [ends[start - 1] if start else 0, *ends[start:stop]]
            out += [names[begin:end] for begin, end in pairwise(bounds)]
        return out

    def name(self, i: int) -> bytes:
        ends = self.table._name_end
        return self.names[ends[i - 1] if i else 0 : ends[i]]


class LazyLayer:
    """What the lazy directories of one layer share."""

    __slots__ = (
        "commons",
        "dir_ids",
        "first_ino",
        "groups",
        "index",
        "is_dir",
        "last_link",
        "link_count",
        "links",
        "opaque",
        "parents",
        "shared",
        "subdirs",
        "table",
    )

    def __init__(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> None:
        self.table = layer.table
        self.index = layer.index
        self.first_ino = first_ino
        """Inode number of entry 0: fixed, so that nodes made anew for each walk keep their numbers."""
        self.parents = parents
        self.groups = Groups(layer.table)
        self.is_dir = [meta.type == DIRECTORY for meta in layer.table.metas]
        self.dir_ids = {path: i for i, path in enumerate(self.table.dirs)}
        self.subdirs: dict[bytes, list[bytes]] = {}
        """Directory -> names of directories in it that no entry of this layer describes."""
        self.opaque: set[bytes] = set()
        self.links: dict[int, int] = {}
        """Hardlink entry -> the entry that brought the inode."""
        self.last_link: dict[int, int] = {}
        """That entry -> the last entry whose header sets the shared metadata."""
        self.link_count: dict[int, int] = {}
        self.shared: dict[int, Inode] = {}
        self.commons: list[tuple[str, int, int, int, tuple[int, int] | None] | None] = [None] * len(self.table.metas)
        """What inodes of equal headers share: kind, mode, uid, gid, device; made on first use."""

    def inode(self, i: int) -> Inode:
        """Return the inode of a member that is no directory."""
        if i not in self.links and i not in self.last_link:
            return self._lone(i)
        table = self.table
        origin = self.links.get(i, i)
        last = self.last_link.get(origin)
        if last is not None:
            known = self.shared.get(origin)
            if known is not None:
                return known
        node = new_inode(Entry(table, origin), self.index)
        apply_metadata(node, Entry(table, origin))
        if last is not None:
            apply_metadata(node, Entry(table, last))
            node.nlink = 1 + self.link_count[origin]
            self.shared[origin] = node
        node.ino = self.first_ino + origin
        return node


    def _lone(self, i: int) -> Inode:
        """Return the inode of a member under one name: what `new_inode` and `apply_metadata` make, in one step."""
        table = self.table
        number = table._meta[i]
        common = self.commons[number]
        if common is None:
            meta = table.metas[number]
            kind = KIND[meta.type]
            mode = 0o777 if kind == "symlink" else meta.mode & 0o7777
            device = (meta.major, meta.minor) if kind in ("char", "block") else None
            common = self.commons[number] = (kind, mode, owner(meta.uid, 0), owner(meta.gid, 0), device)
        kind, mode, uid, gid, device = common
        node = Inode(kind, mode, uid, gid, device=device, layer=self.index, entry=i)
        if kind == "file":
            node.size = table._size[i]
        elif kind == "symlink":
            node.target = table.links.get(i, b"")
            node.size = len(node.target)
        node.mtime = bound_time(table.mtime(i))
        if i in table.extras:
            apply_metadata(node, Entry(table, i))
        node.ino = self.first_ino + i
        return node


class LazyDir(Inode):
    """A directory whose children are made from the columns on first use."""

    __slots__ = ("_made", "lazy", "path")

    def __init__(self, lazy: LazyLayer, path: bytes, entry: int | None) -> None:
        super().__init__("dir", layer=lazy.index if entry is not None else None, entry=entry, implied=entry is None)
        self.lazy = lazy
        self.path = path
        self._made: dict[bytes, Inode] | None = None
        self.opaque = path in lazy.opaque
        if entry is not None:
            self.ino = lazy.first_ino + entry
            apply_metadata(self, Entry(lazy.table, entry))
        elif path:
            self._inherit()

    def _inherit(self) -> None:
        """Take the attributes that containerd copies to an implied directory from the layers below."""
        parts = tuple(self.path.split(b"/"))
        for lower in self.lazy.parents:
            try:
                like = lower.lstat(lower.resolve(parts))
            except Errno:
                continue
            if like is not None:
                if like.kind == "dir":
                    self.mode, self.uid, self.gid, self.xattrs = like.mode, like.uid, like.gid, like.xattrs
                    self.layer, self.entry = like.layer, like.entry
                    if not self._filled():
                        self.mtime = like.mtime
                return

    def _filled(self) -> bool:
        """Whether anything is created inside, which moves the time of an implied directory to "now"."""
        lazy = self.lazy
        if self.path in lazy.subdirs:
            return True
        directory = lazy.dir_ids.get(self.path)
        return directory is not None and any(lazy.groups.name(i) != OPAQUE for i in lazy.groups.indexes(directory))

    @property
    def children(self) -> dict[bytes, Inode]:
        if self._made is None:
            self._made = self.make()
        return self._made

    @children.setter
    def children(self, value: dict[bytes, Inode] | None) -> None:
        """Accept what Inode.__init__ assigns; the real children are made on demand."""

    def peek(self, only: set[bytes] | None = None) -> dict[bytes, Inode]:
        return self._made if self._made is not None else self.make(only)

    def names(self) -> set[bytes]:
        """Return the names that it has or whites out, without making a node."""
        lazy = self.lazy
        directory = lazy.dir_ids.get(self.path)
        found = set(lazy.groups.names_in(directory)) if directory is not None else set()
        marks = [name for name in found if name.startswith(b".wh.")]
        for mark in marks:
            found.discard(mark)
            if mark != OPAQUE:
                found.add(mark[4:])
        found.update(lazy.subdirs.get(self.path, ()))
        return found

    def make(self, only: set[bytes] | None = None) -> dict[bytes, Inode]:
        """Return the children, or those of some names, without keeping them."""
        lazy = self.lazy
        table, groups = lazy.table, lazy.groups
        prefix = self.path + b"/" if self.path else b""
        out: dict[bytes, Inode] = {}
        directory = lazy.dir_ids.get(self.path)
        flags, metas, is_dir = table._flags, table._meta, lazy.is_dir
        indexes = groups.indexes(directory) if directory is not None else []
        names = groups.names_in(directory) if directory is not None else []
        for i, name in zip(indexes, names, strict=True):
            if flags[i] & WHITEOUT:
                if name != OPAQUE and (only is None or name[4:] in only):
                    out[name[4:]] = Inode("char", 0, device=(0, 0), layer=lazy.index, entry=i)
                continue
            if only is None or name in only:
                out[name] = LazyDir(lazy, prefix + name, i) if is_dir[metas[i]] else lazy.inode(i)
        for name in lazy.subdirs.get(self.path, ()):
            if only is None or name in only:
                out[name] = LazyDir(lazy, prefix + name, None)
        return out


def lazy_upper(layer: LayerEntries, parents: Sequence[Tree], first_ino: int = 1) -> Tree | None:
    """Return the unpacked tree of a regular layer, or None when the order of its entries matters.

    `first_ino` is the inode number of its first entry; the next layer's starts behind the last one.
    """
    if layer.error is not None:
        return None
    lazy = LazyLayer(layer, parents, first_ino)
    if not _regular(lazy):
        return None
    return Tree(LazyDir(lazy, b"", None))


def _regular(lazy: LazyLayer) -> bool:
    table, groups = lazy.table, lazy.groups
    _, metas, flags, _, _ = table.columns()
    types = [meta.type for meta in table.metas]
    if any(kind not in KIND and kind != HARDLINK for kind in types):
        return False
    if any(m.type == CHAR and (m.major >= 1 << 32 or m.minor >= 1 << 32) for m in table.metas):
        return False
    is_dir = lazy.is_dir
    special = flags.translate(_SPECIAL)
    if special.count(2):
        return False
    described: set[bytes] = {b""}
    described.update(table.path(i) for i, meta in enumerate(metas) if is_dir[meta] and not special[i])
    whiteouts = special.count(1) > 0
    for directory, path in enumerate(table.dirs):
        if len(path) >= PATH_MAX - NAME_MAX - 2:
            return False
        names = groups.names_in(directory)
        unique = set(names)
        if len(unique) != len(names) or b"" in unique:
            return False
        if names and max(map(len, names)) > NAME_MAX:
            return False
        if whiteouts:
            for i, name in zip(groups.indexes(directory), names, strict=True):
                if special[i] and not _whiteout(lazy, path, name, unique):
                    return False
    return _parents(lazy, described) and _links(lazy)


def _whiteout(lazy: LazyLayer, path: bytes, name: bytes, siblings: set[bytes]) -> bool:
    """Note a whiteout; False when it needs the play-through."""
    if lazy.index == 0:
        return False  # the first layer is a bind mount: its whiteouts delete at once
    if name == OPAQUE:
        lazy.opaque.add(path)
        return True
    hidden = name[4:]
    below = path + b"/" + hidden if path else hidden
    return hidden not in (b"", b".", b"..") and hidden not in siblings and below not in lazy.dir_ids


def _parents(lazy: LazyLayer, described: set[bytes]) -> bool:
    """Find directories that no entry describes; False when something else has the path of a directory."""
    implied = 0
    for path in lazy.table.dirs:
        while path and path not in described:
            described.add(path)
            parent, _, name = path.rpartition(b"/")
            lazy.subdirs.setdefault(parent, []).append(name)
            path = parent
            implied += 1 + len(path) // 256
            if implied > _MOST_IMPLIED:
                return False  # the play-through says what is wrong with that
    for parent, names in lazy.subdirs.items():
        directory = lazy.dir_ids.get(parent)
        if directory is None:
            continue
        there = {lazy.groups.name(i) for i in lazy.groups.indexes(directory)}
        if any(name in there or b".wh." + name in there for name in names):
            return False
    return True


def _links(lazy: LazyLayer) -> bool:
    """Bind hardlinks to earlier members; False when one needs the play-through."""
    table, groups = lazy.table, lazy.groups
    cached: dict[bytes, dict[bytes, int]] = {}
    for i, target in sorted(table.links.items()):
        if table.meta(i).type == SYMLINK:
            if not target or len(target) >= PATH_MAX:
                return False
            continue
        parts = [part for part in target.split(b"/") if part not in (b"", b".")]
        if not parts or b".." in parts:
            return False
        parent, base = b"/".join(parts[:-1]), parts[-1]
        known = cached.get(parent)
        if known is None:
            directory = lazy.dir_ids.get(parent)
            if directory is None:
                return False
            if len(cached) > 64:
                cached.clear()
            known = cached[parent] = {groups.name(j): j for j in groups.indexes(directory)}
        origin = known.get(base)
        if origin is None or origin >= i or table.meta(origin).type == DIRECTORY or table.flags(origin) & WHITEOUT:
            return False
        origin = lazy.links.get(origin, origin)
        if table.meta(origin).type == HARDLINK:
            return False
        lazy.links[i] = origin
        lazy.last_link[origin] = i
        lazy.link_count[origin] = lazy.link_count.get(origin, 0) + 1
    return True
