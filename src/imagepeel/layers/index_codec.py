"""A layer's scan as bytes and back: what the persistent index keeps.

    magic (16) | SHA-256 up to the windows (32) | length of the header (4) | header | rare things | columns | windows

The windows are what inflating needs to start inside a gzip member, and are mostly nine tenths of the file.  Few runs
inflate anything, so they are read by those that do; the header has their SHA-256.
Columns are raw arrays, so that reading costs a copy; they are written and read one after the other, so that no more
than one of them is in memory twice.  Everything is checked on the way in, as if an enemy had written it: the checksum
finds accidents, the bounds keep every access inside the table.  Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from array import array
from itertools import pairwise
from typing import IO, Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.compression import Compression
from imagepeel.evidence import Anomaly
from imagepeel.formats.tar.header import BLOCK, TarError
from imagepeel.formats.tar.metas import Meta
from imagepeel.formats.tar.sparse import checked
from imagepeel.formats.tar.table import ODD_NAME, EntryTable, Extra, TrailingData
from imagepeel.layers.columns import below, small, steps
from imagepeel.layers.layer_scan import LayerScan
from imagepeel.limits import Limits
from imagepeel.serialization import convert, from_json, from_msgpack, to_json, to_msgpack

MAGIC = b"imagepeel-index\n"
VERSION = 4
"""Counts up whenever the layout or the meaning of a scan changes; other versions are not read."""

_COLUMNS = (
    ("header_offsets", "Q"),
    ("header_blocks", "I"),
    ("sizes", "q"),
    ("mtime_seconds", "q"),
    ("meta_ids", "I"),
    ("dir_ids", "I"),
    ("name_ends", "I"),
    ("crcs", "I"),
)

_DIRTY = late(rb"/\.{0,2}/")
_SIZES = {"Q": 8, "q": 8, "I": 4, "i": 4}


class BadIndex(Exception):
    """The bytes are no index that this version wrote for this machine."""


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """What an index has of access points inside a gzip member: offsets of stored bytes and content, ascending.

    Their states are the last `size` bytes, whose SHA-256 is `digest`.
    """

    places: tuple[tuple[int, int], ...]
    size: int
    digest: str


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    byteorder: Literal["little", "big"]
    compression: Compression
    blob_size: int
    blob_digest: str
    content_size: int
    diff_id: str
    units: int
    skippable: int
    entries: int
    rare: int
    names: int
    dirs: int
    nanos: bool
    digests: bool
    limits: str
    tail: TrailingData | None
    access: tuple[tuple[int, int], ...]
    """Starts of members and frames, which need no state."""
    windows: Windows | None


class _Rare(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    metas: list[Meta]
    dirs: list[bytes]
    links: dict[int, bytes]
    raw_names: dict[int, bytes]
    extras: dict[int, tuple[dict[bytes, bytes], tuple[tuple[int, int], ...] | None, int]]
    anomalies: str


def encode(scan: LayerScan, limits: Limits) -> list[bytes | memoryview]:
    """Return a scan as bytes, in pieces.  ValueError for one that is not whole and hashed, or holds what no index can.

    `limits` are those that it was made under: the index is not used under others.
    """
    if scan.error is not None or scan.blob_digest is None or scan.diff_id is None:
        raise ValueError("only the scan of a whole layer with its digests can be kept")
    table = scan.table
    if not isinstance(table.metas, list):
        raise ValueError("next to nothing is alike in its entries")
    from imagepeel.archive.block_start import BlockStart  # start time

    # The state of an inflate in progress cannot leave the process.
    inside = [point for point in scan.access if isinstance(point.state, BlockStart)]
    states = to_msgpack([point.state for point in inside]) if inside else b""
    # JSON of the standard library, since messages may hold surrogates for bytes that are not UTF-8.
    anomalies = json.dumps(msgspec.to_builtins(scan.anomalies)) if scan.anomalies else ""
    extras = {i: (extra.pax, extra.sparse, extra.stored) for i, extra in table.extras.items()}
    try:
        rare = to_msgpack(
            _Rare(
                metas=table.metas,
                dirs=table.dirs,
                links=table.links,
                raw_names=table.raw_names,
                extras=extras,
                anomalies=anomalies,
            )
        )
    except (OverflowError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error
    header = to_json(
        _Header(
            version=VERSION,
            byteorder=sys.byteorder,
            compression=scan.compression,
            blob_size=scan.blob_size,
            blob_digest=scan.blob_digest,
            content_size=scan.content_size,
            diff_id=scan.diff_id,
            units=scan.units,
            skippable=scan.skippable,
            entries=len(table),
            rare=len(rare),
            names=len(table.names),
            dirs=len(table.dirs),
            nanos=table.mtime_nanos is not None,
            digests=table.digests is not None,
            limits=_bounds(limits),
            tail=scan.tail,
            access=tuple((point.stored, point.content) for point in scan.access if point.state is None),
            windows=Windows(
                places=tuple((point.stored, point.content) for point in inside),
                size=len(states),
                digest=hashlib.sha256(states).hexdigest(),
            )
            if inside
            else None,
        )
    )
    parts: list[bytes | memoryview] = [len(header).to_bytes(4, "little"), header, rare]
    parts += [memoryview(getattr(table, name)).cast("B") for name, _ in _COLUMNS]
    parts += [memoryview(table.flag_bits), table.names]
    if table.mtime_nanos is not None:
        parts.append(memoryview(table.mtime_nanos).cast("B"))
    if table.digests is not None:
        parts.append(memoryview(table.digests))
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    return [MAGIC, checksum.digest(), *parts, states]


def decode(file: IO[bytes], limits: Limits) -> tuple[LayerScan, Windows | None]:
    """Return the scan that `encode` wrote, from a whole file, and what `decode_windows` takes, None without windows.

    `access` of the scan has the places that need no window.
    BadIndex for anything else, and for values that point outside.  OSError as the file raises it.
    """
    try:
        return _decode(_Body(file), limits)
    except (
        msgspec.MsgspecError, ValueError, TypeError, OverflowError, EOFError, TarError, RecursionError,
    ) as error:  # fmt: skip
        raise BadIndex(str(error)) from error


def decode_windows(file: IO[bytes], windows: Windows) -> tuple[Checkpoint, ...]:
    """Return the access points that need a window, ascending, from the file that `decode` found them in.

    BadIndex when it is another file by now, or damaged.  OSError as the file raises it.
    """
    from imagepeel.archive.block_start import MOST_LEAD, WINDOW, BlockStart  # start time

    try:
        _need(0 <= windows.size <= file.seek(0, os.SEEK_END), "the index is cut off")
        file.seek(-windows.size, os.SEEK_END)
        data = file.read(windows.size)
        _need(hashlib.sha256(data).hexdigest() == windows.digest, "the checksum of the windows is wrong")
        states = from_msgpack(data, list[BlockStart])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadIndex(str(error)) from error
    _need(len(states) == len(windows.places), "a window is missing")
    for state in states:
        _need(0 < len(state.lead) <= MOST_LEAD and len(state.window) <= 2 * WINDOW, "a block is too large")
    return tuple(Checkpoint(*place, state) for place, state in zip(windows.places, states, strict=True))


class _Body:
    """What follows the checksum up to the windows, in order; never more is asked for than the file has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._checksum = hashlib.sha256()
        head = self.take(len(MAGIC) + 32)
        _need(head.startswith(MAGIC), "no index")
        self._stated = head[len(MAGIC) :]
        self._checksum = hashlib.sha256()

    def take(self, length: int) -> bytes:
        self._need_left(length)
        data = self._file.read(length)
        _need(len(data) == length, "the index is cut off")
        self._checksum.update(data)
        return data

    def fill(self, column: array[int], count: int) -> array[int]:
        """Return a column of one number with `count` of them."""
        _need(column.itemsize == _SIZES[column.typecode], "another machine")
        self._need_left(count * column.itemsize)
        # Read in place: the bytes are copied once, not twice.
        column *= count
        with memoryview(column).cast("B") as data:
            _need(self._file.readinto(data) == len(data), "the index is cut off")  # type: ignore[attr-defined]
            self._checksum.update(data)
        return column

    def end(self, rest: int) -> None:
        _need(self._left == rest, "bytes are left over or missing")
        _need(self._checksum.digest() == self._stated, "the checksum is wrong")

    def _need_left(self, length: int) -> None:
        _need(0 <= length <= self._left, "the index is cut off")
        self._left -= length


def _bounds(limits: Limits) -> str:
    return hashlib.sha256(to_json(limits)).hexdigest()


def _need(fact: bool, what: str) -> None:
    if not fact:
        raise BadIndex(what)


def _decode(body: _Body, limits: Limits) -> tuple[LayerScan, Windows | None]:
    header = from_json(body.take(int.from_bytes(body.take(4), "little")), _Header)
    _need(header.version == VERSION and header.byteorder == sys.byteorder, "another version or machine")
    _need(header.limits == _bounds(limits), "made under other limits")
    count = header.entries
    numbers = (header.blob_size, header.content_size, header.units, header.skippable, count, header.rare, header.names)
    _need(min(numbers) >= 0 and count <= limits.entries, "a number is out of range")
    rare_data = body.take(header.rare)
    table = EntryTable()
    for name, code in _COLUMNS:
        setattr(table, name, body.fill(array(code, (0,)), count))
    table.flag_bits = bytearray(body.take(count))
    table.names = body.take(header.names)
    if header.nanos:
        table.mtime_nanos = body.fill(array("i", (0,)), count)
    if header.digests:
        table.digests = bytearray(body.take(32 * table.hashed))
    body.end(header.windows.size if header.windows is not None else 0)
    rare = from_msgpack(rare_data, _Rare)
    table.dirs = rare.dirs
    table.metas = rare.metas
    table.links = rare.links
    table.raw_names = rare.raw_names
    table.extras = {
        i: Extra(pax, checked(list(sparse), table.sizes[i]) if sparse is not None else None, stored)
        for i, (pax, sparse, stored) in rare.extras.items()
        if _index(i, count)
    }
    _check(table, header, count)
    anomalies = convert(json.loads(rare.anomalies), tuple[Anomaly, ...]) if rare.anomalies else ()
    inside = header.windows.places if header.windows is not None else ()
    _need(not inside or header.compression == Compression.GZIP, "windows are those of gzip")
    for places in (header.access, inside):
        for before, after in pairwise(((0, 0), *places)):
            _need(before[0] <= after[0] <= header.blob_size, "an access point is outside")
            _need(before[1] <= after[1] <= header.content_size, "an access point is outside")
    scan = LayerScan(
        compression=header.compression,
        blob_size=header.blob_size,
        blob_digest=header.blob_digest,
        content_size=header.content_size,
        diff_id=header.diff_id,
        table=table,
        tail=header.tail,
        units=header.units,
        skippable=header.skippable,
        anomalies=anomalies,
        error=None,
        access=tuple(Checkpoint(*place, None) for place in header.access),
    )
    return scan, header.windows


def _index(i: int, count: int) -> bool:
    _need(0 <= i < count, "an entry does not exist")
    return True


def _check(table: EntryTable, header: _Header, count: int) -> None:
    """Check that no value points outside, that names are clean, and that what the flags promise is there."""
    dirs, ends = table.dirs, table.name_ends
    _need(bool(dirs) and dirs[0] == b"" and len(dirs) == header.dirs and len(set(dirs)) == len(dirs), "directories")
    # All at once: an empty part shows as two slashes, and a NUL inside a path as one too many.
    joined = b"/\0/".join((b"", *dirs[1:], b""))
    _need(not _DIRTY.search(joined) and joined.count(b"\0") == len(dirs), "a directory is not clean")
    _need(b"/" not in table.names and b"\0" not in table.names, "a name is not clean")
    for texts in (table.links, table.raw_names):
        _need(not texts or 0 <= min(texts) <= max(texts) < count, "an entry does not exist")
        _need(b"\0" not in b"".join(texts.values()), "a raw name or a link has a NUL")
    for meta in table.metas:
        _need(len(meta.type) == 1, "a type is not one byte")
    if not count:
        _need(not table.names, "names without entries")
        return
    inside = below(table.dir_ids, len(dirs)) and below(table.meta_ids, len(table.metas))
    _need(inside, "a column points outside")
    inside = below(table.header_offsets, header.content_size + 1) and below(table.sizes, 1 << 63)
    _need(inside and below(table.header_blocks, header.content_size // BLOCK + 1), "an offset is outside")
    _need(table.mtime_nanos is None or below(table.mtime_nanos, 1_000_000_000), "nanoseconds")
    # Ends of names ascend; a name that is short enough to be `.` or `..` is looked at.
    lengths = steps(ends)
    if lengths is None or ends[-1] != len(table.names):
        raise BadIndex("names are not in order")
    for i in small(lengths, 3):
        name = table.basename(i)
        _need(name not in (b".", b"..") and (bool(name) or not table.dir_ids[i]), "a name is not clean")
    odd = table.flag_bits.translate(_ODD)
    _need(odd.count(1) == sum(odd[i] for i in table.raw_names), "a raw name is missing")


_ODD = bytes(bool(flags & ODD_NAME) for flags in range(256))
"""Maps flags to whether the raw name must stand in the dictionary."""
