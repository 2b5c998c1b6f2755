"""What one pass keeps of a layer's content: all of a small layer, and of a larger one what loaders read."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from imagepeel.layers.loader_parts import LoaderParts, Parts


class KeptContent:
    """All content of a compressed layer in memory, until the archive is closed.

    It stays in the pieces that the decoder made: one run of bytes would be a copy of all of them.
    """

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces: tuple[bytes, ...] | None = tuple(pieces)
        self._starts = tuple(accumulate(map(len, pieces), initial=0))

    @property
    def size(self) -> int:
        """How many bytes it had."""
        return self._starts[-1]

    def pread(self, offset: int, count: int) -> bytes | None:
        """Return `count` bytes from `offset`, fewer only at the end; None when the content is no longer here."""
        index = bisect_right(self._starts, offset) - 1
        found: list[bytes] = []
        pieces = self._pieces
        if pieces is None:
            return None
        while count > 0 and index < len(pieces):
            begin = offset - self._starts[index]
            part = pieces[index][begin : begin + count]
            found.append(part)
            offset += len(part)
            count -= len(part)
            index += 1
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        """Give the memory back: images refer to their archive and it to them, so it would stay for a long time."""
        self._pieces = None


class Keeper:
    """Takes the content of one layer as it passes by.

    Content of at most `whole` bytes is kept as it is; of larger content `parts` bytes, which are looked for only from
    where it is known to be larger.
    """

    def __init__(self, whole: int, parts: int) -> None:
        self._whole = whole
        self._pieces: list[bytes] = []
        self._parts = LoaderParts(parts)
        self._size = 0
        self._keeping = True

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        self._size += len(piece)
        self._pieces.append(piece)
        if self._keeping and self._size <= self._whole:
            return
        self._keeping = False
        at = self._size - sum(map(len, self._pieces))
        for kept in self._pieces:
            self._parts.feed(at, kept)
            at += len(kept)
        self._pieces.clear()

    def finish(self, *, complete: bool) -> tuple[KeptContent | None, Parts]:
        """Return the content where all of it was kept, and else the parts; `complete` is False for a damaged stream."""
        if self._keeping and complete:
            return KeptContent(self._pieces), ()
        self._keeping = False
        self.feed(b"")
        return None, self._parts.finish()
