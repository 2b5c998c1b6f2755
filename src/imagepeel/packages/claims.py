"""Which package owns which file, and how many bytes that is: one pass over the columns of all layers.

Paths of a database and of a tar are compared in their canonical form: /lib/x and /usr/lib/x are one file where /lib is
a link to usr/lib.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from imagepeel.formats.tar.header import GNU_SPARSE, HARDLINK, REGULAR, SYMLINK
from imagepeel.formats.tar.table import WHITEOUT
from imagepeel.packages import npm

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.packages.databases import Databases
    from imagepeel.rootfs.view import Rootfs


_DEEP = 16
"""Levels of directories in which links are followed; what lies deeper is compared as it is written."""
_MOST_KNOWN = 500_000
_NOBODY: Sequence[int] = ()


class Life(NamedTuple):
    """From which layer on a package has a record, and until which, None for the end."""

    since: int
    until: int | None

    def has(self, layer: int) -> bool:
        """Whether the stack up to a layer has it."""
        return self.since <= layer and (self.until is None or layer < self.until)


class Stored(NamedTuple):
    """A regular file that a layer ships: where, how large, and whether the image shows it."""

    path: bytes
    folder: bytes
    layer: int
    entry: int
    size: int
    visible: bool


class Aliases:
    """Canonical forms of directories, by the links that the layers bring."""

    def __init__(self, rootfs: Rootfs) -> None:
        self._rootfs = rootfs
        self._known: dict[bytes, bytes] = {b"": b""}
        self._links: set[bytes] = set()
        for layer in rootfs.layers:
            table = layer.table
            types = list(table.types())
            self._links.update(b"/" + table.path(i) for i in table.links if types[table.meta_ids[i]] == SYMLINK)

    def directory(self, path: bytes) -> bytes:
        """Return a directory, absolute without a slash at its end, with its links followed."""
        known = self._known.get(path)
        if known is None:
            if len(self._known) > _MOST_KNOWN:
                self._known = {b"": b""}
            above, _, name = path.rpartition(b"/")
            if path.count(b"/") > _DEEP:
                parts = path.split(b"/")
                return self.directory(b"/".join(parts[: _DEEP + 1])) + b"/" + b"/".join(parts[_DEEP + 1 :])
            known = self.directory(above) + b"/" + name
            if known in self._links:
                found = self._rootfs.resolve(known)
                if found.node is not None and found.node.kind == "dir":
                    known = found.path.rstrip(b"/")
            self._known[path] = known
        return known

    def path(self, path: bytes) -> bytes:
        """Return a path whose directories are canonical; a link in the last part stays."""
        above, _, name = path.rpartition(b"/")
        return self.directory(above) + b"/" + name


class Claims:
    """Path -> the packages that list it, by their numbers."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._first: dict[bytes, int] = {}
        self._more: dict[bytes, list[int]] = {}
        self._homes: dict[bytes, list[int]] = {}

    def add(self, package: int, paths: Iterable[bytes], below: bytes = b"") -> None:
        """Note what a package lists; `below` is the directory of one that owns all in it."""
        if below:
            homes = self._homes.setdefault(self._aliases.directory(below), [])
            if package not in homes:
                homes.append(package)
        first, canonical = self._first, self._aliases.path
        for name in paths:
            path = canonical(name)
            owner = first.setdefault(path, package)
            if owner != package:
                others = self._more.setdefault(path, [])
                if package not in others:
                    others.append(package)

    def of(self, path: bytes) -> Sequence[int]:
        """Return the packages that claim a canonical path."""
        return self.found(path, self.at_home(path.rpartition(b"/")[0]))

    def found(self, path: bytes, at_home: Sequence[int]) -> Sequence[int]:
        """Return the same where those are known that own all of the directory of the path."""
        owner = self._first.get(path)
        if owner is None:
            return at_home
        if path in self._more or at_home:
            return [owner, *self._more.get(path, ()), *at_home]
        return (owner,)

    def at_home(self, directory: bytes) -> Sequence[int]:
        """Return the packages that own all that lies in a directory, but what other packages own."""
        return self._homes.get(npm.home(directory), _NOBODY) if self._homes else _NOBODY


def stored_files(
    databases: Databases, aliases: Aliases, living: Claims, past: Claims
) -> Iterator[tuple[Stored, Sequence[int], Sequence[int]]]:
    """Yield each regular file that the layers ship, each inode once, and the packages that claim a name of it.

    These are two lists: by the `living` claims and by those of the `past`.
    """
    for layer in databases.rootfs.layers:
        table = layer.table
        regular = [kind in (REGULAR, GNU_SPARSE) for kind in table.types()]
        folders = [aliases.directory(b"/" + directory if directory else b"") for directory in table.dirs]
        now = _Finder(table, folders, aliases, living)
        then = _Finder(table, folders, aliases, past)
        shown, flags, dirs, sizes, extras = (
            databases.shown(layer.index), table.flag_bits, table.dir_ids, table.sizes, table.extras,
        )  # fmt: skip
        begin = 0
        for i, end in enumerate(table.name_ends):
            name, begin = table.names[begin:end], end
            if not regular[table.meta_ids[i]] or flags[i] & WHITEOUT:
                continue
            number = dirs[i]
            folder = folders[number]
            path = folder + b"/" + name
            size = sizes[i] if i not in extras else table.stored_size(i)
            yield Stored(path, folder, layer.index, i, size, shown(i)), now.of(path, number), then.of(path, number)


class _Finder:
    """Claims of the files of one layer, also of those that claim one under another name, a hardlink of that layer."""

    def __init__(self, table: EntryTable, folders: list[bytes], aliases: Aliases, claims: Claims) -> None:
        self._claims = claims
        self._at_home = [claims.at_home(folder) for folder in folders]
        self._linked: dict[bytes, list[int]] = {}
        types = list(table.types())
        for i, target in table.links.items():
            if types[table.meta_ids[i]] != HARDLINK:
                continue
            owners = claims.of(folders[table.dir_ids[i]] + b"/" + table.basename(i))
            if owners:
                parts = [part for part in target.split(b"/") if part not in (b"", b".")]
                self._linked.setdefault(aliases.path(b"/" + b"/".join(parts)), []).extend(owners)

    def of(self, path: bytes, number: int) -> Sequence[int]:
        """Return the packages that claim a path in the directory with a number in the table."""
        owners = self._claims.found(path, self._at_home[number])
        if self._linked and path in self._linked:
            return list(dict.fromkeys([*owners, *self._linked[path]]))
        return owners
