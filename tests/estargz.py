"""Writes a tar as eStargz, by the letter of stargz-snapshotter docs/estargz.md: Debian has no tool that does.

Python's tarfile reads what the table is to say, and zlib makes the members.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
TYPES = {
    tarfile.REGTYPE: "reg", tarfile.AREGTYPE: "reg", tarfile.LNKTYPE: "hardlink", tarfile.SYMTYPE: "symlink",
    tarfile.DIRTYPE: "dir", tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo",
}  # fmt: skip


def member(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def footer(place: int, *, old: bool = False) -> bytes:
    """The empty member that names the place of the table; `old` is that of stargz, which has no subfield."""
    said = b"%016xSTARGZ" % place
    extra = said if old else b"SG" + struct.pack("<H", len(said)) + said
    return b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(extra)) + extra + b"\x01\0\0\xff\xff" + bytes(8)


def row(one: tarfile.TarInfo) -> dict[str, Any]:
    """The entry of the table, without what is about content; Go leaves out what is zero."""
    seconds = int(one.mtime)
    xattrs = {
        key[13:]: base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
        for key, value in one.pax_headers.items()
        if key.startswith("SCHILY.xattr.")
    }
    made = {
        "name": one.name + ("/" if one.isdir() else ""), "type": TYPES[one.type], "linkName": one.linkname,
        "size": one.size if one.isreg() else 0, "mode": one.mode, "uid": one.uid, "gid": one.gid,
        "userName": one.uname, "groupName": one.gname, "devMajor": one.devmajor, "devMinor": one.devminor,
        "modtime": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "xattrs": xattrs,
    }  # fmt: skip
    return {key: value for key, value in made.items() if value}


def _cuts(size: int, chunk: int) -> Iterator[tuple[int, int]]:
    for at in range(0, size, chunk):
        yield at, min(chunk, size - at)


def estargz(
    tar: bytes,
    *,
    chunk: int = 4 << 20,
    least: int = 0,
    ended: bool = False,
    change: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[bytes, dict[str, str], bytes]:
    """Return the layer, its annotations, and the tar that it unpacks to: the given one with its table.

    With `least` files share a member until it has so many bytes (--estargz-min-chunk-size).  With `ended`
    the tar ends before the table, as BuildKit writes it.  `change` makes another row of each row of the table.
    """
    out, content = bytearray(), bytearray()
    waiting = bytearray()
    rows: list[dict[str, Any]] = []

    def close() -> None:
        nonlocal waiting
        if waiting:
            out.extend(member(bytes(waiting)))
            content.extend(waiting)
            waiting = bytearray()

    with tarfile.open(fileobj=io.BytesIO(tar)) as read:
        members = read.getmembers()
        for one in members:
            waiting += tar[one.offset : one.offset_data]
            listed = row(one)
            rows.append(listed)
            if one.isreg() and one.size:
                data = tar[one.offset_data : one.offset_data + one.size]
                listed["digest"] = "sha256:" + hashlib.sha256(data).hexdigest()
                for number, (at, count) in enumerate(_cuts(one.size, chunk)):
                    if len(waiting) >= least or at:
                        close()
                    place = {"offset": len(out)} if out else {}
                    if waiting:
                        place["innerOffset"] = len(waiting)
                    piece = data[at : at + count]
                    about = {"chunkDigest": "sha256:" + hashlib.sha256(piece).hexdigest(), **place}
                    if one.size > chunk:
                        about["chunkSize"] = count if at + count < one.size else 0
                        about["chunkOffset"] = at
                    about = {key: value for key, value in about.items() if value}
                    if number:
                        rows.append({"name": one.name, "type": "chunk", **about})
                    else:
                        listed.update(about)
                    waiting += piece
                waiting += bytes(-one.size % 512)
    waiting += bytes(1024 if ended else 0)
    close()
    for listed in rows:
        if change is not None:
            change(listed)
    toc = json.dumps({"version": 1, "entries": rows}).encode()
    last = io.BytesIO()
    with tarfile.open(fileobj=last, mode="w", format=tarfile.GNU_FORMAT) as made:
        info = tarfile.TarInfo("stargz.index.json")
        info.size = len(toc)
        made.addfile(info, io.BytesIO(toc))
    place = len(out)
    out += member(last.getvalue())
    content += last.getvalue()
    return bytes(out) + footer(place), {TOC_DIGEST: "sha256:" + hashlib.sha256(toc).hexdigest()}, bytes(content)


def convert(layout: Path) -> None:
    """Make each layer of an OCI layout with one image an eStargz one."""
    blobs = layout / "blobs" / "sha256"

    def read(digest: str) -> bytes:
        return (blobs / digest.partition(":")[2]).read_bytes()

    def keep(data: bytes, about: dict[str, Any]) -> None:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        about.update(digest="sha256:" + name, size=len(data))

    index = json.loads((layout / "index.json").read_text())
    top = index["manifests"][0]
    manifest = json.loads(read(top["digest"]))
    config = json.loads(read(manifest["config"]["digest"]))
    diff_ids = []
    for layer in manifest["layers"]:
        data = read(layer["digest"])
        blob, notes, content = estargz(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        keep(blob, layer)
        layer.update(mediaType="application/vnd.oci.image.layer.v1.tar+gzip", annotations=notes)
        diff_ids.append("sha256:" + hashlib.sha256(content).hexdigest())
    config["rootfs"]["diff_ids"] = diff_ids
    keep(json.dumps(config).encode(), manifest["config"])
    keep(json.dumps(manifest).encode(), top)
    (layout / "index.json").write_text(json.dumps(index))
