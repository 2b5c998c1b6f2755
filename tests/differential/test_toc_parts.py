"""Layers that skopeo writes as zstd:chunked, and eStargz layers by the letter of its specification, read in parts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

import imagepeel
from imagepeel.archive.source import MemorySource
from imagepeel.layers.content import LayerContent
from imagepeel.layers.scan import LayerScan, scan_layer
from imagepeel.limits import DEFAULT

NOISE = os.urandom(3 << 20)
FILES = {"a": b"first", "big": NOISE, "z": b"last"}
TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest"


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


def tar() -> tuple[bytes, dict[str, int]]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, data in FILES.items():
            one = tarfile.TarInfo(name)
            one.size = len(data)
            made.addfile(one, io.BytesIO(data))
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as read:
        return out.getvalue(), {one.name: one.offset_data for one in read}


def member(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def estargz(cheat: int = 0) -> tuple[bytes, dict[str, str]]:
    """One file in chunks of 1 MiB; the member of its last one goes on with the headers behind it."""
    content, at = tar()
    cuts = [0, *(at["big"] + n * (1 << 20) for n in range(3)), len(content)]
    blob, places = b"", []
    for start, end in pairwise(cuts):
        places.append(len(blob))
        blob += member(content[start:end])
    rows = [{"name": "big", "type": "reg", "size": len(NOISE), "offset": places[1], "chunkSize": 1 << 20}]
    rows += [
        {"name": "big", "type": "chunk", "offset": places[n + 1], "chunkOffset": (n << 20) + cheat} for n in (1, 2)
    ]
    toc = json.dumps({"version": 1, "entries": rows}).encode()
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w", format=tarfile.GNU_FORMAT) as made:
        one = tarfile.TarInfo("stargz.index.json")
        one.size = len(toc)
        made.addfile(one, io.BytesIO(toc))
    place = len(blob)
    extra = b"SG" + struct.pack("<H", 22) + b"%016xSTARGZ" % place
    blob += member(inner.getvalue())
    blob += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", 26) + extra + b"\x01\0\0\xff\xff" + bytes(8)
    return blob, {TOC_DIGEST: "sha256:" + hashlib.sha256(toc).hexdigest()}


def chunked(tmp: Path) -> tuple[bytes, Mapping[str, str]]:
    (tmp / "in").mkdir()
    (tmp / "in" / "layer.tar").write_bytes(tar()[0])
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar()[0]).hexdigest()]}})
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
    blob, notes = estargz()
    check(blob, notes, least=2 << 20)
    check(blob, {}, least=2 << 20)


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
    blob, notes = estargz(cheat)
    scan = scan_layer(Counted(blob), DEFAULT, layer=0, verify=False, notes=notes)
    assert scan.error is None and scan.unread == 0
    assert {one.path.decode()[1:]: one.data_offset for one in scan.table if one.path[1:].decode() in FILES} == tar()[1]


def test_a_table_with_another_digest_is_not_followed() -> None:
    blob, _ = estargz()
    assert scan_layer(Counted(blob), DEFAULT, verify=False, notes={TOC_DIGEST: "sha256:" + "0" * 64}).unread == 0


def test_whoever_verifies_reads_all() -> None:
    blob, notes = estargz()
    scan = scan_layer(Counted(blob), DEFAULT, notes=notes)
    assert scan.unread == 0 and scan.diff_id == "sha256:" + hashlib.sha256(_whole(blob)).hexdigest()


def _whole(blob: bytes) -> bytes:
    return subprocess.run(["gzip", "-dc"], input=blob, capture_output=True, check=True).stdout
