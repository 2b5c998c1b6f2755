"""The words of the judges, with holes where a path, a name or a number of the image stands, and where they are found.

A hole never reaches over the end of a line.  Finding is by plain search, piece after piece, so that a hostile line
costs what an honest one of its length costs.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import msgspec

from imagepeel._lazy import late
from imagepeel.decoding import old
from imagepeel.decoding.clean import plain
from imagepeel.process.spec.failure import FailureCode, Judge
from imagepeel.serialization import from_json
from imagepeel.tables import ERRNO_DJB, ERRNO_LIBC, ERRNO_MUSL, ErrnoName

HOLE, NUMBER, ERROR = "\0", "\1", "\2"
"""What stands for a name, for a number and for the words of any errno in the words of a judge."""
_MARKS = (HOLE, NUMBER, ERROR)
SURE = 20
"""Letters from which a text is nobody else's: shorter ones count where nothing longer is there."""
_LONGEST = 16384
"""Characters of one hole."""
_STARTS = 8
"""How often the first piece of a text is looked for in one line."""
_QUOTES = "\"'"
_ENDS = " \"',;()[]{}<>"
_NAME = late(r"[^ \"',;()\[\]{}<>]*")
_DIGITS = "0123456789"
_DIGITS_OF_ONE = 20


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """One text of one judge, and the failures that print it.

    `exits` are the exit codes of a program that gives up with it.
    """

    text: str
    judge: Judge
    codes: tuple[FailureCode, ...]
    exits: tuple[int, ...] = ()
    since: str = ""
    """The old versions that wrote it so; "" where today's do."""

    @property
    def letters(self) -> int:
        """How much of it is words: the longer one of two texts that fit says more."""
        return sum(map(str.isalnum, self.text))

    @property
    def errno(self) -> ErrnoName:
        """The error of Linux that it ends in; "" for none."""
        return errno_of(self.text)


def errno_of(text: str) -> ErrnoName:
    """The last error of Linux in a text; "" for none."""
    lower = text.lower()
    found = [(lower.rfind(said), len(said), errno) for said, errno in _ERRNO_WORDS.items() if said in lower]
    return max(found)[2] if found else ""


class _Told(msgspec.Struct, frozen=True):
    codes: tuple[FailureCode, ...]
    exits: tuple[int, ...] = ()


TABLE = Path(__file__).parent / "texts.json"
_ERRNO_WORDS: dict[str, ErrnoName] = {
    said.lower(): errno for table in (ERRNO_LIBC, ERRNO_MUSL, ERRNO_DJB) for errno, said in table.items() if errno
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where words stand in a line, and what they are about."""

    start: int
    end: int
    about: str
    """The name that the text is about: the first one, and not that of the program which speaks."""


@functools.cache
def pieces(text: str) -> tuple[str, ...]:
    """The words of a text between its holes, and the holes."""
    out: list[str] = []
    for char in text:
        if char in _MARKS or not out or out[-1] in _MARKS:
            out.append(char)
        else:
            out[-1] += char
    return tuple(out)


@functools.cache
def anchor(text: str) -> str:
    """The longest piece of a text: a line without it is not looked at."""
    return max((piece for piece in pieces(text) if piece not in _MARKS), key=len)


def find(text: str, line: str) -> Place | None:
    """The first place of a text in a line; None where it does not stand there."""
    parts = pieces(text)
    first = next(number for number, part in enumerate(parts) if part not in _MARKS)
    at = line.find(parts[first])
    for _ in range(_STARTS):
        if at < 0:
            return None
        place = _from(parts, first, line, at)
        if place is not None:
            return place
        at = line.find(parts[first], at + 1)
    return None


def _from(parts: tuple[str, ...], first: int, line: str, at: int) -> Place | None:
    start = at
    filled: list[str] = []
    for part in reversed(parts[:first]):
        before = _before(line, start, number=part == NUMBER)
        if before == start and part == NUMBER:
            return None
        filled.insert(0, line[before:start])
        start = before
    if not first and _joined(line, at):
        return None
    position = at + len(parts[first])
    rest = parts[first + 1 :]
    for number, part in enumerate(rest):
        if part == ERROR:
            said = next((one for one in _ERRNO_WORDS if line[position : position + len(one)].lower() == one), "")
            if not said:
                return None
            position += len(said)
            continue
        if part not in _MARKS:
            if not line.startswith(part, position):
                return None
            position += len(part)
            continue
        end = _hole_end(line, position, rest[number + 1 :], number=part == NUMBER)
        if end < 0:
            return None
        filled.append(line[position:end])
        position = end
    if parts[-1] not in _MARKS and _joined(line, position):
        return None
    names = [one for one in filled[parts[:2] == (HOLE, ": ") :] if one and not one.isdigit()]
    return Place(start=start, end=position, about=names[0] if names else "")


def _joined(line: str, at: int) -> bool:
    """Whether a word goes on over a place."""
    return 0 < at < len(line) and line[at - 1].isalnum() and line[at].isalnum()


def _before(line: str, end: int, *, number: bool) -> int:
    """Where a hole begins that ends before a piece: behind the last character that no name has."""
    start = max(0, end - _LONGEST)
    if number:
        return max(start, len(line[:end].rstrip(_DIGITS)))
    return max(start, *(line.rfind(char, start, end) + 1 for char in _ENDS))


def _hole_end(line: str, start: int, rest: tuple[str, ...], *, number: bool) -> int:
    """Where a hole ends: before the next words, else with the word; -1 where these do not follow."""
    if number:
        rest_of_line = line[start : start + _DIGITS_OF_ONE]
        count = len(rest_of_line) - len(rest_of_line.lstrip(_DIGITS))
        return start + count if count else -1
    quote = line[start - 1] if start and line[start - 1] in _QUOTES else ""
    following = rest[0] if rest else ""
    if following in ("", *_MARKS):
        name = _NAME.match(line, start, start + _LONGEST)
        return name.end() if name else start
    end = line.find(following, start, start + _LONGEST)
    if end < 0:
        return -1
    between = line[start:end]
    return end if quote or ": " not in between else -1


def _wider(known: Sequence[Words]) -> list[Words]:
    """Words of programs with any errno in the place of the one that was seen, and nothing behind it."""
    found: dict[str, tuple[set[FailureCode], set[int]]] = {}
    for one in known:
        lower = one.text.lower()
        places = [at for said in _ERRNO_WORDS if (at := lower.rfind(said)) > 0]
        front = one.text[: max(places, default=0)]
        if one.judge is Judge.USERLAND and sum(map(str.isalnum, front)) >= SURE:
            codes, exits = found.setdefault(front + ERROR, (set(), set()))
            codes.update(one.codes)
            exits.update(one.exits)
    return [
        Words(text=text, judge=Judge.USERLAND, codes=tuple(sorted(codes)), exits=tuple(sorted(exits)))
        for text, (codes, exits) in found.items()
    ]


@functools.cache
def table() -> tuple[Words, ...]:
    """All texts, longest first."""
    data = from_json(TABLE.read_bytes(), dict[str, dict[Judge, _Told]])
    found = [
        Words(text=plain(text), judge=judge, codes=told.codes, exits=told.exits)
        for text, judges in data.items()
        for judge, told in judges.items()
    ]
    found += _wider(found)
    by_text = {one.text: one for one in found}
    for text, since, todays in old.ALIASES:
        like = [by_text[today] for today in todays]
        codes = tuple(dict.fromkeys(code for one in like for code in one.codes))
        found.append(Words(text=text, judge=like[0].judge, codes=codes, since=since))
    return tuple(sorted(found, key=lambda one: (-one.letters, one.text, one.judge)))
