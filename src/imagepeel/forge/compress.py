"""Compressed forms of a layer or a whole archive, including the unusual framings that readers trip over.

Equal bytes in give equal bytes out on one machine.  Another version of zlib, liblzma or zstd may pack differently,
so the digests of compressed blobs are stable per machine; DiffIDs are stable everywhere.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Literal, get_args

from imagepeel._zstd import compress as zstd_frame
from imagepeel.errors import UsageError

SKIPPABLE_MAGIC = b"\x50\x2a\x4d\x18"
"""First of the 16 magic numbers of a skippable zstd frame, 0x184D2A50 (RFC 8878 section 3.1.2)."""

Packing = Literal[
    "none",
    "gzip",
    "gzip-members",
    "gzip-stored",
    "zstd",
    "zstd-frames",
    "zstd-skippable",
    "zstd-raw",
    "bzip2",
    "xz",
]
COMPRESSIONS: tuple[Packing, ...] = get_args(Packing)
"""What `compress` can do: `-members` and `-frames` split the stream in the middle, `-skippable` puts skippable frames
before, between and after, `-stored` and `-raw` hold the bytes uncompressed inside the framing."""

SUFFIX = {"none": "", "gzip": "gzip", "zstd": "zstd", "bzip2": "bzip2", "xz": "xz"}
"""Media type suffix of each family (only gzip and zstd are in the image-spec)."""


def family(compression: Packing) -> str:
    """The format behind a compression: `zstd` for `zstd-skippable`."""
    return compression.partition("-")[0]


def compress(data: bytes, compression: Packing) -> bytes:
    """Return `data` in the named form, one of `COMPRESSIONS`; `none` returns it as it is.

    gzip has level 6 and no time stamp (RFC 1952), zstd frames are those of RFC 8878, xz carries a CRC-32.  `UsageError`
    for an unknown name.
    """
    half = len(data) // 2
    match compression:
        case "none":
            return data
        case "gzip":
            return gzip_member(data)
        case "gzip-members":
            return gzip_member(data[:half]) + gzip_member(data[half:]) + gzip_member(b"")
        case "gzip-stored":
            return gzip_member(data, level=0)
        case "zstd":
            return zstd_frame(data)
        case "zstd-frames":
            return zstd_frame(data[:half], sized=False) + zstd_frame(data[half:], sized=False)
        case "zstd-skippable":
            first, second = zstd_frame(data[:half]), zstd_frame(data[half:])
            return skippable(b"before") + first + skippable(b"") + second + skippable(b"after")
        case "zstd-raw":
            return zstd_raw(data)
        case "bzip2":
            return bz2.compress(data)
        case "xz":
            return lzma.compress(data, check=lzma.CHECK_CRC32)
    raise _unknown(compression)


def known_packing(name: str) -> Packing:
    """The compression of that name.  `UsageError` for an unknown one."""
    if name not in COMPRESSIONS:
        raise _unknown(name)
    return name


def _unknown(name: str) -> UsageError:
    return UsageError(f"no compression is called {name!r}", hint="known: " + ", ".join(COMPRESSIONS))


def gzip_member(data: bytes, level: int = 6, name: bytes = b"", extra: bytes = b"", comment: bytes = b"") -> bytes:
    """One gzip member (RFC 1952) without a time stamp; `extra` is the whole FEXTRA body."""
    flags = (4 if extra else 0) | (8 if name else 0) | (16 if comment else 0)
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0" + b"\0\xff"
    if extra:
        head += len(extra).to_bytes(2, "little") + extra
    head += (name + b"\0" if name else b"") + (comment + b"\0" if comment else b"")
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    return head + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) % 2**32).to_bytes(4, "little")


def skippable(data: bytes, nibble: int = 0) -> bytes:
    """A skippable zstd frame; `nibble` 0-15 picks one of the sixteen magic numbers."""
    return bytes([SKIPPABLE_MAGIC[0] | nibble]) + SKIPPABLE_MAGIC[1:] + len(data).to_bytes(4, "little") + data


def zstd_raw(data: bytes) -> bytes:
    """A zstd frame of raw blocks, written by hand: single segment, no checksum (RFC 8878 section 3.1.1)."""
    out = bytearray(b"\x28\xb5\x2f\xfd" + b"\xe0" + len(data).to_bytes(8, "little"))
    step = 1 << 17
    for at in range(0, len(data), step):
        chunk = data[at : at + step]
        last = at + step >= len(data)
        out += (len(chunk) << 3 | last).to_bytes(3, "little") + chunk
    if not data:
        out += (1).to_bytes(3, "little")
    return bytes(out)
