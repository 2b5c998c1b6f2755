"""What the kernel reads of an ELF file at `execve`: the header and the program headers, and nothing else.

Linux fs/binfmt_elf.c and include/uapi/linux/elf.h.  Needs no library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal

import msgspec

from imagepeel.errors import Malformed
from imagepeel.tables import MACHINES, ErrnoName
from imagepeel.text import noun, plural

Reader = Callable[[int, int], bytes]
"""`read(offset, count)`: that many bytes of the file, fewer only at its end."""

MAGIC = b"\x7fELF"
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
PT_GNU_STACK = 0x6474E551
MAX_INTERP = 4096

_EXECUTABLE = 1
"""The bit PF_X of a segment."""

_TYPES = {0: "NONE", ET_REL: "REL", ET_EXEC: "EXEC", ET_DYN: "DYN", ET_CORE: "CORE"}
_MAX_PHDR_BYTES = 65_536


class Ehdr(msgspec.Struct, frozen=True, kw_only=True):
    """The ELF header: numbers as stored, named as in Elf64_Ehdr (include/uapi/linux/elf.h)."""

    bits: int
    """32 or 64."""
    little: bool
    """Whether numbers are little endian."""
    ident_version: int
    """Byte 6 of the file."""
    osabi: int
    """Byte 7 of the file."""
    abi_version: int
    """Byte 8 of the file."""
    padding: bytes
    """Bytes 9 to 15 of the file."""
    type: int
    """ET_* number."""
    machine: int
    """EM_* number."""
    version: int
    """e_version, 1 in every valid file."""
    entry: int
    """Virtual address of the first instruction."""
    phoff: int
    """File offset of the program headers."""
    shoff: int
    """File offset of the section headers, 0 without any."""
    flags: int
    """Bits that the machine defines."""
    ehsize: int
    """Bytes of this header."""
    phentsize: int
    """Bytes of one program header."""
    phnum: int
    """Count of program headers."""
    shentsize: int
    """Bytes of one section header."""
    shnum: int
    """Count of section headers."""

    @property
    def type_name(self) -> str:
        """NONE, REL, EXEC, DYN or CORE, for any other type its number."""
        return _TYPES.get(self.type, str(self.type))

    @property
    def machine_name(self) -> str:
        """Go's name of the architecture, or `machine N` for one without."""
        for name, (machine, bits, little) in MACHINES.items():
            if machine == self.machine and bits == self.bits and little == self.little:
                return name
        return f"machine {self.machine}"


class Phdr(msgspec.Struct, frozen=True, kw_only=True):
    """One program header: numbers as stored, named as in Elf64_Phdr (include/uapi/linux/elf.h)."""

    type: int
    """PT_* number."""
    flags: int
    """PF_* bits: 1 execute, 2 write, 4 read."""
    offset: int
    """File offset of the segment."""
    vaddr: int
    """Virtual address of the segment."""
    filesz: int
    """Bytes of the segment in the file."""
    memsz: int
    """Bytes of the segment in memory."""
    align: int
    """Bytes; 0 and 1 mean no alignment."""
    at: int
    """File offset of this header itself."""


Problem = Literal["", "type", "machine", "headers", "loader"]
"""The part of an ELF file that the kernel refuses."""


class KernelView(msgspec.Struct, frozen=True, kw_only=True):
    """What `execve` of an ELF file comes to before any file but this one is opened."""

    ehdr: Ehdr
    """The header as the kernel reads it, in its own layout."""
    phdrs: tuple[Phdr, ...]
    """In file order; () when the kernel refuses the file before it reads them."""
    interp: bytes | None
    """Path of PT_INTERP up to its first NUL; None for a static program and a refused file."""
    interp_at: int | None
    """File offset of the path."""
    interp_phdr_at: int | None
    """File offset of the program header that names the path."""
    stack_exec: bool | None
    """Executable-stack request of PT_GNU_STACK; None when the file has none."""
    errno: ErrnoName = ""
    """ENOEXEC or EIO; "" when the kernel accepts the file."""
    problem: Problem = ""
    """Part of the file that is to blame; "" when the kernel accepts it."""
    reason: str = ""
    """The refusal in words; "" when the kernel accepts the file."""


def is_elf(head: bytes) -> bool:
    """Whether the first four bytes are the ELF magic."""
    return head[:4] == MAGIC


def parse_ehdr(head: bytes, *, bits: int | None = None, little: bool | None = None) -> Ehdr:
    """Read the ELF header from the start of a file.

    Arguments: `head` holds the first bytes (64 suffice; the kernel reads 256) and is padded with NUL when shorter, as
    the kernel pads it.  `bits` (32 or 64) and `little` override what the file says about itself: the kernel reads the
    header in its own layout whatever the identification bytes claim.

    Malformed without the ELF magic, and when the class or byte order is none and was not given.
    """
    if not is_elf(head):
        raise Malformed("the file does not start with the ELF magic")
    head = head[:64].ljust(64, b"\0")
    if bits is None:
        bits = {1: 32, 2: 64}.get(head[4])
        if bits is None:
            raise Malformed(f"the ELF class byte at offset 4 is {head[4]}, neither 1 (32-bit) nor 2 (64-bit)")
    if little is None:
        if head[5] not in (1, 2):
            raise Malformed(f"the ELF data byte at offset 5 is {head[5]}, neither 1 (little) nor 2 (big endian)")
        little = head[5] == 1
    order = "<" if little else ">"
    layout = f"{order}HHIQQQIHHHHH" if bits == 64 else f"{order}HHIIIIIHHHHH"
    values = struct.unpack_from(layout, head, 16)
    return Ehdr(
        bits=bits,
        little=little,
        ident_version=head[6],
        osabi=head[7],
        abi_version=head[8],
        padding=head[9:16],
        type=values[0],
        machine=values[1],
        version=values[2],
        entry=values[3],
        phoff=values[4],
        shoff=values[5],
        flags=values[6],
        ehsize=values[7],
        phentsize=values[8],
        phnum=values[9],
        shentsize=values[10],
        shnum=values[11],
    )


def parse_phdrs(ehdr: Ehdr, table: bytes) -> tuple[Phdr, ...]:
    """Return the program headers in the bytes of their table, in file order; the bytes are a multiple of one header."""
    order = "<" if ehdr.little else ">"
    found: list[Phdr] = []
    if ehdr.bits == 64:
        for index, row in enumerate(struct.iter_unpack(f"{order}IIQQQQQQ", table)):
            kind, flags, offset, vaddr, _, filesz, memsz, align = row
            found.append(
                Phdr(
                    type=kind, flags=flags, offset=offset, vaddr=vaddr, filesz=filesz, memsz=memsz, align=align,
                    at=ehdr.phoff + index * 56,
                )
            )  # fmt: skip
    else:
        for index, row in enumerate(struct.iter_unpack(f"{order}IIIIIIII", table)):
            kind, offset, vaddr, _, filesz, memsz, flags, align = row
            found.append(
                Phdr(
                    type=kind, flags=flags, offset=offset, vaddr=vaddr, filesz=filesz, memsz=memsz, align=align,
                    at=ehdr.phoff + index * 32,
                )
            )  # fmt: skip
    return tuple(found)


def machine_matches(head: bytes, architecture: str) -> bool:
    """Whether the kernel of `architecture` (Go name) takes a file with this header as its native format.

    `head` holds the first bytes, 20 at least.  Only e_machine is compared, in the byte order of that kernel: this is
    what `elf_check_arch` does.  An unknown architecture matches nothing.
    """
    known = MACHINES.get(architecture)
    if known is None or len(head) < 20:
        return False
    machine, _, little = known
    return int.from_bytes(head[18:20], "little" if little else "big") == machine


def kernel_view(read: Reader, size: int, architecture: str) -> KernelView:
    """Judge a file as `load_elf_binary` of a kernel of `architecture` does, up to and including PT_INTERP.

    Arguments: `read` and `size` (bytes) give the file, `architecture` is a Go name.  The checks and their order:
    e_type, machine, program header size and count, then PT_INTERP (2 to 4,096 bytes, NUL at its end).

    Malformed without the ELF magic, and for an architecture that is not in `MACHINES`.  Source: Linux fs/binfmt_elf.c.
    """
    if architecture not in MACHINES:
        raise Malformed(f"no rules are known for the architecture {architecture!r}")
    _, bits, little = MACHINES[architecture]
    head = read(0, 256)
    ehdr = parse_ehdr(head, bits=bits, little=little)

    def refused(
        problem: Problem, reason: str, *, errno: ErrnoName = "ENOEXEC", phdrs: tuple[Phdr, ...] = ()
    ) -> KernelView:
        return KernelView(
            ehdr=ehdr, phdrs=phdrs, interp=None, interp_at=None, interp_phdr_at=None, stack_exec=None,
            errno=errno, problem=problem, reason=reason,
        )  # fmt: skip

    if ehdr.type not in (ET_EXEC, ET_DYN):
        if parse_ehdr(head, bits=bits, little=not little).type in (ET_EXEC, ET_DYN):
            return refused("machine", f"a file of the other byte order than that of {architecture}")
        return refused("type", f"the ELF type is {ehdr.type_name}, neither EXEC nor DYN")
    if not machine_matches(head.ljust(64, b"\0"), architecture):
        return refused("machine", f"the ELF machine {ehdr.machine} is not that of {architecture}")
    wanted = 56 if bits == 64 else 32
    if ehdr.phentsize != wanted:
        return refused("headers", f"a program header of {plural(ehdr.phentsize, 'byte')} instead of {wanted}")
    table_size = ehdr.phnum * wanted
    if not 0 < table_size <= _MAX_PHDR_BYTES:
        return refused("headers", f"{ehdr.phnum} program headers")
    table = read(ehdr.phoff, table_size) if ehdr.phoff < size else b""
    if len(table) < table_size:
        return refused("headers", "the file ends before or inside its program headers")
    phdrs = parse_phdrs(ehdr, table)
    interp: bytes | None = None
    interp_at: int | None = None
    interp_phdr_at: int | None = None
    for phdr in phdrs:
        if phdr.type != PT_INTERP:
            continue
        if not 2 <= phdr.filesz <= MAX_INTERP:
            return refused(
                "loader", f"PT_INTERP has {phdr.filesz} {noun(phdr.filesz, 'byte')}, not 2 to {MAX_INTERP}", phdrs=phdrs
            )
        content = read(phdr.offset, phdr.filesz) if phdr.offset < size else b""
        if len(content) < phdr.filesz:
            return refused(
                "loader", "the file ends before the loader path that PT_INTERP points to", errno="EIO", phdrs=phdrs
            )
        if content[-1] != 0:
            return refused("loader", "the loader path of PT_INTERP does not end in NUL", phdrs=phdrs)
        interp, interp_at, interp_phdr_at = content.split(b"\0", 1)[0], phdr.offset, phdr.at
        break
    return KernelView(
        ehdr=ehdr,
        phdrs=phdrs,
        interp=interp,
        interp_at=interp_at,
        interp_phdr_at=interp_phdr_at,
        stack_exec=stack_exec_of(phdrs),
    )


def stack_exec_of(phdrs: tuple[Phdr, ...]) -> bool | None:
    """Return the executable-stack request of the last PT_GNU_STACK; None when there is none and the machine decides."""
    stacks = [phdr for phdr in phdrs if phdr.type == PT_GNU_STACK]
    return bool(stacks[-1].flags & 1) if stacks else None


def loaded_tables(phdrs: tuple[Phdr, ...]) -> Phdr | None:
    """Return the first segment that is loaded, where it starts the file and has no code; None for another layout.

    Linkers put all tables that loaders read into such a segment in front of the code.
    """
    first = next((phdr for phdr in phdrs if phdr.type == PT_LOAD), None)
    return first if first is not None and not first.offset and not first.flags & _EXECUTABLE else None
