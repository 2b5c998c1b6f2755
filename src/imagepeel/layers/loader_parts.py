"""What kernels and dynamic loaders read of the programs and libraries in a layer, kept while its content passes by.

Whoever follows a start reads the headers of some fifty ELF files, the tables in front of their code and the dynamic
section behind it.  In a compressed layer each of these places costs inflating a megabyte or more again; together they
are some hundredths of the content.
"""

from __future__ import annotations

import struct
from heapq import heappop, heappush
from typing import Literal

from imagepeel.errors import Malformed
from imagepeel.formats.elf.header import (
    MAGIC,
    PT_DYNAMIC,
    PT_INTERP,
    Phdr,
    loaded_tables,
    parse_ehdr,
    parse_phdrs,
)
from imagepeel.formats.tar.header import BLOCK

HEAD = 1024
"""Bytes at the start of an ELF file that are always kept: header, program headers and the path of the loader."""

_MOST_TABLES = 1024 * 1024
"""Bytes of the tables of one library.  Programs keep none: many lie in an image, and a start has a few.  Nor do
libraries without a DT_SONAME, such as those of gconv, Perl and PostgreSQL: programs load them while they run."""

_MOST_DYNAMIC = 4096
"""Bytes of one dynamic section."""

_DT_SONAME = 14

Parts = tuple[tuple[int, bytes], ...]
"""Pieces of content by their offset in it, ascending."""


class LoaderParts:
    """Collects the parts of one layer, at most `most` bytes: past that the largest go first, as they save least a byte.

    A tar puts each file at a block, so each block that starts with the ELF magic is taken for a file.  One that is none
    costs what it keeps.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._largest: list[tuple[int, int, bytes]] = []
        """A heap: the negative size, where the part starts, the part."""
        self._wanted: list[_Wanted] = []
        """Of the file that began last, and heads of what may be another."""
        self._tables = (0, b"")
        """Of that file, and where it starts, until its dynamic section tells whether they are kept."""

    def feed(self, at: int, piece: bytes) -> None:
        """Take the piece of content at an offset; pieces come in order, without a gap."""
        if not self._most:
            return
        self._collect(at, piece)
        first = -at % BLOCK
        starts = piece[first::BLOCK]
        number = starts.find(MAGIC[0])
        while number >= 0:
            begin = first + number * BLOCK
            # A piece may end within the magic: then the rest comes with the head.
            if MAGIC.startswith(piece[begin : begin + len(MAGIC)]):
                self._wanted.append(_Wanted(at + begin, HEAD, "head"))
                self._collect(at, piece)
            number = starts.find(MAGIC[0], number + 1)

    def finish(self) -> Parts:
        """Return what was kept."""
        self._keep_tables(HEAD)
        return tuple(sorted((at, part) for _, at, part in self._largest))

    def _collect(self, at: int, piece: bytes) -> None:
        # Each completed one may want more of the same piece, which comes behind it in the list.
        for wanted in self._wanted:
            if wanted.take(at, piece):
                self._complete(wanted, b"".join(wanted.got))
        self._wanted = [wanted for wanted in self._wanted if wanted.missing]

    def _complete(self, done: _Wanted, part: bytes) -> None:
        if done.kind == "head":
            if not part.startswith(MAGIC):
                return
            more = _of_file(done.start, part)
            if more is not None:
                # What was wanted of the file before and did not come lies outside of it.
                self._keep_tables(HEAD)
                for wanted in self._wanted:
                    wanted.missing = wanted.missing and wanted.kind == "head"
                self._wanted += more
            if more and more[0].start == done.start:
                return
        if done.kind == "tables":
            self._tables = done.start, part
            return
        if done.kind == "dynamic":
            self._keep_tables(_MOST_TABLES if _has_soname(self._tables[1], part) else HEAD)
        self._keep(done.start, part)

    def _keep_tables(self, most: int) -> None:
        at, part = self._tables
        if part:
            self._keep(at, part[:most])
            self._tables = 0, b""

    def _keep(self, at: int, part: bytes) -> None:
        heappush(self._largest, (-len(part), at, part))
        self._held += len(part)
        while self._held > self._most:
            self._held -= len(heappop(self._largest)[2])


class _Wanted:
    """A range of content that is collected as it passes by."""

    def __init__(self, start: int, count: int, kind: Literal["head", "tables", "dynamic"], got: bytes = b"") -> None:
        self.start = start
        self.at = start + len(got)
        """Where what is missing begins."""
        self._end = start + count
        self.got = [got]
        self.kind = kind
        self.missing = True

    def take(self, at: int, piece: bytes) -> bool:
        """Take what a piece has of it; return whether it is complete."""
        if not self.missing or not at <= self.at < at + len(piece):
            return False
        part = piece[self.at - at : self._end - at]
        self.got.append(part)
        self.at += len(part)
        self.missing = self.at < self._end
        return not self.missing


def _of_file(start: int, head: bytes) -> list[_Wanted] | None:
    """Return what else is wanted of the ELF file at `start`, by its first bytes; None where those are of none.

    A loader has the magic in its own data.
    """
    try:
        ehdr = parse_ehdr(head)
        phdrs = parse_phdrs(ehdr, head[ehdr.phoff : ehdr.phoff + ehdr.phentsize * min(ehdr.phnum, HEAD)])
    except (Malformed, struct.error):
        return None
    if ehdr.phentsize != (56 if ehdr.bits == 64 else 32):
        return None
    dynamic = _first(phdrs, PT_DYNAMIC)
    if dynamic is None or dynamic.offset < HEAD or not 0 < dynamic.filesz <= _MOST_DYNAMIC:
        return []
    out = [_Wanted(start + dynamic.offset, dynamic.filesz, "dynamic")]
    tables = loaded_tables(phdrs)
    if tables is not None and HEAD < tables.filesz <= _MOST_TABLES and not _first(phdrs, PT_INTERP):
        out.insert(0, _Wanted(start, tables.filesz, "tables", head))
    return out


def _has_soname(head: bytes, dynamic: bytes) -> bool:
    """Whether a dynamic section names its file, of which these are the first bytes; False without any."""
    if not head:
        return False
    ehdr = parse_ehdr(head)
    entry = struct.Struct(("<" if ehdr.little else ">") + ("qQ" if ehdr.bits == 64 else "iI"))
    whole = dynamic[: len(dynamic) // entry.size * entry.size]
    return any(tag == _DT_SONAME for tag, _ in entry.iter_unpack(whole))


def _first(phdrs: tuple[Phdr, ...], kind: int) -> Phdr | None:
    return next((phdr for phdr in phdrs if phdr.type == kind), None)
