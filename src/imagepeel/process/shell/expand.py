"""Expansion of shell words as far as text proves it: parameters, patterns, `test`, and what stays unknown."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from imagepeel.errors import Malformed
from imagepeel.formats.shell.lexer import parse_word
from imagepeel.formats.shell.tree import Part, Word, has_wildcard


class _Unknown:
    """Marks a value that only the running shell knows."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()
"""One word whose value is not known."""

MANY = _Unknown()
"""Any number of words, also none."""

Value = str | None | _Unknown
"""A variable: its text, None when unset, UNKNOWN."""

Look = Callable[[str, str], "bool | None"]
"""`look(operator, path)`: the answer of `test -OPERATOR path` in the image, None when it cannot be told."""

_UNTOLD = frozenset(
    ("RANDOM", "SECONDS", "LINENO", "PPID", "BASHPID", "EPOCHSECONDS", "SRANDOM", "HOSTNAME", "PWD", "OLDPWD", "_")
)
BASH_UNTOLD = (
    "BASH", "BASH_VERSION", "BASH_VERSINFO", "BASH_SUBSHELL", "BASH_LINENO", "BASH_COMMAND", "BASHOPTS", "SHELLOPTS",
    "DIRSTACK", "GROUPS", "HOSTTYPE", "MACHTYPE", "OSTYPE", "PIPESTATUS", "SHLVL", "SHELL", "TERM", "EPOCHREALTIME",
    "HISTCMD", "BASH_SOURCE", "FUNCNAME",
)  # fmt: skip
"""Variables that bash sets itself, with values that a text cannot tell."""

_FRAMES = ("BASH_SOURCE", "FUNCNAME")
_FRAME = re.compile(r"(#?)(BASH_SOURCE|FUNCNAME)\[([0-9]{1,4}|[@*])\]")
_MAX_TEXT = 65_536
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_OPERATION = re.compile(r"(:?[-=+?]|##?|%%?)(.*)", re.DOTALL)


class Scope:
    """What a shell knows while it expands words.

    `variables` maps names to values; `args` are `$1`..., None when unknown; `arg0` is `$0`; `blank` says what a
    name without entry is (unset, or unknown after a sourced file); `uid` the user if known.  `source` is the path of
    the script that bash reads ("" for none or another shell), `calls` the functions that run, innermost first.
    """

    def __init__(self, variables: dict[str, Value], args: tuple[str, ...] | None, arg0: str, uid: int | None) -> None:
        self.variables = variables
        self.args = args
        self.arg0 = arg0
        self.uid = uid
        self.wild = False
        self.noglob = False
        self.source = ""
        self.calls: tuple[str, ...] = ()

    def get(self, name: str) -> Value:
        """The value of a variable or of a positional or special parameter other than `@` and `*`."""
        if name.isdigit():
            number = int(name) if len(name) < 6 else 99_999
            if number == 0:
                return self.arg0
            if self.args is None:
                return UNKNOWN
            return self.args[number - 1] if number <= len(self.args) else None
        if name == "#":
            return UNKNOWN if self.args is None else str(len(self.args))
        if name in ("?", "$", "!", "-"):
            return UNKNOWN
        if self.source and name in _FRAMES:
            return next(iter(self.frames(name)), None)
        if name in self.variables:
            return self.variables[name]
        if name in _UNTOLD or self.wild:
            return UNKNOWN
        if name in ("UID", "EUID"):
            return UNKNOWN
        return None

    def frames(self, name: str) -> tuple[str, ...]:
        """bash's array BASH_SOURCE or FUNCNAME: one element a running function and one for the script below them."""
        if name == "BASH_SOURCE":
            return (self.source,) * (len(self.calls) + 1)
        return (*self.calls, "main") if self.calls else ()


def expand(words: Sequence[Word], scope: Scope) -> list[str | _Unknown]:
    """Fields of several words; UNKNOWN and MANY stand for what is not known."""
    fields: list[str | _Unknown] = []
    for word in words:
        fields.extend(expand_word(word, scope))
    return fields


def expand_word(word: Word, scope: Scope) -> list[str | _Unknown]:
    """Fields of one word after expansion, splitting and quote removal."""
    fields: list[str | _Unknown] = []
    current: str | _Unknown | None = None
    glob = False

    def add(piece: str | _Unknown) -> None:
        nonlocal current
        if isinstance(piece, str) and (current is None or isinstance(current, str)):
            current = (current or "") + piece
        else:
            current = UNKNOWN

    for part in word.parts:
        if part.kind == "literal":
            glob = glob or (not part.quoted and has_wildcard(part.text))
            add(part.text)
        elif part.kind == "parameter" and part.text in ("@", "*"):
            if scope.args is None:
                if part.text == "@" or not part.quoted:
                    fields.append(MANY)
                    continue
                add(UNKNOWN)
            elif part.quoted and part.text == "@":
                for number, argument in enumerate(scope.args):
                    if number:
                        if current is not None:
                            fields.append(current)
                        current = None
                    add(argument)
            elif part.quoted:
                add(" ".join(scope.args))
            else:
                current = _split([*scope.args], current, fields, scope)
        elif part.kind == "tilde":
            home = scope.get("HOME") if not part.text else UNKNOWN
            add(home if isinstance(home, str) else UNKNOWN)
        elif part.kind == "braces" or part.kind == "process":
            fields.append(MANY)
        else:
            value = expand_part(part, scope)
            if part.quoted:
                add(value if value is not None else "")
            elif isinstance(value, str):
                current = _split([value], current, fields, scope)
            elif value is not None:
                fields.append(MANY)
    if glob and not scope.noglob:
        return [MANY]
    if current is not None:
        fields.append(current)
    elif any(part.quoted and part.kind == "literal" for part in word.parts):
        fields.append("")
    return fields


def _split(
    values: list[str], current: str | _Unknown | None, fields: list[str | _Unknown], scope: Scope
) -> str | _Unknown | None:
    """Field splitting of unquoted values; returns the field that is still open."""
    separators = scope.get("IFS")
    for number, value in enumerate(values):
        if number:
            if current is not None:
                fields.append(current)
            current = None
        if separators is not None or (has_wildcard(value) and not scope.noglob):
            fields.append(MANY)
            continue
        pieces = re.split(r"[ \t\n]+", value)
        for index, piece in enumerate(pieces):
            if index and current is not None:
                fields.append(current)
                current = None
            if piece:
                current = piece if current is None else (current + piece if isinstance(current, str) else UNKNOWN)
    return current


def expand_one(word: Word, scope: Scope) -> str | _Unknown:
    """A word that is not split: the value of an assignment, of `case`, of a redirection."""
    out: list[str] = []
    for part in word.parts:
        if part.kind == "literal":
            out.append(part.text)
            continue
        if part.kind == "parameter" and part.text in ("@", "*"):
            if scope.args is None:
                return UNKNOWN
            out.append(" ".join(scope.args))
            continue
        if part.kind == "tilde":
            home = scope.get("HOME") if not part.text else UNKNOWN
            if not isinstance(home, str):
                return UNKNOWN
            out.append(home)
            continue
        if part.kind == "braces":
            out.append(part.text)
            continue
        value = expand_part(part, scope)
        if isinstance(value, _Unknown):
            return UNKNOWN
        out.append(value or "")
    joined = "".join(out)
    return joined if len(joined) <= _MAX_TEXT else UNKNOWN


def expand_part(part: Part, scope: Scope) -> Value:
    """One parameter or substitution."""
    if part.kind == "parameter":
        return _parameter(part.text, scope)
    if part.kind == "command":
        return _substitution(part.text, scope)
    if part.kind == "arithmetic" and re.fullmatch(r"\s*[1-9]?[0-9]{1,9}\s*", part.text):
        return part.text.strip()
    return UNKNOWN


def _parameter(text: str, scope: Scope) -> Value:
    frame = _FRAME.fullmatch(text) if scope.source else None
    if frame is not None:
        frames, index = scope.frames(frame[2]), frame[3]
        if frame[1]:
            return str(len(frames)) if index in ("@", "*") else UNKNOWN
        if index in ("@", "*"):
            return UNKNOWN
        return frames[int(index)] if int(index) < len(frames) else None
    if text.startswith("#") and len(text) > 1:
        if text[1:] in ("@", "*"):
            return scope.get("#")
        measured = _parameter(text[1:], scope)
        return UNKNOWN if isinstance(measured, _Unknown) else str(len(measured or ""))
    match = _NAME.match(text)
    if match is None:
        return UNKNOWN
    name, rest = match[0], text[match.end() :]
    if name in ("@", "*"):
        value: Value = UNKNOWN if scope.args is None else (" ".join(scope.args) if scope.args else None)
    else:
        value = scope.get(name)
    if not rest:
        return value
    part = re.fullmatch(r":([0-9]{1,4})(?::([0-9]{1,4}))?", rest)
    if part is not None:
        if isinstance(value, _Unknown):
            return UNKNOWN
        start = int(part[1])
        return (value or "")[start : start + int(part[2]) if part[2] else None]
    operation = _OPERATION.fullmatch(rest)
    if operation is None:
        return UNKNOWN
    operator, argument = operation[1], operation[2]
    try:
        word = parse_word(argument)
    except Malformed:
        return UNKNOWN
    if operator[-1] in "-=+?":
        if isinstance(value, _Unknown):
            return UNKNOWN
        given = bool(value) if operator.startswith(":") else value is not None
        if operator[-1] == "+":
            return expand_one(word, scope) if given else ""
        if given:
            return value
        if operator[-1] == "?":
            return UNKNOWN
        replaced = expand_one(word, scope)
        if operator[-1] == "=":
            scope.variables[name] = replaced
        return replaced
    if isinstance(value, _Unknown):
        return UNKNOWN
    pattern = expand_one(word, scope)
    if isinstance(pattern, _Unknown) or len(pattern) > 256 or len(value or "") > 1024:
        return UNKNOWN
    # The source of the pattern was read as if quoted, so its own wildcards are still in the text.
    compiled = pattern_regex([(pattern, False)])
    if compiled is None:
        return UNKNOWN
    return _trim(value or "", compiled, operator)


def _trim(value: str, compiled: re.Pattern[str], operator: str) -> str:
    cuts = range(len(value) + 1)
    if operator == "#":
        return next((value[cut:] for cut in cuts if compiled.fullmatch(value[:cut])), value)
    if operator == "##":
        return next((value[cut:] for cut in reversed(cuts) if compiled.fullmatch(value[:cut])), value)
    if operator == "%":
        return next((value[:cut] for cut in reversed(cuts) if compiled.fullmatch(value[cut:])), value)
    return next((value[:cut] for cut in cuts if compiled.fullmatch(value[cut:])), value)


def pattern_regex(pieces: Sequence[tuple[str, bool]]) -> re.Pattern[str] | None:
    """A shell pattern as a regular expression; a piece is (text, quoted).  None for brackets that are not simple.

    What follows each `*` is an atomic group that takes the first place that fits, which is right for such patterns
    and keeps matching fast on any text.
    """
    segments: list[list[str]] = [[]]
    for text, quoted in pieces:
        index = 0
        while index < len(text):
            char = text[index]
            if quoted or char not in "*?[":
                segments[-1].append(re.escape(char))
            elif char == "*":
                segments.append([])
            elif char == "?":
                segments[-1].append(".")
            else:
                closing = text.find("]", index + 2)
                inside = text[index + 1 : closing] if closing > 0 else ""
                if not re.fullmatch(r"[!^]?[A-Za-z0-9_.,/:+@% -]+", inside):
                    return None
                negate = "^" if inside[0] in "!^" else ""
                segments[-1].append(f"[{negate}{inside.lstrip('!^')}]")
                index = closing
            index += 1
    out = ["".join(segments[0])]
    for segment in segments[1:-1]:
        if segment:
            out.append(f"(?>.*?{''.join(segment)})")
    if len(segments) > 1:
        out.append(".*" + "".join(segments[-1]))
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return None


def matches(word: Word, subject: str | _Unknown, scope: Scope) -> bool | None:
    """Whether a case pattern matches; None when it cannot be told."""
    if word.source == "*":
        return True
    if isinstance(subject, _Unknown) or len(subject) > 4096:
        return None
    pieces: list[tuple[str, bool]] = []
    for part in word.parts:
        if part.kind == "literal":
            pieces.append((part.text, part.quoted))
            continue
        value = expand_part(part, scope)
        if isinstance(value, _Unknown):
            return None
        pieces.append((value or "", part.quoted))
    compiled = pattern_regex(pieces)
    return None if compiled is None else compiled.fullmatch(subject) is not None


def _substitution(source: str, scope: Scope) -> Value:
    """Output of the few commands whose output follows from their words."""
    words = source.split()
    if words == ["id", "-u"] and scope.uid is not None:
        return str(scope.uid)
    of_script = len(words) == 2 and words[1].strip('"') in ("$0", "${0}") and scope.arg0.startswith("/")
    if of_script and words[0] in ("dirname", "basename"):
        return posixpath.dirname(scope.arg0) if words[0] == "dirname" else posixpath.basename(scope.arg0)
    return UNKNOWN


def evaluate_test(fields: Sequence[str | _Unknown], look: Look | None) -> bool | None:
    """`test` or `[` (without the final `]`): True, False or None."""
    if any(field is MANY for field in fields):
        return None
    if len(fields) > 4 or (len(fields) == 4 and fields[0] != "!"):
        return _connected(fields, look)
    if not fields:
        return False
    if len(fields) == 1:
        return None if isinstance(fields[0], _Unknown) else fields[0] != ""
    if fields[0] == "!" and len(fields) != 3:
        inner = evaluate_test(fields[1:], look)
        return None if inner is None else not inner
    if len(fields) == 2:
        operator, operand = fields
        if isinstance(operand, _Unknown) or isinstance(operator, _Unknown):
            return None
        if operator == "-n":
            return operand != ""
        if operator == "-z":
            return operand == ""
        if operator in ("-t", "-v", "-o", "-R"):
            return None
        return look(operator[1:], operand) if look is not None and re.fullmatch("-[a-zA-Z]", operator) else None
    if len(fields) == 3:
        left, operator, right = fields
        if isinstance(operator, _Unknown):
            return None
        if operator in ("-a", "-o"):
            return _connected(fields, look)
        if isinstance(left, _Unknown) or isinstance(right, _Unknown):
            return None
        if operator in ("=", "=="):
            return left == right
        if operator == "!=":
            return left != right
        if re.fullmatch(r"-?[0-9]{1,15}", left) and re.fullmatch(r"-?[0-9]{1,15}", right):
            one, two = int(left), int(right)
            known = {"-eq": one == two, "-ne": one != two, "-lt": one < two, "-le": one <= two, "-gt": one > two}
            known["-ge"] = one >= two
            if operator in known:
                return known[operator]
        if left == "!":
            inner = evaluate_test(fields[1:], look)
            return None if inner is None else not inner
    return None


def _connected(fields: Sequence[str | _Unknown], look: Look | None) -> bool | None:
    """`A -a B` and `A -o B` without parentheses."""
    for operator in ("-o", "-a"):
        if operator in fields[1:-1]:
            index = 1 + list(fields[1:-1]).index(operator)
            left = evaluate_test(fields[:index], look)
            right = evaluate_test(fields[index + 1 :], look)
            if operator == "-o":
                return True if left or right else (False if left is False and right is False else None)
            return False if left is False or right is False else (True if left and right else None)
    return None
