"""JSON for programs: one versioned envelope for every command.

Fields may be added later and never change their meaning; `schema` counts up if that ever has to be broken.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel._version import __version__
from imagepeel.evidence import raw, text
from imagepeel.masking import masked, masked_value, masked_words
from imagepeel.render.escape import exact
from imagepeel.serialization import json_schema_parts

VERSION = 1
"""Version of the envelope's `result`, the number at the end of `schema`."""

_TOKENS = 10_000
"""Brackets, keys and values that are written together."""
_LONGEST = 1_000
"""Words of a list that are looked at together, so that an option protects the word after it."""
_BINARY = frozenset(("data",))
"""Keys whose bytes are content, not names: always base64."""
_SURROGATE = late("[\ud800-\udfff]")
# Valid JSON may hold them raw; a terminal that shows the document would obey them.
_ACTIVE = late("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]")


def dumps(command: str, payload: Any, *, indent: int | None = 2) -> str:
    """Return the document of a command: `{"schema": "imagepeel/<command>/1", "imagepeel": version, "result": ...}`.

    `payload` is made of msgspec Structs and plain values.  The same payload always gives the same text: keys stand
    in the order of the Structs.  A name that is no UTF-8 is readable under its key (`\\xNN` for its bytes) and exact
    under `<key>_b64`; in a list, `<key>_b64` is a list with null for the clean ones.  Bytes under `data` are base64.
    """
    return "".join(pieces(command, payload, indent=indent))


def pieces(command: str, payload: Any, *, indent: int | None = 2) -> Iterator[str]:
    """Yield the same text piece by piece: it may be many times as long as what it is made of."""
    envelope = {
        "schema": f"imagepeel/{command}/{VERSION}",
        "imagepeel": __version__,
        "result": to_plain(payload),
    }
    separators = (",", ":") if indent is None else (",", ": ")
    tokens = json.JSONEncoder(ensure_ascii=False, indent=indent, separators=separators).iterencode(envelope)
    while piece := "".join(islice(tokens, _TOKENS)):
        yield _ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", piece)


def to_plain(payload: Any) -> Any:
    """Return the payload as dicts, lists and plain values that every JSON writer takes."""
    return _plain(_builtins(payload))


def schema(command: str, kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of the document of a command whose result has the type `kind`."""
    result, components = json_schema_parts(kind, "#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"imagepeel/{command}/{VERSION}",
        "title": f"imagepeel {command} --json",
        "type": "object",
        "required": ["schema", "imagepeel", "result"],
        "properties": {
            "schema": {"const": f"imagepeel/{command}/{VERSION}"},
            "imagepeel": {"type": "string", "description": "the version that wrote the document"},
            "result": result,
        },
        "$defs": components,
    }


class _Later:
    """A sequence that makes its items when they are asked for."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items


class _Made(list[Any]):
    """The plain items of such a sequence, made then as well; its own part as a list stays empty."""

    def __init__(self, source: Sequence[Any]) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[Any]:
        return (_plain(_builtins(item)) for item in self._source)


def _builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes, bytearray, _Later), str_keys=True, enc_hook=_later)


def _later(value: Any) -> _Later:
    if isinstance(value, Sequence):
        return _Later(value)
    raise TypeError(f"a {type(value).__name__} has no JSON")


def _plain(value: Any) -> Any:
    if isinstance(value, _Later):
        return _Made(value.items)
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list | tuple | set | frozenset):
        if 1 < len(value) <= _LONGEST and all(isinstance(item, str) and not _lossy(item) for item in value):
            return masked_words(list(value))
        return [_plain(_readable(item) if _lossy(item) else _named(item)) for item in value]
    if isinstance(value, str):
        return _readable(value) if _lossy(value) else masked(value)
    return _named(value)


def _object(value: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    value = _without_secrets(value)
    for key, item in value.items():
        name = _readable(key) if _lossy(key) else key
        if key in _BINARY and isinstance(item, bytes | bytearray):
            out[name] = base64.b64encode(item).decode("ascii")
        elif _lossy(item):
            out[name] = _readable(item)
            if masked(text(item)) == text(item):
                out[f"{name}_b64"] = _exact(item)
        elif isinstance(item, list | tuple) and any(_lossy(part) for part in item):
            out[name] = _plain(item)
            out[f"{name}_b64"] = [_exact(part) if _lossy(part) else None for part in item]
        else:
            out[name] = _plain(item)
    return out


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    """The object with those values masked that only a name beside them gives away: a variable, a label, a change."""
    named = value.get("name")
    if not isinstance(named, str) or not isinstance(value.get("value"), str):
        named = value.get("pointer")
        if not isinstance(named, str) or not ("before" in value or "after" in value):
            return {k: masked_value(k, v) if isinstance(v, str) and not _lossy(v) else v for k, v in value.items()}
        named = named.rpartition("/")[2]
    return {
        k: masked_value(named, v) if k in ("value", "before", "after") and isinstance(v, str) and not _lossy(v) else v
        for k, v in value.items()
    }


def _lossy(value: Any) -> bool:
    """Whether a name has bytes that no UTF-8 text can hold."""
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, bytes | bytearray):
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return True
    return False


def _named(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes | bytearray) else value


def _readable(value: str | bytes | bytearray) -> str:
    return exact(masked(text(bytes(value) if isinstance(value, bytearray) else value)))


def _exact(value: str | bytes | bytearray) -> str:
    if isinstance(value, str):
        try:
            data = raw(value)
        except UnicodeEncodeError:
            # A lone surrogate that never came from bytes.
            data = value.encode("utf-8", "surrogatepass")
    else:
        data = bytes(value)
    return base64.b64encode(data).decode("ascii")
