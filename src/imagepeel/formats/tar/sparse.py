"""Sparse files: which parts of a file are stored and which are holes.

GNU tar manual, "Storing Sparse Files" (old GNU `S`, PAX 0.0, 0.1, 1.0), checked as Go's archive/tar checks.
A map is a tuple of (offset, length) pairs of stored data, in file order.
"""

from __future__ import annotations

from imagepeel.formats.tar.header import BLOCK, INVALID_HEADER, TarError, numeric
from imagepeel.text import plural

SparseMap = tuple[tuple[int, int], ...]


def _bad(detail: str) -> TarError:
    return TarError(INVALID_HEADER, detail)


def checked(pairs: list[tuple[int, int]], size: int) -> SparseMap:
    """Return the map when its regions are ordered, disjoint and inside `size` bytes.  TarError otherwise."""
    if size < 0:
        raise _bad("a sparse file has a negative size")
    before = 0
    for offset, length in pairs:
        if offset < 0 or length < 0 or offset + length > size or offset < before:
            raise _bad("the sparse map has overlapping regions or leaves the file")
        before = offset + length
    return tuple(pairs)


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 19:
        raise _bad("the sparse map holds something that is not a number")
    return int(digits)


def from_pax_map(records: dict[bytes, bytes], most: int) -> list[tuple[int, int]]:
    """Read formats 0.0 and 0.1: GNU.sparse.map is offset,length,offset,length...  TarError past `most` regions."""
    blocks = records.get(b"GNU.sparse.numblocks", b"")
    fields = records.get(b"GNU.sparse.map", b"").split(b",")
    if fields == [b""]:
        fields = []
    count = _number(blocks)
    if count > most or len(fields) != 2 * count:
        raise _bad("GNU.sparse.numblocks does not match the sparse map")
    return [(_number(fields[i]), _number(fields[i + 1])) for i in range(0, len(fields), 2)]


def from_data(data: bytes, most: int) -> tuple[list[tuple[int, int]], int] | None:
    """Read format 1.0: newline-ended decimals in front of the content, padded to a block.

    Returns (pairs, bytes that the map occupies), or None while `data` (whole blocks) does not hold all of it.
    """
    head, newline, rest = data.partition(b"\n")
    if not newline:
        if len(data) > BLOCK:
            raise _bad("the sparse map has no region count")
        return None
    count = _number(head)
    if count > most:
        raise _bad(f"the sparse map states {plural(count, 'region')}")
    fields = rest.split(b"\n", 2 * count)
    if len(fields) <= 2 * count:
        return None
    used = len(data) - len(fields[-1])
    pairs = [(_number(fields[i]), _number(fields[i + 1])) for i in range(0, 2 * count, 2)]
    return pairs, -(-used // BLOCK) * BLOCK


def from_gnu_block(block: bytes, *, first: bool) -> tuple[list[tuple[int, int]], bool]:
    """Read the regions of an old GNU header (`first`: four of them) or extension block (twenty-one).

    Returns (pairs, whether another extension block follows).
    """
    start, count, flag = (386, 4, 482) if first else (0, 21, 504)
    pairs = []
    for i in range(count):
        at = start + 24 * i
        if block[at] == 0:
            break
        pairs.append((numeric(block[at : at + 12]), numeric(block[at + 12 : at + 24])))
    return pairs, block[flag] > 0
