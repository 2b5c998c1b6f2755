"""Finds the files of package databases in all layers, with the layers from which and until which they live."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import layer_label
from imagepeel.formats.tar.header import GNU_SPARSE, HARDLINK, REGULAR
from imagepeel.formats.tar.table import WHITEOUT
from imagepeel.packages.record import (
    ALL_BYTES,
    MOST_FILES,
    MOST_RECORDS,
    MOST_REMARKS,
    NAME_BYTES,
    DatabaseKind,
    Family,
    Record,
    Remark,
    Shipped,
)
from imagepeel.packages.registry import KINDS
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.layer_events import Fates
from imagepeel.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagepeel.image import Layer, LayeredImage
    from imagepeel.rootfs.view import Rootfs

_VISIBLE = 3
_AHEAD = 1 << 20
"""Bytes of a file that is read with its neighbours, in the order of the layer, before somebody asks for it."""

_MOST_AHEAD = 64 << 20
"""Bytes of all files of a layer that are read so."""


class Found(NamedTuple):
    """One record, and the file of the database that has it."""

    kind: DatabaseKind
    file: Shipped
    record: Record


class Doubt(NamedTuple):
    """What of a database could not be read: the file, where in it, and why."""

    family: Family
    file: Shipped
    place: str
    why: str


class Databases:
    """The files of package databases of an image, read one after the other.

    `found` yields their records; what could not be read stands in `doubts` then, `more_doubts` counts those beyond a
    bound.  `seen` are the files that hold records.
    """

    def __init__(self, image: LayeredImage) -> None:
        image.scan()
        self.image: LayeredImage = image
        self.rootfs: Rootfs = image.rootfs
        self.doubts: list[Doubt] = []
        self.more_doubts: int = 0
        self.seen: list[tuple[DatabaseKind, Shipped]] = []
        self._left = ALL_BYTES
        self._ahead: dict[tuple[int, int], bytes] = {}
        self._files: dict[bytes, list[Shipped]] = {}
        self._lists: dict[Shipped, tuple[bytes, ...] | None] = {}
        self._next: dict[bytes, int] = {}
        self._shared: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
        self._names_left: int = MOST_FILES
        self._bytes_left: int = NAME_BYTES
        self._kind: DatabaseKind = KINDS[0]
        self._fates = self.rootfs.derived(Fates) if has_uppers(self.rootfs) else None
        self._shown = self._nodes_shown() if self._fates is None else set()
        self._by_layer: list[list[tuple[DatabaseKind, Shipped]]] = [self._in_layer(layer) for layer in image.layers]
        if self._fates is None:
            self._by_layer = [self._by_order(files) for files in reversed(self._by_layer)][::-1]
        for files in self._by_layer:
            for _, file in files:
                self._files.setdefault(file.path, []).append(file)

    def fate(self, layer: int, entry: int) -> tuple[bool, int | None]:
        """Return whether the image shows a regular file, and else the layer that takes it away, None if not known."""
        if self._fates is None:
            return (layer, entry) in self._shown, None
        if self._fates.of_entries[layer][entry] == _VISIBLE:
            return True, None
        return False, self._fates.taken_by[layer][entry]

    def shown(self, layer: int) -> Callable[[int], bool]:
        """Return a function that says of an entry of a layer whether the image shows it, for a loop over all."""
        if self._fates is None:
            return lambda entry: (layer, entry) in self._shown
        row = self._fates.of_entries[layer]
        return lambda entry: row[entry] == _VISIBLE

    def _nodes_shown(self) -> set[tuple[int, int]]:
        """The files of an image that a runtime refuses: which layer takes one away is not told there."""
        return {
            (node.layer, node.entry)
            for _, node in self.rootfs.walk()
            if node.kind == "file" and node.layer is not None and node.entry is not None
        }

    def _in_layer(self, layer: Layer) -> list[tuple[DatabaseKind, Shipped]]:
        table = layer.table
        wanted: dict[int, list[DatabaseKind]] = {}
        for number, directory in enumerate(table.dirs):
            path = b"/" + directory if directory else b""
            kinds = [kind for kind in KINDS if kind.directory(path)]
            if kinds:
                wanted[number] = kinds
        out: list[tuple[DatabaseKind, Shipped]] = []
        if not wanted:
            return out
        for entry, number in enumerate(table.dir_ids):
            if number not in wanted or table.flag_bits[entry] & WHITEOUT:
                continue
            directory, name = b"/" + table.dirs[number], table.basename(entry)
            for kind in wanted[number]:
                if kind.wants(directory, name):
                    file = self._shipped(layer.index, entry, directory + b"/" + name)
                    if file is not None:
                        out.append((kind, file))
        return out

    def _by_order(self, files: list[tuple[DatabaseKind, Shipped]]) -> list[tuple[DatabaseKind, Shipped]]:
        """Give files of an image that runtimes refuse the time until the next layer that brings them; top layer first.

        One that no later layer brings and that is not shown is left out: nobody can tell what takes it away.
        """
        out = []
        for kind, file in files:
            until = self._next.get(file.path)
            if until is not None or (file.layer, file.entry) in self._shown:
                out.append((kind, file._replace(until=until)))
            self._next[file.path] = file.layer
        return out

    def _shipped(self, layer: int, entry: int, path: bytes) -> Shipped | None:
        kind = self.rootfs.layers[layer].table.meta(entry).type
        if kind == HARDLINK:
            node = self.rootfs.resolve(path, follow=False).node
            if node is None or node.layer != layer or node.entry is None:
                return None
            return Shipped(path, layer, node.entry, None)
        if kind not in (REGULAR, GNU_SPARSE):
            return None
        visible, by = self.fate(layer, entry)
        if self._fates is None:
            return Shipped(path, layer, entry, None)
        if not visible and (by is None or by == layer):
            return None  # it never was to be seen
        return Shipped(path, layer, entry, by)

    # ---- what readers ask for (`record.Reading`) ---------------------------------------------------------------

    def read(self, file: Shipped) -> bytes:
        """Return the bytes of a file.  Remark where they are too many or cannot be read."""
        known = self._ahead.pop((file.layer, file.entry), None)
        if known is not None:
            return known
        layer = self.image.layers[file.layer]
        size = layer.table.size(file.entry)
        if size > self._kind.most:
            raise Remark(f"it has {plural(size, 'byte')}, which is more than is read of one database")
        if size > self._left:
            raise Remark("the databases of this image have more bytes than are read of one image")
        self._left -= size
        try:
            data = layer.open(file.entry).pread(0, size)
        except ImagepeelError as error:
            raise Remark(f"layer {layer_label(file.layer)} cannot be read there: {error.what}") from error
        if len(data) < size:
            raise Remark(f"layer {layer_label(file.layer)} ends inside of it", f"byte {len(data)}")
        return data

    def list_of(self, file: Shipped, parse: Callable[[bytes], tuple[bytes, ...]]) -> tuple[bytes, ...] | None:
        """Return the list that `parse` makes of a file, one object each time; None and a remark where it cannot."""
        if file not in self._lists:
            try:
                self._lists[file] = parse(self.read(file))
            except Remark as remark:
                self._lists[file] = None
                self.remark(file, remark)
        return self._lists[file]

    def at(self, path: bytes, layer: int) -> Shipped | None:
        """Return the file of a database at a path as the stack up to a layer has it, None without one."""
        for file in reversed(self._files.get(path, ())):
            if file.lives_at(layer):
                return file
        return None

    def remark(self, file: Shipped, remark: Remark) -> None:
        """Note that a part of a file could not be read."""
        if len(self.doubts) >= MOST_REMARKS:
            self.more_doubts += 1
            return
        self.doubts.append(Doubt(self._kind.family, file, remark.place, remark.what))

    # ---- the records -------------------------------------------------------------------------------------------

    def found(self) -> list[Found]:
        """Return all records of all versions of all databases, base layer first."""
        out: list[Found] = []
        for shipped in self._by_layer:
            self._read_ahead([file for _, file in shipped])
            for kind, file in shipped:
                if not kind.holds(file.directory, file.name):
                    continue
                self.seen.append((kind, file))
                self._kind = kind
                try:
                    for record in kind.records(file, self):
                        if len(out) >= MOST_RECORDS:
                            raise Remark("the databases of this image have more records than are read", record.place)
                        out.append(Found(kind, file, self._with_shared_list(record)))
                except Remark as remark:
                    self.remark(file, remark)
            self._ahead.clear()
        return out

    def _with_shared_list(self, record: Record) -> Record:
        """Return the record with the one list of files that is equal to its own: most never change.

        Remark when all these lists together are too long.
        """
        if not record.files:
            return record
        shared = self._shared.setdefault(record.files, record.files)
        if shared is not record.files:
            return msgspec.structs.replace(record, files=shared)
        self._names_left -= len(shared)
        self._bytes_left -= sum(map(len, shared))
        if self._names_left < 0 or self._bytes_left < 0:
            raise Remark("the databases of this image list more files than are read", record.place)
        return record

    def _read_ahead(self, files: list[Shipped]) -> None:
        """Read the small files of a layer in the order in which they lie there, so that it is inflated once."""
        table = self.image.layers[files[0].layer].table if files else None
        left = _MOST_AHEAD
        for file in sorted(files, key=lambda file: file.entry):
            if table is not None and table.size(file.entry) <= min(left, _AHEAD):
                left -= table.size(file.entry)
                try:
                    self._ahead[file.layer, file.entry] = self.read(file)
                except Remark:
                    continue  # whoever needs it hears of it
