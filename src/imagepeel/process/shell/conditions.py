"""`test`, `[` and bash's `[[ ]]`: true, false, or not known from the text and the image."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from imagepeel._lazy import late
from imagepeel.formats.shell.tree import Word
from imagepeel.process.shell.expand import expand_one, matches
from imagepeel.process.shell.scope import UNKNOWN_WORDS, Field, Scope, Unknown

FileTest = Callable[[str, str], "bool | None"]
"""`file_test(operator, path)`: the answer of `test -OPERATOR path` in the image, None when it cannot be told."""


def evaluate_brackets(words: Sequence[Word], scope: Scope, file_test: FileTest | None) -> bool | None:
    """`[[ ... ]]` of bash: `!`, parentheses, `&&` and `||`, each part judged as far as it is known (bash(1))."""
    return _Brackets(words, scope, file_test).whole()


class _Brackets:
    """The words of one `[[ ]]`, read from left to right."""

    def __init__(self, words: Sequence[Word], scope: Scope, file_test: FileTest | None) -> None:
        self._words = words
        self._scope = scope
        self._file_test = file_test
        self._at = 0

    def whole(self) -> bool | None:
        answer = self._either()
        return answer if self._at == len(self._words) else None

    def _next(self) -> str:
        return self._words[self._at].source if self._at < len(self._words) else ""

    def _either(self) -> bool | None:
        answer = self._both()
        while self._next() == "||":
            self._at += 1
            other = self._both()
            answer = True if answer or other else (False if answer is False and other is False else None)
        return answer

    def _both(self) -> bool | None:
        answer = self._one()
        while self._next() == "&&":
            self._at += 1
            other = self._one()
            answer = False if answer is False or other is False else (True if answer and other else None)
        return answer

    def _one(self) -> bool | None:
        if self._next() == "!":
            self._at += 1
            return _not(self._one())
        if self._next() == "(":
            self._at += 1
            answer = self._either()
            if self._next() == ")":
                self._at += 1
                return answer
            return None
        begin = self._at
        while self._at < len(self._words) and self._words[self._at].source not in ("&&", "||", ")"):
            self._at += 1
        return self._primary(self._words[begin : self._at])

    def _primary(self, words: Sequence[Word]) -> bool | None:
        scope = self._scope
        if len(words) == 3:
            left, operator, right = words[0], words[1].source, words[2]
            subject = expand_one(left, scope)
            if operator in ("=", "==", "!="):
                answer = matches(right, subject, scope)
                return answer if operator != "!=" else _not(answer)
            if operator == "=~":
                return _fits(subject, right, scope)
            if operator in ("<", ">"):
                other = expand_one(right, scope)
                if isinstance(subject, Unknown) or isinstance(other, Unknown):
                    return None
                return subject < other if operator == "<" else subject > other
        if len(words) == 2 and words[0].source == "-v":
            name = expand_one(words[1], scope)
            if not isinstance(name, str) or not name.isidentifier() or name in scope.arrays:
                return None
            value = scope.get(name)
            return None if isinstance(value, Unknown) else value is not None
        return evaluate_test([expand_one(word, scope) for word in words], self._file_test)


_PLAIN_EXPRESSION = late(r"\^?[A-Za-z0-9_./:@=, -]*\$?")


def _fits(subject: str | Unknown, right: Word, scope: Scope) -> bool | None:
    """`=~` with an expression of plain characters, which may be held at the start or the end."""
    expression = expand_one(right, scope)
    if isinstance(subject, Unknown) or isinstance(expression, Unknown) or len(subject) > 4096:
        return None
    if not _PLAIN_EXPRESSION.fullmatch(expression) or "." in expression:
        return None
    bare = expression.removeprefix("^").removesuffix("$")
    if expression.startswith("^"):
        return subject == bare if expression.endswith("$") else subject.startswith(bare)
    return subject.endswith(bare) if expression.endswith("$") else bare in subject


def evaluate_test(fields: Sequence[Field], file_test: FileTest | None) -> bool | None:
    """`test` or `[` (without the final `]`): True, False or None."""
    if any(field is UNKNOWN_WORDS for field in fields):
        return None
    if len(fields) > 4 or (len(fields) == 4 and fields[0] != "!"):
        return _connected(fields, file_test)
    if not fields:
        return False
    if len(fields) == 1:
        return None if isinstance(fields[0], Unknown) else fields[0] != ""
    if fields[0] == "!" and len(fields) != 3:
        return _not(evaluate_test(fields[1:], file_test))
    if len(fields) == 2:
        return _of_one(fields[0], fields[1], file_test)
    if fields[1] in ("-a", "-o"):
        return _connected(fields, file_test)
    if any(isinstance(field, Unknown) for field in fields):
        return None
    left, operator, right = map(str, fields)
    compare = _COMPARISONS.get(operator)
    if operator.startswith("-") and not (_INTEGER.fullmatch(left) and _INTEGER.fullmatch(right)):
        compare = None
    if compare is not None:
        return compare(left, right)
    return _not(evaluate_test(fields[1:], file_test)) if left == "!" else None


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


_INTEGER = late(r"-?[0-9]{1,15}")
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "-eq": lambda left, right: int(left) == int(right),
    "-ne": lambda left, right: int(left) != int(right),
    "-lt": lambda left, right: int(left) < int(right),
    "-le": lambda left, right: int(left) <= int(right),
    "-gt": lambda left, right: int(left) > int(right),
    "-ge": lambda left, right: int(left) >= int(right),
}


def _of_one(operator: Field, operand: Field, file_test: FileTest | None) -> bool | None:
    """A test of one operand: of a string, or of a file."""
    if isinstance(operand, Unknown) or isinstance(operator, Unknown):
        return None
    if operator in ("-n", "-z"):
        return (operand != "") is (operator == "-n")
    if file_test is None or operator in ("-t", "-v", "-o", "-R") or not re.fullmatch("-[a-zA-Z]", operator):
        return None
    return file_test(operator[1:], operand)


def _connected(fields: Sequence[Field], file_test: FileTest | None) -> bool | None:
    """`A -a B` and `A -o B` without parentheses."""
    for operator in ("-o", "-a"):
        if operator in fields[1:-1]:
            index = 1 + list(fields[1:-1]).index(operator)
            left = evaluate_test(fields[:index], file_test)
            right = evaluate_test(fields[index + 1 :], file_test)
            if operator == "-o":
                return True if left or right else (False if left is False and right is False else None)
            return False if left is False or right is False else (True if left and right else None)
    return None
