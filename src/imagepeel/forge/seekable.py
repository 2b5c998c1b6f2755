"""Layers that can be read in pieces: eStargz and zstd:chunked.  Both carry a table of contents beside the tar.

eStargz (stargz-snapshotter docs/estargz.md) ends in a second tar whose only file is the table, and a 51-byte footer;
zstd:chunked (containers/storage docs/containers-storage-zstd-chunked.md) hides it in skippable frames.  An
ordinary reader sees a plain layer either way.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

from imagepeel.evidence import text
from imagepeel.forge.assembly import digest
from imagepeel.forge.compress import compress, gzip_member, skippable
from imagepeel.forge.entry import Entry, file
from imagepeel.forge.image import LayerSpec
from imagepeel.forge.tar import encode, encode_entry, padding

TOC_NAME = "stargz.index.json"
NO_PREFETCH = ".no.prefetch.landmark"
STARGZ_TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
STARGZ_SIZE = "io.containers.estargz.uncompressed-size"
CHUNKED = "io.github.containers.zstd-chunked."
CHUNKED_MAGIC = bytes.fromhex("476e556c496e5578")

_TYPES = {"file": "reg", "hardlink": "hardlink", "symlink": "symlink", "char": "char", "block": "block"}
_TYPES |= {"dir": "dir", "fifo": "fifo", "sparse": "reg"}


def estargz(*entries: Entry, created_by: str = "", lie: bool = False, landmark: bool = True) -> LayerSpec:
    """An eStargz layer: headers and contents in gzip members of their own.

    With `lie` the table names another file than the tar, which lazy and plain readers then see differently;
    `landmark` puts the file there by which the producer says that nothing is worth fetching early.  Returns a layer
    whose stored blob is fixed and whose annotations tell the table's digest.  Source: stargz-snapshotter
    docs/estargz.md.  `UsageError` for entries that cannot be encoded.
    """
    listed = [*entries, file(NO_PREFETCH, b"\x0f")] if landmark else list(entries)
    blob, content = bytearray(), bytearray()
    table: list[dict[str, Any]] = []

    def member(data: bytes) -> None:
        if data:
            blob.extend(gzip_member(data))
            content.extend(data)

    for number, entry in enumerate(listed):
        whole = encode_entry(entry)
        tail = len(entry.data) + len(padding(len(entry.data)))
        member(whole[: len(whole) - tail])
        table.append(_row(entry, len(blob)))
        end = bytes(1024) if number == len(listed) - 1 else b""
        member(whole[len(whole) - tail :] + end)
    if lie and table:
        table[0]["name"] += "-as-the-table-says"
    toc = json.dumps({"version": 1, "entries": table}, indent="\t").encode()
    position = len(blob)
    member(encode([file(TOC_NAME, toc, 0o444)]))
    blob += _stargz_footer(position)
    notes = {STARGZ_TOC_DIGEST: digest(toc), STARGZ_SIZE: str(len(content))}
    return LayerSpec(tar=bytes(content), blob=bytes(blob), compression="gzip", created_by=created_by, annotations=notes)


def zstd_chunked(*entries: Entry, created_by: str = "", lie: bool = False) -> LayerSpec:
    """A zstd:chunked layer: a frame for every header and for every content, the table in a skippable frame.

    With `lie` the table names another file than the tar.  Returns a layer whose stored blob is fixed and whose
    annotations tell where the table is.  Source: containers/storage docs/containers-storage-zstd-chunked.md.
    `UsageError` for entries that cannot be encoded.
    """
    blob, content = bytearray(), bytearray()
    table: list[dict[str, Any]] = []

    def frame(data: bytes) -> None:
        if data:
            blob.extend(compress(data, "zstd"))
            content.extend(data)

    for entry in entries:
        whole = encode_entry(entry)
        tail = len(entry.data) + len(padding(len(entry.data)))
        frame(whole[: len(whole) - tail])
        row = _row(entry, len(blob))
        frame(entry.data)
        if entry.data:
            row["endOffset"] = len(blob)
        table.append(row)
        frame(padding(len(entry.data)))
    frame(bytes(1024))
    if lie and table:
        table[0]["name"] += "-as-the-table-says"
    toc = json.dumps({"version": 1, "entries": table}, separators=(",", ":")).encode()
    packed = compress(toc, "zstd")
    position = len(blob) + 8
    blob += skippable(packed)
    blob += skippable(struct.pack("<7Q", position, len(packed), len(toc), 1, 0, 0, 0) + CHUNKED_MAGIC)
    notes = {
        CHUNKED + "manifest-checksum": digest(packed),
        CHUNKED + "manifest-position": f"{position}:{len(packed)}:{len(toc)}:1",
    }
    return LayerSpec(tar=bytes(content), blob=bytes(blob), compression="zstd", created_by=created_by, annotations=notes)


def _row(entry: Entry, offset: int) -> dict[str, Any]:
    name = text(entry.path) + ("/" if entry.kind == "dir" else "")
    row: dict[str, Any] = {"name": name, "type": _TYPES.get(entry.kind, "reg"), "mode": entry.mode}
    row |= {"modtime": "2024-01-01T00:00:00Z"}
    row |= {key: value for key, value in (("uid", entry.uid), ("gid", entry.gid)) if value}
    if entry.target:
        row["linkName"] = text(entry.target)
    if entry.data:
        sha = "sha256:" + hashlib.sha256(entry.data).hexdigest()
        row |= {"size": len(entry.data), "offset": offset, "digest": sha, "chunkDigest": sha}
    return row


def _stargz_footer(position: int) -> bytes:
    """An empty gzip member whose extra field holds the place of the table in 16 hex digits."""
    extra = b"%016xSTARGZ" % position
    field = b"SG" + struct.pack("<H", len(extra)) + extra
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(field))
    return head + field + b"\x01\0\0\xff\xff" + bytes(8)
