"""Expansion of shell words as far as text proves it: parameters, patterns, `test`, and what stays unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from imagepeel._lazy import late
from imagepeel.errors import Malformed
from imagepeel.formats.shell.lexer import parse_word
from imagepeel.formats.shell.tree import Part, Word, has_wildcard
from imagepeel.process.shell.arithmetic import ArithmeticFails, evaluate
from imagepeel.process.shell.interpreters import Shell
from imagepeel.process.shell.patterns import pattern_regex
from imagepeel.process.shell.scope import FRAMES, UNKNOWN, UNKNOWN_WORDS, Field, Scope, Unknown, Value

_FRAME = late(r"(#?)(BASH_SOURCE|FUNCNAME)\[([0-9]{1,4}|[@*])\]")
_MAX_TEXT = 65_536
_MAX_NAMES = 1000
_MAX_BRACES = 200
_MAX_PATTERN = 4096
_PER_LETTER = 40
_PER_WORD = 64
"""What to compile a letter of a pattern, and to make a word, costs beside a letter that is looked at."""
_RANGE = late(r"(-?[0-9]{1,6})\.\.(-?[0-9]{1,6})")
_MANY = late(r"(@|\*|[A-Za-z_][A-Za-z0-9_]*\[[@*]\])(?::([0-9]{1,4})(?::([0-9]{1,4}))?)?")
"""All arguments or all elements of an array, or some of them from a place on."""
_ELEMENT = late(r"(#?)([A-Za-z_][A-Za-z0-9_]*)\[([0-9]{1,4}|[@*])\]")
_INDIRECT = late(r"!([A-Za-z_][A-Za-z0-9_]*)((?![@*\[])[^\n]*)")
"""`${!name}` of bash: the variable that another one names, with what may follow a name."""
_PREFIXED = late(r"!([A-Za-z_][A-Za-z0-9_]*)([@*])")
"""`${!prefix@}` of bash: the names that begin so."""
_GUARDED = late(r"([A-Za-z_][A-Za-z0-9_]*)\[@\]\+\"?\$\{\1\[@\]\}\"?")
"""`${a[@]+"${a[@]}"}`, which older versions of bash need under `set -u`."""
_NAME = late(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_POSIX_FORM = late(
    r"#?([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])"
    r"|([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(:?[-=+?]|##?|%%?).*",
    re.DOTALL,
)
"""What may stand between the braces of `${}` in a shell without extensions (POSIX XCU 2.6.2)."""
_REPLACE = late(r"/(/?)([A-Za-z0-9_.,:=@-]+)(?:/([A-Za-z0-9_.,:=@-]*))?")
"""`${name/text/text}` without any pattern in it."""
_OPERATION = late(r"(:?[-=+?]|##?|%%?)(.*)", re.DOTALL)


_SUBSTRING = late(r":([0-9]{1,4})(?::([0-9]{1,4}))?")


_CHANGED = late(r"(?:\+\+|--)\s*+([A-Za-z_]\w*+)|(?<!\w)([A-Za-z_]\w*+)\s*+(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))")
"""Names that arithmetic sets."""
_BY_ZERO = late(r"[/%]\s*0+(?![\w.])")


class ExpansionFailed(Exception):
    """The shell cannot expand a word and says this; `unproved` says why what comes of it is not followed."""

    def __init__(self, words: str, unproved: str = "") -> None:
        super().__init__(words)
        self.unproved = unproved


def expand(words: Sequence[Word], scope: Scope) -> list[Field]:
    """Fields of several words; UNKNOWN and UNKNOWN_WORDS stand for what is not known."""
    fields: list[Field] = []
    for word in words:
        fields.extend(expand_word(word, scope))
    return fields


def expand_word(word: Word, scope: Scope) -> list[Field]:
    """Fields of one word after expansion, splitting and quote removal."""
    if any(part.kind == "braces" for part in word.parts):
        alternatives = _braces(word, scope)
        if alternatives is None:
            return [UNKNOWN_WORDS]
        if alternatives != [word]:
            return expand(alternatives, scope)
    split = _Splitter(scope)
    for part in word.parts:
        split.part(part)
    if split.glob and not scope.noglob:
        return _file_names(word, scope)
    if split.current is not None:
        split.end()
    elif any(part.quoted and part.kind == "literal" for part in word.parts):
        split.fields.append("")
    return split.fields


def _braces(word: Word, scope: Scope) -> list[Word] | None:
    """The words that bash makes of `a{b,c}` before any other expansion; None where that is not followed.

    Other shells know no such expansion: the braces are text.
    """
    if scope.shell == "bash" and any(
        part.kind == "literal" and not part.quoted and ("{" in part.text or "}" in part.text) for part in word.parts
    ):
        return None  # one inside another
    words: list[list[Part]] = [[]]
    for part in word.parts:
        choices = [part.text]
        if part.kind == "braces" and scope.shell == "bash":
            found = _choices(part.text)
            if found is None or len(found) * len(words) > _MAX_BRACES:
                return None
            choices = found
        elif part.kind != "braces":
            for made in words:
                made.append(part)
            continue
        words = [[*made, Part(kind="literal", text=choice)] for made in words for choice in choices]
    return [Word(parts=_merged(made), source=_source(made), at=word.at) for made in words]


def _choices(text: str) -> list[str] | None:
    """What stands between the braces of `{a,b}` or `{1..3}`."""
    inside = text[1:-1]
    if any(char in inside for char in "$'\"\\`*?["):
        return None
    if "," in inside:
        return inside.split(",")
    ends = _RANGE.fullmatch(inside)
    if ends is None or abs(int(ends[2]) - int(ends[1])) > _MAX_BRACES or any(
        len(end.lstrip("-")) > 1 and end.lstrip("-")[0] == "0" for end in ends.groups()
    ):  # fmt: skip
        return None
    first, last = int(ends[1]), int(ends[2])
    return [str(number) for number in (range(first, last + 1) if first <= last else range(first, last - 1, -1))]


def _merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Neighbours of plain text as one part."""
    out: list[Part] = []
    for part in parts:
        before = out[-1] if out else None
        if before is not None and before.kind == part.kind == "literal" and not (before.quoted or part.quoted):
            out[-1] = Part(kind="literal", text=before.text + part.text)
        elif part.text or part.kind != "literal" or part.quoted:
            out.append(part)
    return tuple(out)


def _source(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts)


def _file_names(word: Word, scope: Scope) -> list[Field]:
    """The files that a word with wildcards in its last part fits, or the word itself."""
    pieces: list[tuple[str, bool]] = []
    for part in word.parts:
        named = part.kind == "parameter" and part.text not in ("@", "*")
        value = _parameter(part.text, scope, quoted=part.quoted) if named else part.text
        plain = (named or part.kind == "literal") and isinstance(value, str)
        if not plain or (part.kind == "parameter" and not part.quoted and (not value or _SPLITS.search(str(value)))):
            return [UNKNOWN_WORDS]
        pieces += [(str(value), part.quoted or part.kind == "parameter")]
    written = "".join(text for text, _ in pieces)
    cut = written.rfind("/") + 1
    last: list[tuple[str, bool]] = []
    at = 0
    for text, quoted in pieces:
        before, behind = text[: max(0, cut - at)], text[max(0, cut - at) :]
        at += len(text)
        if not quoted and has_wildcard(before):
            return [UNKNOWN_WORDS]
        last += [(behind, quoted)] if behind else []
    directory = written[:cut]
    names = scope.names(directory) if scope.names is not None else None
    compiled = pattern_regex(last)
    if names is None or compiled is None or len(names) > _MAX_NAMES:
        return [UNKNOWN_WORDS]
    scope.budget.spend(len(names) * _PER_LETTER)
    found = [name for name in names if compiled.fullmatch(name) and (written[cut] == "." or name[:1] != ".")]
    return [directory + name for name in found] or ([] if scope.nullglob else [written])


_SPLITS = late(r"[\s*?\[\\]")
"""What makes several words, or a pattern, of a value without quotes."""


class _Splitter:
    """The fields of one word while its parts are expanded; `current` is the field that is still open, if any."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.fields: list[Field] = []
        self.current: Field | None = None
        self.glob = False

    def part(self, part: Part) -> None:
        """Expand a part and add it."""
        if part.kind == "literal":
            self.glob = self.glob or (not part.quoted and has_wildcard(part.text))
            self._add(part.text)
        elif part.kind == "parameter" and part.text in ("@", "*"):
            self._arguments(part.text, self._scope.args, quoted=part.quoted)
        elif part.kind == "parameter" and part.text == '1+"$@"':
            self._arguments("@", self._scope.args, quoted=True)
        elif part.kind == "parameter" and self._scope.shell != "dash" and self._many(part):
            pass
        elif part.kind == "tilde":
            home = self._scope.get("HOME") if not part.text else UNKNOWN
            self._add(home if isinstance(home, str) else UNKNOWN)
        elif part.kind == "process":
            self._add(UNKNOWN)
        elif part.kind == "braces":
            self.fields.append(UNKNOWN_WORDS)
        else:
            value = expand_part(part, self._scope)
            if part.quoted:
                self._add(value if value is not None else "")
            elif isinstance(value, str):
                self._split([value])
            elif value is not None:
                self.fields.append(UNKNOWN_WORDS)

    def _add(self, piece: Field) -> None:
        if isinstance(piece, str) and (self.current is None or isinstance(self.current, str)):
            # What was there is copied: a word of many pieces costs the square of its length.
            self._scope.budget.spend(len(piece) + (len(self.current) // 64 if self.current else 0) + _PER_WORD)
            self.current = (self.current or "") + piece
        else:
            self.current = UNKNOWN

    def end(self) -> None:
        """The last field is whole."""
        self._close()

    def _close(self) -> None:
        if self.current is not None:
            self.fields.append(self.current)
        self.current = None

    def _many(self, part: Part) -> bool:
        """Several words of one parameter: a part of the arguments, the elements of an array; False for another."""
        prefixed = _PREFIXED.fullmatch(part.text) if self._scope.shell == "bash" else None
        if prefixed is not None:
            self._arguments(prefixed[2], self._scope.names_from(prefixed[1]), quoted=part.quoted)
            return True
        guarded = _GUARDED.fullmatch(part.text)
        found = _MANY.fullmatch(part.text if guarded is None else f"{guarded[1]}[@]")
        if found is None:
            return False
        name = found[1]
        if self._scope.source and name.startswith(FRAMES):
            return False
        values = self._scope.args if len(name) == 1 else self._scope.elements(name[:-3])
        if found[2] is not None and values is not None:
            first = int(found[2])
            values = (self._scope.arg0, *values) if len(name) == 1 else values
            values = values[first : None if found[3] is None else first + int(found[3])]
        self._arguments("*" if "*" in name else "@", values, quoted=part.quoted or guarded is not None)
        return True

    def _arguments(self, text: str, args: tuple[str, ...] | None, *, quoted: bool) -> None:
        """`$@` and `$*`, with and without quotes; `args` are None where they are not known."""
        if args is None:
            if text == "@" or not quoted:
                self.fields.append(UNKNOWN_WORDS)
            else:
                self._add(UNKNOWN)
        elif not quoted:
            self._split([*args])
        elif text == "*":
            self._add(_joined(args, self._scope))
        else:
            for number, argument in enumerate(args):
                if number:
                    self._close()
                self._add(argument)

    def _split(self, values: list[str]) -> None:
        """Field splitting of unquoted values."""
        separators = self._scope.get("IFS")
        for number, value in enumerate(values):
            if number:
                self._close()
            if separators is not None or (has_wildcard(value) and not self._scope.noglob):
                self.fields.append(UNKNOWN_WORDS)
                continue
            self._scope.budget.spend(len(value))
            for index, piece in enumerate(re.split(r"[ \t\n]+", value)):
                if index:
                    self._close()
                if piece:
                    self._add(piece)


def expand_one(word: Word, scope: Scope) -> Field:
    """A word that is not split: the value of an assignment, of `case`, of a redirection."""
    out: list[str] = []
    for part in word.parts:
        if part.kind == "literal":
            out.append(part.text)
            continue
        if part.kind == "parameter" and part.text in ("@", "*"):
            if scope.args is None:
                return UNKNOWN
            out.append(_joined(scope.args, scope))
            continue
        if part.kind == "parameter" and scope.shell != "dash" and _MANY.fullmatch(part.text):
            split = _Splitter(scope)
            split.part(part)
            split.end()
            if not all(isinstance(field, str) for field in split.fields):
                return UNKNOWN
            out.append(_joined([str(field) for field in split.fields], scope))
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
        if isinstance(value, Unknown):
            return UNKNOWN
        out.append(value or "")
        scope.budget.spend(len(out[-1]) + _PER_WORD)
    joined = "".join(out)
    return joined if len(joined) <= _MAX_TEXT else UNKNOWN


def _joined(words: Sequence[str], scope: Scope) -> str:
    """Words as `$*` has them: with the first character of IFS between them, a blank where it is not set."""
    scope.budget.spend(_PER_WORD * len(words) + sum(map(len, words)))
    separators = scope.get("IFS")
    return (" " if not isinstance(separators, str) else separators[:1]).join(words)


def expand_part(part: Part, scope: Scope) -> Value:
    """One parameter or substitution."""
    if part.kind == "parameter":
        return _parameter(part.text, scope, quoted=part.quoted)
    if part.kind == "command":
        return UNKNOWN if scope.substitute is None else scope.substitute(part.text, scope)
    return arithmetic(part.text, scope) if part.kind == "arithmetic" else UNKNOWN


def arithmetic(text: str, scope: Scope) -> Value:
    """`$((text))`: its parameters are expanded first, then it is worked out."""
    expanded: Field = text
    if "$(" in text or any(char in text for char in '`"\\'):
        expanded = UNKNOWN
    elif "$" in text:
        try:
            expanded = expand_one(parse_word(text), scope)
        except Malformed:
            expanded = UNKNOWN

    def value_of(name: str) -> str | None:
        value = scope.get(name)
        if value is None:
            return None if scope.nounset and scope.shell == "bash" else ""
        return None if isinstance(value, Unknown) else value

    try:
        value = evaluate(expanded, value_of, dash=scope.shell == "dash") if isinstance(expanded, str) else None
    except ArithmeticFails as fails:
        raise _without_value(fails, str(expanded), scope.shell) from fails
    if value is not None:
        return str(value)
    if _BY_ZERO.search(text):
        raise ExpansionFailed(text, "whether an expression comes to its division by zero is not followed")
    for before, after in _CHANGED.findall(text):
        scope.variables[before or after] = UNKNOWN
    return UNKNOWN


def _without_value(fails: ArithmeticFails, expression: str, shell: Shell | Literal[""]) -> ExpansionFailed:
    """What each shell says of an expression that has no value."""
    if shell == "dash" and fails.fault == "number":
        return ExpansionFailed(f"Illegal number: {fails.text}")
    if shell == "dash":
        words = {"division": "division by zero", "primary": "expecting primary"}.get(fails.fault, "expecting EOF")
        return ExpansionFailed(f'arithmetic expression: {words}: "{expression}"')
    if shell == "busybox":
        return ExpansionFailed("divide by zero" if fails.fault == "division" else "arithmetic syntax error")
    return ExpansionFailed(expression, "bash gives up the line of an arithmetic expression that has no value")


def _parameter(text: str, scope: Scope, *, quoted: bool = True) -> Value:
    """What `${text}` is: a name, its length, a part of it, or a name with an operation."""
    frame = _FRAME.fullmatch(text) if scope.source else None
    if frame is not None:
        return _frame(frame, scope)
    element = _ELEMENT.fullmatch(text) if scope.shell != "dash" else None
    if element is not None:
        return _element(element, scope)
    if text.startswith("#") and len(text) > 1:
        if text[1:] in ("@", "*"):
            return scope.get("#")
        measured = _parameter(text[1:], scope)
        return UNKNOWN if isinstance(measured, Unknown) else str(len(measured or ""))
    indirect = _INDIRECT.fullmatch(text) if scope.shell == "bash" else None
    if indirect is not None:
        named = scope.get(indirect[1])
        plain = isinstance(named, str) and (named.isidentifier() or _ELEMENT.fullmatch(named))
        return _parameter(f"{named}{indirect[2]}", scope, quoted=quoted) if plain else UNKNOWN
    match = _NAME.match(text)
    if scope.shell == "dash" and not _POSIX_FORM.fullmatch(text):
        raise ExpansionFailed("Bad substitution")
    if scope.shell == "busybox" and re.fullmatch(r"!\w+|\w+(?:,,?|\^\^?)", text):
        raise ExpansionFailed("syntax error: bad substitution", "busybox names another line of a bad substitution")
    if match is None:
        return UNKNOWN
    name, rest = match[0], text[match.end() :]
    if rest.startswith("["):
        return UNKNOWN
    if name in ("@", "*") and rest.startswith(":") and rest[1:2] not in ("-", "+", "=", "?"):
        return UNKNOWN
    if name in ("@", "*"):
        value: Value = UNKNOWN if scope.args is None else (_joined(scope.args, scope) if scope.args else None)
    else:
        value = scope.get(name)
    if scope.nounset and value is None and name not in ("@", "*") and (not rest or rest[0] in "#%"):
        shown = f"${name}" if scope.shell == "bash" and name.isdigit() else name
        words = "unbound variable" if scope.shell == "bash" else "parameter not set"
        raise ExpansionFailed(f"{shown}: {words}")
    if not rest or isinstance(value, Unknown):
        # Whatever is done to a value that is not known gives one that is not known.
        return value
    return _operate(name, value, rest, scope, quoted=quoted)


def _element(found: re.Match[str], scope: Scope) -> Value:
    """`${name[index]}`, or with `#` the number of elements or the length of one."""
    count, name, index = found.groups()
    elements = scope.elements(name)
    if elements is None:
        return UNKNOWN
    if index in ("@", "*"):
        return str(len(elements)) if count else _joined(elements, scope)
    value = elements[int(index)] if int(index) < len(elements) else None
    if scope.nounset and value is None and not count:
        raise ExpansionFailed(f"{name}[{index}]: unbound variable")
    return str(len(value or "")) if count else value


def _operate(name: str, value: str | None, rest: str, scope: Scope, *, quoted: bool) -> Value:
    """The value of `${name...}` with what follows the name: a part of it, a default, a pattern that is cut off."""
    part = _SUBSTRING.fullmatch(rest)
    if part is not None:
        start = int(part[1])
        return (value or "")[start : start + int(part[2]) if part[2] else None]
    replaced_text = _REPLACE.fullmatch(rest)
    if replaced_text is not None:
        return (value or "").replace(replaced_text[2], replaced_text[3] or "", -1 if replaced_text[1] else 1)
    operation = _OPERATION.fullmatch(rest)
    if operation is None:
        return UNKNOWN
    try:
        word = parse_word(operation[2], quoted=quoted)
    except Malformed:
        return UNKNOWN
    operator = operation[1]
    keeps = not quoted and any(part.quoted for part in word.parts)
    if operator[-1] in "#%":
        return _without(value or "", operator, word, scope)
    given = bool(value) if operator.startswith(":") else value is not None
    if operator[-1] == "+":
        return _whole(expand_one(word, scope), keeps) if given else ""
    if given:
        return value
    if operator[-1] == "?":
        said = expand_one(word, scope) if operation[2] else _not_set(operator, scope.shell)
        if isinstance(said, Unknown) or not scope.shell:
            return UNKNOWN
        raise ExpansionFailed(f"{name}: {said}")
    replaced = expand_one(word, scope)
    if operator[-1] == "=":
        scope.variables[name] = replaced
    return replaced if operator[-1] == "=" else _whole(replaced, keeps)


def _whole(value: Value, keeps: bool) -> Value:
    """A value of which a part is quoted inside, where that does not matter for what it is split into."""
    return (
        UNKNOWN
        if keeps and isinstance(value, str) and (not value or any(char in value for char in " \t\n*?["))
        else value
    )


def _not_set(operator: str, shell: Shell | Literal[""]) -> str:
    if operator == "?":
        return "parameter not set"
    return "parameter null or not set" if shell == "bash" else "parameter not set or null"


def _frame(found: re.Match[str], scope: Scope) -> Value:
    """An element of BASH_SOURCE or FUNCNAME, or with `#` their number."""
    count, name, index = found.groups()
    frames = scope.frames(name)
    if count:
        return str(len(frames)) if index in ("@", "*") else UNKNOWN
    if index in ("@", "*"):
        return UNKNOWN
    return frames[int(index)] if int(index) < len(frames) else None


def _without(value: str, operator: str, word: Word, scope: Scope) -> Value:
    """The value without the start (`#`, `##`) or end (`%`, `%%`) that a pattern fits."""
    pattern = expand_one(word, scope)
    if isinstance(pattern, Unknown) or len(pattern) > 256 or len(value) > 1024:
        return UNKNOWN
    scope.budget.spend(len(value) * len(value) // 8)  # each cut is tried
    # The source of the pattern was read as if quoted, so its own wildcards are still in the text.
    compiled = pattern_regex([(pattern, False)])
    return UNKNOWN if compiled is None else _trim(value, compiled, operator)


def _trim(value: str, compiled: re.Pattern[str], operator: str) -> str:
    cuts = range(len(value) + 1)
    if operator == "#":
        return next((value[cut:] for cut in cuts if compiled.fullmatch(value[:cut])), value)
    if operator == "##":
        return next((value[cut:] for cut in reversed(cuts) if compiled.fullmatch(value[:cut])), value)
    if operator == "%":
        return next((value[:cut] for cut in reversed(cuts) if compiled.fullmatch(value[cut:])), value)
    return next((value[:cut] for cut in cuts if compiled.fullmatch(value[cut:])), value)


def matches(word: Word, subject: Field, scope: Scope) -> bool | None:
    """Whether a case pattern matches; None when it cannot be told."""
    if word.source == "*":
        return True
    if isinstance(subject, Unknown) or len(subject) > 4096:
        return None
    pieces: list[tuple[str, bool]] = []
    for part in word.parts:
        if part.kind == "literal":
            pieces.append((part.text, part.quoted))
            continue
        value = expand_part(part, scope)
        if isinstance(value, Unknown):
            return None
        pieces.append((value or "", part.quoted))
    length = sum(len(text) for text, _ in pieces)
    if length > _MAX_PATTERN:
        return None
    scope.budget.spend(len(subject) + _PER_LETTER * length)
    compiled = pattern_regex(pieces)
    return None if compiled is None else compiled.fullmatch(subject) is not None
