"""The ELF header and the program header that names the loader, field by field.

Source: include/uapi/linux/elf.h, `Elf32_Ehdr`, `Elf64_Ehdr`, `Elf32_Phdr` and `Elf64_Phdr`.
"""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.errors import Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf.header import MAX_INTERP, PT_INTERP, Ehdr, Phdr, Reader, is_elf, parse_ehdr, parse_phdrs
from imagepeel.formats.field import Field
from imagepeel.text import exact, number

_IDENT = (
    (0, 4, "EI_MAG", "The magic of every ELF file."),
    (4, 5, "EI_CLASS", "Width of addresses."),
    (5, 6, "EI_DATA", "Order of the bytes of a number."),
    (6, 7, "EI_VERSION", ""),
    (7, 8, "EI_OSABI", "Whose conventions; the kernel does not look."),
    (8, 9, "EI_ABIVERSION", ""),
    (9, 16, "EI_PAD", ""),
)
_HEADER = (
    ("e_type", 2, 2, "EXEC runs at fixed addresses, DYN anywhere."),
    ("e_machine", 2, 2, "The processor: another one answers exec format error."),
    ("e_version", 4, 4, ""),
    ("e_entry", 4, 8, "Address of the first instruction, after the loader's own."),
    ("e_phoff", 4, 8, "Where the program headers are."),
    ("e_shoff", 4, 8, "Where the section headers are; the kernel does not look."),
    ("e_flags", 4, 4, "Bits that the machine defines."),
    ("e_ehsize", 2, 2, "Length of this header."),
    ("e_phentsize", 2, 2, "Length of one program header."),
    ("e_phnum", 2, 2, "Count of program headers."),
    ("e_shentsize", 2, 2, "Length of one section header."),
    ("e_shnum", 2, 2, "Count of section headers."),
    ("e_shstrndx", 2, 2, "Which section holds the names."),
)
_PROGRAM_64 = ("p_type", "p_flags", "p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz", "p_align")
_PROGRAM_32 = ("p_type", "p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz", "p_flags", "p_align")
_MOST_HEADERS = 65_536
_PLACES = frozenset(("e_entry", "e_flags", "p_vaddr", "p_paddr", "p_align", "p_flags"))


def elf_fields(read: Reader) -> tuple[Field, ...]:
    """Return the fields of the ELF header, and of PT_INTERP and the path that it names where there is one.

    `read(offset, count)` gives the file.  Offsets count from the start of the file; between the header, the program
    header and the path lies what is not told.  () for a file that is no ELF or too broken to say how wide its
    addresses are.
    """
    head = read(0, 64)
    if not is_elf(head):
        return ()
    try:
        ehdr = parse_ehdr(head)
    except Malformed:
        return ()
    return tuple(_fields(read, head, ehdr))


def _fields(read: Reader, head: bytes, ehdr: Ehdr) -> Iterator[Field]:
    for start, end, name, meaning in _IDENT:
        data = head[start:end]
        yield Field(offset=start, name=name, data=data, value=_ident(name, data, ehdr), meaning=meaning)
    at = 16
    for name, narrow, wide, meaning in _HEADER:
        width = wide if ehdr.bits == 64 else narrow
        data = head[at : at + width]
        yield Field(offset=at, name=name, data=data, value=_number(name, data, ehdr), meaning=meaning)
        at += width
    width = 56 if ehdr.bits == 64 else 32
    if ehdr.phentsize != width:
        return
    table = read(ehdr.phoff, min(ehdr.phnum * width, _MOST_HEADERS))
    table = table[: len(table) // width * width]
    interp = next((phdr for phdr in parse_phdrs(ehdr, table) if phdr.type == PT_INTERP), None)
    if interp is not None:
        yield from _interp(read, table[interp.at - ehdr.phoff :][:width], interp, ehdr)


def _interp(read: Reader, row: bytes, phdr: Phdr, ehdr: Ehdr) -> Iterator[Field]:
    names = _PROGRAM_64 if ehdr.bits == 64 else _PROGRAM_32
    at = 0
    for name in names:
        width = 8 if ehdr.bits == 64 and name not in ("p_type", "p_flags") else 4
        data = row[at : at + width]
        value = "PT_INTERP: the loader's path" if name == "p_type" else _number(name, data, ehdr)
        yield Field(offset=phdr.at + at, name=name, data=data, value=value)
        at += width
    path = read(phdr.offset, min(phdr.filesz, MAX_INTERP))
    meaning = "The kernel starts this program, and it loads the other one."
    yield Field(offset=phdr.offset, name="loader", data=path, value=text(path.partition(b"\0")[0]), meaning=meaning)


def _ident(name: str, data: bytes, ehdr: Ehdr) -> str:
    if name == "EI_MAG":
        return "ELF"
    if name == "EI_CLASS":
        return f"{ehdr.bits} bits"
    if name == "EI_DATA":
        return "little endian" if ehdr.little else "big endian"
    return str(int.from_bytes(data, "big"))


def _number(name: str, data: bytes, ehdr: Ehdr) -> str:
    value = int.from_bytes(data, "little" if ehdr.little else "big")
    if name == "e_type":
        return f"{value} ({ehdr.type_name})"
    if name == "e_machine":
        return f"{value} ({ehdr.machine_name})"
    if name in _PLACES:
        return f"{value:#x}"
    return exact(value) if name.endswith(("size", "sz")) else number(value)
