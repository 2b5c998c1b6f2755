"""The one place where typed values become JSON or MessagePack, and come back.

msgspec builds its description of a Struct when the type is first decoded, converted or put into a schema, and stores
it in the type without a lock (0.22.0): two threads that do so at once for the first time can end the process with
signal 11.  So decoders are made here, one at a time, and nobody else asks msgspec for one: a test refuses it
elsewhere.  A decoder that is made changes nothing any more and may be used by all threads at once, those of a caller
of this library too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")

_LOCK = threading.RLock()
_json_decoders: dict[Any, Callable[[bytes | str], Any]] = {}
_msgpack_decoders: dict[Any, Callable[[bytes | bytearray | memoryview], Any]] = {}
# Encoders read what a Struct's class holds from the beginning and build nothing.
_JSON = msgspec.json.Encoder()
_MSGPACK = msgspec.msgpack.Encoder()


def to_json(value: object) -> bytes:
    """Return a value of Structs and plain fields as JSON.  UnicodeEncodeError for text with lone surrogates."""
    return _JSON.encode(value)


def from_json(data: bytes | memoryview | str, kind: type[T]) -> T:
    """Return the value of type `kind` in a JSON text.  msgspec.DecodeError when it holds something else."""
    decode = _json_decoders.get(kind)
    if decode is None:
        with _LOCK:
            decode = _json_decoders.setdefault(kind, msgspec.json.Decoder(kind).decode)
    return cast(T, decode(cast(bytes, data)))


def to_msgpack(value: object) -> bytes:
    """Return a value of Structs and plain fields as MessagePack."""
    return _MSGPACK.encode(value)


def from_msgpack(data: bytes | memoryview, kind: type[T]) -> T:
    """Return the value of type `kind` in MessagePack bytes.  msgspec.DecodeError when they hold something else."""
    decode = _msgpack_decoders.get(kind)
    if decode is None:
        with _LOCK:
            decode = _msgpack_decoders.setdefault(kind, msgspec.msgpack.Decoder(kind).decode)
    return cast(T, decode(data))


def convert(value: object, kind: type[T]) -> T:
    """Return plain values as a value of type `kind`.  msgspec.ValidationError where they do not fit."""
    with _LOCK:
        return msgspec.convert(value, kind)


def indented(data: bytes) -> bytes:
    """Return JSON with two spaces an indent."""
    return msgspec.json.format(data, indent=2)


def json_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type."""
    with _LOCK:
        schema: dict[str, Any] = _dedented(msgspec.json.schema(kind))
    return schema


def json_schema_parts(kind: Any, reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the JSON Schema of a type and those of the types in it, which `reference` names (`#/$defs/{name}`)."""
    with _LOCK:
        (schema,), parts = msgspec.json.schema_components((kind,), ref_template=reference)
    return _dedented(schema), _dedented(parts)


def _dedented(schema: Any) -> Any:
    """The same with docstrings as people read them: only Python 3.13 and later keep them so themselves."""
    from inspect import cleandoc  # start time

    if isinstance(schema, dict):
        return {
            name: cleandoc(value) if name == "description" and isinstance(value, str) else _dedented(value)
            for name, value in schema.items()
        }
    return [_dedented(one) for one in schema] if isinstance(schema, list) else schema
