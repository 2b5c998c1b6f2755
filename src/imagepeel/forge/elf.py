"""ELF files by hand: static programs around given machine code, and dynamic ones with any header one may want.

The dynamic files hold no real code: they are for what can be read from the outside (interpreter, needed libraries,
versions), and for what the kernel and the loader refuse.  Layouts: System V gABI chapters 4 and 5, and "Symbol
Versioning" of the LSB.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec

from imagepeel.errors import UsageError
from imagepeel.evidence import Name, raw


class Machine(msgspec.Struct, frozen=True):
    """How an architecture looks in an ELF header."""

    number: int
    bits: int
    big: bool = False
    flags: int = 0


MACHINES = {
    "amd64": Machine(62, 64),
    "386": Machine(3, 32),
    "arm64": Machine(183, 64),
    "arm": Machine(40, 32, False, 0x0500_0400),
    "ppc64le": Machine(21, 64, False, 2),
    "s390x": Machine(22, 64, True),
    "riscv64": Machine(243, 64, False, 5),
    "mips64le": Machine(8, 64, False, 0x8000_0007),
    "loong64": Machine(258, 64, False, 0x43),
}
"""EM_ number, class, byte order and e_flags by the image config's architecture."""

TYPES = {"rel": 1, "exec": 2, "dyn": 3, "core": 4}
"""ET_ numbers."""

LOADERS = {
    "amd64": "/lib64/ld-linux-x86-64.so.2",
    "386": "/lib/ld-linux.so.2",
    "arm64": "/lib/ld-linux-aarch64.so.1",
    "arm": "/lib/ld-linux-armhf.so.3",
    "ppc64le": "/lib64/ld64.so.2",
    "s390x": "/lib/ld64.so.1",
    "riscv64": "/lib/ld-linux-riscv64-lp64d.so.1",
}
"""The glibc loader that programs of an architecture name."""

_DT = {"needed": 1, "hash": 4, "strtab": 5, "symtab": 6, "strsz": 10, "syment": 11, "soname": 14, "rpath": 15}
_DT |= {"runpath": 29, "flags_1": 0x6FFF_FFFB, "versym": 0x6FFF_FFF0, "verdef": 0x6FFF_FFFC, "verdefnum": 0x6FFF_FFFD}
_DT |= {"verneed": 0x6FFF_FFFE, "verneednum": 0x6FFF_FFFF}


def static(code: bytes, architecture: str = "amd64") -> bytes:
    """A static executable: one header, one segment for everything, code right after them."""
    form = _Form(MACHINES[architecture])
    base, count = 0x40_0000, 2
    start = form.header_size + count * form.segment_size
    size = start + len(code)
    head = form.header(TYPES["exec"], base + start, count)
    segments = form.segment(1, 5, 0, base, size=size, align=0x1000)
    segments += form.segment(0x6474_E551, 6, 0, 0, size=0, align=16)
    return head + segments + code


def elf(
    architecture: str = "amd64",
    *,
    interpreter: Name | None = None,
    needed: Sequence[Name] = (),
    soname: Name | None = None,
    rpath: Name | None = None,
    runpath: Name | None = None,
    versions_needed: Mapping[Name, Sequence[Name]] | None = None,
    versions_defined: Sequence[Name] = (),
    imports: Sequence[Name] = (),
    exports: Sequence[Name] = (),
    type: str | int = "dyn",
    machine: int | None = None,
    flags_1: int = 0,
    osabi: int = 0,
    rodata: bytes = b"",
    sections: bool = True,
    interpreter_nul: bool = True,
    size: int | None = None,
) -> bytes:
    """A synthetic dynamic executable or library that readelf accepts.

    `interpreter` becomes PT_INTERP (without its NUL when `interpreter_nul` is False: the kernel refuses that);
    `needed`, `soname`, `rpath`, `runpath` and `flags_1` go to the dynamic section; `versions_needed` maps a library
    to version names, `versions_defined` are this library's own (the base version is added).  `imports` and
    `exports` are symbols without versions.  `machine` and `type` may lie; `rodata` is put
    into the file as it is; `sections=False` leaves the section headers out; `size` cuts the file to that many bytes.
    Raises `UsageError` for an unknown architecture or type.
    """
    if architecture not in MACHINES:
        raise UsageError(f"no ELF machine is known for {architecture!r}", hint="known: " + ", ".join(MACHINES))
    known = MACHINES[architecture]
    if machine is not None:
        known = msgspec.structs.replace(known, number=machine)
    if isinstance(type, str) and type not in TYPES:
        raise UsageError(f"no ELF type is called {type!r}", hint="known: " + ", ".join(TYPES))
    e_type = TYPES[type] if isinstance(type, str) else type
    form = _Form(known, osabi)
    base = 0x40_0000 if e_type == TYPES["exec"] else 0
    strings = _Strings()
    parts: list[_Part] = []
    dynamic: list[tuple[str, int | str]] = []
    if interpreter is not None:
        parts.append(_Part(".interp", 1, raw(interpreter) + (b"\0" if interpreter_nul else b"")))

    dynamic += [("needed", strings.add(raw(name))) for name in needed]
    for key, value in (("soname", soname), ("rpath", rpath), ("runpath", runpath)):
        if value is not None:
            dynamic.append((key, strings.add(raw(value))))
    if flags_1:
        dynamic.append(("flags_1", flags_1))

    symbols = _Symbols(strings)
    for name in imports:
        symbols.add(raw(name), _UNDEFINED, 1)
    for name in exports:
        symbols.add(raw(name), _ABSOLUTE, 1)
    versions, version_tags = _versions(
        form, symbols, versions_needed or {}, versions_defined, raw(soname or b"library")
    )
    has_dynamic = bool(dynamic or len(symbols.rows) > 1)
    if has_dynamic:
        parts += symbols.parts(form)
        dynamic += [("hash", ".hash"), ("symtab", ".dynsym"), ("strtab", ".dynstr")]
        dynamic += [("strsz", len(strings.data)), ("syment", form.symbol_size)]
    parts += versions
    dynamic += version_tags
    if rodata:
        parts.append(_Part(".rodata", 1, rodata))
    if has_dynamic:
        length = (len(dynamic) + 1) * form.dynamic_size
        parts.append(_Part(".dynamic", 6, bytes(length), link=".dynstr", entry=form.dynamic_size))
    data = _lay_out(
        form,
        parts,
        dynamic,
        base=base,
        e_type=e_type,
        interpreted=interpreter is not None,
        has_dynamic=has_dynamic,
        sections=sections,
    )
    return data if size is None else data[:size]


class _Part:
    """One section's bytes and header fields."""

    def __init__(self, name: str, kind: int, data: bytes, *, link: str = "", info: int = 0, entry: int = 0) -> None:
        self.name, self.kind, self.data = name, kind, data
        self.link, self.info, self.entry = link, info, entry
        self.offset = 0


class _Strings:
    """A string table; offset 0 is the empty string."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, value: bytes) -> int:
        found = self.data.find(b"\0" + value + b"\0") + 1
        if found:
            return found
        self.data += value + b"\0"
        return len(self.data) - len(value) - 1


_UNDEFINED, _ABSOLUTE = 0, 0xFFF1
"""Section numbers of symbols: one that a library has to bring, and one that is here."""


class _Symbols:
    """The dynamic symbols, all of them functions, and the version of each."""

    def __init__(self, strings: _Strings) -> None:
        self.strings = strings
        self.rows = [(0, 0, 0)]
        self.versions = [0]

    def add(self, name: bytes, section: int, version: int) -> None:
        self.rows.append((self.strings.add(name), 0x12, section))
        self.versions.append(version)

    def parts(self, form: _Form) -> list[_Part]:
        """Return the hash table, the symbols and their names as sections."""
        # One bucket that chains all symbols: 1 -> 2 -> ... -> 0.  s390x alone has 64-bit words here.
        word = "Q" if form.machine.number == MACHINES["s390x"].number else "I"
        count = len(self.rows)
        chain = [0, *range(2, count), 0] if count > 1 else [0]
        buckets = [1, count, min(1, count - 1), *chain]
        packed = struct.pack(f"{form.order}{len(buckets)}{word}", *buckets)
        table = b"".join(form.symbol(*each) for each in self.rows)
        return [
            _Part(".hash", 5, packed, link=".dynsym", entry=struct.calcsize(word)),
            _Part(".dynsym", 11, table, link=".dynstr", info=1, entry=form.symbol_size),
            _Part(".dynstr", 3, self.strings.data),
        ]


class _Form:
    """The structures of one class and byte order."""

    def __init__(self, machine: Machine, osabi: int = 0) -> None:
        self.machine, self.osabi = machine, osabi
        self.order = ">" if machine.big else "<"
        self.wide = machine.bits == 64
        self.header_size, self.segment_size, self.section_size = (64, 56, 64) if self.wide else (52, 32, 40)
        self.symbol_size, self.dynamic_size, self.align = (24, 16, 8) if self.wide else (16, 8, 4)

    def header(
        self, kind: int, entry: int, segments: int, *, section_at: int = 0, sections: int = 0, names: int = 0
    ) -> bytes:
        ident = b"\x7fELF" + bytes([2 if self.wide else 1, 2 if self.machine.big else 1, 1, self.osabi]) + bytes(8)
        word = "Q" if self.wide else "I"
        return ident + struct.pack(
            f"{self.order}HHI{word}{word}{word}IHHHHHH",
            kind,
            self.machine.number,
            1,
            entry,
            self.header_size if segments else 0,
            section_at,
            self.machine.flags,
            self.header_size,
            self.segment_size if segments else 0,
            segments,
            self.section_size if sections else 0,
            sections,
            names,
        )

    def segment(self, kind: int, flags: int, offset: int, address: int, *, size: int, align: int) -> bytes:
        if self.wide:
            return struct.pack(self.order + "IIQQQQQQ", kind, flags, offset, address, address, size, size, align)
        return struct.pack(self.order + "IIIIIIII", kind, offset, address, address, size, size, flags, align)

    def section(self, *fields: int) -> bytes:
        """name, type, flags, address, offset, size, link, info, alignment, entry size."""
        return struct.pack(self.order + ("IIQQQQIIQQ" if self.wide else "IIIIIIIIII"), *fields)

    def symbol(self, name: int, info: int, section: int) -> bytes:
        if self.wide:
            return struct.pack(self.order + "IBBHQQ", name, info, 0, section, 0, 0)
        return struct.pack(self.order + "IIIBBH", name, 0, 0, info, 0, section)

    def dynamic(self, tag: int, value: int) -> bytes:
        return struct.pack(self.order + ("QQ" if self.wide else "II"), tag, value)


def _lay_out(
    form: _Form,
    parts: list[_Part],
    dynamic: Sequence[tuple[str, int | str]],
    *,
    base: int,
    e_type: int,
    interpreted: bool,
    has_dynamic: bool,
    sections: bool,
) -> bytes:
    relocatable = e_type == TYPES["rel"]
    count = 0 if relocatable else 1 + interpreted + has_dynamic
    at = form.header_size + count * form.segment_size
    for part in parts:
        at += -at % form.align
        part.offset = at
        at += len(part.data)
    found = {part.name: part for part in parts}
    for part in parts:
        if part.name == ".dynamic":
            resolved = [
                (_DT[key], base + found[value].offset if isinstance(value, str) else value) for key, value in dynamic
            ]
            part.data = b"".join(form.dynamic(*item) for item in [*resolved, (0, 0)])
    end = at
    body = bytearray(end)
    for part in parts:
        body[part.offset : part.offset + len(part.data)] = part.data
    segments = b""
    if count:
        if interpreted:
            part = found[".interp"]
            segments += form.segment(3, 4, part.offset, base + part.offset, size=len(part.data), align=1)
        segments += form.segment(1, 6, 0, base, size=end, align=0x1000)
        if has_dynamic:
            part = found[".dynamic"]
            segments += form.segment(2, 6, part.offset, base + part.offset, size=len(part.data), align=form.align)
    table = b""
    section_at = 0
    if sections:
        names = _Strings()
        order = {part.name: index + 1 for index, part in enumerate(parts)}
        rows = [form.section(*[0] * 10)]
        for part in parts:
            link = order.get(part.link, 0)
            flags = 3 if part.name == ".dynamic" else 2
            rows.append(
                form.section(
                    names.add(part.name.encode()),
                    part.kind,
                    flags,
                    base + part.offset,
                    part.offset,
                    len(part.data),
                    link,
                    part.info,
                    form.align if part.name != ".interp" else 1,
                    part.entry,
                )
            )
        own = names.add(b".shstrtab")
        rows.append(form.section(own, 3, 0, 0, end, len(names.data), 0, 0, 1, 0))
        table = names.data + bytes(-(end + len(names.data)) % form.align)
        section_at = end + len(table)
        table += b"".join(rows)
    body[: form.header_size] = form.header(
        e_type,
        0 if relocatable else base,
        count,
        section_at=section_at,
        sections=len(parts) + 2 if sections else 0,
        names=len(parts) + 1 if sections else 0,
    )
    body[form.header_size : form.header_size + len(segments)] = segments
    return bytes(body) + table


def elf_hash(name: bytes) -> int:
    """The hash of the System V gABI ("Hash Table"), which version records carry."""
    value = 0
    for byte in name:
        value = (value << 4) + byte & 0xFFFF_FFFF
        high = value & 0xF000_0000
        value = (value ^ high >> 24) & ~high
    return value


def _versions(
    form: _Form,
    symbols: _Symbols,
    needed: Mapping[Name, Sequence[Name]],
    defined: Sequence[Name],
    soname: bytes,
) -> tuple[list[_Part], list[tuple[str, int | str]]]:
    """Return the sections of symbol versions, and what the dynamic section says of them."""
    own = _verdef(form, symbols, defined, soname)
    wanted = _verneed(form, symbols, needed, 2 + len(defined))
    parts: list[_Part] = []
    tags: list[tuple[str, int | str]] = []
    if own or wanted:
        packed = struct.pack(form.order + f"{len(symbols.versions)}H", *symbols.versions)
        parts.append(_Part(".gnu.version", 0x6FFF_FFFF, packed, link=".dynsym", entry=2))
        tags.append(("versym", ".gnu.version"))
    if wanted:
        parts.append(_Part(".gnu.version_r", 0x6FFF_FFFE, wanted, link=".dynstr", info=len(needed)))
        tags += [("verneed", ".gnu.version_r"), ("verneednum", len(needed))]
    if own:
        count = len(defined) + 1
        parts.append(_Part(".gnu.version_d", 0x6FFF_FFFD, own, link=".dynstr", info=count))
        tags += [("verdef", ".gnu.version_d"), ("verdefnum", count)]
    return parts, tags


def _verneed(form: _Form, symbols: _Symbols, wanted: Mapping[Name, Sequence[Name]], index: int) -> bytes:
    """The records of versions that libraries must have, numbered from `index`, each with a symbol that uses it."""
    out = b""
    strings = symbols.strings
    for number, (library, versions) in enumerate(wanted.items()):
        size = 16 + 16 * len(versions)
        last = number == len(wanted) - 1
        file = strings.add(raw(library))
        out += struct.pack(form.order + "HHIII", 1, len(versions), file, 16, 0 if last else size)
        for place, version in enumerate(versions):
            name = raw(version)
            follows = 0 if place == len(versions) - 1 else 16
            out += struct.pack(form.order + "IHHII", elf_hash(name), 0, index, strings.add(name), follows)
            symbols.add(b"uses_" + name, _UNDEFINED, index)
            index += 1
    return out


def _verdef(form: _Form, symbols: _Symbols, versions: Sequence[Name], soname: bytes) -> bytes:
    """The records of versions that this library has, the base version first, each with a symbol of it."""
    if not versions:
        return b""
    names = [soname, *(raw(version) for version in versions)]
    out = b""
    for number, name in enumerate(names):
        follows = 0 if number == len(names) - 1 else 28
        flags = 1 if number == 0 else 0
        out += struct.pack(form.order + "HHHHIII", 1, flags, number + 1, 1, elf_hash(name), 20, follows)
        out += struct.pack(form.order + "II", symbols.strings.add(name), 0)
        if number:
            symbols.add(b"has_" + name, _ABSOLUTE, number + 1)
    return out
