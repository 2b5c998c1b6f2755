"""pip and what installs like it: NAME.dist-info and NAME.egg-info, wherever they lie.

Source: PyPA's "Recording installed projects" (METADATA, RECORD) and "Core metadata specifications"; of egg-info the
format is what setuptools and distutils wrote.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial

from imagepeel.packages.record import (
    DatabaseKind,
    Reading,
    Record,
    Remark,
    Shipped,
    absolute,
    bounded,
    lines_of,
    words_of,
)

_LISTS = {b"METADATA": b"RECORD", b"PKG-INFO": b"installed-files.txt"}


def _directory(directory: bytes) -> bool:
    return directory.endswith((b".dist-info", b".egg-info", b"-packages"))


def _wants(directory: bytes, name: bytes) -> bool:
    if directory.endswith(b".dist-info"):
        return name in (b"METADATA", b"RECORD")
    if directory.endswith(b".egg-info"):
        return name in (b"PKG-INFO", b"installed-files.txt")
    return name.endswith(b".egg-info")


def _holds(directory: bytes, name: bytes) -> bool:
    return name in _LISTS or name.endswith(b".egg-info")


def _records(file: Shipped, reading: Reading) -> Iterator[Record]:
    """Its head alone is read: the description that follows the first empty line is free text."""
    found: dict[bytes, bytes] = {}
    for _, line in lines_of(reading.read(file)):
        if not line.strip():
            break
        name, colon, value = line.partition(b":")
        if colon and line[:1] not in (b" ", b"\t"):
            found.setdefault(name.strip().lower(), value.strip())
    if not found.get(b"name"):
        raise Remark("the metadata name no project", "line 1")
    listing = _LISTS.get(file.name)
    yield Record(
        name=words_of(found[b"name"]),
        version=words_of(found.get(b"version", b"")),
        place="line 1",
        files=_files(file, listing, reading) if listing else (file.path,),
    )


def _files(file: Shipped, listing: bytes, reading: Reading) -> tuple[bytes, ...] | None:
    path = file.directory + b"/" + listing
    beside = reading.at(path, file.end) or reading.at(path, file.layer)
    if beside is None:
        return None
    if listing == b"RECORD":
        return reading.list_of(beside, partial(_recorded, file.directory.rpartition(b"/")[0]))
    return reading.list_of(beside, partial(_installed, file.directory))


def _recorded(base: bytes, data: bytes) -> tuple[bytes, ...]:
    try:
        rows = csv.reader(data.decode("utf-8", "surrogateescape").splitlines())
        return bounded(absolute(base, row[0].encode("utf-8", "surrogateescape")) for row in rows if row and row[0])
    except csv.Error as error:
        raise Remark(f"the list of files is no CSV: {error}") from error


def _installed(base: bytes, data: bytes) -> tuple[bytes, ...]:
    return bounded(absolute(base, line) for line in data.split(b"\n") if line)


KIND = DatabaseKind(
    family="pip",
    places="*.dist-info/METADATA, *.egg-info",
    directory=_directory,
    wants=_wants,
    holds=_holds,
    records=_records,
    one=False,
    purl="pypi",
)
