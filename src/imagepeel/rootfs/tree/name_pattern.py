"""Which names a walk asks for, where that is what one pattern matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress, count, repeat


class NamePattern:
    """The names that a pattern matches as a whole: called with one, it answers; `among` a million, it finds them."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.matches: Callable[..., re.Match[bytes] | None] = pattern.fullmatch

    def __call__(self, name: bytes) -> object:
        return self.matches(name)

    def among(self, names: bytes, ends: Sequence[int]) -> Iterator[int]:
        """Yield the numbers of those that match; name i ends at `ends[i]` in `names`, where the next one begins."""
        return compress(count(), map(self.matches, repeat(names), chain((0,), ends), ends))
