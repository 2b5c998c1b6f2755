"""JSON as Go's encoding/json reads it, since that is what every engine uses on these documents.

Keys match whatever their case, of a repeated key the last one wins, invalid UTF-8 and lone surrogates become
U+FFFD.  Python's parser differs in all three and accepts NaN; depth and size are bounded before it runs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from imagepeel._lazy import late
from imagepeel.errors import LimitExceeded, Malformed
from imagepeel.evidence import Anomaly, AnomalyCode, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.text import plural

JsonObject = dict[str, Any]


class OddObject(JsonObject):
    """The object of a document about which something was odd: what others read there may differ."""


_STRING = late(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""One JSON string; an unterminated one runs to the end, so that matching stays linear on any input."""
_TOKENS = late(rb'(?:[^"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)){1,500000}+', re.DOTALL)
"""A piece of a document that ends outside of strings."""
_PIECE = 64 * 1024
"""Bytes of a document that is looked at in one piece."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ROUND = bytes.maketrans(b"[{]}", b"(())")
_LONE = late("[\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"
_DIGITS = 40
"""Digits of the longest number that is read: 64-bit numbers have 20."""
MOST_VALUES = 1_000_000
"""Values of one document: `[[],[],...` costs twenty times its bytes in memory, and no real document has as many."""
_FEW_KEYS = 32
MOST_ANOMALIES = 200
"""Oddities recorded of one document; a hostile one could hold millions."""


def parse_json(data: bytes, where: Location | None = None, limits: Limits = DEFAULT) -> tuple[Any, tuple[Anomaly, ...]]:
    """Return the value of one JSON document and what was odd about it.

    Arguments: `data` the whole document; `where` names it in errors and anomalies; `limits` bound its bytes and
    nesting.  LimitExceeded past `json_bytes` or `json_depth`; Malformed when it is no JSON.
    """
    place = where or Location()
    if len(data) > limits.json_bytes:
        raise LimitExceeded(
            f"the JSON document has {plural(len(data), 'byte')}, more than {limits.json_bytes}",
            place,
            "raise Limits.json_bytes if you trust the archive",
        )
    anomalies: list[Anomaly] = []

    def note(code: AnomalyCode, message: str, *, fatal: bool = False) -> None:
        anomalies.append(Anomaly(code=code, message=message, where=place, fatal=fatal))

    if data.startswith(_BOM):
        data = data[len(_BOM) :]
        note("json-bom", "the document starts with a byte order mark, which engines refuse", fatal=True)
    if not data.strip(b" \t\r\n"):
        raise Malformed("the JSON document is empty", place, "the file was probably cut off or never written")
    _bound_structure(data, place, limits)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "replace")
        note("json-utf8", f"byte {error.start} is not UTF-8; engines read a replacement character there")
    repeated: list[str] = []
    decoder = json.JSONDecoder(
        object_pairs_hook=_last_of_each_key(repeated),
        parse_constant=lambda name: _refuse(f"{name} is not a JSON number", place),
        parse_int=lambda digits: _integer(digits, place),
        parse_float=lambda digits: _float(digits, place),
    )
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Malformed(
            f"the document is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            place,
            "the file is damaged or not what its name says",
        ) from None
    except RecursionError:  # only with a `json_depth` beyond the interpreter's own
        raise LimitExceeded("the JSON document is nested too deeply", place) from None
    if text[end:].strip(" \t\r\n"):
        note(
            "json-trailing-data",
            f"{plural(len(text) - end, 'character')} after the JSON value; most engines refuse that, docker load "
            "ignores it",
            fatal=True,
        )
    if "\\u" in text and "\\ud" in text.lower():
        value, changed = _without_lone_surrogates(value)
        if changed:
            note("json-surrogate", "a \\u escape is half of a pair; engines read a replacement character there")
    for key in repeated:
        note("json-duplicate-key", f"the key {key!r} occurs twice in one object; the last one counts")
    return OddObject(value) if anomalies and isinstance(value, dict) else value, tuple(anomalies)


def _last_of_each_key(repeated: list[str]) -> Callable[[list[tuple[str, Any]]], JsonObject]:
    """Return what makes an object of its pairs; it adds keys that occur again to `repeated`, a hundred at most."""

    def pairs(items: list[tuple[str, Any]]) -> JsonObject:
        value = dict(items)
        if len(value) != len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen and len(repeated) < 100:
                    repeated.append(key)
                seen.add(key)
        return value

    return pairs


def _bound_structure(data: bytes, where: Location, limits: Limits) -> None:
    # Piece by piece: to take a million strings out at once needs an object for each.
    pieces = [data] if len(data) <= _PIECE else (found[0] for found in _TOKENS.finditer(data))
    values = 0
    nesting: list[bytes] = []
    for piece in pieces:
        outside_strings = _STRING.sub(b"", piece)
        values += outside_strings.count(b",") + outside_strings.count(b"[") + outside_strings.count(b"{")
        if values > MOST_VALUES:
            raise LimitExceeded(
                f"the JSON document has more than {MOST_VALUES} values", where, "no real image document comes near that"
            )
        nesting.append(outside_strings.translate(_ROUND, _NOT_BRACKETS))
    brackets = b"".join(nesting)
    # Taking the innermost pairs away costs one C-speed pass per level; what is left is deeper or unbalanced.
    for _ in range(limits.json_depth):
        if not brackets:
            return
        brackets = brackets.replace(b"()", b"")
    if b"()" in brackets or brackets.count(b"(") > limits.json_depth:
        raise LimitExceeded(
            f"the JSON document is nested deeper than {plural(limits.json_depth, 'level')}",
            where,
            "no real image document comes near that",
        )


def _refuse(what: str, where: Location) -> NoReturn:
    raise Malformed(what, where, "the file is damaged or made to confuse readers")


def _integer(digits: str, where: Location) -> int:
    if len(digits) > _DIGITS:
        _refuse(f"a number of {len(digits)} digits is no 64-bit number", where)
    return int(digits)


def _float(digits: str, where: Location) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse(f"the number {digits[:_DIGITS]} is too large", where)
    return value


def _without_lone_surrogates(value: Any) -> tuple[Any, bool]:
    """Return the value with U+FFFD for each lone surrogate, and whether there was one."""
    if isinstance(value, str):
        clean = _LONE.sub("\ufffd", value)
        return clean, clean != value
    if isinstance(value, list):
        items = [_without_lone_surrogates(item) for item in value]
        return [item for item, _ in items], any(changed for _, changed in items)
    if isinstance(value, dict):
        pairs = [(_without_lone_surrogates(k), _without_lone_surrogates(v)) for k, v in value.items()]
        return {k[0]: v[0] for k, v in pairs}, any(k[1] or v[1] for k, v in pairs)
    return value, False


def lookup(value: Mapping[str, Any], key: str) -> Any:
    """Return the value of `key` whatever its case, the last one in the document; None when absent.

    Source: Go encoding/json, Unmarshal: "preferring exact matches but also accepting case-insensitive matches",
    each assigned in document order.
    """
    if len(value) <= _FEW_KEYS:
        name = _spellings(tuple(value)).get(key.lower())
        return None if name is None else value[name]
    wanted = key.lower()
    found = None
    for candidate, item in value.items():
        if candidate == key or candidate.lower() == wanted:
            found = item
    return found


@lru_cache(256)
def _spellings(keys: tuple[str, ...]) -> dict[str, str]:
    """Return how an object spells its keys, the last spelling of each: thousands of objects have the same keys."""
    return {key.lower(): key for key in keys}


class Fields:
    """Typed access to one JSON object that never raises: a value of the wrong type is recorded and left out.

    A key that is absent or null gives the empty value of its type, as in Go.
    """

    def __init__(self, value: Any, where: Location, anomalies: list[Anomaly], pointer: str = "") -> None:
        self.where = where
        self.pointer = pointer
        self.anomalies = anomalies
        self.raw: JsonObject = value if isinstance(value, dict) else {}
        if value is not None and not isinstance(value, dict):
            self.wrong_type("", "an object", value)

    def place(self, key: str = "") -> Location:
        """Return the location of a field, with its JSON pointer."""
        pointer = self.pointer + escaped(key) if key else self.pointer
        return Location(member=self.where.member, blob=self.where.blob, pointer=pointer)

    def note(self, code: AnomalyCode, message: str, key: str = "", *, fatal: bool = False) -> None:
        """Record an anomaly at a field, the first `MOST_ANOMALIES` of them."""
        if len(self.anomalies) >= MOST_ANOMALIES:
            return
        self.anomalies.append(Anomaly(code=code, message=message, where=self.place(key), fatal=fatal))

    def wrong_type(self, key: str, expected: str, value: Any) -> None:
        """Record that a field holds another type than the format says, which Go refuses."""
        what = f"{key} holds {kind_of(value)}" if key else f"here is {kind_of(value)}"
        self.note("json-type", f"{what} where {expected} belongs; engines refuse this document", key, fatal=True)

    def get(self, key: str) -> Any:
        """Return the raw value of a field, None when absent."""
        return lookup(self.raw, key)

    def text(self, key: str) -> str:
        """Return a string field, "" when absent."""
        value = self.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self.wrong_type(key, "a string", value)
        return ""

    def integer(self, key: str) -> int | None:
        """Return a 64-bit number field, None when absent."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63:
            return value
        self.wrong_type(key, "a 64-bit whole number", value)
        return None

    def flag(self, key: str) -> bool:
        """Return a boolean field, False when absent."""
        value = self.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.wrong_type(key, "true or false", value)
        return False

    def items(self, key: str) -> list[Any] | None:
        """Return a list field as it is, None when absent or null."""
        value = self.get(key)
        if value is None or isinstance(value, list):
            return value
        self.wrong_type(key, "a list", value)
        return None

    def strings(self, key: str) -> tuple[str, ...] | None:
        """Return a list-of-strings field, None when absent or null; elements of another type are left out."""
        value = self.items(key)
        if value is None:
            return None
        kept = []
        for item in value:
            if isinstance(item, str):
                kept.append(item)
            elif item is None:
                kept.append("")
            else:
                self.wrong_type(key, "only strings", item)
        return tuple(kept)

    def text_map(self, key: str) -> dict[str, str]:
        """Return an object of strings (labels, annotations), {} when absent."""
        fields = self.child(key)
        return fields.text_map_self() if fields else {}

    def text_map_self(self) -> dict[str, str]:
        """Return this object as a map of strings; values of another type are recorded and left out."""
        kept = {}
        for name, item in self.raw.items():
            if isinstance(item, str):
                kept[name] = item
            elif item is None:
                kept[name] = ""
            else:
                self.wrong_type(name, "a string", item)
        return kept

    def key_set(self, key: str) -> tuple[str, ...]:
        """Return the keys of an object used as a set (Volumes, ExposedPorts), () when absent."""
        value = self.get(key)
        if value is None:
            return ()
        if isinstance(value, dict):
            return tuple(value)
        self.wrong_type(key, "an object", value)
        return ()

    def child(self, key: str) -> Fields | None:
        """Return an object field for typed access, None when absent, null or no object."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            return Fields(value, self.where, self.anomalies, self.pointer + escaped(key))
        self.wrong_type(key, "an object", value)
        return None

    def children(self, key: str, most: int | None = None) -> Iterator[Fields]:
        """Yield each object of a list field; elements that are none are recorded and read as empty.

        Of a list longer than `most` only the first ones come, and that is recorded.
        """
        listed = self.items(key) or []
        if most is not None and len(listed) > most:
            self.note(
                "json-long-list", f"{key} has {len(listed)} items; only the first {most} are read", key, fatal=True
            )
            listed = listed[:most]
        for index, item in enumerate(listed):
            yield Fields(item, self.where, self.anomalies, f"{self.pointer}{escaped(key)}/{index}")


def escaped(key: str) -> str:
    """Return one step of a JSON pointer (RFC 6901), with its slash."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def kind_of(value: Any) -> str:
    """Return the JSON name of a value's type, with an article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
