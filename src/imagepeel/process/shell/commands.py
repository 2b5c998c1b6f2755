"""What a walk asks of each command before it follows it: grammar, redirections, what it changes, `set -e`."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from types import EllipsisType

import msgspec

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import (
    AndOr,
    Compound,
    CompoundKind,
    Line,
    Part,
    Pipeline,
    Redirection,
    Script,
    Simple,
    Word,
)
from imagepeel.process.shell.builtins import Builtins
from imagepeel.process.shell.dialects import refuses_function, syntax_error
from imagepeel.process.shell.expand import ExpansionFailed, expand_one
from imagepeel.process.shell.listing import Written
from imagepeel.process.shell.made import Made
from imagepeel.process.shell.ordinary import is_ordinary, leaves_input, stays
from imagepeel.process.shell.output import DOCUMENT, document, document_to_errors, hides_errors
from imagepeel.process.shell.parameters import DECLARE, BuiltinCall
from imagepeel.process.shell.scope import UNKNOWN, Field, Unknown, Value, WalkLimitExceeded
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.spawning import Ran, spawned
from imagepeel.process.shell.state import Ends, Flow, StartedCommand, State, as_argv
from imagepeel.process.shell.substitutions import reader_of, stages
from imagepeel.process.shell.tools import Judged
from imagepeel.process.shell.ways import loop_ends, only_idles
from imagepeel.tables import ErrnoName

_READERS = frozenset(
    (
        "id",
        "date",
        "uname",
        "hostname",
        "ls",
        "cat",
        "grep",
        "egrep",
        "fgrep",
        "test",
        "true",
        "false",
        "sleep",
        "which",
        "dirname",
        "basename",
        "expr",
        "env",
        "printenv",
        "whoami",
        "wc",
        "head",
        "tail",
        "cut",
        "sort",
        "uniq",
        "tr",
        "awk",
        "getent",
        "nproc",
        "seq",
        "stat",
        "readlink",
        "realpath",
        "tty",
        "stty",
        "clear",
        "nc",
        "curl",
        "wget",
        "printf",
        "echo",
        "chown",
        "chgrp",
        "ps",
        "free",
        "df",
        "du",
        "md5sum",
        "sha256sum",
        "base64",
        "pg_isready",
        "mysqladmin",
        "redis-cli",
    )
)
"""Programs that make no file that a later line could start or enter, their own data aside."""

_MAKERS = frozenset(("mkdir", "touch", "mktemp", "tee", "rm", "rmdir", "find", "sed", "mkfifo", "chmod"))
"""Programs that make directories and data, and no program."""


_WRITERS = frozenset(("touch", "mkdir", "tee", "cp", "mv", "ln", "install"))
"""Programs that write where their operands say."""
_ACTING = ("-exec", "-ok", "-delete", "-fprint", "-fls")
"""Words with which `find` does more than to list."""


def changes_of(name: str) -> int:
    """What a program may make in the filesystem: 0 nothing, 1 directories and data, 2 programs too."""
    return 0 if name in _READERS else 1 if name in _MAKERS else 2


_CLOSING: dict[CompoundKind, tuple[str, str]] = {
    "group": ("", "}"), "function": ("", ""), "subshell": ("", ")"), "if": ("then", "fi"),
    "while": ("do", "done"), "until": ("do", "done"), "for": ("", "done"),
}  # fmt: skip
"""The word that ends the condition and the body of a compound command, as dash and busybox name it."""


_HEADER = 2_000
"""Characters of a line that are looked at for the end of a function."""

_SOCKETS = ("/dev/tcp/", "/dev/udp/")
"""Below these, bash opens a connection; for other shells they are names like others, and /dev has none of them."""


def take_status(state: State, ends: Ends) -> None:
    """The status of a child of the shell, where all its ways have the same one; what it said, too."""
    state.status = None
    if len(ends) != 1:
        return
    end, flow = ends[0]
    if isinstance(flow, ScriptOutcome) and flow.kind != "ends":
        return
    code = end.code if isinstance(flow, str) else flow.exit_code
    if code is not None:
        state.status, state.code = code == 0, code
        state.said = end.said
        if code and end.last is not None and (end.errno or end.gave_up == end.last):
            state.last = state.gave_up = end.last


def fails_with(state: State, written: Sequence[Written | None], ways: Sequence[Ends]) -> None:
    """`set -o pipefail`: the last command that fails gives the exit code of the pipeline."""
    if state.status is False:
        return
    codes: list[int | None] = []
    for one, ends in zip(written, ways, strict=True):
        end, flow = ends[0]
        code = (end.code if isinstance(flow, str) else flow.exit_code) if len(ends) == 1 else None
        codes.append(one.code if code is None and one is not None else code)
    failing = [at for at, code in enumerate(codes) if code]
    if failing:
        ended = ways[failing[-1]][0][0]
        if ended.errno and ended.last is not None:
            state.last = state.gave_up = ended.last
        state.status = False
        state.code = None if None in codes[failing[-1] :] else codes[failing[-1]]
    elif None in codes:
        state.status = None


def as_input(written: Written | None) -> str | Unknown | None:
    """What a command can read that another one writes (`State.input`)."""
    if written is None or written.ordered:
        return None if written is None else written.text
    return UNKNOWN if written.text else ""


def asks_input(condition: Script) -> bool:
    """Whether a loop takes its turns from standard input."""
    commands = condition.items[-1].pipelines[-1].commands if condition.items else ()
    last = commands[-1] if commands else None
    return isinstance(last, Simple) and bool(last.words) and last.words[0].literal in ("read", "getopts")


def asked_last(item: AndOr) -> Simple | Compound | None:
    """The test that a list ends with, whose answer is that of the list."""
    last = item.pipelines[-1]
    command = last.commands[-1]
    if last.negated or len(last.commands) > 1:
        return None
    if isinstance(command, Compound):
        return command if command.kind == "test" else None
    return command if command.words and command.words[0].literal in ("[", "test") else None


class Commands(Builtins):
    """The part of a walk that judges a command by its text and the image."""

    def _is_command(self, names: Sequence[Field], state: State, command: Simple, tested: bool) -> Flow:
        """`command -v NAME`: whether PATH has it."""
        name = names[0] if len(names) == 1 else UNKNOWN
        path = state.scope.get("PATH")
        found = None
        if isinstance(name, str) and isinstance(path, str) and state.scope.which is not None:
            found = True if name in state.functions else state.scope.which(name, path)
        state.status = None if found is None else bool(found)
        state.doubt = ""
        return self._ended_by_errexit(state, self._line(command.at), tested) if state.status is False else ""

    def cannot_enter(self, path: str, state: State, line: int) -> tuple[int, str] | None:
        """The exit code and the words of `cd` into a directory; None where it succeeds, or that is not known."""
        image = state.image
        known = image is not None and state.cwd is not None and state.exact
        errno = image.enter(path, state.cwd or "") if known and image is not None else None
        return self._speaker.cannot_change_directory(path, errno, line) if errno else None

    def result(self, argv: tuple[str, ...], state: State, line: int) -> tuple[int, str] | None:
        """The exit code and the words of a command in a substitution, where both follow from the image."""
        if argv[0] == "cd" and len(argv) == 2 and "cd" not in state.functions and state.scope.get("CDPATH") is None:
            return self.cannot_enter(argv[1], state, line)
        if argv[0] in self._BUILTINS or argv[0] in state.functions:
            return None
        refused = self.refused(argv, state)
        if refused is not None:
            words = self.cannot_run(argv[0], refused, line, by_exec=False)
            return None if words is None else (words[1], words[0])
        told = self._tool(argv, state, self._env(state))
        return None if told is None else (told.code, told.words)

    def _written(self, pipeline: Pipeline, state: State) -> list[Written | None]:
        """What each command of a pipeline writes, where that is known before they run."""
        simple = [one for one in pipeline.commands if isinstance(one, Simple)]
        parts = [part for one in simple for word in one.words for part in word.parts]
        names = [one.words[0].literal if one.words else None for one in simple]
        if any(part.kind in ("command", "arithmetic") for part in parts) or any(
            one in state.functions for one in names
        ):
            return [None] * len(pipeline.commands)
        try:
            return stages(pipeline.commands, state.scope)
        except ExpansionFailed:
            return [None] * len(pipeline.commands)

    def _given(self, command: Simple | Compound, state: State) -> str | Unknown | EllipsisType | None:
        """What a redirection gives a command to read (`State.input`); `...` where there is none."""
        item = next((one for one in reversed(command.redirections) if _feeds(one)), None)
        if item is None or item.target is None:
            return ...
        if item.operator in DOCUMENT:
            return document(self._text, item, state)
        process = item.target.parts[0].text if item.target.parts and item.target.parts[0].kind == "process" else None
        if process is not None:
            try:
                items = parse_shell(process).items
            except Malformed:
                return None
            pipelines = [one for each in items for one in each.pipelines]
            return as_input(self._written(pipelines[0], state)[-1]) if len(pipelines) == 1 else None
        value = expand_one(item.target, state.scope) if item.operator in ("<", "<<<") else None
        if not isinstance(value, str):
            return None
        if item.operator == "<<<":
            return f"{value}\n"
        read = state.image.read(value, state.cwd) if state.image is not None and state.cwd is not None else None
        return None if read is None or read[1] or not state.exact else read[0]

    def _env(self, state: State, command: Simple | None = None) -> dict[str, Value]:
        """The environment of a command that the shell starts, as far as it is known."""
        env: dict[str, Value] = {name: state.scope.variables.get(name, UNKNOWN) for name in sorted(state.exported)}
        env.update(self._prefix(command, state) if command is not None else {})
        return {name: value for name, value in env.items() if value is not None}

    def _tool(self, argv: tuple[str, ...], state: State, env: Mapping[str, Value]) -> Judged | None:
        image = state.image
        if image is None or state.cwd is None or (state.changed > 1 and not state.exact) or state.scope.wild:
            return None
        found = image.tool(argv, env, state.cwd)
        return None if found is not None and not state.exact and not found.loader else found

    def stranger_in(self, command: Simple, state: State) -> bool:
        """Whether the last substitution among assignments ends with a program that nothing is known of."""
        parts = [part for item in command.assignments if item.value is not None for part in item.value.parts]
        text = next((part.text for part in reversed(parts) if part.kind == "command"), "")
        try:
            items = parse_shell(text).items
        except Malformed:
            return False
        last = items[-1].pipelines[-1].commands[-1] if items else None
        if not isinstance(last, Simple) or not last.words or last.words[0].literal is None:
            return False
        words = [word.literal or "?" for word in last.words]
        return not (words[0] in self._BUILTINS or words[0] in state.functions or is_ordinary(words))

    def external(self, call: BuiltinCall, flag: str) -> Ends:
        """A command that is neither a builtin nor a function: judged by the image, or its status is not known."""
        state, line, source = call.state, call.line, call.source
        argv, complete = as_argv([call.name, *call.rest])
        complete = complete and argv[0] not in ("?", "...")
        started = StartedCommand(argv, complete, source, line)
        written = document_to_errors(self._text, call.command, state) if argv[0] == "cat" else None
        if written:
            state.say(written.removesuffix("\n"))
        env = self._env(state, call.command)
        tool = self._tool(argv, state, env) if complete else None
        if tool is None and complete:
            text = state.input if isinstance(state.input, str) else None
            tool = spawned(argv, state.scope, text, lambda words: self._ran(words, state, env))
        if tool is None and argv == ("cat",) and any(item.operator in DOCUMENT for item in call.command.redirections):
            tool = Judged()
        if flag and not state.traps and not (flag == "busybox" and state.ever_trapped) and not (tool and tool.code):
            why = "the last command of -c: the shell replaces itself instead of waiting"
            given = self._prefix(call.command, state)
            end = ScriptOutcome(kind="tail", argv=argv, complete=complete, source=source, line=line, why=why, env=given)
            if argv[0] in ("?", "..."):
                why = "the shell replaces itself by a command that is only known when it runs"
                end = ScriptOutcome(kind="unknown", argv=argv, complete=False, source=source, line=line, why=why)
            return [(state, end)]
        refused = self.refused(argv, state) if argv[0] not in ("?", "...") else None
        said = None if refused is None else self.cannot_run(argv[0], refused, line, by_exec=False)
        if refused is not None and said is not None:
            state.last = started
            state.fail(said[1], said[0], errno=refused.errno)
            state.doubt = ""
            return [(state, self._ended_by_errexit(state, line, call.tested))]
        state.last = started
        if tool is not None:
            self._has_ended(state, started, tool.code, tool.words)
            if not leaves_input(argv):
                state.input, state.reads = None, True
            if tool.changes:
                self._changes(argv, state, tool.made)
            return [(state, "" if state.status else self._ended_by_errexit(state, line, call.tested))]
        child = self._child(argv, state, env) if complete else None
        name = (child.argv if child is not None and child.kind != "ends" else argv)[:1] or argv
        if child.reads if child is not None and child.kind == "ends" else not leaves_input(name):
            state.input, state.reads = None, True
        if child is None:
            self._changes(argv, state)
            state.status, state.doubt = None, source
            state.stranger = not is_ordinary(argv) or self._asks_too_much(argv, state)
            if stays(argv):
                state.takes_for_granted(source, line)
        else:
            self._take(child, started, state)
        if state.status is False:
            return [(state, self._ended_by_errexit(state, line, call.tested))]
        if state.status is None and state.errexit and not call.tested:
            self._asks_volumes(argv, state)
            state.goes_on(line)
        return [(state, "")]

    @staticmethod
    def _asks_volumes(argv: tuple[str, ...], state: State) -> None:
        """Note what a volume has to let a program write that makes files, where the script ends with its failure."""
        name, image, cwd = posixpath.basename(argv[0]), state.image, state.cwd
        if name not in _WRITERS or image is None or cwd is None:
            return
        operands = [word for word in argv[1:] if not word.startswith("-")]
        for path in operands[-1:] if name in ("cp", "mv", "ln", "install") else operands[:20]:
            refuses = image.volume_refuses(path, cwd, directory=name == "mkdir")
            if refuses and refuses not in state.needs and len(state.needs) < 20:
                state.needs += (refuses,)

    def _ran(self, argv: tuple[str, ...], state: State, env: Mapping[str, Value]) -> Ran | None:
        """How a program ends that another one starts, where that follows from the image."""
        refused = self.refused(argv, state)
        if refused is not None:
            return Ran(errno="EACCES") if refused.errno in ("EACCES", "EISDIR") else Ran(errno="ENOENT")
        tool = self._tool(argv, state, env)
        if tool is not None:
            return Ran(code=tool.code, said=tool.words, changes=tool.changes)
        child = self._child(argv, state, env)
        if child is None or child.kind != "ends" or child.exit_code is None or not child.sure or child.reads:
            return None
        changes = child.changed > state.changed
        return Ran(code=child.exit_code, said="\n".join(child.said), changes=changes)

    def _has_ended(self, state: State, started: StartedCommand, code: int, *said: str) -> None:
        """A command ran and ended with this exit code."""
        state.status, state.doubt = True, ""
        if code:
            state.fail(code, *(words for words in said if words))
            state.gave_up = started

    def _asks_too_much(self, argv: tuple[str, ...], state: State) -> bool:
        return self._image is not None and self._image.asks_too_much(argv, state.cwd or "")

    def _child(self, argv: tuple[str, ...], state: State, env: Mapping[str, Value]) -> ScriptOutcome | None:
        """What becomes of a script that this command starts, where that can be followed."""
        if self._image is None or state.cwd is None or state.changed > 1 or state.scope.wild:
            return None
        return self._image.child(argv, env, state.cwd, state.changed)

    def _take(self, child: ScriptOutcome, started: StartedCommand, state: State) -> None:
        """What a script that ran as a child leaves behind: its status, its words, what it changed."""
        if child.changed > state.changed:
            state.makes(None, child.changed)
        state.needs = tuple(dict.fromkeys((*state.needs, *child.needs)))[:20]
        if child.kind == "ends" and child.exit_code is not None and child.sure:
            state.say(*child.said)
            self._has_ended(state, started, child.exit_code)
            return
        ends_well = child.kind == "ends" and child.exit_code == 0
        if child.kind in ("exec", "tail", "child"):
            self._changes(child.argv, state)
            ends_well = is_ordinary(child.argv)
        elif child.kind == "unknown":
            self._changes(started.argv, state)
        state.status, state.doubt = None, started.source
        state.stranger = bool(child.hangs) or not ends_well

    def _changes(self, argv: Sequence[str], state: State, made: Made | None = None) -> None:
        """Note what a program may have made in the filesystem: `made`, or what is not known."""
        name = argv[0].rsplit("/", 1)[-1]
        lists = name == "find" and not any(word.startswith(_ACTING) for word in argv[1:])
        if made or (name not in _READERS and not lists):
            state.makes(made, changes_of(name), ordinary=is_ordinary(argv))
        if state.changed > 1:
            state.scope.which = None

    def _redirects(self, command: Simple | Compound, state: State) -> tuple[int, str] | None:
        """The exit code and the words of the first redirection that provably fails."""
        state.muted = state.muted or int(hides_errors(command.redirections))
        image = state.image
        if image is None or state.cwd is None:
            return None
        for item in command.redirections:
            output = item.operator in (">", ">>", ">|", "&>", "&>>")
            if item.target is None or not (output or item.operator == "<"):
                continue
            if (name := reader_of(item)) not in {"", *self._BUILTINS, *state.functions} and self.refused(
                (name,), state
            ):
                raise WalkLimitExceeded(f"whether anybody notices that {name} is not there to read is a race")
            path = expand_one(item.target, state.scope)
            if not isinstance(path, str) or not path:
                continue
            errno: ErrnoName | None
            if output and path.startswith(_SOCKETS):
                errno = None if self._shell == "bash" else "ENOENT"
            elif output:
                errno = image.create(path, state.cwd)
                refuses = image.volume_refuses(path, state.cwd) if errno is None else ""
                if refuses and refuses not in state.needs and len(state.needs) < 20:
                    state.needs += (refuses,)
            else:
                read = image.read(path, state.cwd)
                errno = None if read is None else read[1]
            if errno and not (errno == "ENOENT" and not state.exact):
                state.muted = max(0, state.muted - 1)
                return self._speaker.cannot_redirect(path, errno, self._redirected_at(command), output=output)
            if output and not path.startswith("/dev/"):
                state.makes(image.writes(path, state.cwd) if errno == "" else None, 1)
                image = state.image or image
        return None

    def _redirected_at(self, command: Simple | Compound) -> int:
        """The line of a redirection that fails; bash has its own of a compound command (5.2, seen).

        That is the last line of what it reads as a whole, or the first of the function or `case` around it.
        """
        compound = self._shell == "bash" and isinstance(command, Compound)
        return self._whole_line if compound and self._whole_line else self._line(command.at)

    def _waits(self, command: Compound, condition: Script, state: State) -> None:
        """A loop whose condition is not known goes on behind: note what that takes, where something else decides."""
        asks = [one for item in condition.items for pipeline in item.pipelines for one in pipeline.commands]
        source = " ".join(word.source for one in asks if isinstance(one, Simple) for word in one.words)
        if asks_input(condition):
            return
        asked = state.doubt
        inside = "$(" in source or "`" in source
        if asked or inside or only_idles(command.branches[0].body):
            start = self._text[asks[0].at :].partition("\n")[0].partition(";")[0] if asks else ""
            loop_ends(state, self._line(command.at), asked or source or start, asked)

    def _left(self, command: Compound, end: State, before: State) -> State:
        """The state behind an endless loop that an answer ends; how many turns it took is not known."""
        new = [one for one in end.split if one not in before.split]
        asked = new[0].source if new else ""
        end.split = before.split
        for name in assigned(command) - {"@", "*"}:
            end.scope.variables[name] = UNKNOWN
        loop_ends(end, self._line(command.at), asked or end.failed or "a command", asked)
        return end

    def _without_append(self, command: Simple) -> Simple:
        """`name+=value` is a command of that name to a shell that knows no such assignment."""
        if self._shell == "bash":
            return command
        for number, item in enumerate(command.assignments):
            if item.append and item.value is not None:
                late = [
                    Word(
                        parts=(Part(kind="literal", text=f"{one.name}{'+' * one.append}="), *one.value.parts),
                        source=f"{one.name}{'+' * one.append}={one.value.source}",
                        at=one.value.at,
                    )
                    for one in command.assignments[number:]
                    if one.value is not None
                ]
                before = command.assignments[:number]
                return msgspec.structs.replace(command, assignments=before, words=(*late, *command.words))
        return command

    def _foreign(self, line: Line) -> tuple[str, int] | None:
        """The token of bash's grammar at which another shell gives up, and where it stands; None when there is none."""
        found: list[tuple[int, str]] = []
        stack: list[tuple[object, str]] = [(line.items, "")]
        while stack:
            node, closing = stack.pop()
            if isinstance(node, tuple):
                stack.extend((one, closing) for one in node)
            elif isinstance(node, (AndOr, Pipeline)):
                stack.append((node.pipelines if isinstance(node, AndOr) else node.commands, closing))
            elif isinstance(node, Script):
                stack.append((node.items, closing))
            elif isinstance(node, (Simple, Compound)):
                if isinstance(node, Simple) and any(item.value is None for item in node.assignments):
                    found.append((node.at, '"("' + (f' (expecting "{closing}")' if closing else "")))
                for item in node.redirections:
                    if item.target is not None and (item.operator == "<<<" or self._refuses_process(item.target)):
                        found.append((item.target.at, "redirection"))
                words = node.words if isinstance(node, Simple) else ()
                found += [(word.at, '"("') for word in words if self._refuses_process(word)]
                if isinstance(node, Compound) and refuses_function(node, self._shell):
                    found.append((node.at, ""))
                token = self._no_keyword(node)
                if token:
                    found.append((node.at, token + (f' (expecting "{closing}")' if closing else "")))
                if isinstance(node, Compound):
                    opens, ends = _CLOSING.get(node.kind, ("", ""))
                    for branch in node.branches:
                        stack += [(branch.condition, opens), (branch.body, ends)]
        return None if not found else (min(found)[1], min(found)[0])

    def _no_keyword(self, node: Simple | Compound) -> str:
        """The token at which dash gives up after `function NAME`, two plain words to it; "" where it reads on."""
        if self._shell != "dash" or not isinstance(node, Compound) or node.kind != "function":
            return ""
        header = self._text[node.at : node.at + _HEADER].partition("\n")[0]
        if not header.startswith("function"):
            return ""
        head, _, body = header.partition("{")
        return '"("' if head.rstrip().endswith(")") else '"}"' if "; }" in body else ""

    def _refuses_process(self, word: Word) -> bool:
        """`<(...)` and `>(...)`, which dash reads as a redirection without a name."""
        return self._shell == "dash" and any(part.kind == "process" for part in word.parts)

    def _syntax(self, line: Line, state: State) -> ScriptOutcome | None:
        """A shell reads a whole line before it runs any of it: what is not its grammar ends it there."""
        foreign = None if self._shell == "bash" else self._foreign(line)
        if foreign is None:
            return None
        token, number = foreign[0], self._line(foreign[1])
        state.fail(2, self._speaker.says(number, syntax_error(token, self._shell)))
        return self._dies(state, f"line {number} is not the grammar of {self._shell}", number)

    def _ended_by_errexit(self, state: State, line: int, tested: bool) -> Flow:
        """`set -e` ends the script behind a command that failed."""
        if not state.errexit or tested:
            return ""
        why = f"line {line} fails, which ends the script (set -e)"
        return self._failed(state, why, line)

    def _failed(self, state: State, why: str, line: int) -> ScriptOutcome:
        """The shell ends with the failure of its last command."""
        ran = state.last if state.errno else None
        if ran is None or self._sourcing:
            return self._dies(state, why, line)
        words = msgspec.structs.asdict(ran)
        return ScriptOutcome(kind="ends", why=why, exit_code=state.code, errno=state.errno, **words)


def _feeds(item: Redirection) -> bool:
    """Whether a redirection is of standard input."""
    return item.descriptor in (None, 0) and item.operator in ("<", "<<", "<<-", "<<<", "<&", "<>")


def is_socket(item: Redirection) -> bool:
    """Whether bash opens a connection for it."""
    return item.target is not None and item.target.source.startswith(_SOCKETS)


def bash_may_skip_fork(line: Line) -> bool:
    """bash's rule for `-c`: the line's last command is simple, joined to what is before by `;`, `&&` or `||` only."""
    items = line.items
    final = items[-1]
    if final.end == "&" or (len(items) > 1 and items[-2].end != ";"):
        return False
    if len(items) > 1 and len(final.pipelines) > 1:
        return False
    pipeline = final.pipelines[-1]
    if len(pipeline.commands) > 1 or pipeline.negated or pipeline.timed:
        return False
    command = pipeline.commands[0]
    return isinstance(command, Simple) and not command.redirections


def assigned(command: Compound) -> set[str]:
    """Names that a compound command may change: variables, `@` for the arguments, `*` for everything."""
    names: set[str] = set()
    stack: list[Script] = [branch.body for branch in command.branches]
    stack += [branch.condition for branch in command.branches if branch.condition is not None]
    while stack:
        for item in stack.pop().items:
            for pipeline in item.pipelines:
                for inner in pipeline.commands:
                    if isinstance(inner, Compound):
                        stack += [branch.body for branch in inner.branches]
                        stack += [branch.condition for branch in inner.branches if branch.condition is not None]
                        if inner.name and inner.kind != "function":
                            names.add(inner.name)
                        continue
                    names |= {assignment.name for assignment in inner.assignments}
                    first = inner.words[0].literal if inner.words else None
                    if first in ("shift", "set"):
                        names.add("@")
                    elif first in (".", "source", "eval"):
                        names |= {"*", "@"}
                    elif first in DECLARE or first in ("read", "unset", "getopts", "printf"):
                        names |= {word.source.split("=", 1)[0] for word in inner.words[1:]}
    return names
