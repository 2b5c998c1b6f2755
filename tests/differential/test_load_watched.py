"""A row of `loadable` that says measured has a record: of this version, on an archive described so, that ended so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

import load_watched  # noqa: E402
import stores  # noqa: E402
from test_store_loads import answers_about  # noqa: E402

from imagepeel.loading.registry import TOOLS  # noqa: E402
from imagepeel.loading.tool import words_of  # noqa: E402
from imagepeel.loading.watched import WATCHED  # noqa: E402

ELSEWHERE = {"docker@28 (own store)", "docker@28 (containerd store)", "podman@5.8"}
"""Tools that were watched on another machine."""


def test_what_is_called_measured_was_recorded() -> None:
    of_here = {tool.full_label for tool in TOOLS if tool.label in stores.TOOLS}
    assert load_watched.recorded() == {label: ways for label, ways in load_watched.kept().items() if label in of_here}
    assert set(WATCHED) == of_here | ELSEWHERE
    assert set(WATCHED) == {tool.full_label for tool in TOOLS if tool.measured}


@pytest.mark.parametrize(
    ("name", "tool", "store", "evidence"),
    [
        ("a path twice", "docker@20.10", "own", "measured"),
        ("a path twice", "docker@28", "own", "measured"),
        ("a path twice", "docker@29", "own", "read"),
        ("docker, bzip2", "docker@20.10", "own", "measured"),
        ("docker, bzip2", "docker@28", "own", "older"),
        ("docker, bzip2", "docker@28", "containerd", "read"),
        ("docker 1.9, a json that is none", "docker@28", "own", "older"),
        ("layout, a chart", "podman@4.3", "", "measured"),
        ("layout, a chart", "podman@5.8", "", "read"),  # 4.3 was watched refusing it with other words,
        ("layout, a chart", "podman@6.1", "", "read"),
    ],
)
def test_how_an_answer_is_known(name: str, tool: str, store: str, evidence: str, tmp_path: Path) -> None:
    (answer,) = [one for one in answers_about(name, tmp_path)[tool] if one.store == store]
    assert answer.evidence == evidence
    assert answer.source


def test_other_words_of_a_recorded_cause_are_not_called_measured(tmp_path: Path) -> None:
    """The mark holds the words; names, paths, digests and numbers in them may differ."""
    texts = [one.text for tool in answers_about("a path twice", tmp_path).values() for one in tool if one.text]
    assert texts
    assert all(words_of(text) != words_of(f"{text} once more") for text in texts)
    marks = {words_of(f"open <tmp>/{digest}/json: no such file or directory") for digest in ("a" * 64, "b" * 64)}
    assert len(marks) == 1
    assert words_of('unable to find user "a"') == words_of('unable to find user "b"') != words_of("unable to find")
    assert words_of("Loaded image: a:1\nno layer 3") == words_of("Loaded image: b:2\nno layer 4")
