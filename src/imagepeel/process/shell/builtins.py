"""Builtin commands of the shells, as far as they change what comes after them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import Script
from imagepeel.process.shell.conditions import FileTest, evaluate_test
from imagepeel.process.shell.dialects import arithmetic_status
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.interpreters import Search, Shell, cannot_run
from imagepeel.process.shell.output import written_to_errors
from imagepeel.process.shell.parameters import DECLARE, BuiltinCall, Parameters
from imagepeel.process.shell.scope import UNKNOWN, Field, Unknown, WalkLimitExceeded
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.state import MUTED, Ends, Flow, State, as_argv
from imagepeel.process.shell.words import FOREIGN
from imagepeel.tables import ErrnoName
from imagepeel.text import decimal

MAX_CALLS = 12

_QUIET = frozenset(
    (
        *("alias", "bg", "disown", "echo", "fc", "fg", "hash", "jobs", "kill", "printf", "pwd"),
        *("shopt", "times", "type", "ulimit", "unalias", "history", "caller", "dirs", "popd", "pushd"),
        *("bind", "enable", "complete", "compgen", "compopt", "suspend"),
    )
)
_EXEC = "exec: usage: exec [-cl] [-a name] [command [argument ...]] [redirection ...]"


_PER_LOOK = 64
"""Work of a directory of PATH in which a file is looked for, as of so many letters."""


class Builtins(Parameters):
    """The part of a walk that knows builtins; the walk itself adds the control flow."""

    def _file_test(self, state: State) -> FileTest:
        return state.file_test

    @classmethod
    def builtins(cls, shell: Shell) -> frozenset[str]:
        """The builtins of this shell that a walk knows."""
        return frozenset(cls._BUILTINS) - FOREIGN[shell]

    def script(self, script: Script, state: State, flag: str = "") -> Ends:
        """Follow a function's body or the text of eval."""
        raise WalkLimitExceeded("commands are not expected here")

    def _stay(self, state: State) -> ScriptOutcome:
        raise WalkLimitExceeded("the end is not expected here")

    def _builtin(self, call: BuiltinCall) -> Ends | None:
        """A builtin or function; None for an external command."""
        if call.name != "exec" and call.name in call.state.functions:
            if call.tested and call.state.errexit:
                return self.lenient(call.state, lambda: self._call(call.name, call.rest, call.state))
            return self._call(call.name, call.rest, call.state)
        if call.name in FOREIGN[self._shell]:
            return None
        run = self._BUILTINS.get(call.name)
        if run is None:
            return None
        return run(self, call) or [(call.state, "")]

    def lenient(self, state: State, follow: Callable[[], Ends]) -> Ends:
        """Follow a command whose status is tested: `set -e` does not count inside of it (POSIX XCU 2.14.3, set)."""
        state.errexit = False
        ends = follow()
        for end, _ in ends:
            end.errexit = True
        return ends

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
        number = decimal(given) if isinstance(given, str) and len(given) < 10 else None
        code = number % 256 if number is not None else state.code if given is None or self._asks_status(call) else None
        return [(state, ScriptOutcome(kind="ends", line=call.line, why="the script says exit", exit_code=code))]

    def _asks_status(self, call: BuiltinCall) -> bool:
        return len(call.command.words) == 2 and call.command.words[1].source.strip('"') == "$?"

    def _return(self, call: BuiltinCall) -> Ends:
        given = call.rest[0] if call.rest else ""
        number = decimal(given) if isinstance(given, str) and len(given) < 10 else None
        if number is not None:
            call.state.status = number % 256 == 0
            call.state.code = number % 256
        elif given != "" and not self._asks_status(call):
            call.state.status = None
        return [(call.state, "return")]

    def _break(self, call: BuiltinCall) -> Ends:
        return [(call.state, "break")]

    def _continue(self, call: BuiltinCall) -> Ends:
        return [(call.state, "continue")]

    def _test(self, call: BuiltinCall) -> Ends | None:
        fields = call.rest[:-1] if call.name == "[" else call.rest
        call.state.status = evaluate_test(fields, self._file_test(call.state))
        call.state.doubt = ""
        return self.failed(call, 1) if call.state.status is False else None

    def _wait(self, call: BuiltinCall) -> None:
        state = call.state
        state.waited = True
        state.last = state.background or state.last
        state.status = None
        if call.rest and (state.background is None or self.refused(state.background.argv, state) is not None):
            self.answered(state, call.source, call.line, call.tested)

    def _source(self, call: BuiltinCall) -> Ends:
        rest, state = call.rest, call.state
        what = rest[0] if rest and isinstance(rest[0], str) else ""
        read: tuple[str, ErrnoName] | None = None
        image = state.image
        if image is not None and state.cwd is not None and "/" in what:
            read = image.read(what, state.cwd)
        elif image is not None and what:
            name = what
            what, read = self._in_path(image, name, state)
            if what == name and self._speaker.posix and state.exact:
                return self.failed(call, 1, self._speaker.builtin_says(call.name, call.line, f"{name}: file not found"))
        if read is None and self._shell == "bash" and self._enters(what, state):
            return self.failed(call, 1, self._speaker.says(call.line, f".: {what}: is a directory"))
        if read is None or (read[1] and not state.exact):
            return self._sourced_unknown(state, what, call.line)
        if read[1]:
            code, words = self._speaker.cannot_source(what, read[1], call.line)
            return self.failed(call, code, words)
        args = tuple(str(item) for item in rest[1:]) if all(isinstance(item, str) for item in rest[1:]) else None
        return self.sourced(what, read[0], state, args if rest[1:] and self._shell != "dash" else ..., call.line)

    def _enters(self, path: str, state: State) -> bool:
        """Whether a path with a slash is a directory."""
        image = state.image
        known = image is not None and state.cwd is not None and state.exact and "/" in path
        return known and image is not None and image.enter(path, state.cwd or "") == ""

    def _in_path(self, image: ShellImage, name: str, state: State) -> tuple[str, tuple[str, ErrnoName] | None]:
        """The first readable file of that name in a directory of PATH, with its path."""
        path = state.scope.get("PATH")
        for directory in (path.split(":") if isinstance(path, str) else [])[:100]:
            state.scope.budget.spend(_PER_LOOK)
            read = image.read(f"{directory}/{name}", "") if directory.startswith("/") else None
            if read is None or not read[1]:
                return f"{directory}/{name}", read
        return name, None

    def _sourced_unknown(self, state: State, what: str, line: int) -> Ends:
        """A file that is not followed may set every variable."""
        state.assume(f"line {line}: {what or 'a file'} is read and neither ends the script nor changes its arguments")
        state.scope.wild = True
        for known in list(state.scope.variables):
            state.scope.variables[known] = UNKNOWN
        for known in list(state.scope.arrays):
            state.scope.arrays[known] = UNKNOWN
        state.status = None
        return [(state, "")]

    def sourced(self, path: str, body: str, state: State, args: Any, line: int) -> Ends:
        """Follow a file that the shell reads into itself; `args` are its own arguments, `...` where it has none."""
        try:
            script = parse_shell(body)
        except Malformed:
            return self._sourced_unknown(state, path, line)
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise WalkLimitExceeded("files read each other too deeply")
        before = state.scope.args
        if args is not ...:
            state.scope.args = args
        kept, self._text, self._whole_line = self._text, body, 0
        self._sourcing += 1
        state.status = True
        ends = self.script(script, state)
        self._sourcing -= 1
        self._text = kept
        self._calls -= 1
        after: Ends = []
        for here, flow in ends:
            if args is not ...:
                here.scope.args = before
            after.append((here, "" if flow == "return" else flow))
        return after

    def _quiet(self, call: BuiltinCall) -> None:
        """A builtin that changes nothing but variables that its words name."""
        if call.name == "printf":
            for item in call.rest:
                if isinstance(item, str) and item.isidentifier():
                    call.state.scope.variables[item] = UNKNOWN
        if (words := written_to_errors(call.name, call.rest, call.command, call.state)) is not None:
            call.state.say(words)
        if call.name == "shopt" and "expand_aliases" in call.rest:
            self._replaces_aliases = True
        if call.name == "alias" and self._replaces_aliases:
            self._aliases |= {item.partition("=")[0] for item in call.rest if isinstance(item, str) and "=" in item}
        if call.name == "shopt" and "nullglob" in call.rest:
            call.state.scope.nullglob = "-s" in call.rest
        if call.name == "shopt" and "execfail" in call.rest:
            call.state.execfail = "-s" in call.rest
        call.state.status = True if call.name in ("echo", "printf", "ulimit", "shopt") else None
        if call.name == "ulimit" and "unlimited" in call.rest:  # a hard limit of the host may be lower
            call.state.status = None
            self.answered(call.state, call.source, call.line, call.tested)

    def _let(self, call: BuiltinCall) -> Ends:
        state = call.state
        for item in call.rest:
            state.status = arithmetic_status(item, state.scope) if isinstance(item, str) else None
        return [(state, self.answered(state, call.source, call.line, call.tested))]

    def answered(self, state: State, source: str, line: int, tested: bool) -> Flow:
        """Behind a command whose status is that of an expression."""
        state.doubt, state.code = "", 0 if state.status else 1
        if not state.errexit or tested or state.status:
            return ""
        if state.status is None:
            state.takes_for_granted(source, line)
            return ""
        return self._dies(state, f"line {line} comes to 0, which ends the script (set -e)", line)

    def _exec_option(self, call: BuiltinCall, option: str, more: bool) -> Ends | None:
        """A word that exec takes for options of its own, and one among them is none."""
        known = "cla" if self._shell == "bash" else "a"
        letter = next((one for one in option[1:].partition("a")[0] + "a" * ("a" in option) if one not in known), "")
        if letter:
            if self._shell == "bash":
                return self.failed(call, 2, self._speaker.says(call.line, f"exec: -{letter}: invalid option\n{_EXEC}"))
            return self.failed(call, 2, self._speaker.builtin_says("exec", call.line, f"illegal option -{letter}"))
        if option.endswith("a") and not more:
            if self._shell == "bash":
                words = self._speaker.says(call.line, f"exec: -a: option requires an argument\n{_EXEC}")
                return self.failed(call, 2, words)
            return self.failed(call, 2, self._speaker.builtin_says("exec", call.line, "no arg for -a option"))
        return None

    def _exec(self, call: BuiltinCall) -> Ends:
        rest, state, source, line = call.rest, call.state, call.source, call.line
        env = self._prefix(call.command, state)
        program, dash, named = "", False, ""
        while rest and isinstance(rest[0], str) and rest[0].startswith("-") and self._shell != "dash":
            option = rest[0]
            rest = rest[1:]
            if option in ("--", "-"):
                rest = rest if option == "--" else call.rest
                break
            refuses = self._exec_option(call, option, bool(rest))
            if refuses is not None:
                return refuses
            dash = dash or "l" in option
            if option[-1:] == "a" and rest:
                named = rest[0] if isinstance(rest[0], str) else "?"
                rest = rest[1:]
        if not rest:
            state.status = True
            state.muted = MUTED if state.muted else 0
            return [(state, "")]
        argv, complete = as_argv(rest)
        state.starts(argv[0])
        if named and self._shell == "busybox" and "/" not in argv[0]:  # it does not search PATH then
            return self.failed(call, 127, self._speaker.builtin_says("exec", line, f"{argv[0]}: not found"))
        if not isinstance(rest[0], str):
            why = f"exec runs what is only known at run time: {source}"
            end = ScriptOutcome(kind="unknown", argv=argv, complete=False, source=source, line=line, why=why, env=env)
            return [(state, end)]
        refused = self.refused(argv, state) if state.execfail and self._shell == "bash" else None
        said = None if refused is None else self.cannot_run(argv[0], refused, line, by_exec=True)
        if said is not None:
            return self.failed(call, said[1], said[0])
        if dash or named:
            program, shown = argv[0], named or argv[0]
            argv = (f"-{shown}" if dash else shown, *argv[1:])
        why = "exec replaces the shell"
        end = ScriptOutcome(
            kind="exec", argv=argv, complete=complete, source=source, line=line, why=why, env=env, program=program,
            errexit=state.errexit,
        )  # fmt: skip
        return [(state, end)]

    def refused(self, argv: Sequence[str], state: State) -> Search | None:
        """Why this program cannot be started; None when it can, or when that cannot be told."""
        path = state.scope.get("PATH")
        state.starts(argv[0])
        if self._image is None or state.cwd is None or isinstance(path, Unknown) or state.changed > 1:
            return None
        if not path and self._shell != "busybox" and "/" not in argv[0]:
            # No directory is searched but the one that the shell is in.
            found = self._image.refuses(f"./{argv[0]}", path, state.cwd)
            return None if found is None else msgspec.structs.replace(found, seen=argv[0])
        return self._image.refuses(argv[0], path, state.cwd)

    def cannot_run(self, name: str, found: Search, line: int, *, by_exec: bool) -> tuple[str, int] | None:
        """The words and the exit code of a program that cannot be started."""
        voice = self._speaker
        return cannot_run(voice.shell, voice.arg0, name, found, line, script=voice.script, by_exec=by_exec)

    def _call(self, name: str, rest: Sequence[Field], state: State) -> Ends:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise WalkLimitExceeded("functions call each other too deeply")
        before, calls = state.scope.args, state.scope.calls
        state.scope.calls = (name, *calls)
        state.scope.hidden = ({}, *state.scope.hidden)
        known = all(isinstance(item, str) for item in rest)
        state.scope.args = tuple(str(item) for item in rest) if known else None
        body = state.functions[name]
        text, speaker, whole = self._text, self._speaker, self._whole_line
        self._text = self._texts.get(id(body), text)
        self._whole_line = self._function_lines.get(id(body), 0)
        if self._shell == "bash" and not speaker.script:
            self._speaker = msgspec.structs.replace(speaker, arg0="environment")  # so bash calls the text of -c there
        ends = self.script(body, state)
        self._text, self._speaker, self._whole_line = text, speaker, whole
        self._calls -= 1
        after: Ends = []
        for here, flow in ends:
            here.scope.args, here.scope.calls = before, calls
            if isinstance(flow, str):
                here.leave()
            after.append((here, "" if flow == "return" else flow))
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

    def _cd(self, call: BuiltinCall) -> Ends | None:
        rest, state = call.rest, call.state
        target = rest[-1] if rest else state.scope.get("HOME")
        entered = None
        image = state.image
        if image is not None and state.cwd is not None and isinstance(target, str) and target not in ("-", ""):
            entered = image.enter(target, state.cwd) if state.scope.get("CDPATH") is None else None
        if entered and isinstance(target, str) and state.exact:
            code, words = self._speaker.cannot_change_directory(target, entered, call.line)
            return self.failed(call, code, words)
        state.status = True if entered == "" else None
        state.doubt = "" if entered == "" else "cd"
        if isinstance(target, str) and target.startswith("/"):
            state.cwd = posixpath.normpath(target)
        elif isinstance(target, str) and state.cwd and target not in ("-", ""):
            state.cwd = posixpath.normpath(posixpath.join(state.cwd, target))
        else:
            state.cwd = None
        if state.errexit and state.status is None:
            state.assume("cd succeeds")
            state.status = True
        return None

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
                if signal in ("EXIT", "0"):
                    state.at_exit = action if isinstance(action, str) else "?"
                state.traps.add(signal)
                state.ever_trapped = True

    _BUILTINS: ClassVar[dict[str, Callable[[Builtins, BuiltinCall], Ends | None]]] = {
        **dict.fromkeys(_QUIET, _quiet),
        **dict.fromkeys(DECLARE, Parameters.declares),
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
        "set": Parameters.sets,
        "shift": Parameters.shifts,
        "cd": _cd,
        "let": _let,
        "trap": _trap,
        "wait": _wait,
        "unset": Parameters.unsets,
        "getopts": Parameters.getopts,
        "umask": Parameters.umask,
        "read": Parameters.reads,
        "mapfile": Parameters.reads,
        "readarray": Parameters.reads,
        "eval": _eval,
        ".": _source,
        "source": _source,
    }
    """What each builtin does; one that returns None goes on with the next command."""
