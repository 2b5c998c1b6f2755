"""Builtin commands of the shells, as far as they change what comes after them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import Script, Simple
from imagepeel.process.shell.expand import UNKNOWN, Look, evaluate_test, expand_one
from imagepeel.process.shell.state import Ends, State, Tail, TooMuch, as_argv

MAX_CALLS = 12

_QUIET = frozenset(
    (
        *("alias", "bg", "disown", "echo", "fc", "fg", "getopts", "hash", "jobs", "kill", "let", "printf", "pwd"),
        *("shopt", "times", "type", "ulimit", "umask", "unalias", "history", "caller", "dirs", "popd", "pushd"),
        *("bind", "enable", "complete", "compgen", "compopt", "logout", "suspend"),
    )
)
DECLARE = frozenset(("export", "readonly", "local", "declare", "typeset"))


class Builtins:
    """The part of a walk that knows builtins; the walk itself adds the control flow."""

    def __init__(self, text: str, shell: str, look: Look | None) -> None:
        self._text = text
        self._shell = shell
        self._look = look
        self._calls = 0

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def script(self, script: Script, state: State, flag: str = "") -> Ends:
        """Follow a function's body or the text of eval."""
        raise TooMuch("commands are not expected here")

    def _stay(self, state: State) -> Tail:
        raise TooMuch("the end is not expected here")

    def _prefix(self, command: Simple, state: State) -> dict[str, str | None]:
        env: dict[str, str | None] = {}
        for assignment in command.assignments:
            if assignment.value is not None and not assignment.append:
                value = expand_one(assignment.value, state.scope)
                if isinstance(value, str):
                    env[assignment.name] = value
        return env

    def _builtin(
        self, name: str, rest: Sequence[object], command: Simple, state: State, source: str, tested: bool
    ) -> Ends | None:
        """A builtin or function; None for an external command."""
        line = self._line(command.at)
        if name == "exec":
            return self._exec(rest, command, state, source, line)
        if name in state.functions:
            return self._call(name, rest, state)
        if name in (":", "true"):
            state.status = True
        elif name == "false":
            state.status = False
            if state.errexit and not tested:
                return [(state, Tail(kind="ends", line=line, why="false ends the script (set -e)"))]
        elif name in ("exit", "logout"):
            ended = self._stay(state) if list(rest) in ([], [UNKNOWN]) and state.last is not None else None
            if ended is not None and ended.kind == "child" and (not rest or command.words[-1].source == "$?"):
                return [(state, ended)]
            return [(state, Tail(kind="ends", line=line, why="the script says exit"))]
        elif name in ("return", "break", "continue"):
            return [(state, name)]
        elif name in ("test", "["):
            fields = rest[:-1] if name == "[" else rest
            state.status = evaluate_test(fields, self._look)  # type: ignore[arg-type]
            state.doubt = ""
        elif name == "set":
            self._set(rest, state)
        elif name == "shift":
            self._shift(rest, state)
        elif name == "cd":
            self._cd(rest, state)
        elif name == "trap":
            self._trap(rest, state)
        elif name == "wait":
            state.waited = True
            state.last = state.background or state.last
            state.status = None
        elif name in DECLARE:
            self._declare(name, rest, command, state)
        elif name == "unset":
            for item in rest:
                if isinstance(item, str) and not item.startswith("-"):
                    state.scope.variables[item] = None
                    state.functions.pop(item, None)
            state.status = True
        elif name in ("read", "mapfile", "readarray"):
            for item in rest:
                if isinstance(item, str) and not item.startswith("-"):
                    state.scope.variables[item] = UNKNOWN
            state.scope.variables["REPLY"] = UNKNOWN
            state.status = None
        elif name == "eval":
            return self._eval(rest, state, line)
        elif name in (".", "source"):
            what = rest[0] if rest and isinstance(rest[0], str) else "a file"
            state.assume(f"line {line}: {what} is read and neither ends the script nor changes its arguments")
            state.scope.wild = True
            for known in list(state.scope.variables):
                state.scope.variables[known] = UNKNOWN
            state.status = None
        elif name in _QUIET:
            if name in ("printf", "getopts", "let"):
                for item in rest:
                    if isinstance(item, str) and item.isidentifier():
                        state.scope.variables[item] = UNKNOWN
            state.status = True if name in ("echo", "printf", "umask", "ulimit", "shopt") else None
        else:
            return None
        return [(state, "")]

    def _exec(self, rest: Sequence[object], command: Simple, state: State, source: str, line: int) -> Ends:
        env = self._prefix(command, state)
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
            tail = Tail(kind="unknown", argv=argv, complete=False, source=source, line=line, why=why, env=env)
            return [(state, tail)]
        why = "exec replaces the shell"
        return [(state, Tail(kind="exec", argv=argv, complete=complete, source=source, line=line, why=why, env=env))]

    def _call(self, name: str, rest: Sequence[object], state: State) -> Ends:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise TooMuch("functions call each other too deeply")
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

    def _eval(self, rest: Sequence[object], state: State, line: int) -> Ends:
        if not all(isinstance(item, str) for item in rest):
            why = f"line {line}: eval of text that is only known at run time"
            return [(state, Tail(kind="unknown", complete=False, line=line, why=why))]
        try:
            script = parse_shell(" ".join(str(item) for item in rest))
        except Malformed as error:
            return [(state, Tail(kind="unknown", complete=False, line=line, why=f"line {line}: eval: {error}"))]
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise TooMuch("eval is nested too deeply")
        ends = self.script(script, state)
        self._calls -= 1
        return ends

    def _set(self, rest: Sequence[object], state: State) -> None:
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

    def _shift(self, rest: Sequence[object], state: State) -> None:
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

    def _cd(self, rest: Sequence[object], state: State) -> None:
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

    def _trap(self, rest: Sequence[object], state: State) -> None:
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

    def _declare(self, name: str, rest: Sequence[object], command: Simple, state: State) -> None:
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
