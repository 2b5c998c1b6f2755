"""What loaders read of libraries stays in hand: the judge of where that lies is readelf."""

from __future__ import annotations

import gzip
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.formats.tar.scanner import scan
from imagepeel.layers.content import EntryFile, LayerContent
from imagepeel.layers.loader_parts import HEAD, LoaderParts
from imagepeel.layers.scan import scan_layer
from imagepeel.limits import DEFAULT

MOST = 16 << 20
PIECES = (1, 7, 511, 512, 4000, 100_000, 1 << 20)
_random = random.Random(11)


def libraries() -> list[Path]:
    """The system's shared libraries that this interpreter has loaded, smallest first; wheels move tables about."""
    found = {Path(name) for name in re.findall(r"(/\S+\.so[.\d]*)$", Path("/proc/self/maps").read_text(), re.MULTILINE)}
    found = {path for path in found if path.parts[1] in ("lib", "lib64", "usr")}
    return sorted((path for path in found if path.stat().st_size < 4 << 20), key=lambda path: path.stat().st_size)


def ranges(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and size of the first loaded segment and of the dynamic section, as readelf tells; () of code."""
    text = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout
    out: dict[str, tuple[int, int]] = {}
    for kind, at, size, flags in re.findall(
        r"^  (LOAD|DYNAMIC|INTERP) +(\w+) \w+ \w+ (\w+) \w+ (...)", text, re.MULTILINE
    ):
        if "E" not in flags or kind != "LOAD":
            out.setdefault(kind, (int(at, 16), int(size, 16)))
    return out


def named(path: Path) -> bool:
    """Whether a library has a DT_SONAME, as readelf tells."""
    return "(SONAME)" in subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout


def collected(tar: bytes, most: int, piece_sizes: tuple[int, ...] = PIECES) -> tuple[tuple[int, bytes], ...]:
    """The parts of a tar that comes in pieces cut anywhere."""
    parts, at = LoaderParts(most), 0
    while at < len(tar):
        piece = tar[at : at + _random.choice(piece_sizes)]
        parts.feed(at, piece)
        at += len(piece)
    return parts.finish()


@pytest.fixture(scope="module")
def tar() -> bytes:
    if shutil.which("readelf") is None or not Path("/proc/self/maps").exists() or not libraries():
        pytest.skip("no readelf, or no libraries to look at")
    noise = [forge.file(b"noise%d" % n, b"\x7fELF" + _random.randbytes(900)) for n in range(4)]
    return forge.encode(
        [*noise, *(forge.file(str(path).encode(), path.read_bytes()) for path in libraries()), *noise[:2]]
    )


def test_head_tables_and_dynamic_section_of_each_library_are_kept(tar: bytes) -> None:
    parts = collected(tar, MOST)
    assert all(tar[at : at + len(part)] == part for at, part in parts)
    assert sum(len(part) for _, part in parts) <= MOST
    starts = {entry.raw_name.decode().removeprefix("/"): entry.data_offset for entry in scan(tar).table}
    seen = 0
    for path in libraries():
        base, told = starts[str(path).removeprefix("/")], ranges(path)
        wanted = {"head": (0, min(HEAD, path.stat().st_size)), "DYNAMIC": told["DYNAMIC"]}
        if "INTERP" not in told and "LOAD" in told and told["LOAD"][1] <= 1 << 20 and named(path):
            wanted["LOAD"] = told["LOAD"]
        for at, size in wanted.values():
            assert any(begin <= base + at and base + at + size <= begin + len(part) for begin, part in parts), path
            seen += 1
    assert seen > len(libraries())


def test_of_what_programs_load_while_they_run_the_tables_are_not_kept() -> None:
    modules = [path for path in sorted(Path("/usr/lib").glob("*/gconv/*.so"))[:6] if shutil.which("readelf")]
    modules = [path for path in modules if not named(path) and ranges(path)["LOAD"][1] > HEAD]
    if not modules:
        pytest.skip("no readelf, or no module to look at")
    tar = forge.encode([forge.file(path.name.encode(), path.read_bytes()) for path in modules])
    parts = collected(tar, MOST)
    for entry, path in zip(scan(tar).table, modules, strict=True):
        (at, size), begin = ranges(path)["DYNAMIC"], entry.data_offset
        assert [(at, len(part)) for at, part in parts if begin <= at < begin + entry.size] == [
            (begin, HEAD),
            (begin + at, size),
        ]


def test_past_the_bound_the_largest_go_and_without_one_nothing_is_kept(tar: bytes) -> None:
    everything = collected(tar, MOST)
    most = sum(len(part) for _, part in everything) // 2
    some = collected(tar, most)
    assert 0 < sum(len(part) for _, part in some) <= most
    assert set(some) <= set(everything)
    assert max(len(part) for _, part in some) < max(len(part) for _, part in everything)
    assert collected(tar, 0) == ()


def test_a_part_is_read_back_without_inflating(tar: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource(gzip.compress(tar, 1, mtime=0))
    found = scan_layer(source, DEFAULT, keep_parts=MOST)
    assert found.parts == tuple(sorted(found.parts)) and found.parts
    assert scan_layer(source, DEFAULT, keep=len(tar), keep_parts=MOST).parts == ()
    assert scan_layer(MemorySource(tar), DEFAULT, keep_parts=MOST).parts == ()
    content = LayerContent(source, found.compression, found.access, DEFAULT, layer=0, parts=found.parts)
    whole = {entry.raw_name: EntryFile(content, entry).read() for entry in found.table}
    quiet = LayerContent(source, found.compression, found.access, DEFAULT, layer=0, parts=found.parts)
    if not found.access:
        pytest.skip("without zlib-ng a state of the decoder is not copied")
    monkeypatch.setattr(source, "chunks", _refuse)
    for path in libraries():
        entry = next(e for e in found.table if e.path == b"/" + str(path).encode().lstrip(b"/"))
        assert EntryFile(quiet, entry).pread(0, 256) == whole[entry.raw_name][:256]
        at, size = ranges(path)["DYNAMIC"]
        assert EntryFile(quiet, entry).pread(at, size) == path.read_bytes()[at : at + size]


def _refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("the layer is inflated again")


def test_headers_that_lie_keep_no_more_than_their_head() -> None:
    lying = bytearray(b"\x7fELF\x02\x01\x01".ljust(64, b"\0"))
    lying[32:40] = (1 << 60).to_bytes(8, "little")
    lying[54:58] = (56).to_bytes(2, "little") + (65_535).to_bytes(2, "little")
    far = bytearray(lying)
    far[32:40] = (64).to_bytes(8, "little")
    far[56:58] = (1).to_bytes(2, "little")
    far += (
        (2).to_bytes(4, "little") + bytes(4) + (1 << 63).to_bytes(8, "little") + bytes(16) + (64).to_bytes(8, "little")
    )
    files = [forge.file(b"a%d" % n, bytes(data).ljust(2000, b"x")) for n, data in enumerate((lying, far) * 50)]
    parts = collected(forge.encode(files), MOST)
    assert [len(part) for _, part in parts] == [HEAD] * 100


@pytest.mark.parametrize("size", [1, 2, 3, 5, 509, 511, 513])
def test_a_piece_that_ends_within_the_magic_loses_no_file(size: int) -> None:
    tar = forge.encode([forge.file(b"a%d" % n, b"\x7fELF" if n % 2 else b"\x7fELP") for n in range(1200)])
    starts = [entry.data_offset for entry in scan(tar).table]
    assert any((start + within) % size == 0 for start in starts[1::2] for within in (1, 2, 3))
    assert [at for at, _ in collected(tar, MOST, (size,))] == starts[1::2]
