"""ELF facts in two layers: what the kernel reads at `execve`, and what the dynamic loader reads afterwards.

The kernel looks at the header and the program headers only; `parse_ehdr` and `kernel_view` read exactly that and
need no library.  The loader reads the dynamic section through the loaded segments, never the section headers, so
`parse_elf` does the same: a file whose section table lies is described as the loader sees it.  The record
layouts of the dynamic part come from pyelftools, loaded on first use.
"""

from __future__ import annotations

import struct
from collections import namedtuple
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.elf.header import (
    ET_DYN,
    MAX_INTERP,
    PT_DYNAMIC,
    PT_INTERP,
    PT_LOAD,
    PT_NOTE,
    Ehdr,
    Phdr,
    Reader,
    parse_ehdr,
    parse_phdrs,
    stack_exec_of,
)
from imagepeel.text import plural

if TYPE_CHECKING:
    from elftools.elf.structs import ELFStructs

DF_1_NODEFLIB = 0x800
DF_1_PIE = 0x08000000
DF_1_NOW = 0x1

_MAX_DYNAMIC = 10_000
_MAX_NEEDED = 4_096
_MAX_STRING = 65_536
_MAX_STRING_TOTAL = 8 * 1024 * 1024
_MAX_VERSIONS = 20_000
_MAX_NOTES = 256
_MAX_NOTE_BYTES = 65_536


class HeadersCut(Malformed):
    """The file ends inside its program headers."""


class ElfString(msgspec.Struct, frozen=True, kw_only=True):
    """A string of the dynamic section."""

    value: bytes
    """Without its NUL."""
    at: int
    """File offset of the dynamic entry."""
    string_at: int
    """File offset of the text."""


class VersionRef(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol version that is required or defined (LSB, symbol versioning)."""

    name: bytes
    """Such as `GLIBC_2.34`."""
    hash: int
    """As stored; `sysv_hash` of the name in a sound file."""
    flags: int
    """VER_FLG_* bits: 1 base, 2 weak."""
    index: int
    """What DT_VERSYM calls this version."""
    at: int
    """File offset of its record."""

    @property
    def weak(self) -> bool:
        """VER_FLG_WEAK: the loader stays silent when the version is missing."""
        return bool(self.flags & 2)


class VersionNeed(msgspec.Struct, frozen=True, kw_only=True):
    """Versions required of one library."""

    file: bytes
    """Name of the library, as in DT_NEEDED."""
    versions: tuple[VersionRef, ...]
    """In file order."""
    at: int
    """File offset of its record."""


class ElfFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a file that the loader decides on, with the file offset of each fact."""

    ehdr: Ehdr
    """The header in the layout that the file states."""
    phdrs: tuple[Phdr, ...]
    """In file order."""
    size: int
    """Bytes of the file."""
    interp: bytes | None
    """Path of PT_INTERP up to its first NUL; None without a usable one."""
    interp_at: int | None
    """File offset of the path; None without PT_INTERP."""
    dynamic_at: int | None
    """File offset of the dynamic section; None without PT_DYNAMIC."""
    needed: tuple[ElfString, ...]
    """DT_NEEDED in file order."""
    soname: ElfString | None
    """The last DT_SONAME, which is the one that counts."""
    rpath: ElfString | None
    """The last DT_RPATH, which is the one that counts."""
    runpath: ElfString | None
    """The last DT_RUNPATH, which is the one that counts."""
    flags: int
    """DF_* bits of DT_FLAGS, 0 without it."""
    flags_1: int
    """DF_1_* bits of DT_FLAGS_1, 0 without it."""
    verneed: tuple[VersionNeed, ...]
    """Versions required, in file order."""
    verdef: tuple[VersionRef, ...]
    """Versions defined, in file order."""
    has_verdef: bool
    """Whether the file has DT_VERDEF."""
    build_id: str
    """GNU build id in hexadecimal, at most 64 bytes of it; "" without one."""
    abi_tag: tuple[int, int, int, int] | None
    """GNU ABI tag: operating system (0 is Linux) and the oldest kernel that suffices (major, minor, patch)."""
    stack_exec: bool | None
    """Executable-stack request of PT_GNU_STACK; None when the file has none."""
    hints: tuple[str, ...]
    """Any of `go`, `static-pie`, `shared-object`, `no-section-headers`."""
    tags: dict[int, int]
    """Every dynamic tag with its last value, for what has no field of its own."""

    @property
    def is_static(self) -> bool:
        """Whether the kernel alone starts it: it names no loader and needs no library."""
        return self.interp is None and not self.needed

    @property
    def nodeflib(self) -> bool:
        """DF_1_NODEFLIB: the loader does not look into the default directories."""
        return bool(self.flags_1 & DF_1_NODEFLIB)

    @property
    def bind_now(self) -> bool:
        """Whether all symbols are looked up before the first instruction (DT_BIND_NOW, DF_BIND_NOW or DF_1_NOW)."""
        return bool(self.flags & 8) or bool(self.flags_1 & DF_1_NOW) or 24 in self.tags


def file_offset(phdrs: tuple[Phdr, ...], vaddr: int) -> int | None:
    """Return the file offset that is loaded at a virtual address; None when no PT_LOAD brings it from the file."""
    for phdr in phdrs:
        if phdr.type == PT_LOAD and phdr.vaddr <= vaddr < phdr.vaddr + phdr.filesz:
            return vaddr - phdr.vaddr + phdr.offset
    return None


def read_phdrs(read: Reader, size: int, ehdr: Ehdr) -> tuple[Phdr, ...]:
    """Return all program headers, in file order.

    `read` and `size` (bytes) give the file.  Malformed when the size of a header is not that of the class, or the file
    ends inside the table.
    """
    wanted = 56 if ehdr.bits == 64 else 32
    if ehdr.phnum == 0:
        return ()
    if ehdr.phentsize != wanted:
        raise Malformed(
            f"a program header has {plural(ehdr.phentsize, 'byte')} instead of {wanted} (ELF header offset 54)"
        )
    table = read(ehdr.phoff, ehdr.phnum * wanted) if ehdr.phoff < size else b""
    if len(table) < ehdr.phnum * wanted:
        raise HeadersCut(f"the file ends inside its program headers at file offset {ehdr.phoff}")
    return parse_phdrs(ehdr, table)


def parse_elf(read: Reader, size: int) -> ElfFacts:
    """Read what a dynamic loader reads of a file.

    `read` and `size` (bytes) give the file.

    Malformed, with the file offset, for a damaged header, a dynamic section or string outside the file, and counts
    beyond all reason; nothing else, whatever the bytes.
    """
    try:
        return _parse_elf(read, size)
    except Malformed:
        raise
    except (struct.error, ValueError, OverflowError, IndexError, KeyError, MemoryError) as error:
        raise Malformed(f"the ELF file cannot be read: {error}") from error


def _parse_elf(read: Reader, size: int) -> ElfFacts:
    ehdr = parse_ehdr(read(0, 64))
    if size < (64 if ehdr.bits == 64 else 52):
        raise Malformed(f"the file has {plural(size, 'byte')}, less than an ELF header")
    phdrs = read_phdrs(read, size, ehdr)
    interp_phdr = next((phdr for phdr in phdrs if phdr.type == PT_INTERP), None)
    interp: bytes | None = None
    if interp_phdr is not None and 2 <= interp_phdr.filesz <= MAX_INTERP and interp_phdr.offset < size:
        interp = read(interp_phdr.offset, interp_phdr.filesz).split(b"\0", 1)[0]
    reader = _Dynamic(read, size, ehdr, phdrs)
    dynamic_phdr = next((phdr for phdr in phdrs if phdr.type == PT_DYNAMIC), None)
    if dynamic_phdr is not None:
        reader.read_dynamic(dynamic_phdr)
    build_id, abi_tag, go = _notes(read, size, ehdr, phdrs)
    hints: list[str] = []
    if go:
        hints.append("go")
    if interp is None and dynamic_phdr is not None and not reader.needed and ehdr.type == ET_DYN:
        hints.append("static-pie" if reader.flags_1 & DF_1_PIE else "shared-object")
    if ehdr.shnum == 0 or ehdr.shoff == 0:
        hints.append("no-section-headers")
    return ElfFacts(
        ehdr=ehdr,
        phdrs=phdrs,
        size=size,
        interp=interp,
        interp_at=interp_phdr.offset if interp_phdr is not None else None,
        dynamic_at=dynamic_phdr.offset if dynamic_phdr is not None else None,
        needed=tuple(reader.needed),
        soname=reader.soname,
        rpath=reader.rpath,
        runpath=reader.runpath,
        flags=reader.tags.get(30, 0),
        flags_1=reader.flags_1,
        verneed=reader.verneed(),
        verdef=reader.verdef(),
        has_verdef=0x6FFFFFFC in reader.tags,
        build_id=build_id,
        abi_tag=abi_tag,
        stack_exec=stack_exec_of(phdrs),
        hints=tuple(hints),
        tags=reader.tags,
    )


@lru_cache(maxsize=16)
def _layout(kind: str, little: bool, bits: int) -> tuple[struct.Struct, Any]:
    """The layout of a record as pyelftools has it, and the class of its numbers by name.

    Parsing with pyelftools itself takes longer than the rest of reading a file.
    """
    fields = getattr(_structs(little, bits), kind).subcons
    order = "<" if little else ">"
    layout = struct.Struct(order + "".join(field.packer.format.lstrip("<>") for field in fields))
    return layout, namedtuple(kind, [field.name for field in fields])


@lru_cache(maxsize=4)
def _structs(little: bool, bits: int) -> ELFStructs:
    """The record layouts of pyelftools for a class and byte order; making them takes longer than reading a file."""
    from elftools.elf.structs import ELFStructs  # start time

    structs = ELFStructs(little_endian=little, elfclass=bits)
    structs.create_basic_structs()
    structs.create_advanced_structs("ET_DYN", "EM_NONE", "ELFOSABI_SYSV")
    return structs


class _Dynamic:
    """Reads the dynamic section and what it points to, within bounds."""

    def __init__(self, read: Reader, size: int, ehdr: Ehdr, phdrs: tuple[Phdr, ...]) -> None:
        self._read = read
        self._size = size
        self._ehdr = ehdr
        self._phdrs = phdrs
        self._strings_at: int | None = None
        self._strings_size = 0
        self._strings_cache = b""
        self._strings_spent = 0
        self.tags: dict[int, int] = {}
        self.needed: list[ElfString] = []
        self.soname: ElfString | None = None
        self.rpath: ElfString | None = None
        self.runpath: ElfString | None = None
        self.flags_1 = 0

    def read_dynamic(self, phdr: Phdr) -> None:
        """Entries up to DT_NULL; strings are resolved once DT_STRTAB is known, wherever it stands."""
        if phdr.offset > self._size:
            raise Malformed(f"the dynamic section at file offset {phdr.offset} lies behind the end of the file")
        width = 16 if self._ehdr.bits == 64 else 8
        limit = min(phdr.filesz // width, _MAX_DYNAMIC)
        data = self._read(phdr.offset, limit * width)
        order = "<" if self._ehdr.little else ">"
        layout = f"{order}qQ" if self._ehdr.bits == 64 else f"{order}iI"
        strings: list[tuple[int, int, int]] = []
        for index in range(len(data) // width):
            tag, value = struct.unpack_from(layout, data, index * width)
            if tag == 0:
                break
            self.tags[tag] = value
            if tag in (1, 14, 15, 29):
                strings.append((tag, value, phdr.offset + index * width))
        self.flags_1 = self.tags.get(0x6FFFFFFB, 0)
        if 5 in self.tags:
            self._strings_at = file_offset(self._phdrs, self.tags[5])
            self._strings_size = self.tags.get(10, _MAX_STRING)
        if len(strings) > _MAX_NEEDED:
            raise Malformed(f"{len(strings)} strings in the dynamic section at file offset {phdr.offset}")
        for tag, value, at in strings:
            found = ElfString(value=self.string(value, at), at=at, string_at=(self._strings_at or 0) + value)
            if tag == 1:
                self.needed.append(found)
            elif tag == 14:
                self.soname = found
            elif tag == 15:
                self.rpath = found
            else:
                self.runpath = found

    def string(self, offset: int, at: int) -> bytes:
        """One string of DT_STRTAB; `at` is the file offset of the record that asks for it."""
        if self._strings_at is None:
            raise Malformed(f"the dynamic section names a string at file offset {at} but has no string table")
        if not self._strings_cache:
            self._strings_cache = self._read(self._strings_at, min(self._strings_size, 1 << 20))
        end = self._strings_cache.find(b"\0", offset)
        if end >= 0:
            value = self._strings_cache[offset : min(end, offset + _MAX_STRING)]
            # Thousands of records may point at one long string: the sum is bounded, not only each of them.
            self._strings_spent += len(value)
            if self._strings_spent > _MAX_STRING_TOTAL:
                raise Malformed(f"more than {_MAX_STRING_TOTAL} bytes of names (the last at file offset {at})")
            return value
        start = self._strings_at + offset
        chunk = self._read(start, _MAX_STRING) if start < self._size else b""
        value, terminator, _ = chunk.partition(b"\0")
        if not terminator:
            raise Malformed(f"the string at file offset {start} (named at {at}) does not end inside the file")
        return value

    def _record(self, kind: str, offset: int) -> Any:
        """One record of pyelftools' layouts at a file offset."""
        layout, record = _layout(kind, self._ehdr.little, self._ehdr.bits)
        data = self._read(offset, layout.size) if 0 <= offset < self._size else b""
        if len(data) < layout.size:
            raise Malformed(f"the {kind} record at file offset {offset} cannot be read")
        return record(*layout.unpack(data))

    def _place(self, tag: int, what: str) -> int | None:
        if tag not in self.tags:
            return None
        offset = file_offset(self._phdrs, self.tags[tag])
        if offset is None:
            raise Malformed(f"{what} points to address {self.tags[tag]:#x}, which no segment brings from the file")
        return offset

    def verneed(self) -> tuple[VersionNeed, ...]:
        """DT_VERNEED: versions required, by library."""
        offset = self._place(0x6FFFFFFE, "DT_VERNEED")
        found: list[VersionNeed] = []
        budget = _MAX_VERSIONS
        while offset is not None and budget > 0:
            need = self._record("Elf_Verneed", offset)
            versions: list[VersionRef] = []
            aux_at = offset + need.vn_aux
            while budget > 0:
                budget -= 1
                aux = self._record("Elf_Vernaux", aux_at)
                versions.append(
                    VersionRef(
                        name=self.string(aux.vna_name, aux_at),
                        hash=aux.vna_hash,
                        flags=aux.vna_flags,
                        index=aux.vna_other,
                        at=aux_at,
                    )
                )
                if not aux.vna_next:
                    break
                aux_at += aux.vna_next
            found.append(VersionNeed(file=self.string(need.vn_file, offset), versions=tuple(versions), at=offset))
            offset = offset + need.vn_next if need.vn_next else None
        if budget <= 0:
            raise Malformed(f"more than {_MAX_VERSIONS} version records")
        return tuple(found)

    def verdef(self) -> tuple[VersionRef, ...]:
        """DT_VERDEF: versions defined; the first name of each record is its own, the others are its parents."""
        offset = self._place(0x6FFFFFFC, "DT_VERDEF")
        found: list[VersionRef] = []
        while offset is not None:
            if len(found) > _MAX_VERSIONS:
                raise Malformed(f"more than {_MAX_VERSIONS} version records")
            record = self._record("Elf_Verdef", offset)
            aux = self._record("Elf_Verdaux", offset + record.vd_aux)
            found.append(
                VersionRef(
                    name=self.string(aux.vda_name, offset),
                    hash=record.vd_hash,
                    flags=record.vd_flags,
                    index=record.vd_ndx,
                    at=offset,
                )
            )
            offset = offset + record.vd_next if record.vd_next else None
        return tuple(found)


def _notes(
    read: Reader, size: int, ehdr: Ehdr, phdrs: tuple[Phdr, ...]
) -> tuple[str, tuple[int, int, int, int] | None, bool]:
    """Build id, the kernel that libc was built for (os, major, minor, patch) and whether the Go linker signed it."""
    build_id, abi_tag, go = "", None, False
    order = "<" if ehdr.little else ">"
    budget = _MAX_NOTES
    for phdr in phdrs:
        if phdr.type != PT_NOTE or phdr.offset >= size:
            continue
        data = read(phdr.offset, min(phdr.filesz, _MAX_NOTE_BYTES))
        # Notes are 4-aligned unless the segment says 8 (GNU property notes).
        align = 8 if phdr.align == 8 else 4
        position = 0
        while position + 12 <= len(data) and budget > 0:
            budget -= 1
            name_size, desc_size, kind = struct.unpack_from(f"{order}III", data, position)
            name = data[position + 12 : position + 12 + name_size].rstrip(b"\0")
            start = position + ((12 + name_size + align - 1) & -align)
            desc = data[start : start + desc_size]
            if name == b"GNU" and kind == 3:
                build_id = desc[:64].hex()
            elif name == b"GNU" and kind == 1 and len(desc) >= 16:
                abi_tag = struct.unpack_from(f"{order}IIII", desc)
            elif name == b"Go" and kind == 4:
                go = True
            position = start + ((desc_size + align - 1) & -align)
    return build_id, abi_tag, go
