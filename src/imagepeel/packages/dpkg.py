"""dpkg: /var/lib/dpkg/status with the lists of files beside it, and the status.d of images built without dpkg.

Sources: dpkg(1) and dpkg-query(1), deb-control(5), `dpkg-divert(1)`; distroless images have one file a package in
/var/lib/dpkg/status.d, with NAME.md5sums for its files.
"""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.packages.record import (
    DatabaseKind,
    Reading,
    Record,
    Remark,
    Shipped,
    absolute,
    bounded,
    lines_of,
    stanzas,
    words_of,
)

_HOME = b"/var/lib/dpkg"
_INFO = _HOME + b"/info"
_PARTS = _HOME + b"/status.d"
_FIELDS = (b"package", b"version", b"architecture", b"status", b"source")
_GONE = (b"not-installed", b"config-files")


def _directory(directory: bytes) -> bool:
    return directory in (_HOME, _INFO, _PARTS)


def _wants(directory: bytes, name: bytes) -> bool:
    if directory == _HOME:
        return name in (b"status", b"diversions")
    return directory == _PARTS or name.endswith((b".list", b".md5sums"))


def _holds(directory: bytes, name: bytes) -> bool:
    return name == b"status" if directory == _HOME else directory == _PARTS and not name.endswith(b".md5sums")


def _records(file: Shipped, reading: Reading) -> Iterator[Record]:
    part = file.directory == _PARTS
    diverted = {} if part else _diversions(file, reading)
    for line, fields in stanzas(reading.read(file), _FIELDS):
        if b"package" not in fields:
            raise Remark("a stanza names no package", f"line {line}")
        status = fields.get(b"status", b"install ok installed").split()
        if status and status[-1] in _GONE:
            continue
        name = words_of(fields[b"package"])
        state = words_of(status[-1]) if status else ""
        source = words_of(fields.get(b"source", b"")).partition(" ")[0]
        yield Record(
            name=name,
            version=words_of(fields.get(b"version", b"")),
            arch=words_of(fields.get(b"architecture", b"")),
            state="" if state == "installed" else state,
            source="" if source == name else source,
            place=f"line {line}",
            files=_part_files(file, reading) if part else _files(fields, file, reading, diverted),
        )


def _part_files(file: Shipped, reading: Reading) -> tuple[bytes, ...] | None:
    sums = reading.at(file.path + b".md5sums", file.layer)
    return None if sums is None else reading.list_of(sums, _names_with_sums)


def _files(
    fields: dict[bytes, bytes], status: Shipped, reading: Reading, diverted: dict[bytes, tuple[bytes, bytes]]
) -> tuple[bytes, ...] | None:
    name = fields[b"package"]
    # A package that may be installed for several machines has the machine in the names of its files.
    stems = (_INFO + b"/" + name, _INFO + b"/" + name + b":" + fields.get(b"architecture", b""))
    for ending, parse in ((b".list", _names), (b".md5sums", _names_with_sums)):
        for stem in stems:
            listing = _beside(status, stem + ending, reading)
            if listing is not None:
                paths = reading.list_of(listing, parse)
                if paths is None or diverted.keys().isdisjoint(paths):
                    return paths
                moved = {path: to for path, (to, keeper) in diverted.items() if keeper != name}
                return tuple(moved.get(path, path) for path in paths)
    return None


def _names(data: bytes) -> tuple[bytes, ...]:
    return bounded(line for line in data.split(b"\n") if line.startswith(b"/") and line != b"/.")


def _names_with_sums(data: bytes) -> tuple[bytes, ...]:
    """Return the paths of a list of checksums, which have no slash in front."""
    return bounded(absolute(b"", line[34:]) for line in data.split(b"\n") if len(line) > 34)


def _beside(status: Shipped, path: bytes, reading: Reading) -> Shipped | None:
    """Return a file as it is at the end of the life of a status: it may change while the status does not."""
    return reading.at(path, status.end) or reading.at(path, status.layer)


def _diversions(status: Shipped, reading: Reading) -> dict[bytes, tuple[bytes, bytes]]:
    """Return path -> (where another package's file of that name goes, the package that keeps the path)."""
    file = _beside(status, _HOME + b"/diversions", reading)
    if file is None:
        return {}
    found: dict[bytes, tuple[bytes, bytes]] = {}
    try:
        lines = [line for _, line in lines_of(reading.read(file))]
        if len(lines) % 3:
            reading.remark(
                file, Remark("the last diversion is cut off: three lines belong together", f"line {len(lines)}")
            )
        for at in range(0, len(lines) - 2, 3):
            found[lines[at]] = (lines[at + 1], lines[at + 2])
    except Remark as remark:
        reading.remark(file, remark)
    return found


KIND = DatabaseKind(
    family="dpkg",
    places="/var/lib/dpkg/status, /var/lib/dpkg/status.d/*",
    directory=_directory,
    wants=_wants,
    holds=_holds,
    records=_records,
    one=True,
    purl="deb",
)
