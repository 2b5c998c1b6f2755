"""What people paste, made readable: lines without colours, without the quoting of JSON, and never more than a bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from imagepeel._lazy import late
from imagepeel.errors import Malformed

MOST = 1 << 20
"""Bytes that are looked at: of more, the first and the last half."""
ENDLESS = 256 << 20
"""Bytes of a stream that are waited for."""
LONGEST = 32768
"""Characters of a line that are looked at in one go."""
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u00b4", "''\"\"'") | {ord("`"): "'"}
_ANSI = late(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|[@-Z\\-_])")
_QUOTED = late(r"\\{1,15}([\"'/])")
_BREAKS = late(r"\\{1,15}r?\\{0,15}n")
_BLANKS = late(r"[ \t]+")


def readable(data: bytes | str) -> str:
    """The text of some bytes.  Malformed where they are no text: an archive, a program."""
    if isinstance(data, bytes):
        if b"\0" in data[:4096] or sum(byte < 9 for byte in data[:4096]) > 16:
            raise Malformed("this is no text but binary data", hint="give the error text, or name the archive itself")
        data = data.decode("utf-8", "replace")
    return data


def bounded(stream: BinaryIO) -> tuple[bytes, int]:
    """The bytes of a stream, of more than `MOST` its first and last half, and how many are left out.

    After `ENDLESS` nobody waits for the end.  Malformed where it begins with what is no text.
    """
    head = stream.read(MOST)
    readable(head)
    tail, count = b"", len(head)
    while len(head) == MOST and count < ENDLESS and (chunk := stream.read(MOST)):
        tail = (tail + chunk)[-MOST // 2 :]
        count += len(chunk)
    if not tail:
        return head, 0
    kept = head[: MOST // 2] + b"\n" + (head + tail)[-MOST // 2 :]
    return kept, count - MOST


def plain(text: str) -> str:
    """The text with plain quotes and single blanks.

    Programs of GNU write other quotes in UTF-8 locales.
    """
    return _BLANKS.sub(" ", text.translate(_QUOTES))


def lines(text: str) -> Iterator[str]:
    """Yield each different line once, long ones in overlapping parts."""
    text = plain(_ANSI.sub("", text).replace("\r\n", "\n"))
    seen: set[str] = set()
    for whole in text.split("\n"):
        for line in _parts(whole):
            if line and line not in seen:
                seen.add(line)
                yield line


def _parts(whole: str) -> Iterator[str]:
    step = LONGEST // 2
    for start in range(0, max(len(whole) - step, 1), step):
        part = whole[start : start + LONGEST]
        yield part.strip()
        if "\\" in part:
            plain = _QUOTED.sub(r"\1", part)
            yield from (piece.strip() for piece in _BREAKS.sub("\n", plain).split("\n"))
