"""rpm: the header of each package, in a database of SQLite, Berkeley DB or ndb form.

Source: rpm's documentation, "RPM V4 Package format" and "RPM Tags"; a header in a database has no magic and no
signature before it: the counts of its index and its data, the index, the data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from imagepeel.packages import rpm_bdb, rpm_ndb, rpm_sqlite
from imagepeel.packages.record import (
    DATABASE_BYTES,
    PATH_BYTES,
    DatabaseKind,
    Reading,
    Record,
    Remark,
    Shipped,
    bounded,
)

_HOMES = (b"/var/lib/rpm", b"/usr/lib/sysimage/rpm", b"/usr/share/rpm")
_FORMS: dict[bytes, Callable[[bytes], Iterator[tuple[int, bytes]]]] = {
    b"rpmdb.sqlite": rpm_sqlite.blobs,
    b"Packages": rpm_bdb.blobs,
    b"Packages.db": rpm_ndb.blobs,
}
_LOG = b"-wal"
"""What SQLite appends to the name of a database for its write-ahead log (WAL file format)."""
_MOST_TAGS = 65_536
"""Entries of one index: hdrchkTags in rpm's header.c allows 65,535."""
_MOST_DATA = 256 * 1024 * 1024
"""Bytes of data of one header: hdrchkData in the same place."""
_INT32, _STRING, _STRING_ARRAY, _I18N = 4, 6, 8, 9
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCE = 1000, 1001, 1002, 1003, 1022, 1044
_OLD_NAMES, _DIR_INDEXES, _BASE_NAMES, _DIR_NAMES = 1027, 1116, 1117, 1118


class Header:
    """The index of a header and its data; values are taken when they are asked for.

    Remark where counts, offsets or types break the rules.
    """

    def __init__(self, blob: bytes) -> None:
        if len(blob) < 8:
            raise Remark("a header is too short")
        count, size = struct.unpack_from(">II", blob)
        self.start: int = 8 + 16 * count
        self.end: int = self.start + size
        if count >= _MOST_TAGS or size >= _MOST_DATA or self.end > len(blob):
            raise Remark("the counts of a header do not fit its bytes")
        self.blob: bytes = blob
        self.tags: dict[int, tuple[int, int, int]] = {
            tag: (kind, offset, values)
            for tag, kind, offset, values in struct.iter_unpack(">IIiI", blob[8 : self.start])
        }

    def texts(self, tag: int) -> list[bytes]:
        """Return the texts of a tag, [] without it."""
        kind, offset, count = self.tags.get(tag, (_STRING, 0, 0))
        if not count:
            return []
        if kind not in (_STRING, _STRING_ARRAY, _I18N):
            raise Remark(f"tag {tag} holds no text")
        at = self.start + offset
        if not self.start <= at <= self.end or count > self.end - at:
            raise Remark(f"tag {tag} points out of the header")
        found = self.blob[at : self.end].split(b"\0", count)[:count]
        if len(found) < count:
            raise Remark(f"the texts of tag {tag} are cut off")
        return found

    def text(self, tag: int) -> str:
        """Return the first text of a tag, "" without it."""
        return b"".join(self.texts(tag)[:1]).decode("utf-8", "surrogateescape")

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the numbers of a tag, () without it."""
        kind, offset, count = self.tags.get(tag, (_INT32, 0, 0))
        if kind != _INT32:
            raise Remark(f"tag {tag} holds no numbers of 32 bits")
        at = self.start + offset
        if not self.start <= at <= self.end or 4 * count > self.end - at:
            raise Remark(f"tag {tag} points out of the header")
        return struct.unpack_from(f">{count}I", self.blob, at)

    def files(self) -> tuple[bytes, ...]:
        """Return the paths that belong to the package, directories and ghosts too."""
        bases = self.texts(_BASE_NAMES)
        if not bases:
            return bounded(self.texts(_OLD_NAMES))
        folders, indexes = [name[: PATH_BYTES + 1] for name in self.texts(_DIR_NAMES)], self.numbers(_DIR_INDEXES)
        if len(indexes) != len(bases) or (indexes and max(indexes) >= len(folders)):
            raise Remark("the directories of its files do not fit their names")
        return bounded(folders[index] + base for index, base in zip(indexes, bases, strict=True))


def _records(file: Shipped, reading: Reading) -> Iterator[Record]:
    log = reading.at(file.path + _LOG, file.layer)
    if log is not None and reading.read(log):
        reading.remark(file, Remark("a write-ahead log lies beside it and is not read: what it changes is not known"))
    for place, blob in _FORMS[file.name](reading.read(file)):
        try:
            header = Header(blob)
            name, release = header.text(_NAME), header.text(_RELEASE)
            if not name:
                raise Remark("a header names no package")
            epochs = header.numbers(_EPOCH)
            yield Record(
                name=name,
                version=header.text(_VERSION) + (f"-{release}" if release else ""),
                arch=header.text(_ARCH),
                epoch=str(epochs[0]) if epochs else "",
                source=header.text(_SOURCE),
                place=f"byte {place}",
                files=header.files(),
                single=name != "gpg-pubkey",
            )
        except Remark as remark:
            reading.remark(file, Remark(remark.what, f"byte {place}"))


KIND = DatabaseKind(
    family="rpm",
    places="rpmdb.sqlite, Packages and Packages.db in /var/lib/rpm, /usr/lib/sysimage/rpm and /usr/share/rpm",
    directory=lambda directory: directory in _HOMES,
    wants=lambda directory, name: name.removesuffix(_LOG) in _FORMS,
    holds=lambda directory, name: name in _FORMS,
    records=_records,
    one=True,
    purl="rpm",
    most=DATABASE_BYTES,
)
