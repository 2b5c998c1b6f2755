"""Layers that skopeo writes as zstd:chunked, and eStargz layers by the letter of its specification, read in parts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

import imagepeel
from estargz import TOC_DIGEST, estargz, footer
from imagepeel.archive.source import MemorySource
from imagepeel.errors import LimitExceeded, Malformed, Unsupported
from imagepeel.layers.content import EntryFile, LayerContent
from imagepeel.layers.layer_scan import LayerScan
from imagepeel.layers.listed import ListedContent
from imagepeel.layers.scan import scan_layer
from imagepeel.limits import DEFAULT

NOISE = os.urandom(3 << 20)
FILES = {"a": b"first", "big": NOISE, "z": b"last"}


class Counted(MemorySource):
    """Bytes elsewhere, and how many of them were asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.in_parts = True
        self.read = 0

    def pread(self, offset: int, count: int) -> bytes:
        data = super().pread(offset, count)
        self.read += len(data)
        return data


def tar(files: Mapping[str, bytes] = FILES) -> tuple[bytes, dict[str, int]]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, data in files.items():
            one = tarfile.TarInfo(name)
            one.size = len(data)
            made.addfile(one, io.BytesIO(data))
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as read:
        return out.getvalue(), {one.name: one.offset_data for one in read}


def cheating(cheat: int) -> tuple[bytes, dict[str, str]]:
    """One file in chunks of 1 MiB, whose later ones are said to stand elsewhere in the file."""
    blob, notes, _ = estargz(tar()[0], chunk=1 << 20, change=lambda row: _moved(row, cheat))
    return blob, notes


def _moved(row: dict[str, Any], cheat: int) -> None:
    if row["type"] == "chunk":
        row["chunkOffset"] += cheat


def chunked(tmp: Path, data: bytes = b"") -> tuple[bytes, Mapping[str, str]]:
    (tmp / "in").mkdir()
    data = data or tar()[0]
    (tmp / "in" / "layer.tar").write_bytes(data)
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest()]}})
    (tmp / "in" / "config.json").write_text(config)
    listed = [{"Config": "config.json", "Layers": ["layer.tar"], "RepoTags": ["x:1"]}]
    (tmp / "in" / "manifest.json").write_text(json.dumps(listed))
    subprocess.run(
        ["tar", "-C", tmp / "in", "-cf", tmp / "x.tar", "manifest.json", "config.json", "layer.tar"], check=True
    )
    words = ["skopeo", "copy", "--dest-compress-format", "zstd:chunked", "--dest-compress"]
    subprocess.run([*words, f"docker-archive:{tmp}/x.tar", f"oci:{tmp}/out:x"], check=True, capture_output=True)
    blobs = tmp / "out" / "blobs" / "sha256"
    top = json.loads((tmp / "out" / "index.json").read_text())["manifests"][0]["digest"]
    layer = json.loads((blobs / top.partition(":")[2]).read_text())["layers"][0]
    return (blobs / layer["digest"].partition(":")[2]).read_bytes(), layer.get("annotations", {})


def check(blob: bytes, notes: Mapping[str, str], *, least: int) -> LayerScan:
    """Names and places are those that Python's tarfile reads of the whole tar, and so is the content."""
    source = Counted(blob)
    scan = scan_layer(source, DEFAULT, layer=0, verify=False, notes=notes)
    assert scan.error is None and scan.unread >= least and source.read < len(blob) - least + 4096
    assert scan.blob_digest is None and scan.diff_id is None
    listed = {one.path.decode()[1:]: one.data_offset for one in scan.table if one.name != b"stargz.index.json"}
    assert listed == tar()[1]
    content = LayerContent(source, scan.compression, scan.access, DEFAULT, layer=0)
    for name, data in FILES.items():
        assert content.pread(listed[name], len(data)) == data
    return scan


def test_estargz() -> None:
    blob, notes, _ = estargz(tar()[0], chunk=1 << 20)
    check(blob, notes, least=2 << 20)
    check(blob, {}, least=2 << 20)
    check(_stargz(blob), {}, least=2 << 20)


def test_zstd_chunked_of_skopeo(tmp_path: Path) -> None:
    blob, notes = chunked(tmp_path)
    if not any(name.endswith("manifest-position") for name in notes):
        pytest.fail(f"skopeo tells no table: {notes}")
    check(blob, notes, least=2 << 20)
    check(blob, {}, least=2 << 20)
    with imagepeel.open(tmp_path / "out") as archive:
        assert [layer.record.label for layer in archive.image().layers] == ["zstd:chunked"]


@pytest.mark.parametrize("cheat", [-1, 1, 1 << 19, 1 << 52, -(1 << 52), 1 << 70])
def test_a_table_that_lies_is_not_followed(cheat: int) -> None:
    blob, notes = cheating(cheat)
    scan = scan_layer(Counted(blob), DEFAULT, layer=0, verify=False, notes=notes)
    assert scan.error is None and scan.unread == 0
    assert {one.path.decode()[1:]: one.data_offset for one in scan.table if one.path[1:].decode() in FILES} == tar()[1]


def test_a_table_with_another_digest_is_not_followed() -> None:
    blob, *_ = estargz(tar()[0], chunk=1 << 20)
    assert scan_layer(Counted(blob), DEFAULT, verify=False, notes={TOC_DIGEST: "sha256:" + "0" * 64}).unread == 0


def test_whoever_verifies_reads_all() -> None:
    blob, notes, content = estargz(tar()[0], chunk=1 << 20)
    scan = scan_layer(Counted(blob), DEFAULT, notes=notes, by_table=True)
    assert scan.unread == 0 and scan.listed is None
    assert _whole(blob) == content and scan.diff_id == "sha256:" + hashlib.sha256(content).hexdigest()


def _whole(blob: bytes) -> bytes:
    return subprocess.run(["gzip", "-dc"], input=blob, capture_output=True, check=True).stdout


def _stargz(blob: bytes) -> bytes:
    """The same layer with the footer of stargz, from which eStargz came."""
    place = int(blob[-51:][16:32], 16)
    return blob[:-51] + footer(place, old=True)


# ---- the table alone -----------------------------------------------------------------------------------------------


def tree() -> bytes:
    """A tar of each kind of member that layers have, with many small files and one in several parts."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        _fill(made)
    return out.getvalue()


def _fill(made: tarfile.TarFile) -> None:
    def add(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: Any) -> None:
        one = tarfile.TarInfo(name)
        one.type, one.size, one.mtime, one.mode = kind, len(data), 1_700_000_000, 0o644
        for key, value in fields.items():
            setattr(one, key, value)
        made.addfile(one, io.BytesIO(data))

    add("etc", tarfile.DIRTYPE, mode=0o755)
    for number in range(300):
        add(f"etc/{number}", data=b"%d" % number * (number % 40), uid=number, gid=7, mtime=1_600_000_000 + number)
    add("usr/bin/su", data=b"run", mode=0o4755, uname="root", gname="wheel")
    add("usr/bin/ping", data=b"ping", pax_headers={"SCHILY.xattr.security.capability": "\1\0\0\2"})
    add("usr/lib/big", data=NOISE)
    add("usr/lib/" + "long/" * 60 + "name", data=b"deep")
    add("bin", tarfile.SYMTYPE, linkname="usr/bin")
    add("usr/bin/same", tarfile.LNKTYPE, linkname="usr/bin/su")
    add("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3)
    add("dev/disk", tarfile.BLKTYPE, devmajor=8, devminor=1)
    add("run/pipe", tarfile.FIFOTYPE)
    add("etc/.wh.gone")
    add("etc/\u00e4", data=b"umlaut")


def same_as_tarfile(scan: LayerScan, source: MemorySource, data: bytes, *, names: bool = True) -> None:
    """Each entry and each content is what Python's tarfile reads of the tar; zstd:chunked has no `names` of owners."""
    assert scan.listed is not None and not scan.table.placed
    content = ListedContent(source, scan.compression, scan.listed, DEFAULT, layer=0)
    with tarfile.open(fileobj=io.BytesIO(data)) as read:
        for entry, one in zip(scan.table, read, strict=True):
            size = one.size if one.isreg() else 0
            assert entry.path[1:].decode() == one.name and entry.type == one.type and entry.size == size
            assert (entry.mode, entry.uid, entry.gid, entry.mtime[0]) == (one.mode, one.uid, one.gid, one.mtime)
            assert (entry.link.decode(), entry.device) == (one.linkname, (one.devmajor, one.devminor))
            owners = (one.uname, one.gname) if names else ("", "")
            assert (entry.meta.uname.decode(), entry.meta.gname.decode()) == owners
            stated = {key: value.encode() for key, value in one.pax_headers.items() if key.startswith("SCHILY.")}
            assert {b"SCHILY.xattr." + key: value for key, value in entry.xattrs.items()} == {
                key.encode(): value for key, value in stated.items()
            }
            assert entry.header_offset is None
            file = read.extractfile(one) if one.isreg() else None
            if file is not None:
                assert EntryFile(content, entry).read() == file.read()


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("least", [0, 1000, 1 << 20])
def test_the_table_of_estargz_lists_what_the_tar_has(least: int, ended: bool) -> None:
    """The member with the table is one of the tar, unless that ends before it."""
    blob, notes, content = estargz(tree(), chunk=1 << 20, least=least, ended=ended)
    source = Counted(blob)
    scan = scan_layer(source, DEFAULT, layer=0, verify=False, notes=notes, by_table=True)
    assert scan.unread > 3 << 20 and source.read < len(blob) - scan.unread + 4096
    assert scan.listed is not None and scan.listed.told
    same_as_tarfile(scan, source, content)


def test_the_table_that_skopeo_writes_lists_what_the_tar_has(tmp_path: Path) -> None:
    data = tree()
    blob, notes = chunked(tmp_path, data)
    source = Counted(blob)
    scan = scan_layer(source, DEFAULT, layer=0, verify=False, notes=notes, by_table=True)
    assert scan.unread > 3 << 20 and source.read < len(blob) - scan.unread + 4096
    assert scan.listed is not None and scan.listed.told and all(part.digest for part in scan.listed.parts)
    same_as_tarfile(scan, source, data, names=False)


def test_other_content_than_the_table_tells_is_no_content() -> None:
    blob, notes, _ = estargz(tar()[0], chunk=1 << 20, change=lambda row: row.update(chunkDigest="sha256:" + "0" * 64))
    source = Counted(blob)
    scan = scan_layer(source, DEFAULT, layer=0, verify=False, notes=notes, by_table=True)
    assert scan.listed is not None
    content = ListedContent(source, scan.compression, scan.listed, DEFAULT, layer=0)
    with pytest.raises(Malformed, match="another digest"):
        EntryFile(content, scan.table[0]).read()
    with pytest.raises(Unsupported, match="headers of this layer were not read"):
        content.pread(0, 512)


@pytest.mark.parametrize("seed", range(200))
def test_a_table_with_wrong_numbers_gives_no_other_content(seed: int) -> None:
    """It is not used, or its content is an error, or what it was: each part has its digest."""
    draw = Random(seed)
    files = {"a": b"first", "big": NOISE[:40_000], "c": b"c" * 3000, "z": b"last"}
    fields = ("offset", "chunkOffset", "chunkSize", "innerOffset", "size", "type", "name")

    def change(row: dict[str, Any]) -> None:
        if draw.random() < 0.3:
            field = draw.choice(fields)
            wrong = [0, -1, 1, 511, 1 << 40, 1 << 62, row.get("size", 0), row.get("offset", 0) + draw.randrange(-9, 9)]
            row[field] = (
                draw.choice(["", "reg", "chunk", "x/../y"]) if field in ("type", "name") else draw.choice(wrong)
            )

    blob, notes, _ = estargz(tar(files)[0], chunk=10_000, least=draw.choice((0, 4000)), change=change)
    source = Counted(blob)
    try:
        scan = scan_layer(source, DEFAULT, layer=0, verify=False, notes=notes, by_table=True)
    except LimitExceeded:
        return
    if scan.listed is None:
        return
    content = ListedContent(source, scan.compression, scan.listed, DEFAULT, layer=0)
    for entry in scan.table:
        try:
            found = EntryFile(content, entry).read() if entry.size < 1 << 30 else b""
        except (Malformed, LimitExceeded, Unsupported):
            continue
        assert entry.path == b"/stargz.index.json" or any(found in whole for whole in files.values())
