"""Every byte of the header blocks of a tar entry as a named field: V7, ustar, star, GNU, PAX and sparse headers.

Source: POSIX.1-2001 pax "ustar Interchange Format" and "pax Extended Header"; GNU tar manual "Basic Tar Format" and
"Storing Sparse Files"; star(5).  Values are those that Go's archive/tar reads, as in `header.parse_header`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from imagepeel._display import Shown
from imagepeel.evidence import text
from imagepeel.formats.field import Field
from imagepeel.formats.tar.header import (
    BLOCK,
    BLOCKDEV,
    CHAR,
    DIRECTORY,
    FIFO,
    GNU_LONGLINK,
    GNU_LONGNAME,
    GNU_SPARSE,
    HARDLINK,
    PAX,
    PAX_GLOBAL,
    REGULAR,
    REGULAR_OLD,
    SYMLINK,
    TarError,
    checksum_matches,
    numeric,
    octal,
    parse_header,
    string,
)
from imagepeel.text import number, plural

TYPES: dict[bytes, str] = {
    REGULAR: "regular file",
    REGULAR_OLD: "regular file, as tar before POSIX wrote it",
    HARDLINK: "hard link: a second name of an earlier entry",
    SYMLINK: "symbolic link",
    CHAR: "character device",
    BLOCKDEV: "block device",
    DIRECTORY: "directory",
    FIFO: "named pipe",
    b"7": "contiguous file, read as a regular one",
    PAX: "PAX header: its content says more of the next entry",
    PAX_GLOBAL: "PAX header for all entries that follow",
    GNU_LONGNAME: "GNU: its content is the name of the next entry",
    GNU_LONGLINK: "GNU: its content is the link target of the next entry",
    GNU_SPARSE: "GNU: a file stored without its holes",
}

_SUM = "Sum of all 512 bytes, these eight counted as spaces.  Readers stop at a header with another one."
_MOST_BLOCKS = 2048
"""Blocks of one entry's headers that are told field by field: a megabyte."""


class EntryHeader(Shown):
    """The header blocks of one tar entry.

    `offset` counts bytes from the start of the tar, `data` are the blocks from the first extension header to the
    content.
    """

    def __init__(self, offset: int, data: bytes) -> None:
        self.offset: int = offset
        self.data: bytes = data

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every byte as a named field, in order and without a gap; offsets count from the start of the header."""
        return header_fields(self.data)

    def field(self, name: str) -> Field:
        """Return the last field of that name, which is the one of the entry's own block.  KeyError without one."""
        for field in reversed(self.fields):
            if field.name == name:
                return field
        raise KeyError(name)

    def at(self, offset: int) -> Field:
        """Return the field that the byte at an offset of the header belongs to.  IndexError past the end."""
        for field in self.fields:
            if field.offset <= offset < field.end:
                return field
        raise IndexError(offset)

    def __repr__(self) -> str:
        return f"<EntryHeader {plural(len(self.data), 'byte')} at {self.offset}>"


def header_fields(blocks: bytes) -> tuple[Field, ...]:
    """Return every byte of the header blocks of one entry as fields, in order and without a gap.

    `blocks` are all 512-byte blocks from the first extension header to the content.  The offsets count from their
    start.  What cannot be read as a header is one field with the reason.  Raises nothing.
    """
    return tuple(_blocks(blocks[: _MOST_BLOCKS * BLOCK]))


def _blocks(blocks: bytes) -> Iterator[Field]:
    at = 0
    while at < len(blocks):
        block = blocks[at : at + BLOCK]
        yield from _header(block, at)
        try:
            header = parse_header(block)
        except TarError:
            at += BLOCK
            if at < len(blocks):
                yield Field(offset=at, name="bytes", data=blocks[at:], value=plural(len(blocks) - at, "byte"))
            return
        at += BLOCK
        if header.type in (PAX, PAX_GLOBAL, GNU_LONGNAME, GNU_LONGLINK):
            size = min(max(header.size, 0), len(blocks) - at)
            body = blocks[at : at + size]
            if header.type in (PAX, PAX_GLOBAL):
                yield from _records(body, at)
            else:
                what = "name" if header.type == GNU_LONGNAME else "link target"
                yield Field(offset=at, name=f"long {what}", data=body, value=text(string(body)))
            at += size
            padding = blocks[at : at - at % -BLOCK]
            if padding:
                yield _padding(padding, at)
            at += len(padding)
        elif header.type == GNU_SPARSE and block[482:483] not in (b"", b"\0"):
            more = True
            while more and at < len(blocks):
                extension = blocks[at : at + BLOCK]
                yield from _sparse_pairs(extension, at, 21)
                more = extension[504:505] not in (b"", b"\0")
                yield Field(
                    offset=at + 504,
                    name="isextended",
                    data=extension[504:505],
                    value="another block of the map follows" if more else "the last block of the map",
                )
                yield _unused(extension, at, 505, 512)
                at += BLOCK
        elif at < len(blocks):
            # The map of PAX sparse format 1.0 stands in front of the content.
            yield Field(
                offset=at, name="sparse map", data=blocks[at:], value=text(blocks[at:].rstrip(b"\0")).replace("\n", " ")
            )
            return


def _header(block: bytes, base: int) -> Iterator[Field]:
    def field(start: int, end: int, name: str, value: str, meaning: str = "") -> Field:
        return Field(offset=base + start, name=name, data=block[start:end], value=value, meaning=meaning)

    def words(start: int, end: int, name: str, meaning: str = "") -> Field:
        return field(start, end, name, text(string(block[start:end])), meaning)

    magic = block[257:265]
    gnu = magic == b"ustar  \0"
    posix = magic[:6] == b"ustar\0"
    yield words(0, 100, "name", "Path of the entry, as far as it fits in 100 bytes; NULs fill the rest.")
    yield field(100, 108, "mode", _mode(block[100:108]), "Permissions as octal digits in ASCII.")
    yield field(108, 116, "uid", _number(block[108:116]), "Who owns it, as a number; /etc/passwd has the name.")
    yield field(116, 124, "gid", _number(block[116:124]), "The group that owns it.")
    yield field(124, 136, "size", _size(block[124:136]), "Bytes of content, which begin in the next block.")
    yield field(136, 148, "mtime", _time(block[136:148]), "When it was last changed: seconds since 1970 in octal.")
    yield field(148, 156, "chksum", _checksum(block), _SUM)
    kind = TYPES.get(block[156:157], "no type that readers of tar know")
    yield field(156, 157, "typeflag", kind, "What the entry is.")
    yield words(157, 257, "linkname", "What a link points at.")
    if gnu:
        yield field(257, 265, "magic", "GNU tar", "ustar, two spaces and a NUL: the fields of GNU tar follow.")
    elif posix:
        yield field(257, 263, "magic", "ustar", "ustar and a NUL: the fields of POSIX follow.")
        yield words(263, 265, "version", "00 in every ustar header.")
    else:
        yield field(257, 512, "unused", _zeros(block[257:512]), "V7, the first format, has no fields here.")
        return
    yield words(265, 297, "uname", "Name of the owner where it was packed; runtimes use the number.")
    yield words(297, 329, "gname", "Name of the group where it was packed.")
    yield field(329, 337, "devmajor", _number(block[329:337]), "Major number of a device.")
    yield field(337, 345, "devminor", _number(block[337:345]), "Minor number of a device.")
    if posix and block[508:512] == b"tar\0":
        yield words(345, 476, "prefix", "The first part of a long path: PREFIX/NAME.")
        yield field(476, 488, "atime", _time(block[476:488]), "When it was last read.")
        yield field(488, 500, "ctime", _time(block[488:500]), "When its inode last changed.")
        yield field(500, 508, "unused", _zeros(block[500:508]))
        yield field(508, 512, "trailer", "star", "tar and a NUL: star wrote the header.")
    elif posix:
        yield words(345, 500, "prefix", "The first part of a long path: PREFIX/NAME.")
        yield field(500, 512, "unused", _zeros(block[500:512]), "Fills the block to 512 bytes.")
    else:
        yield from _gnu(block, base)


def _gnu(block: bytes, base: int) -> Iterator[Field]:
    def field(start: int, end: int, name: str, value: str, meaning: str = "") -> Field:
        return Field(offset=base + start, name=name, data=block[start:end], value=value, meaning=meaning)

    yield field(345, 357, "atime", _time(block[345:357]), "When it was last read; empty without --atime-preserve.")
    yield field(357, 369, "ctime", _time(block[357:369]), "When its inode last changed.")
    yield field(369, 381, "offset", _number(block[369:381]), "For archives of several volumes.")
    yield field(381, 385, "longnames", _zeros(block[381:385]), "No longer used.")
    yield field(385, 386, "unused", _zeros(block[385:386]))
    if block[156:157] == GNU_SPARSE:
        yield from _sparse_pairs(block, base, 4, 386)
        more = block[482:483] not in (b"", b"\0")
        yield field(482, 483, "isextended", "the map goes on in the next block" if more else "the map ends here")
        yield field(483, 495, "realsize", _size(block[483:495]), "Bytes of the file with its holes.")
    else:
        yield field(386, 482, "sparse", _zeros(block[386:482]), "The map of a sparse file.")
        yield field(482, 483, "isextended", _zeros(block[482:483]))
        yield field(483, 495, "realsize", _zeros(block[483:495]))
    yield _unused(block, base, 495, 512)


def _sparse_pairs(block: bytes, base: int, count: int, start: int = 0) -> Iterator[Field]:
    for which in range(count):
        at = start + 24 * which
        pair = block[at : at + 24]
        if not pair.strip(b"\0"):
            yield Field(
                offset=base + at,
                name="sparse",
                data=block[at : start + 24 * count],
                value="no more regions",
            )
            return
        value = f"{_number(pair[12:])} bytes at {_number(pair[:12])} of the file"
        yield Field(offset=base + at, name="sparse", data=pair, value=value, meaning="A region that is stored.")


def _records(body: bytes, base: int) -> Iterator[Field]:
    """The records of a PAX header, `LENGTH KEY=VALUE` and a newline each."""
    at = 0
    while at < len(body):
        digits, space, _ = body[at : at + 21].partition(b" ")
        length = int(digits) if digits.isdigit() and space else 0
        record = body[at : at + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or len(record) < length or record[-1:] != b"\n":
            rest = body[at:]
            yield Field(offset=base + at, name="PAX record", data=rest, value="no record: its length is wrong")
            return
        yield Field(
            offset=base + at,
            name=f"PAX {text(key)}",
            data=record,
            value=text(value),
            meaning=f"{plural(length, 'byte')}: the length itself, a space, KEY=VALUE and a newline.",
        )
        at += length


def _padding(data: bytes, at: int) -> Field:
    return Field(
        offset=at, name="padding", data=data, value=_zeros(data), meaning="Headers begin at a multiple of 512 bytes."
    )


def _unused(block: bytes, base: int, start: int, end: int) -> Field:
    return Field(offset=base + start, name="unused", data=block[start:end], value=_zeros(block[start:end]))


def _zeros(data: bytes) -> str:
    if not data.strip(b"\0"):
        return plural(len(data), "zero byte")
    return f"{plural(len(data), 'byte')}, not all zero"


def _number(field: bytes) -> str:
    if not field.strip(b"\0 "):
        return "empty, read as 0"
    try:
        value = number(numeric(field))
    except TarError as error:
        return f"not a number: {error.detail}"
    return f"{value} (binary, for numbers too large for octal digits)" if field[0] & 0x80 else value


def _size(field: bytes) -> str:
    value = _number(field)
    return value if value.startswith(("empty", "not a")) else f"{value} {'byte' if value == '1' else 'bytes'}"


def _mode(field: bytes) -> str:
    try:
        return f"{numeric(field):04o}"
    except TarError as error:
        return f"not a number: {error.detail}"


def _time(field: bytes) -> str:
    if not field.strip(b"\0 "):
        return "empty"
    try:
        seconds = numeric(field)
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except TarError as error:
        return f"not a number: {error.detail}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds, a time beyond the calendar"


def _checksum(block: bytes) -> str:
    try:
        stated = octal(block[148:156])
    except TarError as error:
        return f"not a number: {error.detail}"
    if checksum_matches(block):
        return f"{stated:,}, right"
    return f"{stated:,}, wrong: the bytes give {sum(block) - sum(block[148:156]) + 8 * 0x20:,}"
