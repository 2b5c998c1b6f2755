"""What an earlier look at the names of a layer found out, so that a second run need not look again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagepeel.layers.index_cache import IndexCache
    from imagepeel.layers.layer import Layer


Implied = dict[bytes, list[bytes]]
"""Directory -> names of directories in it that no entry describes."""
_MOST_IMPLIED = 1000
"""Directories with such names that are kept."""


class LayerNames:
    """What is kept of the names in layers, in a cache; nothing is known, and nothing kept, without one."""

    def __init__(self, layers: Sequence[Layer] = (), cache: IndexCache | None = None) -> None:
        self._layers = layers
        self._cache = cache

    def recall(self, layer: int) -> Implied | None:
        """Return what `remember` was told of a layer by its index, None for one of which nothing is known."""
        cache = self._cache
        scan = self._layers[layer].facts if cache is not None else None
        known = cache.recall("names", [scan], Implied) if cache is not None and scan is not None else None
        # What comes from a file is no cleaner than its writer.
        return known if known is not None and all(map(_is_clean, known.items())) else None

    def remember(self, layer: int, implied: Implied) -> None:
        """Keep that no directory of a layer has a name twice or one too long, and which no entry describes."""
        cache = self._cache
        scan = self._layers[layer].facts if cache is not None else None
        if cache is not None and scan is not None and len(implied) <= _MOST_IMPLIED:
            cache.remember("names", [scan], implied)


def _is_clean(item: tuple[bytes, list[bytes]]) -> bool:
    """Say whether a directory and the names in it are such as a scan gives."""
    directory, names = item
    parts = [*(directory.split(b"/") if directory else ()), *names]
    return not any(part in (b"", b".", b"..") or b"\0" in part or b"/" in part for part in parts)
