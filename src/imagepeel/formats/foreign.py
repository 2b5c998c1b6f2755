"""Files that no Linux kernel executes and no first line makes executable, by their first bytes."""

from __future__ import annotations

import msgspec

_LINUX = "build it for linux, or copy the program from a stage that was built for it"
_UNPACK = "unpack it in the build"
_UTF_8 = "save it as UTF-8 without a byte order mark"


class ForeignFormat(msgspec.Struct, frozen=True):
    """What a file is, with its article, and what makes a start of it."""

    what: str
    fix: str


_PAGE = ForeignFormat("a page of HTML", "download it again: a server sent a page in place of the file")
_FORMATS: tuple[tuple[bytes, ForeignFormat], ...] = (
    (b"MZ", ForeignFormat("a program for Windows", _LINUX)),
    (b"\xcf\xfa\xed\xfe", ForeignFormat("a program for macOS", _LINUX)),
    (b"\xce\xfa\xed\xfe", ForeignFormat("a program for macOS", _LINUX)),
    (
        b"\xca\xfe\xba\xbe",
        ForeignFormat("a class of Java or a program for macOS", "write the program that runs it, such as java, first"),
    ),
    (
        b"\0asm",
        ForeignFormat("a WebAssembly module", "start it with a runtime for WebAssembly, and label the image wasi/wasm"),
    ),
    (
        b"PK\3\4",
        ForeignFormat(
            "a zip archive, such as a jar", "write the program that runs it first, such as java -jar, or unpack it"
        ),
    ),
    (b"\x1f\x8b", ForeignFormat("compressed with gzip", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", ForeignFormat("compressed with zstd", _UNPACK)),
    (b"\xfd7zXZ\0", ForeignFormat("compressed with xz", _UNPACK)),
    (b"BZh", ForeignFormat("compressed with bzip2", _UNPACK)),
    (b"!<arch>\n", ForeignFormat("an ar archive, such as a Debian package", _UNPACK)),
    (
        b"version https://git-lfs",
        ForeignFormat("a pointer of Git LFS in place of the file", "fetch the file before the build: git lfs pull"),
    ),
    (b"<!doctype html", _PAGE),
    (b"<html", _PAGE),
    (b"\xff\xfe", ForeignFormat("text in UTF-16", _UTF_8)),
    (b"\xfe\xff", ForeignFormat("text in UTF-16", _UTF_8)),
)
"""Magic numbers as file(1) has them, words of a text in lower case."""


def foreign_format(head: bytes) -> ForeignFormat | None:
    """Return what a file is that starts with these bytes, 32 at least; None for a text and for what is not known."""
    text = head[:32].lower()
    return next((found for magic, found in _FORMATS if head.startswith(magic) or text.startswith(magic)), None)


def first_line_missing(head: bytes) -> str:
    """Return what to do with a file that a first line would not make a script; "" where it would.

    `head` are its first bytes, all of them where there are fewer than a first line may have.
    """
    if not head:
        return "copy the file again: it has no byte"
    known = foreign_format(head)
    if known is not None:
        return known.fix
    return "put a program for Linux or a script in its place: it is no text" if b"\0" in head else ""
