"""A layer that needs no extractor: what its directories share, and the conditions, checked in one linear pass.

The conditions stand in words in `indexed`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from imagepeel.formats.tar.header import BLOCKDEV, CHAR, DIRECTORY, HARDLINK, REGULAR, SYMLINK
from imagepeel.formats.tar.metas import MOST_METAS
from imagepeel.formats.tar.table import ESCAPES, WHITEOUT, Entry, EntryTable, Extra
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX, Mark, parse, whiteout_of
from imagepeel.rootfs.engines.directory_runs import DirectoryRuns, Distinct
from imagepeel.rootfs.engines.subtrees import Subtrees
from imagepeel.rootfs.tree.changes import LayerEntries
from imagepeel.rootfs.tree.inode import MANY, NAME_MAX, PATH_MAX, Inode, NodeKind, Tree
from imagepeel.rootfs.tree.metadata import KIND, apply_metadata, bound_time, new_inode, owner
from imagepeel.rootfs.tree.name_pattern import NamePattern

if TYPE_CHECKING:
    from imagepeel.layers.names import LayerNames

_MOST_IMPLIED = 250_000
"""Directories that no entry describes: real layers have some ten thousand, hostile names make millions."""

_SPECIAL = bytes(2 if flag & ESCAPES else 1 if flag & WHITEOUT else 0 for flag in range(256))
"""Maps flags to what stands out: 1 a whiteout, 2 a name that leaves the root."""


_Common = tuple[NodeKind, int, int, int, tuple[int, int] | None]
"""Kind, mode, uid, gid and device of an inode."""


class IndexedLayer:
    """What the directories of one regular layer share."""

    __slots__ = (
        "_chosen",
        "_common",
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
        metas = layer.table.metas
        self.is_dir: bytes = bytes(kind == DIRECTORY for kind in layer.table.types())
        self.is_regular: bytes = bytes(kind == REGULAR for kind in layer.table.types())
        self.is_device_whiteout: bytes = bytes(
            kind == CHAR and not metas[i].major and not metas[i].minor for i, kind in enumerate(layer.table.types())
        )
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
        self._chosen: tuple[NamePattern, array[int], dict[bytes, list[bytes]]] | None = None
        """The last question of this kind, and the answer."""
        self._common: list[_Common | None] = [None] * min(len(self.table.metas), MOST_METAS)
        """What inodes of equal headers share; made on first use."""

    def chosen(self, wanted: NamePattern) -> tuple[array[int], dict[bytes, list[bytes]]]:
        """Return the entries with wanted names, ascending, and what leads to those: directory -> directories in it.

        That is found for the whole layer at once.
        """
        if self._chosen is None or self._chosen[0] is not wanted:
            table = self.table
            found = array("I", wanted.among(table.names, table.name_ends))
            dirs = {table.dirs[number] for number in set(map(table.dir_ids.__getitem__, found))}
            for parent, names in self.implied_dirs.items():
                if any(map(wanted, names)):
                    dirs.add(parent)
            self._chosen = wanted, found, _ways(dirs)
        return self._chosen[1:]

    def common(self, number: int) -> _Common:
        """Return what inodes with the header of that number have in common."""
        common = self._common[number] if number < MOST_METAS else None
        if common is None:
            meta = self.table.metas[number]
            kind = KIND[meta.type]
            mode = 0o777 if kind == "symlink" else meta.mode & 0o7777
            device = (meta.major, meta.minor) if kind in ("char", "block") else None
            common = (kind, mode, owner(meta.uid, 0), owner(meta.gid, 0), device)
            if number < MOST_METAS:
                self._common[number] = common
        return common

    def found(self, i: int) -> Inode:
        """Return what `inode` does for one of many that are found, made when it is looked at."""
        shared = i in self.links or i in self.last_link
        return self.inode(i) if shared else FoundInode(self, i)

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
        kind, mode, uid, gid, device = self.common(table.meta_ids[i])
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


class FoundInode(Inode):
    """A member that a search found: what kind it is, and the rest once somebody asks.  Of most only paths are shown."""

    __slots__ = ("_indexed",)

    def __init__(self, indexed: IndexedLayer, i: int) -> None:
        self._indexed = indexed
        self.kind: NodeKind = indexed.common(indexed.table.meta_ids[i])[0]
        self.entry: int | None = i
        self.ino: int = indexed.first_ino + i

    def __getattr__(self, name: str) -> Any:
        # Python asks here for what has no value yet.
        if name not in Inode.__slots__ or self.entry is None:
            raise AttributeError(name)
        made = self._indexed.inode(self.entry)
        for one in Inode.__slots__:
            setattr(self, one, getattr(made, one))
        return getattr(self, name)


def _ways(directories: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Return directory -> those in it that are some of these or lead to them."""
    out: dict[bytes, list[bytes]] = {}
    known = {b""}
    for path in directories:
        while path not in known:
            known.add(path)
            parent, _, name = path.rpartition(b"/")
            out.setdefault(parent, []).append(name)
            path = parent
    return out


_WORTH_KEEPING = 4096
"""Entries of a layer whose names take longer to look at than a file of the cache to read."""


def is_regular(indexed: IndexedLayer, looked: LayerNames) -> bool:
    """Say whether the entries of a layer come out the same in any order, and note what their trees need.

    What `looked` knows of its names need not be looked for again: that is most of what the answer costs.
    """
    table = indexed.table
    types = list(table.types())
    if any(kind not in KIND and kind != HARDLINK for kind in types):
        return False
    devices = (table.metas[i] for i, kind in enumerate(types) if kind in (CHAR, BLOCKDEV))
    if any(device.major >= 1 << 32 or device.minor >= 1 << 32 for device in devices):
        return False
    special = table.flag_bits.translate(_SPECIAL)
    if special.count(2):
        return False
    indexed.has_whiteouts = special.count(1) > 0
    worth = not indexed.has_whiteouts and len(table) >= _WORTH_KEEPING
    known = looked.recall(indexed.index) if worth else None
    if known is None and not _names(indexed, special):
        return False
    if known is not None and not all(_root(indexed, i, table.dirs[table.dir_ids[i]]) for i in table.roots()):
        return False
    if known is not None:
        indexed.implied_dirs = known
    else:
        described: set[bytes] = {b""}
        described.update(table.path(i) for i in table.headed(indexed.is_dir) if not special[i])
        if not _parents(indexed, described):
            return False
        if worth:
            looked.remember(indexed.index, indexed.implied_dirs)
    return _borrows(indexed) and _links(indexed)


def _names(indexed: IndexedLayer, special: bytearray) -> bool:
    """Say whether no directory has a name twice or one too long, and note whiteouts and the root's own entry."""
    table, runs = indexed.table, indexed.runs
    if max(map(len, table.dirs)) >= PATH_MAX - NAME_MAX - 2:
        return False
    for directory, names in enumerate(runs.each(MANY)):
        path = table.dirs[directory]
        if names is None:
            if not _large(indexed, directory, path, special):
                return False
            continue
        unique = set(names)
        if len(unique) != len(names) or (b"" in unique and not _root(indexed, runs.entries_in(directory)[b""], path)):
            return False
        if names and len(max(names, key=len)) > NAME_MAX:
            return False
        if indexed.has_whiteouts:
            for i, name in zip(runs.indexes(directory), names, strict=True):
                if special[i] and not _whiteout(indexed, path, name, unique):
                    return False
    return True


def _large(indexed: IndexedLayer, directory: int, path: bytes, special: bytearray) -> bool:
    """Say of a directory with very many names what `is_regular` asks of each."""
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
    is_dir = bool(indexed.is_dir[indexed.table.meta_ids[i]])
    return not path and is_dir and set(named.split(b"/")) <= {b"", b"."}


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
    is_symlink = [kind == SYMLINK for kind in table.types()]
    for i, target in sorted(table.links.items()):
        if is_symlink[table.meta_ids[i]]:
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
