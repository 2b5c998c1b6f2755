from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.archive.source import FileSource, MemorySource
from imagepeel.archive.sparse_members import Sparse, SparseSource
from imagepeel.archive.tar_members import TarMembers
from imagepeel.limits import DEFAULT, Limits


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not on PATH")
@pytest.mark.parametrize(
    "form", [["--format=gnu"], *(["--format=pax", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0"))]
)
def test_members_that_gnu_tar_stored_without_holes_are_whole(tmp_path: Path, form: list[str]) -> None:
    content = bytes(300_000) + b"middle" + bytes(500_000) + b"end" * 2000
    with open(tmp_path / "layer.tar", "wb") as file:
        for at in range(0, len(content), 4096):
            piece = content[at : at + 4096]
            if piece.strip(b"\0"):
                file.seek(at)
                file.write(piece)
    (tmp_path / "after").write_bytes(b"after")
    subprocess.run(["tar", *form, "--sparse", "-cf", "a.tar", "layer.tar", "after"], cwd=tmp_path, check=True)
    with open(tmp_path / "a.tar", "rb") as file:
        if len(file.read()) > len(content):
            pytest.skip("this file system does not report holes")
    found = TarMembers(FileSource.open(tmp_path / "a.tar"), DEFAULT)
    member = found.file("layer.tar")
    assert member is not None
    assert found.names == ("layer.tar", "after")
    assert found.read(member, 1 << 24) == content
    assert [anomaly.code for anomaly in found.anomalies] == ["outer-sparse"]
    small = TarMembers(FileSource.open(tmp_path / "a.tar"), Limits(ratio_floor=1000))
    assert [anomaly.code for anomaly in small.anomalies] in (["outer-sparse"], ["outer-bad-sparse"])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6), st.integers(0, 9), st.data())
def test_any_part_of_a_sparse_file_is_what_the_whole_holds(
    gaps: list[tuple[int, int]], tail: int, data: st.DataObject
) -> None:
    whole, stored, regions = b"", b"", []
    for hole, length in gaps:
        piece = bytes(range(1, length + 1))
        whole += bytes(hole)
        regions.append((len(whole), length))
        whole, stored = whole + piece, stored + piece
    whole += bytes(tail)
    source = SparseSource(MemorySource(b"##" + stored), Sparse(size=len(whole), offset=2, regions=tuple(regions)), "s")
    offset, count = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole) + 5))
    assert source.pread(offset, count) == whole[offset : offset + count]
    assert source.size == len(whole)
