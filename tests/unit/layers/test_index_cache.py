"""The persistent index: what comes back is what was scanned, and a damaged or forged one is never believed."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import pickle
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imagepeel import forge
from imagepeel import open as open_archive
from imagepeel.api import Archive
from imagepeel.archive.block_start import BlockStart
from imagepeel.archive.cache_dir import CacheDir, default_path
from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.formats.tar.table import EntryTable
from imagepeel.layers import index_cache, index_codec, names
from imagepeel.layers.content import _START, LayerContent
from imagepeel.layers.index_cache import SMALL_READS, Budget, IndexCache, SmallReads
from imagepeel.layers.index_codec import MAGIC, BadIndex
from imagepeel.layers.layer_scan import LayerScan
from imagepeel.layers.scan import scan_layer
from imagepeel.limits import DEFAULT, Limits
from imagepeel.rootfs.engines import regular
from imagepeel.rootfs.layer_events import layer_counts
from imagepeel.rootfs.view import build
from imagepeel.verbs import Image

ENTRIES = [
    forge.directory("bin"),
    forge.file("bin/sh", b"#!" * 900, mode=0o4755, uid=7),
    forge.hardlink("bin/bash", "bin/sh"),
    forge.symlink("bin/link", "sh"),
    forge.file("./odd/../name", b"x"),
    forge.file(b"bytes-\xff\n", b"y", mtime=(5, 123)),
    forge.file("x" * 200 + "/" + "y" * 200, b"long"),
    forge.file("cap", b"z", xattrs={"security.capability": b"\1\0\0\2"}),
    forge.sparse("holes", ((0, b"s" * 512), (40_960, b"e" * 512)), 50_000),
    forge.device("null", 1, 3),
    forge.fifo("pipe"),
    forge.whiteout("bin/gone"),
    forge.opaque("opt"),
]
FACTS = ("path", "raw_name", "kind", "mode", "uid", "gid", "size", "stored_size", "mtime", "link", "device", "sha256")
FACTS += ("header_offset", "data_offset", "pax", "sparse", "xattrs", "crc32", "is_whiteout", "is_opaque", "meta")


def scanned(*, digests: bool = False, compression: str = "gzip", entries: list[Any] = ENTRIES) -> LayerScan:
    blob = forge.compress(forge.encode(entries, trailing=b"\0" * 600 + b"tail"), compression)
    return scan_layer(MemorySource(blob), DEFAULT, layer=0, digests=digests)


def encode(scan: LayerScan, limits: Limits) -> bytes:
    return b"".join(index_codec.encode(scan, limits))


def decode(data: bytes, limits: Limits) -> LayerScan:
    return index_codec.decode(io.BytesIO(data), limits)[0]


def windows(data: bytes) -> tuple[Checkpoint, ...]:
    found = index_codec.decode(io.BytesIO(data), DEFAULT)[1]
    assert found is not None
    return index_codec.decode_windows(io.BytesIO(data), found)


def facts(table: EntryTable) -> list[tuple[Any, ...]]:
    return [tuple(getattr(entry, name) for name in FACTS) for entry in table]


@pytest.mark.parametrize("digests", [False, True])
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_everything_of_a_scan_comes_back(digests: bool, compression: str) -> None:
    scan = scanned(digests=digests, compression=compression)
    again = decode(encode(scan, DEFAULT), DEFAULT)
    assert scan.tail is not None and scan.anomalies and scan.error is None
    for name in LayerScan.__struct_fields__:
        if name == "table":
            assert facts(again.table) == facts(scan.table)
        elif name == "access":
            assert again.access == tuple(point for point in scan.access if point.state is None)
        else:
            assert getattr(again, name) == getattr(scan, name), name
    empty = scanned(entries=[])
    assert facts(decode(encode(empty, DEFAULT), DEFAULT).table) == []


def test_places_inside_a_member_are_kept_and_read_from_as_the_content_is(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(index_cache, "_SPACING", 1)
    rng = random.Random(2)
    some = [rng.randbytes(rng.randrange(4, 12)) for _ in range(5_000)]
    data = b"".join(rng.choices(some, k=4_000_000))
    source = MemorySource(forge.compress(forge.encode([forge.file("f", data)]), "gzip"))
    scan = scan_layer(source, DEFAULT, layer=0)
    cache = IndexCache(CacheDir(tmp_path / "cache"), least=1)
    assert cache.keep(source, None, scan, DEFAULT)
    (file,) = (tmp_path / "cache").glob("*.index")
    index = file.read_bytes()
    again = decode(index, DEFAULT)
    points = windows(index)
    assert again.access == ()
    assert len(points) >= 4 and all(isinstance(point.state, BlockStart) for point in points)
    start = scan.table[0].data_offset
    for point in points:
        content = LayerContent(source, again.compression, (point,), DEFAULT, layer=0)
        at = point.content + 7 - start
        assert content.pread(start + at, 90_000) == data[at : at + 90_000]

    # From the cache they come when something is inflated, and once; a damaged one is as none.
    asked = []
    monkeypatch.setattr(index_cache, "decode_windows", lambda *given: asked.append(given) or windows(index))
    known = cache.of(scan.blob_digest or "", DEFAULT)
    assert known is None  # it has no digests of files
    known = cache._decoded(scan.blob_digest or "", None, DEFAULT, False)
    assert known is not None and known.inside is not None and not asked
    for _ in range(2):
        content = LayerContent(source, known.compression, known.access, DEFAULT, layer=0, inside=known.inside)
        assert content._access == [_START]
        for at in (len(data) - 1_000, 17, len(data) // 2):
            assert content.pread(start + at, 900) == data[at : at + 900]
        assert set(points) <= set(content._access)
    assert len(asked) == 2
    assert pickle.loads(pickle.dumps(known)).inside() == points
    monkeypatch.undo()
    assert known.inside() == points
    file.write_bytes(index[:-1] + bytes([index[-1] ^ 1]))
    assert decode(file.read_bytes(), DEFAULT).blob_digest == scan.blob_digest
    content = LayerContent(source, known.compression, known.access, DEFAULT, layer=0, inside=known.inside)
    assert content.pread(start + 17, 900) == data[17:917]
    assert not file.exists() and known.inside() == ()


def test_windows_that_cannot_be_some_are_none(tmp_path: Path) -> None:
    scan = scanned()
    point = Checkpoint(9, 512, BlockStart(b"x", b"y"))
    good = encode(msgspec.structs.replace(scan, access=(point,)), DEFAULT)
    assert windows(good) == (point,) and decode(good, DEFAULT).access == ()
    for state in (BlockStart(b"", b"x"), BlockStart(b"x" * 99, b"x"), BlockStart(b"x", b"x" * 99_999)):
        forged = encode(msgspec.structs.replace(scan, access=(Checkpoint(9, 512, state),)), DEFAULT)
        assert decode(forged, DEFAULT).content_size == scan.content_size
        with pytest.raises(BadIndex, match="too large"):
            windows(forged)
    found = index_codec.decode(io.BytesIO(good), DEFAULT)[1]
    assert found is not None
    states = b"\x90"  # no states
    empty = index_codec.Windows(places=found.places, size=1, digest=hashlib.sha256(states).hexdigest())
    for data, where, said in (
        (good[:-1], found, "checksum of the windows"),
        (b"", found, "cut off"),
        (good, msgspec.structs.replace(found, size=1 << 60), "cut off"),
        (good, msgspec.structs.replace(found, size=-1), "cut off"),
        (states, empty, "missing"),
    ):
        with pytest.raises(BadIndex, match=said):
            index_codec.decode_windows(io.BytesIO(data), where)
    for place in ((scan.blob_size + 1, 512), (9, scan.content_size + 1), (-1, 512), (9, -1)):
        outside = msgspec.structs.replace(scan, access=(Checkpoint(*place, point.state),))
        with pytest.raises(BadIndex, match="outside"):
            decode(encode(outside, DEFAULT), DEFAULT)
    plain = msgspec.structs.replace(scanned(compression="none"), access=(point,))
    with pytest.raises(BadIndex, match="gzip"):
        decode(encode(plain, DEFAULT), DEFAULT)


def test_starts_of_members_are_kept_as_access_points() -> None:
    noise = random.Random(1).randbytes(3_000_000)
    tar = forge.encode([forge.file(f"f{n}", noise) for n in range(3)])
    blob = b"".join(forge.compress(tar[at : at + 2_000_000], "gzip") for at in range(0, len(tar), 2_000_000))
    scan = scan_layer(MemorySource(blob), DEFAULT)
    again = decode(encode(scan, DEFAULT), DEFAULT)
    assert len(again.access) >= 3 and all(point.state is None for point in again.access)


def test_what_is_not_whole_or_not_hashed_is_not_kept() -> None:
    blob = forge.compress(forge.encode(ENTRIES), "gzip")
    for scan in (scan_layer(MemorySource(blob[:-20]), DEFAULT), scan_layer(MemorySource(blob), DEFAULT, verify=False)):
        with pytest.raises(ValueError, match="whole"):
            encode(scan, DEFAULT)


def test_an_index_made_under_other_limits_is_not_used() -> None:
    with pytest.raises(BadIndex, match="limits"):
        decode(encode(scanned(), DEFAULT), Limits.strict())


def test_every_flipped_byte_is_noticed() -> None:
    data = encode(scanned(digests=True), DEFAULT)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << (at % 8)
        with pytest.raises(BadIndex):
            decode(bytes(damaged), DEFAULT)
    for end in range(0, len(data), 97):
        with pytest.raises(BadIndex):
            decode(data[:end], DEFAULT)


def sealed(body: bytes) -> bytes:
    """What an enemy writes who knows how checksums work."""
    return MAGIC + hashlib.sha256(body).digest() + body


class _Layer:
    index = 0
    error = None

    def __init__(self, table: EntryTable) -> None:
        self.table = table


def use(scan: LayerScan) -> None:
    """Do with a scan what commands do; only errors that are raised on purpose may come out."""
    facts(scan.table)
    for view in ("runtime", "spec", "docker"):
        try:
            rootfs = build([_Layer(scan.table)], view)
            for path, _ in rootfs.walk():
                assert path.startswith(b"/") and b"\0" not in path and b"/../" not in path + b"/"
        except ImagepeelError:
            pass


def test_a_forged_index_with_a_right_checksum_breaks_nothing() -> None:
    body = encode(scanned(digests=True), DEFAULT)[len(MAGIC) + 32 :]
    rng = random.Random(5)
    accepted = 0
    for at in range(len(body)):
        forged = bytearray(body)
        forged[at] = rng.choice((0, 1, 0x2E, 0x2F, 0x7F, 0x80, 0xFF, forged[at] ^ (1 << rng.randrange(8))))
        try:
            scan = decode(sealed(bytes(forged)), DEFAULT)
        except BadIndex:
            continue
        accepted += 1
        use(scan)
    assert 0 < accepted < len(body)


def test_a_raw_name_with_a_nul_is_refused() -> None:
    body = encode(scanned(), DEFAULT)[len(MAGIC) + 32 :]
    assert body.count(b"./odd/../name") == 1
    with pytest.raises(BadIndex, match="NUL"):
        decode(sealed(body.replace(b"./odd/../name", b"./odd/..\0name")), DEFAULT)


@pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"a\0b"])
def test_names_that_could_leave_a_directory_are_refused(name: bytes) -> None:
    scan = scanned(entries=[forge.file(b"n" * len(name), b"1")])
    data = encode(scan, DEFAULT)
    body = data[len(MAGIC) + 32 :]
    forged = body[::-1].replace((b"n" * len(name)), name[::-1], 1)[::-1]
    assert forged != body
    with pytest.raises(BadIndex, match="clean"):
        decode(sealed(forged), DEFAULT)


@pytest.mark.parametrize("path", [b"..", b"a//b", b"/ab", b"ab/", b"a/.", b"./a", b"a/..", b"a\0b", b"/\0/", b"d1"])
def test_directories_that_are_not_clean_or_repeat_are_refused(path: bytes) -> None:
    own = b"m" * len(path)
    scan = scanned(entries=[forge.file("d1/f", b"1"), forge.file(own + b"/f", b"2"), forge.file("d2/f", b"3")])
    body = encode(scan, DEFAULT)[len(MAGIC) + 32 :]
    forged = body.replace(own, path, 1)
    assert forged != body
    with pytest.raises(BadIndex, match="director"):
        decode(sealed(forged), DEFAULT)


# ---- the cache as archives use it -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rng = random.Random(2)
    base = forge.layer(
        forge.file("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
        forge.file("usr/lib/big", rng.randbytes(300_000)),
        forge.file("bin/tool", b"#!/bin/sh\n" + b"# words\n" * 5000, mode=0o755),
    )
    top = forge.layer(forge.whiteout("usr/lib/big"), forge.file("etc/motd", "hi\n"))
    path = forge.write(forge.image(base, top, entrypoint=["/bin/tool"]), tmp_path / "i.tar", kind="oci-archive",
                       compression="gzip")  # fmt: skip
    age(path)
    return path


def age(path: Path) -> None:
    """Make a file look as if it had been left alone; its change time cannot be set, so the clock is moved instead."""
    os.utime(path, ns=(10**18, 10**18))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten seconds pass for the question whether a file was changed just now."""
    now = time.time_ns
    monkeypatch.setattr(index_cache.time, "time_ns", lambda: now() + 10_000_000_000)


def answers(image: Image) -> Any:
    rootfs = image.rootfs
    return (
        [(layer.digest, layer.diff_id, layer.verified, facts(layer.table), layer.anomalies) for layer in image.layers],
        [(path, node.kind, node.mode, node.layer, node.entry) for path, node in rootfs.walk()],
        {path: rootfs.read(path) for path, node in rootfs.walk() if node.is_file},
        msgspec.to_builtins(image.process()),
        image.layer_counts() == tuple(layer_counts(rootfs)),
    )


def look(path: Path, folder: Path, *, least: int = 0, **options: Any) -> Any:
    with open_archive(path, cache=IndexCache(CacheDir(folder), least=least), **options) as opened:
        return answers(opened.image())


class Spy:
    """Counts what is really done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scans = self.hashes = self.inflated = 0
        self._watch(monkeypatch, "imagepeel.layers.scan.scan_layer", "scans")
        self._watch(monkeypatch, "imagepeel.layers.index_cache._digest_of", "hashes")
        self._watch(monkeypatch, "imagepeel.archive.codec.make_decoder", "inflated")

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str, counter: str) -> None:
        from importlib import import_module

        module, _, attribute = name.rpartition(".")
        real: Callable[..., Any] = getattr(import_module(module), attribute)

        def call(*arguments: Any, **options: Any) -> Any:
            setattr(self, counter, getattr(self, counter) + 1)
            return real(*arguments, **options)

        monkeypatch.setattr(name, call)


@pytest.mark.usefixtures("later")
def test_a_second_run_answers_the_same_and_reads_no_layer(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_archive(archive) as plain:
        truth = answers(plain.image())
    assert look(archive, folder) == truth
    spy = Spy(monkeypatch)
    with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        image = opened.image()
        image.process()
        assert image.rootfs.read("/etc/passwd") == b"root:x:0:0::/:/bin/sh\n"
        assert (spy.scans, spy.hashes, spy.inflated) == (0, 0, 0)
        assert answers(image) == truth
        assert (spy.scans, spy.hashes) == (0, 0)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """An archive with a layer of more files than whose names are looked at twice, with and without an entry above."""
    files = [forge.file(f"d{number % 40}/e/f{number}", b"") for number in range(regular._WORTH_KEEPING)]
    layer = forge.layer(forge.directory("./"), forge.directory("d7"), *files)
    path = forge.write(forge.image(layer, entrypoint=["/d1/e/f1"]), tmp_path / "many.tar", kind="oci-archive")
    age(path)
    return path


@pytest.mark.usefixtures("later")
def test_names_that_were_looked_at_once_are_not_looked_at_again(
    many: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_archive(many) as plain:
        truth = answers(plain.image())
    looks = []
    real = regular._names
    monkeypatch.setattr(regular, "_names", lambda *arguments: looks.append(arguments) or real(*arguments))
    assert look(many, folder) == truth
    assert len(looks) == 1
    assert look(many, folder) == truth
    assert len(looks) == 1


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    "forged",
    [
        {b"": [b".."]},
        {b"..": [b"a"]},
        {b"": [b"a/b"]},
        {b"": [b""]},
        {b"": [b"a\0"]},
        {b"/": [b"a"]},
        {b"a//b": [b"c"]},
    ],
)
def test_forged_names_with_a_right_checksum_are_not_used(many: Path, folder: Path, forged: names.Implied) -> None:
    with open_archive(many) as plain:
        truth = answers(plain.image())
    assert look(many, folder) == truth
    cache = IndexCache(CacheDir(folder), least=0)
    with open_archive(many, cache=cache) as opened:
        image = opened.image()
        image.scan()
        kept = names.LayerNames(image.layers, cache)
        assert kept.recall(0)
        kept.remember(0, forged)
        assert kept.recall(0) is None
    assert look(many, folder) == truth


def test_a_file_that_was_written_just_now_is_hashed_again(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = look(archive, folder)
    spy = Spy(monkeypatch)
    assert look(archive, folder) == truth
    assert (spy.scans, spy.hashes) == (0, 2), "the index is used, but only after hashing the stored bytes"


@pytest.mark.usefixtures("later")
def test_a_copy_of_the_archive_is_hashed_and_then_served(
    archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = look(archive, folder)
    copy = tmp_path / "copy.tar"
    copy.write_bytes(archive.read_bytes())
    spy = Spy(monkeypatch)
    assert look(copy, folder) == truth
    assert (spy.scans, spy.hashes) == (0, 2)


@pytest.mark.usefixtures("later")
def test_changed_bytes_under_the_old_size_and_time_are_never_served_from_the_cache(archive: Path, folder: Path) -> None:
    with open_archive(archive) as plain:
        layer = plain.image().layers[0]
        at = (layer.record.archive_offset or 0) + layer.blob_size // 2
    look(archive, folder)
    data = bytearray(archive.read_bytes())
    data[at] ^= 0xFF
    with open(archive, "r+b") as file:
        file.write(data)
    age(archive)
    with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        image = opened.image()
        image.scan()
        assert image.layers[0].verified is False
        assert image.layers[1].verified is True


@pytest.mark.usefixtures("later")
def test_asking_for_more_than_the_index_has_scans_again(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(archive, folder)
    spy = Spy(monkeypatch)
    for scans in (2, 2):
        with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
            image = opened.image()
            image.scan(digests=True)
            expected = hashlib.sha256(b"root:x:0:0::/:/bin/sh\n").hexdigest()
            assert {e.path: e.sha256 for e in image.layers[0].table}[b"/etc/passwd"] == expected
        assert spy.scans == scans
    assert look(archive, folder, limits=Limits.strict()) and spy.scans == 4


@pytest.mark.usefixtures("later")
def test_small_layers_and_streams_without_identity_leave_nothing(archive: Path, folder: Path) -> None:
    look(archive, folder, least=10**9)
    assert not folder.exists()
    with open_archive(MemorySource(archive.read_bytes()), cache=IndexCache(CacheDir(folder), least=0)) as opened:
        opened.image().scan()
    assert {file.name.rpartition(".")[2] for file in CacheDir(folder).files()} == {"index"}


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("kind", ["index", "stamp", "heads", "facts"])
def test_damaged_files_are_ignored_and_replaced(archive: Path, folder: Path, kind: str) -> None:
    truth = look(archive, folder)
    files = sorted(folder.glob(f"*.{kind}"))
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x20
        path.write_bytes(data)
    assert look(archive, folder) == truth
    for path in files:
        path.write_bytes(b"")
    assert look(archive, folder) == truth
    assert look(archive, folder) == truth


@pytest.mark.usefixtures("later")
def test_an_index_of_another_layer_under_this_name_is_not_used(archive: Path, folder: Path) -> None:
    truth = look(archive, folder)
    one, two = sorted(folder.glob("*.index"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert look(archive, folder) == truth


@pytest.mark.usefixtures("later")
def test_a_directory_that_others_can_write_to_is_not_used(archive: Path, folder: Path) -> None:
    look(archive, folder)
    os.chmod(folder, 0o770)
    cache = IndexCache(CacheDir(folder), least=0)
    with open_archive(archive, cache=cache) as opened:
        opened.image().scan()
    assert cache.folder.suspicious and "not used" in cache.problem
    os.chmod(folder, 0o700)
    for path in folder.iterdir():
        os.chmod(path, 0o666)
    assert CacheDir(folder).read(next(folder.iterdir()).name) is None


def test_the_anomalies_name_the_layer_of_this_image(tmp_path: Path, folder: Path) -> None:
    odd = forge.layer(forge.file("a", b"1"), trailing=b"\0" * 600 + b"tail")
    plain = forge.layer(forge.file("b", b"2"))
    first = forge.write(forge.image(odd), tmp_path / "1.tar")
    second = forge.write(forge.image(plain, odd), tmp_path / "2.tar")
    for path, index in ((first, 0), (second, 1)):
        with open_archive(path, cache=IndexCache(CacheDir(folder), least=0)) as opened:
            layer = opened.image().layers[index]
            assert [anomaly.where.layer for anomaly in layer.anomalies] == [index]


def test_a_library_call_with_a_path_uses_that_directory(archive: Path, folder: Path) -> None:
    with open_archive(archive, cache=folder) as opened:
        assert isinstance(opened, Archive) and opened.cache is not None
        assert opened.cache.folder.path == str(folder)
        opened.image().scan()
    assert not folder.exists(), "the layers are too small to be worth a file"


def test_an_image_with_a_cache_survives_pickling(archive: Path, folder: Path) -> None:
    with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        image = opened.image()
        image.process()
        heads = image.layers[0].content
        assert heads is not None
        again = pickle.loads(pickle.dumps(image.archive.cache))
        assert again.folder.path == str(folder) and again.least == 0


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("asked", ["a file", "a file, after the process"])
def test_the_first_run_reads_ahead_for_a_second_one_that_asks_for_something_else(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr("imagepeel.layers.pool.READ_AHEAD", 1)
    with open_archive(archive) as plain:
        truth = msgspec.to_builtins(plain.image().process())
    with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        if asked == "a file, after the process":
            opened.image().scan()
            assert msgspec.to_builtins(opened.image().process()) == truth
        opened.image().rootfs.read("/bin/tool", 30_000, 1_000)
    spy = Spy(monkeypatch)
    with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        image = opened.image()
        layer = image.layers[0]
        tool = next(entry for entry in layer.entries if entry.path == b"/bin/tool")
        kept = opened.cache.small_reads(layer.facts) if opened.cache is not None and layer.facts is not None else None
        assert kept is not None and kept.get(tool.data_offset + 30_000, 1_000) is None, "what the first run read itself"
        assert msgspec.to_builtins(image.process()) == truth
        assert image.rootfs.read("/etc/passwd") == b"root:x:0:0::/:/bin/sh\n"
        assert image.rootfs.read("/etc/motd") == b"hi\n"
        assert (spy.scans, spy.hashes, spy.inflated) == (0, 0, 0)


@pytest.mark.usefixtures("later")
def test_reading_ahead_never_spoils_a_result(archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagepeel.layers.pool.READ_AHEAD", 1)
    monkeypatch.setattr(Image, "process", lambda self: 1 / 0)
    with open_archive(archive, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        opened.image().scan()
    assert list(folder.glob("*.index"))


def test_reads_of_a_layer_from_the_cache_leave_points_to_start_from(tmp_path: Path, folder: Path) -> None:
    noise = random.Random(4).randbytes(1_000_000)
    files = [forge.file(f"f{n:02}", noise[n:] + noise[:n]) for n in range(20)]
    path = forge.write(forge.image(forge.layer(*files)), tmp_path / "big.tar", kind="oci-archive", compression="gzip")
    with open_archive(path, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        opened.image().scan()
    with open_archive(path, cache=IndexCache(CacheDir(folder), least=0)) as opened:
        layer = opened.image().layers[0]
        assert layer.facts is not None and layer.facts.access == ()
        assert layer.open(19).read() == noise[19:] + noise[:19]
        assert len(layer.content._access) >= 4
        order = list(range(20))
        random.Random(5).shuffle(order)
        for n in order:
            assert layer.open(n).read() == noise[n:] + noise[:n]


# ---- the directory --------------------------------------------------------------------------------------------


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_path() == str(tmp_path / "x" / "imagepeel")
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert default_path() == str(tmp_path / ".cache" / "imagepeel")


def test_without_a_home_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    cache = CacheDir()
    assert cache.problem and not cache.suspicious
    assert not cache.write("a.index", b"1") and cache.read("a.index") is None
    assert list(tmp_path.iterdir()) == []


def test_the_directory_stays_small_and_what_was_used_last_stays(folder: Path) -> None:
    cache = CacheDir(folder, most=2500)
    for number in range(3):
        assert cache.write(f"f{number}.index", bytes(800))
        os.utime(folder / f"f{number}.index", (number, number))
    assert cache.read("f0.index") == bytes(800)
    assert cache.write("f3.index", bytes(800))
    assert {file.name for file in cache.files()} == {"f0.index", "f2.index", "f3.index"}
    assert not cache.write("huge.index", bytes(3000))


def test_clearing_removes_cache_files_and_nothing_else(folder: Path) -> None:
    cache = CacheDir(folder)
    assert cache.write("a.index", b"12345") and cache.write("b.heads", b"1")
    (folder / "notes.txt").write_text("mine")
    assert cache.clear() == (2, 6)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert CacheDir(folder / "absent").clear() == (0, 0)


def test_links_in_the_directory_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    cache = CacheDir(folder)
    assert cache.write("a.index", b"data")
    (tmp_path / "outside").write_bytes(b"secret")
    (folder / "b.index").symlink_to(tmp_path / "outside")
    assert cache.read("b.index") is None
    assert cache.write("b.index", b"new")
    assert (tmp_path / "outside").read_bytes() == b"secret" and cache.read("b.index") == b"new"
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert CacheDir(link).read("a.index") is None
    os.mkfifo(folder / "c.index")
    assert cache.read("c.index") is None


# ---- pieces of files -------------------------------------------------------------------------------------------


def test_pieces_join_and_answer_like_the_bytes_they_came_from() -> None:
    rng = random.Random(9)
    content = rng.randbytes(5000)
    heads = SmallReads(Budget(100_000))
    for _ in range(400):
        at, count = rng.randrange(5000), rng.randrange(1, 60)
        if rng.random() < 0.5:
            heads.put(at, content[at : at + count])
        else:
            found = heads.get(at, count)
            assert found is None or (found == content[at : at + count] and len(found) == count)
    pieces = heads.pieces()
    for (at, data), (following, _) in itertools.pairwise(pieces):
        assert at + len(data) < following
    assert all(content[at : at + len(data)] == data for at, data in pieces)


def test_pieces_stay_within_their_budget() -> None:
    budget = Budget(100)
    heads = SmallReads(budget)
    heads.put(0, bytes(60))
    heads.put(1000, bytes(60))
    assert heads.get(0, 60) is not None and heads.get(1000, 60) is None
    heads.put(30, bytes(70))
    assert heads.get(0, 100) is not None and budget.left == 0
    assert SMALL_READS <= 4 * 1024 * 1024


def test_an_index_is_written_and_read_column_by_column(tmp_path: Path) -> None:
    # Held whole beside the table, it doubles the memory of a large layer.
    scan = scanned(entries=[forge.file(f"f{n}", b"") for n in range(20_000)])
    folder = CacheDir(tmp_path / "cache")
    tracemalloc.start()
    try:
        assert folder.write("layer-0.index", *index_codec.encode(scan, DEFAULT))
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        file = folder.open("layer-0.index")
        assert file is not None
        with file:
            again, _ = index_codec.decode(file, DEFAULT)
        held, peak = (number - before for number in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    size = (tmp_path / "cache" / "layer-0.index").stat().st_size
    assert size > 700_000 and facts(again.table)[-1] == facts(scan.table)[-1]
    assert written < size / 2
    assert peak < held + size / 2
