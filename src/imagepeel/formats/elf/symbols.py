"""Dynamic symbols of an ELF file: look-up through its hash tables, and the symbols its relocations ask for.

Only tables that a loader uses are read (DT_SYMTAB, DT_GNU_HASH or DT_HASH, DT_VERSYM, the relocations), through
the loaded segments.  Everything is bounded; what does not fit the file raises `Malformed`.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.elf.file import ElfFacts, file_offset
from imagepeel.formats.elf.header import Reader, loaded_tables
from imagepeel.text import plural

STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE = 0, 1, 2, 10
STT_TLS = 6
SHN_ABS = 0xFFF1
_HIDDEN = 0x8000
"""Bit of a DT_VERSYM word."""
_FOUND_TYPES = frozenset((0, 1, 2, 5, STT_TLS, 10))
_MAX_CHAIN = 100_000
MAX_LINKS = 2_000_000
"""Links of hash chains that all look-ups of one scope follow together: one takes one or two."""
_MAX_FILTER = 4_000_000
_MAX_RELOCATIONS = 4_000_000
_MOST_SYMBOLS = 4 * 1024 * 1024
"""Bytes of a symbol table that are kept as columns."""
_AFTER_LAST = 64
"""Links that are read beyond the start of the last chain."""
_CHUNK = 24 * 8192
_WINDOW_BITS = 17
_WHOLE_BITS = 20
"""Of a file whose tables fit in one window: who has read them already gives them as they are."""

_LITTLE_HERE = struct.pack("=H", 1)[0] == 1
"""Whether an array of this machine has the bytes of a little-endian file."""

_LONG_HASHES = frozenset((22, 0x9026))
"""s390x and Alpha, where the words of DT_HASH have 64 bits (`Elf_Symndx` in glibc's bits/elfclass.h)."""
_COPY = {62: 5, 183: 1024, 3: 5, 40: 20, 21: 19, 22: 9, 243: 4, 258: 4}


_Fields = tuple[int, int, int, int]
"""Offset of the name, st_info, section and value of a symbol."""
_Hashes = tuple[int, int, int, "array[int]", "array[int]", "array[int]", int]
"""Bits of a word, second shift, first symbol, bloom words, buckets, links of the chains, and their file offset."""


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the dynamic symbol table: numbers as stored, named as in Elf64_Sym."""

    index: int
    """From 0 in the table."""
    name: bytes
    """Without its NUL."""
    bind: int
    """STB_* number."""
    kind: int
    """STT_* number."""
    shndx: int
    """Section of the symbol, 0 when it is only asked for."""
    value: int
    """Virtual address, for most kinds."""
    version: int
    """Its DT_VERSYM word, bit 15 for hidden; 1 where there is no such table."""


class _Columns(msgspec.Struct, frozen=True):
    """The first symbols of a table, a column for each field of theirs that is asked for."""

    names: Sequence[int]
    infos: bytes
    sections: Sequence[int]
    values: Sequence[int]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that a relocation asks for."""

    symbol: Symbol
    """The entry of the symbol table that the relocation names."""
    plt: bool
    """Whether it stands in DT_JMPREL, which a lazy loader leaves for later."""
    copy: bool
    """Whether the relocation copies the value into the program, and so looks past the program itself."""


@lru_cache(maxsize=1024)
def gnu_hash(name: bytes) -> int:
    """Return the hash of DT_GNU_HASH, 32 bits (glibc elf/dl-lookup.c)."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def sysv_hash(name: bytes) -> int:
    """Return the hash of DT_HASH and of version records, 28 bits (System V ABI, hash table)."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


@lru_cache(maxsize=64)
def _record(layout: str) -> struct.Struct:
    return struct.Struct(layout)


class Links:
    """How many links of hash chains may still be followed: files that are asked for the same names share one."""

    def __init__(self, left: int = MAX_LINKS) -> None:
        self._left = left

    def take(self, count: int) -> None:
        """Count links that were followed.  Malformed past the bound."""
        self._left -= count
        if self._left < 0:
            raise Malformed(f"look-ups follow more than {MAX_LINKS} links of hash chains")


class SymbolTable:
    """The dynamic symbols of one file.

    Arguments: `read` gives the file's bytes, `facts` is what `parse_elf` said about it, `links` counts what look-ups
    cost.

    Methods raise Malformed when a table lies outside the file.
    """

    def __init__(self, read: Reader, facts: ElfFacts, links: Links | None = None) -> None:
        self._read = read
        self._facts = facts
        self._order = "<" if facts.ehdr.little else ">"
        self._windows: dict[int, bytes] = {}
        self._wide = facts.ehdr.bits == 64
        self._shift, self._mask = (32, 0xFFFFFFFF) if self._wide else (8, 0xFF)
        self._copy = _COPY.get(facts.ehdr.machine)
        self._symbol = _record(self._order + ("IBBHQQ" if self._wide else "IIIBBH"))
        self._word = _record(self._order + "I")
        self._half = _record(self._order + "H")
        self._sysv_word = _record(self._order + ("Q" if self._wide and facts.ehdr.machine in _LONG_HASHES else "I"))
        tags = facts.tags
        self._symbols = self._place(6)
        self._strings = self._place(5)
        self._strings_size = min(tags.get(10, 0), facts.size)
        self._versions = self._place(0x6FFFFFF0)
        self._gnu = self._place(0x6FFFFEF5)
        self._sysv = self._place(4)
        tables = loaded_tables(facts.phdrs)
        self._tables_end = 0 if tables is None else tables.filesz
        """Where the segment of tables ends; 0 where one of them lies outside of it."""
        if any((place or 0) >= self._tables_end for place in (self._symbols, self._strings, self._versions, self._gnu)):
            self._tables_end = 0
        self._bits = _WHOLE_BITS if 0 < self._tables_end <= 1 << _WHOLE_BITS else _WINDOW_BITS
        self._within = (1 << self._bits) - 1
        self._hashes: _Hashes | None = None
        self._heads: tuple[int, int, int] | None = None
        """File offset and number of the buckets of DT_HASH, and the number of its links."""
        self._links = links if links is not None else Links()
        self._columns = _Columns((), b"", (), ())
        self._asked_for = 0

    def _place(self, tag: int) -> int | None:
        address = self._facts.tags.get(tag)
        return None if address is None else file_offset(self._facts.phdrs, address)

    def _window(self, number: int) -> bytes:
        """A window of the file, without what follows the tables: look-ups jump around in a few of them."""
        start, count = number << self._bits, self._within + 1
        if start < self._tables_end:
            count = min(count, self._tables_end - start)
        window = self._windows[number] = self._read(start, count) if number >= 0 else b""
        return window

    def _unpack(self, record: struct.Struct, offset: int) -> tuple[int, ...]:
        number, within = offset >> self._bits, offset & self._within
        window = self._windows.get(number)
        if window is None:
            window = self._window(number)
        if within + record.size <= len(window):
            return record.unpack_from(window, within)
        data = self._read(offset, record.size) if 0 <= offset < self._facts.size else b""
        try:
            return record.unpack(data)
        except struct.error as error:
            raise Malformed(f"a symbol table ends outside the file at offset {offset}") from error

    def _numbers(self, count: int, kind: str, offset: int) -> array[int]:
        """Return `count` numbers of an array's kind."""
        numbers = array(kind)
        data = self._read(offset, count * numbers.itemsize)
        if len(data) < count * numbers.itemsize:
            raise Malformed(f"a symbol table ends outside the file at offset {offset}")
        numbers.frombytes(data)
        if self._facts.ehdr.little != _LITTLE_HERE:
            numbers.byteswap()
        return numbers

    def _name(self, offset: int, expect: bytes | None = None) -> bytes:
        if self._strings is None or offset >= self._strings_size:
            raise Malformed(f"a symbol name at string offset {offset} lies outside the string table")
        start = self._strings + offset
        number, within = start >> self._bits, start & self._within
        window = self._windows.get(number)
        if window is None:
            window = self._window(number)
        end = window.find(b"\0", within)
        if end >= 0 and end - self._strings + (number << self._bits) < self._strings_size:
            return window[within:end]
        if expect is not None:
            return self._read(start, min(len(expect) + 1, self._strings_size - offset)).split(b"\0", 1)[0]
        size = 64
        while True:
            data = self._read(start, min(size, self._strings_size - offset))
            end = data.find(b"\0")
            if end >= 0:
                return data[:end]
            if len(data) < size or size > 1 << 16:
                raise Malformed(f"a symbol name at string offset {offset} does not end")
            size *= 16

    def symbol(self, index: int, expect: bytes | None = None) -> Symbol:
        """Return the symbol of an index from 0.

        With `expect` no more of its name is read than is needed to compare it with that name.  Malformed without a
        table.
        """
        return self._made(index, self._fields(index), expect)

    def _fields(self, index: int) -> _Fields:
        columns = self._columns
        if index < len(columns.infos):
            return columns.names[index], columns.infos[index], columns.sections[index], columns.values[index]
        if self._symbols is None:
            raise Malformed("the file has no dynamic symbol table")
        if self._wide:
            name, info, _, shndx, value, _ = self._unpack(self._symbol, self._symbols + index * 24)
        else:
            name, value, _, info, _, shndx = self._unpack(self._symbol, self._symbols + index * 16)
        return name, info, shndx, value

    def _load_columns(self, count: int) -> None:
        """Read the first symbols at once, where those are no more than may be kept and lie in the file."""
        if count <= self._asked_for or self._symbols is None:
            return
        self._asked_for = count  # and never again, where they cannot be had
        width = 24 if self._wide else 16
        data = self._read(self._symbols, count * width) if count * width <= _MOST_SYMBOLS else b""
        if not data or len(data) < count * width:
            return
        words, halves = array("I", data), array("H", data)
        if self._wide:
            names, infos, sections, values = words[0::6], data[4::24], halves[3::12], array("Q", data)[1::3]
        else:
            names, infos, sections, values = words[0::4], data[12::16], halves[7::8], words[1::4]
        if self._facts.ehdr.little != _LITTLE_HERE:
            for column in (names, sections, values):
                column.byteswap()
        self._columns = _Columns(names, infos, sections, values)

    def _made(self, index: int, fields: _Fields, expect: bytes | None = None) -> Symbol:
        name, info, shndx, value = fields
        return Symbol(
            index=index,
            name=self._name(name, expect),
            bind=info >> 4,
            kind=info & 15,
            shndx=shndx,
            value=value,
            version=self._version(index),
        )

    def _version(self, index: int) -> int:
        return 1 if self._versions is None else self._unpack(self._half, self._versions + index * 2)[0]

    @property
    def versioned(self) -> bool:
        """Whether the file has a DT_VERSYM table."""
        return self._versions is not None

    def find(self, name: bytes) -> Iterator[Symbol]:
        """Yield the symbols of this name in the order of the hash chain, whatever their version.

        None come without a hash table.
        """
        for index in self._alike(name):
            found = self.symbol(index, name)
            if found.name == name:
                yield found

    def _alike(self, name: bytes) -> Iterable[int]:
        """Return the symbols that the hash table leads to for a name, in its order; their names may be others."""
        if self._gnu is not None:
            return self._hashed(name)
        return self._chained(name) if self._sysv is not None else ()

    def _hashed(self, name: bytes) -> Sequence[int]:
        """Return the symbols whose hash in DT_GNU_HASH is that of a name, in the order of the chain."""
        bits, shift, first, words, buckets, chains, place = self._hashes or self._load_hashes()
        if not buckets or not words:
            return ()
        value = gnu_hash(name)
        word = words[value // bits % len(words)]
        # The filter answers for nearly every file that lacks the name.
        if not word >> (value % bits) & word >> ((value >> shift) % bits) & 1:
            return ()
        start = buckets[value % len(buckets)] - first
        if start < 0:
            return ()
        value |= 1
        found = []
        for at in range(start, start + _MAX_CHAIN):
            link = chains[at] if at < len(chains) else self._unpack(self._word, place + 4 * at)[0]
            if link | 1 == value:
                found.append(first + at)
            if link & 1:
                self._links.take(at - start)
                return found
        raise Malformed("a chain of DT_GNU_HASH does not end")

    def _load_hashes(self) -> _Hashes:
        base = self._gnu or 0
        buckets, first, bloom, shift = self._unpack(_record(self._order + "IIII"), base)
        width = 8 if self._wide else 4
        table = base + 16 + bloom * width
        if table + buckets * 4 > self._facts.size or buckets + bloom > _MAX_FILTER:
            raise Malformed(f"DT_GNU_HASH at file offset {base} does not fit the file")
        words = self._numbers(bloom, "Q" if self._wide else "I", base + 16)
        heads = self._numbers(buckets, "I", table)
        place = table + buckets * 4
        # More links than these are read one by one.
        count = max(0, min(max(heads, default=0) - first + _AFTER_LAST, (self._facts.size - place) // 4, _MAX_FILTER))
        self._hashes = width * 8, min(shift, 63), first, words, heads, self._numbers(count, "I", place), place
        return self._hashes

    def _chained(self, name: bytes) -> Iterator[int]:
        """Yield the symbols in the chain of DT_HASH for a name."""
        heads, buckets, chains = self._heads or self._load_heads()
        if not buckets:
            return
        word, size = self._sysv_word, self._sysv_word.size
        index = self._unpack(word, heads + sysv_hash(name) % buckets * size)[0]
        for _ in range(min(chains, _MAX_CHAIN) + 1):
            if index == 0:
                return
            self._links.take(1)
            yield index
            index = self._unpack(word, heads + (buckets + index) * size)[0]
        raise Malformed("a chain of DT_HASH does not end")

    def _load_heads(self) -> tuple[int, int, int]:
        base = self._sysv or 0
        size = self._sysv_word.size
        (buckets,), (chains,) = (self._unpack(self._sysv_word, base + at) for at in (0, size))
        self._heads = base + 2 * size, buckets, chains
        return self._heads

    def defines(self, name: bytes) -> bool:
        """Whether the file defines a global or weak symbol of this name that is not a hidden version."""
        return not self.lacks((name,))

    def lacks(self, names: Iterable[bytes]) -> list[bytes]:
        """Return those of the names that the file does not define, as `defines` says it, in their order."""
        # As `find` and `usable`, without a `Symbol` of each: a program asks for thousands.
        self._load_columns(self._count())
        alike, fields_of, name_of, version_of = self._alike, self._fields, self._name, self._version
        out = []
        for name in names:
            for index in alike(name):
                offset, info, section, value = fields_of(index)
                if name_of(offset, name) != name:
                    continue
                if not version_of(index) & _HIDDEN and _answers(info >> 4, info & 15, section, value):
                    break
            else:
                out.append(name)
        return out

    def _count(self) -> int:
        """How many symbols the hash table leads to, and those before them."""
        if self._gnu is not None:
            _, _, first, _, _, links, _ = self._hashes or self._load_hashes()
            return first + len(links)
        return (self._heads or self._load_heads())[2] if self._sysv is not None else 0

    def references(self) -> Iterator[Reference]:
        """Yield the symbols that the relocations ask for, each as often as asked.

        Order: DT_REL, DT_RELA, then DT_JMPREL, each in file order.
        """
        known: dict[int, Symbol] = {}
        for infos, plt in self._relocations():
            for info in infos:
                index, kind = info >> self._shift, info & self._mask
                if index and kind:
                    symbol = known.get(index)
                    if symbol is None:
                        symbol = known[index] = self.symbol(index)
                    yield Reference(symbol=symbol, plt=plt, copy=kind == self._copy)

    def asked(self) -> Iterator[Reference]:
        """Yield what stops the loader when no file answers it, each symbol once, and once more for a copy.

        Left out are local symbols, weak ones, and those that the file defines itself; a copy asks in any case.  The
        order is that of `references`; `plt` is of the first one.
        """
        for index, fields, plt, copy in self._wanted(own=False):
            if copy or (fields[2] == 0 and fields[1] >> 4 != STB_WEAK):
                yield Reference(symbol=self._made(index, fields), plt=plt, copy=copy)

    def names_asked(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the names that a loader without versions looks up, each with whether it is for a copy.

        Left out are local symbols, and weak ones that the file does not define.  A name comes once a symbol.
        """
        for _, fields, _, copy in self._wanted(own=True):
            if fields[2] or fields[1] >> 4 != STB_WEAK:
                yield self._name(fields[0]), copy

    def _wanted(self, *, own: bool) -> Iterator[tuple[int, _Fields, bool, bool]]:
        """Yield index, fields, whether for DT_JMPREL and whether for a copy of what relocations name but local symbols.

        Each symbol comes once, and once more for a copy; what the file defines itself with `own` or for a copy.
        """
        seen: set[tuple[int, bool]] = set()
        for infos, plt in self._relocations():
            distinct = dict.fromkeys(infos)
            self._load_columns((max(distinct, default=0) >> self._shift) + 1)
            sections = () if own else self._columns.sections
            for info in distinct:
                index, kind = info >> self._shift, info & self._mask
                copy = kind == self._copy
                if not index or not kind or (index, copy) in seen:
                    continue
                seen.add((index, copy))
                if index < len(sections) and not copy and sections[index]:
                    # Most symbols that a library asks for are its own.
                    continue
                fields = self._fields(index)
                if fields[1] >> 4 != STB_LOCAL:
                    yield index, fields, plt, copy

    def _relocations(self) -> Iterator[tuple[list[int], bool]]:
        """Yield the words that name symbol and kind, some thousand at a time, and whether they are of DT_JMPREL."""
        tags = self._facts.tags
        jump_rela = tags.get(20, 7) == 7
        for tag, size_tag, rela, plt in ((17, 18, False, False), (7, 8, True, False), (23, 2, jump_rela, True)):
            offset = self._place(tag)
            size = tags.get(size_tag, 0)
            if offset is None or not size:
                continue
            words = 3 if rela else 2
            width = words * (8 if self._wide else 4)
            if size // width > _MAX_RELOCATIONS or offset + size > self._facts.size:
                raise Malformed(f"{plural(size, 'byte')} of relocations at file offset {offset} do not fit the file")
            step = _CHUNK // width * width
            for start in range(0, size - size % width, step):
                data = self._read(offset + start, min(step, size - size % width - start))
                column = array("Q" if self._wide else "I", data[: len(data) - len(data) % width])[1::words]
                if self._facts.ehdr.little != _LITTLE_HERE:
                    column.byteswap()
                yield column.tolist(), plt


def usable(found: Symbol) -> bool:
    """Whether a symbol can answer a reference: it is defined, and of a type and binding that loaders accept."""
    return _answers(found.bind, found.kind, found.shndx, found.value)


def _answers(bind: int, kind: int, section: int, value: int) -> bool:
    if section == 0 or kind not in _FOUND_TYPES:
        return False
    if value == 0 and section != SHN_ABS and kind != STT_TLS:
        return False
    return bind in (STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE)
