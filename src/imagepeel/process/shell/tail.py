"""Which process a shell finally becomes: its text is walked, not run.

A shell either replaces itself (`exec`, or the tail call that some shells make for the last command of `-c`), or it
stays and the last command is its child.  `classify` follows the text with what is known (arguments, environment,
user); where a condition cannot be decided both ways are followed, and only if they end alike is the end stated.
Measured shells: dash 0.5.12 (Debian), bash 5.2, busybox 1.35 ash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.process.shell.expand import BASH_UNTOLD, UNKNOWN, Look, Scope, Value
from imagepeel.process.shell.state import State, Tail, TooMuch
from imagepeel.process.shell.walk import Walk

SHELLS = ("dash", "bash", "busybox")

__all__ = ["SHELLS", "ShellCall", "Tail", "classify", "identify_shell", "read_shell_call"]


def classify(
    text: str,
    *,
    shell: str,
    mode: str,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    uid: int | None = None,
    look: Look | None = None,
    options: frozenset[str] = frozenset(),
) -> Tail:
    """Tell what becomes of a shell that runs `text`.

    `shell` is "dash", "bash" or "busybox", anything else is unknown; `mode` "command" (`-c`) or "script".
    `args` are `$0`, `$1`...; `env` the environment the shell starts with, `uid` its user; `look(op, path)`
    answers file tests of the image.  `options` are single letters that were set on the command line (`e`, `f`).
    Raises ValueError for an unknown mode.
    """
    if mode not in ("command", "script"):
        raise ValueError(f"unknown mode {mode!r}")
    if shell not in SHELLS:
        return Tail(kind="unknown", complete=False, why="the shell is none whose habits were measured")
    try:
        script = parse_shell(text)
    except Malformed as error:
        return Tail(kind="unknown", complete=False, why=str(error))
    variables: dict[str, Value] = {}
    for name, value in (env or {}).items():
        variables[name] = value
    scope = Scope(variables, tuple(args[1:]), args[0] if args else "", uid)
    if shell == "bash" and uid is not None:
        variables["UID"] = variables["EUID"] = str(uid)
    if shell == "bash":
        for name in BASH_UNTOLD:
            variables.setdefault(name, UNKNOWN)
        scope.source = scope.arg0 if mode == "script" else ""
    state = State(scope)
    state.exported = set(env or {})
    state.errexit = "e" in options
    scope.noglob = "f" in options
    walk = Walk(text, shell, mode, look)
    try:
        return walk.judge(walk.top(script, state), env or {})
    except TooMuch as reason:
        return Tail(kind="unknown", complete=False, why=str(reason))
    except RecursionError:
        return Tail(kind="unknown", complete=False, why="the script is nested too deeply")


class ShellCall(msgspec.Struct, frozen=True, kw_only=True):
    """A shell's argument vector, understood.

    `mode` is "command" (`text` is the string of `-c`), "script" (`text` is the path) or "stdin".  `args` are `$0`,
    `$1`...; `options` single letters that are set; `login` and `interactive` shells read start files first.
    """

    mode: str
    text: str
    args: tuple[str, ...]
    options: frozenset[str]
    login: bool = False
    interactive: bool = False


_LONG_WITH_VALUE = frozenset(("--rcfile", "--init-file"))
_NAMED_OPTIONS = {"errexit": "e", "noglob": "f", "noexec": "n", "nounset": "u", "xtrace": "x"}


def read_shell_call(argv: Sequence[str]) -> ShellCall:
    """Understand how a shell was called: options, `-c`, script and arguments.

    `argv` is the whole vector, argv[0] included.  The same grammar serves dash, busybox and bash: options first,
    then with `-c` the command string, `$0` and arguments, else the script.  Source: the manuals' option sections.
    """
    options: set[str] = set()
    login = bool(argv) and argv[0].startswith("-")
    index = 1
    while index < len(argv):
        word = argv[index]
        if word in ("--", "-"):
            index += 1
            break
        if word.startswith("--"):
            login = login or word == "--login"
            index += 2 if word in _LONG_WITH_VALUE else 1
            continue
        if len(word) < 2 or word[0] not in "-+":
            break
        index += 1
        for letter in word[1:]:
            if letter in "oO" and index < len(argv):
                name = _NAMED_OPTIONS.get(argv[index], "")
                if name and letter == "o":
                    (options.add if word[0] == "-" else options.discard)(name)
                index += 1
            elif word[0] == "-":
                options.add(letter)
            else:
                options.discard(letter)
    rest = tuple(argv[index:])
    login = login or "l" in options
    name = argv[0] if argv else "sh"
    if "c" in options and rest:
        mode, text, args = "command", rest[0], rest[1:] or (name,)
    elif rest and "s" not in options:
        mode, text, args = "script", rest[0], rest
    else:
        mode, text, args = "stdin", "", (name, *rest)
    return ShellCall(
        mode=mode, text=text, args=args, options=frozenset(options), login=login, interactive="i" in options
    )


def identify_shell(real: str, argv0: str) -> str:
    """Name the shell behind a program: "dash", "bash", "busybox" (its ash), "other" shell, or "" for no shell.

    `real` is the canonical path of the program (links followed), `argv0` the name it is called by: busybox picks
    its applet by that name.
    """
    program = real.rsplit("/", 1)[-1]
    called = argv0.rsplit("/", 1)[-1].lstrip("-")
    if program.startswith("busybox") or program in ("ash", "bbsuid"):
        return "busybox" if called in ("sh", "ash", "hush") else ""
    if program in ("dash", "bash"):
        return program
    if program in ("bash-static", "rbash"):
        return "bash"
    if program in ("sh", "ksh", "ksh93", "mksh", "lksh", "oksh", "zsh", "fish", "yash", "posh", "tcsh", "csh", "rc"):
        return "other"
    return ""
