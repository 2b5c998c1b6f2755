"""Lines of a text as they may be shown: secrets masked as they would be in the whole text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from imagepeel.evidence import text
from imagepeel.masking import masked_lines, may_hold

_NEAR, _FAR = 10, 1000
"""Lines around those that are shown which are looked at for secrets: words on one line give away a value on another."""
_KEY = b"PRIVATE KEY"
"""What begins a secret of many lines."""
_SHORT = 400
"""Bytes of a line whose verdict is kept."""


class Shown:
    """The lines of one text, asked for in parts; those that were asked for last are kept."""

    def __init__(self, lines: Sequence[bytes], margin: int = _FAR) -> None:
        self._lines = lines
        self._margin = margin
        self._known: tuple[int, int, list[str]] = (0, 0, [])

    def part(self, start: int, end: int) -> list[str]:
        """Return some lines without their newlines; bytes that are no UTF-8 become surrogates."""
        first, last, known = self._known
        if not any(map(_suspect, self._lines[max(0, start - self._margin) : end + self._margin])):
            return [text(line.removesuffix(b"\n")) for line in self._lines[start:end]]
        if not (first <= start and end <= last):
            first, last = max(0, start - self._margin), min(len(self._lines), end + self._margin)
            known = masked_lines([text(line.removesuffix(b"\n")) for line in self._lines[first:last]])
            # Lines at the edge were not looked at with their neighbours.
            inner = 0 if first == 0 else min(self._margin, start - first)
            outer = 0 if last == len(self._lines) else min(self._margin, last - end)
            first, last, known = first + inner, last - outer, known[inner : len(known) - outer]
            self._known = (first, last, known)
        return known[start - first : end - first]


def margin_of(data: bytes) -> int:
    """Return how many lines around those that are shown are to be looked at for secrets of a text."""
    return _FAR if _KEY in data else _NEAR


def _suspect(line: bytes) -> bool:
    """Whether a line may hold a secret or a part of one, which is remembered: versions of a text share most lines."""
    return _short(line) if len(line) < _SHORT else may_hold("\n" + text(line))


@lru_cache(maxsize=1 << 15)
def _short(line: bytes) -> bool:
    return may_hold("\n" + text(line))
