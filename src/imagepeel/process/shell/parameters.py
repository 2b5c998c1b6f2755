"""The variables, options and arguments of a shell, and the builtins that change them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from imagepeel.formats.shell.tree import Assignment, Part, Simple, Word
from imagepeel.process.shell.expand import expand, expand_one
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.scope import UNKNOWN, Field, Scope, Unknown, Value
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.state import Ends, State
from imagepeel.process.shell.words import SPECIAL, Speaker
from imagepeel.text import decimal

_SET_LETTERS = {
    "dash": frozenset("efImnsxviVECabuolqc"),
    "busybox": frozenset("efImnsxviVECabuolpqc"),
    "bash": frozenset("abefhkmnptuvxBCEHPTo"),
}
"""Letters that `set` knows."""
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


def masked(word: str, mask: int | None) -> int | None:
    """The mask that `umask` makes of a word and the one before; None where it is none, or not known."""
    if re.fullmatch(r"[0-7]{1,4}", word):
        return int(word, 8) & 0o777
    if mask is None or not re.fullmatch(r"[ugoa]*[-+=][rwx]*(?:,[ugoa]*[-+=][rwx]*)*", word):
        return None
    for clause in word.split(","):
        who, sign, letters = re.split(r"([-+=])", clause, maxsplit=1)
        bits = sum({"r": 4, "w": 2, "x": 1}[letter] for letter in set(letters))
        for shift in {{"u": 6, "g": 3, "o": 0}[one] for one in (who.replace("a", "ugo") or "ugo")}:
            closed = mask >> shift & 7
            closed = closed & ~bits if sign == "+" else closed | bits if sign == "-" else 7 & ~bits
            mask = mask & ~(7 << shift) | closed << shift
    return mask


class Parameters:
    """The part of a walk that knows what a shell remembers."""

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

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

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

    def unsets(self, call: BuiltinCall) -> None:
        for item in call.rest:
            if isinstance(item, str) and not item.startswith("-"):
                call.state.scope.variables[item] = None
                call.state.scope.arrays.pop(item, None)
                call.state.functions.pop(item, None)
        call.state.status = True

    def reads(self, call: BuiltinCall) -> Ends | None:
        """`read`, from what is known of standard input, and `mapfile`."""
        state, names = call.state, [item for item in call.rest if isinstance(item, str) and not item.startswith("-")]
        for item in names:
            state.scope.arrays.pop(item, None)
            state.scope.variables[item] = UNKNOWN
            if call.name != "read" or any(word in ("-a", "-ra") for word in call.rest):
                state.scope.arrays[item] = UNKNOWN
        state.scope.variables["REPLY"] = UNKNOWN
        state.reads, state.status = True, None
        given, state.input = state.input, None
        options = [item for item in call.rest if isinstance(item, str) and item.startswith("-")]
        ends = "\0" if self._shell == "bash" and ("" in names and "-d" in options) else "\n"
        names = [name for name in names if name] or ["REPLY"]
        if call.name != "read" or set(options) - {"-r", *(["-d"] if ends == "\0" else [])}:
            return None
        if isinstance(given, Unknown):
            state.status = True
        if not isinstance(given, str):
            return None
        line, end, state.input = given.partition(ends)
        self._fills(call, names, line if "-r" in options or "\\" not in line else UNKNOWN)
        state.status = bool(end)
        return None if end else self.failed(call, 1)

    def getopts(self, call: BuiltinCall) -> Ends | None:
        """`getopts`: the next option of the arguments, or of the words behind its own two (POSIX XCU getopts)."""
        state, variables = call.state, call.state.scope.variables
        rest = call.rest[2:] or state.scope.args
        count = decimal(str(variables.get("OPTIND") or "1"))
        words = [item for item in (*call.rest[:2], *(rest or ())) if isinstance(item, str)]
        if rest is None or count is None or not 0 < count < 1000 or len(words) < 2 + len(rest):
            variables.update(dict.fromkeys(("OPTARG", "OPTIND", *words[1:2]), UNKNOWN))
            state.status = None
            return None
        options, name, *given = words
        index, at = state.option if state.option[0] == count else (count, 1)
        word = given[index - 1] if index <= len(given) else ""
        variables["OPTARG"] = None
        if at == 1 and (len(word) < 2 or word[0] != "-" or word == "--"):
            variables[name] = "?"
            state.option = (index + (word == "--"), 1)
            variables["OPTIND"] = str(state.option[0])
            state.status = False
            return self.failed(call, 1) if state.errexit and not call.tested else None
        letter, value = word[at], word[at + 1 :]
        known = letter != ":" and letter in options
        takes = known and options[options.index(letter) + 1 :][:1] == ":"
        state.option = (index, at + 1) if value and not takes else (index + 1, 1)
        said, found = "", letter
        if not known:
            said, found = self._speaker.wrong_option(letter), "?"
        elif takes and not value and index < len(given):
            value, state.option = given[index], (index + 2, 1)
        elif takes and not value:
            said, found = self._speaker.no_value(letter), ":" if options[:1] == ":" else "?"
        variables["OPTARG"] = letter if said and options[:1] == ":" else value if takes and not said else None
        variables[name], variables["OPTIND"] = found, str(state.option[0])
        if said and options[:1] != ":":
            state.say(said)
        state.status = True
        return None

    def umask(self, call: BuiltinCall) -> Ends | None:
        """`umask`: which modes the files and directories get that are made from here on."""
        scope, words = call.state.scope, [item for item in call.rest if item not in ("-S", "-p")]
        call.state.status = True
        if not words:
            return None
        word = words[0]
        mask = masked(word, scope.umask) if isinstance(word, str) else None
        if mask is None and isinstance(word, str) and (scope.umask is not None or word[:1].isdigit()):
            return self.failed(call, *self._speaker.refuses_mask(word, call.line))
        scope.umask = mask
        if mask is None:
            call.state.makes(None, 0)
        return None

    def _fills(self, call: BuiltinCall, names: Sequence[str], line: Value) -> None:
        """Divide a line among the variables of `read`."""
        variables = call.state.scope.variables
        separators = {"IFS": call.state.scope.get("IFS"), **self._prefix(call.command, call.state)}["IFS"]
        if not isinstance(line, str) or (separators not in (None, "", " \t\n")):
            return
        if separators == "":
            variables.update(dict.fromkeys(names, ""))
            variables[names[0]] = line
            return
        words = line.strip(" \t").split(None, len(names) - 1) if len(names) > 1 else [line.strip(" \t")]
        variables.update(zip(names, (*words, *[""] * len(names)), strict=False))

    def sets(self, call: BuiltinCall) -> Ends | None:
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
                elif rest[index] == "pipefail":
                    state.pipefail = item.startswith("-")
            index += 1
        return None

    def shifts(self, call: BuiltinCall) -> Ends | None:
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

    def declares(self, call: BuiltinCall) -> Ends | None:
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
