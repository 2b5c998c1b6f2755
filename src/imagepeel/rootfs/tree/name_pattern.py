"""Which names a walk asks for, where that is what one pattern matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress, count, repeat

_AT_ONCE = 1024


class NamePattern:
    """The names that a pattern matches as a whole: called with one, it answers; `among` a million, it finds them.

    `fixed` is in every name that matches.
    """

    def __init__(self, pattern: re.Pattern[bytes], fixed: bytes) -> None:
        self.matches: Callable[..., re.Match[bytes] | None] = pattern.fullmatch
        self.fixed: bytes = fixed

    def __call__(self, name: bytes) -> object:
        return self.matches(name)

    def among(self, names: bytes, ends: Sequence[int]) -> Iterator[int]:
        """Yield the numbers of those that match; name i ends at `ends[i]` in `names`, where the next one begins."""
        return chain.from_iterable(self._by_neighbours(names, ends))

    def _by_neighbours(self, names: bytes, ends: Sequence[int]) -> Iterator[Iterator[int]]:
        """Yield the numbers for some neighbours at a time, and nothing for those whose bytes tell that none matches."""
        begin = 0
        for first in range(0, len(ends), _AT_ONCE):
            stops = ends[first : first + _AT_ONCE]
            if names.find(self.fixed, begin, stops[-1]) >= 0:
                yield compress(count(first), map(self.matches, repeat(names), chain((begin,), stops), stops))
            begin = stops[-1]
