"""Where in a stream decompression can start; who only looks at what the cache kept needs no decoder."""

from __future__ import annotations

from typing import Any

import msgspec


class Checkpoint(msgspec.Struct, frozen=True):
    """A place from which decompression can start: offsets of stored bytes and content, and the decoder's state.

    `state` is None at the start of a gzip member or zstd frame, which need no history; else an inflate in progress, or
    the `BlockStart` of one.
    """

    stored: int
    content: int
    state: Any
