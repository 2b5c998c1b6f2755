"""At which lines of a Dockerfile the steps of a history stand, where that is certain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from imagepeel._lazy import late
from imagepeel.history.attested import SourceLines, one_line
from imagepeel.history.builders import DEFAULT_SHELL, KEYWORDS, read_step
from imagepeel.oci.config import HistoryStep
from imagepeel.serialization import from_json

_FLAG = late(r"--\S{1,400}\s+")
_HERE = late(r"<<-?\s*[\"']?(\w{1,60})[\"']?")
_ESCAPE = late(r"(?i)#\s*escape\s*=\s*`")
CONFIG = {
    "Cmd": "CMD", "Entrypoint": "ENTRYPOINT", "Healthcheck": "HEALTHCHECK", "StopSignal": "STOPSIGNAL", "User": "USER",
    "WorkingDir": "WORKDIR",
}  # fmt: skip
"""Fields of a config of which the last instruction with that keyword decides."""


class _Instruction(NamedTuple):
    keyword: str
    words: tuple[str, ...]
    lines: SourceLines


def lines_of_steps(source: str, history: Sequence[HistoryStep]) -> tuple[SourceLines | None, ...]:
    """Return for each step the lines of the instruction that it was made of, None where that is not certain.

    It is where the instruction has the same keyword and words, flags apart, and no other one has them.
    Source: the reference of Dockerfiles (continuations, comments, heredocs, `# escape`).
    """
    known: dict[tuple[str, tuple[str, ...]], list[SourceLines]] = defaultdict(list)
    for one in _instructions(source):
        known[one.keyword, one.words].append(one.lines)
    found: list[SourceLines | None] = []
    for step in history:
        told = read_step(step, DEFAULT_SHELL)
        places = known.get((told.keyword, _words(told.text)), []) if told.keyword else []
        found.append(places[0] if len(places) == 1 else None)
    return tuple(found)


def deciding_step(field: str, history: Sequence[HistoryStep]) -> int | None:
    """Return the step that decides a field of the config, such as `User`; None where the history does not tell."""
    keyword = CONFIG.get(field)
    steps = [at for at, step in enumerate(history) if read_step(step, DEFAULT_SHELL).keyword == keyword]
    return steps[-1] if steps and keyword is not None else None


def _words(text: str) -> tuple[str, ...]:
    while (flag := _FLAG.match(text)) is not None:
        text = text[flag.end() :]
    if text.startswith("["):
        # Builders write lists without the blanks of the Dockerfile.
        try:
            listed = from_json(text, list[str])
        except msgspec.DecodeError:
            return tuple(text.split())
        return ("[", *listed)
    return tuple(text.split())


def _instructions(source: str) -> Iterator[_Instruction]:
    lines = source.replace("\r\n", "\n").split("\n")
    if any(_ESCAPE.match(line) for line in lines[:5]):
        return  # a backslash continues no line there
    at = 0
    while at < len(lines):
        keyword = lines[at].split(maxsplit=1)[0].upper() if lines[at].strip() else ""
        if keyword not in KEYWORDS:
            at += 1
            continue
        first = at
        while at < len(lines) - 1 and _goes_on(lines[at], within=at > first):
            at += 1
        words = one_line(lines[first : at + 1])
        if here := _HERE.search(words):
            while at < len(lines) - 1 and lines[at].strip() != here[1]:
                at += 1
        text = words.partition(" ")[2].strip()
        yield _Instruction(keyword, _words(text), SourceLines(first=first + 1, last=at + 1))
        at += 1


def _goes_on(line: str, *, within: bool) -> bool:
    """Whether an instruction goes on in the next line: comments and blank lines inside one do not end it."""
    return line.rstrip().endswith("\\") or (within and (not line.strip() or line.lstrip().startswith("#")))
