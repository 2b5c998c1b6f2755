"""The words of execline: blocks, options and substitution, and what a program of it may do (2.9.3)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.rootfs.view import Rootfs

MAX_OUT = 5_000
"""Words that a substitution may make."""


class NotFollowed(Exception):
    """What a program does with these words is not followed; the reason is for people."""


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A call of one program of execline."""

    name: str
    words: list[str]
    rootfs: Rootfs
    image: ShellImage
    state: ProcessState
    depth: int = 0


Does = Wrapped | Failure | None
"""What the program does; None where it has no command left and says how it is to be used."""
Run = Callable[[Called], Does]


def is_execline(rootfs: Rootfs, program: bytes) -> bool:
    """Whether a file with such a name is of execline: other programs have these names, and no execlineb beside them."""
    folder, _, own = program.rpartition(b"/")
    if own.startswith((b"execline", b"s6-")):
        return True
    return rootfs.resolve(folder + b"/execlineb").node is not None


def wrapped(name: str, argv: Sequence[str], **more: Any) -> Wrapped:
    return Wrapped(**{"program": name, "family": "execline", "kind": "exec", "argv": tuple(argv), **more})


def fails(message: str, exit_code: int, why: str, fix: str) -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS, judge=Judge.USERLAND, message=message, exit_code=exit_code, why=why, fix=fix
    )


def options_of(words: Sequence[str], valued: str = "") -> tuple[dict[str, str], list[str]]:
    """Options in front, each with its value or ""."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest and len(rest[0]) > 1 and rest[0][0] == "-":
        option = rest.pop(0)
        if option == "--":
            break
        for at, letter in enumerate(option[1:], 1):
            if letter in valued:
                found[letter] = option[at + 1 :] or (rest.pop(0) if rest else "")
                break
            found[letter] = ""
    return found, rest


def taken(call: Called, known: str, valued: str = "") -> tuple[dict[str, str], list[str]]:
    """The options of a program that has no others than these."""
    options, rest = options_of(call.words, valued)
    strange = "".join(sorted(options.keys() - set(known + valued)))
    if strange:
        raise NotFollowed(f"its option -{strange[0]} is not followed")
    return options, rest


def block_of(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the block in front, unmarked, and what is behind it."""
    for at, word in enumerate(words):
        if not word:
            return [one[1:] for one in words[:at]], words[at + 1 :]
        if not word.startswith(" "):
            break
    raise NotFollowed("its block has no end")


def goes_on(call: Called, rest: Sequence[str], **more: Any) -> Does:
    """Execute the rest; without one the program ends with 0, as those do that call execline's own exec."""
    if not rest:
        return wrapped(call.name, (), kind="none", why=f"{call.name} has nothing left to execute and ends with 0")
    return wrapped(call.name, rest, **more)


def needs_rest(call: Called, rest: Sequence[str], **more: Any) -> Does:
    """The same for a program that asks for a command."""
    return wrapped(call.name, rest, **more) if rest else None


_NAMED = late(r"\$\{([^}]{0,255}+)\}|\$([^${}]+)$")
"""A name without braces counts at the end of a word only."""


def substituted(word: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The words that one word becomes: none or several where a value is none or several words."""
    pieces: list[Sequence[str]] = []
    at, names = 0, 0
    for found in _NAMED.finditer(word):
        name = found[1] if found[1] is not None else found[2]
        if name in values:
            pieces += [[word[at : found.start()]], values[name]]
            at, names = found.end(), names + 1
    if not names:
        return [word]
    size = 1
    for piece in pieces:
        size *= len(piece)
    if size > MAX_OUT or size * len(word) > 1 << 20:
        raise NotFollowed("the words become too many")
    return ["".join((*one, word[at:])) for one in itertools.product(*pieces)]


def substituted_all(words: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[str]:
    out: list[str] = []
    for word in words:
        out += substituted(word, values)
        if len(out) > MAX_OUT:
            raise NotFollowed("the words become too many")
    return out


def hidden(variable: str) -> tuple[str, ...]:
    """A variable whose value nobody knows before the start, of those that decide no search."""
    if variable == "PATH" or variable.startswith("LD_"):
        raise NotFollowed(f"only the start tells the value of {variable}, which decides what is found")
    return (variable,)
