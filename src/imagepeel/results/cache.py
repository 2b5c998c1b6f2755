"""What `imagepeel cache --json` carries."""

from __future__ import annotations

import msgspec


class CacheResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel cache info`: numbers of files and their bytes; `problem` says why it is not used."""

    path: str
    size: int
    most: int
    files: int
    index: int
    stamp: int
    heads: int
    facts: int
    problem: str
