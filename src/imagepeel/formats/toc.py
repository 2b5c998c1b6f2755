"""Tables of contents: the JSON with which eStargz and zstd:chunked layers list what their tar holds.

Both have the same fields.  Source: stargz-snapshotter docs/estargz.md, "TOC"; containers/storage pkg/chunked and
docs/containers-storage-zstd-chunked.md.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from imagepeel._lazy import late
from imagepeel.serialization import from_json

INDEX = b"stargz.index.json"
"""The member of the tar that holds the table of an eStargz layer; it does not list itself."""
LANDMARKS = frozenset((INDEX, b".prefetch.landmark", b".no.prefetch.landmark"))
"""Members that are there for whoever loads the layer in parts."""
KINDS = {"reg": "file"}
"""Types of a table whose name differs from ours."""

_TIME = late(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?(?:Z|[+-][0-9:]{5})")
_LEAST = 40
"""Bytes of a row that says what a file is: shorter ones say too little, and each costs 200 bytes of memory."""


class TocEntry(msgspec.Struct, gc=False):
    """One entry: a member of the tar, or of type `chunk` one more part of the regular file before it.

    null is what is not given, as Go reads it.
    """

    name: str | None = None
    type: str | None = None
    size: int | None = None
    modtime: str | None = None
    """RFC 3339; both formats have it in this form."""
    linkName: str | None = None
    mode: int | None = None
    """As in the header of the tar."""
    uid: int | None = None
    gid: int | None = None
    userName: str | None = None
    groupName: str | None = None
    devMajor: int | None = None
    devMinor: int | None = None
    xattrs: dict[str, str | None] | None = None
    """Values in base64."""
    offset: int | None = None
    """Where in the stored bytes the gzip member or zstd frame begins that has this part of the content."""
    endOffset: int | None = None
    """Where it ends; zstd:chunked says it."""
    innerOffset: int | None = None
    """Where in the content of that member the part begins; eStargz says it where several files share one."""
    chunkOffset: int | None = None
    chunkSize: int | None = None
    """0 where the part goes on to the end of the file."""
    chunkDigest: str | None = None
    digest: str | None = None
    """Of the whole file."""
    chunkType: str | None = None
    """`zeros` for a part that is nothing else."""


class _Toc(msgspec.Struct):
    entries: list[TocEntry] | None = None


def toc_entries(data: bytes) -> list[TocEntry]:
    """Return the entries of a table in its order.

    msgspec.DecodeError or RecursionError where the bytes are something else, ValueError where it lists no entries, or
    so many that they say nothing.
    """
    if data.count(b"{") > len(data) // _LEAST + 10:
        raise ValueError("its entries say nothing")
    entries = from_json(data, _Toc).entries
    if entries is None:
        raise ValueError("it lists no entries")
    return entries


def moment(stated: str) -> tuple[int, int]:
    """Return a time in RFC 3339 as seconds since 1970 and nanoseconds.  ValueError for another text."""
    found = _TIME.fullmatch(stated)
    if found is None:
        raise ValueError(f"{stated!r} is no time of RFC 3339")
    fraction = found[1] or ""
    whole = datetime.fromisoformat(stated.replace(fraction, "", 1).replace("Z", "+00:00"))
    return int(whole.timestamp()), int(fraction[1:10].ljust(9, "0"))
