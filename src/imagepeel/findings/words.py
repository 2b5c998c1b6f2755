"""Plain wording shared by rules."""

from __future__ import annotations

from collections.abc import Sequence


def listed(items: Sequence[str], most: int = 6) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 7 more`."""
    shown = list(items[:most])
    if len(items) > most:
        shown.append(f"{len(items) - most:,} more")
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def count(number: int, word: str, plural: str = "") -> str:
    """`1 file`, `3 files`, `2 entries`, `12,000 paths`."""
    if number == 1:
        return f"1 {word}"
    return f"{number:,} {plural or word + 's'}"


def size(number: int) -> str:
    """Bytes with thousands separators, exact."""
    return f"{number:,} bytes" if number != 1 else "1 byte"


def clip(words: str, most: int = 80) -> str:
    """The text, or its start and its end when it is longer than `most` characters."""
    return words if len(words) <= most else f"{words[: most - 20]}...{words[-17:]}"
