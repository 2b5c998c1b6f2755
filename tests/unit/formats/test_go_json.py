"""Sentences of Go's encoding/json as engines print them; the first four were seen in loads of dockerd, podman, ctr."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.formats.go_json import syntax_error


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b"", "unexpected end of JSON input"),
        (b"{}x", "invalid character 'x' after top-level value"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b'{"a"', "unexpected end of JSON input"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"tru_", "invalid character '_' in literal true (expecting 'e')"),
        (b'"a\nb"', "invalid character '\\n' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"1ex", "invalid character 'x' in exponent of numeric literal"),
        (b"01", "invalid character '1' after top-level value"),
        (b"[" * 10_001, "exceeded max depth"),
    ],
)
def test_what_go_says(data: bytes, words: str) -> None:
    assert syntax_error(data) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON, st.integers(0, 200), st.binary(max_size=2))
def test_what_python_reads_go_reads(value: object, at: int, put: bytes) -> None:
    data = json.dumps(value, indent=1).encode()
    assert syntax_error(data) is None
    broken = data[:at] + put + data[at:]
    try:
        json.loads(broken.decode("utf-8", "replace"), parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        assert syntax_error(broken) is not None
    else:
        assert syntax_error(broken) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b"[1", "unexpected EOF"),
        (b"[1] x", None),
        (b"[1]]", None),
        (b"x", "invalid character 'x' looking for beginning of value"),
    ],
)
def test_a_stream_ends_with_its_first_value(data: bytes, words: str | None) -> None:
    assert syntax_error(data, stream=True) == words
