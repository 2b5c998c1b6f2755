"""The entries of one tar stream in columns: some 60 bytes an entry, with light views made on access.

An object for each entry would cost 360 to 570 bytes of memory and most of the scan's time; a million entries is an
ordinary texlive image.  Names are split into an interned directory and a basename that lives in one byte blob.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Literal, overload

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.formats.tar.header import (
    BLOCK,
    BLOCKDEV,
    CHAR,
    DIRECTORY,
    FIFO,
    GNU_SPARSE,
    HARDLINK,
    PAX_GLOBAL,
    REGULAR,
    SYMLINK,
)
from imagepeel.formats.tar.metas import Meta
from imagepeel.formats.tar.sparse import SparseMap
from imagepeel.formats.tar.whiteouts import OPAQUE
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.formats.tar.fields import EntryHeader
    from imagepeel.formats.tar.many_metas import ManyMetas

DOT_SLASH, SLASH, TRAILING, ODD_NAME, HAS_EXTRA, ESCAPES, WHITEOUT, UNHASHED = 1, 2, 4, 8, 16, 32, 64, 128
"""Bits of the flags column.  The first four rebuild the raw name, ESCAPES says that `..` left the root."""

_LAST_BYTE = 0 if sys.byteorder == "little" else array("I").itemsize - 1
"""Where in the memory of a number its last byte is."""
_AT_ONCE = 10_000
"""Numbers of which copies are made."""

EntryKind = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo", "global-header", "unknown"]
"""What an entry of a tar stream is; a global header describes others, and a type that nobody knows is unknown."""

KINDS: dict[bytes, EntryKind] = {
    REGULAR: "file",
    HARDLINK: "hardlink",
    SYMLINK: "symlink",
    CHAR: "char",
    BLOCKDEV: "block",
    DIRECTORY: "dir",
    FIFO: "fifo",
    GNU_SPARSE: "file",
    PAX_GLOBAL: "global-header",
}


class Extra(msgspec.Struct, frozen=True):
    """What few entries have: other PAX records, and the map of a sparse file."""

    pax: dict[bytes, bytes]
    sparse: SparseMap | None
    stored: int


_RANKED = 4096
_HASHED = bytes(not flags & UNHASHED for flags in range(256))
"""Maps flags to whether the entry has a checksum."""
_NO_EXTRA = Extra({}, None, -1)


def clean(name: bytes) -> tuple[bytes, bool]:
    """Return the lexically cleaned relative path (no leading slash, b"" for the root) and whether `..` left the root.

    Runtimes clean a name before use (Go filepath.Clean) and clamp what is left of `..` at the root.
    """
    parts: list[bytes] = []
    escapes = False
    for part in name.split(b"/"):
        if part in (b"", b"."):
            continue
        if part != b"..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            # An absolute name clamps silently (`/../x` is `/x` in POSIX too); only a relative one leaves.
            escapes = escapes or not name.startswith(b"/")
    return b"/".join(parts), escapes


class TrailingData(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What stands after the end of the archive: part of the DiffID, invisible to every runtime."""

    offset: int
    size: int
    nonzero: int
    """Offset of the first byte that is not NUL, -1 when all are."""
    looks_like_tar: bool


class EntryTable(Shown, Sequence["Entry"]):
    """All entries of one tar stream, in stream order; `table[i]` is a light view."""

    __slots__ = (
        "_ranks",
        "crcs",
        "digests",
        "dir_ids",
        "dirs",
        "extras",
        "flag_bits",
        "header_blocks",
        "header_offsets",
        "links",
        "meta_ids",
        "metas",
        "mtime_nanos",
        "mtime_seconds",
        "name_ends",
        "names",
        "placed",
        "raw_names",
        "reader",
        "sizes",
    )

    def __init__(self) -> None:
        # Columns: item i belongs to entry i.  Only `TableBuilder` and the persistent index write them.
        self.header_offsets: array[int] = array("Q")
        """Offset in the decompressed layer of the first header block, extension headers included."""
        self.header_blocks: array[int] = array("I")
        """Blocks of 512 bytes from there to the content."""
        self.sizes: array[int] = array("q")
        """Content size in bytes; of a sparse file with its holes."""
        self.mtime_seconds: array[int] = array("q")
        self.mtime_nanos: array[int] | None = None
        """Nanoseconds beside `mtime_seconds`, None where every entry has 0."""
        self.meta_ids: array[int] = array("I")
        """Index in `metas` of what the entry shares with others."""
        self.dir_ids: array[int] = array("I")
        """Index in `dirs` of the directory that the entry stands in."""
        self.name_ends: array[int] = array("I")
        """Where the basename ends in `names`; it begins where that of entry i - 1 ends."""
        self.flag_bits: bytearray = bytearray()
        """The bits DOT_SLASH to UNHASHED."""
        self.crcs: array[int] = array("I")
        """CRC-32 of the content, 0 where the flag UNHASHED says that none was taken."""
        self.digests: bytearray | None = None
        """32 bytes of SHA-256 of each entry that has a checksum, when the scan was asked for them."""
        self._ranks: array[int] = array("I")
        """How many entries have a checksum before each `_RANKED`-th one, made when somebody asks for a digest."""

        # What the columns point into, and what few entries have.
        self.names: bytes = b""
        """All basenames, one behind the other; complete when the scan is."""
        self.dirs: list[bytes] = [b""]
        """Cleaned paths, without a leading slash, of the directories that entries stand in; the root comes first."""
        self.metas: list[Meta] | ManyMetas = []
        """What entries share, a value once; in columns from `MOST_METAS` on."""
        self.links: dict[int, bytes] = {}
        """Raw target of each symlink and hardlink."""
        self.extras: dict[int, Extra] = {}
        self.raw_names: dict[int, bytes] = {}
        """Exact name of each entry with the flag ODD_NAME."""
        self.reader: Callable[[int, int], bytes] | None = None
        """`reader(offset, count)` gives bytes of the stream; None for a table whose stream nobody holds."""
        self.placed: bool = True
        """Whether the places of entries are those in a tar; not where a table of contents lists them."""

    def __repr__(self) -> str:
        return f"<EntryTable {plural(len(self), 'entry')}>"

    def __len__(self) -> int:
        return len(self.header_offsets)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [Entry(self, i) for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return Entry(self, index)

    def __iter__(self) -> Iterator[Entry]:
        return (Entry(self, i) for i in range(len(self)))

    # One field of one entry by its index: what loops over some entries use instead of views.  Loops over all entries
    # read the columns.

    def dir_id(self, i: int) -> int:
        """Return the index in `dirs` of the directory that entry `i` stands in."""
        return self.dir_ids[i]

    def basename(self, i: int) -> bytes:
        """Return the last component of the cleaned path, b"" for the root itself."""
        return self.names[self.name_ends[i - 1] if i else 0 : self.name_ends[i]]

    def path(self, i: int) -> bytes:
        """Return the cleaned path without a leading slash, b"" for the root itself."""
        directory, base = self.dirs[self.dir_ids[i]], self.basename(i)
        return directory + b"/" + base if directory else base

    def meta(self, i: int) -> Meta:
        """Return the interned fields of entry `i`."""
        return self.metas[self.meta_ids[i]]

    def types(self) -> Iterator[bytes]:
        """Yield the type of each of `metas`."""
        metas = self.metas
        return (meta.type for meta in metas) if isinstance(metas, list) else metas.types()

    def flags(self, i: int) -> int:
        """Return the flag bits of entry `i`."""
        return self.flag_bits[i]

    def size(self, i: int) -> int:
        """Return the content size in bytes (of a sparse file: with its holes)."""
        return self.sizes[i]

    def stored_size(self, i: int) -> int:
        """Return the bytes of content that the stream really carries."""
        extra = self.extras.get(i)
        return extra.stored if extra is not None and extra.stored >= 0 else self.sizes[i]

    def mtime(self, i: int) -> tuple[int, int]:
        """Return the modification time as (seconds, nanoseconds)."""
        return self.mtime_seconds[i], self.mtime_nanos[i] if self.mtime_nanos is not None else 0

    def header_offset(self, i: int) -> int | None:
        """Return the offset in the decompressed layer of the first header block, extension headers included.

        None where nobody knows it: the headers were not read.
        """
        return self.header_offsets[i] if self.placed else None

    def crc32(self, i: int) -> int | None:
        """Return the CRC-32 of the content, None where the scan took none (sparse and empty files, other types)."""
        return None if self.flag_bits[i] & UNHASHED else self.crcs[i]

    def digest(self, i: int) -> bytes | None:
        """Return the SHA-256 of the content, None where the scan took none or broke off in it."""
        if self.digests is None or self.flag_bits[i] & UNHASHED:
            return None
        place, start = i // _RANKED, i - i % _RANKED
        if place >= len(self._ranks):
            counts = (self._hashed(at - _RANKED, at) for at in range(_RANKED, len(self) + 1, _RANKED))
            self._ranks = array("I", accumulate(counts, initial=0))
        rank = self._ranks[place] + self._hashed(start, i)
        found = bytes(self.digests[32 * rank : 32 * rank + 32])
        return found if any(found) else None

    @property
    def hashed(self) -> int:
        """How many entries have a checksum: ordinary files that are not empty."""
        return self._hashed(0, len(self))

    def _hashed(self, start: int, stop: int) -> int:
        return self.flag_bits[start:stop].translate(_HASHED).count(1)

    def headed(self, wanted: Sequence[int]) -> Iterator[int]:
        """Yield the entries whose header is wanted, in stream order, by a search at C speed.

        `wanted` says it of each of `metas`.
        """
        marks = bytearray(256)
        for number in compress(range(len(wanted)), wanted):
            marks[number & 255] = 1
        if not any(marks):
            return
        for start in range(0, len(self), _AT_ONCE):
            numbers = self.meta_ids[start : start + _AT_ONCE]
            # The last byte of its number tells of nearly every other entry that its header is not.
            last = numbers.tobytes()[_LAST_BYTE :: numbers.itemsize].translate(marks)
            at = last.find(1)
            while at >= 0:
                if wanted[numbers[at]]:
                    yield start + at
                at = last.find(1, at + 1)

    def types_in(self, run: range, types: Sequence[bytes]) -> Mapping[bytes, int]:
        """Return how many entries of a run have each type; what stands first comes first.

        `types` are those of `types()`, which who asks about many runs has made once.
        """
        numbers = self.meta_ids[run.start : run.stop]
        if len(types) > 256:
            return Counter(map(types.__getitem__, numbers))
        # The last byte of each number is all of it: bytes are counted without a number of each.
        last = numbers.tobytes()[_LAST_BYTE :: numbers.itemsize]
        found: Counter[bytes] = Counter()
        for number in sorted(filter(last.__contains__, range(len(types))), key=last.find):
            found[types[number]] += last.count(number)
        return found

    def roots(self) -> Iterator[int]:
        """Yield the entries for the root itself, such as `./`, in stream order; `raw_names` has the name of each."""
        return (i for i in sorted(self.raw_names) if not self.dir_ids[i] and not self.basename(i))

    def flagged(self, bit: int) -> Iterator[int]:
        """Yield the entries that have a flag, in stream order, by a search at C speed."""
        marks = self.flag_bits.translate(bytes(1 if flags & bit else 0 for flags in range(256)))
        at = marks.find(1)
        while at >= 0:
            yield at
            at = marks.find(1, at + 1)


class Entry:
    """One tar member: a view into its table, cheap to make and equal to another view of the same member."""

    __slots__ = ("index", "table")

    def __init__(self, table: EntryTable, index: int) -> None:
        self.table: EntryTable = table
        self.index: int = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and other.table is self.table and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self.table), self.index))

    def __repr__(self) -> str:
        return f"<Entry {self.index} {self.kind} {self.raw_name!r} {plural(self.size, 'byte')} at {self.header_offset}>"

    @property
    def path(self) -> bytes:
        """The cleaned absolute path, b"/" for the root itself."""
        return b"/" + self.table.path(self.index)

    @property
    def name(self) -> bytes:
        """The last component of the cleaned path."""
        return self.table.basename(self.index)

    @property
    def raw_name(self) -> bytes:
        """The exact name as the tar has it."""
        table, i = self.table, self.index
        flags = table.flag_bits[i]
        if flags & ODD_NAME:
            return table.raw_names[i]
        prefix = b"./" if flags & DOT_SLASH else b"/" if flags & SLASH else b""
        return prefix + table.path(i) + (b"/" if flags & TRAILING else b"")

    @property
    def meta(self) -> Meta:
        return self.table.metas[self.table.meta_ids[self.index]]

    @property
    def type(self) -> bytes:
        """The type flag after Go's rule for the old NUL type."""
        return self.meta.type

    @property
    def kind(self) -> EntryKind:
        """What the entry is."""
        return KINDS.get(self.meta.type, "unknown")

    @property
    def is_whiteout(self) -> bool:
        """Whether its name starts with `.wh.`; `is_opaque` is the special one among them."""
        return bool(self.table.flag_bits[self.index] & WHITEOUT)

    @property
    def is_opaque(self) -> bool:
        return self.is_whiteout and self.name == OPAQUE

    @property
    def mode(self) -> int:
        """Permission bits with set-uid, set-gid and sticky (07777)."""
        return self.meta.mode & 0o7777

    @property
    def uid(self) -> int:
        return self.meta.uid

    @property
    def gid(self) -> int:
        return self.meta.gid

    @property
    def size(self) -> int:
        """Content size in bytes; of a sparse file with its holes."""
        return self.table.sizes[self.index]

    @property
    def stored_size(self) -> int:
        """Bytes of content that the stream really carries."""
        return self.table.stored_size(self.index)

    @property
    def mtime(self) -> tuple[int, int]:
        """(seconds since 1970, nanoseconds)."""
        return self.table.mtime(self.index)

    @property
    def link(self) -> bytes:
        """The target of a symlink or hardlink, raw; b"" otherwise."""
        return self.table.links.get(self.index, b"")

    @property
    def device(self) -> tuple[int, int]:
        """(major, minor) of a device."""
        return self.meta.major, self.meta.minor

    @property
    def header_offset(self) -> int | None:
        """Offset in the decompressed layer of the first header block, extension headers included.

        None where nobody knows it: the headers were not read, a table of contents lists the entry.
        """
        return self.table.header_offset(self.index)

    @property
    def data_offset(self) -> int:
        """Offset in the decompressed layer of the first content byte, for `layer.content`.

        Where `header_offset` is None it is no place in the tar.
        """
        return self.table.header_offsets[self.index] + BLOCK * self.table.header_blocks[self.index]

    @property
    def header(self) -> EntryHeader:
        """Its header blocks, those of PAX and GNU tar included; `entry.header.fields` names every byte of them.

        UsageError for an entry of a table whose bytes nobody holds, or of which a table of contents is all that was
        read.
        """
        from imagepeel.formats.tar.fields import EntryHeader  # start time

        at = self.header_offset
        if at is None:
            raise UsageError("the headers of this layer were not read", hint="open the image without tables=True")
        if self.table.reader is None:
            raise UsageError("the bytes of this table are not at hand", hint="take the entry from layer.entries")
        return EntryHeader(at, self.table.reader(at, self.data_offset - at))

    @property
    def pax(self) -> dict[bytes, bytes]:
        """PAX records that no field carries: xattrs, sparse keys, vendor keys."""
        return self.table.extras.get(self.index, _NO_EXTRA).pax

    @property
    def sparse(self) -> SparseMap | None:
        """(offset, length) of the stored regions of a sparse file, None for an ordinary one."""
        return self.table.extras.get(self.index, _NO_EXTRA).sparse

    @property
    def xattrs(self) -> dict[bytes, bytes]:
        """Extended attributes that runtimes apply: PAX records named SCHILY.xattr.*, without that prefix."""
        return {key[13:]: value for key, value in self.pax.items() if key.startswith(b"SCHILY.xattr.")}

    @property
    def crc32(self) -> int | None:
        return self.table.crc32(self.index)

    @property
    def sha256(self) -> str | None:
        """Hex SHA-256 of the content when the scan was asked for digests and the entry is an ordinary file.

        None as well for a file that the stream breaks off in.
        """
        found = self.table.digest(self.index)
        return found.hex() if found is not None else None


__all__ = ["DIRECTORY", "GNU_SPARSE", "PAX_GLOBAL", "REGULAR", "Entry", "EntryTable", "Extra", "clean"]
