"""Finds the table of contents of a layer, and which stored bytes hold nothing but the content of one file.

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
from imagepeel.archive.source import CHUNK, MemorySource, Source
from imagepeel.errors import ImagepeelError
from imagepeel.formats.tar.scanner import scan
from imagepeel.formats.tar.table import Entry
from imagepeel.formats.toc import INDEX, TocEntry, toc_entries
from imagepeel.limits import Limits
from imagepeel.oci.descriptor import ESTARGZ_TOC, ZSTD_CHUNKED_PREFIXES

LEAST = 512 * 1024
"""Stored bytes from which on a new answer of a server comes sooner than they do."""

_TOLD = ("manifest-position", "manifest-checksum")
_FOOTER = 51
_EMPTY_MEMBER = b"\x1f\x8b\x08\x04"
"""How an empty gzip member begins that has an extra field."""
_CHUNKED = (64, 40)
"""Bytes in the skippable frame at the end, now and in older versions."""
_CHUNKED_MAGIC = b"GnUlInUx"
_SKIPPABLE = b"\x50\x2a\x4d\x18"


class Stretch(NamedTuple):
    """Stored bytes from `start` to `end`, whole gzip members or zstd frames, that are said to hold `content` bytes."""

    start: int
    end: int
    content: int


class Member(NamedTuple):
    """The member of the tar that holds a table: the table does not list it."""

    entry: Entry
    """In the content of the gzip member that it begins."""
    end: int
    """Where in the stored bytes that one ends."""


class Toc(NamedTuple):
    """The table of contents of one layer."""

    entries: list[TocEntry]
    end: int
    """Where in the stored bytes the table begins, behind all that it lists."""
    told: bool
    """Whether the manifest tells the digest of the table, which is that of these bytes then."""
    member: Member | None
    """None where the table is no member of the tar (zstd:chunked)."""


def find_toc(source: Source, kind: Compression, notes: Mapping[str, str], limits: Limits) -> Toc | None:
    """Return the table of contents of a layer; None where there is none, or one that says nothing.

    `notes` are the annotations of the layer.  A table that is damaged, too large, or another one than they tell the
    digest of says nothing.  FetchFailed when the bytes do not come.
    """
    try:
        if kind is Compression.GZIP:
            end, table, member = _estargz(source, limits)
            digest = notes.get(ESTARGZ_TOC)
            if digest is not None and not _agrees(table, digest):
                return None
        elif kind is Compression.ZSTD:
            end, table, digest = _zstd_chunked(source, notes, limits)
            member = None
        else:
            return None
        entries = toc_entries(table) if table else []
    except (CodecError, msgspec.DecodeError, ValueError, RecursionError):
        return None
    if not entries or len(entries) > limits.entries:
        return None
    return Toc(entries, end, digest is not None, member)


def stretches(toc: Toc) -> list[Stretch]:
    """Return what need not be read of a layer to see all its headers, ascending; [] where the table says of none."""
    found = sorted(part for part in _files(toc.entries) if part.end - part.start >= LEAST and part.content > 0)
    if any(before.end > after.start for before, after in pairwise(found)):
        return []
    return found if not found or (found[0].start >= 0 and found[-1].end <= toc.end) else []


def _files(rows: Iterable[TocEntry]) -> Iterator[Stretch]:
    """Yield the stretch of each file that has members of its own.

    The last member of an eStargz file also has the next header, so that its stretch ends before that.
    """
    first: TocEntry | None = None
    last: TocEntry | None = None
    for row in (*rows, TocEntry()):
        if row.type == "chunk":
            last = row
            continue
        if first is not None and first.offset is not None and not first.innerOffset:
            if first.endOffset:
                yield Stretch(first.offset, first.endOffset, first.size or 0)
            elif last is not None and last.offset is not None and not last.innerOffset:
                yield Stretch(first.offset, last.offset, last.chunkOffset or 0)
        first, last = (row if row.type == "reg" else None), None


def _estargz(source: Source, limits: Limits) -> tuple[int, bytes, Member | None]:
    """Return where the table of an eStargz or stargz layer begins, its bytes, b"" without one, and its member."""
    foot = source.pread(max(0, source.size - _FOOTER), _FOOTER)
    # The footer of stargz, from which eStargz came, is the same without the four bytes of a subfield.
    if foot[:4] == _EMPTY_MEMBER and foot[12:16] == b"SG\x16\0":
        end = source.size - _FOOTER
    elif foot[4:8] == _EMPTY_MEMBER and foot[14:16] == b"\x16\0":
        end = source.size - _FOOTER + 4
    else:
        return 0, b"", None
    if len(foot) != _FOOTER or foot[32:38] != b"STARGZ":
        return 0, b"", None
    at = int(foot[16:32], 16)
    if not 0 <= at < end:
        return 0, b"", None
    data = _unpacked(source, Compression.GZIP, (at, end), limits)
    try:
        listed = scan(data).table
    except ImagepeelError:
        return 0, b"", None
    if not len(listed) or listed.path(0) != INDEX:
        return 0, b"", None
    start = listed[0].data_offset
    return at, data[start : start + listed.size(0)], Member(listed[0], end)


def _zstd_chunked(source: Source, notes: Mapping[str, str], limits: Limits) -> tuple[int, bytes, str | None]:
    """Return where the table of a zstd:chunked layer begins, its bytes, b"" without one, and the digest told of it."""
    told = {name: notes[prefix + name] for prefix in ZSTD_CHUNKED_PREFIXES for name in _TOLD if prefix + name in notes}
    digest = told.get("manifest-checksum")
    place = told.get("manifest-position")
    if place is not None:
        at, stored = (int(number) for number in place.split(":")[:2])
    else:
        tail = source.pread(max(0, source.size - 8 - max(_CHUNKED)), 8 + max(_CHUNKED))
        size = next((size for size in _CHUNKED if tail[-8 - size : -size] == _SKIPPABLE + struct.pack("<I", size)), 0)
        if not size or tail[-8:] != _CHUNKED_MAGIC:
            return 0, b"", digest
        at, stored = struct.unpack_from("<2Q", tail, len(tail) - size)
    if not 0 <= at <= at + stored <= source.size or stored > limits.json_bytes:
        return 0, b"", digest
    packed = source.pread(at, stored)
    if digest is not None and not _agrees(packed, digest):
        return 0, b"", digest
    return at, _unpacked(MemorySource(packed), Compression.ZSTD, (0, stored), limits), digest


def _agrees(data: bytes, digest: str) -> bool:
    return digest == "sha256:" + hashlib.sha256(data).hexdigest()


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
