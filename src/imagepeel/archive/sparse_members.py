"""Members of an outer tar that are stored without their holes (`tar --sparse`), read as the whole files they are.

GNU tar manual, "Storing Sparse Files".  Engines read layers out of such archives, since Go's reader fills holes in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

import msgspec

from imagepeel.archive.source import Source
from imagepeel.formats.tar.header import BLOCK, GNU_SPARSE, INVALID_HEADER, Header, TarError, numeric
from imagepeel.formats.tar.pax import integer
from imagepeel.formats.tar.sparse import SparseMap, checked, from_data, from_gnu_block, from_pax_map
from imagepeel.limits import Limits
from imagepeel.text import plural

_FILL = 100
"""A file may be this many times larger than what is stored of it; small ones up to `Limits.ratio_floor`."""


class Sparse(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of a sparse member lie: `regions` of the whole file of `size` bytes, stored from `offset` on."""

    size: int
    offset: int
    regions: SparseMap
    name: bytes = b""


Read = Callable[[int, int], bytes]


def is_sparse(header: Header, records: dict[bytes, bytes]) -> bool:
    """Say whether a member is stored as a sparse file of any form."""
    return header.type == GNU_SPARSE or any(key.startswith(b"GNU.sparse.") for key in records)


def locate(
    header: Header, block: bytes, records: dict[bytes, bytes], content: int, *, read: Read, limits: Limits
) -> Sparse:
    """Return where the parts of a sparse member lie.

    Arguments: `block` is the header block, `content` the archive offset behind it, `read` gives bytes at an offset.
    TarError when the map is damaged or the holes are out of proportion.
    """
    most = limits.sparse_entries
    if header.type == GNU_SPARSE:
        size = numeric(block[483:495])
        pairs, more = from_gnu_block(block, first=True)
        while more:
            extra = read(content, BLOCK)
            if len(extra) < BLOCK or len(pairs) > most:
                raise TarError(INVALID_HEADER, "the sparse map is cut off or too long")
            content += BLOCK
            further, more = from_gnu_block(extra, first=False)
            pairs += further
    elif records.get(b"GNU.sparse.major", b"0") == b"0":
        size = integer(records.get(b"GNU.sparse.size", records.get(b"GNU.sparse.realsize", b"")), "GNU.sparse.size")
        pairs = from_pax_map(records, most)
    else:
        size = integer(records.get(b"GNU.sparse.realsize", b""), "GNU.sparse.realsize")
        pairs, used = _map_in_content(content, read, most)
        content += used
    regions = checked(pairs, size)
    stored = sum(length for _, length in regions)
    if size > max(limits.ratio_floor, _FILL * stored):
        raise TarError(INVALID_HEADER, f"a file of {plural(size, 'byte')} is stored in {stored}")
    return Sparse(size=size, offset=content, regions=regions, name=records.get(b"GNU.sparse.name", b""))


def _map_in_content(content: int, read: Read, most: int) -> tuple[list[tuple[int, int]], int]:
    blocks = 1
    while True:
        data = read(content, blocks * BLOCK)
        found = from_data(data, most)
        if found is not None:
            return found
        if len(data) < blocks * BLOCK:
            raise TarError(INVALID_HEADER, "the sparse map is cut off")
        blocks *= 2


class SparseSource(Source):
    """The whole of a sparse file: stored regions with zeros between them."""

    def __init__(self, base: Source, sparse: Sparse, name: str) -> None:
        self.name = name
        self.size: int = sparse.size
        self._base = base
        self._regions: list[tuple[int, int, int]] = []
        stored = sparse.offset
        for start, length in sparse.regions:
            if length:
                self._regions.append((start, length, stored))
            stored += length
        self._starts = [start for start, _, _ in self._regions]

    def pread(self, offset: int, count: int) -> bytes:
        end = min(offset + count, self.size)
        parts: list[bytes] = []
        at = offset
        index = max(0, bisect_right(self._starts, offset) - 1)
        while at < end:
            while index < len(self._regions) and self._regions[index][0] + self._regions[index][1] <= at:
                index += 1
            if index == len(self._regions) or self._regions[index][0] >= end:
                parts.append(bytes(end - at))
                break
            start, length, stored = self._regions[index]
            if at < start:
                parts.append(bytes(start - at))
                at = start
            piece = self._base.pread(stored + at - start, min(end, start + length) - at)
            if not piece:
                break
            parts.append(piece)
            at += len(piece)
        return b"".join(parts)
