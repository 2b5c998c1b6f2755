"""Whether all engines make the same filesystem of an image's layers, decided from the columns of the index.

To find out by trial costs more than reading the layers: two of the five views that are compared play every entry.  Of
nearly every real image it is known beforehand.  Each layer alone is regular (`indexed`), so containerd, Docker and
podman unpack it alike; what is left to decide is what the rules of engines disagree on:

- kinds of entries, attributes, owners and times that one engine sets, bounds or refuses and another does not;
- a hardlink whose header says something else than that of its file: umoci does not apply it;
- directories that no entry describes: containerd copies attributes of the layer below, Docker and podman do not;
- a directory of a layer in the place of a link or a file of a lower one: overlayfs hides that, an engine that unpacks
  onto the merged tree replaces it or follows it;
- a whiteout in a directory that lower layers do not have, and opaque marks.

Where an image has none of them, each layer adds names to directories that are directories below, replaces what is no
directory, and takes names away.  Then the order of layers is all that counts, and overlayfs, a merged tree and umoci
come to the same.  Every doubt is answered with no, and then the views are made and compared: a property test holds
that no yes is ever wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.formats.tar.header import REGULAR
from imagepeel.formats.tar.table import WHITEOUT, EntryTable
from imagepeel.formats.tar.whiteouts import PREFIX, Mark, parse
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.engines.regular import IndexedLayer
from imagepeel.rootfs.tree.inode import Tree

_LAST_OWNER = 0xFFFFFFFE
_LAST_DEVICE = 0xFFFFFFFF
_CAPABILITY = b"security.capability"
_LAST_SECOND = (1 << 63) // 1_000_000_000
"""From here on, a time is out of the bounds of some engines."""
_MOST_DIRECTORIES = 250_000
"""What the play-through of a whole image bears; it says so itself."""

Attributes = tuple[int, int, int]
"""Mode, uid and gid of a directory."""

_DEFAULT: Attributes = (0o755, 0, 0)
"""Of a directory that no entry describes."""


def engines_agree(uppers: Sequence[Tree]) -> bool:
    """Say whether the views that are compared by default are surely alike and none is refused; False in any doubt.

    `uppers` are the trees of the runtime view's layers, each unpacked alone, base first, one for every layer.
    """
    known = _Stack()
    for upper in uppers:
        root = upper.root
        if not isinstance(root, IndexedDirectory) or not _plain(root.indexed) or not known.add(root.indexed):
            return False
    return True


def _plain(indexed: IndexedLayer) -> bool:
    """Say whether no entry of a layer has what some engine treats in its own way."""
    table = indexed.table
    if indexed.opaque_dirs or indexed.has_device_whiteouts or any(PREFIX in path for path in table.dirs):
        return False
    for meta in table.metas:
        if not (0 <= meta.uid <= _LAST_OWNER and 0 <= meta.gid <= _LAST_OWNER):
            return False
        if not (0 <= meta.major <= _LAST_DEVICE and 0 <= meta.minor <= _LAST_DEVICE):
            return False
    times = table.mtime_seconds
    if times and not (min(times) >= 0 and max(times) < _LAST_SECOND):
        return False
    if any(b".." in name for name in table.raw_names.values()):
        return False
    root = indexed.root_entry
    if root is not None and (attributes(table, root) != _DEFAULT or table[root].raw_name.startswith(b"/")):
        return False
    return _plain_attributes(indexed) and _plain_links(indexed)


def attributes(table: EntryTable, i: int) -> Attributes:
    """Return mode, uid and gid that an entry's header says."""
    meta = table.meta(i)
    return meta.mode & 0o7777, meta.uid, meta.gid


def _plain_attributes(indexed: IndexedLayer) -> bool:
    """Say whether no extended attribute is there but capabilities of files, which all engines set."""
    table = indexed.table
    for i in table.extras:
        for key, value in table[i].xattrs.items():
            if key != _CAPABILITY or not value or table.meta(i).type != REGULAR or i in indexed.last_link:
                return False
    return True


def _plain_links(indexed: IndexedLayer) -> bool:
    """Say whether each hardlink names a file, and its header says what that of the file says."""
    table = indexed.table
    return all(
        table.meta(origin).type == REGULAR
        and attributes(table, i) == attributes(table, origin)
        and table.mtime(i) == table.mtime(origin)
        for i, origin in indexed.links.items()
    )


class _Stack:
    """The directories of the layers so far, merged."""

    def __init__(self) -> None:
        self._layers: list[IndexedLayer] = []
        self._directories: dict[bytes, Attributes] = {b"": _DEFAULT}
        self._inside: dict[bytes, set[bytes]] = {}
        """Directory -> the names of directories in it."""
        self._others: dict[bytes, set[bytes]] = {}
        """Directory -> names that are, or once were, no directories in it; of those that somebody asked about."""
        self._made: int = 0

    def add(self, layer: IndexedLayer) -> bool:
        """Put a layer onto the others; False where engines take its directories or whiteouts otherwise."""
        removed = self._whiteouts(layer)
        if removed is None or not self._keeps_directories(layer):
            return False
        for path in removed:
            self._remove(path)
        if not self._directories_of(layer):
            return False
        for path, names in self._others.items():
            names |= _no_directories(layer, path)
        self._layers.append(layer)
        return True

    def _whiteouts(self, layer: IndexedLayer) -> list[bytes] | None:
        """Return the directories that a layer removes; None for a whiteout that has nothing to stand in."""
        table = layer.table
        out: list[bytes] = []
        for i in table.flagged(WHITEOUT) if layer.has_whiteouts else ():
            whiteout = parse(table.basename(i))
            directory = table.dirs[table.dir_id(i)]
            if whiteout is None or whiteout.mark is not Mark.WHITEOUT or table.meta(i).type != REGULAR:
                return None
            if directory not in self._directories:
                return None
            if whiteout.hidden in self._inside.get(directory, ()):
                out.append(directory + b"/" + whiteout.hidden if directory else whiteout.hidden)
        return out

    def _keeps_directories(self, layer: IndexedLayer) -> bool:
        """Say whether a layer has a directory wherever it has something in the place of one."""
        metas = layer.table.meta_ids
        for number, path in enumerate(layer.table.dirs):
            inside = self._inside.get(path)
            if not inside or inside.isdisjoint(layer.runs.names_in(number)):
                continue
            entries = layer.runs.entries_in(number)
            if not all(layer.is_dir[metas[entries[name]]] for name in inside & entries.keys()):
                return False
        return True

    def _directories_of(self, layer: IndexedLayer) -> bool:
        """Take in the directories of a layer, described or implied; False where one takes another thing's place."""
        table = layer.table
        new: list[tuple[bytes, Attributes | None]] = [
            (table.path(i), attributes(table, i)) for i in table.headed(layer.is_dir)
        ]
        for parent, names in layer.implied_dirs.items():
            new.extend((parent + b"/" + name if parent else name, None) for name in names)
        self._made += len(new)
        if self._made > _MOST_DIRECTORIES:
            return False
        known = self._directories
        for path, said in new:
            if path in known:
                if said is None and known[path] != _DEFAULT:
                    return False
                known[path] = said or _DEFAULT
                continue
            parent, _, name = path.rpartition(b"/")
            if parent in known and name in self._others_in(parent):
                return False
            known[path] = said or _DEFAULT
            self._inside.setdefault(parent, set()).add(name)
        return True

    def _others_in(self, path: bytes) -> set[bytes]:
        known = self._others.get(path)
        if known is None:
            known = self._others[path] = set()
            for layer in self._layers:
                known |= _no_directories(layer, path)
        return known

    def _remove(self, path: bytes) -> None:
        parent, _, name = path.rpartition(b"/")
        self._inside[parent].discard(name)
        left = [path]
        while left:
            path = left.pop()
            del self._directories[path]
            left.extend(path + b"/" + name for name in self._inside.pop(path, ()))


def _no_directories(layer: IndexedLayer, path: bytes) -> set[bytes]:
    """Return the names of a layer's entries in a directory that are no directories."""
    number = layer.id_of_dir.get(path)
    if number is None:
        return set()
    metas, is_dir = layer.table.meta_ids, layer.is_dir
    return {name for name, i in layer.runs.entries_in(number).items() if not is_dir[metas[i]]}
