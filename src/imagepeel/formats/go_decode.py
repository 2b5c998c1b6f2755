"""What Go's encoding/json says of a JSON text whose values have other types than a struct wants.

Follows decode.go as it behaves: of several wrong types the first is told, and what a type's own UnmarshalJSON returns
ends the reading at once.  A null fits everywhere; keys match whatever their case.  Times are read as package time reads
RFC 3339.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.formats.go_json import syntax_error

Reader = Literal["string", "bool", "int", "list", "map", "struct", "any", "words", "time"]
"""How a type is filled: `words` is a list of strings that may be one string, `time` a time."""


class GoType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of Go as encoding/json fills it."""

    name: str
    """What Go prints for it; the error of a field names the struct without its package."""
    reader: Reader
    of: GoType | None = None
    """Of what a list or map is made."""
    fields: Mapping[str, GoType] = {}
    """The fields of a struct by their JSON names, those of embedded structs too."""


def list_of(item: GoType) -> GoType:
    """Return the slice of a type."""
    return GoType(name=f"[]{item.name}", reader="list", of=item)


def struct(name: str, **fields: GoType) -> GoType:
    """Return a struct; `__` in the name of a field stands for a dot."""
    return GoType(name=name, reader="struct", fields={key.replace("__", "."): item for key, item in fields.items()})


STRING = GoType(name="string", reader="string")
BOOL = GoType(name="bool", reader="bool")
INT = GoType(name="int", reader="int")
INT64 = GoType(name="int64", reader="int")
STRINGS = list_of(STRING)
EMPTY = struct("struct {}")
TIME = GoType(name="time.Time", reader="time")
WORDS = GoType(name="strslice.StrSlice", reader="words")
"""A list of strings of Docker's package strslice, which takes one string as well."""


class _Stop(Exception):
    """An error of a type's own reading, which ends everything."""


class _Pairs(list[tuple[str, Any]]):
    """An object with its keys in order, repeated ones too."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def unread(data: bytes, kind: GoType, *, stream: bool = False) -> str | None:
    """Return why Go makes no value of a type of a text, in its words; None where it does.

    With `stream` the text is read as json.Decoder reads it: what follows the first value does not count.
    """
    text = data.decode("utf-8", "replace").strip(" \t\r\n")
    decoder = json.JSONDecoder(
        object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
    )
    try:
        value, end = decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return syntax_error(data, stream=stream)
    if end < len(text) and not stream:
        return syntax_error(data)
    walk = _Walk()
    try:
        walk.value(value, kind)
    except _Stop as stop:
        return str(stop)
    return walk.saved


def fits(value: Any, kind: GoType) -> bool:
    """Return whether Go makes a value of a type of a JSON value that Python has read; False where that must be asked.

    The value is one of a text that is JSON for both, and in which no object has a key twice.
    """
    if value is None or kind.reader == "any":
        return True
    if isinstance(value, dict):
        if kind.reader == "struct":
            named = ((_field(key, kind.fields), item) for key, item in value.items())
            return all(field is None or fits(item, kind.fields[field]) for field, item in named)
        return kind.reader == "map" and all(fits(item, kind.of or STRING) for item in value.values())
    if isinstance(value, list):
        of = kind.of if kind.reader == "list" else STRING if kind.reader == "words" else None
        return of is not None and all(fits(item, of) for item in value)
    if isinstance(value, str):
        return kind.reader in ("string", "words") or (kind.reader == "time" and time_error(_written(value)) is None)
    if isinstance(value, bool):
        return kind.reader == "bool"
    return kind.reader == "int" and isinstance(value, int) and -(1 << 63) <= value < 1 << 63


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN is no JSON, for Go


class _Walk:
    """One reading: `saved` is the first wrong type, `struct` and `fields` say in which field it is."""

    def __init__(self) -> None:
        self.saved: str | None = None
        self.struct = ""
        self.fields: list[str] = []

    def wrong(self, value: Any, kind: GoType) -> str:
        """The words about a value that is not of a type."""
        shown = f"number {value}" if kind.reader == "int" and isinstance(value, _Number) else _kind(value)
        if self.struct or self.fields:
            where = f"Go struct field {self.struct}.{'.'.join(self.fields)}"
        else:
            where = "Go value"
        return f"json: cannot unmarshal {shown} into {where} of type {kind.name}"

    def value(self, value: Any, kind: GoType) -> None:
        if value is None or kind.reader == "any":
            return
        if kind.reader == "words":
            self._words(value)
        elif kind.reader == "time":
            self._time(value)
        elif kind.reader == "struct" and isinstance(value, _Pairs):
            self._struct(value, kind)
        elif kind.reader == "map" and isinstance(value, _Pairs):
            for _, item in value:
                self.value(item, kind.of or STRING)
        elif kind.reader == "list" and isinstance(value, list) and not isinstance(value, _Pairs):
            of = kind.of or STRING
            if of.reader == "string" and all(type(item) is str for item in value):
                return  # nearly each list, and long ones cost what their length is
            for item in value:
                self.value(item, of)
        elif self.saved is None and not _fits(value, kind.reader):
            self.saved = self.wrong(value, kind)

    def _struct(self, value: _Pairs, kind: GoType) -> None:
        before = self.struct
        for key, item in value:
            field = _field(key, kind.fields)
            if field is None:
                continue
            self.struct = kind.name.rpartition(".")[2] if "{" not in kind.name else ""
            self.fields.append(field)
            self.value(item, kind.fields[field])
            self.fields.pop()
            self.struct = before

    def _words(self, value: Any) -> None:
        plain = isinstance(value, list) and not isinstance(value, _Pairs)
        if _fits(value, "string") or (plain and all(item is None or _fits(item, "string") for item in value)):
            return
        raise _Stop(self.wrong(value, STRING))

    def _time(self, value: Any) -> None:
        wrong = time_error(_written(value))
        if wrong is not None:
            raise _Stop(wrong)


def _field(key: str, fields: Mapping[str, GoType]) -> str | None:
    if key in fields:
        return key
    folded = key.casefold()
    return next((name for name in fields if name.casefold() == folded), None)


def _fits(value: Any, reader: Reader) -> bool:
    if reader == "string":
        return isinstance(value, str) and not isinstance(value, _Number)
    if reader == "bool":
        return isinstance(value, bool)
    return reader == "int" and isinstance(value, _Number) and bool(_INTEGER.fullmatch(value)) and _in_64(value)


def _in_64(value: str) -> bool:
    return len(value) < 21 and -(1 << 63) <= int(value) < 1 << 63


_INTEGER = late(r"-?[0-9]+")


def _kind(value: Any) -> str:
    """Go's word for what a value is."""
    if isinstance(value, _Pairs):
        return "object"
    if isinstance(value, _Number):
        return "number"
    if isinstance(value, bool):
        return "bool"
    return "array" if isinstance(value, list) else "string"


def _written(value: Any) -> str:
    """A value as the text has it, as far as an error about a time shows it."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, _Pairs):
        return "{" + ",".join(f'"{key}":{_written(item)}' for key, item in value) + "}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# ---- times ------------------------------------------------------------------------------------------------------

_LAYOUT = '"2006-01-02T15:04:05Z07:00"'
_ZONE = late(r"[+-](\d\d):(\d\d)")
_FRACTION = late(r"[.,]\d+")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STEPS: tuple[tuple[str, str, str, int, int], ...] = (
    ('"', "2006", "", 0, 0), ("-", "01", "month", 1, 12), ("-", "02", "day", 0, 99), ("T", "15", "hour", 0, 23),
    (":", "04", "minute", 0, 59), (":", "05", "second", 0, 59),
)  # fmt: skip
"""What stands in front of a number of the layout, the number, its name, and its bounds."""


_USUAL = late(r'"\d{4}-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"', re.ASCII)
"""How nearly every time is written; its day is in every month up to the 28th."""


def time_error(value: str) -> str | None:
    """Return why time.Time takes no text, in Go's words, with the quotes of JSON around it; None where it does."""
    usual = _USUAL.fullmatch(value)
    if usual and 1 <= int(usual[1]) <= 12 and 1 <= int(usual[2]) <= 28:
        return None
    head = f"parsing time {_quoted(value)}"

    def at(rest: str, want: str) -> str:
        return f"{head} as {_quoted(_LAYOUT)}: cannot parse {_quoted(rest)} as {_quoted(want)}"

    rest, numbers = value, []
    for before, layout, name, low, high in _STEPS:
        if not rest.startswith(before):
            return at(rest, before)
        rest = rest[len(before) :]
        digits = _digits(rest, layout)
        if not digits:
            return at(rest, layout)
        rest = rest[len(digits) :]
        if name and not low <= int(digits) <= high:
            return f"{head}: {name} out of range"
        numbers.append(int(digits))
    fraction = _FRACTION.match(rest)
    rest = rest[fraction.end() :] if fraction else rest
    if rest.startswith("Z"):
        rest = rest[1:]
    elif zone := _ZONE.match(rest):
        rest = rest[zone.end() :]
    else:
        return at(rest, "Z07:00")
    if not rest.startswith('"'):
        return at(rest, '"')
    if rest != '"':
        return f"{head}: extra text: {_quoted(rest[1:])}"
    year, month, day = numbers[:3]
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return None if 1 <= day <= _DAYS[month - 1] + leap else f"{head}: day out of range"


def _digits(rest: str, layout: str) -> str:
    """The digits of a number of the layout; "" where it has none of the right length."""
    wanted = {"2006": r"[0-9]{4}", "15": r"[0-9]{1,2}"}.get(layout, r"[0-9]{2}")
    found = re.match(wanted, rest)
    return found[0] if found else ""


def _quoted(text: str) -> str:
    """A text as errors of package time quote it; half of a pair is an escape there, as the document has it."""
    shown = []
    for byte in text.encode("utf-8", "backslashreplace"):
        char = chr(byte)
        shown.append(f"\\{char}" if char in '"\\' else char if 0x20 <= byte < 0x80 else f"\\x{byte:02x}")
    return f'"{"".join(shown)}"'
