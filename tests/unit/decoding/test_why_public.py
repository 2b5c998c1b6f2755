"""Texts that people quoted in public threads are recognised, with the cause that the thread found among the causes.

`tests/data/public_texts.json`: the text as it was quoted, where (repository#number, or the address of a page), and the
failure by the thread, or by what the words say where the thread found none.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagepeel.decoding.decode import decode

QUOTED = json.loads((Path(__file__).parents[2] / "data" / "public_texts.json").read_text())


@pytest.mark.parametrize("quoted", QUOTED, ids=lambda one: one["where"])
def test_a_quoted_text_has_its_cause_among_the_causes(quoted: dict[str, object]) -> None:
    readings = decode(str(quoted["text"])).readings
    found = {str(code) for one in readings if one.kind == "failure" for code in one.codes}
    found |= {one.state.id for one in readings if one.state is not None}
    assert set(quoted["causes"]) <= found  # type: ignore[call-overload]


def test_there_are_as_many_as_promised() -> None:
    assert len({one["text"] for one in QUOTED}) >= 150
    assert len({one["where"] for one in QUOTED}) >= 150


def test_what_is_no_error_is_not_recognised() -> None:
    for text in (
        "hello world", "Listening on port 8080", "GET /status 200 12ms", "GET /a 404", "took 137 ms", "user not found",
        "INFO: exec of query finished", "code review done", "the end", "a: b: c",
    ):  # fmt: skip
        assert decode(text).readings == (), text
