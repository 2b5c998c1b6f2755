"""Builtin commands of the shells, as far as they change what comes after them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import Assignment, Part, Script, Simple, Word
from imagepeel.process.shell.conditions import FileTest, evaluate_test
from imagepeel.process.shell.expand import expand, expand_one
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.interpreters import Search, Shell, cannot_run
from imagepeel.process.shell.output import written_to_errors
from imagepeel.process.shell.scope import UNKNOWN, Field, Scope, Unknown, Value, WalkLimitExceeded
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.state import MUTED, Ends, State, as_argv
from imagepeel.process.shell.words import FOREIGN, SPECIAL, Speaker
from imagepeel.tables import ErrnoName
from imagepeel.text import decimal

MAX_CALLS = 12

_QUIET = frozenset(
    (
        *("alias", "bg", "disown", "echo", "fc", "fg", "getopts", "hash", "jobs", "kill", "let", "printf", "pwd"),
        *("shopt", "times", "type", "ulimit", "umask", "unalias", "history", "caller", "dirs", "popd", "pushd"),
        *("bind", "enable", "complete", "compgen", "compopt", "suspend"),
    )
)
_SET_LETTERS = {
    "dash": frozenset("efImnsxviVECabuolqc"),
    "busybox": frozenset("efImnsxviVECabuolpqc"),
    "bash": frozenset("abefhkmnptuvxBCEHPTo"),
}
"""Letters that `set` knows."""
_EXEC = "exec: usage: exec [-cl] [-a name] [command [argument ...]] [redirection ...]"
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
        self._sourcing = 0
        self._texts: dict[int, str] = {}
        self._aliases: set[str] = set()
        self._whole_line = 0
        self._function_lines: dict[int, int] = {}
        self._replaces_aliases = speaker.shell != "bash" or speaker.posix

    def _file_test(self, state: State) -> FileTest:
        return state.file_test

    @classmethod
    def builtins(cls, shell: Shell) -> frozenset[str]:
        """The builtins of this shell that a walk knows."""
        return frozenset(cls._BUILTINS) - FOREIGN[shell]

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def script(self, script: Script, state: State, flag: str = "") -> Ends:
        """Follow a function's body or the text of eval."""
        raise WalkLimitExceeded("commands are not expected here")

    def _stay(self, state: State) -> ScriptOutcome:
        raise WalkLimitExceeded("the end is not expected here")

    def assign(self, state: State, assignment: Assignment) -> None:
        """`name=value`, `name+=value`, or an array of bash."""
        scope, name = state.scope, assignment.name
        if assignment.element:
            scope.arrays[name] = UNKNOWN
        elif assignment.value is None:
            scope.arrays[name] = self._array(assignment, scope)
            scope.variables.pop(name, None)
        elif name in scope.arrays:
            scope.arrays[name] = UNKNOWN
        else:
            value: Value = expand_one(assignment.value, scope)
            if assignment.append:
                before = scope.get(name)
                known = isinstance(value, str) and not isinstance(before, Unknown)
                value = f"{before or ''}{value}" if known and self._shell == "bash" else UNKNOWN
            scope.variables[name] = value

    def _array(self, assignment: Assignment, scope: Scope) -> tuple[str, ...] | Unknown:
        fields = [UNKNOWN] if assignment.elements is None else expand(assignment.elements, scope)
        before = scope.elements(assignment.name) if assignment.append else ()
        if before is None or not all(isinstance(field, str) for field in fields):
            return UNKNOWN
        return (*before, *map(str, fields))

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
        if call.name in FOREIGN[self._shell]:
            return None
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

    def _unset(self, call: BuiltinCall) -> None:
        for item in call.rest:
            if isinstance(item, str) and not item.startswith("-"):
                call.state.scope.variables[item] = None
                call.state.scope.arrays.pop(item, None)
                call.state.functions.pop(item, None)
        call.state.status = True

    def _read(self, call: BuiltinCall) -> None:
        for item in call.rest:
            if isinstance(item, str) and not item.startswith("-"):
                call.state.scope.arrays.pop(item, None)
                call.state.scope.variables[item] = UNKNOWN
                if call.name != "read" or any(word in ("-a", "-ra") for word in call.rest):
                    call.state.scope.arrays[item] = UNKNOWN
        call.state.scope.variables["REPLY"] = UNKNOWN
        call.state.status = None

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
        if read is None or (read[1] and not state.exact):
            return self._sourced_unknown(state, what, call.line)
        if read[1]:
            code, words = self._speaker.cannot_source(what, read[1], call.line)
            return self.failed(call, code, words)
        args = tuple(str(item) for item in rest[1:]) if all(isinstance(item, str) for item in rest[1:]) else None
        return self.sourced(what, read[0], state, args if rest[1:] and self._shell != "dash" else ..., call.line)

    def _in_path(self, image: ShellImage, name: str, state: State) -> tuple[str, tuple[str, ErrnoName] | None]:
        """The first readable file of that name in a directory of PATH, with its path."""
        path = state.scope.get("PATH")
        for directory in (path.split(":") if isinstance(path, str) else [])[:100]:
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

    def failed(self, call: BuiltinCall, code: int, *words: str, fatal: bool | None = None) -> Ends:
        """A builtin fails: an error in a special one ends every shell but bash, and `set -e` ends them all."""
        state = call.state
        state.fail(code, *words)
        state.doubt = ""
        ends_shell = (
            fatal if fatal is not None else (self._shell != "bash" or self._speaker.posix) and call.name in SPECIAL
        )
        if ends_shell or (state.errexit and not call.tested):
            why = f"line {call.line} fails and ends the shell: {call.source}"
            return [(state, self._dies(state, why, call.line))]
        return [(state, "")]

    def _dies(self, state: State, why: str, line: int) -> ScriptOutcome:
        """The shell ends with the status of its last command."""
        if self._sourcing and state.said:
            state.assume("the shell's words inside a file that it reads are not measured")
        return ScriptOutcome(kind="ends", line=line, why=why, exit_code=state.code)

    def _quiet(self, call: BuiltinCall) -> None:
        """A builtin that changes nothing but variables that its words name."""
        if call.name in ("printf", "getopts", "let"):
            for item in call.rest:
                if isinstance(item, str) and item.isidentifier():
                    call.state.scope.variables[item] = UNKNOWN
        if (words := written_to_errors(call.name, call.rest, call.command, call.state)) is not None:
            call.state.say(words)
        if call.name == "umask" and call.rest:
            call.state.exact = False
        if call.name == "shopt" and "expand_aliases" in call.rest:
            self._replaces_aliases = True
        if call.name == "alias" and self._replaces_aliases:
            self._aliases |= {item.partition("=")[0] for item in call.rest if isinstance(item, str) and "=" in item}
        if call.name == "shopt" and "execfail" in call.rest:
            call.state.execfail = "-s" in call.rest
        call.state.status = True if call.name in ("echo", "printf", "umask", "ulimit", "shopt") else None

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
            kind="exec", argv=argv, complete=complete, source=source, line=line, why=why, env=env, program=program
        )
        return [(state, end)]

    def refused(self, argv: Sequence[str], state: State) -> Search | None:
        """Why this program cannot be started; None when it can, or when that cannot be told."""
        path = state.scope.get("PATH")
        state.starts(argv[0])
        if self._image is None or state.cwd is None or isinstance(path, Unknown) or state.changed > 1:
            return None
        if path is None and self._shell != "busybox" and "/" not in argv[0]:
            # PATH was unset: no directory is searched; bash has words of its own for that.
            return Search(path=None, errno="ENOENT") if self._shell == "dash" else None
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

    def _set(self, call: BuiltinCall) -> Ends | None:
        rest, state = call.rest, call.state
        state.status = True
        index = 0
        while index < len(rest):
            item = rest[index]
            if not isinstance(item, str):
                state.scope.args = None
                return None
            if item == "--" or not item.startswith(("-", "+")) or item in ("-", "+"):
                words = rest[index + 1 :] if item in ("--", "-") else rest[index:]
                known = all(isinstance(word, str) for word in words)
                state.scope.args = tuple(str(word) for word in words) if known else None
                return None
            wrong = next((letter for letter in item[1:] if letter not in _SET_LETTERS[self._shell]), "")
            if wrong:
                code, words = self._speaker.refuses_option(f"-{wrong}", call.line)
                return self.failed(call, code if self._shell != "bash" else 2, words)
            if "u" in item[1:]:
                state.scope.nounset = item.startswith("-")
            if "e" in item[1:]:
                state.errexit = state.scope.errexit = item.startswith("-")
            if "f" in item[1:]:
                state.scope.noglob = item.startswith("-")
            if item[-1:] == "o" and index + 1 < len(rest):
                index += 1
                if rest[index] == "errexit":
                    state.errexit = state.scope.errexit = item.startswith("-")
                elif rest[index] == "nounset":
                    state.scope.nounset = item.startswith("-")
                elif rest[index] == "pipefail" and self._shell == "dash":
                    code, words = self._speaker.refuses_option("-o pipefail", call.line)
                    return self.failed(call, code, words)
            index += 1
        return None

    def _shift(self, call: BuiltinCall) -> Ends | None:
        rest, state = call.rest, call.state
        count = 1
        if rest:
            given = decimal(rest[0][-18:]) if isinstance(rest[0], str) else None
            if given is None:
                state.scope.args = None
                return None
            count = given if len(str(rest[0])) < 6 else 99_999
        if state.scope.args is not None:
            state.status = count <= len(state.scope.args)
            if not state.status and self._shell == "dash":
                return self.failed(call, 2, self._speaker.says(call.line, "shift: can't shift that many"))
            if not state.status:
                return self.failed(call, 1, fatal=False)
            state.scope.args = state.scope.args[count:]
        return None

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

    def _refuses_names(self, call: BuiltinCall) -> Ends | None:
        """`local` outside of functions, and names that no variable can have."""
        name, rest = call.name, call.rest
        if name == "local" and not call.state.scope.calls:
            words = "not in a function" if self._shell != "bash" else "can only be used in a function"
            code = 1 if self._shell == "bash" else 2
            return self.failed(call, code, self._speaker.builtin_says(name, call.line, words), fatal=code == 2)
        wrong = next((item for item in rest if isinstance(item, str) and item[:1].isdigit()), "")
        if wrong and name in ("export", "readonly"):
            said = f"`{wrong}': not a valid identifier"
            if self._shell != "bash":
                said = f"{wrong.partition('=')[0]}: bad variable name"
            code = 1 if self._shell == "bash" else 2
            return self.failed(call, code, self._speaker.builtin_says(name, call.line, said))
        if name == "readonly":
            call.state.constants |= {item.partition("=")[0] for item in rest if isinstance(item, str)}
        return None

    def _declares(self, call: BuiltinCall) -> Ends | None:
        refuses = self._refuses_names(call)
        if refuses is None:
            self._declare(call)
        return refuses

    def _declare(self, call: BuiltinCall) -> None:
        """`export`, `readonly`, `local`, `declare`: names with and without values."""
        rest, words, state = call.rest, call.command.words[1:], call.state
        letters = "".join(item[1:] for item in rest if isinstance(item, str) and item.startswith("-"))
        export = call.name == "export" or (call.name != "readonly" and "x" in letters)
        unexport = call.name == "export" and "n" in letters
        local = bool(state.scope.hidden) and call.name not in ("export", "readonly") and "g" not in letters
        changed = self._shell == "bash" and call.name in DECLARE - {"export"} and set(letters) & set("niluc")
        for assignment in call.command.assignments:
            if assignment.value is None:
                if local:
                    state.scope.hide(assignment.name, exported=assignment.name in state.exported)
                self.assign(state, assignment)
        named: list[tuple[str, bool, Value]] = []
        if len(rest) == len(words):
            for item, word in zip(rest, words, strict=True):
                if isinstance(item, str):
                    left, equals, value = item.partition("=")
                    named.append((left, bool(equals), UNKNOWN if changed else value))
                else:
                    named.append((self._declared(word, state.scope), "=" in word.source, UNKNOWN))
        else:
            named = [(self._declared(word, state.scope), "=" in word.source, UNKNOWN) for word in words]
        for left, given, known in named:
            if not left.isidentifier():
                continue
            if local:
                state.scope.hide(left, exported=left in state.exported)
            if given or (local and self._shell != "dash"):
                state.scope.variables[left] = known if given else None
                state.scope.arrays.pop(left, None)
            if export:
                (state.exported.discard if unexport else state.exported.add)(left)
        state.status = True

    def _declared(self, word: Word, scope: Scope) -> str:
        """The name in front of `=`, which is known where only the value is not."""
        pieces: list[Part] = []
        for part in word.parts:
            if part.kind == "literal" and not part.quoted and "=" in part.text:
                pieces.append(Part(kind="literal", text=part.text.partition("=")[0]))
                break
            pieces.append(part)
        name = expand_one(Word(parts=tuple(pieces), source=word.source, at=word.at), scope)
        return name if isinstance(name, str) else ""

    _BUILTINS: ClassVar[dict[str, Callable[[Builtins, BuiltinCall], Ends | None]]] = {
        **dict.fromkeys(_QUIET, _quiet),
        **dict.fromkeys(DECLARE, _declares),
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
