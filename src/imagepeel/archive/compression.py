"""The kinds of compression of archives and layers, and how the first bytes show them."""

from __future__ import annotations

from enum import StrEnum

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
XZ_MAGIC = b"\xfd7zXZ\0"
BZIP2_MAGIC = b"BZh"


class Compression(StrEnum):
    """How stored bytes are compressed, told by their first bytes."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


def sniff_compression(head: bytes) -> Compression:
    """Return the compression that the first bytes show, NONE when no magic fits."""
    if head.startswith(GZIP_MAGIC):
        return Compression.GZIP
    if head.startswith(ZSTD_MAGIC) or is_skippable(head):
        return Compression.ZSTD
    if head.startswith(XZ_MAGIC):
        return Compression.XZ
    if head.startswith(BZIP2_MAGIC) and head[3:4].isdigit() and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return Compression.BZIP2
    return Compression.NONE


def is_skippable(head: bytes) -> bool:
    """Say whether a zstd frame that holds no content begins here (RFC 8878, 3.1.2)."""
    return len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
