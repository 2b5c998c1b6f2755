"""One pass over a layer: digests, DiffID, sizes, index, and reading back what it found."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.archive.source import FileSource, MemorySource
from imagepeel.errors import LimitExceeded
from imagepeel.formats.tar.scanner import TarScanner
from imagepeel.layers.content import EntryFile, LayerContent
from imagepeel.layers.layer_scan import SPACING
from imagepeel.layers.scan import scan_layer
from imagepeel.limits import DEFAULT, Limits

_random = random.Random(3)
FILES = {b"f%d" % n: _random.randbytes(_random.randrange(1, 60_000)) for n in range(40)}
FILES |= {b"text%d" % n: (b"line %d of many\n" % n) * _random.randrange(1, 3000) for n in range(120)}
TAR = forge.encode([forge.file(name, data) for name, data in FILES.items()])


def stored(kind: str) -> bytes:
    if kind == "none":
        return TAR
    command = {"gzip": "gzip", "zstd": "zstd", "bzip2": "bzip2", "xz": "xz", "members": "gzip"}[kind]
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    if kind == "members":
        return b"".join(gzip.compress(TAR[at : at + 100_000], mtime=0) for at in range(0, len(TAR), 100_000))
    return subprocess.run([command, "-c"], input=TAR, capture_output=True, check=True).stdout


@pytest.mark.parametrize("kind", ("none", "gzip", "members", "zstd", "bzip2", "xz"))
def test_digests_are_those_of_sha256sum_and_every_file_reads_back(kind: str) -> None:
    blob = stored(kind)
    source = MemorySource(blob)
    scan = scan_layer(source, DEFAULT, layer=0)
    assert scan.blob_digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert scan.diff_id == "sha256:" + hashlib.sha256(TAR).hexdigest()
    assert (scan.blob_size, scan.content_size) == (len(blob), len(TAR))
    assert scan.error is None and scan.anomalies == ()
    content = LayerContent(source, scan.compression, scan.access, DEFAULT, layer=0)
    order = list(scan.table)
    _random.shuffle(order)
    for entry in order:
        assert EntryFile(content, entry).read() == FILES[entry.raw_name]


def test_access_points_save_rereading_and_stay_bounded() -> None:
    noise = _random.randbytes(SPACING)
    tar = forge.encode([forge.file(b"n%d" % n, noise[n:] + noise[:n]) for n in range(20)])
    blob = gzip.compress(tar, compresslevel=1, mtime=0)
    scan = scan_layer(MemorySource(blob), DEFAULT, access_points=8)
    assert 2 <= len(scan.access) <= 8
    assert [point.content for point in scan.access] == sorted(point.content for point in scan.access)
    content = LayerContent(MemorySource(blob), "gzip", scan.access, DEFAULT, layer=0)
    anywhere = [_random.randrange(len(tar)) for _ in range(40)]
    for offset in (0, len(tar) - 5000, 3 * SPACING + 17, 100, len(tar) // 2, *anywhere):
        assert content.pread(offset, 4096) == tar[offset : offset + 4096]
    assert content.pread(len(tar) - 10, 100) == tar[-10:]
    assert content.pread(len(tar) + 10, 100) == b""


@pytest.mark.parametrize("kind", ("none", "gzip", "members", "zstd", "bzip2", "xz"))
def test_small_content_stays_where_that_is_asked_for(kind: str) -> None:
    blob = stored(kind)
    assert scan_layer(MemorySource(blob), DEFAULT, keep=len(TAR) - 1).whole is None
    scan = scan_layer(MemorySource(blob), DEFAULT, keep=len(TAR))
    if kind == "none":
        assert scan.whole is None  # the source has it as it is
        return
    assert scan.whole is not None and scan.whole.size == len(TAR)
    assert scan.whole.pread(0, len(TAR) + 1) == TAR
    assert scan.whole.pread(1000, 300_000) == TAR[1000:301_000]
    assert scan.whole.pread(len(TAR), 5) == b""
    content = LayerContent(MemorySource(b"gone"), kind, (), DEFAULT, layer=0, whole=scan.whole)
    assert content.pread(512, 700) == TAR[512:1212]
    scan.whole.close()
    assert scan.whole.pread(0, 1) is None
    assert scan_layer(MemorySource(blob[:-200]), DEFAULT, keep=len(TAR)).whole is None


@pytest.mark.parametrize("pieces", (1, 40, 4000))
def test_going_back_a_little_inflates_nothing_twice(pieces: int) -> None:
    """However many members the stream has: what was inflated last is still there, and not more than that."""
    data = b"".join(b"%09d\n" % n for n in range(800_000))
    step = -(-len(data) // pieces)
    blob = b"".join(gzip.compress(data[at : at + step], 1, mtime=0) for at in range(0, len(data), step))

    class Counting(MemorySource):
        read = 0

        def chunks(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            for chunk in super().chunks(*args, **kwargs):
                self.read += len(chunk)
                yield chunk

    source = Counting(blob)
    content = LayerContent(source, "gzip", (), DEFAULT, layer=0)
    last = len(data) - 100
    assert content.pread(last, 100) == data[last:]
    once = source.read
    # 1 MiB, in 64 pieces at most; a piece is what 64 KiB of the stream give, and the one that does not fit in is gone.
    held = min(1024 * 1024 - 300_000, 60 * step)
    places = random.Random(pieces)
    for near in (last - held, *(last - places.randrange(held) for _ in range(50))):
        assert content.pread(near, 50) == data[near : near + 50]
    assert source.read == once <= len(blob)
    assert content.pread(0, 10) == data[:10] and source.read > once


def test_other_algorithms_are_computed_as_stated() -> None:
    blob = gzip.compress(TAR, mtime=0)
    scan = scan_layer(MemorySource(blob), DEFAULT, algorithm="sha512", diff_algorithm="sha256")
    assert scan.blob_digest == "sha512:" + hashlib.sha512(blob).hexdigest()
    assert scan.diff_id == "sha256:" + hashlib.sha256(TAR).hexdigest()


def test_file_digests_on_request() -> None:
    scan = scan_layer(MemorySource(TAR), DEFAULT, digests=True)
    assert {e.raw_name: e.sha256 for e in scan.table} == {n: hashlib.sha256(d).hexdigest() for n, d in FILES.items()}


@pytest.mark.parametrize("step", [1 << 20, 4096, 700])
def test_digests_are_kept_of_what_has_content_and_found_among_all(step: int) -> None:
    chance = random.Random(5)
    truth: dict[str, bytes | None] = {}
    entries: list[Any] = []
    for number in range(9_500):
        name, kind = f"d{number % 7}/n{number}", chance.randrange(5)
        if kind == 0:
            data = chance.randbytes(chance.randrange(1, 1_500))
            truth[name] = hashlib.sha256(data).digest()
            entries.append(forge.file(name, data, mtime=(5, 123) if number % 3 == 0 else 7))
            continue
        truth[name] = None
        entries.append(
            (
                forge.file(name, b""), forge.symlink(name, "x"), forge.directory(name),
                forge.sparse(name, ((0, b"s" * 512),), 5_000),
            )[kind - 1]
        )  # fmt: skip
    tar = forge.encode(entries)
    scanner = TarScanner(DEFAULT, digests=True)
    for at in range(0, len(tar), step):
        scanner.feed(tar[at : at + step])
        if at // step % 50 == 0 and len(scanner.table) > 3:
            scanner.table.digest(len(scanner.table) - 3)  # asking on the way changes nothing
    scanner.finish()
    table = scanner.table
    assert len(table) == len(truth)
    assert {table.path(i).decode(): table.digest(i) for i in range(len(table))} == truth
    assert table.hashed == sum(digest is not None for digest in truth.values())
    assert table.digests is not None and len(table.digests) == 32 * table.hashed


def test_a_file_in_which_the_stream_breaks_off_has_no_digest_and_moves_none() -> None:
    tar = forge.encode([forge.file("a", b"first"), forge.file("b", b"x" * 5_000)])
    for cut in (2_048 + 100, 1_600, 1_024):
        scanner = TarScanner(DEFAULT, digests=True)
        scanner.feed(tar[:cut])
        scanner.finish()
        assert [entry.sha256 for entry in scanner.table][:1] == [hashlib.sha256(b"first").hexdigest()]
        assert [entry.sha256 for entry in scanner.table][1:] in ([], [None])


def test_without_verification_a_plain_layer_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "layer.tar"
    path.write_bytes(TAR)

    class Counting(FileSource):
        read = 0

        def pread(self, offset: int, count: int) -> bytes:
            data = super().pread(offset, count)
            self.read += len(data)
            return data

    source = Counting(os.open(path, os.O_RDONLY), "layer")
    scan = scan_layer(source, DEFAULT, verify=False)
    assert scan.blob_digest is None and scan.diff_id is None
    whole = scan_layer(MemorySource(TAR), DEFAULT)
    assert [(e.raw_name, e.data_offset, e.size) for e in scan.table] == [
        (e.raw_name, e.data_offset, e.size) for e in whole.table
    ]
    assert source.read < len(TAR) * 0.9
    source.close()


def test_a_damaged_stream_is_recorded_and_its_own_digest_still_told() -> None:
    blob = bytearray(gzip.compress(TAR, mtime=0))
    blob[len(blob) // 2] ^= 0xFF
    scan = scan_layer(MemorySource(bytes(blob)), DEFAULT, layer=2)
    assert scan.blob_digest == "sha256:" + hashlib.sha256(bytes(blob)).hexdigest()
    assert scan.diff_id is None
    assert scan.error is not None and scan.error.code == "stream-damaged" and scan.error.where.layer == 2
    assert 0 < len(scan.table) < len(FILES)


def test_bytes_after_the_compressed_data_are_reported() -> None:
    scan = scan_layer(MemorySource(gzip.compress(TAR, mtime=0) + bytes(512)), DEFAULT)
    assert scan.error is None
    assert [anomaly.code for anomaly in scan.anomalies] == ["stream-tail"]


def test_bombs_end_at_the_limit() -> None:
    bomb = gzip.compress(bytes(64 << 20), mtime=0)
    with pytest.raises(LimitExceeded, match="decompresses to more than"):
        scan_layer(MemorySource(bomb), Limits(ratio=50, ratio_floor=1 << 20))
    with pytest.raises(LimitExceeded, match="larger than"):
        scan_layer(MemorySource(bomb), Limits(layer_bytes=1 << 20))


def test_holes_read_as_zeros() -> None:
    regions = ((1000, b"first"), (500_000, b"second"))
    tar = forge.encode([forge.sparse(b"s", regions, 600_000), forge.file(b"after", b"x")])
    source = MemorySource(gzip.compress(tar, mtime=0))
    scan = scan_layer(source, DEFAULT)
    content = LayerContent(source, "gzip", scan.access, DEFAULT, layer=0)
    expected = bytearray(600_000)
    for offset, data in regions:
        expected[offset : offset + len(data)] = data
    file = EntryFile(content, scan.table[0])
    assert file.read() == bytes(expected)
    assert file.pread(1003, 10) == b"st" + bytes(8)
    assert file.pread(499_990, 20) == bytes(10) + b"second" + bytes(4)
    assert file.pread(599_999, 20) == bytes(1)
