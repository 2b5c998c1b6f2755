"""What encoding/json says of values of another type; the sentences are those of Go 1.19, printed by real engines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.errors import ImagepeelError
from imagepeel.formats.go_decode import (
    BOOL,
    INT,
    STRING,
    STRINGS,
    TIME,
    WORDS,
    GoType,
    fits,
    list_of,
    struct,
    time_error,
    unread,
)
from imagepeel.oci.json_document import OddObject, parse_json

INNER = struct("container.Config", Cmd=WORDS, Env=STRINGS, Tty=BOOL, StopTimeout=INT)
IMAGE = struct("image.Image", config=INNER, created=TIME, author=STRING, os__version=STRING)
FIELD = "json: cannot unmarshal {} into Go struct field {} of type {}"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type image.Image"),
        (b'"x"', "json: cannot unmarshal string into Go value of type image.Image"),
        (b"1e999", "json: cannot unmarshal number into Go value of type image.Image"),
        (b"[" * 100_000, "exceeded max depth"),
        (b"null", None),
        (b'{"a": "\xff"}', None),
        (b'{"config": {"Cmd": "x"}}', None),
        (b'{"config": {"Cmd": [null]}}', None),
        (b'{"config": {"Cmd": [1]}}', FIELD.format("array", "Config.config.Cmd", "string")),
        (b'{"config": {"Env": "x"}}', FIELD.format("string", "Config.config.Env", "[]string")),
        (b'{"config": {"env": [1]}}', FIELD.format("number", "Config.config.Env", "string")),
        (b'{"CONFIG": []}', FIELD.format("array", "Image.config", "container.Config")),
        (b'{"os.version": 1}', FIELD.format("number", "Image.os.version", "string")),
        (b'{"config": {"Tty": 1, "Env": 1}}', FIELD.format("number", "Config.config.Tty", "bool")),
        (b'{"config": {"Tty": 1, "Cmd": {}}}', FIELD.format("object", "Config.config.Cmd", "string")),
        (b'{"config": {"StopTimeout": 1.5}}', FIELD.format("number 1.5", "Config.config.StopTimeout", "int")),
        (b'{"config": {"StopTimeout": 99999999999999999999}}',
         FIELD.format("number 99999999999999999999", "Config.config.StopTimeout", "int")),
        (b'{"author": true}', FIELD.format("bool", "Image.author", "string")),
        (b'{"author": 1, "author": "x"}', FIELD.format("number", "Image.author", "string")),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b'{"author": NaN}', "invalid character 'N' looking for beginning of value"),
    ],
)  # fmt: skip
def test_what_go_says_of_a_type(data: bytes, words: str | None) -> None:
    assert unread(data, IMAGE) == words
    try:
        value, odd = parse_json(data)
    except ImagepeelError:
        return
    assert isinstance(value, OddObject) == (bool(odd) and isinstance(value, dict))
    if not odd:
        assert fits(value, IMAGE) == (words is None)


KEYS = st.sampled_from(["config", "Cmd", "ENV", "tty", "created", "x"])
NUMBERS = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | st.just("2026-01-02T03:04:05Z"),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(VALUES, st.sampled_from([IMAGE, INNER, INT, TIME, WORDS, STRINGS]))
def test_what_fits_is_what_is_read(value: Any, kind: GoType) -> None:
    data = json.dumps(value).encode()
    parsed, odd = parse_json(data)
    if not odd:
        assert fits(parsed, kind) == (unread(data, kind) is None)


def test_a_struct_without_a_name_has_none_in_the_error() -> None:
    item = list_of(struct("struct { Config string }", Config=STRING))
    assert unread(b'[{"Config": 1}]', item) == FIELD.format("number", ".Config", "string")
    assert unread(b"{}", item) == "json: cannot unmarshal object into Go value of type []struct { Config string }"


def test_a_map_is_filled_value_by_value() -> None:
    labels = struct("x.T", Labels=GoType(name="map[string]string", reader="map", of=STRING))
    assert unread(b'{"Labels": {"a": "b", "c": null}}', labels) is None
    assert unread(b'{"Labels": {"a": 1}}', labels) == FIELD.format("number", "T.Labels", "string")


LAYOUT = r'"\"2006-01-02T15:04:05Z07:00\""'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('"2020-01-02T03:04:05Z"', None),
        ('"2020-02-29T03:04:05.123456789+01:00"', None),
        ('"2020-01-02T3:04:05Z"', None),
        ("1", rf'parsing time "1" as {LAYOUT}: cannot parse "1" as "\""'),
        ('""', rf'parsing time "\"\"" as {LAYOUT}: cannot parse "\"" as "2006"'),
        ('"x"', rf'parsing time "\"x\"" as {LAYOUT}: cannot parse "x\"" as "2006"'),
        ('"2020-13-02T03:04:05Z"', r'parsing time "\"2020-13-02T03:04:05Z\"": month out of range'),
        ('"2021-02-29T03:04:05Z"', r'parsing time "\"2021-02-29T03:04:05Z\"": day out of range'),
        ('"2021-02-20T03:04:05"',
         rf'parsing time "\"2021-02-20T03:04:05\"" as {LAYOUT}: cannot parse "\"" as "Z07:00"'),
        ('"2021-02-20 03:04:05Z"',
         rf'parsing time "\"2021-02-20 03:04:05Z\"" as {LAYOUT}: cannot parse " 03:04:05Z\"" as "T"'),
    ],
)  # fmt: skip
def test_what_package_time_says(value: str, words: str | None) -> None:
    assert time_error(value) == words
