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
    diverted = {} if part else _diversions(file.layer, reading)
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
            files=_part_files(file, reading) if part else _files(fields, file.layer, reading, diverted),
        )


def _part_files(file: Shipped, reading: Reading) -> tuple[bytes, ...] | None:
    return _sums(reading.at(file.path + b".md5sums", file.layer), reading)


def _files(
    fields: dict[bytes, bytes], layer: int, reading: Reading, diverted: dict[bytes, tuple[bytes, bytes]]
) -> tuple[bytes, ...] | None:
    name = fields[b"package"]
    # A package that may be installed for several machines has the machine in the names of its files.
    stems = (_INFO + b"/" + name, _INFO + b"/" + name + b":" + fields.get(b"architecture", b""))
    for stem in stems:
        listing = reading.at(stem + b".list", layer)
        if listing is None:
            continue
        try:
            data = reading.read(listing)
        except Remark as remark:
            reading.remark(listing, remark)
            return None
        paths = [line for line in data.split(b"\n") if line.startswith(b"/") and line != b"/."]
        if diverted:
            paths = [diverted[path][0] if path in diverted and diverted[path][1] != name else path for path in paths]
        return tuple(paths)
    for stem in stems:
        sums = reading.at(stem + b".md5sums", layer)
        if sums is not None:
            return _sums(sums, reading)
    return None


def _sums(file: Shipped | None, reading: Reading) -> tuple[bytes, ...] | None:
    """Return the paths of a list of checksums, which have no slash in front."""
    if file is None:
        return None
    try:
        data = reading.read(file)
    except Remark as remark:
        reading.remark(file, remark)
        return None
    return tuple(absolute(b"", line[34:]) for line in data.split(b"\n") if len(line) > 34)


def _diversions(layer: int, reading: Reading) -> dict[bytes, tuple[bytes, bytes]]:
    """Return path -> (where another package's file of that name goes, the package that keeps the path)."""
    file = reading.at(_HOME + b"/diversions", layer)
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
