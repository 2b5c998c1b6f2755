"""The headers in an rpmdb.sqlite: the table Packages is read page by page, and no statement is run.

Source: "Database File Format" of SQLite, sections 1.3 (header), 1.6 (b-tree pages), 1.7 (overflow), 2.1 (records).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from imagepeel.packages.record import Remark

_MAGIC = b"SQLite format 3\0"
_LEAF, _INNER = 13, 5
_DEEPEST = 40


def blobs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset of its page, header) of each row of Packages.  Remark where the file breaks the format."""
    if data[:16] != _MAGIC or len(data) < 512:
        raise Remark("it is no SQLite database", "byte 0")
    database = _Database(data)
    for _, row in database.rows(1):
        if len(row) >= 4 and row[0] == b"table" and row[1] == b"Packages" and isinstance(row[3], int):
            for place, columns in database.rows(row[3]):
                blob = columns[-1]
                if isinstance(blob, bytes):
                    yield place, blob
            return
    raise Remark("it has no table Packages", "byte 100")


class _Database:
    def __init__(self, data: bytes) -> None:
        self.data = data
        size = int.from_bytes(data[16:18], "big")
        self.page_size = 65536 if size == 1 else size
        if self.page_size < 512 or self.page_size & (self.page_size - 1):
            raise Remark(f"pages of {self.page_size} bytes", "byte 16")
        self.usable = self.page_size - data[20]
        self.seen: set[int] = set()
        """Pages that were looked at: each once, so that none leads in a circle."""
        self.left: int = len(data)
        """Bytes that rows may still have: no two lie in one place."""

    def page(self, number: int) -> int:
        """Return the offset of a page.  Remark when it is not there or was looked at before."""
        start = (number - 1) * self.page_size
        if number < 1 or start + self.page_size > len(self.data):
            raise Remark(f"page {number} is not in the file")
        if number in self.seen:
            raise Remark(f"page {number} is reached twice", f"byte {start}")
        self.seen.add(number)
        return start

    def rows(self, root: int) -> Iterator[tuple[int, list[bytes | int | None]]]:
        """Yield (offset of its page, columns) of each row of a table."""
        stack = [(root, 0)]
        while stack:
            number, depth = stack.pop()
            if depth > _DEEPEST:
                raise Remark("a table is too deep")
            start = self.page(number)
            head = start + (100 if number == 1 else 0)
            kind = self.data[head]
            cells = int.from_bytes(self.data[head + 3 : head + 5], "big")
            if kind not in (_LEAF, _INNER):
                raise Remark(f"a page of kind {kind} in a table", f"byte {head}")
            first = head + (8 if kind == _LEAF else 12)
            if first + 2 * cells > start + self.page_size:
                raise Remark("a page has more cells than room", f"byte {head}")
            pointers = struct.unpack_from(f">{cells}H", self.data, first)
            if kind == _INNER:
                right = int.from_bytes(self.data[head + 8 : head + 12], "big")
                below = [int.from_bytes(self.data[start + at : start + at + 4], "big") for at in pointers]
                stack.extend((one, depth + 1) for one in (right, *reversed(below)))
            else:
                for at in pointers:
                    yield start, self.columns(self.payload(start, start + at))

    def payload(self, start: int, at: int) -> bytes:
        """Return the record of a cell of a leaf, with what overflows to other pages (section 1.6)."""
        size, at = self.varint(at)
        _, at = self.varint(at)
        self.left -= size
        if self.left < 0:
            raise Remark("its rows have more bytes than the file", f"byte {at}")
        most = self.usable - 35
        if size <= most:
            return self.take(at, size, start + self.page_size)
        least = (self.usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (self.usable - 4)
        here = here if here <= most else least
        parts = [self.take(at, here, start + self.page_size)]
        left = size - here
        following = int.from_bytes(self.data[at + here : at + here + 4], "big")
        while left > 0:
            page = self.page(following)
            following = int.from_bytes(self.data[page : page + 4], "big")
            parts.append(self.data[page + 4 : page + 4 + min(left, self.usable - 4)])
            left -= len(parts[-1])
        return b"".join(parts)

    def take(self, at: int, count: int, end: int) -> bytes:
        if at + count > end:
            raise Remark("a row reaches over the end of its page", f"byte {at}")
        return self.data[at : at + count]

    def varint(self, at: int) -> tuple[int, int]:
        return _varint(self.data, at)

    def columns(self, record: bytes) -> list[bytes | int | None]:
        """Return the values of a record; numbers with a point are left out as None (section 2.1)."""
        end, at = _varint(record, 0)
        body = end
        out: list[bytes | int | None] = []
        while at < end:
            kind, at = _varint(record, at)
            size = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind] if kind < 12 else (kind - 12) // 2
            value = record[body : body + size]
            if len(value) < size:
                raise Remark("a column reaches over the end of its row")
            body += size
            if kind >= 12:
                out.append(value)
            elif kind in (8, 9):
                out.append(kind - 8)
            else:
                out.append(int.from_bytes(value, "big", signed=True) if 1 <= kind <= 6 else None)
        if not out:
            raise Remark("a row has no columns")
        return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(9):
        if at + step >= len(data):
            raise Remark("a number is cut off", f"byte {at}")
        byte = data[at + step]
        if step == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value, at + 9
