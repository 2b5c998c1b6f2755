"""Patterns of the shells (POSIX XCU 2.13) as regular expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence


def pattern_regex(pieces: Sequence[tuple[str, bool]]) -> re.Pattern[str] | None:
    """A shell pattern as a regular expression; a piece is (text, quoted).  None for brackets that are not simple.

    What follows each `*` is an atomic group that takes the first place that fits, which is right for such patterns
    and keeps matching fast on any text.
    """
    segments: list[list[str]] = [[]]
    for text, quoted in pieces:
        index = 0
        while index < len(text):
            char = text[index]
            if quoted or char not in "*?[":
                segments[-1].append(re.escape(char))
            elif char == "*":
                segments.append([])
            elif char == "?":
                segments[-1].append(".")
            else:
                closing = text.find("]", index + 2)
                inside = text[index + 1 : closing] if closing > 0 else ""
                if not re.fullmatch(r"[!^]?[A-Za-z0-9_.,/:+@% -]+", inside):
                    return None
                negate = "^" if inside[0] in "!^" else ""
                segments[-1].append(f"[{negate}{inside.lstrip('!^')}]")
                index = closing
            index += 1
    out = ["".join(segments[0])]
    for segment in segments[1:-1]:
        if segment:
            out.append(f"(?>.*?{''.join(segment)})")
    if len(segments) > 1:
        out.append(".*" + "".join(segments[-1]))
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return None
