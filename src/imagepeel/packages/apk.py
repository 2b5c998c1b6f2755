"""apk: lib/apk/db/installed, which newer systems have below usr/.

Source: apk-tools, the page of the installed database in the Alpine wiki (Apk_spec): one letter, a colon, a value; `F`
opens a directory and `R` is a file in it; an empty line ends a package.
"""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.packages.record import (
    NAME_BYTES,
    PATH_BYTES,
    DatabaseKind,
    Reading,
    Record,
    Remark,
    Shipped,
    absolute,
    lines_of,
    words_of,
)

_HOMES = (b"/lib/apk/db", b"/usr/lib/apk/db")


def _records(file: Shipped, reading: Reading) -> Iterator[Record]:
    fields: dict[bytes, bytes] = {}
    files: list[bytes] = []
    owned: set[bytes] = set()
    folder = b""
    start = total = 0
    for number, line in lines_of(reading.read(file)):
        if not line:
            if fields:
                yield _record(fields, files, start)
            fields, files, folder, start = {}, [], b"", 0
            continue
        start = start or number
        key, value = line[:1], line[2:]
        if line[1:2] != b":":
            raise Remark("a line is no field: its second character is no colon", f"line {number}")
        if key == b"F":
            folder = absolute(b"", value).rstrip(b"/") + b"/"
        elif key == b"R":
            path = folder + value if value.isalnum() or len(folder) > PATH_BYTES else absolute(folder, value)
            # apk takes a file that two packages list for that of the first.
            if len(path) <= PATH_BYTES and path not in owned:
                owned.add(path)
                files.append(path)
            total += len(path)
            if total > NAME_BYTES:
                raise Remark("it lists more files than are read", f"line {number}")
        elif key in b"PVAo":
            fields.setdefault(key, value)
    if fields:
        yield _record(fields, files, start)


def _record(fields: dict[bytes, bytes], files: list[bytes], line: int) -> Record:
    if b"P" not in fields:
        raise Remark("a record names no package", f"line {line}")
    name, source = words_of(fields[b"P"]), words_of(fields.get(b"o", b""))
    return Record(
        name=name,
        version=words_of(fields.get(b"V", b"")),
        arch=words_of(fields.get(b"A", b"")),
        source="" if source == name else source,
        place=f"line {line}",
        files=tuple(files),
    )


KIND = DatabaseKind(
    family="apk",
    places="/lib/apk/db/installed, /usr/lib/apk/db/installed",
    directory=lambda directory: directory in _HOMES,
    wants=lambda directory, name: name == b"installed",
    holds=lambda directory, name: True,
    records=_records,
    one=True,
    purl="apk",
)
