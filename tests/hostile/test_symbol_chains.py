"""Symbols whose hash table is one long chain: a look-up follows all of it, and a program may ask for thousands."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import pytest

from imagepeel.errors import Malformed
from imagepeel.forge.elf import elf
from imagepeel.formats.elf import symbols
from imagepeel.formats.elf.file import ElfFacts, parse_elf
from imagepeel.formats.elf.symbols import SymbolTable, gnu_hash
from imagepeel.process.loader.symbols import check_glibc, check_musl

Style = Literal["sysv", "gnu"]


class _File:
    """The part of a loaded file that looking up symbols needs."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.asked = data, len(data), 0

    def read(self, offset: int, count: int) -> bytes:
        self.asked += count
        return self.data[offset : offset + count]


def _library(style: Style, exports: Sequence[bytes] = (), imports: Sequence[bytes] = (), last: int = 0) -> bytes:
    """A 64-bit little-endian file with one bucket for all symbols; `last` is the link of the last of them."""
    strings = b"\0" + b"\0".join([*imports, *exports]) + b"\0"
    places, at = [], 1
    for name in (*imports, *exports):
        places.append(at)
        at += len(name) + 1
    symbol = struct.Struct("<IBBHQQ")
    table = symbol.pack(0, 0, 0, 0, 0, 0)
    for number, place in enumerate(places):
        own = number >= len(imports)
        table += symbol.pack(place, 0x12, 0, 7 if own else 0, 0x1000 if own else 0, 0)
    first, count = 1 + len(imports), 1 + len(places)
    if style == "sysv":
        links = [0, *range(2, count), last] if places else [0]
        hashes = struct.pack(f"<{3 + len(links)}I", 1, count, min(1, len(places)), *links)
    else:
        # A filter of ones lets every name through.
        links = [gnu_hash(name) & ~1 for name in exports]
        if links and not last:
            links[-1] |= 1
        hashes = struct.pack(f"<IIIIQI{len(links)}I", 1, first, 1, 0, (1 << 64) - 1, first if links else 0, *links)
    relocations = b"".join(struct.pack("<QQq", 0x2000, 1 + i << 32 | 7, 0) for i in range(len(imports)))
    parts = {5: strings, 6: table, 4 if style == "sysv" else 0x6FFFFEF5: hashes, 23: relocations}
    at, places_of, body = 64 + 2 * 56, {}, b""
    for tag, part in parts.items():
        part += bytes(-len(part) % 8)
        places_of[tag], body, at = at, body + part, at + len(part)
    numbers = {**places_of, 10: len(strings), 2: len(relocations), 20: 7}
    dynamic = b"".join(struct.pack("<QQ", tag, number) for tag, number in [*numbers.items(), (0, 0)])
    end = at + len(dynamic)
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, end, end, 0x1000)
    segments += struct.pack("<IIQQQQQQ", 2, 6, at, at, at, len(dynamic), len(dynamic), 8)
    return header + segments + body + dynamic


def _names(stem: str, count: int) -> list[bytes]:
    return [f"{stem}{number}".encode() for number in range(count)]


def _object(name: bytes, data: bytes) -> tuple[bytes, _File, ElfFacts]:
    file = _File(data)
    return name, file, parse_elf(file.read, file.size)


@pytest.mark.parametrize("style", ["sysv", "gnu"])
def test_the_look_ups_find_what_the_table_leads_to_and_nothing_else(style: Style) -> None:
    name, file, facts = _object(b"lib", _library(style, _names("own", 50), _names("other", 5)))
    table = SymbolTable(file.read, facts)
    asked = [b"own0", b"other0", b"own49", b"own50", b"", b"own"]
    assert table.lacks(asked) == [b"other0", b"own50", b"", b"own"]
    assert [[found.name for found in table.find(each)] for each in (b"own7", b"nothing")] == [[b"own7"], []]
    # Not exported: the table leads to `other0` in DT_HASH alone, where it is no definition.
    assert all(not symbols.usable(found) for found in table.find(b"other0"))
    assert sorted(table.names_asked()) == [(each, False) for each in sorted(_names("other", 5))], name


@pytest.mark.parametrize("style", ["sysv", "gnu"])
def test_each_line_of_musl_is_there_once_for_each_relocation_in_their_order(style: Style) -> None:
    program = _object(b"/bin/app", _library(style, imports=[b"b", b"own1", b"a", b"own2"]))
    library = _object(b"libx.so", _library(style, _names("own", 2)))
    expected = [f"Error relocating /bin/app: {name}: symbol not found" for name in ("b", "a", "own2")]
    assert check_musl([program, library], b"ld-musl") == expected  # type: ignore[list-item]


@pytest.mark.parametrize("style", ["sysv", "gnu"])
def test_long_chains_are_followed_up_to_a_bound_and_then_nothing_is_claimed(style: Style) -> None:
    count = 3000
    program = _object(b"", _library(style, imports=_names("own", count)))
    library = _object(b"libx.so", _library(style, _names("own", count)))
    assert count * count // 2 > symbols.MAX_LINKS
    with pytest.raises(Malformed, match="links of hash chains"):
        check_musl([program, library], b"ld-musl")  # type: ignore[list-item]
    failure, doubt = check_glibc([program, library], "app", True, [])  # type: ignore[list-item]
    assert failure is None
    assert "the symbols cannot be checked: look-ups follow more than" in doubt


def test_a_chain_without_an_end_is_malformed() -> None:
    _, file, facts = _object(b"lib", _library("sysv", _names("own", 20), last=1))
    with pytest.raises(Malformed, match="does not end"):
        SymbolTable(file.read, facts).lacks([b"nothing"])


@pytest.mark.parametrize("style", ["sysv", "gnu"])
def test_what_look_ups_read_grows_with_the_file_and_not_with_their_number(style: Style) -> None:
    _, file, facts = _object(b"lib", _library(style, _names("own", 400)))
    table = SymbolTable(file.read, facts)
    table.lacks([b"nothing"])
    before = file.asked
    table.lacks(_names("other", 2000))
    assert file.asked == before < 10 * file.size


def test_s390x_has_words_of_64_bits_in_its_hash_table() -> None:
    data = elf("s390x", soname=b"libx.so", exports=[b"one", b"two"])
    file = _File(data)
    table = SymbolTable(file.read, parse_elf(file.read, file.size))
    assert table.lacks([b"one", b"two", b"three"]) == [b"three"]
