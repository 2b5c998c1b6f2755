"""YAML with places: what is taken, what is refused where, and what hostile text costs."""

from __future__ import annotations

import sys
import time

import pytest

from imagepeel.deploy.marked import MOST_DEPTH, Node, read_documents
from imagepeel.deploy.place import MOST_BYTES
from imagepeel.errors import LimitExceeded, Malformed, UsageError


def read(text: str | bytes) -> list[Node]:
    return read_documents(text, "x.yaml")


def test_every_value_has_its_place() -> None:
    (document,) = read("a: 1\nb:\n  - x\n  - {c/d: [1, two]}\n")
    two = document.mapping()["b"].as_list()[1].mapping()["c/d"].as_list()[1]
    assert (two.text, str(two.place)) == ("two", "x.yaml: line 4, column 15 at /b/1/c~1d/1")


def test_several_documents_and_empty_ones() -> None:
    assert [one.string("a") for one in read("a: x\n---\n---\n# only a remark\n---\na: y\n")] == ["x", "y"]


def test_an_alias_and_a_merge_key_bring_what_they_stand_for() -> None:
    (document,) = read("base: &b {a: one, k: base}\nx: {<<: *b, k: own}\ny: {<<: [{a: first}, {a: second, z: '1'}]}\n")
    x, y = document.mapping()["x"], document.mapping()["y"]
    assert (x.string("a"), x.string("k")) == ("one", "own")
    assert (y.string("a"), y.string("z")) == ("first", "1")
    assert x.mapping()["a"].place.line == 1, "where it is written"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: b: c", "line 1, column 5", "mapping values are not allowed"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1", "'a' comes twice"),
        ("a:\n  - !!python/object/apply:os.system ['id']", "line 2, column 5", "tag"),
        ("a: !reset null", "line 1, column 4", "tag !reset"),
        ("a: &x [*x]", "line 1, column 8", "*x"),
        ("a: *nobody", "line 1, column 4", "nobody"),
        ("{a: b", "line 1, column 6", "expected"),
        ("? [a]\n: b", "line 1, column 3", "a key is no text"),
        ("a: b\n\x00", "line 2, column 1", "special characters"),
        (b"a: b\nc: \xff", "line 2, column 4", "UTF-8"),
        ("\ta: b", "line 1, column 1", "\\t"),
    ],
)
def test_what_is_no_yaml_of_this_kind_is_one_error_with_its_place(text: str | bytes, where: str, what: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(text)
    assert f"x.yaml: {where}" in str(caught.value)
    assert what in str(caught.value)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    "text",
    [BOMB, "[" * 100_000, "{" * 100_000, "- " * 50_000, "? " * 50_000, "a: {" * 1_000,
     "k:\n- " + "[" * 70,
     "".join(f"k{n}: v\n" for n in range(60_000)), "x" * (MOST_BYTES + 1)],
    ids=["bomb", "lists", "maps", "blocks", "keys", "maps in a line", "depth", "values", "bytes"],
)  # fmt: skip
def test_a_text_that_would_cost_too_much_ends_soon(text: str) -> None:
    start = time.process_time()
    with pytest.raises((LimitExceeded, Malformed)) as caught:
        read(text)
    assert "x.yaml: line " in str(caught.value) and "column " in str(caught.value)
    assert time.process_time() - start < 20


def test_the_bound_of_depth_is_exact() -> None:
    read("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    with pytest.raises(LimitExceeded):
        read("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1))


def test_another_kind_of_value_is_named_with_its_place() -> None:
    (document,) = read("image: 5\nargs: x\nflag: 'true'\nnumber: one\n")
    for take, message in (
        (lambda: document.string("image"), "line 1, column 8 at /image: image is a number, not a text"),
        (lambda: document.each("args"), "args is a text, not a list"),
        (lambda: document.mapping()["flag"].as_flag(), "flag is a text, not true or false"),
        (lambda: document.mapping()["number"].as_number(), "number is a text, not a whole number"),
    ):
        with pytest.raises(Malformed) as caught:
            take()
        assert message in str(caught.value)


def test_base_60_is_text() -> None:
    """YAML 1.1 has 22:22 as a number; no program that deploys has."""
    (document,) = read("port: 22:22")
    assert document.string("port") == "22:22"


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UsageError) as caught:
        read("a: b")
    assert "imagepeel[deploy]" in caught.value.hint
