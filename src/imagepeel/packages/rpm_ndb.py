"""The headers in a Packages.db of rpm's own form, ndb: slots that point at blobs.

Source: rpm's `lib/backend/ndb/rpmpkg.c`: a header of 32 bytes, slots of 16 bytes that fill pages of 4,096, blobs in
blocks of 16 bytes with a head and a tail; all numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from imagepeel.packages.record import Remark

_HEADER, _SLOT, _BLOB = b"RpmP", b"Slot", b"BlbS"
_PAGE = 4096
_BLOCK = 16


def blobs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, header) of each package.  Remark where the file breaks the format."""
    if data[:4] != _HEADER or len(data) < _PAGE:
        raise Remark("it is no ndb database of rpm", "byte 0")
    (pages,) = struct.unpack_from("<I", data, 12)
    if pages < 1 or pages * _PAGE > len(data):
        raise Remark("it says more pages of slots than it has", "byte 12")
    left = len(data)
    for place in range(2 * _BLOCK, pages * _PAGE, _BLOCK):
        magic, package, block, count = struct.unpack_from("<4sIII", data, place)
        if magic != _SLOT:
            raise Remark("a slot has no mark", f"byte {place}")
        if not block:
            continue
        start = block * _BLOCK
        if start + _BLOCK > len(data):
            raise Remark("a slot points out of the file", f"byte {place}")
        mark, owner, _, length = struct.unpack_from("<4sIII", data, start)
        if mark != _BLOB or owner != package or length + _BLOCK > count * _BLOCK or start + _BLOCK + length > len(data):
            raise Remark("a slot points at no blob of its package", f"byte {place}")
        left -= length + _BLOCK
        if left < 0:
            raise Remark("its blobs have more bytes than the file", f"byte {place}")
        yield start, data[start + _BLOCK : start + _BLOCK + length]
