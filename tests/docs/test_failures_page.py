"""The page of failures is the one that the failures make, and says of each what the operator sees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagepeel.cli.failure_page import name_of, page
from imagepeel.findings.catalogue import find_rule
from imagepeel.process.engines.registry import MATRIX_ENGINES
from imagepeel.process.spec.failure import FailureCode, Judge, Stage

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "failures.md"
TEXT = PAGE.read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_the_page_is_fresh() -> None:
    assert page() == TEXT, "write it anew: python -m imagepeel.cli.failure_page docs/reference/failures.md"


@pytest.mark.parametrize("code", FailureCode)
def test_each_failure_has_an_entry_with_every_engine(code: FailureCode) -> None:
    entry = ENTRIES[name_of(code)]
    assert f"(`{code}`, rule [" in entry
    lines = [line for line in entry.splitlines() if line.startswith(tuple(MATRIX_ENGINES))]
    named = {engine.strip() for line in lines for engine in line.partition(":")[0].split(",")}
    assert named == set(MATRIX_ENGINES)
    assert any(line.startswith("    ") for line in entry.splitlines()), "nobody says what the operator sees"


@pytest.mark.parametrize("code", FailureCode)
def test_each_code_can_be_explained(code: FailureCode) -> None:
    assert code in find_rule(code).codes
    assert find_rule(code.lower()) is find_rule(code)


def test_judges_and_stages_have_their_codes() -> None:
    for word in (*Judge, *Stage):
        assert f"| `{word}` | {word.words} |" in TEXT


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert anchor in ENTRIES, anchor
