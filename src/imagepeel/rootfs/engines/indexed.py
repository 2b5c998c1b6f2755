"""The unpacked tree of one layer, read from the columns of its table wherever somebody looks.

Theory of operation.  An extractor plays the entries of a layer one after the other, because in general their order
decides what comes out.  Nearly every real layer is *regular*, and then it does not:

- no path comes twice, and nothing stands below a path that is a link or a file;
- an entry for the root, if any, is a directory;
- no whiteout names what the same layer brings;
- a hardlink points at an earlier member of the same layer;
- no name climbs over the root, is too long, or belongs to a type that engines refuse.

The tree of such a layer is a plain grouping of its entries by directory, and the table is already close to that: every
entry carries the number of its directory (`EntryTable.dir_ids`).  `DirectoryRuns` sorts the runs of equal numbers once.
`indexed_upper` checks the conditions in one linear pass and returns None for every other layer, which an extractor
then plays.  An `IndexedDirectory` makes a child when it is asked for it, and keeps nothing that was made for one look
(`peek`); so a walk over a million files needs memory for one directory.

Three numbers stand for entries.  In a listing, a name maps to i >= 0 for entry i, to ~i for the whiteout at entry i
(~i is -i - 1, so it is negative for every i), and to IMPLIED for a directory that only the paths of entries imply.  Of
the entries 4 `d/a`, 5 `d/.wh.b` and 6 `d/c/x`, the listing of `d` is {a: 4, b: -6, c: IMPLIED}.

A property test and all conformance cases hold this module and the play-through equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from imagepeel.formats.tar.header import BLOCKDEV, CHAR, DIRECTORY, HARDLINK, REGULAR, SYMLINK
from imagepeel.formats.tar.table import ESCAPES, WHITEOUT, Entry, EntryTable, Extra
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX, Mark, hidden_path, parse, whiteout_of
from imagepeel.rootfs.engines.directory_runs import MANY, DirectoryRuns, Distinct, TooMany, find
from imagepeel.rootfs.engines.subtrees import Subtrees
from imagepeel.rootfs.tree.changes import LayerEntries
from imagepeel.rootfs.tree.inode import NAME_MAX, PATH_MAX, Errno, Inode, NodeKind, Tree
from imagepeel.rootfs.tree.metadata import KIND, apply_metadata, bound_time, new_inode, owner

_MOST_IMPLIED = 250_000
"""Directories that no entry describes: real layers have some ten thousand, hostile names make millions."""


_LOOKS = 1_000
"""Finds in the names of a large directory until they are listed."""
IMPLIED = -(1 << 40)
"""In a listing: a directory that no entry describes.  It is below ~i for every entry i."""

_SPECIAL = bytes(2 if flag & ESCAPES else 1 if flag & WHITEOUT else 0 for flag in range(256))
"""Maps flags to what stands out: 1 a whiteout, 2 a name that leaves the root."""


_Common = tuple[NodeKind, int, int, int, tuple[int, int] | None]
"""Kind, mode, uid, gid and device of an inode."""


class IndexedLayer:
    """What the directories of one regular layer share."""

    __slots__ = (
        "common_fields",
        "extras",
        "first_ino",
        "has_device_whiteouts",
        "has_whiteouts",
        "id_of_dir",
        "implied_dirs",
        "index",
        "is_device_whiteout",
        "is_dir",
        "is_regular",
        "last_link",
        "link_count",
        "linked_inodes",
        "links",
        "opaque_dirs",
        "parents",
        "root_entry",
        "runs",
        "subtrees",
        "table",
    )

    def __init__(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> None:
        self.table: EntryTable = layer.table
        self.index: int = layer.index
        self.first_ino: int = first_ino
        """Inode number of entry 0: fixed, so that nodes made anew for each walk keep their numbers."""
        self.parents: Sequence[Tree] = parents
        self.runs: DirectoryRuns = DirectoryRuns(layer.table)
        # One item a header: `EntryTable.meta_ids` leads from an entry to its place here.
        self.is_dir: list[bool] = [meta.type == DIRECTORY for meta in layer.table.metas]
        self.is_regular: list[bool] = [meta.type == REGULAR for meta in layer.table.metas]
        self.is_device_whiteout: list[bool] = [
            meta.type == CHAR and not meta.major and not meta.minor for meta in layer.table.metas
        ]
        """Whether overlayfs takes the device for a whiteout."""
        self.has_device_whiteouts: bool = any(self.is_device_whiteout)
        self.id_of_dir: dict[bytes, int] = {path: i for i, path in enumerate(self.table.dirs)}
        self.implied_dirs: dict[bytes, list[bytes]] = {}
        """Directory -> names of directories in it that no entry of this layer describes."""
        self.opaque_dirs: set[bytes] = set()
        self.root_entry: int | None = None
        self.has_whiteouts: bool = False
        self.extras: dict[int, Extra] = layer.table.extras
        self.links: dict[int, int] = {}
        """Hardlink entry -> the entry that brought the inode."""
        self.last_link: dict[int, int] = {}
        """That entry -> the last entry whose header sets the shared metadata."""
        self.link_count: dict[int, int] = {}
        self.linked_inodes: dict[int, Inode] = {}
        self.subtrees: Subtrees | None = None
        """Made on first use."""
        self.common_fields: list[_Common | None] = [None] * len(self.table.metas)
        """What inodes of equal headers share; made on first use."""

    def inode(self, i: int) -> Inode:
        """Return the inode of a member that is no directory."""
        if i not in self.links and i not in self.last_link:
            return self._lone(i)
        table = self.table
        origin = self.links.get(i, i)
        last = self.last_link.get(origin)
        if last is not None:
            known = self.linked_inodes.get(origin)
            if known is not None:
                return known
        node = new_inode(Entry(table, origin), self.index)
        apply_metadata(node, Entry(table, origin))
        if last is not None:
            apply_metadata(node, Entry(table, last))
            node.nlink = 1 + self.link_count[origin]
            self.linked_inodes[origin] = node
        node.ino = self.first_ino + origin
        return node

    def _lone(self, i: int) -> Inode:
        """Return the inode of a member under one name: what `new_inode` and `apply_metadata` make, in one step."""
        table = self.table
        number = table.meta_ids[i]
        common = self.common_fields[number]
        if common is None:
            meta = table.metas[number]
            kind = KIND[meta.type]
            mode = 0o777 if kind == "symlink" else meta.mode & 0o7777
            device = (meta.major, meta.minor) if kind in ("char", "block") else None
            common = self.common_fields[number] = (kind, mode, owner(meta.uid, 0), owner(meta.gid, 0), device)
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


class IndexedDirectory(Inode):
    """A directory whose children are made from the columns on first use."""

    __slots__ = ("_listing", "_looks", "_made", "_some", "indexed", "path")

    def __init__(self, indexed: IndexedLayer, path: bytes, entry: int | None, *, bare: bool = False) -> None:
        super().__init__("dir", layer=indexed.index if entry is not None else None, entry=entry, implied=entry is None)
        self.indexed: IndexedLayer = indexed
        self.path: bytes = path
        self._made: dict[bytes, Inode] | None = None
        self._listing: dict[bytes, int] | None = None
        self._looks: int = _LOOKS
        self._some: dict[bytes, Inode] = {}
        """Children that were asked for by name before anybody wanted all of them."""
        self.opaque: bool = path in indexed.opaque_dirs
        if bare:
            return
        if entry is not None:
            self.ino: int = indexed.first_ino + entry
            apply_metadata(self, Entry(indexed.table, entry))
        elif path:
            self._inherit()

    def _inherit(self) -> None:
        """Take the attributes that containerd copies to an implied directory from the layers below."""
        parts = tuple(self.path.split(b"/"))
        for lower in self.indexed.parents:
            try:
                like = lower.lstat(lower.resolve(parts))
            except Errno:
                continue
            if like is not None:
                if like.kind == "dir":
                    self.mode: int = like.mode
                    self.uid: int = like.uid
                    self.gid: int = like.gid
                    self.xattrs: Mapping[bytes, bytes] = like.xattrs
                    self.layer: int | None = like.layer
                    self.entry: int | None = like.entry
                    if not self._filled():
                        self.mtime: tuple[int, int] | None = like.mtime
                return

    def _filled(self) -> bool:
        """Whether anything is created inside, which moves the time of an implied directory to "now"."""
        indexed = self.indexed
        if self.path in indexed.implied_dirs:
            return True
        directory = indexed.id_of_dir.get(self.path)
        return directory is not None and any(indexed.runs.name(i) != OPAQUE for i in indexed.runs.indexes(directory))

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

    @property
    def shows_whiteouts(self) -> bool:
        """Whether the layer has what overlayfs shows as a name that cannot be opened, where no other layer is below."""
        return self.indexed.has_whiteouts or self.indexed.has_device_whiteouts

    def peek(self) -> dict[bytes, Inode]:
        return self._made if self._made is not None else self.make() | self._some

    def one_by_one(self) -> Mapping[bytes, Inode]:
        return self._made if self._made is not None else OneByOne(self, self._some)

    def peek_some(self, wanted: Callable[[bytes], object]) -> Mapping[bytes, Inode]:
        if self._made is not None or self._some:
            return super().peek_some(wanted)
        node, is_dir, metas = self.node, self.indexed.is_dir, self.indexed.table.meta_ids
        return {
            name: node(name, i)
            for name, i in self.listing().items()
            if i == IMPLIED or (i >= 0 and is_dir[metas[i]]) or wanted(name)
        }

    def listing(self) -> dict[bytes, int]:
        """Return the names that the directory has or whites out, without making a node; `node` makes the node of one.

        A name maps to its entry i >= 0, to ~i when entry i is its whiteout, or to IMPLIED.  In a directory with entry 4
        `a`, entry 5 `.wh.b` and a `c` that only paths imply, the listing is {a: 4, b: ~5 = -6, c: IMPLIED}.
        Nobody changes it: it may be the one that the directory keeps.
        """
        if self._listing is not None:
            return self._listing
        indexed = self.indexed
        directory = indexed.id_of_dir.get(self.path)
        out = indexed.runs.entries_in(directory) if directory is not None else {}
        out.pop(b"", None)  # the root's own entry
        if indexed.has_whiteouts:
            found = out
            out = {name: i for name, i in found.items() if not name.startswith(PREFIX)}
            for name, i in found.items():
                if name.startswith(PREFIX) and name != OPAQUE:
                    out[hidden_path(name)] = ~i
        for name in indexed.implied_dirs.get(self.path, ()):
            out[name] = IMPLIED
        return out

    def child(self, name: bytes) -> Inode | None:
        """Return the child of one name without making the others; None without one."""
        if self._made is not None:
            return self._made.get(name)
        known = self._some.get(name)
        if known is not None:
            return known
        i = self._place(name)
        if i is None:
            return None
        child = self._some[name] = self.node(name, i)
        return child

    def _place(self, name: bytes) -> int | None:
        """Return what the listing has of one name; of a large directory the first few names need no listing."""
        directory = self.indexed.id_of_dir.get(self.path)
        if self._listing is None and self._looks > 0 and directory is not None:
            runs = self.indexed.runs.of(directory)
            if sum(map(len, runs)) >= MANY:
                try:
                    return self._search(runs, name)
                except TooMany:
                    self._looks = 0
        if self._listing is None:
            self._listing = self.listing()
        return self._listing.get(name)

    def _search(self, runs: list[range], name: bytes) -> int | None:
        if name in self.indexed.implied_dirs.get(self.path, ()):
            return IMPLIED
        marked = PREFIX + name if self.indexed.has_whiteouts else b""
        for wanted in (b"" if marked and name.startswith(PREFIX) else name, b"" if marked == OPAQUE else marked):
            for run in runs if wanted else ():
                self._looks -= 1
                i = find(self.indexed.table, run, wanted, self._looks)
                if i is not None:
                    return ~i if wanted is marked else i
        return None

    def node(self, name: bytes, i: int, *, bare: bool = False) -> Inode:
        """Return a new node for one name of `listing`; a `bare` directory has no attributes, only children."""
        indexed = self.indexed
        if i < 0 and i != IMPLIED:
            return Inode("char", 0, device=(0, 0), layer=indexed.index, entry=~i)
        if i != IMPLIED and not indexed.is_dir[indexed.table.meta_ids[i]]:
            return indexed.inode(i)
        path = self.path + b"/" + name if self.path else name
        return IndexedDirectory(indexed, path, None if i == IMPLIED else i, bare=bare)

    def below(self) -> Iterable[int]:
        """Return the entry of each path below, -1 for a directory without one; `Below` where the layer hides nothing.

        No node is made.  Whiteouts, and devices that overlayfs takes for one, are left out.
        """
        indexed = self.indexed
        if self.shows_whiteouts:
            return self._below()
        if indexed.subtrees is None:
            indexed.subtrees = Subtrees(indexed.runs, indexed.implied_dirs, indexed.root_entry)
        return indexed.subtrees.below(self.path, indexed.id_of_dir.get(self.path))

    def _below(self) -> Iterator[int]:
        indexed = self.indexed
        table = indexed.table
        metas, flags = table.meta_ids, table.flag_bits
        is_device_whiteout = indexed.is_device_whiteout
        stack = [self.path]
        while stack:
            path = stack.pop()
            prefix = path + b"/" if path else b""
            number = indexed.id_of_dir.get(path)
            for i in indexed.runs.indexes(number) if number is not None else ():
                meta = metas[i]
                if indexed.is_dir[meta]:
                    name = indexed.runs.name(i)
                    if not name:
                        continue  # the root's own entry
                    stack.append(prefix + name)
                elif flags[i] & WHITEOUT or is_device_whiteout[meta]:
                    continue
                yield i
            for name in indexed.implied_dirs.get(path, ()):
                stack.append(prefix + name)
                yield -1

    def make(self) -> dict[bytes, Inode]:
        """Return the children without keeping them."""
        node = self.node
        return {name: node(name, i) for name, i in self.listing().items()}


class OneByOne(Mapping[bytes, Inode]):
    """The children of a directory, of which none is kept but those that were: each look makes the node anew."""

    def __init__(self, directory: IndexedDirectory, kept: Mapping[bytes, Inode]) -> None:
        self._directory = directory
        self._kept = kept
        self._listing = directory.listing()

    @property
    def indexed(self) -> IndexedLayer:
        """The layer that the directory is of."""
        return self._directory.indexed

    def members(self) -> Iterator[tuple[bytes, int]]:
        """Yield name and entry of each child that the columns tell all about: no directory, no whiteout, none kept.

        Names of hardlinked files are left out: which of them comes first may matter.
        """
        indexed = self.indexed
        metas, is_dir, is_device_whiteout = indexed.table.meta_ids, indexed.is_dir, indexed.is_device_whiteout
        links, last_link, kept = indexed.links, indexed.last_link, self._kept
        for name, i in self._listing.items():
            if i < 0 or is_dir[metas[i]] or is_device_whiteout[metas[i]]:
                continue
            if i not in links and i not in last_link and name not in kept:
                yield name, i

    def __getitem__(self, name: bytes) -> Inode:
        return self._kept.get(name) or self._directory.node(name, self._listing[name])

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._listing)

    def __len__(self) -> int:
        return len(self._listing)


def indexed_upper(layer: LayerEntries, parents: Sequence[Tree], first_ino: int = 1) -> Tree | None:
    """Return the unpacked tree of a regular layer, or None when the order of its entries matters.

    `first_ino` is the inode number of its first entry; the next layer's starts behind the last one.
    """
    return RegularLayers().upper(layer, parents, first_ino)


class RegularLayers:
    """The columns of an image's regular layers: read once for all views."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], IndexedLayer | None] = {}
        self._kin: dict[tuple[int, ...], dict[Any, Any]] = {}

    def upper(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> Tree | None:
        """Return a tree of its own of one layer; see `indexed_upper`.  `parents` may be () or all lower layers."""
        if layer.error is not None:
            return None
        indexed = self._indexed(layer, (), first_ino)
        if indexed is not None and parents and indexed.implied_dirs:
            indexed = self._indexed(layer, parents, first_ino)
        return Tree(IndexedDirectory(indexed, b"", None)) if indexed is not None else None

    def _indexed(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> IndexedLayer | None:
        key = (layer.index, bool(parents))
        if key not in self._known:
            indexed = IndexedLayer(layer, parents, first_ino)
            self._known[key] = indexed if _regular(indexed) else None
        return self._known[key]

    def kin(self, uppers: Sequence[Tree]) -> dict[Any, Any]:
        """Return the place for what all filesystems with these very files find out about them.

        They may differ in what is known of directories that no entry describes, `/` among them.  A layer that was
        played has no such kin.
        """
        roots = [upper.root for upper in uppers if isinstance(upper.root, IndexedDirectory)]
        columns = tuple(id(self._known[root.indexed.index, False]) for root in roots)
        return self._kin.setdefault(columns, {}) if len(roots) == len(uppers) else {}


def _regular(indexed: IndexedLayer) -> bool:
    table, runs = indexed.table, indexed.runs
    metas, flags = table.meta_ids, table.flag_bits
    types = [meta.type for meta in table.metas]
    if any(kind not in KIND and kind != HARDLINK for kind in types):
        return False
    if any(m.type in (CHAR, BLOCKDEV) and (m.major >= 1 << 32 or m.minor >= 1 << 32) for m in table.metas):
        return False
    is_dir = indexed.is_dir
    special = flags.translate(_SPECIAL)
    if special.count(2):
        return False
    described: set[bytes] = {b""}
    described.update(table.path(i) for i, meta in enumerate(metas) if is_dir[meta] and not special[i])
    indexed.has_whiteouts = special.count(1) > 0
    for directory, path in enumerate(table.dirs):
        if len(path) >= PATH_MAX - NAME_MAX - 2:
            return False
        if sum(map(len, runs.of(directory))) >= MANY:
            if not _large(indexed, directory, path, special):
                return False
            continue
        names = runs.names_in(directory)
        unique = set(names)
        if len(unique) != len(names) or (b"" in unique and not _root(indexed, runs.entries_in(directory)[b""], path)):
            return False
        if names and max(map(len, names)) > NAME_MAX:
            return False
        if indexed.has_whiteouts:
            for i, name in zip(runs.indexes(directory), names, strict=True):
                if special[i] and not _whiteout(indexed, path, name, unique):
                    return False
    return _parents(indexed, described) and _borrows(indexed) and _links(indexed)


def _large(indexed: IndexedLayer, directory: int, path: bytes, special: bytearray) -> bool:
    """Say of a directory with very many names what `_regular` asks of each."""
    known = Distinct()
    for i in indexed.runs.indexes(directory):
        name = indexed.runs.name(i)
        if len(name) > NAME_MAX or (not name and not _root(indexed, i, path)):
            return False
        known.add(name)
        if special[i] and name != OPAQUE:
            known.add(name[len(PREFIX) :])  # nothing else has the name that is hidden
        if special[i] and not _whiteout(indexed, path, name, set()):
            return False
    return known.holds()


def _root(indexed: IndexedLayer, i: int, path: bytes) -> bool:
    """Say whether the entry without a name is the root directory's own, such as `./`, which extractors leave as it is.

    Some make the directory `a` for a name like `a/..`.
    """
    indexed.root_entry = i
    named = Entry(indexed.table, i).raw_name
    return not path and indexed.is_dir[indexed.table.meta_ids[i]] and set(named.split(b"/")) <= {b"", b"."}


def _whiteout(indexed: IndexedLayer, path: bytes, name: bytes, siblings: set[bytes]) -> bool:
    """Note a whiteout; False when it needs the play-through."""
    if indexed.index == 0:
        return False  # the first layer is a bind mount: its whiteouts delete at once
    if name == OPAQUE:
        indexed.opaque_dirs.add(path)
        return True
    whiteout = parse(name)
    if whiteout is None or whiteout.mark is Mark.NAMELESS:
        return False
    hidden = whiteout.hidden
    below = path + b"/" + hidden if path else hidden
    return hidden not in siblings and below not in indexed.id_of_dir


def _parents(indexed: IndexedLayer, described: set[bytes]) -> bool:
    """Find directories that no entry describes; False when something else has the path of a directory."""
    implied = 0
    for path in indexed.table.dirs:
        while path and path not in described:
            described.add(path)
            parent, _, name = path.rpartition(b"/")
            indexed.implied_dirs.setdefault(parent, []).append(name)
            path = parent
            implied += 1 + len(path) // 256
            if implied > _MOST_IMPLIED:
                return False  # the play-through says what is wrong with that
    for parent, names in indexed.implied_dirs.items():
        directory = indexed.id_of_dir.get(parent)
        if directory is None:
            continue
        there = indexed.runs.entries_in(directory)
        if any(name in there or whiteout_of(name) in there for name in names):
            return False
    return True


def _borrows(indexed: IndexedLayer) -> bool:
    """Say whether lower layers can be asked about the directories that no entry describes.

    False where one of them has something else than a directory above such a one, or a link in its place: containerd
    refuses a file there, and follows a link, so the play-through decides.
    """
    for lower in indexed.parents:
        for path, names in indexed.implied_dirs.items():
            node: Inode | None = lower.root
            for part in path.split(b"/") if path else ():
                node = node.child(part) if node is not None else None
                if node is not None and node.kind != "dir":
                    return False
            if node is not None and any((child := node.child(n)) is not None and child.is_symlink for n in names):
                return False
    return True


def _links(indexed: IndexedLayer) -> bool:
    """Bind hardlinks to earlier members; False when one needs the play-through."""
    table, runs = indexed.table, indexed.runs
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
            directory = indexed.id_of_dir.get(parent)
            if directory is None:
                return False
            if len(cached) > 64:
                cached.clear()
            known = cached[parent] = runs.entries_in(directory)
        origin = known.get(base)
        if origin is None or origin >= i or table.meta(origin).type == DIRECTORY or table.flags(origin) & WHITEOUT:
            return False
        origin = indexed.links.get(origin, origin)
        if table.meta(origin).type == HARDLINK:
            return False
        indexed.links[i] = origin
        indexed.last_link[origin] = i
        indexed.link_count[origin] = indexed.link_count.get(origin, 0) + 1
    return True
