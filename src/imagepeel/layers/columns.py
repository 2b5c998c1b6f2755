"""Questions about all numbers of a column, answered from their bytes: no object is made of each number."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator


def below(column: array[int], bound: int) -> bool:
    """Say whether every number is at least 0 and less than `bound`, which is at most the largest one and 1."""
    if not column or bound <= 0:
        return not column
    data, size = column.tobytes(), column.itemsize
    most = bound - 1
    deciding = max(0, most.bit_length() - 1) // 8
    for byte in range(size - 1, deciding, -1):
        # A negative number has its sign here.
        if _weight(data, size, byte).count(0) < len(column):
            return False
    weights, limit = _weight(data, size, deciding), most >> 8 * deciding
    if weights.translate(None, bytes(range(limit + 1))):
        return False
    if not deciding:
        return True
    # What has the same byte as the bound is looked at itself.
    if weights.count(limit) > len(column) // 8:
        return max(column) < bound
    at = weights.find(limit)
    while at >= 0:
        if column[at] >= bound:
            return False
        at = weights.find(limit, at + 1)
    return True


def small(column: array[int], bound: int) -> Iterator[int]:
    """Yield the places of numbers without a sign that are less than `bound`, which is at most 256, ascending."""
    data, size = column.tobytes(), column.itemsize
    marks = _weight(data, size, 0).translate(bytes(number < bound for number in range(256)))
    at = marks.find(1)
    while at >= 0:
        if column[at] < bound:
            yield at
        at = marks.find(1, at + 1)


def _weight(data: bytes, size: int, byte: int) -> bytes:
    """Return one byte of each number, counted from the least."""
    return data[byte if sys.byteorder == "little" else size - 1 - byte :: size]
