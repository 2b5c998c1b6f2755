"""`/etc/ld.so.cache`: the table in which glibc's loader looks up library names, old and new format.

Layout: `elf/cache.c` and `sysdeps/generic/dl-cache.h` of glibc.  A cache is either the old table
(`ld.so-1.7.0`), the new one (`glibc-ld.so.cache1.1`), or the old one with the new one behind it.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from imagepeel.errors import Malformed
from imagepeel.text import plural

_OLD_MAGIC = b"ld.so-1.7.0"
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_EXTENSION_MAGIC = 0xEAA42174
_EXTENSION_HWCAPS = 1
_HWCAP_EXTENSION_BIT = 1 << 62
_MAX_ENTRIES = 1_000_000
_MAX_NAME = 4096

FLAG_ANY_ELF = 1
"""An entry that fits every loader (nobody writes it today; the loader still accepts it)."""

CACHE_IDS: dict[str, int] = {
    "amd64": 0x0303,
    "386": 0x0003,
    "arm64": 0x0A03,
    "arm": 0x0903,
    "ppc64le": 0x0503,
    "s390x": 0x0403,
    "riscv64": 0x1003,
    "loong64": 0x1203,
    "mips64le": 0x0703,
}
"""Flags that an entry must carry to be taken by the loader of an architecture (`_DL_CACHE_DEFAULT_ID`)."""


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `ldconfig -p`: where a library is and for which ABI (glibc elf/cache.c)."""

    name: bytes
    """File name that programs ask for, such as `libc.so.6`."""
    path: bytes
    """Absolute path of the library."""
    flags: int
    """ABI of the library; compare it with `CACHE_IDS`."""
    hwcaps: str
    """Name of the subdirectory of `glibc-hwcaps/` (`x86-64-v3`), "" for a plain entry."""
    legacy_hwcap: int
    """Raw bit mask of caches written before glibc 2.33, 0 for none."""
    offset: int
    """Byte offset of the entry in the file."""


CacheFormat = Literal["old", "new", "old+new"]
Endianness = Literal["", "little", "big", "invalid"]


class LdCache(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed cache."""

    format: CacheFormat
    """"old", "new" or "old+new"; of the last the new part is used."""
    entries: tuple[CacheEntry, ...]
    """In file order, which is the order of the look-up."""
    endianness: Endianness = ""
    """"little", "big", "invalid", or "" when the file does not say."""
    generator: str = ""
    """Program that wrote the cache, "" when the file does not say."""

    def named(self, name: bytes) -> tuple[CacheEntry, ...]:
        """Return all entries of one library name, in file order."""
        return tuple(entry for entry in self.entries if entry.name == name)

    def lookup(self, name: bytes, cache_id: int, hwcaps: tuple[str, ...] = ()) -> CacheEntry | None:
        """Return the entry that the loader takes for `name`, None when it takes none.

        Arguments: `cache_id` is the value of `CACHE_IDS` for the loader's architecture; `hwcaps` are the subdirectories
        that the CPU supports, best first.

        An exact ABI match wins over the general one; the best supported hwcaps subdirectory wins over the plain entry.
        Entries with a legacy bit mask are passed over.  Source: `search_cache` in glibc elf/dl-cache.c.
        """
        best: CacheEntry | None = None
        best_rank = len(hwcaps)
        for entry in self.entries:
            if entry.name != name or entry.flags not in (cache_id, FLAG_ANY_ELF):
                continue
            if entry.legacy_hwcap:
                continue
            if best is not None and entry.flags != cache_id:
                continue
            if entry.hwcaps:
                if entry.hwcaps not in hwcaps:
                    continue
                rank = hwcaps.index(entry.hwcaps)
                if best is not None and rank >= best_rank:
                    continue
                best, best_rank = entry, rank
            elif best is None or (not best.hwcaps and best.flags != cache_id):
                best = entry
        return best


def parse_ldcache(data: bytes) -> LdCache:
    """Read the bytes of `/etc/ld.so.cache`, with the entries in file order.

    Entries whose strings lie outside the file are skipped, as the loader skips them.

    Malformed when neither magic is there, or a table does not fit into the file.  The loader then ignores the whole
    cache.
    """
    if data.startswith(_NEW_MAGIC):
        return _parse_new(data, 0, "new")
    if data.startswith(_OLD_MAGIC):
        if len(data) < 16:
            raise Malformed("ld.so.cache ends inside its header")
        count = struct.unpack_from("<I", data, 12)[0]
        table_end = 16 + count * 12
        if count > _MAX_ENTRIES or table_end > len(data):
            raise Malformed(
                f"ld.so.cache claims {plural(count, 'old entry')}, more than {plural(len(data), 'byte')} can hold"
            )
        aligned = (table_end + 7) & ~7
        if data[aligned : aligned + len(_NEW_MAGIC)] == _NEW_MAGIC:
            return _parse_new(data, aligned, "old+new")
        return _parse_old(data, count, table_end)
    raise Malformed("ld.so.cache starts with neither of the two known magics")


def _parse_old(data: bytes, count: int, strings: int) -> LdCache:
    entries: list[CacheEntry] = []
    for index in range(count):
        offset = 16 + index * 12
        flags, key, value = struct.unpack_from("<iII", data, offset)
        name, path = _string(data, strings + key), _string(data, strings + value)
        if name is not None and path is not None:
            entries.append(CacheEntry(name=name, path=path, flags=flags, hwcaps="", legacy_hwcap=0, offset=offset))
    return LdCache(format="old", entries=tuple(entries))


def _parse_new(data: bytes, base: int, label: CacheFormat) -> LdCache:
    if len(data) < base + 48:
        raise Malformed("ld.so.cache ends inside its header")
    endian_flag = data[base + 28] & 3
    order = ">" if endian_flag == 3 else "<"
    count, _, _, extension = struct.unpack_from(f"{order}III I", data, base + 20)
    table_end = base + 48 + count * 24
    if count > _MAX_ENTRIES or table_end > len(data):
        raise Malformed(f"ld.so.cache claims {plural(count, 'entry')}, more than {plural(len(data), 'byte')} can hold")
    subdirs, generator = _extensions(data, base, extension, order)
    entries: list[CacheEntry] = []
    for index in range(count):
        offset = base + 48 + index * 24
        flags, key, value, _, hwcap = struct.unpack_from(f"{order}iIIIQ", data, offset)
        name, path = _string(data, base + key), _string(data, base + value)
        if name is None or path is None:
            continue
        subdir = ""
        legacy = 0
        # Bits 32 to 41 of an extension entry may carry an ISA level, which the search ignores.
        if hwcap & _HWCAP_EXTENSION_BIT:
            number = hwcap & 0xFFFFFFFF
            if number >= len(subdirs):
                continue
            subdir = subdirs[number]
        else:
            legacy = hwcap
        entries.append(CacheEntry(name=name, path=path, flags=flags, hwcaps=subdir, legacy_hwcap=legacy, offset=offset))
    names: dict[int, Endianness] = {0: "", 1: "invalid", 2: "little", 3: "big"}
    return LdCache(format=label, entries=tuple(entries), endianness=names[endian_flag], generator=generator)


def _extensions(data: bytes, base: int, extension: int, order: str) -> tuple[list[str], str]:
    """Names of the hwcaps subdirectories and of the program that wrote the cache."""
    subdirs: list[str] = []
    generator = ""
    start = extension
    if not extension or start + 8 > len(data):
        return subdirs, generator
    magic, count = struct.unpack_from(f"{order}II", data, start)
    if magic != _EXTENSION_MAGIC or count > 1024 or start + 8 + count * 16 > len(data):
        return subdirs, generator
    for index in range(count):
        tag, _, offset, size = struct.unpack_from(f"{order}IIII", data, start + 8 + index * 16)
        if offset + size > len(data):
            continue
        if tag == _EXTENSION_HWCAPS and size % 4 == 0 and size <= 4096:
            for number in range(size // 4):
                text = _string(data, base + struct.unpack_from(f"{order}I", data, offset + number * 4)[0])
                subdirs.append("" if text is None else text.decode("utf-8", "surrogateescape"))
        elif tag == 0:
            generator = data[offset : offset + min(size, 256)].decode("utf-8", "replace").rstrip("\0")
    return subdirs, generator


def _string(data: bytes, offset: int) -> bytes | None:
    if offset >= len(data):
        return None
    end = data.find(b"\0", offset, offset + _MAX_NAME + 1)
    return None if end < 0 else data[offset:end]
