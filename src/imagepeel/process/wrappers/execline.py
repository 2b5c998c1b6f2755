"""execline: a script is one command line, and each of its programs executes the rest of it (execline 2.9, seen).

`execlineb` reads the script and marks the words of a block `{ ... }` by a space in front, its end by an empty word.
`foreground`, `if`, `export` and the others take their own words off and execute what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.process.shell.ordinary import is_ordinary
from imagepeel.process.spec.access import EXECUTE, READ, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.tables import ERRNO_LIBC, ErrnoName
from imagepeel.text import decimal

if TYPE_CHECKING:
    from imagepeel.process.kernel.execve import ExecveResult
    from imagepeel.rootfs.view import Rootfs

_MAX = 65_536
"""Bytes of a script that are read."""
_MAX_WORDS = 5_000


def read_execline(rootfs: Rootfs, chain: ExecveResult, state: ProcessState) -> Wrapped | Failure | None:
    """What a program of execline does with its words; None for every other program."""
    argv = chain.argv
    name = argv[0].rsplit("/", 1)[-1] if argv else ""
    own = text(chain.final or b"").rsplit("/", 1)[-1]
    if own == "execlineb":
        return _script(rootfs, argv, state)
    run = _importing(state.env) if name == "importas" else _PROGRAMS.get(name)
    if own not in (name, "execline") and own not in _PROGRAMS:
        return None
    if run is None or chain.scripts:
        return None
    try:
        found = run(list(argv[1:]))
    except _NotFollowed as reason:
        return _wrapped(name, (), kind="unknown", why=f"{name}: {reason}")
    if found is None:
        return _wrapped(name, (), kind="none", why=f"{name} is given no command", failure_exit=100)
    if found.cwd:
        refused = _cannot_enter(rootfs, found.cwd, state)
        if refused:
            words = f"execline-cd: fatal: unable to chdir to {found.cwd}: {ERRNO_LIBC[refused]}"
            return _fails(words, 111, f"cd cannot enter {found.cwd}", f"add {found.cwd} to the image")
    return found


def _wrapped(name: str, argv: tuple[str, ...], **more: Any) -> Wrapped:
    return Wrapped(**{"program": name, "family": "execline", "kind": "exec", "argv": argv, **more})


class _NotFollowed(Exception):
    """What a program does with these words is not followed."""


def _fails(message: str, exit_code: int, why: str, fix: str) -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS, judge=Judge.USERLAND, message=message, exit_code=exit_code, why=why, fix=fix
    )


def _cannot_enter(rootfs: Rootfs, path: str, state: ProcessState) -> ErrnoName:
    seen = check_access(rootfs, path, state.after, state.cwd)
    if seen.errno or seen.node is None:
        return seen.errno
    if not seen.node.is_dir:
        return "ENOTDIR"
    return "" if permits(seen.node, state.after, EXECUTE) else "EACCES"


# -- the script ----------------------------------------------------------------------------------------------


class _Call(msgspec.Struct, kw_only=True):
    """The command line of execlineb: the text of -c, the count of -S (-1: none, -2: not understood), the operands."""

    body: str | None = None
    count: int = -1
    words: list[str]


def _call(words: list[str]) -> _Call:
    options, rest = _options(words, "Ssc")
    count = next((options[letter] for letter in "Ss" if letter in options), None)
    known = not options.keys() - set("PpqwWeSsc")
    told = None if count is None else decimal(count)
    number = -1 if count is None else -2 if told is None else told
    return _Call(body=options.get("c"), count=number if known else -2, words=rest)


def _script(rootfs: Rootfs, argv: tuple[str, ...], state: ProcessState) -> Wrapped | Failure:
    """The command line that execlineb makes of its script."""
    call = _call(list(argv[1:]))
    if call.count == -2:
        return _wrapped("execlineb", (), kind="unknown", why="the options of execlineb are not understood")
    body, arg0 = call.body, argv[0]
    if body is None:
        if not call.words:
            return _wrapped("execlineb", (), kind="none", why="execlineb is given no script", failure_exit=100)
        arg0 = call.words.pop(0)
        seen = check_access(rootfs, arg0, state.after, state.cwd)
        node = seen.node
        if node is None or not node.is_file or node.size > _MAX or not permits(node, state.after, READ):
            return _wrapped("execlineb", (), kind="unknown", why=f"execlineb cannot read {arg0}")
        body = text(rootfs.read(seen.resolution.path, 0, node.size))
    try:
        line = parse_execline(body)
        line = line if call.count < 0 else _positional(line, call.words, arg0, call.count)
    except _NotFollowed as reason:
        if "unmatched" in str(reason):
            why = "the script has a brace without its other half"
            return _fails(f"execlineb: fatal: {reason}", 100, why, "correct the script")
        return _wrapped("execlineb", (), kind="unknown", why=f"execlineb: {reason}")
    if not line:
        return _wrapped("execlineb", (), kind="none", why="the script is empty")
    return _wrapped("execlineb", tuple(line))


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
                raise _NotFollowed("unmatched }")
            out.append(" " * depth)
        else:
            out.append(" " * depth + word)
        if len(out) > _MAX_WORDS:
            raise _NotFollowed("the script is too long")
    if depth:
        raise _NotFollowed("unmatched {")
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
                raise _NotFollowed("an escape by number or name is not followed")
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
        raise _NotFollowed("a quote without its end")
    return "".join(chars), plain, at


_BRACED = late(r"\$\{([^}]{0,255}+)\}")
_LAST = late(r"\$([^${}]+)$")
"""A name without braces counts at the end of a word only."""


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
            raise _NotFollowed("$@ inside a word is not followed")
        else:
            out.append(_substituted(word, values))
    return out


def _substituted(word: str, values: Mapping[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        return values.get(found[1], found[0])

    return _LAST.sub(one, _BRACED.sub(one, word))


# -- the programs --------------------------------------------------------------------------------------------


def _block(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the block in front, unmarked, and what is behind it."""
    for at, word in enumerate(words):
        if not word:
            return [one[1:] for one in words[:at]], words[at + 1 :]
        if not word.startswith(" "):
            break
    raise _NotFollowed("its block has no end")


def _options(words: list[str], valued: str = "") -> tuple[dict[str, str], list[str]]:
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


def _behind(name: str, rest: list[str], **more: Any) -> Wrapped | None:
    return _wrapped(name, tuple(rest), **more) if rest else None


def _with_block(name: str) -> Callable[[list[str]], Wrapped | None]:
    def run(words: list[str]) -> Wrapped | None:
        block, rest = _block(_options(words, "x")[1])
        hangs = name == "if" and bool(block) and not is_ordinary(block)
        return _behind(name, rest, hangs=" ".join(block) if hangs else "")

    return run


def _exec(words: list[str]) -> Wrapped | None:
    options, rest = _options(words, "a")
    if not rest:
        return None
    given = options.get("a") or rest[0]
    return _behind(
        "exec", rest, env_clear="c" in options, argv0=f"-{given}" if "l" in options else options.get("a", "")
    )


def _cd(words: list[str]) -> Wrapped | None:
    rest = _options(words)[1]
    return _behind("cd", rest[1:], cwd=rest[0]) if rest else None


def _export(words: list[str]) -> Wrapped | None:
    if len(words) < 2:
        return None
    return _behind("export", words[2:], env={words[0]: words[1]})


def _unexport(words: list[str]) -> Wrapped | None:
    return _behind("unexport", words[1:], env={words[0]: None}) if words else None


def _emptyenv(words: list[str]) -> Wrapped | None:
    options, rest = _options(words)
    if options:
        raise _NotFollowed("its options are not followed")
    return _behind("emptyenv", rest, env_clear=True)


def _skipping(name: str, count: int, valued: str = "") -> Callable[[list[str]], Wrapped | None]:
    """A program that changes nothing that is looked at here."""

    def run(words: list[str]) -> Wrapped | None:
        return _behind(name, _options(words, valued)[1][count:])

    return run


def _define(words: list[str]) -> Wrapped | None:
    options, rest = _options(words, "d")
    if options or len(rest) < 3:
        raise _NotFollowed("its options are not followed")
    values = {rest[0]: rest[1]}
    return _behind("define", [_substituted(word, values) for word in rest[2:]])


def _importing(env: Mapping[str, str]) -> Callable[[list[str]], Wrapped | None]:
    """`importas [-u] [-D DEFAULT] NAME VARIABLE`: the rest of the line with the variable's value."""

    def run(words: list[str]) -> Wrapped | None:
        options, rest = _options(words, "D")
        if len(rest) < 3 or options.keys() - {"u", "D"}:
            raise _NotFollowed("its options are not followed")
        value = env.get(rest[1], options.get("D"))
        if value is None:
            raise _NotFollowed(f"{rest[1]} is not set")
        changes: dict[str, str | None] = {rest[1]: None} if "u" in options else {}
        return _behind("importas", [_substituted(word, {rest[0]: value}) for word in rest[2:]], env=changes)

    return run


def _unknown(words: list[str]) -> Wrapped | None:
    raise _NotFollowed("what it does with the rest of the line is not followed")


_PROGRAMS: dict[str, Callable[[list[str]], Wrapped | None]] = {
    "foreground": _with_block("foreground"),
    "background": _with_block("background"),
    "if": _with_block("if"),
    "exec": _exec,
    "cd": _cd,
    "execline-cd": _cd,
    "export": _export,
    "unexport": _unexport,
    "emptyenv": _emptyenv,
    "umask": _skipping("umask", 1),
    "execline-umask": _skipping("execline-umask", 1),
    "fdmove": _skipping("fdmove", 2),
    "fdclose": _skipping("fdclose", 1),
    "s6-softlimit": _skipping("s6-softlimit", 0, "acdflmnoprst"),
    "define": _define,
    **dict.fromkeys(
        (
            *("backtick", "case", "forbacktickx", "forstdin", "forx", "ifelse", "ifte", "ifthenelse"),
            *("loopwhilex", "multidefine", "multisubstitute", "pipeline", "redirfd", "trap", "tryexec", "elgetopt"),
            *("elgetpositionals", "elglob", "envfile", "heredoc", "homeof", "piperw", "runblock", "withstdinas"),
            *("s6-envdir",),
        ),
        _unknown,
    ),
}
"""Programs of execline by name."""

NAMES = frozenset(("execlineb", "execline", "importas", *_PROGRAMS))
"""Every name by which a program is read here; a start of another program does not load this module."""
