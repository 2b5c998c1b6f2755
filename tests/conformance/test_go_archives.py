"""Go's own test archives, kept by tar-split: what reader_test.go of archive/tar expects of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagepeel.formats.tar.scanner import scan

FOLDER = Path(__file__).parents[2] / ".." / "shared" / "images" / "vbatts+tar-split" / "archive" / "tar" / "testdata"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared images are not beside this checkout"),
]

REFUSED = (
    "issue10968.tar",
    "issue11169.tar",
    "issue12435.tar",
    "neg-size.tar",
    "pax-bad-hdr-file.tar",
    "pax-bad-mtime-file.tar",
    "pax-nul-path.tar",
    "pax-nul-xattrs.tar",
    "writer-big.tar",
    "writer-big-long.tar",
)

# name, size, mode, uid, gid, mtime, type as reader_test.go states them; None where it does not.
HEADERS: dict[str, list[tuple[bytes, int, int | None, int | None, int | None, int | None, bytes]]] = {
    "gnu.tar": [
        (b"small.txt", 5, 0o640, 73025, 5000, 1244428340, b"0"),
        (b"small2.txt", 11, 0o640, 73025, 5000, 1244436044, b"0"),
    ],
    "star.tar": [
        (b"small.txt", 5, 0o640, 73025, 5000, 1244592783, b"0"),
        (b"small2.txt", 11, 0o640, 73025, 5000, 1244592783, b"0"),
    ],
    "v7.tar": [
        (b"small.txt", 5, 0o444, 73025, 5000, 1244593104, b"0"),
        (b"small2.txt", 11, 0o444, 73025, 5000, 1244593104, b"0"),
    ],
    "sparse-formats.tar": [
        (b"sparse-gnu", 200, 0o644, 1000, 1000, 1392395740, b"S"),
        (b"sparse-posix-0.0", 200, 0o644, 1000, 1000, 1392342187, b"0"),
        (b"sparse-posix-0.1", 200, 0o644, 1000, 1000, 1392340456, b"0"),
        (b"sparse-posix-1.0", 200, 0o644, 1000, 1000, 1392337404, b"0"),
        (b"end", 4, 0o644, 1000, 1000, 1392398319, b"0"),
    ],
    "pax-pos-size-file.tar": [(b"foo", 999, 0o640, 319973, 5000, 1442282516, b"0")],
    "gnu-multi-hdrs.tar": [(b"GNU2/GNU2/long-path-name", 0, None, None, None, 0, b"2")],
    "trailing-slash.tar": [(b"123456789/" * 30, 0, None, None, None, 0, b"5")],
    "gnu-not-utf8.tar": [(b"hi\x80\x81\x82\x83bye", 0, 0o644, 1000, 1000, 0, b"0")],
    "gnu-long-nul.tar": [(b"0123456789", 0, 0o644, 1000, 1000, 1486082191, b"0")],
    "gnu-incremental.tar": [
        (b"test2/", 14, 0o755, 1000, 1000, 1441973427, b"D"),
        (b"test2/foo", 64, 0o644, 1000, 1000, 1441973363, b"0"),
        (b"test2/sparse", 536870912, 0o644, 1000, 1000, 1441973427, b"S"),
    ],
    "pax-nil-sparse-data.tar": [(b"sparse.db", 1000, None, None, None, 0, b"0")],
    "pax-nil-sparse-hole.tar": [(b"sparse.db", 1000, None, None, None, 0, b"0")],
    "gnu-nil-sparse-data.tar": [(b"sparse.db", 1000, None, None, None, 0, b"S")],
    "gnu-nil-sparse-hole.tar": [(b"sparse.db", 1000, None, None, None, 0, b"S")],
    "file-and-dir.tar": [(b"small.txt", 5, None, None, None, None, b"0"), (b"dir/", 0, None, None, None, None, b"5")],
}


@pytest.mark.parametrize("name", REFUSED)
def test_archives_that_go_refuses(name: str) -> None:
    result = scan((FOLDER / name).read_bytes())
    assert result.error is not None and result.error.fatal
    assert result.error.where.layer_offset is not None


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_headers_are_those_that_go_reads(name: str) -> None:
    result = scan((FOLDER / name).read_bytes())
    assert result.error is None
    assert len(result.table) == len(HEADERS[name])
    for entry, (path, size, mode, uid, gid, mtime, kind) in zip(result.table, HEADERS[name], strict=True):
        assert (entry.raw_name, entry.size, entry.type) == (path, size, kind)
        assert mode is None or entry.mode == mode
        assert uid is None or (entry.uid, entry.gid) == (uid, gid)
        assert mtime is None or entry.mtime[0] == mtime


def test_the_sparse_files_of_all_formats_hold_the_same_bytes() -> None:
    data = (FOLDER / "sparse-formats.tar").read_bytes()
    contents = set()
    for entry in list(scan(data).table)[:4]:
        assert entry.sparse is not None
        content, at = bytearray(entry.size), entry.data_offset
        for offset, length in entry.sparse:
            content[offset : offset + length] = data[at : at + length]
            at += length
        contents.add(bytes(content))
    # reader_test.go: "Sparse format test files all contain the same data": one letter at every odd place.
    assert len(contents) == 1
    assert contents.pop().replace(b"\0", b"") != b""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*")) if FOLDER.is_dir() else [], ids=lambda path: path.name)
def test_no_archive_surprises_the_scanner(path: Path) -> None:
    if path.stat().st_size < 4 << 20 and path.is_file():
        result = scan(path.read_bytes())
        assert result.error is None or result.error.fatal
