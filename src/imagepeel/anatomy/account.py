"""Every byte of a tar accounted for: headers, content, padding, the end, and what stands behind it.

Source: POSIX.1-2001 pax, "ustar Interchange Format": 512-byte blocks, content padded to whole blocks, two zero blocks
at the end; GNU tar manual, "Blocking": the file is filled with zeros to a whole record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.members import Member
from imagepeel.archive.source import Source
from imagepeel.archive.tar_members import TarMembers
from imagepeel.formats.compressed import Unit, gzip_members, zstd_frames
from imagepeel.formats.tar.header import BLOCK
from imagepeel.formats.tar.table import EntryTable

Reader = Callable[[int, int], bytes]

RegionKind = Literal["end", "fill", "between", "behind", "not read"]
"""What bytes are that belong to no entry.

`end` are the two zero blocks, `fill` the zeros after them to the end of the record, `between` what stands between two
entries, `behind` what follows the end without being zeros only, `not read` what follows where the listing ends early.
"""

_LOOKED_AT = 1 << 20
"""Bytes behind the end that are looked at."""


class Part(NamedTuple):
    """One entry of a tar in bytes: it begins at `offset`, and the three follow each other; `number` counts from 0."""

    number: int
    offset: int
    headers: int
    content: int
    padding: int


class Region(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a tar that belong to no entry."""

    offset: int
    """Bytes from the start of the tar."""
    size: int
    """Bytes."""
    kind: RegionKind


class TarAccount(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A tar, every byte of it: headers + content + padding + the regions are its size."""

    size: int
    """Bytes of the tar, decompressed."""
    entries: int
    """Count of entries."""
    headers: int
    """Bytes of header blocks, those of PAX and GNU tar with what they say included."""
    content: int
    """Bytes of files as stored."""
    padding: int
    """Bytes that fill the last block of each file."""
    regions: tuple[Region, ...]
    """What belongs to no entry, in order."""

    @property
    def accounted(self) -> int:
        """The sum of all parts."""
        return self.headers + self.content + self.padding + sum(region.size for region in self.regions)


def table_parts(table: EntryTable, size: int) -> Iterator[Part]:
    """Return an iterator over the entries of a layer whose decompressed content has `size` bytes, in stream order."""
    return (table_part(table, i, size) for i in range(len(table)))


def table_part(table: EntryTable, index: int, size: int) -> Part:
    """Return one of them by its index from 0."""
    offset = table.header_offsets[index]
    start = offset + BLOCK * table.header_blocks[index]
    return _part(index, offset=offset, start=start, stored=table.stored_size(index), size=size)


def member_part(members: TarMembers, member: Member) -> Part:
    """Return one member of an archive in bytes."""
    assert member.header_offset is not None and member.offset is not None  # only those of a directory have none
    stored = sum(length for _, length in member.sparse.regions) if member.sparse is not None else member.size
    return _part(
        member.index,
        offset=member.header_offset,
        start=member.offset,
        stored=stored,
        size=members.archive.size,
    )


def _part(number: int, *, offset: int, start: int, stored: int, size: int) -> Part:
    """Return an entry, of which only so much is here as the tar has bytes."""
    content = max(0, min(stored, size - start))
    padding = max(0, min(-stored % BLOCK, size - start - stored))
    return Part(number, offset, min(start, size) - offset, content, padding)


def account(parts: Iterable[Part], size: int, read: Reader, *, whole: bool) -> TarAccount:
    """Return where every byte of a tar of `size` bytes is; `parts` are its entries in order.

    `read(offset, count)` gives bytes of the tar.  `whole` is False where the listing ends early: what follows is then
    not read.
    """
    regions: list[Region] = []
    count = headers = content = padding = at = 0
    for part in parts:
        if part.offset > at:
            regions.append(Region(offset=at, size=part.offset - at, kind="between"))
        count += 1
        headers += part.headers
        content += part.content
        padding += part.padding
        at = part.offset + part.headers + part.content + part.padding
    regions += _tail(at, size, read) if whole else [Region(offset=at, size=size - at, kind="not read")]
    return TarAccount(
        size=size,
        entries=count,
        headers=headers,
        content=content,
        padding=padding,
        regions=tuple(region for region in regions if region.size),
    )


def _tail(at: int, size: int, read: Reader) -> Iterator[Region]:
    """Yield what follows the last entry: the end, the zeros behind it, and what else stands there."""
    if at >= size:
        return
    seen = read(at, min(size - at, _LOOKED_AT))
    zeros = len(seen) - len(seen.lstrip(b"\0"))
    end = min(zeros, 2 * BLOCK)
    yield Region(offset=at, size=end, kind="end")
    yield Region(offset=at + end, size=zeros - end, kind="fill")
    # What is behind a megabyte of zeros is not looked at.
    rest: RegionKind = "not read" if zeros == len(seen) else "behind"
    yield Region(offset=at + zeros, size=size - at - zeros, kind=rest)


def units_of(source: Source, compression: str) -> Iterator[Unit]:
    """Yield the gzip members or zstd frames of stored bytes; none for what is stored plain, and for xz and bzip2."""
    if compression == "gzip":
        yield from gzip_members(source.pread, source.size)
    elif compression == "zstd":
        yield from zstd_frames(source.pread, source.size)
