"""Archives that are opened from file objects, and what reading says after the archive was closed."""

from __future__ import annotations

import gzip
import io
import threading
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.archive.opened import open_archive
from imagepeel.archive.source import ObjectSource, source_of
from imagepeel.errors import LimitExceeded, Malformed, UsageError
from imagepeel.limits import DEFAULT, Limits

DATA = forge.to_bytes(forge.build("hello"), "oci-archive")


class Dripping(io.RawIOBase):
    """A seekable raw file that returns at most seven bytes a call."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        data = self.inner.read(min(7, len(buffer)))
        buffer[: len(data)] = data
        return len(data)


class Pipe(io.RawIOBase):
    """A stream that cannot seek, and is nothing but what it must be."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.inner.readinto(buffer)


def test_every_kind_of_file_object_gives_what_the_path_gives(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(DATA)
    (tmp_path / "image.tar.gz").write_bytes(gzip.compress(DATA))
    with open_archive(path) as archive:
        expected = [(record.digest, record.image_id, record.tags) for record in archive.records]
    assert expected[0][0] is not None
    with path.open("rb") as whole, gzip.open(tmp_path / "image.tar.gz") as inflated:
        whole.seek(100)  # where it stands is of no account
        for file in (io.BytesIO(DATA), Dripping(DATA), Pipe(DATA), whole, inflated):
            with open_archive(file) as archive:
                found = [(record.digest, record.image_id, record.tags) for record in archive.records]
                assert found == expected
                assert archive.name == (str(path) if file is whole else "memory")
            assert not file.closed, "the file belongs to the caller"


def test_layers_are_read_out_of_a_file_object_by_several_threads() -> None:
    spec = forge.build("shop")
    with imagepeel.open(io.BytesIO(forge.to_bytes(spec, "oci-archive"))) as archive:  # type: ignore[arg-type]
        image = archive.image()
        assert all(layer.verified for layer in image.layers)
    source = ObjectSource(io.BytesIO(bytes(range(256)) * 4096), "memory")
    wrong: list[int] = []

    def read(start: int) -> None:
        for offset in range(start, source.size - 512, 5000):
            data = source.pread(offset, 512)
            if data != bytes((offset + i) % 256 for i in range(512)):
                wrong.append(offset)

    threads = [threading.Thread(target=read, args=(start,)) for start in (0, 77, 1234)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_no_readable_file_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(DATA)
    with path.open() as text, pytest.raises(UsageError, match="open as text"):
        open_archive(text)  # type: ignore[arg-type]
    gone = path.open("rb")
    gone.close()
    with pytest.raises(UsageError, match="is closed"):
        open_archive(gone)
    with pytest.raises(TypeError, match=r"not bytes \(io\.BytesIO"):
        open_archive(DATA)  # type: ignore[arg-type]
    with pytest.raises(LimitExceeded):
        source_of(Pipe(DATA), Limits(spool_bytes=1000))


def test_a_file_that_shrinks_is_an_error_and_no_short_read() -> None:
    file = io.BytesIO(b"x" * 1000)
    source = ObjectSource(file, "memory")
    file.truncate(500)
    assert source.pread(0, 400) == b"x" * 400
    with pytest.raises(Malformed, match="shorter"):
        source.pread(400, 400)
    assert source.pread(1000, 10) == b""


@pytest.mark.parametrize("way", ["path", "directory", "file object", "stream"])
def test_reading_after_close_says_that_the_archive_is_closed(way: str, tmp_path: Path) -> None:
    spec = forge.build("hello")
    path = tmp_path / "image"
    forge.write(spec, path, "oci-dir" if way == "directory" else "oci-archive")
    file = Pipe(DATA) if way == "stream" else io.BytesIO(DATA)
    what = path if way in ("path", "directory") else file
    with imagepeel.open(what) as archive:  # type: ignore[arg-type]
        image = archive.image()
        members = list(archive.members)
    with pytest.raises(UsageError, match="is closed"):
        image.layers[0].content_size  # noqa: B018
    with pytest.raises(UsageError, match="is closed"):
        archive.members.read(next(m for m in members if m.kind == "file"), DEFAULT.json_bytes)


def test_files_that_were_taken_from_a_directory_are_closed_with_it_or_when_nobody_has_them(tmp_path: Path) -> None:
    forge.write(forge.build("shop"), tmp_path / "shop", "oci-dir", compression="gzip")
    held = Path("/proc/self/fd")
    if not held.exists():
        pytest.skip("this system does not list the open files of a process")
    before = len(list(held.iterdir()))
    with imagepeel.open(tmp_path / "shop") as archive:
        layer = archive.image().layers[0]
        content = layer.content
        member = next(one for one in archive.members if one.kind == "file")
        for _ in range(20):
            archive.members.source(member)
        assert len(list(held.iterdir())) < before + 20
    assert len(list(held.iterdir())) == before
    with pytest.raises(UsageError, match="is closed"):
        layer.record.source()
    assert content is not None


def test_a_caller_who_closes_the_file_first_is_told_so() -> None:
    file = io.BytesIO(DATA)
    with imagepeel.open(file) as archive:  # type: ignore[arg-type]
        file.close()
        with pytest.raises(UsageError, match="the archive is closed"):
            archive.image().scan()
