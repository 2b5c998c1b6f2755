"""Upper directories that are made from the columns of a layer only where somebody looks.

Nearly every real layer is regular: no path twice, no parent that is a link or file, no whiteout of what it also
brings, hardlinks to earlier members.  For such a layer the order of entries does not matter, and its unpacked tree
is a plain grouping by directory: nothing needs to be unpacked in memory.  `lazy_upper` checks that in one linear
pass and returns None for any other layer, which the extractor then plays through entry by entry.
A property test holds the two equal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise

from imagepeel.formats.tar.header import CHAR, DIRECTORY, HARDLINK, REGULAR, SYMLINK
from imagepeel.formats.tar.table import ESCAPES, WHITEOUT, Entry, EntryTable
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX, Mark, hidden_path, parse, whiteout_of
from imagepeel.rootfs.engines.containerd import apply_metadata
from imagepeel.rootfs.tree.changes import KIND, LayerEntries, bound_time, new_inode, owner
from imagepeel.rootfs.tree.inode import NAME_MAX, PATH_MAX, Errno, Inode, Tree

_MOST_IMPLIED = 250_000
"""Directories that no entry describes: real layers have some ten thousand, hostile names make millions."""


IMPLIED = -(1 << 40)
"""In a listing: a directory that no entry describes."""

_SPECIAL = bytes(2 if flag & ESCAPES else 1 if flag & WHITEOUT else 0 for flag in range(256))
"""Maps flags to what stands out: 1 a whiteout, 2 a name that leaves the root."""


class Groups:
    """The entries of each directory: runs of equal directory id, sorted by that id."""

    __slots__ = ("_first", "_run_end", "_run_start", "names", "table")

    def __init__(self, table: EntryTable) -> None:
        self.table = table
        dirs, self.names = table.dir_ids, table.names
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
        ends, names = self.table.name_ends, self.names
        out: list[bytes] = []
        for r in range(self._first[directory], self._first[directory + 1]):
            start, stop = self._run_start[r], self._run_end[r]
            bounds = [ends[start - 1] if start else 0, *ends[start:stop]]
            out += [names[begin:end] for begin, end in pairwise(bounds)]
        return out

    def entries_in(self, directory: int) -> dict[bytes, int]:
        """Return name -> entry of these entries; of a name that comes twice, the last."""
        ends, names = self.table.name_ends, self.names
        out: dict[bytes, int] = {}
        for r in range(self._first[directory], self._first[directory + 1]):
            start, stop = self._run_start[r], self._run_end[r]
            begin = ends[start - 1] if start else 0
            for i, end in enumerate(ends[start:stop], start):
                out[names[begin:end]] = i
                begin = end
        return out

    def name(self, i: int) -> bytes:
        ends = self.table.name_ends
        return self.names[ends[i - 1] if i else 0 : ends[i]]


class LazyLayer:
    """What the lazy directories of one layer share."""

    __slots__ = (
        "commons",
        "dir_ids",
        "extras",
        "first_ino",
        "groups",
        "index",
        "is_dir",
        "last_link",
        "link_count",
        "links",
        "marked",
        "marks",
        "opaque",
        "parents",
        "plain",
        "shared",
        "subdirs",
        "table",
        "whiteouts",
    )

    def __init__(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> None:
        self.table = layer.table
        self.index = layer.index
        self.first_ino = first_ino
        """Inode number of entry 0: fixed, so that nodes made anew for each walk keep their numbers."""
        self.parents = parents
        self.groups = Groups(layer.table)
        self.is_dir = [meta.type == DIRECTORY for meta in layer.table.metas]
        self.plain = [meta.type == REGULAR for meta in layer.table.metas]
        self.marks = [meta.type == CHAR and not meta.major and not meta.minor for meta in layer.table.metas]
        """Which headers are devices that overlayfs takes for whiteouts."""
        self.marked = any(self.marks)
        self.dir_ids = {path: i for i, path in enumerate(self.table.dirs)}
        self.subdirs: dict[bytes, list[bytes]] = {}
        """Directory -> names of directories in it that no entry of this layer describes."""
        self.opaque: set[bytes] = set()
        self.whiteouts = False
        self.extras = layer.table.extras
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
        number = table.meta_ids[i]
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
            node.size = table.sizes[i]
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

    __slots__ = ("_listing", "_made", "_some", "lazy", "path")

    def __init__(self, lazy: LazyLayer, path: bytes, entry: int | None, *, bare: bool = False) -> None:
        super().__init__("dir", layer=lazy.index if entry is not None else None, entry=entry, implied=entry is None)
        self.lazy = lazy
        self.path = path
        self._made: dict[bytes, Inode] | None = None
        self._listing: dict[bytes, int] | None = None
        self._some: dict[bytes, Inode] = {}
        """Children that were asked for by name before anybody wanted all of them."""
        self.opaque = path in lazy.opaque
        if bare:
            return
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
            self._made = self.make() | self._some
            self._listing, self._some = None, {}
        return self._made

    @children.setter
    def children(self, value: dict[bytes, Inode] | None) -> None:
        """Accept what Inode.__init__ assigns; the real children are made on demand."""

    @property
    def touched(self) -> bool:
        """Whether its children were made and kept, so that something may have changed them."""
        return self._made is not None

    def peek(self) -> dict[bytes, Inode]:
        return self._made if self._made is not None else self.make() | self._some

    def listing(self) -> dict[bytes, int]:
        """Return the names that it has or whites out, without making a node; `node` makes the node of one.

        What stands for a name is its entry i, ~i when the entry is its whiteout, IMPLIED for a directory that no
        entry describes.
        """
        lazy = self.lazy
        directory = lazy.dir_ids.get(self.path)
        out = lazy.groups.entries_in(directory) if directory is not None else {}
        if lazy.whiteouts:
            for name in [name for name in out if name.startswith(PREFIX)]:
                i = out.pop(name)
                if name != OPAQUE:
                    out[hidden_path(name)] = ~i
        for name in lazy.subdirs.get(self.path, ()):
            out[name] = IMPLIED
        return out

    def child(self, name: bytes) -> Inode | None:
        """Return the child of one name without making the others; None without one."""
        if self._made is not None:
            return self._made.get(name)
        known = self._some.get(name)
        if known is not None:
            return known
        if self._listing is None:
            self._listing = self.listing()
        i = self._listing.get(name)
        if i is None:
            return None
        child = self._some[name] = self.node(name, i)
        return child

    def node(self, name: bytes, i: int, *, bare: bool = False) -> Inode:
        """Return a new node for one name of `listing`; a `bare` directory has no attributes, only children."""
        lazy = self.lazy
        if i < 0 and i != IMPLIED:
            return Inode("char", 0, device=(0, 0), layer=lazy.index, entry=~i)
        if i != IMPLIED and not lazy.is_dir[lazy.table.meta_ids[i]]:
            return lazy.inode(i)
        path = self.path + b"/" + name if self.path else name
        return LazyDir(lazy, path, None if i == IMPLIED else i, bare=bare)

    def below(self) -> Iterator[int]:
        """Yield the entry of each path below, -1 for a directory without one.

        No node is made.  Whiteouts, and devices that overlayfs takes for one, are left out.
        """
        lazy = self.lazy
        table = lazy.table
        metas, flags = table.meta_ids, table.flag_bits
        marks = lazy.marks
        stack = [self.path]
        while stack:
            path = stack.pop()
            prefix = path + b"/" if path else b""
            number = lazy.dir_ids.get(path)
            for i in lazy.groups.indexes(number) if number is not None else ():
                meta = metas[i]
                if lazy.is_dir[meta]:
                    name = lazy.groups.name(i)
                    if not name:
                        continue  # the root's own entry
                    stack.append(prefix + name)
                elif flags[i] & WHITEOUT or marks[meta]:
                    continue
                yield i
            for name in lazy.subdirs.get(path, ()):
                stack.append(prefix + name)
                yield -1

    def make(self) -> dict[bytes, Inode]:
        """Return the children without keeping them."""
        node = self.node
        return {name: node(name, i) for name, i in self.listing().items()}


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
    metas, flags = table.meta_ids, table.flag_bits
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
    lazy.whiteouts = special.count(1) > 0
    for directory, path in enumerate(table.dirs):
        if len(path) >= PATH_MAX - NAME_MAX - 2:
            return False
        names = groups.names_in(directory)
        unique = set(names)
        if len(unique) != len(names) or b"" in unique:
            return False
        if names and max(map(len, names)) > NAME_MAX:
            return False
        if lazy.whiteouts:
            for i, name in zip(groups.indexes(directory), names, strict=True):
                if special[i] and not _whiteout(lazy, path, name, unique):
                    return False
    return _parents(lazy, described) and _borrows(lazy) and _links(lazy)


def _whiteout(lazy: LazyLayer, path: bytes, name: bytes, siblings: set[bytes]) -> bool:
    """Note a whiteout; False when it needs the play-through."""
    if lazy.index == 0:
        return False  # the first layer is a bind mount: its whiteouts delete at once
    if name == OPAQUE:
        lazy.opaque.add(path)
        return True
    whiteout = parse(name)
    if whiteout is None or whiteout.mark is Mark.NAMELESS:
        return False
    hidden = whiteout.hidden
    below = path + b"/" + hidden if path else hidden
    return hidden not in siblings and below not in lazy.dir_ids


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
        there = lazy.groups.entries_in(directory)
        if any(name in there or whiteout_of(name) in there for name in names):
            return False
    return True


def _borrows(lazy: LazyLayer) -> bool:
    """Say whether lower layers can be asked about the directories that no entry describes.

    False where one of them has something else than a directory above such a one, or a link in its place: containerd
    refuses a file there, and follows a link, so the play-through decides.
    """
    for lower in lazy.parents:
        for path, names in lazy.subdirs.items():
            node: Inode | None = lower.root
            for part in path.split(b"/") if path else ():
                node = node.child(part) if node is not None else None
                if node is not None and node.kind != "dir":
                    return False
            if node is not None and any((child := node.child(n)) is not None and child.is_symlink for n in names):
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
            known = cached[parent] = groups.entries_in(directory)
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
