"""Reads header blocks quickly: most of a header repeats from entry to entry, so its parts are looked up by their bytes.

Gives exactly what `header.parse_header` gives, or sends the block there.
"""

from __future__ import annotations

from imagepeel.formats.tar.builder import MEMO, Extension, TableBuilder
from imagepeel.formats.tar.header import (
    BLOCK,
    PLAIN_TYPES,
    Header,
    HeaderFormat,
    NotPlain,
    TarError,
    octal,
    parse_header,
    string,
)
from imagepeel.formats.tar.metas import Meta
from imagepeel.formats.tar.pax import only_mtime, parse_pax, timestamp

try:
    # The same checksum at three times the speed; the results are identical by definition.
    from zlib_ng.zlib_ng import adler32
except ImportError:
    from zlib import adler32

_OF_PLAIN = frozenset((b"path", b"linkpath", b"mtime", b"atime", b"ctime"))
"""Keys of the records that a plain entry may have."""

_Tail = tuple[HeaderFormat, bytes, bytes, int, int, bytes]
"""Format, uname, gname, major, minor and prefix of one header."""


class HeaderReader:
    """Memos from the raw bytes of header parts to what they mean, each bounded.

    `sums` maps a checksum field to what the low half of Adler-32 must be, -1 for one that has to be summed.
    """

    def __init__(self) -> None:
        self.sums: dict[bytes, int] = {}
        self._memo_ids: dict[bytes, tuple[int, int, int]] = {}
        self._memo_tail: dict[bytes, _Tail] = {}
        self._memo_shared: dict[tuple[bytes, bytes], tuple[int, bytes]] = {}

    def prove(self, block: bytes) -> None:
        """NotPlain unless the checksum is certainly right; also for blocks that have to be summed byte by byte.

        For a block of ASCII the sum of all bytes stays below 65521, so the low half of Adler-32 (one plus that sum,
        modulo 65521) decides, at a tenth of the cost of summing.
        """
        expected = self.sums.get(block[148:156])
        if expected is None:
            expected = self._expect(block[148:156])
        if expected < 0 or expected != adler32(block) & 0xFFFF or not block.isascii():
            raise NotPlain

    def _expect(self, field: bytes) -> int:
        """Return what the low half of Adler-32 must be for this checksum field, -1 for "sum it"."""
        try:
            # Nearly all are six digits, a NUL and a blank.
            stated = int(field[:6], 8) if field[6:] == b"\0 " and field[:6].isdigit() else octal(field)
        except (TarError, ValueError):
            return -1
        total = stated - 8 * 0x20 + sum(field)
        value = total + 1 if 0 <= total < 65520 else -1
        if len(self.sums) >= MEMO:
            self.sums.clear()
        self.sums[field] = value
        return value

    def number(self, field: bytes) -> int:
        """Return a size or time of eleven octal digits and an end.  NotPlain for every other form."""
        digits = field[:11]
        if not digits.isdigit() or field[11] not in b"\0 ":
            raise NotPlain
        try:
            return int(digits, 8)
        except ValueError:
            raise NotPlain from None

    def shared(self, block: bytes, builder: TableBuilder) -> tuple[int, bytes]:
        """Return the index of the `Meta` of a header that was proved, and what stands before its name.

        What it has in common with others decides both: owner, mode, type, and all that stands behind the link.
        NotPlain for other types.
        """
        if block[156] not in PLAIN_TYPES:
            raise NotPlain
        key = (block[100:124] + block[156:157], block[257:])
        known = self._memo_shared.get(key)
        if known is None:
            kind, (mode, uid, gid) = block[156:157], self._ids(block)
            format_, uname, gname, major, minor, prefix = self._tail(block)
            meta = Meta(kind, mode, uid, gid, major, minor, uname, gname, format_)
            known = (builder.meta(meta), prefix + b"/" if prefix else b"")
            if len(self._memo_shared) >= MEMO:
                self._memo_shared.clear()
            self._memo_shared[key] = known
        return known

    def extension(self, block: bytes, piece: bytes, at: int, size: int, builder: TableBuilder) -> Extension:
        """Return what the records at `at` of a piece say, whose PAX header was proved and states their size.

        NotPlain for a header or records that are wrong, for more than name, target and times, and where no header
        follows in the piece.
        """
        blocks = 1 - -size // BLOCK
        if at + blocks * BLOCK > len(piece):
            raise NotPlain
        self._ids(block)
        self._tail(block)
        name = link = b""
        body = piece[at : at + size]
        known = only_mtime(body)
        mtime, nanos = known or (None, 0)
        try:
            for key, value in parse_pax(body).items() if known is None else ():
                if not value or key not in _OF_PLAIN:
                    raise NotPlain
                if key == b"path":
                    name = value
                elif key == b"linkpath":
                    link = value
                else:
                    stamp = timestamp(value, "a time")
                    if key == b"mtime":
                        mtime, nanos = stamp
        except TarError:
            raise NotPlain from None
        if (mtime is not None and abs(mtime) >> 62) or not builder.takes(size):
            raise NotPlain
        return Extension(name, link, mtime, nanos, size, blocks)

    def parse(self, block: bytes) -> Header:
        """Return the header of a block.  TarError when its checksum or a field is wrong."""
        try:
            self.prove(block)
            size, mtime = self.number(block[124:136]), self.number(block[136:148])
            mode, uid, gid = self._ids(block)
            format_, uname, gname, major, minor, prefix = self._tail(block)
        except NotPlain:
            return parse_header(block)
        name, link = string(block[:100]), string(block[157:257])
        if prefix:
            name = prefix + b"/" + name
        return Header(name, mode, uid, gid, size, mtime, block[156:157], link, format_, uname, gname, major, minor)

    def _ids(self, block: bytes) -> tuple[int, int, int]:
        """Return mode, user and group of a header.  NotPlain when the memos cannot read them."""
        ids = self._memo_ids.get(block[100:124])
        if ids is None:
            try:
                ids = (octal(block[100:108]), octal(block[108:116]), octal(block[116:124]))
            except TarError:
                raise NotPlain from None
            if len(self._memo_ids) >= MEMO:
                self._memo_ids.clear()
            self._memo_ids[block[100:124]] = ids
        return ids

    def _tail(self, block: bytes) -> _Tail:
        """Return what the end of a header says.  NotPlain when it is wrong."""
        value = self._memo_tail.get(block[257:])
        if value is not None:
            return value
        try:
            header = parse_header(block)
        except TarError:
            raise NotPlain from None
        prefix = b""
        if header.format != "v7":
            name = string(block[:100])
            prefix = header.name[: len(header.name) - len(name) - 1] if len(header.name) > len(name) else b""
        value = (header.format, header.uname, header.gname, header.major, header.minor, prefix)
        if len(self._memo_tail) >= MEMO:
            self._memo_tail.clear()
        self._memo_tail[block[257:]] = value
        return value
