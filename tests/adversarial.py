"""Texts on which a pattern that backtracks is slow, made from the pattern itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from re import _constants as codes  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]

_COMMON = "a0A \n\t=:/.-_\"'\\$#|x("
_MANY = 50
"""A repeat of fewer is bounded by itself."""


def _of_set(items: Any) -> str:
    """A character of a set, or of the complement that it stands for."""
    negated = bool(items) and items[0][0] is codes.NEGATE
    for candidate in _COMMON + "".join(map(chr, range(33, 127))) + "\0\r\x1f\x7f\xc2\u200b":
        if _in_set(items[1:] if negated else items, ord(candidate)) is not negated:
            return candidate
    first = items[1 if negated else 0]
    return chr(first[1] if first[0] is codes.LITERAL else first[1][0])


_CATEGORIES = {
    codes.CATEGORY_DIGIT: str.isdigit,
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_WORD: lambda text: text.isalnum() or text == "_",
}
_OPPOSITES = {
    codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
    codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
    codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
}


def _in_set(items: Any, code: int) -> bool:
    for kind, value in items:
        if kind is codes.LITERAL and value == code:
            return True
        if kind is codes.RANGE and value[0] <= code <= value[1]:
            return True
        if kind is codes.CATEGORY:
            plain = _OPPOSITES.get(value, value)
            if _CATEGORIES[plain](chr(code)) is (plain is value):
                return True
    return False


def _sample(nodes: Any) -> str:
    """A short text that the nodes match, as far as that can be told without searching."""
    out = []
    for kind, value in nodes:
        if kind is codes.LITERAL:
            out.append(chr(value))
        elif kind is codes.NOT_LITERAL:
            out.append("a" if value != ord("a") else "b")
        elif kind is codes.ANY:
            out.append("a")
        elif kind is codes.IN:
            out.append(_of_set(value))
        elif kind is codes.BRANCH:
            out.append(_sample(value[1][0]))
        elif kind is codes.SUBPATTERN:
            out.append(_sample(value[3]))
        elif kind is codes.ATOMIC_GROUP:
            out.append(_sample(value))
        elif kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            out.append(_sample(value[2]) * min(max(value[0], 1 if value[1] else 0), 300))
    return "".join(out)


def _children(kind: Any, value: Any) -> list[Any]:
    if kind is codes.BRANCH:
        return list(value[1])
    if kind is codes.SUBPATTERN:
        return [value[3]]
    if kind is codes.ATOMIC_GROUP:
        return [value]
    if kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        return [value[2]]
    if kind in (codes.ASSERT, codes.ASSERT_NOT):
        return [value[1]]
    return []


def _pieces(nodes: Any, before: str) -> Iterator[tuple[str, str]]:
    """For each part of the pattern what stands before it and what matches it."""
    for at, (kind, value) in enumerate(nodes):
        front = before + _sample(nodes[:at])
        own = _sample(nodes[at : at + 1])
        yield front, own
        for child in _children(kind, value):
            yield from _pieces(child, front)


def texts(source: str | bytes, flags: int, size: int) -> Iterator[Any]:
    """Texts of about `size` characters that make the pattern begin, go on, and fail at the end."""
    shown = source if isinstance(source, str) else source.decode("latin-1")
    tree = list(parser.parse(shown, flags & ~re.UNICODE if isinstance(source, bytes) else flags))
    units: dict[tuple[str, str], None] = {}
    for front, own in _pieces(tree, ""):
        for unit in (own, front + own, "\n" + front + own, front + own + " "):
            if unit:
                units["", unit] = None
                units[front, unit] = None
    starts = {front for front, _ in units}
    for letter in "a0 \n/:=-":
        for front in sorted(starts, key=len)[:3]:
            units[front, letter] = None
    for front, unit in units:
        for end in ("\x01", " \x01 x"):
            text = front + unit * max((size - len(front)) // len(unit), 1) + end
            yield text if isinstance(source, str) else text.encode("latin-1", "replace")
