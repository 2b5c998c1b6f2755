"""Reads header blocks quickly: most of a header repeats from entry to entry, so its parts are looked up by their bytes.

Gives exactly what `header.parse_header` gives, or sends the block there.
"""

from __future__ import annotations

from imagepeel.formats.tar.builder import MEMO
from imagepeel.formats.tar.header import Header, HeaderFormat, TarError, octal, parse_header, string

try:
    # The same checksum at three times the speed; the results are identical by definition.
    from zlib_ng.zlib_ng import adler32
except ImportError:
    from zlib import adler32

_Tail = tuple[HeaderFormat, bytes, bytes, int, int, bytes]
HeaderFields = tuple[bytes, int, int, tuple[int, int, int], _Tail]
"""Name, size, mtime, (mode, uid, gid), (format, uname, gname, major, minor, prefix) of one header."""


class HeaderReader:
    """Memos from the raw bytes of header parts to what they mean, each bounded."""

    def __init__(self) -> None:
        self._memo_sum: dict[bytes, int] = {}
        self._memo_ids: dict[bytes, tuple[int, int, int]] = {}
        self._memo_tail: dict[bytes, _Tail] = {}

    def checksum_proven(self, block: bytes) -> bool:
        """Say whether the checksum is certainly right; False also for blocks that have to be summed byte by byte.

        For a block of ASCII the sum of all bytes stays below 65521, so the low half of Adler-32 (one plus that sum,
        modulo 65521) decides, at a tenth of the cost of summing.
        """
        expected = self._memo_sum.get(block[148:156])
        if expected is None:
            expected = self._expect(block[148:156])
        return expected >= 0 and expected == adler32(block) & 0xFFFF and block.isascii()

    def _expect(self, field: bytes) -> int:
        """Return what the low half of Adler-32 must be for this checksum field, -1 for "sum it"."""
        try:
            stated = octal(field)
        except TarError:
            return -1
        total = stated - 8 * 0x20 + sum(field)
        value = total + 1 if 0 <= total < 65520 else -1
        if len(self._memo_sum) >= MEMO:
            self._memo_sum.clear()
        self._memo_sum[field] = value
        return value

    def quick(self, block: bytes) -> HeaderFields | None:
        """Read the fields of a header whose checksum is right, by memos; None when one needs the full rules."""
        size_field, time_field = block[124:135], block[136:147]
        if not size_field.isdigit() or not time_field.isdigit():
            return None
        try:
            size, mtime = int(size_field, 8), int(time_field, 8)
        except ValueError:
            return None
        if block[135] not in b"\0 " or block[147] not in b"\0 ":
            return None
        ids = self._memo_ids.get(block[100:124])
        if ids is None:
            try:
                ids = (octal(block[100:108]), octal(block[108:116]), octal(block[116:124]))
            except TarError:
                return None
            if len(self._memo_ids) >= MEMO:
                self._memo_ids.clear()
            self._memo_ids[block[100:124]] = ids
        tail = self._memo_tail.get(block[257:])
        if tail is None:
            tail = self._parse_tail(block)
            if tail is None:
                return None
        name = block[:100].partition(b"\0")[0]
        return (tail[5] + b"/" + name if tail[5] else name), size, mtime, ids, tail

    def parse(self, block: bytes, proven: bool) -> Header:
        """Return the header of a block; `proven` says that its checksum was found right already."""
        fields = self.quick(block) if proven else None
        if fields is None:
            return parse_header(block)
        name, size, mtime, (mode, uid, gid), (format_, uname, gname, major, minor, _) = fields
        link = block[157:257].partition(b"\0")[0]
        return Header(name, mode, uid, gid, size, mtime, block[156:157], link, format_, uname, gname, major, minor)

    def _parse_tail(self, block: bytes) -> _Tail | None:
        try:
            header = parse_header(block)
        except TarError:
            return None
        prefix = b""
        if header.format != "v7":
            name = string(block[:100])
            prefix = header.name[: len(header.name) - len(name) - 1] if len(header.name) > len(name) else b""
        value = (header.format, header.uname, header.gname, header.major, header.minor, prefix)
        if len(self._memo_tail) >= MEMO:
            self._memo_tail.clear()
        self._memo_tail[block[257:]] = value
        return value
