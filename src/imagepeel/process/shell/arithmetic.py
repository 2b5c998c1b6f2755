"""Arithmetic of the shells (POSIX XCU 2.6.4) as far as text proves it: numbers, names, `+ - * / %`, parentheses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from imagepeel._lazy import late

Fault = Literal["division", "primary", "end", "number"]
"""A division by zero; an operand that is missing; words that are too many; a variable that is no number (dash)."""

_TOKEN = late(r"\s*([0-9]+|[A-Za-z_]\w*|\S)")
_NUMBER = late(r"-?(?:0|[1-9][0-9]{0,14})")
_FOREIGN = frozenset("<>=!&|^~?:,#'\"\\`$[]{}@")
_MAX_TEXT = 200
_MAX = 2**53
"""Numbers from here on are left to the shell, which wraps around at 2**63."""


class ArithmeticFails(Exception):
    """The expression has no value; `fault` says why, `text` which value of a variable is meant."""

    def __init__(self, fault: Fault, text: str = "") -> None:
        super().__init__(fault)
        self.fault: Fault = fault
        self.text = text


class _Unproved(Exception):
    """An operator that is not followed, or a name whose value is not known."""


def evaluate(expression: str, value_of: Callable[[str], str | None], *, dash: bool) -> int | None:
    """Return the value of an expression; None where it is not followed.

    `value_of` gives the value of a name, "" where it is not set and None where that is not known.  `dash` has no `**`,
    `++` and `--`, and takes nothing but numbers from variables.  Raises `ArithmeticFails` where each shell gives up.
    """
    if len(expression) > _MAX_TEXT:
        return None
    try:
        return _Reader(expression, value_of, dash).whole()
    except _Unproved:
        return None


class _Reader:
    """Reads an expression from left to right and works it out on the way, as dash does."""

    def __init__(self, expression: str, value_of: Callable[[str], str | None], dash: bool) -> None:
        self._tokens = _TOKEN.findall(expression)
        self._at = 0
        self._value_of = value_of
        self._dash = dash
        doubled = not dash and any(sign in expression for sign in ("**", "++", "--"))
        if set(self._tokens) & _FOREIGN or doubled or "0x" in expression.lower():
            raise _Unproved

    def whole(self) -> int:
        if not self._tokens and not self._dash:
            return 0
        value = self._sum()
        if self._at < len(self._tokens):
            raise ArithmeticFails("end")
        return value

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _sum(self) -> int:
        value = self._product()
        while (sign := self._next()) in {"+", "-"}:
            self._at += 1
            right = self._product()
            value = _bounded(value + right if sign == "+" else value - right)
        return value

    def _product(self) -> int:
        value = self._operand()
        while (sign := self._next()) in {"*", "/", "%"}:
            self._at += 1
            right = self._operand()
            if sign == "*":
                value = _bounded(value * right)
                continue
            if right == 0:
                raise ArithmeticFails("division")
            quotient = abs(value) // abs(right) * (1 if (value < 0) == (right < 0) else -1)
            value = quotient if sign == "/" else value - quotient * right
        return value

    def _operand(self) -> int:
        token = self._next()
        self._at += 1
        if token in {"+", "-"}:
            return self._operand() * (1 if token == "+" else -1)
        if token == "(":
            value = self._sum()
            if self._next() != ")":
                raise _Unproved
            self._at += 1
            return value
        if token[:1].isdigit() and token.isascii():
            return self._number(token)
        if not token[:1].isidentifier():
            raise ArithmeticFails("primary")
        return self._variable(token)

    def _number(self, token: str) -> int:
        if token[0] == "0" and len(token) > 1:
            if any(digit in token for digit in "89"):
                raise ArithmeticFails("end")
            return _bounded(int(token[:20], 8))
        return _bounded(int(token[:20]))

    def _variable(self, name: str) -> int:
        value = self._value_of(name)
        if value is None:
            raise _Unproved
        if not value or _NUMBER.fullmatch(value):
            return int(value or 0)
        if self._dash and value[0].isalpha():
            raise ArithmeticFails("number", value)
        raise _Unproved


def _bounded(value: int) -> int:
    if abs(value) >= _MAX:
        raise _Unproved
    return value
