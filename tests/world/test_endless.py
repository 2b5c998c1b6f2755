"""Inputs that never end, come one byte at a time, or change while they are read."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import ImagepeelError
from imagepeel.export.extract import MARKER, materialize

Make = Callable[..., Path]
MiB = 1 << 20


def bounded() -> None:
    """A file of more than 1 MiB is an error of the kernel; a spool would meet it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MiB + 1, MiB + 1))


def layers(word: str, *, stdin: int | None = None) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, "-m", "imagepeel", "layers", word]
    return subprocess.run(words, stdin=stdin, capture_output=True, timeout=300, preexec_fn=bounded, check=False)


def three_lines(done: subprocess.CompletedProcess[bytes]) -> bytes:
    lines = done.stderr.splitlines()
    assert [line.split(b":")[0] for line in lines] == [b"error", b"where", b"try"], done.stderr
    assert done.stdout == b""
    return lines[0]


@pytest.mark.parametrize(
    ("source", "words"), [("/dev/zero", b"1,048,576 bytes of zeros"), ("/dev/urandom", b"no format known here")]
)
def test_a_device_without_end_on_standard_input(source: str, words: bytes, empty_tmp: Path) -> None:
    with open(source, "rb") as stream:
        done = layers("-", stdin=stream.fileno())
    assert words in three_lines(done).replace(b"1048576", b"1,048,576") or source == "/dev/urandom"
    assert done.returncode == 10
    assert b"temporary file" not in done.stderr


@pytest.mark.parametrize("text", ["y\n", "{", "<html>", "PK\x03\x04"])
def test_a_program_that_never_stops_writing(text: str, empty_tmp: Path) -> None:
    program = f"import os\nwhile True: os.write(1, {text.encode('latin-1')!r} * 4096)\n"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdout is not None
        done = layers("-", stdin=writer.stdout.fileno())
        writer.stdout.close()
    three_lines(done)
    assert done.returncode == 10


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/urandom", "fifo"])
def test_a_path_that_is_no_file_is_not_read(name: str, tmp_path: Path, empty_tmp: Path) -> None:
    path = name
    if name == "fifo":
        path = str(tmp_path / "fifo")
        os.mkfifo(path)
    done = layers(path)
    assert b"is not a regular file" in three_lines(done)
    assert done.returncode == 10


class OneByte(io.RawIOBase):
    """A file that gives one byte a call."""

    def __init__(self, data: bytes, *, seeks: bool) -> None:
        self.inner = io.BytesIO(data)
        self.seeks = seeks

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(1) if size else b""

    def seekable(self) -> bool:
        return self.seeks

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)

    def tell(self) -> int:
        return self.inner.tell()


@pytest.mark.parametrize("seeks", [True, False], ids=["seekable", "a stream"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_one_byte_a_read(seeks: bool, compression: str, forge_archive: Make) -> None:
    data = forge_archive("hello", kind="oci-archive", compression=compression).read_bytes()
    found = []
    for what in (io.BytesIO(data), OneByte(data, seeks=seeks)):
        with imagepeel.open(what) as archive:
            image = archive.image()
            image.scan()
            found.append([(layer.facts.diff_id, layer.facts.blob_digest) for layer in image.layers])
    assert found[0] == found[1]


def large(path: Path) -> bytes:
    noise = os.urandom(3 * MiB)
    forge.write(forge.image(forge.layer(forge.file("a", noise), forge.file("b", noise[::-1])), cmd=["/a"]), path)
    return path.read_bytes()


@pytest.mark.parametrize("keep", [0, 1, 700, 100_000, 4 * MiB])
@pytest.mark.parametrize("scanned", [True, False], ids=["after the scan", "before it"])
def test_an_archive_that_shrinks_while_it_is_read(keep: int, scanned: bool, tmp_path: Path) -> None:
    path, out = tmp_path / "image.tar", tmp_path / "out"
    large(path)
    with imagepeel.open(path) as archive:
        image = archive.image()
        if scanned:
            image.scan()
        os.truncate(path, keep)
        with pytest.raises(ImagepeelError) as caught:
            image.scan()
            materialize(image.rootfs, out)
        assert caught.value.hint or caught.value.remedy
    assert not out.exists() or (out / os.fsdecode(MARKER)).exists() or not list(out.iterdir())


@pytest.mark.parametrize("scanned", [True, False], ids=["after the scan", "before it"])
def test_an_archive_that_grows_while_it_is_read(scanned: bool, tmp_path: Path) -> None:
    """What is added is behind the end that was there when it was opened: it changes no answer."""
    path = tmp_path / "image.tar"
    large(path)
    with imagepeel.open(path) as archive:
        truth = [layer.diff_id for layer in archive.image().layers]
    with imagepeel.open(path) as archive:
        image = archive.image()
        if scanned:
            image.scan()
        with open(path, "ab") as file:
            file.write(bytes(MiB) + os.urandom(MiB))
        assert [layer.diff_id for layer in image.layers] == truth
        assert all(layer.verified for layer in image.layers)


def test_an_archive_that_changes_after_it_was_verified(tmp_path: Path) -> None:
    path, out = tmp_path / "image.tar", tmp_path / "out"
    data = large(path)
    with imagepeel.open(path) as archive:
        image = archive.image()
        image.scan()
        with open(path, "r+b") as file:
            file.seek(len(data) // 2)
            file.write(bytes(200_000))
        with pytest.raises(ImagepeelError):
            materialize(image.rootfs, out)
    assert not out.exists() or (out / os.fsdecode(MARKER)).exists() or not list(out.iterdir())
