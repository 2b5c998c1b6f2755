"""execline: a script is one command line, and each of its programs executes the rest of it (execline 2.9, seen).

`execlineb` reads the script and marks the words of a block `{ ... }` by a space in front, its end by an empty word.
`foreground`, `if`, `export` and the others take their own words off and execute what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.process.spec.access import READ, check_access, permits
from imagepeel.process.spec.failure import Failure
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.wrappers.execline_programs import PROGRAMS
from imagepeel.process.wrappers.execline_words import (
    Called,
    NotFollowed,
    fails,
    is_execline,
    options_of,
    substituted,
    wrapped,
)
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.text import decimal

if TYPE_CHECKING:
    from imagepeel.process.kernel.execve import ExecveResult
    from imagepeel.process.shell.image import ShellImage
    from imagepeel.rootfs.view import Rootfs

_MAX = 65_536
"""Bytes of a script that are read."""
_MAX_WORDS = 5_000


def read_execline(
    rootfs: Rootfs, chain: ExecveResult, state: ProcessState, image: ShellImage
) -> Wrapped | Failure | None:
    """What a program of execline does with its words; None for every other program."""
    argv = chain.argv
    name = argv[0].rsplit("/", 1)[-1] if argv else ""
    own = text(chain.final or b"").rsplit("/", 1)[-1]
    if own == "execlineb":
        return _script(rootfs, argv, state)
    if own not in (name, "execline") and own not in PROGRAMS:
        return None
    run = PROGRAMS.get(name)
    if run is None or chain.scripts or not is_execline(rootfs, chain.final or b""):
        return None
    try:
        found = run(Called(name=name, words=list(argv[1:]), rootfs=rootfs, image=image, state=state))
    except NotFollowed as reason:
        return wrapped(name, (), kind="unknown", why=f"{name}: {reason}")
    if found is None:
        return wrapped(name, (), kind="none", why=f"{name} is given no command", failure_exit=100)
    return found


# -- the script ----------------------------------------------------------------------------------------------


class _Call(msgspec.Struct, kw_only=True):
    """The command line of execlineb: the text of -c, the count of -S (-1: none, -2: not understood), the operands."""

    body: str | None = None
    count: int = -1
    words: list[str]
    hands_down: bool
    """The operands go into the environment as `#`, `0`, `1` and so on."""


def _call(words: list[str]) -> _Call:
    options, rest = options_of(words, "Ssc")
    count = next((options[letter] for letter in "Ss" if letter in options), None)
    known = not options.keys() - set("PpqwWeSsc")
    hands = not options.keys() & set("PpSs")
    told = None if count is None else decimal(count)
    number = -1 if count is None else -2 if told is None else told
    return _Call(body=options.get("c"), count=number if known else -2, words=rest, hands_down=hands)


def _script(rootfs: Rootfs, argv: tuple[str, ...], state: ProcessState) -> Wrapped | Failure:
    """The command line that execlineb makes of its script."""
    call = _call(list(argv[1:]))
    if call.count == -2:
        return wrapped("execlineb", (), kind="unknown", why="the options of execlineb are not understood")
    body, arg0 = call.body, argv[0]
    if body is None:
        if not call.words:
            return wrapped("execlineb", (), kind="none", why="execlineb is given no script", failure_exit=100)
        arg0 = call.words.pop(0)
        seen = check_access(rootfs, arg0, state.after, state.cwd)
        node = seen.node
        if node is None or not node.is_file or node.size > _MAX or not permits(node, state.after, READ):
            return wrapped("execlineb", (), kind="unknown", why=f"execlineb cannot read {arg0}")
        body = text(rootfs.read(seen.resolution.path, 0, node.size))
    try:
        line = parse_execline(body)
        line = line if call.count < 0 else _positional(line, call.words, arg0, call.count)
        env = _handed_down(call, arg0)
    except NotFollowed as reason:
        if "unmatched" in str(reason):
            why = "the script has a brace without its other half"
            return fails(f"execlineb: fatal: {reason}", 100, why, "correct the script")
        return wrapped("execlineb", (), kind="unknown", why=f"execlineb: {reason}")
    if not line:
        return wrapped("execlineb", (), kind="none", why="the script is empty")
    return wrapped("execlineb", tuple(line), env=env)


def _handed_down(call: _Call, arg0: str) -> dict[str, str | None]:
    if not call.hands_down:
        return {}
    return {"#": str(len(call.words)), "0": arg0, **{str(number): word for number, word in enumerate(call.words, 1)}}


def parse_execline(body: str) -> list[str]:
    """Split a script into words, those of blocks marked as execlineb marks them.  Raises for unmatched braces."""
    out: list[str] = []
    depth, at, size = 0, 0, len(body)
    while at < size:
        if body[at] in " \t\r\n":
            at += 1
            continue
        if body[at] == "#":
            end = body.find("\n", at)
            at = size if end < 0 else end
            continue
        word, plain, at = _word(body, at)
        if plain and word == "{":
            depth += 1
        elif plain and word == "}":
            depth -= 1
            if depth < 0:
                raise NotFollowed("unmatched }")
            out.append(" " * depth)
        else:
            out.append(" " * depth + word)
        if len(out) > _MAX_WORDS:
            raise NotFollowed("the script is too long")
    if depth:
        raise NotFollowed("unmatched {")
    return out


def _word(body: str, at: int) -> tuple[str, bool, int]:
    """One word from here, whether it is wholly unquoted, and where reading goes on."""
    chars: list[str] = []
    plain, quoted = True, False
    while at < len(body):
        char = body[at]
        if char == "\\":
            plain = False
            following = body[at + 1 : at + 2]
            if following in "0123456789abnrtvf" and following:
                raise NotFollowed("an escape by number or name is not followed")
            chars.append("" if following == "\n" else following)
            at += 2
            continue
        if char == '"':
            plain, quoted = False, not quoted
        elif not quoted and char in " \t\r\n":
            break
        else:
            chars.append(char)
        at += 1
    if quoted:
        raise NotFollowed("a quote without its end")
    return "".join(chars), plain, at


def _positional(line: list[str], args: list[str], arg0: str, least: int) -> list[str]:
    """`$1`, `$#`, `$0` and `$@` of a script that was started with -S; those up to its number may be empty."""
    values = {str(number): "" for number in range(1, min(least, _MAX_WORDS) + 1)}
    values |= {str(number): word for number, word in enumerate(args, 1)} | {"#": str(len(args)), "0": arg0}
    out: list[str] = []
    for word in line:
        bare = word.lstrip(" ")
        if bare in ("$@", "${@}"):
            out += [word[: len(word) - len(bare)] + one for one in args]
        elif "$@" in bare or "${@}" in bare:
            raise NotFollowed("$@ inside a word is not followed")
        else:
            out += substituted(word, {name: [value] for name, value in values.items()})
    return out
