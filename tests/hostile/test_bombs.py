"""Bombs cost bounded memory: each runs in a process of its own, whose peak is compared with that of a small image."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import zstandard

from imagepeel import forge

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")

MIB = 1 << 20
RUN = """
import sys, imagepeel
from imagepeel.errors import ImagepeelError
outcome = "read"
try:
    with imagepeel.open(sys.argv[1]) as archive:
        for image in archive.images():
            image.scan()
            for path, node in image.rootfs.walk():
                if node.is_file:
                    image.rootfs.open(node).read(4096)
            image.process()
            bad = [a.code for a in image.anomalies if a.fatal]
            outcome = bad[0] if bad else outcome
except ImagepeelError as error:
    outcome = error.code
# VmHWM and not ru_maxrss: that one starts at the size of the process that forked this one.
with open("/proc/self/status") as status:
    print(outcome, next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def peak(path: Path) -> tuple[str, int]:
    """Return (outcome, peak KiB) of reading an archive with the default limits."""
    done = subprocess.run([sys.executable, "-c", RUN, str(path)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    outcome, kib = done.stdout.split()
    return outcome, int(kib)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> int:
    path = tmp_path_factory.mktemp("bombs") / "hello.tar"
    forge.write(forge.build("hello"), path, "oci-archive")
    return peak(path)[1]


def image_of(tmp_path: Path, layer: forge.LayerSpec) -> Path:
    path = tmp_path / "bomb.tar"
    forge.write(forge.image(layer, entrypoint=["/x"]), path, "oci-archive")
    return path


def big_member(size: int) -> bytes:
    return forge.header(name=b"zeros", size=size)


def test_a_gigabyte_of_zeros_in_gzip(tmp_path: Path, ordinary: int) -> None:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=1) as stream:
        stream.write(big_member(1 << 30))
        for _ in range(1024):
            stream.write(bytes(MIB))
        stream.write(bytes(1024))
    outcome, kib = peak(image_of(tmp_path, forge.layer(blob=out.getvalue(), compression="gzip")))
    assert outcome == "read"
    assert kib < ordinary + 64 * 1024


def test_zstd_blocks_that_repeat_one_byte(tmp_path: Path, ordinary: int) -> None:
    # RLE blocks: four stored bytes for 128 KiB of content, 32768:1.
    head = big_member((1 << 30) - 512)
    rle = ((128 * 1024) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    raw = (len(head) << 3).to_bytes(3, "little") + head
    last = (1).to_bytes(3, "little")
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0x50]) + raw + rle * 8191 + last
    assert zstandard.ZstdDecompressor().stream_reader(frame).read(600)[:5] == b"zeros"
    outcome, kib = peak(image_of(tmp_path, forge.layer(blob=frame, compression="zstd")))
    assert outcome in ("limit-exceeded", "tar-damaged")
    assert kib < ordinary + 64 * 1024


def test_extension_headers_that_claim_a_gigabyte(tmp_path: Path, ordinary: int) -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        tar = forge.header(name=b"x", typeflag=kind, size=1 << 30) + bytes(8 * MIB)
        outcome, kib = peak(image_of(tmp_path, forge.layer(tar=tar)))
        assert outcome == "tar-damaged"
        assert kib < ordinary + 64 * 1024


def test_a_sparse_file_of_sixty_gigabytes(tmp_path: Path, ordinary: int) -> None:
    entry = forge.sparse(b"s", ((0, b"x"), (60 << 30, b"y")), (60 << 30) + 1)
    outcome, kib = peak(image_of(tmp_path, forge.layer(entry)))
    assert outcome == "read"
    assert kib < ordinary + 64 * 1024


def test_a_sparse_map_of_very_many_regions(tmp_path: Path, ordinary: int) -> None:
    body = forge.pax_body(
        (
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.realsize", b"99999999999"),
            (b"GNU.sparse.name", b"s"),
        )
    )
    tar = forge.header(name=b"x", typeflag=b"x", size=len(body)) + body.ljust(512, b"\0")
    tar += forge.header(name=b"s", size=64 * MIB) + b"9999999\n" + b"0\n" * (32 * MIB)
    outcome, kib = peak(image_of(tmp_path, forge.layer(tar=tar, compression="gzip")))
    assert outcome == "tar-damaged"
    assert kib < ordinary + 64 * 1024


def test_names_that_imply_very_many_directories(tmp_path: Path, ordinary: int) -> None:
    entries = [forge.file(f"{n}/" + "d/" * 1000 + "f", b"") for n in range(3000)]
    outcome, kib = peak(image_of(tmp_path, forge.layer(*entries, compression="gzip")))
    assert outcome == "limit-exceeded"
    assert kib < ordinary + 512 * 1024


@pytest.mark.parametrize("depth", (100, 100_000))
def test_nested_json(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.tar"
    manifest = b'[{"Config":"c.json","Layers":[],"RepoTags":' + b"[" * depth + b"]" * depth + b"}]"
    with tarfile.open(path, "w") as tar:
        for name, data in (("manifest.json", manifest), ("c.json", b"{}")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    outcome, _ = peak(path)
    assert outcome in ("limit-exceeded", "malformed")


def test_a_document_of_thirty_megabytes(tmp_path: Path, ordinary: int) -> None:
    path = tmp_path / "large.tar"
    data = json.dumps([{"Config": "c.json", "Layers": [], "RepoTags": ["x" * 30_000_000]}]).encode()
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    outcome, kib = peak(path)
    assert outcome == "limit-exceeded"
    assert kib < ordinary + 64 * 1024


def test_an_archive_in_an_archive_of_zeros(tmp_path: Path, ordinary: int) -> None:
    path = tmp_path / "outer.tar.gz"
    path.write_bytes(gzip.compress(gzip.compress(bytes(512 * MIB), mtime=0), mtime=0))
    outcome, kib = peak(path)
    # Two layers of compression come off; what is left is a valid, empty tar.
    assert outcome in ("read", "not-an-image", "limit-exceeded")
    assert kib < ordinary + 64 * 1024
