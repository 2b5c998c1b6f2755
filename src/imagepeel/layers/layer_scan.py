"""What one pass over a layer found: `scan` makes it, and the index cache keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.compression import Compression
from imagepeel.evidence import Anomaly
from imagepeel.formats.tar.table import EntryTable, TrailingData

if TYPE_CHECKING:
    from imagepeel.layers.kept import KeptContent
    from imagepeel.layers.listed import Listed
    from imagepeel.layers.loader_parts import Parts

SPACING = 4 * 1024 * 1024
"""Least distance of access points in bytes of content: a read inflates half of it on average."""

HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


class LayerScan(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass found.  Digests are `algorithm:hex`, None when the pass was told not to hash."""

    compression: Compression
    blob_size: int
    blob_digest: str | None
    content_size: int
    """Decompressed bytes; of a plain layer that was not hashed, its size."""
    diff_id: str | None
    table: EntryTable
    tail: TrailingData | None
    units: int
    """gzip members, zstd frames or streams."""
    skippable: int
    anomalies: tuple[Anomaly, ...]
    error: Anomaly | None
    """Why the listing ends early, None when it is whole."""
    access: tuple[Checkpoint, ...]
    """Places from which content can be decompressed, ascending."""
    inside: Callable[[], tuple[Checkpoint, ...]] | None = None
    """Gets more of them, those inside gzip members, which the index cache reads when something is decompressed."""
    whole: KeptContent | None = None
    """All content of a small compressed layer, where the pass was told to keep it."""
    parts: Parts = ()
    """What loaders read of programs and libraries, of a compressed layer that is not kept whole."""
    unread: int = 0
    """Stored bytes of a compressed layer that were not read, as its table of contents says that they hold content."""
    listed: Listed | None = None
    """What the table of contents of the layer says, where it was all that was read."""
