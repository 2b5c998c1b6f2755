"""Questions about all numbers of a column, answered from their bytes: no object is made of each number."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from itertools import chain

_PART = 65_536
"""Numbers that are taken as one long one: what that takes is several times what the column has."""


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


def steps(column: array[int]) -> array[int] | None:
    """Return how far each number is above the one before it, the first one above 0; None where one is below.

    The numbers have no sign and are less than half of what the column could hold.  ValueError for others.
    """
    half = 1 << 8 * column.itemsize - 1
    if not below(column, half):
        raise ValueError("a number is too large")
    found = array(column.typecode)
    for part, first in _parts(column):
        # All digits are subtracted at once: one that had to borrow comes out as the upper half of what it could be.
        digits = _long(part)
        found += _digits(part, digits - (digits << 8 * column.itemsize))[first:]
    return found if below(found, half) else None


def changes(column: array[int]) -> Iterator[int]:
    """Yield of each number but the first 0 where it is the one before it, and else anything that is not 0."""
    return chain.from_iterable(_marks(part) for part, _ in _parts(column))


def _marks(part: array[int]) -> bytes:
    digits, size = _long(part), part.itemsize
    data = _digits(part, digits ^ digits << 8 * size)[1:].tobytes()
    marks = 0
    for byte in range(size):
        marks |= int.from_bytes(data[byte::size], "little")
    return marks.to_bytes(len(part) - 1, "little")


def low_bytes(column: array[int]) -> bytes:
    """Return the least byte of each number."""
    return _weight(column.tobytes(), column.itemsize, 0)


def _parts(column: array[int]) -> Iterator[tuple[array[int], int]]:
    """Yield parts of a column that are small beside all of it, each but the first behind the last number before it.

    The number that comes with each says how many of its numbers belong to the part before.
    """
    for start in range(0, len(column), _PART):
        first = min(start, 1)
        yield column[start - first : start + _PART], first


def _long(column: array[int]) -> int:
    """Return all numbers of a column as the digits of a single one, the first one as the least."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return int.from_bytes(column.tobytes(), "little")


def _digits(column: array[int], number: int) -> array[int]:
    """Return the digits of a number as a column like another one, without what does not fit into it."""
    found = array(column.typecode)
    size = len(column) * column.itemsize
    found.frombytes(number.to_bytes(size + 2 * column.itemsize, "little", signed=True)[:size])
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _weight(data: bytes, size: int, byte: int) -> bytes:
    """Return one byte of each number, counted from the least."""
    return data[byte if sys.byteorder == "little" else size - 1 - byte :: size]
