"""ld.so.cache: tables written by hand, and the real ldconfig as judge."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.errors import Malformed
from imagepeel.formats.ldcache import CACHE_IDS, parse_ldcache

AMD64 = CACHE_IDS["amd64"]


def new_cache(rows: list[tuple[int, bytes, bytes, int]], subdirs: tuple[bytes, ...] = ()) -> bytes:
    """A new-format cache; a row is (flags, name, path, hwcap word)."""
    strings = b""
    table = b""
    base = 48 + 24 * len(rows)
    for flags, name, path, hwcap in rows:
        key = base + len(strings)
        strings += name + b"\0"
        value = base + len(strings)
        strings += path + b"\0"
        table += struct.pack("<iIIIQ", flags, key, value, 0, hwcap)
    numbers = []
    for subdir in subdirs:
        numbers.append(base + len(strings))
        strings += subdir + b"\0"
    strings += b"\0" * (-len(strings) % 4)
    extension = base + len(strings)
    header = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(rows), len(strings), 2, extension)
    tail = struct.pack("<IIIIII", 0xEAA42174, 1, 1, 0, extension + 24, 4 * len(subdirs))
    return header + table + strings + tail + b"".join(struct.pack("<I", number) for number in numbers)


def old_cache(rows: list[tuple[int, bytes, bytes]]) -> bytes:
    strings, table = b"", b""
    for flags, name, path in rows:
        key = len(strings)
        strings += name + b"\0"
        table += struct.pack("<iII", flags, key, len(strings))
        strings += path + b"\0"
    return b"ld.so-1.7.0\0" + struct.pack("<I", len(rows)) + table + strings


def test_new_format() -> None:
    cache = parse_ldcache(new_cache([(AMD64, b"libz.so.1", b"/lib/libz.so.1", 0)]))
    assert cache.format == "new" and cache.endianness == "little"
    entry = cache.lookup(b"libz.so.1", AMD64)
    assert entry is not None and entry.path == b"/lib/libz.so.1"
    assert cache.lookup(b"libz.so.1", CACHE_IDS["arm64"]) is None
    assert cache.lookup(b"libz.so", AMD64) is None


def test_hwcaps_by_priority() -> None:
    bit = 1 << 62
    cache = parse_ldcache(
        new_cache(
            [
                (AMD64, b"l.so", b"/lib/glibc-hwcaps/x86-64-v2/l.so", bit | 0),
                (AMD64, b"l.so", b"/lib/glibc-hwcaps/x86-64-v3/l.so", bit | 1),
                (AMD64, b"l.so", b"/lib/l.so", 0),
            ],
            (b"x86-64-v2", b"x86-64-v3"),
        )
    )
    found = {
        hwcaps: (cache.lookup(b"l.so", AMD64, hwcaps) or pytest.fail("nothing found")).path
        for hwcaps in ((), ("x86-64-v2",), ("x86-64-v3", "x86-64-v2"))
    }
    assert found[()] == b"/lib/l.so"
    assert found[("x86-64-v2",)].endswith(b"v2/l.so")
    assert found[("x86-64-v3", "x86-64-v2")].endswith(b"v3/l.so")


def test_old_format_alone_and_in_front_of_the_new() -> None:
    old = old_cache([(AMD64, b"a.so", b"/old/a.so")])
    assert parse_ldcache(old).format == "old"
    assert [entry.path for entry in parse_ldcache(old).entries] == [b"/old/a.so"]
    header = b"ld.so-1.7.0\0" + struct.pack("<I", 0)
    both = parse_ldcache(header + new_cache([(AMD64, b"a.so", b"/new/a.so", 0)]))
    assert both.format == "old+new" and both.entries[0].path == b"/new/a.so"


def test_strings_outside_the_file_are_skipped() -> None:
    data = new_cache([(AMD64, b"a.so", b"/a.so", 0)])
    broken = data[:52] + struct.pack("<I", 1 << 30) + data[56:]
    assert parse_ldcache(broken).entries == ()


@pytest.mark.parametrize("data", [b"", b"ld.so-1.7.0", b"x" * 100, b"glibc-ld.so.cache1.1" + b"\xff" * 60])
def test_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_ldcache(data)


@given(st.binary(max_size=300), st.sampled_from([b"", b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1"]))
def test_any_bytes(tail: bytes, magic: bytes) -> None:
    try:
        cache = parse_ldcache(magic + tail)
    except Malformed:
        return
    assert all(entry.offset < len(magic + tail) for entry in cache.entries)


@given(st.data())
def test_flipped_bytes(data: st.DataObject) -> None:
    whole = bytearray(new_cache([(AMD64, b"a.so", b"/a.so", 1 << 62)], (b"x86-64-v2",)))
    index = data.draw(st.integers(0, len(whole) - 1))
    whole[index] ^= data.draw(st.integers(1, 255))
    try:
        parse_ldcache(bytes(whole)).lookup(b"a.so", AMD64, ("x86-64-v2",))
    except Malformed:
        pass


@pytest.mark.judge
def test_ldconfig_agrees() -> None:
    tool = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    file = Path("/etc/ld.so.cache")
    if tool is None or not file.exists():
        pytest.skip("needs ldconfig and a cache")
    shown = subprocess.run([tool, "-p"], check=True, capture_output=True, text=True).stdout
    wanted = [
        (match[1].encode(), match[2].encode())
        for match in re.finditer(r"^\t(\S+) \(.*\) => (\S+)$", shown, re.MULTILINE)
    ]
    cache = parse_ldcache(file.read_bytes())
    assert wanted and [(entry.name, entry.path) for entry in cache.entries] == wanted
