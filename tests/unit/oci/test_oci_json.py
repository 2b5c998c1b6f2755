from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import steps
from imagepeel.errors import ImagepeelError, LimitExceeded, Malformed
from imagepeel.evidence import Anomaly, Location
from imagepeel.limits import Limits
from imagepeel.oci.json_document import Fields, lookup, parse_json

WHERE = Location(member="index.json")


def codes(anomalies: tuple[Anomaly, ...] | list[Anomaly]) -> list[str]:
    return [anomaly.code for anomaly in anomalies]


def test_plain_json_is_read_without_remarks() -> None:
    assert parse_json(b' {"a": [1, -2.5e3, true, null, "\\u00e9"]}\n') == ({"a": [1, -2500.0, True, None, "é"]}, ())


def test_of_a_repeated_key_the_last_one_counts() -> None:
    value, anomalies = parse_json(b'{"a": 1, "b": {"x": 1, "x": 2}, "a": 3}', WHERE)
    assert value == {"a": 3, "b": {"x": 2}}
    assert codes(anomalies) == ["json-duplicate-key", "json-duplicate-key"]
    assert anomalies[0].where == WHERE


def test_invalid_utf8_and_half_surrogates_become_replacement_characters() -> None:
    value, anomalies = parse_json(b'{"a": "x\xffy", "\\ud800": ["\\uDC00", "\\ud83d\\ude00"]}')
    assert value == {"a": "x\ufffdy", "\ufffd": ["\ufffd", "\U0001f600"]}
    assert codes(anomalies) == ["json-utf8", "json-surrogate"]


def test_a_byte_order_mark_is_removed_and_said() -> None:
    value, anomalies = parse_json(b"\xef\xbb\xbf[]")
    assert value == []
    assert [(a.code, a.fatal) for a in anomalies] == [("json-bom", True)]


def test_what_follows_the_value_is_said() -> None:
    value, anomalies = parse_json(b'{"a": 1} {"a": 2}')
    assert value == {"a": 1}
    assert codes(anomalies) == ["json-trailing-data"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"{",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e999",
        b"9" * 5000,
        b'{"a": 01}',
        b"{'a': 1}",
        b'"\x01"',
        b'"' + b'\\"' * 50,
        b"\x00",
        "{}".encode("utf-16"),
        b"]]]]",
    ],
)
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_json(data, WHERE)


def test_depth_is_bounded_before_parsing() -> None:
    limits = Limits(json_depth=10)
    assert parse_json(b"[" * 10 + b"]" * 10, WHERE, limits)[1] == ()
    for data in (b"[" * 11 + b"]" * 11, b'{"a":' * 11 + b"1" + b"}" * 11, b"[" * 100_000, b"[{}," * 50_000):
        with pytest.raises(LimitExceeded):
            parse_json(data, WHERE, limits)


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    data = json.dumps(["[" * 1000 + '"\\' + "{" * 1000]).encode()
    assert parse_json(data, WHERE, Limits(json_depth=2))[0] == json.loads(data)


def test_size_and_number_of_values_are_bounded() -> None:
    with pytest.raises(LimitExceeded):
        parse_json(b"[" + b" " * 100 + b"]", WHERE, Limits(json_bytes=100))
    with pytest.raises(LimitExceeded):
        parse_json(b"[" + b"0," * 1_100_000 + b"0]", WHERE)


@pytest.mark.parametrize(
    "data", [b'"' + b'\\"' * 2_000_000, b'"' * 2_000_001, b'"\\' * 2_000_000, b"[" + b'"",' * 400_000]
)
def test_hostile_strings_are_read_in_few_calls(data: bytes) -> None:
    """No call for each string; and a call that read a string of this length twice a character would not end."""

    def parse() -> None:
        with contextlib.suppress(ImagepeelError):
            parse_json(data)

    steps(parse, limit=300)


@given(st.binary(max_size=200))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    try:
        parse_json(data)
    except ImagepeelError:
        pass


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_valid_json_reads_as_python_reads_it(value: object) -> None:
    data = json.dumps(value).encode()
    assert parse_json(data)[0] == json.loads(data)


@settings(max_examples=200)
@given(_JSON, st.data())
def test_damaged_json_raises_only_our_errors(value: object, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_json(bytes(raw))
    except ImagepeelError:
        pass


def test_keys_are_found_in_any_case_and_the_last_one_counts() -> None:
    assert lookup({"repoTags": 1}, "RepoTags") == 1
    assert lookup({"Config": 1, "config": 2}, "Config") == 2
    assert lookup({"a": 1}, "b") is None


def test_fields_of_a_wrong_type_are_recorded_with_a_pointer_and_left_out() -> None:
    noticed: list[Anomaly] = []
    fields = Fields(
        {"s": 1, "n": "1", "big": 2**64, "l": {}, "m": {"k": 1, "ok": "v"}, "f": "true", "o": [], "~/": 3},
        Location(member="config"),
        noticed,
    )
    assert fields.text("s") == ""
    assert fields.integer("n") is None
    assert fields.integer("big") is None
    assert fields.strings("l") is None
    assert fields.text_map("m") == {"ok": "v"}
    assert fields.flag("f") is False
    assert fields.child("o") is None
    assert fields.text("~/") == ""
    assert [a.where.pointer for a in noticed] == ["/s", "/n", "/big", "/l", "/m/k", "/f", "/o", "/~0~1"]
    assert all(a.code == "json-type" and a.fatal for a in noticed)


def test_null_is_the_empty_value_of_each_type() -> None:
    noticed: list[Anomaly] = []
    fields = Fields(dict.fromkeys("abcdef"), Location(), noticed)
    assert (fields.text("a"), fields.integer("b"), fields.strings("c"), fields.text_map("d")) == ("", None, None, {})
    assert (fields.flag("e"), fields.child("f"), fields.key_set("a"), list(fields.children("b"))) == (
        False,
        None,
        (),
        [],
    )
    assert noticed == []


def test_a_document_of_another_type_reads_as_empty() -> None:
    noticed: list[Anomaly] = []
    assert Fields([1], Location(), noticed).text("a") == ""
    assert codes(noticed) == ["json-type"]


def test_long_lists_and_long_lists_of_faults_are_cut_and_said() -> None:
    noticed: list[Anomaly] = []
    fields = Fields({"l": [1] * 5000}, Location(), noticed)
    assert len(list(fields.children("l", 100))) == 100
    assert "json-long-list" in codes(noticed)
    assert len(noticed) <= 200
