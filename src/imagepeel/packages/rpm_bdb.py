"""The headers in a Packages file of Berkeley DB: each page of its hash is read, and what overflows to other pages.

Source: Berkeley DB's `dbinc/db_page.h` (pages, items, overflow) and `hash.h`; rpm keeps headers as values under the
number of the package, and under the number 0 the highest one given.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from imagepeel.packages.record import Remark

_MAGIC = 0x061561
_HASH_UNSORTED, _HASH, _OVERFLOW = 2, 13, 7
_INLINE, _OFF_PAGE = 1, 3
_HEAD = 26


def blobs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset of its page, header) of each package.  Remark where the file breaks the format."""
    if len(data) < 512:
        raise Remark("it is no hash of Berkeley DB", "byte 0")
    for order in "<>":
        if struct.unpack_from(f"{order}I", data, 12)[0] == _MAGIC:
            break
    else:
        raise Remark("it is no hash of Berkeley DB", "byte 12")
    (size,) = struct.unpack_from(f"{order}I", data, 20)
    if size < 512 or size > 65536 or size & (size - 1):
        raise Remark(f"pages of {size} bytes", "byte 20")
    taken: set[int] = set()
    for start in range(size, len(data) - size + 1, size):
        if data[start + 25] in (_HASH, _HASH_UNSORTED):
            yield from _page(data, start, size, order, taken)
    if len(data) % size:
        raise Remark("the last page is cut off", f"byte {len(data) - len(data) % size}")


def _page(data: bytes, start: int, size: int, order: str, taken: set[int]) -> Iterator[tuple[int, bytes]]:
    (count,) = struct.unpack_from(f"{order}H", data, start + 20)
    if count % 2 or _HEAD + 2 * count > size:
        raise Remark("a page has more items than room", f"byte {start}")
    places = struct.unpack_from(f"{order}{count}H", data, start + _HEAD)
    for index in range(1, count, 2):
        at = places[index]
        if at >= places[index - 1] or (index > 1 and places[index - 1] >= places[index - 2]):
            raise Remark("the items of a page are not in their order", f"byte {start}")
        if not _HEAD <= at < size:
            raise Remark("an item lies outside of its page", f"byte {start}")
        kind = data[start + at]
        if kind == _INLINE:
            # Items lie one before the other, from the end of the page to its front.
            blob = data[start + at + 1 : start + places[index - 1]]
            if len(blob) > 4:
                yield start, blob
        elif kind == _OFF_PAGE:
            if at + 12 > size:
                raise Remark("an item lies outside of its page", f"byte {start}")
            page, length = struct.unpack_from(f"{order}II", data, start + at + 4)
            yield start, _overflow(data, page, length, (size, order), taken)


def _overflow(data: bytes, page: int, length: int, form: tuple[int, str], taken: set[int]) -> bytes:
    size, order = form
    if length > len(data):
        raise Remark("a header is larger than the file", f"byte {page * size}")
    parts: list[bytes] = []
    left = length
    while left > 0:
        start = page * size
        if page == 0 or start + size > len(data) or page in taken or data[start + 25] != _OVERFLOW:
            raise Remark("the pages of a header are not there, or lead in a circle", f"byte {start}")
        taken.add(page)
        page, here = (
            struct.unpack_from(f"{order}I", data, start + 16)[0],
            struct.unpack_from(f"{order}H", data, start + 22)[0],
        )
        if not 0 < here <= size - _HEAD:
            raise Remark("a page says a length that it has no room for", f"byte {start}")
        parts.append(data[start + _HEAD : start + _HEAD + min(here, left)])
        left -= len(parts[-1])
    return b"".join(parts)
