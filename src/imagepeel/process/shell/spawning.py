"""Tools that start other programs and wait for them: run-parts, xargs, `find -exec`.

Measured: debianutils 5.7 and findutils 4.9 in the C locale, and busybox 1.35, as Debian builds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from imagepeel.process.shell.listing import has_curly_quotes, kind_of, runs_on
from imagepeel.process.shell.scope import Scope
from imagepeel.process.shell.tools import Judged
from imagepeel.tables import ERRNO_LIBC

_MAX_CALLS = 100


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How one program ended, or why it could not be started."""

    code: int = 0
    said: str = ""
    errno: Literal["", "ENOENT", "EACCES"] = ""
    changes: bool = False


Run = Callable[[tuple[str, ...]], "Ran | None"]
"""Starts a program; None where its end is not known."""


def spawned(argv: Sequence[str], scope: Scope, given: str | None, run: Run) -> Judged | None:
    """How a tool ends that starts programs, where each of them is known to end; None for every other command.

    `given` is what it reads from standard input.
    """
    name = argv[0].rsplit("/", 1)[-1]
    if name not in SPAWNS or (name == "find" and "-exec" not in argv):
        return None
    family = scope.family(argv[0]) if scope.family is not None else None
    if family is None:
        return None
    changed = False

    def noted(words: tuple[str, ...]) -> Ran | None:
        nonlocal changed
        ran = run(words)
        changed = changed or (ran is not None and ran.changes)
        return ran

    if name == "run-parts":
        found = _run_parts(argv[1:], scope, family, noted)
    else:
        found = _find(argv, scope, family, noted) if name == "find" else _xargs(argv[1:], family, given, noted)
    return None if found is None else Judged(found[0], "\n".join(one for one in found[1] if one), changed)


SPAWNS = frozenset(("run-parts", "xargs", "find"))


_End = tuple[int, list[str]]
"""An exit code and what is written to standard error."""


def _run_parts(words: Sequence[str], scope: Scope, family: str, run: Run) -> _End | None:
    """The executable files of a directory, by name; those of Debian have no other signs in it than `_` and `-`."""
    options = [word for word in words if word.startswith("-")]
    places = [word for word in words if not word.startswith("-")]
    if len(places) != 1 or set(options) - {"--exit-on-error"} or scope.names is None or scope.test is None:
        return None
    top = places[0]
    kind = kind_of(top, scope, follow=True)
    busybox = family == "busybox"
    if kind == "":
        missing = f"{top}: No such file or directory"
        return (0, [f"run-parts: {missing}"]) if busybox else (1, [f"run-parts: failed to open directory {missing}"])
    names = scope.names(top) if kind == "d" else None
    if names is None or len(names) > _MAX_CALLS:
        return None
    code = 0
    said: list[str] = []
    for name in names:
        plain = re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None
        if not plain and (busybox and not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name)):
            return None
        path = f"{top.rstrip('/') if busybox else top}/{name}"
        executable = scope.test("x", path)
        if executable is None:
            return None
        if (not plain and not busybox) or not executable or kind_of(path, scope, follow=True) == "d":
            continue
        ran = run((path,))
        if ran is None:
            return None
        said.append(ran.said)
        if ran.errno:
            words_of = ERRNO_LIBC[ran.errno]
            said.append(
                f"run-parts: can't execute '{path}': {words_of}" if busybox else
                f"run-parts: failed to exec {path}: {words_of}\nrun-parts: {path} exited with return code 1"
            )  # fmt: skip
        elif ran.code:
            ended = f"{path}: exit status {ran.code}" if busybox else f"{path} exited with return code {ran.code}"
            said.append(f"run-parts: {ended}")
        code = code or int(bool(ran.errno or ran.code))
        if code and options:
            break
    return (code, said)


def _find(argv: Sequence[str], scope: Scope, family: str, run: Run) -> _End | None:
    """`find -exec`: one call for each path, whose failure nobody counts, or one for all, whose failure counts."""
    asked = runs_on(argv, scope)
    if asked is None:
        return None
    (*command, end), listed = asked
    paths = listed.text.splitlines()
    if "\\" in listed.text or len(paths) > _MAX_CALLS or not command or (len(paths) > 1 and not listed.ordered):
        return None
    code, said = listed.code, [listed.said]
    calls = [[path] for path in paths] if end == ";" else [paths] if paths else []
    for words in calls:
        vector: list[str] = []
        for word in command:
            vector += words if word == "{}" else [word]
        if any("{}" in word for word in vector):
            return None
        ran = run(tuple(vector))
        if ran is None or (ran.errno and family != "busybox" and has_curly_quotes(scope)):
            return None
        shown = vector[0] if family == "busybox" else f"'{vector[0]}'"
        said.append(f"find: {shown}: {ERRNO_LIBC[ran.errno]}" if ran.errno else ran.said)
        if end == "+" and (ran.errno or ran.code):
            code = 1
    return (code, said)


class _Xargs(msgspec.Struct, kw_only=True):
    """The options of one call of xargs."""

    ends: str = ""
    size: int = 0
    place: str = ""
    not_empty: bool = False
    command: tuple[str, ...] = ()


def _options(words: Sequence[str]) -> _Xargs | None:
    asked = _Xargs()
    rest = list(words)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        letter, value = word[1], word[2:]
        if word in ("-0", "--null"):
            asked.ends = "\0"
        elif word in ("-r", "--no-run-if-empty"):
            asked.not_empty = True
        elif letter in "nI" and not word.startswith("--"):
            value = value or (rest.pop(0) if rest else "")
            if letter == "n" and not re.fullmatch(r"[1-9][0-9]{0,3}", value):
                return None
            asked.size, asked.place = (int(value), asked.place) if letter == "n" else (1, value)
        elif word[1:].strip("0r") == "":
            asked.ends, asked.not_empty = "\0", True
        else:
            return None
    asked.command = tuple(rest)
    return asked


def _xargs(words: Sequence[str], family: str, given: str | None, run: Run) -> _End | None:
    asked = _options(words)
    if asked is None or not asked.command or given is None or any(sign in given for sign in "'\"\\"):
        return None
    lines = asked.place and not asked.ends
    pieces = given.split(asked.ends) if asked.ends else given.splitlines() if lines else given.split()
    pieces = [piece.strip(" \t") if lines else piece for piece in pieces if piece]
    size = asked.size or len(pieces) or 1
    groups = [pieces[at : at + size] for at in range(0, len(pieces), size)]
    if not groups and not asked.not_empty and not asked.place:
        groups = [[]]
    if len(groups) > _MAX_CALLS:
        return None
    code = 0
    said: list[str] = []
    for group in groups:
        vector = (*asked.command, *group)
        if asked.place:
            command = asked.command if family == "busybox" else asked.command[1:]
            first = () if family == "busybox" else asked.command[:1]
            vector = (*first, *(word.replace(asked.place, group[0]) for word in command))
        ran = run(vector)
        if ran is None:
            return None
        if ran.errno:
            said.append(f"xargs: {vector[0]}: {ERRNO_LIBC[ran.errno]}")
            return (127 if ran.errno == "ENOENT" else 126, said)
        said.append(ran.said)
        if ran.code == 255:
            said.append(f"xargs: {vector[0]}: exited with status 255; aborting")
            return (124, said)
        code = 123 if ran.code else code
    return (code, said)
