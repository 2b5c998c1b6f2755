"""What a version of a file holds: lines of text, what a loader reads of an ELF file, or bytes with a digest."""

from __future__ import annotations

import codecs
import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf.header import is_elf
from imagepeel.versions.lines import split
from imagepeel.versions.shown import margin_of

if TYPE_CHECKING:
    from imagepeel.layers.content import EntryFile
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

TEXT_BYTES = 1 << 20
"""Largest file that is compared line by line."""
TEXT_LINES = 100_000
"""Most lines of such a file."""
_HEAD = 8192
_CHUNK = 1 << 20
_MOST_HASHED = 2 << 30
"""Bytes whose digests are taken for one question: a sparse file may state any size."""
_WIDE = {codecs.BOM_UTF16_LE: "utf-16le", codecs.BOM_UTF16_BE: "utf-16be"}

ContentKind = Literal["text", "elf", "binary", "unread"]
Encoding = Literal["", "ascii", "utf-8", "utf-8 with a mark", "utf-16le", "utf-16be", "other"]
LineEnds = Literal["", "LF", "CRLF", "mixed"]


class ElfBrief(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a loader reads of an ELF file; `build_id` in hexadecimal."""

    interpreter: str = ""
    needed: tuple[str, ...] = ()
    soname: str = ""
    rpath: str = ""
    runpath: str = ""
    build_id: str = ""
    damage: str = ""
    """Why it cannot be read, "" where it can."""


class Content(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a regular file holds.

    kind: text; elf; binary, which is also text that is too large to compare line by line; unread, with the reason in
    `why`.  encoding: of text; "other" where it is neither UTF-8 nor marked as UTF-16.
    """

    kind: ContentKind
    size: int
    """Bytes."""
    digest: str = ""
    """sha256:... of what is no text, "" where it was not taken."""
    lines: int = 0
    """Count, of text."""
    encoding: Encoding = ""
    line_ends: LineEnds = ""
    """Of text; "" where no line ends."""
    ends_in_newline: bool = True
    """Whether the last line of text has its newline; true for an empty file."""
    elf: ElfBrief | None = None
    why: str = ""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a version with its lines, each with its newline; [] of what is no text.

    margin: lines around those that are shown which may give a secret in them away.
    """

    content: Content
    lines: list[bytes]
    margin: int = 0


class Hashing:
    """How many bytes may still be hashed for one question."""

    def __init__(self, left: int = _MOST_HASHED) -> None:
        self.left = left


def read(rootfs: Rootfs, node: Inode, hashing: Hashing) -> Read:
    """Return what a regular file holds; bytes that are not there are said and not raised.

    `hashing` bounds the digests of what is no text: one beyond it is "".
    """
    try:
        file = rootfs.open(node)
        head = file.pread(0, min(_HEAD, node.size))
        if is_elf(head[:64]):
            return Read(content=_elf(rootfs, node, file, hashing), lines=[])
        wide = head[:2] in _WIDE
        if node.size > TEXT_BYTES or (b"\0" in head and not wide):
            return Read(content=_binary(rootfs, node, file, hashing), lines=[])
        found = _text(head if node.size <= len(head) else file.pread(0, node.size))
        return found or Read(content=_binary(rootfs, node, file, hashing), lines=[])
    except ImagepeelError as error:
        return Read(content=Content(kind="unread", size=node.size, why=error.what), lines=[])


def _text(data: bytes) -> Read | None:
    """Return the lines of a text, those of UTF-16 as UTF-8; None for what is none, or has too many."""
    encoding: Encoding = "ascii"
    size = len(data)
    if data[:2] in _WIDE:
        try:
            encoding = "utf-16le" if data[:2] == codecs.BOM_UTF16_LE else "utf-16be"
            data = data[2:].decode(encoding).encode()
        except UnicodeDecodeError:
            return None
    elif not data.isascii():
        try:
            data.decode()
            encoding = "utf-8 with a mark" if data.startswith(codecs.BOM_UTF8) else "utf-8"
        except UnicodeDecodeError:
            encoding = "other"
    if b"\0" in data or data.count(b"\n") >= TEXT_LINES:
        return None
    lines = split(data)
    ends = data.count(b"\r\n") if b"\r" in data else 0
    newlines = len(lines) - (bool(data) and not data.endswith(b"\n"))
    line_ends: LineEnds = "" if not newlines else "LF" if not ends else "CRLF" if ends == newlines else "mixed"
    content = Content(
        kind="text",
        size=size,
        lines=len(lines),
        encoding=encoding,
        line_ends=line_ends,
        ends_in_newline=data.endswith(b"\n") or not data,
    )
    return Read(content=content, lines=lines, margin=margin_of(data))


def _binary(rootfs: Rootfs, node: Inode, file: EntryFile, hashing: Hashing) -> Content:
    return Content(kind="binary", size=node.size, digest=_digest(rootfs, node, file, hashing))


def _elf(rootfs: Rootfs, node: Inode, file: EntryFile, hashing: Hashing) -> Content:
    from imagepeel.formats.elf.file import parse_elf  # start time

    try:
        facts = parse_elf(file.pread, node.size)
        brief = ElfBrief(
            interpreter=text(facts.interp or b""),
            needed=tuple(text(one.value) for one in facts.needed),
            soname=text(facts.soname.value) if facts.soname is not None else "",
            rpath=text(facts.rpath.value) if facts.rpath is not None else "",
            runpath=text(facts.runpath.value) if facts.runpath is not None else "",
            build_id=facts.build_id,
        )
    except Malformed as error:
        brief = ElfBrief(damage=error.what)
    return Content(kind="elf", size=node.size, digest=_digest(rootfs, node, file, hashing), elf=brief)


def _digest(rootfs: Rootfs, node: Inode, file: EntryFile, hashing: Hashing) -> str:
    """Return the SHA-256 of a file, as the scan took it or by reading it; "" where that would be too much."""
    if node.layer is not None and node.entry is not None:
        known = rootfs.layers[node.layer].table[node.entry].sha256
        if known is not None:
            return f"sha256:{known}"
    if node.size > hashing.left:
        return ""
    hashing.left -= node.size
    found = hashlib.sha256()
    for at in range(0, node.size, _CHUNK):
        found.update(file.pread(at, min(_CHUNK, node.size - at)))
    return f"sha256:{found.hexdigest()}"
