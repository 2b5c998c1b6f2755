"""Command substitutions whose output follows from their words and the image: `$(cat f)`, `$(cd d && pwd)`, ..."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import AndOr, Command, Redirection, Simple
from imagepeel.process.shell.conditions import evaluate_test
from imagepeel.process.shell.expand import ExpansionFailed, expand
from imagepeel.process.shell.listing import Written, found, in_order, listed
from imagepeel.process.shell.output import filtered, formatted
from imagepeel.process.shell.scope import UNKNOWN, Scope, Value
from imagepeel.text import decimal

_MAX_OUTPUT = 65_536


def reader_of(item: Redirection) -> str:
    """Return the program that `> >(...)` starts to read what is written, where its name is plain; else ""."""
    if item.operator == "<" or item.target is None or not item.target.parts or item.target.parts[0].kind != "process":
        return ""
    words = item.target.parts[0].text.split(None, 1)
    return words[0] if words and all(one.isalnum() or one in "_./+-" for one in words[0]) else ""


def substitution(source: str, scope: Scope) -> Value:
    """The output of the commands between `$(` and `)`, without the newlines at its end; UNKNOWN for most."""
    try:
        return _substituted(source, scope)
    except ExpansionFailed as failed:  # it ends the child of the shell that expands it
        if failed.unproved or not str(failed) or scope.broken is None:
            raise
        if scope.shell == "bash":
            raise ExpansionFailed(
                str(failed), "what bash says of a word inside a substitution is not followed"
            ) from failed
        scope.substituted, said = scope.broken(str(failed))
        if scope.tell is not None:
            scope.tell(said)
        return ""


def _substituted(source: str, scope: Scope) -> Value:
    scope.substituted = None
    try:
        items = parse_shell(source).items
    except Malformed:
        return UNKNOWN
    moves = _moving(items)
    if moves is not None:
        return _entered(*moves, scope, only_if=len(items) == 1)
    command, filters = _alone(items)
    if command is None:
        return UNKNOWN
    if filters:
        return _filtered(command, filters, scope)
    if not command.words:
        return _input(command, scope)
    hides: set[int] = set()
    for item in command.redirections:
        if item.target is None or item.operator not in (">", ">>") or item.target.literal != "/dev/null":
            return UNKNOWN
        hides.add(1 if item.descriptor is None else item.descriptor)
    fields = expand(command.words, scope)
    scope.substituted = None
    if not fields or not all(isinstance(field, str) for field in fields):
        return UNKNOWN
    words = [str(field) for field in fields]
    if posixpath.basename(words[0]) in ("find", "ls"):
        return UNKNOWN if 1 in hides else _filtered(command, [], scope)
    output = _output(words, scope)
    if output is None:
        return _failing(words, scope, told=2 not in hides)
    if len(output[0]) > _MAX_OUTPUT or "\0" in output[0]:
        return UNKNOWN
    scope.substituted = output[1]
    return "" if 1 in hides else output[0].rstrip("\n")


def _failing(words: list[str], scope: Scope, *, told: bool) -> Value:
    """Nothing, of a command that provably fails; what one writes that succeeds is not known."""
    result = scope.result(tuple(words)) if scope.result is not None else None
    if result is None:
        return UNKNOWN
    scope.substituted = result[0]
    if not result[0]:
        return UNKNOWN
    if told and scope.tell is not None:
        scope.tell(result[1])
    return ""


def _moving(items: Sequence[AndOr]) -> tuple[Simple, Simple] | None:
    """The two commands of `cd DIRECTORY && pwd`."""
    pipelines = [one for item in items for one in item.pipelines]
    if len(pipelines) != 2 or any(item.end == "&" or "||" in item.operators for item in items):
        return None
    first, second = (one.commands[0] for one in pipelines)
    if any(len(one.commands) > 1 or one.negated for one in pipelines) or not isinstance(first, Simple):
        return None
    if not isinstance(second, Simple) or first.assignments or second.assignments or second.redirections:
        return None
    names = [one.words[0].literal if one.words else None for one in (first, second)]
    return (first, second) if names == ["cd", "pwd"] else None


def _entered(move: Simple, ask: Simple, scope: Scope, *, only_if: bool) -> Value:
    """The directory that a `cd` leads to; nothing where it fails, which ends it (`only_if`: `&&` stands behind)."""
    hidden = [item.target.literal if item.target is not None else None for item in move.redirections]
    options = [word.literal for word in (*move.words[1:-1], *ask.words[1:])]
    if set(hidden) - {"/dev/null", "1", "2"} or set(options) - {"-P", "-L", "--"} or scope.get("CDPATH") is not None:
        return UNKNOWN
    fields = expand(move.words[-1:], scope) if len(move.words) > 1 else []
    scope.substituted = None
    path = fields[0] if len(fields) == 1 else "" if fields else UNKNOWN
    if path == "" and scope.shell != "busybox":
        path = "."
    quiet = any(item.descriptor == 2 or item.operator == "&>" for item in move.redirections)
    background = scope.shell == "dash" and any(item.operator == "&>" for item in move.redirections)
    if not isinstance(path, str) or path in ("", "-") or scope.locate is None or background:
        return UNKNOWN
    found = scope.locate(path)
    if found is not None and found[2]:
        scope.substituted = 0
        return found[1] if "-P" in options else found[0]
    fails = scope.cannot_enter(path) if scope.cannot_enter is not None else None
    if fails is None or not (only_if or (scope.errexit and scope.shell == "dash")):
        return UNKNOWN
    scope.substituted = fails[0]
    if not quiet and scope.tell is not None:
        scope.tell(fails[1])
    return ""


def _alone(items: Sequence[AndOr]) -> tuple[Simple | None, list[Simple]]:
    """The simple command that is all there is, and those that its output goes through."""
    if len(items) != 1 or items[0].end or len(items[0].pipelines) != 1 or items[0].pipelines[0].negated:
        return None, []
    commands = [one for one in items[0].pipelines[0].commands if isinstance(one, Simple) and not one.assignments]
    if len(commands) < len(items[0].pipelines[0].commands):
        return None, []
    return commands[0], commands[1:]


def _is_quiet(command: Simple) -> bool:
    """Whether a command of a pipeline hides what it says of errors."""
    return any(
        item.descriptor == 2 and item.target is not None and item.target.literal == "/dev/null"
        for item in command.redirections
    )


def _without_last(command: Simple, scope: Scope) -> Value:
    """Nothing, of a pipeline whose last command cannot be started."""
    fields = expand(command.words, scope)
    words = [field for field in fields if isinstance(field, str)]
    if not words or len(words) < len(fields) or command.redirections or scope.result is None:
        return UNKNOWN
    result = scope.result(tuple(words))
    if result is None or result[0] not in (126, 127):
        return UNKNOWN
    return _failing(words, scope, told=True)


def _filtered(command: Simple, filters: list[Simple], scope: Scope) -> Value:
    """The output of a pipeline whose first command is known and whose others are plain filters."""
    each = stages((command, *filters), scope)
    last = each[-1]
    if last is None and filters and all(map(_is_quiet, (command, *filters[:-1]))):
        return _without_last(filters[-1], scope)
    if last is None or not last.ordered or len(last.text) > _MAX_OUTPUT or "\0" in last.text:
        return UNKNOWN
    for one in each:
        if one is not None and one.said and scope.tell is not None:
            scope.tell(one.said)
    scope.substituted = last.code
    return last.text.rstrip("\n")


def stages(commands: Sequence[Command], scope: Scope) -> list[Written | None]:
    """What each command of a pipeline writes, of a first one that is known and the plain filters behind it."""
    found: list[Written | None] = []
    for number, command in enumerate(commands):
        before = found[-1] if found else None
        found.append(_stage(command, before, scope) if before is not None or not number else None)
    return found


def _stage(command: Command, before: Written | None, scope: Scope) -> Written | None:
    if not isinstance(command, Simple) or command.assignments or not command.words:
        return None
    quiet = [item.descriptor == 2 and item.target is not None and item.target.literal == "/dev/null"
             for item in command.redirections]  # fmt: skip
    if not all(quiet):
        return None
    fields = expand(command.words, scope)
    words = [str(field) for field in fields]
    if not fields or not all(isinstance(field, str) for field in fields):
        return None
    if before is not None and not _runs(words[0], scope):
        return None
    written = _written(words, scope) if before is None else _through(words, before, scope)
    return msgspec.structs.replace(written, said="") if written is not None and quiet else written


def _written(words: list[str], scope: Scope) -> Written | None:
    """What a command writes, to the last newline."""
    name = posixpath.basename(words[0])
    if name in ("find", "ls"):
        known = scope.family is not None and scope.family(words[0]) is not None
        return None if not known else found(words, scope) if name == "find" else listed(words, scope)
    output = _output(words, scope)
    if output is None:
        return None
    ends = "\n" if words[0] == "echo" or (words[0] in _PROGRAMS - {"cat"} and output[0]) else ""
    return Written(text=output[0] + ends, code=output[1])


def _through(words: list[str], before: Written, scope: Scope) -> Written | None:
    """What a filter makes of what the command before it writes."""
    words = [posixpath.basename(words[0]), *words[1:]]
    if words[0] == "sort":
        text = in_order(before.text, words[1:], scope)
        return None if text is None else Written(text=text)
    text = "" if not before.text else filtered(before.text, words) if "\0" not in before.text else None
    code = int(not text) if words[0] == "grep" else 0
    return None if text is None else Written(text=text, code=code, ordered=before.ordered)


def _input(command: Simple, scope: Scope) -> Value:
    """`$(< file)`: the file in bash, nothing in the others."""
    target = command.redirections[0].target if len(command.redirections) == 1 else None
    if target is None or command.redirections[0].operator != "<" or scope.text is None:
        return UNKNOWN
    fields = expand([target], scope)
    read = scope.text(fields[0]) if len(fields) == 1 and isinstance(fields[0], str) else None
    if read is None:
        return UNKNOWN
    scope.substituted = 0
    if read[1] and scope.cannot_read is not None and scope.tell is not None:
        scope.substituted, said = scope.cannot_read(str(fields[0]), read[1])
        scope.tell(said)
        if scope.shell == "bash" and scope.errexit:  # it is no command that fails: also where one would be tested
            raise ExpansionFailed("")
    return read[0].rstrip("\n") if scope.shell == "bash" else ""


def _runs(name: str, scope: Scope) -> bool:
    """Whether this program is there: a name in PATH, or in a busybox that is the shell."""
    path = scope.get("PATH")
    if scope.which is None:
        return True
    found = scope.which(name, path) if isinstance(path, str) else ""
    return bool(found) or (found is None and scope.shell == "busybox")


_PROGRAMS = frozenset(("which", "id", "dirname", "basename", "cat", "readlink", "realpath", "uname"))
"""Programs whose output is told here, where the image has them and can start them."""


def _output(words: list[str], scope: Scope) -> tuple[str, int] | None:
    """What a command writes and its exit code; None where that is not known."""
    name, rest = words[0], words[1:]
    if name in _PROGRAMS and rest[:1] == ["--"]:
        rest = rest[1:]
    if name in _SILENT:
        return _status(name, rest, scope)
    if name == "pwd" and rest in ([], ["-P"], ["-L"]):
        here = scope.locate(".") if scope.locate is not None else None
        return None if here is None else (here[1] if rest == ["-P"] else here[0], 0)
    if name in _PROGRAMS:
        result = scope.result(tuple(words)) if scope.result is not None else None
        if not _runs(name, scope) or (result is not None and result[0]):
            return None
    if name == "command" and rest[:1] == ["-v"]:
        return _which(rest[1:], scope, 1 if scope.shell == "bash" else 127)
    if name == "which":
        return _which(rest, scope, 1)
    if words == ["id", "-u"] and scope.uid is not None:
        return str(scope.uid), 0
    if name in ("dirname", "basename") and len(rest) == 1 and rest[0] and not rest[0].endswith("/"):
        cut = posixpath.dirname(rest[0]) or "." if name == "dirname" else posixpath.basename(rest[0])
        return cut, 0
    if name == "basename" and len(rest) == 2 and "/" not in rest[1] and not rest[0].endswith("/"):
        last = posixpath.basename(rest[0])
        return last.removesuffix(rest[1]) if last != rest[1] else last, 0
    if (name, *rest[:-1]) in (("readlink", "-f"), ("realpath",)) and rest[-1][:1] != "-" and scope.locate is not None:
        found = scope.locate(rest[-1])
        return None if found is None else (found[1], 0)
    known = {"uname": "Linux", "uname -s": "Linux"}
    known |= {"umask": f"{scope.umask:04o}"} if scope.umask is not None else {}
    if " ".join(words) in known:
        return known[" ".join(words)], 0
    return _written_by_shell(words, scope)


_OPTION = late(r"-[neE]+")
"""What a shell's `echo` may take for an option."""


def _written_by_shell(words: list[str], scope: Scope) -> tuple[str, int] | None:
    """What `echo`, `printf` and `cat` write."""
    name, rest = words[0], words[1:]
    if name == "echo" and not any("\\" in word for word in rest) and not (rest and _OPTION.fullmatch(rest[0])):
        return " ".join(rest), 0
    if name == "printf" and rest and not rest[0].startswith("-"):
        written = formatted(rest[0], rest[1:])
        return None if written is None else (written, 0)
    if name == "cat" and len(rest) == 1 and not rest[0].startswith("-") and scope.text is not None:
        read = scope.text(rest[0])
        return None if read is None or read[1] else (read[0], 0)
    return None


_SILENT = frozenset(("true", ":", "false", "exit", "test", "["))


def _status(name: str, rest: list[str], scope: Scope) -> tuple[str, int] | None:
    """The exit code of a builtin that writes nothing."""
    if name == "exit":
        code = decimal(rest[0]) if len(rest) == 1 and len(rest[0]) < 10 else None
        return None if code is None else ("", code % 256)
    answer = evaluate_test(rest[:-1] if name == "[" else rest, scope.test) if name in ("test", "[") else name != "false"
    return None if answer is None else ("", int(not answer))


def _which(words: list[str], scope: Scope, missing: int) -> tuple[str, int] | None:
    """`command -v NAME` and `which NAME`: the file that PATH gives, or nothing."""
    path = scope.get("PATH")
    if len(words) != 1 or scope.which is None or not isinstance(path, str) or not words[0]:
        return None
    found = scope.which(words[0], path)
    return None if found is None else (found, 0 if found else missing)
