"""gzip members and zstd frames as they stand in a file: where each begins and ends, and its header field by field.

Source: RFC 1952 (gzip), RFC 8878 (zstd).  Nothing is kept of what is decompressed, and of a zstd frame nothing is
decompressed: its blocks say how long they are.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

from imagepeel._display import Shown
from imagepeel.evidence import text
from imagepeel.formats.field import Field
from imagepeel.text import exact, number

Reader = Callable[[int, int], bytes]
"""`read(offset, count)`: that many bytes of the file, fewer only at its end."""

_LEAST, _MOST = 1 << 12, 1 << 18
"""Bytes of one read: a stream of many small members is read in small pieces."""
_LONG_HEAD = 1 << 17
"""Bytes in which a header with names must end; XLEN has 16 bits."""
_OUT = 1 << 20
_SYSTEMS = {0: "FAT", 3: "Unix", 7: "Macintosh", 10: "NTFS", 11: "NTFS"}
_FLAGS = ((1, "text"), (2, "header CRC"), (4, "extra field"), (8, "name"), (16, "comment"))
_LEVELS = {2: "the slowest", 4: "the fastest"}


class Unit(Shown):
    """One gzip member or zstd frame: header, compressed stream, trailer.

    `offset` counts from the start of the file.  `head`, `stream` and `trailer` are bytes, `content` those it unpacks to
    (None where nothing says so).  `fields` are those of the header and then of the trailer, offsets counted from the
    start of the file.  `problem` says why it is not whole, "" where it is.
    """

    def __init__(self, offset: int, what: Literal["gzip member", "zstd frame", "skippable frame"]) -> None:
        self.offset: int = offset
        self.what: Literal["gzip member", "zstd frame", "skippable frame"] = what
        self.head: int = 0
        self.stream: int = 0
        self.trailer: int = 0
        self.content: int | None = None
        self.fields: tuple[Field, ...] = ()
        self.problem: str = ""

    def __repr__(self) -> str:
        return f"<Unit {self.what} of {exact(self.size)} at {self.offset}>"

    @property
    def size(self) -> int:
        """Bytes of the whole member or frame."""
        return self.head + self.stream + self.trailer


def gzip_members(read: Reader, size: int) -> Iterator[Unit]:
    """Yield the members of a gzip file of `size` bytes in order, up to the first byte that belongs to none.

    The last one has a `problem` where the file is damaged or cut.
    """
    at = 0
    while at < size:
        head = read(at, 512)
        if head[:2] != b"\x1f\x8b":
            return
        if len(head) > 3 and head[3] & 0x1C:
            head = read(at, _LONG_HEAD)
        unit = Unit(at, "gzip member")
        fields = list(_gzip_header(head, at))
        unit.head = sum(field.size for field in fields)
        crc = _inflate(unit, read, size)
        if not unit.problem:
            end = at + unit.size
            trailer = read(end, 8)
            fields += _gzip_trailer(trailer, end, crc, unit.content or 0)
            unit.trailer = len(trailer)
            if len(trailer) < 8:
                unit.problem = "the file ends inside the trailer"
        unit.fields = tuple(fields)
        yield unit
        if unit.problem:
            return
        at += unit.size


def _inflate(unit: Unit, read: Reader, size: int) -> int:
    """Count what the deflate stream takes and what it unpacks to; return the CRC-32 of that."""
    start = at = unit.offset + unit.head
    decoder = zlib.decompressobj(-15)
    content, crc, window, pending = 0, 0, _LEAST, b""
    while not decoder.eof:
        if not pending:
            pending = read(at, min(window, size - at)) if at < size else b""
            if not pending:
                unit.problem = "the file ends inside the compressed stream"
                break
            at += len(pending)
            window = min(2 * window, _MOST)
        try:
            piece = decoder.decompress(pending, _OUT)
        except zlib.error as error:
            unit.problem = f"the compressed stream is damaged: {error}"
            at = size
            break
        pending = decoder.unconsumed_tail
        content += len(piece)
        crc = zlib.crc32(piece, crc)
    unit.content = content
    unit.stream = at - start - len(decoder.unused_data)
    return crc


def _gzip_header(head: bytes, base: int) -> Iterator[Field]:
    def field(start: int, end: int, name: str, value: str, meaning: str = "") -> Field:
        return Field(offset=base + start, name=name, data=head[start:end], value=value, meaning=meaning)

    fixed = head[:10].ljust(10, b"\0")
    flags = fixed[3]
    yield field(0, 2, "ID1 ID2", "gzip", "The magic of every gzip member.")
    yield field(2, 3, "CM", "deflate" if fixed[2] == 8 else "unknown", "How it is compressed.")
    named = ", ".join(name for bit, name in _FLAGS if flags & bit)
    yield field(3, 4, "FLG", named or "none", "Which optional fields follow.")
    yield field(4, 8, "MTIME", _moment(fixed[4:8]), "When it was compressed.  Another time is another digest.")
    yield field(8, 9, "XFL", _LEVELS.get(fixed[8], "not stated"), "How hard the compressor tried.")
    yield field(9, 10, "OS", _SYSTEMS.get(fixed[9], "not stated"), "Where it was compressed.")
    at = 10
    if flags & 4:
        length = int.from_bytes(head[at : at + 2], "little")
        yield field(at, at + 2, "XLEN", exact(length), "Length of the extra field.")
        yield field(at + 2, at + 2 + length, "FEXTRA", exact(length), "Subfields of whoever wrote it.")
        at += 2 + length
    for bit, name in ((8, "FNAME"), (16, "FCOMMENT")):
        if flags & bit:
            end = head.find(b"\0", at) + 1 or len(head)
            yield field(at, end, name, text(head[at:end].rstrip(b"\0")))
            at = end
    if flags & 2:
        yield field(at, at + 2, "HCRC", head[at : at + 2].hex(), "Checksum of the header.")


def _gzip_trailer(trailer: bytes, base: int, crc: int, content: int) -> Iterator[Field]:
    there = int.from_bytes(trailer[:4], "little")
    value = f"{there:08x}" + ("" if there == crc else f", but the content has {crc:08x}")
    yield Field(offset=base, name="CRC32", data=trailer[:4], value=value, meaning="Checksum of the content.")
    stated = int.from_bytes(trailer[4:8], "little")
    right = "" if stated == content % (1 << 32) else f", but the content has {number(content)}"
    yield Field(
        offset=base + 4,
        name="ISIZE",
        data=trailer[4:8],
        value=exact(stated) + right,
        meaning="Length of the content, modulo 4 GiB.",
    )


def _moment(data: bytes) -> str:
    seconds = int.from_bytes(data, "little")
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds)) if seconds else "not stated"


def zstd_frames(read: Reader, size: int) -> Iterator[Unit]:
    """Yield the frames of a zstd file of `size` bytes in order, up to the first byte that belongs to none.

    The last one has a `problem` where the file is damaged or cut.
    """
    at = 0
    while at < size:
        head = read(at, 18)
        magic = int.from_bytes(head[:4], "little")
        if 0x184D2A50 <= magic <= 0x184D2A5F and len(head) >= 8:
            unit = _skippable(head, at, size)
        elif magic == 0xFD2FB528:
            unit = _frame(read, head, at, size)
        else:
            return
        yield unit
        if unit.problem:
            return
        at += unit.size


def _skippable(head: bytes, at: int, size: int) -> Unit:
    unit = Unit(at, "skippable frame")
    length = int.from_bytes(head[4:8], "little")
    unit.head, unit.content = 8, 0
    unit.stream = min(length, size - at - 8)
    if unit.stream < length:
        unit.problem = "the file ends inside the frame"
    meaning = "Decoders pass over it; zstd:chunked keeps its table of contents in one."
    unit.fields = (
        Field(offset=at, name="Magic_Number", data=head[:4], value="skippable", meaning=meaning),
        Field(offset=at + 4, name="Frame_Size", data=head[4:8], value=exact(length)),
    )
    return unit


def _frame(read: Reader, head: bytes, at: int, size: int) -> Unit:
    unit = Unit(at, "zstd frame")
    unit.fields = tuple(_zstd_header(head, at))
    unit.head = sum(field.size for field in unit.fields)
    content = unit.fields[-1].name == "Frame_Content_Size"
    if content:
        unit.content = _content_size(unit.fields[-1].data)
    place = at + unit.head
    while True:
        block = read(place, 3)
        if len(block) < 3:
            unit.problem = "the file ends inside the frame"
            break
        word = int.from_bytes(block, "little")
        kind, length = word >> 1 & 3, word >> 3
        # An RLE block stores the one byte that it repeats.
        place += 3 + (1 if kind == 1 else length)
        if kind == 3 or place > size:
            unit.problem = "a block has no valid type" if kind == 3 else "the file ends inside the frame"
            break
        if word & 1:
            break
    unit.stream = min(place, size) - at - unit.head
    if not unit.problem and head[4] & 4:
        checksum = read(place, 4)
        unit.trailer = len(checksum)
        field = Field(
            offset=place,
            name="Content_Checksum",
            data=checksum,
            value=checksum[::-1].hex(),
            meaning="The low four bytes of the content's xxHash64.",
        )
        unit.fields = (*unit.fields, field)
        if len(checksum) < 4:
            unit.problem = "the file ends inside the checksum"
    return unit


def _content_size(data: bytes) -> int:
    return int.from_bytes(data, "little") + (256 if len(data) == 2 else 0)


def _zstd_header(head: bytes, base: int) -> Iterator[Field]:
    def field(start: int, end: int, name: str, value: str, meaning: str = "") -> Field:
        return Field(offset=base + start, name=name, data=head[start:end], value=value, meaning=meaning)

    yield field(0, 4, "Magic_Number", "zstd", "The magic of every zstd frame.")
    descriptor = head[4] if len(head) > 4 else 0
    single = bool(descriptor & 0x20)
    parts = ["a checksum follows" if descriptor & 4 else "no checksum"]
    if single:
        parts.append("one segment")
    yield field(4, 5, "Frame_Header_Descriptor", ", ".join(parts), "Which fields follow.")
    at = 5
    if not single:
        byte = head[5] if len(head) > 5 else 0
        window = (1 << (10 + (byte >> 3))) * (8 + (byte & 7)) // 8
        yield field(5, 6, "Window_Descriptor", exact(window), "Memory that a decoder needs.")
        at = 6
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    if dictionary:
        value = number(int.from_bytes(head[at : at + dictionary], "little"))
        yield field(at, at + dictionary, "Dictionary_ID", value, "Which dictionary is needed.")
        at += dictionary
    size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if size:
        value = exact(_content_size(head[at : at + size]))
        yield field(at, at + size, "Frame_Content_Size", value, "Length of the content.")
