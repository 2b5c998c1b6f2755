"""The scanner against trees that GNU tar packed: what lstat said of the files is the truth."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from imagepeel.formats.tar.many_metas import ManyMetas
from imagepeel.formats.tar.metas import MOST_METAS
from imagepeel.formats.tar.scanner import TarScanner, scan
from imagepeel.formats.tar.table import Entry

GNU_TAR = shutil.which("tar")
pytestmark = pytest.mark.skipif(GNU_TAR is None, reason="GNU tar is not installed")
FORMATS = ("v7", "ustar", "gnu", "oldgnu", "posix")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "d" / "deep").mkdir(parents=True)
    (root / "d" / "empty").write_bytes(b"")
    (root / "d" / "one").write_bytes(b"1")
    (root / "d" / "block").write_bytes(b"x" * 512)
    (root / "d" / "more").write_bytes(os.urandom(70_000))
    (root / "d" / "deep" / "exec").write_bytes(b"#!/bin/sh\n")
    os.chmod(root / "d" / "deep" / "exec", 0o4751)
    os.chmod(root / "d" / "deep", 0o1777)
    os.symlink("../one", root / "d" / "deep" / "link")
    os.link(root / "d" / "one", root / "d" / "two")
    os.mkfifo(root / "d" / "pipe", 0o640)
    os.utime(root / "d" / "one", ns=(5, 1_600_000_000_123_456_789))
    return root


def pack(tree: Path, form: str, out: Path, *extra: str) -> bytes:
    command = ["tar", "--format", form, "--sort=name", *extra, "-cf", str(out), "-C", str(tree), "d"]
    done = subprocess.run(command, capture_output=True, text=True)
    # V7 has no FIFOs: GNU tar leaves them out, says so, and goes on.
    assert done.returncode == 0 or form == "v7", done.stderr
    return out.read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_fields_are_those_of_the_packed_files(tree: Path, tmp_path: Path, form: str) -> None:
    data = pack(tree, form, tmp_path / "t.tar")
    result = scan(data)
    assert result.error is None
    paths = set()
    for entry in result.table:
        path = os.fsdecode(entry.path)
        real = os.lstat(str(tree) + path)
        paths.add(path)
        assert entry.mode == stat.S_IMODE(real.st_mode) or entry.kind == "symlink"
        assert (entry.uid, entry.gid) == (real.st_uid, real.st_gid)
        assert entry.mtime[0] == real.st_mtime_ns // 10**9
        if form == "posix":
            assert entry.mtime[1] == real.st_mtime_ns % 10**9
        if entry.kind == "file":
            content = Path(str(tree) + path).read_bytes()
            assert data[entry.data_offset : entry.data_offset + entry.size] == content
    walked = {str(path)[len(str(tree)) :] for path in tree.rglob("*")}
    assert paths == walked or (form == "v7" and paths == walked - {"/d/pipe"})
    by_path = {entry.path: entry for entry in result.table}
    assert by_path[b"/d/deep/link"].link == b"../one"
    assert by_path[b"/d/two"].kind == "hardlink" and by_path[b"/d/two"].link == b"d/one"


@pytest.mark.parametrize("form", ("gnu", "posix"))
def test_names_longer_than_the_header(tmp_path: Path, form: str) -> None:
    directory = tmp_path / "src" / "d" / ("a" * 120) / ("b" * 200)
    directory.mkdir(parents=True)
    (directory / ("c" * 255)).write_bytes(b"long")
    os.symlink("t" * 300, directory / "l")
    result = scan(pack(tmp_path / "src", form, tmp_path / "t.tar"))
    assert result.error is None
    longest = max(result.table, key=lambda entry: len(entry.path))
    assert longest.path == b"/d/" + b"a" * 120 + b"/" + b"b" * 200 + b"/" + b"c" * 255
    assert next(entry for entry in result.table if entry.kind == "symlink").link == b"t" * 300


@pytest.mark.parametrize("form", ("gnu", "oldgnu", "posix"))
@pytest.mark.parametrize("version", ("0.0", "0.1", "1.0"))
def test_sparse_files_of_every_version(tmp_path: Path, form: str, version: str) -> None:
    source = tmp_path / "src" / "d"
    source.mkdir(parents=True)
    content = bytearray(3_000_000)
    with open(source / "sparse", "wb") as file:
        for at in (0, 1_048_576, 2_097_152, 2_990_080):
            file.seek(at)
            file.write(b"data at %d" % at)
            content[at : at + 30] = (b"data at %d" % at).ljust(30, b"\0")
        file.truncate(3_000_000)
    (source / "z-after").write_bytes(b"still found")
    data = pack(tmp_path / "src", form, tmp_path / "t.tar", "-S", f"--sparse-version={version}")
    result = scan(data)
    assert result.error is None
    by_name = {entry.name: entry for entry in result.table}
    sparse = by_name[b"sparse"]
    assert sparse.size == 3_000_000
    assert sparse.sparse is not None
    rebuilt = bytearray(sparse.size)
    at = sparse.data_offset
    for offset, length in sparse.sparse:
        rebuilt[offset : offset + length] = data[at : at + length]
        at += length
    assert bytes(rebuilt) == (source / "sparse").read_bytes()
    after = by_name[b"z-after"]
    assert data[after.data_offset : after.data_offset + after.size] == b"still found"


@pytest.mark.parametrize("digests", (False, True))
@pytest.mark.parametrize("form", FORMATS)
def test_pieces_of_any_size_give_the_same_table(tree: Path, tmp_path: Path, form: str, digests: bool) -> None:
    data = pack(tree, form, tmp_path / "t.tar")
    whole = scan(data, digests=digests)
    expected = [_shown(entry) for entry in whole.table]
    for step in (1, 3, 511, 512, 513, 4096, 40_000):
        scanner = TarScanner(digests=digests)
        for at in range(0, len(data), step):
            scanner.feed(data[at : at + step])
        scanner.finish()
        assert [_shown(entry) for entry in scanner.table] == expected
        assert scanner.tail == whole.tail and scanner.error is None


def _shown(entry: Entry) -> tuple[object, ...]:
    return (entry.raw_name, entry.header_offset, entry.data_offset, entry.size, entry.mtime, entry.crc32, entry.sha256)


def test_checksums_are_those_of_the_content(tree: Path, tmp_path: Path) -> None:
    import hashlib
    import zlib

    result = scan(pack(tree, "gnu", tmp_path / "t.tar"), digests=True)
    seen = 0
    for entry in result.table:
        if entry.kind == "file" and entry.size:
            content = Path(str(tree) + os.fsdecode(entry.path)).read_bytes()
            assert entry.crc32 == zlib.crc32(content)
            assert entry.sha256 == hashlib.sha256(content).hexdigest()
            seen += 1
    assert seen >= 4


def test_offsets_agree_with_tarfile(tree: Path, tmp_path: Path) -> None:
    pack(tree, "posix", tmp_path / "t.tar")
    with tarfile.open(tmp_path / "t.tar") as reference:
        members = reference.getmembers()
    table = scan((tmp_path / "t.tar").read_bytes()).table
    assert [entry.data_offset for entry in table] == [member.offset_data for member in members]
    assert [os.fsdecode(entry.raw_name).rstrip("/") for entry in table] == [member.name for member in members]


def test_entries_of_a_header_are_found_among_many_headers_as_tarfile_has_them(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for number in range(21_000):
            info = tarfile.TarInfo("./" if number in (7, 20_500) else f"{number}")
            info.uid = number % 700  # more headers than a byte has values
            info.type = tarfile.DIRTYPE if number % 50 == 7 or info.name == "./" else tarfile.REGTYPE
            tar.addfile(info)
    with tarfile.open(tmp_path / "t.tar") as reference:
        members = reference.getmembers()
    table = scan((tmp_path / "t.tar").read_bytes()).table
    assert len(table.metas) > 256
    directories = [i for i, member in enumerate(members) if member.isdir()]
    assert list(table.headed([meta.type == tarfile.DIRTYPE for meta in table.metas])) == directories
    assert list(table.headed([True] * len(table.metas))) == list(range(len(members)))
    assert list(table.headed([False] * len(table.metas))) == []
    for run in (range(len(members)), range(50, 90)):
        assert table.types_in(run, list(table.types())) == Counter(members[i].type for i in run)
    assert list(table.roots()) == [i for i, member in enumerate(members) if member.name == "."] == [7, 20_500]


def test_few_headers_are_counted_as_tarfile_has_them(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for number in range(600):
            info = tarfile.TarInfo(f"d/{number}")
            info.type, info.linkname = ((tarfile.REGTYPE, ""), (tarfile.SYMTYPE, "x"))[number % 3 == 1]
            tar.addfile(info)
    with tarfile.open(tmp_path / "t.tar") as reference:
        members = reference.getmembers()
    table = scan((tmp_path / "t.tar").read_bytes()).table
    for run in (range(600), range(1, 599), range(1, 2), range(0)):
        found = table.types_in(run, list(table.types()))
        assert list(found.items()) == list(Counter(members[i].type for i in run).items())


def test_entries_that_share_nothing_are_as_tarfile_has_them(tmp_path: Path) -> None:
    count = MOST_METAS + 500
    with tarfile.open(tmp_path / "t.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(count):
            info = tarfile.TarInfo(f"d/{number}")
            info.uid, info.gid, info.mode = number, count - number, number & 0o7777
            info.uname, info.gname = f"u{number % 3000}", "" if number % 7 else "staff"
            if number % 11 == 3:
                info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, number % 200, number % 100
            tar.addfile(info)
        tar.addfile(info)
    with tarfile.open(tmp_path / "t.tar") as reference:
        members = reference.getmembers()
    table = scan((tmp_path / "t.tar").read_bytes()).table
    assert isinstance(table.metas, ManyMetas)
    assert len(table) == len(members)
    for i, member in enumerate(members):
        meta = table.meta(i)
        assert (meta.type, meta.mode, meta.uid, meta.gid) == (member.type, member.mode, member.uid, member.gid)
        assert (meta.uname.decode(), meta.gname.decode()) == (member.uname, member.gname)
        if member.ischr():
            assert (meta.major, meta.minor) == (member.devmajor, member.devminor)
    assert table.meta_ids[-1] == table.meta_ids[-2]
    assert list(table.types()) == [meta.type for meta in table.metas] == [meta.type for meta in table.metas[:]]
    assert table.metas[-1] == table.metas[len(table.metas) - 1]
    with pytest.raises(IndexError):
        table.metas[len(table.metas)]
