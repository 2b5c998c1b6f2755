"""Package databases of few bytes that mean many: overlapping items, shared blobs, one long directory for each name."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge

Make = Callable[..., Path]
SECONDS = 20
"""What each takes at most on a busy machine; without its bound, minutes."""


def header(names: int, directory: bytes) -> bytes:
    """A header of rpm in which `names` files lie in one directory."""
    parts = (
        (1000, 6, 1, b"x\0"),
        (1116, 4, names, bytes(4 * names)),
        (1117, 8, names, b"".join(b"%d\0" % number for number in range(names))),
        (1118, 8, 1, directory + b"\0"),
    )
    index = data = b""
    for tag, kind, count, value in parts:
        data += bytes(-len(data) % 4)
        index += struct.pack(">4I", tag, kind, len(data), count)
        data += value
    return struct.pack(">II", len(parts), len(data)) + index + data


def ndb(*slots: int, blob: bytes) -> bytes:
    """A Packages.db whose slots all point at one blob (rpmpkg.c)."""
    head = struct.pack("<4sIII", b"RpmP", 0, 1, 1) + bytes(16)
    blocks = (len(blob) + 28) // 16 + 1
    for package in range(254):
        used = package in slots
        head += struct.pack("<4sIII", b"Slot", 7 if used else 0, 256 if used else 0, blocks if used else 0)
    return head + struct.pack("<4sIII", b"BlbS", 7, 1, len(blob)) + blob + bytes(16 * blocks - 16 - len(blob))


def bdb(pages: int) -> bytes:
    """Pages of a hash whose items all overlap."""
    meta = bytearray(65536)
    struct.pack_into("<I", meta, 12, 0x061561)
    struct.pack_into("<I", meta, 20, 65536)
    page = bytearray(65536)
    page[25] = 13
    struct.pack_into("<H", page, 20, 30_000)
    struct.pack_into("<30000H", page, 26, *([65_000, 60_100] * 15_000))
    return bytes(meta) + bytes(page) * pages


RECORD = "usr/lib/python3/site-packages/" + "d" * 200 + "/x.dist-info"
BOMBS: dict[str, tuple[dict[str, bytes], str]] = {
    "one long directory, many names": (
        {"lib/apk/db/installed": b"P:a\nV:1\nF:" + b"/d" * 2000 + b"\n" + b"R:a\n" * 1_000_000},
        "more files than are read",
    ),
    "one directory of a header": (
        {"var/lib/rpm/Packages.db": ndb(0, blob=header(60_000, b"/" + b"d" * 4000))},
        "more files than are read",
    ),
    "slots that share a blob": ({"var/lib/rpm/Packages.db": ndb(*range(254), blob=bytes(4_000_000))}, "more bytes"),
    "items that overlap": ({"var/lib/rpm/Packages": bdb(50)}, "not in their order"),
    "a list of files in a deep directory": (
        {f"{RECORD}/METADATA": b"Name: x\n", f"{RECORD}/RECORD": b"a\n" * 2_000_000},
        "more files than are read",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_named_in_time(name: str, forge_archive: Make) -> None:
    files, why = BOMBS[name]
    spec = forge.image(forge.layer(*(forge.file(path, content) for path, content in files.items())))
    archive = forge_archive(spec, name=f"{name}.tar")
    started = time.process_time()
    with imagepeel.open(archive) as opened:
        found = opened.image().packages()
    assert time.process_time() - started < SECONDS
    assert not found.complete
    assert any(why in doubt.why for doubt in found.doubts)
