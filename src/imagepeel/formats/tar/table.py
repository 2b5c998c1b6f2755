"""The entries of one tar stream in columns: some 60 bytes an entry, with light views made on access.

An object for each entry would cost 360 to 570 bytes of memory and most of the scan's time; a million entries is an
ordinary texlive image.  Names are split into an interned directory and a basename that lives in one byte blob.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from imagepeel.formats.tar.header import BLOCK, DIRECTORY, GNU_SPARSE, PAX_GLOBAL, REGULAR
from imagepeel.formats.tar.sparse import SparseMap

DOT_SLASH, SLASH, TRAILING, ODD_NAME, HAS_EXTRA, ESCAPES, WHITEOUT, UNHASHED = 1, 2, 4, 8, 16, 32, 64, 128
"""Bits of the flags column.  The first four rebuild the raw name, ESCAPES says that `..` left the root."""

KINDS = {
    b"0": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"6": "fifo",
    b"S": "file",
    b"g": "global-header",
}


class Meta(NamedTuple):
    """What entries share: kept once per distinct value."""

    type: bytes
    mode: int
    uid: int
    gid: int
    major: int
    minor: int
    uname: bytes
    gname: bytes
    format: str


class Extra(NamedTuple):
    """What few entries have: other PAX records, and the map of a sparse file."""

    pax: dict[bytes, bytes]
    sparse: SparseMap | None
    stored: int


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


class EntryTable(Sequence["Entry"]):
    """All entries of one tar stream, in stream order; `table[i]` is a light view."""

    __slots__ = (
        "_blocks",
        "_crc",
        "_dir",
        "_flags",
        "_header",
        "_meta",
        "_mtime",
        "_name_end",
        "_names",
        "_nanos",
        "_raw_names",
        "_size",
        "digests",
        "dirs",
        "extras",
        "links",
        "metas",
    )

    def __init__(self) -> None:
        self._header = array("Q")
        self._blocks = array("I")
        self._size = array("q")
        self._mtime = array("q")
        self._nanos: array[int] | None = None
        self._meta = array("I")
        self._dir = array("I")
        self._name_end = array("I")
        self._names: bytearray | bytes = bytearray()
        self._flags = bytearray()
        self._crc = array("I")
        self._raw_names: dict[int, bytes] = {}
        self.digests: bytearray | None = None
        """32 bytes of SHA-256 an entry when the scan was asked for them; zeros where an entry has no content."""
        self.dirs: list[bytes] = [b""]
        """Cleaned paths of the directories that entries stand in; `dir_id(i)` indexes it."""
        self.metas: list[Meta] = []
        self.links: dict[int, bytes] = {}
        self.extras: dict[int, Extra] = {}

    def __len__(self) -> int:
        return len(self._header)

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

    # Column access by index: what loops over many entries use instead of views.

    def dir_id(self, i: int) -> int:
        """Return the index in `dirs` of the directory that entry `i` stands in."""
        return self._dir[i]

    def basename(self, i: int) -> bytes:
        """Return the last component of the cleaned path, b"" for the root itself."""
        return bytes(self._names[self._name_end[i - 1] if i else 0 : self._name_end[i]])

    def freeze(self) -> None:
        """Say that the table is complete; slices of the name blob are then ready-made bytes."""
        self._names = bytes(self._names)

    def path(self, i: int) -> bytes:
        """Return the cleaned path without a leading slash, b"" for the root itself."""
        directory, base = self.dirs[self._dir[i]], self.basename(i)
        return directory + b"/" + base if directory else base

    def meta(self, i: int) -> Meta:
        """Return the interned fields of entry `i`."""
        return self.metas[self._meta[i]]

    def flags(self, i: int) -> int:
        """Return the flag bits of entry `i`."""
        return self._flags[i]

    def size(self, i: int) -> int:
        """Return the content size in bytes (of a sparse file: with its holes)."""
        return self._size[i]

    def stored_size(self, i: int) -> int:
        """Return the bytes of content that the stream really carries."""
        extra = self.extras.get(i)
        return extra.stored if extra is not None and extra.stored >= 0 else self._size[i]

    def mtime(self, i: int) -> tuple[int, int]:
        """Return the modification time as (seconds, nanoseconds)."""
        return self._mtime[i], self._nanos[i] if self._nanos is not None else 0

    def header_offset(self, i: int) -> int:
        """Return the offset in the decompressed layer of the first header block, extension headers included."""
        return self._header[i]

    def crc32(self, i: int) -> int | None:
        """Return the CRC-32 of the content, None where the scan took none (sparse and empty files, other types)."""
        return None if self._flags[i] & UNHASHED else self._crc[i]

    def columns(self) -> tuple[array[int], array[int], bytearray, array[int], bytes]:
        """Return (directory ids, meta ids, flags, ends of names, names) for code that groups all entries."""
        return self._dir, self._meta, self._flags, self._name_end, bytes(self._names)

    def sizes(self) -> array[int]:
        """Return the column of content sizes, in bytes."""
        return self._size

    def nbytes(self) -> int:
        """Return the bytes that the columns occupy, for benchmarks; dictionaries of rare things are left out."""
        arrays = (self._header, self._blocks, self._size, self._mtime, self._meta, self._dir, self._name_end, self._crc)
        total = sum(len(a) * a.itemsize for a in arrays) + len(self._names) + len(self._flags)
        return total + (len(self._nanos) * 4 if self._nanos is not None else 0) + len(self.digests or b"")


class Entry:
    """One tar member: a view into its table, cheap to make and equal to another view of the same member."""

    __slots__ = ("index", "table")

    def __init__(self, table: EntryTable, index: int) -> None:
        self.table = table
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and other.table is self.table and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self.table), self.index))

    def __repr__(self) -> str:
        return f"<Entry {self.index} {self.kind} {self.raw_name!r} {self.size} bytes at {self.header_offset}>"

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
        flags = table._flags[i]
        if flags & ODD_NAME:
            return table._raw_names[i]
        prefix = b"./" if flags & DOT_SLASH else b"/" if flags & SLASH else b""
        return prefix + table.path(i) + (b"/" if flags & TRAILING else b"")

    @property
    def meta(self) -> Meta:
        return self.table.metas[self.table._meta[self.index]]

    @property
    def type(self) -> bytes:
        """The type flag after Go's rule for the old NUL type."""
        return self.meta.type

    @property
    def kind(self) -> str:
        """What the entry is: file, dir, symlink, hardlink, char, block, fifo, global-header or unknown."""
        return KINDS.get(self.meta.type, "unknown")

    @property
    def is_whiteout(self) -> bool:
        """Whether its name starts with `.wh.`; `is_opaque` is the special one among them."""
        return bool(self.table._flags[self.index] & WHITEOUT)

    @property
    def is_opaque(self) -> bool:
        return self.is_whiteout and self.name == b".wh..wh..opq"

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
        return self.table._size[self.index]

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
    def header_offset(self) -> int:
        """Offset in the decompressed layer of the first header block, extension headers included."""
        return self.table._header[self.index]

    @property
    def data_offset(self) -> int:
        """Offset in the decompressed layer of the first content byte."""
        return self.table._header[self.index] + BLOCK * self.table._blocks[self.index]

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
        """Hex SHA-256 of the content when the scan was asked for digests and the entry is an ordinary file."""
        digests = self.table.digests
        if digests is None or self.table._flags[self.index] & UNHASHED:
            return None
        return digests[32 * self.index : 32 * self.index + 32].hex()


__all__ = ["DIRECTORY", "GNU_SPARSE", "PAX_GLOBAL", "REGULAR", "Entry", "EntryTable", "Extra", "Meta", "clean"]
