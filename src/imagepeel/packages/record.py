"""The values that the readers of package databases share, and the bounds that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import msgspec

from imagepeel.limits import MiB

Family = Literal["dpkg", "apk", "rpm", "pip", "npm"]
"""Who keeps the database."""

FAMILIES: tuple[Family, ...] = get_args(Family)
"""In the order in which they are shown."""
PurlType = Literal["deb", "apk", "rpm", "pypi", "npm"]
"""The types of package URLs."""

DATABASE_BYTES: int = 256 * MiB
"""Bytes of one database of rpm that are read; those of large systems have some 100 MB."""
TEXT_BYTES: int = 64 * MiB
"""Bytes of one database of text that are read; those of large systems have some 10 MB."""
ALL_BYTES: int = 1024 * MiB
"""Bytes of all versions of all databases of one image."""
LINE_BYTES: int = MiB
"""Bytes of one line of a database."""
MOST_RECORDS = 200_000
"""Records of all versions of all databases of one image."""
MOST_FILES = 3_000_000
"""Paths that these records list; a list that does not change from version to version counts once."""
NAME_BYTES: int = 64 * MiB
"""Bytes of these paths: a directory is written once and stands before each name."""
PATH_BYTES = 4096
"""Bytes of a path, of which Linux allows no more (PATH_MAX)."""
MOST_REMARKS = 200
"""Remarks that are kept one by one."""


class Remark(Exception):
    """A database, or the rest of it, cannot be read: what is wrong, and where in the file.

    `place` is `line N` or `byte N`, "" for the file as a whole.
    """

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.place = place


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One package as one version of a database has it."""

    name: str
    version: str
    arch: str = ""
    """As the family writes it; "" where it has no such field."""
    epoch: str = ""
    """The epoch of an rpm, which is no part of `version`; "" without one."""
    state: str = ""
    """Of dpkg, where it is not `installed`: half-configured, unpacked and the like."""
    source: str = ""
    """The source package, "" where none is named or it has the same name."""
    place: str = ""
    """Where in the database it stands: `line N`, `byte N`."""
    files: tuple[bytes, ...] | None = ()
    """Absolute paths, as the database writes them; None where it lists none."""
    below: bytes = b""
    """The directory of which everything belongs to it but other packages; b"" where files are listed."""
    single: bool = True
    """Whether another version of the same name and architecture cannot be installed beside it."""


class Shipped(NamedTuple):
    """One file of a database in one layer.

    `until` is the index of the layer that takes it away or brings the next version, None where the image still has it.
    """

    path: bytes
    layer: int
    entry: int
    until: int | None

    @property
    def directory(self) -> bytes:
        """The path of its directory, without a slash at the end; b"" for the root."""
        return self.path.rpartition(b"/")[0]

    @property
    def name(self) -> bytes:
        """The last component of its path."""
        return self.path.rpartition(b"/")[2]

    @property
    def end(self) -> int:
        """The index of the last layer that shows it, beyond all layers where the image still has it."""
        return 1 << 30 if self.until is None else self.until - 1

    def lives_at(self, layer: int) -> bool:
        """Whether it is what the stack up to this layer shows at its path."""
        return self.layer <= layer and (self.until is None or self.until > layer)


class Reading(Protocol):
    """What a reader may ask for: other files of the database, and their bytes."""

    def read(self, file: Shipped) -> bytes:
        """Return its bytes.  Remark where they are too many or not there."""

    def list_of(self, file: Shipped, parse: Callable[[bytes], tuple[bytes, ...]]) -> tuple[bytes, ...] | None:
        """Return the list that `parse` makes of a file, one object each time; None and a remark where it cannot."""

    def at(self, path: bytes, layer: int) -> Shipped | None:
        """Return the file of a database at a path as the stack up to a layer has it, None without one."""

    def remark(self, file: Shipped, remark: Remark) -> None:
        """Note that a part of a file could not be read."""


class DatabaseKind(NamedTuple):
    """One form of database: where it lies, and who reads it.

    `directory` says of the path of a directory, absolute and canonical, whether files of such a database lie in it,
    and `wants` of a directory and a name in it whether it is one.  `records` says which of them hold records and reads
    them; the others are lists of files that belong to a record.
    """

    family: Family
    places: str
    """Where it is looked for, in words."""
    directory: Callable[[bytes], bool]
    wants: Callable[[bytes, bytes], bool]
    holds: Callable[[bytes, bytes], bool]
    records: Callable[[Shipped, Reading], Iterator[Record]]
    one: bool
    """Whether a file holds all records of the image, so that the next version of it tells what is gone."""
    purl: PurlType
    """The type in a package URL."""
    most: int = TEXT_BYTES
    """Bytes of one file that are read."""


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number from 1.  Remark for a line beyond all measure."""
    at = 0
    number = 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        number += 1
        if end - at > LINE_BYTES:
            raise Remark(f"a line of {end - at} bytes", f"line {number}")
        yield number, data[at:end]
        at = end + 1


def words_of(value: bytes) -> str:
    """Return the value of a field as text; bytes that are no UTF-8 stay as surrogates."""
    return value.strip().decode("utf-8", "surrogateescape")


def absolute(base: bytes, name: bytes) -> bytes:
    """Return a name of a list as an absolute clean path: relative ones start at `base`; `..` ends at the root."""
    parts: list[bytes] = []
    for part in (name if name.startswith(b"/") else base + b"/" + name).split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/" + b"/".join(parts)


def bounded(paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return paths as a tuple, those left out that are longer than any path can be.  Remark for too many of them."""
    out: list[bytes] = []
    left = NAME_BYTES
    for path in paths:
        if len(path) > PATH_BYTES:
            continue
        out.append(path)
        left -= len(path)
        if left < 0 or len(out) > MOST_FILES:
            raise Remark("it lists more files than are read")
    return tuple(out)


def stanzas(data: bytes, wanted: Sequence[bytes]) -> Iterator[tuple[int, dict[bytes, bytes]]]:
    """Yield the fields of each stanza of an RFC 822-like file with the line it begins at; only the `wanted` ones.

    Names of fields are compared without case, given in lower case.  Lines that continue a field are skipped.
    Remark for a line that is neither a field nor goes on with one.
    """
    fields: dict[bytes, bytes] = {}
    start = 0
    names = frozenset(wanted)
    for number, line in lines_of(data):
        if not line.strip():
            if fields:
                yield start, fields
            fields, start = {}, 0
            continue
        start = start or number
        if line[:1] in (b" ", b"\t", b"#"):
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            if fields:
                yield start, fields
            raise Remark("a line is no field: it has no colon", f"line {number}")
        name = name.strip().lower()
        if name in names and name not in fields:
            fields[name] = value.strip()
    if fields:
        yield start, fields
