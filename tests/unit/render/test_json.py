"""The JSON envelope: versioned, deterministic, readable and lossless."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import imagepeel
from imagepeel import forge
from imagepeel.errors import Ambiguous
from imagepeel.present.document import Story
from imagepeel.present.story.chapters import explain_image
from imagepeel.render.json import dumps, schema, to_plain
from imagepeel.render.json_lines import line

Forge = Callable[..., Path]


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    path: str | bytes = ""
    names: tuple[str, ...] = ()
    data: bytes = b""
    inner: tuple[Any, ...] = ()


def result(payload: Any) -> Any:
    document = json.loads(dumps("test", payload))
    assert list(document) == ["schema", "imagepeel", "result"]
    assert document["schema"] == "imagepeel/test/1"
    assert document["imagepeel"] == imagepeel.__version__
    return document["result"]


def test_a_clean_name_stands_alone() -> None:
    assert result(Item(path="/etc/caf\u00e9")) == {"path": "/etc/caf\u00e9"}
    assert result(Item(path=b"/etc/caf\xc3\xa9")) == {"path": "/etc/caf\u00e9"}


@pytest.mark.parametrize("path", ["/caf\udce9", b"/caf\xe9"])
def test_a_lossy_name_is_readable_and_exact(path: str | bytes) -> None:
    assert result(Item(path=path)) == {"path": "/caf\\xe9", "path_b64": base64.b64encode(b"/caf\xe9").decode()}


def test_a_list_with_a_lossy_name() -> None:
    found = result(Item(names=("a", "b\udcff")))
    assert found == {"names": ["a", "b\\xff"], "names_b64": [None, base64.b64encode(b"b\xff").decode()]}


class Numbers(Sequence[Item]):
    """A sequence that makes its items when they are asked for."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: Any) -> Any:
        return Item(path=f"/{range(3)[index]}\udcff")


def test_items_that_are_made_late_are_a_list() -> None:
    for indent in (None, 2):
        late, soon = (dumps("test", {"items": items}, indent=indent) for items in (Numbers(), tuple(Numbers())))
        assert late == soon and late.count("_b64") == 3


def test_what_has_no_json_is_an_error() -> None:
    with pytest.raises(TypeError, match="a generator has no JSON"):
        dumps("test", {"items": (one for one in ())})


def test_content_is_base64() -> None:
    assert result(Item(data=b"\x7fELF")) == {"data": base64.b64encode(b"\x7fELF").decode()}


def test_nested_values() -> None:
    found = result([Item(inner=(Item(path="\udc80"), {"k\udc81": b"v"}, 7, None, True))])
    assert found == [{"inner": [{"path": "\\x80", "path_b64": "gA=="}, {"k\\x81": "v"}, 7, None, True]}]


@given(st.binary(max_size=30))
def test_every_name_comes_back(name: bytes) -> None:
    found = result(Item(path=b"/" + name))
    exact = base64.b64decode(found["path_b64"]) if "path_b64" in found else found["path"].encode()
    assert exact == b"/" + name


@given(st.text(st.characters()))
def test_the_text_acts_on_no_terminal(text: str) -> None:
    out = line({"x": text})
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or c in "\u202e\u2066\u200b\ufeff" for c in out)
    assert "\n" not in out
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert json.loads(out) == {"x": text}


def test_the_same_payload_gives_the_same_text() -> None:
    payload = {"b": 1, "a": [Item(path="x")]}
    assert dumps("t", payload) == dumps("t", payload)
    assert list(to_plain(payload)) == ["b", "a"]


@pytest.fixture(scope="module")
def published() -> Draft202012Validator:
    """The schema of `explain`, itself checked."""
    wanted = schema("explain", Story)
    Draft202012Validator.check_schema(wanted)
    return Draft202012Validator(wanted)


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_story_fits_the_schema(name: str, forge_archive: Forge, published: Draft202012Validator) -> None:
    with imagepeel.open(forge_archive(name)) as archive:
        try:
            story = explain_image(archive.image())
        except Ambiguous:
            story = explain_image(archive.image("#1"))
    text = dumps("explain", story)
    published.validate(json.loads(text))
    again = msgspec.json.decode(json.dumps(json.loads(text)["result"]), type=Story)
    assert [chapter.id for chapter in again.chapters] == [chapter.id for chapter in story.chapters]
