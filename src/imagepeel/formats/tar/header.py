"""One 512-byte tar header block, read as Go's archive/tar (reader.go, strconv.go, format.go) reads it.

POSIX.1-1988 ustar, GNU, star and V7.  Field errors raise `TarError` with the words that Go uses, since those are
the words that an operator sees from containerd, Docker and podman.
"""

from __future__ import annotations

from typing import Literal

import msgspec

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)

INVALID_HEADER = "archive/tar: invalid tar header"
FIELD_TOO_LONG = "archive/tar: header field too long"
UNEXPECTED_EOF = "unexpected EOF"

REGULAR, REGULAR_OLD, HARDLINK, SYMLINK = b"0", b"\0", b"1", b"2"
CHAR, BLOCKDEV, DIRECTORY, FIFO = b"3", b"4", b"5", b"6"
PAX, PAX_GLOBAL, GNU_LONGNAME, GNU_LONGLINK, GNU_SPARSE = b"x", b"g", b"L", b"K", b"S"

HEADER_ONLY = frozenset((HARDLINK, SYMLINK, CHAR, BLOCKDEV, DIRECTORY, FIFO))
"""Types without content: their size field is ignored, so stated bytes would be read as the next header."""

PLAIN_TYPES = frozenset(REGULAR + DIRECTORY + SYMLINK + HARDLINK)
"""As numbers: types of entries that no rule of their own is about."""


class TarError(Exception):
    """The stream breaks a rule of tar: `message` in Go's words, `detail` in ours."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class NotPlain(Exception):
    """A header is not one of those that are read quickly: the full rules have to read it."""


HeaderFormat = Literal["v7", "ustar", "star", "gnu"]
"""Which fields a header has behind the first 257 bytes, told by its magic."""


class Header(msgspec.Struct, frozen=True):
    """The fields of one header block, before any extension is merged; names and links are raw bytes."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    type: bytes
    link: bytes
    format: HeaderFormat
    uname: bytes
    gname: bytes
    major: int
    minor: int


def string(field: bytes) -> bytes:
    """Return the bytes of a field up to its first NUL."""
    return field.partition(b"\0")[0]


def octal(field: bytes) -> int:
    """Return an octal field; NULs and spaces around it are padding, an empty one is 0.  TarError on other bytes."""
    digits = string(field.strip(b" \0"))
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise TarError(INVALID_HEADER, f"{field!r} is not an octal number")
    value = int(digits, 8)
    if value >= 1 << 64:
        raise TarError(INVALID_HEADER, f"{field!r} does not fit 64 bits")
    return value


def numeric(field: bytes) -> int:
    """Return an octal or (top bit set) base-256 two's-complement field.  TarError past 64 bits."""
    if field and field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = 8 * len(field) - 1
        value &= (1 << bits) - 1
        if field[0] & 0x40:
            value -= 1 << bits
        if not -(1 << 63) <= value < 1 << 63:
            raise TarError(INVALID_HEADER, f"base-256 number {field!r} does not fit 64 bits")
        return value
    value = octal(field)
    # Go converts the unsigned octal value to int64 unchecked; 12 octal digits cannot reach the sign bit.
    return value - (1 << 64) if value >= 1 << 63 else value


def checksum_matches(block: bytes) -> bool:
    """Say whether the stored checksum is the unsigned or the (historic) signed sum of the block."""
    try:
        stated = octal(block[148:156])
    except TarError:
        return False
    rest = block[:148] + block[156:]
    unsigned = sum(rest) + 8 * 0x20
    if stated == unsigned:
        return True
    return stated == unsigned - 256 * sum(1 for byte in rest if byte > 127)


def parse_header(block: bytes) -> Header:
    """Read one non-zero header block.  TarError when the checksum or a field is invalid.

    Source: Go archive/tar `readHeader`; GNU tar manual, "Basic Tar Format".
    """
    if not checksum_matches(block):
        raise TarError(INVALID_HEADER, "the header checksum does not match its bytes")
    magic = block[257:263]
    if magic == b"ustar\0":
        format_: HeaderFormat = "star" if block[508:512] == b"tar\0" else "ustar"
    elif magic == b"ustar " and block[263:265] == b" \0":
        format_ = "gnu"
    else:
        format_ = "v7"
    name = string(block[:100])
    uname = gname = prefix = b""
    major = minor = 0
    mode, uid, gid = numeric(block[100:108]), numeric(block[108:116]), numeric(block[116:124])
    size, mtime = numeric(block[124:136]), numeric(block[136:148])
    if format_ != "v7":
        uname, gname = string(block[265:297]), string(block[297:329])
        major, minor = numeric(block[329:337]), numeric(block[337:345])
        if format_ == "ustar":
            prefix = string(block[345:500])
        elif format_ == "star":
            prefix = string(block[345:476])
            numeric(block[476:488])
            numeric(block[488:500])
        else:
            prefix = _gnu_prefix(block)
    if prefix:
        name = prefix + b"/" + name
    return Header(
        name, mode, uid, gid, size, mtime, block[156:157], string(block[157:257]), format_, uname, gname, major, minor
    )


def _gnu_prefix(block: bytes) -> bytes:
    """Return the prefix of a header that says GNU but was written by Go before 1.8, which put a name there.

    A true GNU header has atime and ctime at that place; only when they do not parse is it a name.
    """
    try:
        if block[345]:
            numeric(block[345:357])
        if block[357]:
            numeric(block[357:369])
    except TarError:
        prefix = string(block[345:500])
        return prefix if prefix.isascii() else b""
    return b""
