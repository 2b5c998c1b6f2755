"""Writes entries into the columns of a table: interning of directories and of what headers share."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import LimitExceeded
from imagepeel.evidence import Location
from imagepeel.formats.tar.header import NotPlain
from imagepeel.formats.tar.metas import MOST_METAS, Meta
from imagepeel.formats.tar.table import (
    DOT_SLASH,
    ESCAPES,
    ODD_NAME,
    SLASH,
    TRAILING,
    UNHASHED,
    WHITEOUT,
    EntryTable,
    clean,
)
from imagepeel.formats.tar.whiteouts import PREFIX
from imagepeel.limits import Limits
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.formats.tar.many_metas import ManyMetas

MEMO = 8192
"""Entries of each memo before it starts anew: layers have few distinct values, hostile ones as many as they like."""


_ONE = array("I", (1,)).tobytes()
LONG_NAME = 255
"""Bytes of a name from which on it counts against `Limits.name_bytes`."""


class Extension(msgspec.Struct, frozen=True):
    """What a PAX header says of the header behind it."""

    name: bytes
    """b"" for that of the header."""
    link: bytes
    """b"" for that of the header."""
    mtime: int | None
    """None for that of the header."""
    nanos: int
    size: int
    """Bytes of its records."""
    blocks: int
    """How many it has."""


NO_EXTENSION = Extension(b"", b"", None, 0, 0, 0)


class Row(msgspec.Struct, frozen=True):
    """Plain entries that stand one behind the other, in columns: one block of header each, no nanoseconds."""

    offsets: list[int]
    sizes: list[int]
    mtimes: list[int]
    metas: list[int]
    places: list[int]
    names: list[bytes]
    flag_bits: list[int]
    crcs: list[int]
    digests: list[bytes]
    """32 bytes of each entry with a checksum, where they are wanted."""
    extended: dict[int, Extension]
    """By index; one behind the last entry is of an entry that is not plain."""


class TableBuilder:
    """Appends to one table, entry by entry or a row of entries at a time."""

    def __init__(self, table: EntryTable, limits: Limits, layer: int | None) -> None:
        self.table = table
        self._metas: dict[Meta, int] = {}
        self._append_meta = self._keep_metas([])
        self._limits = limits
        self._layer = layer
        self._kept = 0
        self._memo_dir: dict[bytes, tuple[int, int]] = {b"": (0, 0)}
        self._dir_ids: dict[bytes, int] = {b"": 0}
        # Gives its bytes away without a copy, which for a million entries is a fifth of the peak.
        self._names = BytesIO()

    @property
    def room(self) -> int:
        """How many entries `Limits.entries` still allows."""
        return self._limits.entries - len(self.table)

    def meta(self, meta: Meta) -> int:
        """Return the index of what entries share, interned."""
        index = self._metas.get(meta)
        if index is None:
            if len(self._metas) >= MEMO:
                self._metas.clear()
            index = self._metas[meta] = len(self.table.metas)
            if index == MOST_METAS:
                from imagepeel.formats.tar.many_metas import ManyMetas  # start time

                self._append_meta = self._keep_metas(ManyMetas(self.table.metas))
            self._append_meta(meta)
        return index

    def _keep_metas(self, metas: ManyMetas | list[Meta]) -> Callable[[Meta], None]:
        """Give the table this list, and return what adds to it."""
        self.table.metas = metas
        return metas.append

    def keep(self, count: int, offset: int) -> None:
        """Account for bytes of long names and records.  LimitExceeded past `Limits.name_bytes`."""
        self._kept += count
        if self._kept > self._limits.name_bytes:
            raise LimitExceeded(
                f"the names and extension headers of a layer exceed {plural(self._limits.name_bytes, 'byte')}",
                Location(layer=self._layer, entry=len(self.table), layer_offset=offset),
                "raise Limits.name_bytes if you trust the image",
            )

    def takes(self, count: int) -> bool:
        """Account for the records of a PAX header if no limit is against it; return whether it was so."""
        if count > self._limits.header_bytes or self._kept + count > self._limits.name_bytes:
            return False
        self._kept += count
        return True

    def add(
        self, name: bytes, meta: int, offset: int, size: int, mtime: int, *, blocks: int = 1, nanos: int = 0
    ) -> None:
        """Append one entry; `blocks` are those of its headers.  LimitExceeded past `Limits.entries`."""
        table = self.table
        index = len(table.header_offsets)
        if index >= self._limits.entries:
            raise LimitExceeded(
                f"a layer has more than {plural(self._limits.entries, 'entry')}",
                Location(layer=self._layer, entry=index, layer_offset=offset),
                "raise Limits.entries if you trust the image",
            )
        if len(name) > LONG_NAME:
            self.keep(len(name), offset)
        flags = UNHASHED
        directory, _, base = name.rpartition(b"/")
        if not base:
            flags |= TRAILING
            directory, _, base = directory.rpartition(b"/")
        known = self._memo_dir.get(directory)
        if known is None:
            known = self._directory(directory)
        if known[1] < 0 or base in (b"", b".", b"..") or (not directory and name[:1] == b"/"):
            table.raw_names[index] = name
            directory_id, base, flags = self._split(name, flags & ~TRAILING)
        else:
            directory_id = known[0]
            flags |= known[1]
        if base.startswith(PREFIX):
            flags |= WHITEOUT
        table.header_offsets.append(offset)
        table.header_blocks.append(blocks)
        table.sizes.append(size)
        table.mtime_seconds.append(min(max(mtime, -(1 << 63)), (1 << 63) - 1))
        if nanos or table.mtime_nanos is not None:
            if table.mtime_nanos is None:
                table.mtime_nanos = array("i", bytes(4 * index))
            table.mtime_nanos.append(nanos)
        table.meta_ids.append(meta)
        table.dir_ids.append(directory_id)
        self._names.write(base)
        table.name_ends.append(self._names.tell())
        table.flag_bits.append(flags)
        table.crcs.append(0)

    def place(self, directory: bytes) -> tuple[int, int]:
        """Return the id of a raw directory and the flags that give it back.  NotPlain for one that none do."""
        known = self._memo_dir.get(directory)
        if known is None:
            known = self._directory(directory)
        if known[1] < 0:
            raise NotPlain
        return known

    def extend(self, row: Row) -> None:
        """Append entries that are within `Limits.entries`."""
        count = len(row.offsets)
        refused = row.extended.pop(count, None)
        if refused is not None:
            self._kept -= refused.size
        if not count:
            return
        table = self.table
        before = len(table)
        ends = accumulate(map(len, row.names), initial=self._names.tell())
        next(ends)
        table.name_ends.extend(ends)
        self._names.write(b"".join(row.names))
        table.header_offsets.fromlist(row.offsets)
        table.header_blocks.frombytes(_ONE * count)
        table.sizes.fromlist(row.sizes)
        table.mtime_seconds.fromlist(row.mtimes)
        if table.mtime_nanos is not None:
            table.mtime_nanos.frombytes(bytes(count * table.mtime_nanos.itemsize))
        table.meta_ids.fromlist(row.metas)
        table.dir_ids.fromlist(row.places)
        table.flag_bits += bytes(row.flag_bits)
        table.crcs.fromlist(row.crcs)
        if table.digests is not None:
            table.digests += b"".join(row.digests)
        for index, extension in row.extended.items():
            table.header_blocks[before + index] += extension.blocks
            if extension.nanos and table.mtime_nanos is None:
                table.mtime_nanos = array("i", bytes(4 * len(table)))
            if table.mtime_nanos is not None:
                table.mtime_nanos[before + index] = extension.nanos

    def finish(self) -> None:
        """Give the table the names of its entries; until then only what they do not need can be asked of it."""
        self.table.names = self._names.getvalue()

    def _directory(self, directory: bytes) -> tuple[int, int]:
        """Return (id, name flags) of a raw directory; flags -1 when the raw name cannot be rebuilt from them."""
        cleaned, escapes = clean(directory)
        flags = -1
        if not escapes:
            if directory == cleaned:
                flags = 0
            elif directory == b"./" + cleaned or directory == b".":
                flags = DOT_SLASH
            elif directory == b"/" + cleaned and cleaned:
                flags = SLASH
        value = (self._dir_id(cleaned), flags)
        if len(self._memo_dir) < 64 * MEMO:
            self._memo_dir[directory] = value
        return value

    def _dir_id(self, cleaned: bytes) -> int:
        known = self._dir_ids.get(cleaned)
        if known is None:
            known = len(self.table.dirs)
            self.table.dirs.append(cleaned)
            self._dir_ids[cleaned] = known
        return known

    def _split(self, name: bytes, flags: int) -> tuple[int, bytes, int]:
        cleaned, escapes = clean(name)
        directory, _, base = cleaned.rpartition(b"/")
        return self._dir_id(directory), base, flags | ODD_NAME | (ESCAPES if escapes else 0)
