"""What `imagepeel cache --json` carries."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown


class CacheResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel cache info`: numbers of files and their bytes; `problem` says why it is not used."""

    path: str
    """Directory of the cache."""
    size: int
    """Bytes of all its files."""
    most: int
    """Bytes that it may grow to."""
    files: int
    """Count of all its files."""
    index: int
    """Count of files with the index of a layer."""
    stamp: int
    """Count of files that tell a known archive again."""
    heads: int
    """Count of files with small reads of a layer."""
    facts: int
    """Count of files with sums of an image."""
    problem: str
    """Why it is not used, "" when it is."""
