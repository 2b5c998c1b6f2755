"""Places inside one gzip member from which inflating can start in another process.

The state of an inflate in progress cannot leave the process, and Python's zlib neither stops at the end of a block nor
takes single bits.  Both can be had from what it does offer.

*Where a block begins.*  The Huffman codes at the head of a dynamic block are some 40 to 100 bytes that yield no
content, while any symbol of content takes less than eight.  So a piece of `_STEP` bytes without content is such a head,
the block begins at one of few bits before it, and what was inflated so far ends exactly there.  Each of these bits is
tried, with the last 32 KiB of content as the dictionary, and taken only when what comes out is what the decoder in hand
gives.

*How to begin in the middle of a byte.*  A block without content may stand before any block.  One of the fixed kind has
10 bits and one of the dynamic kind 91 (RFC 1951, 3.2.5 to 3.2.7), so some of them fill the bits that the byte lacks.
"""

from __future__ import annotations

import zlib as _stdlib_zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from imagepeel.archive.source import Source

_zlib: Any
try:
    from zlib_ng import zlib_ng as _zlib
except ImportError:
    _zlib = _stdlib_zlib

ERRORS = (_zlib.error, _stdlib_zlib.error)
"""What the library in use and the standard one raise for damaged data."""

WINDOW = 32 * 1024
"""Bytes of content that a deflate block may refer back to."""
MOST_LEAD = 18
"""Bytes of the longest lead."""

_STEP = 16
_SEARCH = 256 * 1024
"""Stored bytes in which 32 KiB of content and then a head have to stand; most blocks take 10 to 40 KiB."""
_PROOF = 40 * 1024
"""Stored bytes that have to give the same content, as far as it is not larger than `_MOST`."""
_MOST = 1024 * 1024
"""Bytes of content that a search goes through and a proof compares."""

_LENGTHS = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
_FIXED = ((0b010, 3), (0, 7))
"""A block of fixed codes, and its end."""
_DYNAMIC = (
    *((0b100, 3), (0, 5), (0, 5), (len(_LENGTHS) - 4, 4)),
    *((int(symbol in (1, 18)), 3) for symbol in _LENGTHS),
    *((0, 1), (1, 1), (138 - 11, 7), (1, 1), (117 - 11, 7), (0, 1), (0, 1)),
    (1, 1),
)
"""A block of codes for the literal 0, for its end and for one distance, each of one bit, and its end."""


class BlockStart(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The state of an inflate at the beginning of a block.

    `lead` stands for the rest of a byte that the block shares with the one before; `window` are the last 32 KiB of
    content, compressed.
    """

    lead: bytes
    window: bytes

    def decompressor(self) -> Any:
        """Return the library's object for the deflate data behind the lead.  One of `ERRORS` when this is no state."""
        window = _stdlib_zlib.decompressobj().decompress(self.window, WINDOW)
        inflate = _zlib.decompressobj(-15, zdict=window)
        if inflate.decompress(self.lead):
            raise _stdlib_zlib.error("the lead of a block has content")
        return inflate


def find_block(state: Any, source: Source, stored: int) -> tuple[int, int, BlockStart] | None:
    """Return the first block start behind a state that has a whole window, None where none is found.

    `state` is an inflate in progress that has taken the source up to `stored`.  The answer is the offset of the first
    stored byte that the block has for itself, the bytes of content from the state to the block, and the state there.
    """
    data = source.pread(stored, _SEARCH)
    inflate = state.copy()
    content = b""
    passed = 0
    silent = False
    for at in range(0, len(data) - _PROOF, _STEP):
        piece = inflate.decompress(data[at : at + _STEP])
        passed += len(piece)
        if inflate.eof or passed > _MOST:
            return None
        content = (content + piece)[-WINDOW:] if piece else content
        if not piece and not silent and passed >= WINDOW:
            wanted = inflate.copy().decompress(data[at + _STEP : at + _PROOF], _MOST)
            for byte, bit in _heads(data, max(0, at - _STEP - 8), at + _STEP):
                lead = _lead(data[byte], bit)
                if _gives(lead + data[byte + 1 : at + _PROOF], content, wanted):
                    start = BlockStart(lead, _stdlib_zlib.compress(content, 6))
                    return stored + byte + 1, passed, start
        silent = not piece
    return None


def _heads(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the bytes and bits that may be the first of a dynamic block which is not the last one."""
    for byte in range(first, last):
        pair = data[byte] | data[byte + 1] << 8
        for bit in range(8):
            if pair >> bit & 0b111 == 0b100:
                yield byte, bit


def _gives(data: bytes, window: bytes, wanted: bytes) -> bool:
    """Whether deflate data behind a window begins with a block and has just the content that is wanted."""
    inflate = _zlib.decompressobj(-15, zdict=window)
    try:
        return bool(wanted) and inflate.decompress(data, _MOST) == wanted
    except ERRORS:
        return False


def _lead(byte: int, bit: int) -> bytes:
    """Return blocks without content that end at a bit of a byte, and the byte's bits from there."""
    parts = list(_DYNAMIC) if bit % 2 else []
    while sum(width for _, width in parts) % 8 != bit:
        parts += _FIXED
    value = count = 0
    for part, width in (*parts, (byte >> bit, 8 - bit)):
        value |= part << count
        count += width
    return value.to_bytes(count // 8, "little")
