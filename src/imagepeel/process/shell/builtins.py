"""Builtin commands of the shells, as far as they change what comes after them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import Script, Simple
from imagepeel.process.shell.expand import UNKNOWN, Field, FileTest, evaluate_test, expand_one
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.state import Ends, ScriptOutcome, State, WalkLimitExceeded, as_argv
from imagepeel.process.shell.words import Speaker

MAX_CALLS = 12

_QUIET = frozenset(
    (
        *("alias", "bg", "disown", "echo", "fc", "fg", "getopts", "hash", "jobs", "kill", "let", "printf", "pwd"),
        *("shopt", "times", "type", "ulimit", "umask", "unalias", "history", "caller", "dirs", "popd", "pushd"),
        *("bind", "enable", "complete", "compgen", "compopt", "suspend"),
    )
)
DECLARE = frozenset(("export", "readonly", "local", "declare", "typeset"))


class BuiltinCall(msgspec.Struct, frozen=True, kw_only=True):
    """A simple command that may be a builtin or a function."""

    name: str
    rest: Sequence[Field]
    """The fields behind the name, expanded."""
    command: Simple
    state: State
    """What the shell knows; the builtin changes it."""
    source: str
    line: int
    tested: bool
    """The status decides a condition, so `set -e` does not end the script."""


class Builtins:
    """The part of a walk that knows builtins; the walk itself adds the control flow."""

    def __init__(self, text: str, speaker: Speaker, image: ShellImage | None) -> None:
        self._text = text
        self._speaker = speaker
        self._shell = speaker.shell
        self._image = image
        self._calls = 0

    def _file_test(self, state: State) -> FileTest:
        image, cwd = self._image, state.cwd
        return lambda operator, path: None if image is None or cwd is None else image.test(operator, path, cwd)

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def script(self, script: Script, state: State, flag: str = "") -> Ends:
        """Follow a function's body or the text of eval."""
        raise WalkLimitExceeded("commands are not expected here")

    def _stay(self, state: State) -> ScriptOutcome:
        raise WalkLimitExceeded("the end is not expected here")

    def _prefix(self, command: Simple, state: State) -> dict[str, str | None]:
        env: dict[str, str | None] = {}
        for assignment in command.assignments:
            if assignment.value is not None and not assignment.append:
                value = expand_one(assignment.value, state.scope)
                if isinstance(value, str):
                    env[assignment.name] = value
        return env

    def _builtin(self, call: BuiltinCall) -> Ends | None:
        """A builtin or function; None for an external command."""
        if call.name != "exec" and call.name in call.state.functions:
            return self._call(call.name, call.rest, call.state)
        run = self._BUILTINS.get(call.name)
        if run is None:
            return None
        return run(self, call) or [(call.state, "")]

    def _true(self, call: BuiltinCall) -> None:
        call.state.status = True

    def _false(self, call: BuiltinCall) -> Ends | None:
        call.state.status = False
        if not call.state.errexit or call.tested:
            return None
        return [
            (call.state, ScriptOutcome(kind="ends", line=call.line, why="false ends the script (set -e)", exit_code=1))
        ]

    def _exit(self, call: BuiltinCall) -> Ends:
        rest, state = list(call.rest), call.state
        ended = self._stay(state) if rest in ([], [UNKNOWN]) and state.last is not None else None
        if ended is not None and ended.kind == "child" and (not rest or call.command.words[-1].source == "$?"):
            return [(state, ended)]
        given = rest[0] if rest else None
        known = isinstance(given, str) and given.isdigit() and len(given) < 10
        code = int(str(given)) % 256 if known else state.code if given is None or self._asks_status(call) else None
        return [(state, ScriptOutcome(kind="ends", line=call.line, why="the script says exit", exit_code=code))]

    def _asks_status(self, call: BuiltinCall) -> bool:
        return len(call.command.words) == 2 and call.command.words[1].source.strip('"') == "$?"

    def _return(self, call: BuiltinCall) -> Ends:
        return [(call.state, "return")]

    def _break(self, call: BuiltinCall) -> Ends:
        return [(call.state, "break")]

    def _continue(self, call: BuiltinCall) -> Ends:
        return [(call.state, "continue")]

    def _test(self, call: BuiltinCall) -> None:
        fields = call.rest[:-1] if call.name == "[" else call.rest
        call.state.status = evaluate_test(fields, self._file_test(call.state))
        call.state.doubt = ""

    def _wait(self, call: BuiltinCall) -> None:
        state = call.state
        state.waited = True
        state.last = state.background or state.last
        state.status = None

    def _unset(self, call: BuiltinCall) -> None:
        for item in call.rest:
            if isinstance(item, str) and not item.startswith("-"):
                call.state.scope.variables[item] = None
                call.state.functions.pop(item, None)
        call.state.status = True

    def _read(self, call: BuiltinCall) -> None:
        for item in call.rest:
            if isinstance(item, str) and not item.startswith("-"):
                call.state.scope.variables[item] = UNKNOWN
        call.state.scope.variables["REPLY"] = UNKNOWN
        call.state.status = None

    def _source(self, call: BuiltinCall) -> None:
        rest, state = call.rest, call.state
        what = rest[0] if rest and isinstance(rest[0], str) else "a file"
        state.assume(f"line {call.line}: {what} is read and neither ends the script nor changes its arguments")
        state.scope.wild = True
        for known in list(state.scope.variables):
            state.scope.variables[known] = UNKNOWN
        state.status = None

    def _quiet(self, call: BuiltinCall) -> None:
        """A builtin that changes nothing but variables that its words name."""
        if call.name in ("printf", "getopts", "let"):
            for item in call.rest:
                if isinstance(item, str) and item.isidentifier():
                    call.state.scope.variables[item] = UNKNOWN
        call.state.status = True if call.name in ("echo", "printf", "umask", "ulimit", "shopt") else None

    def _exec(self, call: BuiltinCall) -> Ends:
        rest, state, source, line = call.rest, call.state, call.source, call.line
        env = self._prefix(call.command, state)
        while rest and isinstance(rest[0], str) and rest[0].startswith("-") and self._shell != "dash":
            option = rest[0]
            rest = rest[1:]
            if option == "--":
                break
            if option == "-a" and rest:
                rest = rest[1:]
        if not rest:
            state.status = True
            return [(state, "")]
        argv, complete = as_argv(rest)
        if not isinstance(rest[0], str):
            why = f"exec runs what is only known at run time: {source}"
            end = ScriptOutcome(kind="unknown", argv=argv, complete=False, source=source, line=line, why=why, env=env)
            return [(state, end)]
        why = "exec replaces the shell"
        end = ScriptOutcome(kind="exec", argv=argv, complete=complete, source=source, line=line, why=why, env=env)
        return [(state, end)]

    def _call(self, name: str, rest: Sequence[Field], state: State) -> Ends:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise WalkLimitExceeded("functions call each other too deeply")
        before, calls = state.scope.args, state.scope.calls
        state.scope.calls = (name, *calls)
        known = all(isinstance(item, str) for item in rest)
        state.scope.args = tuple(str(item) for item in rest) if known else None
        ends = self.script(state.functions[name], state)
        self._calls -= 1
        after: Ends = []
        for here, flow in ends:
            here.scope.args, here.scope.calls = before, calls
            after.append((here, "" if flow == "return" else flow))
            if flow == "return":
                here.status = None
        return after

    def _eval(self, call: BuiltinCall) -> Ends:
        rest, state, line = call.rest, call.state, call.line
        if not all(isinstance(item, str) for item in rest):
            why = f"line {line}: eval of text that is only known at run time"
            return [(state, ScriptOutcome(kind="unknown", complete=False, line=line, why=why))]
        try:
            script = parse_shell(" ".join(str(item) for item in rest))
        except Malformed as error:
            return [
                (state, ScriptOutcome(kind="unknown", complete=False, line=line, why=f"line {line}: eval: {error}"))
            ]
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise WalkLimitExceeded("eval is nested too deeply")
        ends = self.script(script, state)
        self._calls -= 1
        return ends

    def _set(self, call: BuiltinCall) -> None:
        rest, state = call.rest, call.state
        state.status = True
        index = 0
        while index < len(rest):
            item = rest[index]
            if not isinstance(item, str):
                state.scope.args = None
                return
            if item == "--" or not item.startswith(("-", "+")) or item in ("-", "+"):
                words = rest[index + 1 :] if item in ("--", "-") else rest[index:]
                known = all(isinstance(word, str) for word in words)
                state.scope.args = tuple(str(word) for word in words) if known else None
                return
            if "e" in item[1:]:
                state.errexit = item.startswith("-")
            if "f" in item[1:]:
                state.scope.noglob = item.startswith("-")
            if item[-1:] == "o" and index + 1 < len(rest):
                index += 1
                if rest[index] == "errexit":
                    state.errexit = item.startswith("-")
            index += 1

    def _shift(self, call: BuiltinCall) -> None:
        rest, state = call.rest, call.state
        count = 1
        if rest:
            if not isinstance(rest[0], str) or not rest[0].isdigit():
                state.scope.args = None
                return
            count = int(rest[0]) if len(rest[0]) < 6 else 99_999
        if state.scope.args is not None:
            state.status = count <= len(state.scope.args)
            if not state.status and self._shell == "dash":
                state.assume("shift has enough arguments")
            if state.status:
                state.scope.args = state.scope.args[count:]

    def _cd(self, call: BuiltinCall) -> None:
        rest, state = call.rest, call.state
        target = rest[-1] if rest else state.scope.get("HOME")
        state.status = None
        state.doubt = "cd"
        if isinstance(target, str) and target.startswith("/"):
            state.cwd = posixpath.normpath(target)
        elif isinstance(target, str) and state.cwd and target not in ("-", ""):
            state.cwd = posixpath.normpath(posixpath.join(state.cwd, target))
        else:
            state.cwd = None
        if state.errexit:
            state.assume("cd succeeds")
            state.status = True

    def _trap(self, call: BuiltinCall) -> None:
        rest, state = call.rest, call.state
        state.status = True
        if len(rest) < 2:
            return
        action = rest[0]
        for item in rest[1:]:
            signal = item.removeprefix("SIG") if isinstance(item, str) else "?"
            if action == "-" or action == "":
                state.traps.discard(signal)
            else:
                state.traps.add(signal)
                state.ever_trapped = True

    def _declare(self, call: BuiltinCall) -> None:
        name, rest, command, state = call.name, call.rest, call.command, call.state
        unexport = False
        for item, word in zip(rest, command.words[1:], strict=False):
            if not isinstance(item, str):
                # The name is literal even if the value is not.
                left = word.source.split("=", 1)[0]
                if left.isidentifier():
                    state.scope.variables[left] = UNKNOWN
                    if name == "export":
                        state.exported.add(left)
                continue
            if item.startswith("-"):
                unexport = unexport or (name == "export" and "n" in item)
                if name in ("declare", "typeset") and "x" in item:
                    name = "export"
                continue
            left, equals, value = item.partition("=")
            if equals:
                state.scope.variables[left] = value
            if name == "export":
                (state.exported.discard if unexport else state.exported.add)(left)
        if len(rest) != len(command.words) - 1:
            for word in command.words[1:]:
                left = word.source.split("=", 1)[0]
                if left.isidentifier() and "=" in word.source:
                    state.scope.variables[left] = UNKNOWN
                    if name == "export":
                        state.exported.add(left)
        state.status = True

    _BUILTINS: ClassVar[dict[str, Callable[[Builtins, BuiltinCall], Ends | None]]] = {
        **dict.fromkeys(_QUIET, _quiet),
        **dict.fromkeys(DECLARE, _declare),
        ":": _true,
        "true": _true,
        "false": _false,
        "exec": _exec,
        "exit": _exit,
        "logout": _exit,
        "return": _return,
        "break": _break,
        "continue": _continue,
        "test": _test,
        "[": _test,
        "set": _set,
        "shift": _shift,
        "cd": _cd,
        "trap": _trap,
        "wait": _wait,
        "unset": _unset,
        "read": _read,
        "mapfile": _read,
        "readarray": _read,
        "eval": _eval,
        ".": _source,
        "source": _source,
    }
    """What each builtin does; one that returns None goes on with the next command."""
