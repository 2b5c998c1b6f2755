"""Which stored bytes of a layer hold nothing but the content of one file, by its table of contents.

Source: stargz-snapshotter docs/estargz.md; containers/storage pkg/chunked and docs/containers-storage-zstd-chunked.md.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import msgspec

from imagepeel.archive.codec import CodecError, make_decoder
from imagepeel.archive.compression import Compression
from imagepeel.archive.source import CHUNK, Source
from imagepeel.errors import ImagepeelError
from imagepeel.formats.tar.scanner import scan
from imagepeel.limits import Limits
from imagepeel.oci.descriptor import ESTARGZ_TOC, ZSTD_CHUNKED_PREFIXES
from imagepeel.serialization import from_json

LEAST = 512 * 1024
"""Stored bytes from which on a new answer of a server comes sooner than they do."""

_TOLD = ("manifest-position", "manifest-checksum")
_FOOTER = 51
_NAME = b"stargz.index.json"
_CHUNKED = (64, 40)
"""Bytes in the skippable frame at the end, now and in older versions."""
_CHUNKED_MAGIC = b"GnUlInUx"
_SKIPPABLE = b"\x50\x2a\x4d\x18"


class Stretch(NamedTuple):
    """Stored bytes from `start` to `end`, whole gzip members or zstd frames, that are said to hold `content` bytes."""

    start: int
    end: int
    content: int


class _Row(msgspec.Struct):
    type: str | None = None
    size: int | None = None
    offset: int | None = None
    endOffset: int | None = None
    chunkOffset: int | None = None
    innerOffset: int | None = None


class _Table(msgspec.Struct):
    entries: list[_Row] | None = None


def stretches(source: Source, kind: Compression, notes: Mapping[str, str], limits: Limits) -> list[Stretch]:
    """Return what need not be read of a layer to see all its headers, ascending; [] where no table says so.

    `notes` are the annotations of the layer.  A table that is damaged, too large, or another one than they tell the
    digest of says nothing.  FetchFailed when the bytes do not come.
    """
    try:
        if kind is Compression.GZIP:
            end, table = _estargz(source, notes, limits)
        elif kind is Compression.ZSTD:
            end, table = _zstd_chunked(source, notes, limits)
        else:
            return []
        rows = from_json(table, _Table).entries if table else None
    except (CodecError, msgspec.DecodeError, ValueError, RecursionError):
        return []
    if rows is None or len(rows) > limits.entries:
        return []
    found = sorted(part for part in _files(rows) if part.end - part.start >= LEAST and part.content > 0)
    if any(before.end > after.start for before, after in pairwise(found)):
        return []
    return found if not found or (found[0].start >= 0 and found[-1].end <= end) else []


def _files(rows: Iterable[_Row]) -> Iterator[Stretch]:
    """Yield the stretch of each file that has members of its own.

    The last member of an eStargz file also has the next header, so that its stretch ends before that.
    """
    first: _Row | None = None
    last: _Row | None = None
    for row in (*rows, _Row()):
        if row.type == "chunk":
            last = row
            continue
        if first is not None and first.offset is not None and not first.innerOffset:
            if first.endOffset:
                yield Stretch(first.offset, first.endOffset, first.size or 0)
            elif last is not None and last.offset is not None and not last.innerOffset:
                yield Stretch(first.offset, last.offset, last.chunkOffset or 0)
        first, last = (row if row.type == "reg" else None), None


def _estargz(source: Source, notes: Mapping[str, str], limits: Limits) -> tuple[int, bytes]:
    footer = source.pread(max(0, source.size - _FOOTER), _FOOTER)
    if len(footer) != _FOOTER or footer[:4] != b"\x1f\x8b\x08\x04" or footer[12:16] != b"SG\x16\0":
        return 0, b""
    if footer[32:38] != b"STARGZ":
        return 0, b""
    at = int(footer[16:32], 16)
    if not 0 <= at < source.size - _FOOTER:
        return 0, b""
    data = _unpacked(source, Compression.GZIP, (at, source.size - _FOOTER), limits)
    try:
        listed = scan(data).table
    except ImagepeelError:
        return 0, b""
    if not len(listed) or listed.path(0) != _NAME:
        return 0, b""
    start = listed[0].data_offset
    table = data[start : start + listed.size(0)]
    return at, _agreed(table, notes.get(ESTARGZ_TOC))


def _zstd_chunked(source: Source, notes: Mapping[str, str], limits: Limits) -> tuple[int, bytes]:
    told = {name: notes[prefix + name] for prefix in ZSTD_CHUNKED_PREFIXES for name in _TOLD if prefix + name in notes}
    place = told.get("manifest-position")
    if place is not None:
        at, stored = (int(number) for number in place.split(":")[:2])
    else:
        tail = source.pread(max(0, source.size - 8 - max(_CHUNKED)), 8 + max(_CHUNKED))
        size = next((size for size in _CHUNKED if tail[-8 - size : -size] == _SKIPPABLE + struct.pack("<I", size)), 0)
        if not size or tail[-8:] != _CHUNKED_MAGIC:
            return 0, b""
        at, stored = struct.unpack_from("<2Q", tail, len(tail) - size)
    if not 0 <= at <= at + stored <= source.size or stored > limits.json_bytes:
        return 0, b""
    packed = _agreed(source.pread(at, stored), told.get("manifest-checksum"))
    return (at, _unpacked(source, Compression.ZSTD, (at, at + stored), limits)) if packed else (0, b"")


def _agreed(data: bytes, digest: str | None) -> bytes:
    """Return the bytes, b"" when a digest is told that is not theirs."""
    return data if digest is None or digest == "sha256:" + hashlib.sha256(data).hexdigest() else b""


def _unpacked(source: Source, kind: Compression, place: tuple[int, int], limits: Limits) -> bytes:
    """Return the content of stored bytes.  ValueError when it is larger than a document may be."""
    decoder = make_decoder(kind, limits)
    data = bytearray()
    for chunk in source.chunks(place[0], place[1] - place[0], step=CHUNK):
        for piece in decoder.feed(chunk):
            data += piece
            if len(data) > limits.json_bytes:
                raise ValueError("the table is too large")
    decoder.finish()
    return bytes(data)
