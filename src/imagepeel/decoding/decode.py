"""From a text, an exit code or a signal to what it says: judge, engines, errno, path, and all causes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from imagepeel.decoding import clean, old
from imagepeel.decoding.causes import false_friends, ordered
from imagepeel.decoding.states import EXIT, KILLED, NOT_KILLED, SIGNALS, STATES, State, of_exit, of_signal
from imagepeel.decoding.words import SURE, Place, Words, anchor, errno_of, find, table
from imagepeel.decoding.wrapping import engines_of, exit_of
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.registry import ENGINES, FAMILIES, find_engine
from imagepeel.process.spec.failure import FailureCode, Judge
from imagepeel.tables import ErrnoName

_MOST = 12
"""Different things that are told of one text."""
Kind = Literal["failure", "exit code", "signal", "state"]
"""What was recognised."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a text says.

    `words` is the part of the text; `about` the path or name in it; `engines` those that put the words before it, ()
    where these name none.  `codes` are all failures that print it, likeliest first; `state` is what is no failure of a
    start.
    """

    kind: Kind
    words: str
    judge: Judge | None = None
    errno: ErrnoName = ""
    about: str = ""
    engines: tuple[str, ...] = ()
    codes: tuple[FailureCode, ...] = ()
    friends: tuple[str, ...] = ()
    state: State | None = None
    since: str = ""
    """The versions that wrote it so, where it is not one that is followed."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """All that was recognised, and how much was looked through for how many texts."""

    readings: tuple[Reading, ...]
    lines: int
    texts: int
    unread: int = 0
    """Characters in the middle that were not looked at."""


def decode(text: str, engine: str = "") -> Decoded:
    """Say what a text, an exit code or a signal means; `engine` is NAME[@VERSION], "" where it is not known.

    UsageError for an unknown engine.
    """
    chosen = _engines(engine)
    plain = text.strip()
    if plain.isdigit() and len(plain) <= 3:
        return _alone(_of_exit(int(plain), chosen, asked=bool(engine)))
    number = _signal(plain)
    if number is not None:
        return _alone([_of_state("signal", plain, of_signal(number))])
    shown, unread = _bounded(plain)
    lines = list(clean.lines(shown))
    return Decoded(
        readings=tuple(_readings(lines, chosen, asked=bool(engine)))[:_MOST],
        lines=len(lines),
        texts=len(table()),
        unread=unread,
    )


def _alone(readings: Iterable[Reading]) -> Decoded:
    return Decoded(readings=tuple(readings), lines=1, texts=len(table()))


def _engines(name: str) -> tuple[Engine, ...]:
    """The newest of each family where none is named."""
    if name:
        return (find_engine(name)[0],)
    return tuple(one for family in FAMILIES for one in family.versions if one.version == family.default)


def _bounded(text: str) -> tuple[str, int]:
    unread = len(text) - clean.MOST - 1
    if unread <= 0:
        return text, 0
    half = clean.MOST // 2
    return f"{text[:half]}\n{text[-half:]}", unread


def _signal(word: str) -> int | None:
    name = word.upper() if word.upper().startswith("SIG") else f"SIG{word.upper()}"
    return next((number for number, (known, _) in SIGNALS.items() if known == name), None)


# ---- texts ------------------------------------------------------------------------------------------------------


def _readings(lines: Sequence[str], chosen: Sequence[Engine], *, asked: bool) -> list[Reading]:
    found = list(_failures(lines))
    strong = [reading for letters, reading in found if letters >= SURE]
    readings = strong or [reading for _, reading in found]
    codes = list(_codes_and_states(lines, chosen, asked=asked))
    return list(dict.fromkeys((*readings, *codes)))


def _failures(lines: Sequence[str]) -> Iterator[tuple[int, Reading]]:
    """Yield each text of a judge in the lines, with how much of it is words."""
    whole = "\n".join(lines)
    there = [one for one in table() if anchor(one.text) in whole]
    for line in lines:
        yield from _of_line(line, there)


def _of_line(line: str, there: Sequence[Words]) -> Iterator[tuple[int, Reading]]:
    old_one = list(_of_old(line))
    if old_one:
        yield from old_one
        return
    taken: list[tuple[int, int, int, list[Words], Place]] = []
    for one in there:
        if anchor(one.text) not in line:
            continue
        place = find(one.text, line)
        if place is None:
            continue
        across = next((known for known in taken if place.start < known[1] and known[0] < place.end), None)
        if across is None:
            taken.append((place.start, place.end, one.letters, [one], place))
        elif _same_text(line, place, one, across):
            across[3].append(one)
    for start, _, letters, said, place in sorted(taken, key=lambda one: one[0]):
        yield letters, _reading(line, start, said, place)


def _same_text(line: str, place: Place, one: Words, longer: tuple[int, int, int, list[Words], Place]) -> bool:
    """Whether shorter words that lie in longer ones can be meant as well: an engine put the rest before them."""
    if longer[:2] == (place.start, place.end) or longer[2] == one.letters:
        return True
    return place.end == longer[1] and bool(engines_of(line, place.start, one.judge))


def _reading(line: str, start: int, said: Sequence[Words], place: Place) -> Reading:
    judge = said[0].judge
    codes = ordered({code for one in said for code in one.codes}, place.about)
    errno = errno_of(line[start : place.end])
    return Reading(
        kind="failure",
        words=line[start : place.end],
        judge=judge,
        errno=errno,
        about=place.about,
        engines=engines_of(line, start, judge),
        codes=codes,
        friends=false_friends(judge, errno, codes),
        since=said[0].since,
    )


def _of_old(line: str) -> Iterator[tuple[int, Reading]]:
    for text in old.EXECVE:
        at = line.find(text.partition("\0")[0])
        if at < 0:
            continue
        rest = line[at + len(text) - (2 if text.endswith('"') else 1) :]
        errno = old.errno_in(rest)
        codes = ordered(_of_kernel().get(errno, ()))
        if codes:
            yield (
                SURE,
                Reading(
                    kind="failure",
                    words=line[at : at + 120],
                    judge=Judge.KERNEL,
                    errno=errno,
                    codes=codes,
                    friends=false_friends(Judge.KERNEL, errno, codes),
                    since=old.SINCE,
                ),
            )
            return


@functools.cache
def _of_kernel() -> dict[ErrnoName, frozenset[FailureCode]]:
    """The failures of execve, by errno: from today's words for them."""
    found: dict[ErrnoName, set[FailureCode]] = {}
    for one in table():
        if one.judge is Judge.KERNEL:
            found.setdefault(one.errno, set()).update(one.codes)
    return {errno: frozenset(codes) for errno, codes in found.items()}


# ---- exit codes, signals and states ------------------------------------------------------------------------------


def _codes_and_states(lines: Sequence[str], chosen: Sequence[Engine], *, asked: bool) -> Iterator[Reading]:
    whole = NOT_KILLED.sub("", "\n".join(lines))
    states = {state.id: (word, state) for word, state in reversed(STATES) if word in whole}
    for word, state in reversed(states.values()):
        yield _of_state("state", word, state)
    signals = dict.fromkeys((found[1] or found[2], found[0]) for found in KILLED.finditer(whole))
    numbers = {int(name) if name.isdigit() else _signal(name): words for name, words in signals}
    for number, words in numbers.items():
        if number is not None:
            yield _of_state("signal", words, of_signal(number))
    exits = dict.fromkeys(int(found[1] or found[2]) for found in EXIT.finditer(whole))
    for number in exits:
        if number - 128 not in numbers:
            yield from _of_exit(number, chosen, asked=asked)


def _of_state(kind: Kind, words: str, state: State) -> Reading:
    return Reading(kind=kind, words=words, friends=state.friends, state=state)


def _of_exit(number: int, chosen: Sequence[Engine], *, asked: bool) -> Iterator[Reading]:
    if number > 255:
        return
    state = of_exit(number)
    answering = [engine for engine in chosen if number in _exits(engine.label)]
    codes: set[FailureCode] = set()
    for engine in answering:
        codes |= _exits(engine.label)[number]
    if number in (0, 1, 2) or (number > 128 and number - 128 in SIGNALS and number != 128):
        codes, answering = set(), []
    yield Reading(
        kind="signal" if state.id.startswith("SIG") else "exit code",
        words=str(number),
        engines=tuple(engine.label for engine in answering) if asked or answering else (),
        codes=ordered(codes),
        friends=state.friends,
        state=state,
    )


@functools.cache
def _exits(label: str) -> dict[int, frozenset[FailureCode]]:
    """The failures that an engine answers with each exit code: its own answer to every text of the table."""
    engine = next(one for one in ENGINES if one.label == label) if "@" in label else find_engine(label)[0]
    found: dict[int, set[FailureCode]] = {}
    for one in table():
        for code in exit_of(engine, one.judge, one.text, one.errno, one.exits):
            found.setdefault(code, set()).update(one.codes)
    return {code: frozenset(codes) for code, codes in found.items()}
