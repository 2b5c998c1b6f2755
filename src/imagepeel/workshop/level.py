"""What a level of the course is made of, and the sheet of questions that several levels share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

MOST_BYTES = 1 << 20
"""Bytes of a file of the learner that are read: answers and programs are pages, not books."""

SHEET = "answers.txt"


class Missing(Exception):
    """The level does not hold yet: one sentence what is missing, one what helps."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Question(msgspec.Struct, frozen=True):
    """A line of an answer sheet.

    `key` names it in the sheet, `asked` is the question, `answers` are the accepted ones (compared without case and
    outer spaces), the first of them the one of the solution; `hint` says how to find out.  `inside` accepts an answer
    of at least so many characters that is a part of the first one.
    """

    key: str
    asked: str
    answers: tuple[str, ...]
    hint: str
    inside: int = 0

    def accepts(self, given: str) -> bool:
        """Whether an answer is right."""
        said = " ".join(given.casefold().split())
        known = [" ".join(one.casefold().split()) for one in self.answers]
        return said in known or (self.inside > 0 and len(said) >= self.inside and said in known[0])


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One level.

    `idea` is the one new thing that it teaches; `minutes` what a room needs; `paths` the courses (20, 60, 120 minutes)
    that it belongs to.  `prepare(folder)` writes what the exercise needs, `check(folder)` raises `Missing` until the
    exercise is done, `solution(folder)` returns the files that do it, by name: where `solution.sh` is among them, it
    does the rest.
    """

    number: int
    name: str
    title: str
    idea: str
    minutes: int
    paths: tuple[int, ...]
    prepare: Callable[[Path], None]
    check: Callable[[Path], None]
    solution: Callable[[Path], dict[str, str]]

    @property
    def folder(self) -> str:
        """The name of its folder in the course."""
        return f"{self.number:02}-{self.name}"


def missing(what: str, hint: str) -> NoReturn:
    """Say that the level does not hold yet."""
    raise Missing(what, hint)


def learned(folder: Path, name: str, hint: str) -> bytes:
    """Read a file that the learner makes; `Missing` where it is not there, no file, or longer than a megabyte."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        missing(f"there is no file {name}", hint)
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        missing(f"{name} is longer than a megabyte", hint)
    return data


def sheet(questions: Sequence[Question], answers: Sequence[str] = ()) -> str:
    """Return an answer sheet: the questions as comments, each with a line to fill in."""
    given = [*answers, *("",) * (len(questions) - len(answers))]
    lines = ["# One line a question: write behind the = sign."]
    for question, answer in zip(questions, given, strict=True):
        lines += ["", f"# {question.asked}", f"{question.key} = {answer}".rstrip()]
    return "\n".join(lines) + "\n"


def solved(questions: Sequence[Question]) -> str:
    """Return the answer sheet with its answers."""
    return sheet(questions, [question.answers[0] for question in questions])


def check_sheet(folder: Path, questions: Sequence[Question]) -> None:
    """Compare the learner's answer sheet with the answers, and name the first one that is not right."""
    given: dict[str, str] = {}
    for line in learned(folder, SHEET, f"take {SHEET} out of the course again").decode("utf-8", "replace").splitlines():
        key, found, answer = line.partition("=")
        if found and not line.lstrip().startswith("#"):
            given[key.strip()] = answer.strip()
    for question in questions:
        if question.key not in given:
            missing(f"{SHEET} has no line '{question.key} = ...'", question.asked)
        if not given[question.key]:
            missing(f"'{question.key}' is not answered", question.asked)
        if not question.accepts(given[question.key]):
            missing(f"'{question.key}' has another answer than the one given", question.hint)
