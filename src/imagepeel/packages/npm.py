"""npm and its kin: package.json of each directory right below a node_modules, or below a scope in one.

Source: the pages "package.json" and "folders" of npm's documentation.  Everything in such a directory belongs to the
package, but what lies in a node_modules inside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagepeel.packages.record import DatabaseKind, Reading, Record, Remark, Shipped
from imagepeel.serialization import from_json

_MARK = b"/node_modules/"


class _PackageJson(msgspec.Struct):
    name: str = ""
    version: str = ""


def home(directory: bytes) -> bytes:
    """Return the directory of the package that a directory belongs to, b"" where it is in none."""
    at = directory.rfind(_MARK)
    if at < 0:
        return b""
    start = at + len(_MARK)
    end = directory.find(b"/", start)
    if directory[start : start + 1] == b"@" and end > 0:
        end = directory.find(b"/", end + 1)
        return directory if end < 0 else directory[:end]
    # A hidden name is npm's own (.bin, .package-lock.json) or a store of pnpm.
    if directory[start : start + 1] in (b".", b"@"):
        return b""
    return directory if end < 0 else directory[:end]


def _directory(directory: bytes) -> bool:
    return _MARK in directory and home(directory) == directory


def _records(file: Shipped, reading: Reading) -> Iterator[Record]:
    try:
        found = from_json(reading.read(file), _PackageJson)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Remark(f"it is no package.json: {error}") from error
    if not found.name:
        raise Remark("it names no package")
    yield Record(name=found.name, version=found.version, files=(), below=file.directory)


KIND = DatabaseKind(
    family="npm",
    places="node_modules/*/package.json",
    directory=_directory,
    wants=lambda directory, name: name == b"package.json",
    holds=lambda directory, name: True,
    records=_records,
    one=False,
    purl="npm",
)
