"""The pages of failures are the ones that the failures make, and say of each what the operator sees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagepeel.cli.failure_page import pages
from imagepeel.decoding.decode import decode
from imagepeel.findings.catalogue import find_rule
from imagepeel.process.engines.registry import MATRIX_ENGINES
from imagepeel.process.spec.failure import FailureCode, Judge, Stage
from imagepeel.results.why import name_of

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
TEXT = (FOLDER / "failures.md").read_text(encoding="utf-8")
ENTRIES = {path.stem: path.read_text(encoding="utf-8") for path in (FOLDER / "failures").glob("*.md")}


def test_the_pages_are_fresh() -> None:
    there = {"failures.md": TEXT, **{f"failures/{name}.md": text for name, text in ENTRIES.items()}}
    assert pages() == there, "write them anew: python -m imagepeel.cli.failure_page docs/reference"


@pytest.mark.parametrize("code", FailureCode)
def test_what_is_read_leads_back_to_the_failure(code: FailureCode) -> None:
    """Each text of a page, pasted into `why`, has the failure of the page among its causes."""
    read = ENTRIES[name_of(code)].partition("## Is it this one?")[0]
    for text in re.findall(r"(?m)^(?: {4}.*\n?)+", read):
        if not text.rstrip().endswith("..."):
            assert code in {found for one in decode(text).readings for found in one.codes}, text


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
    for folder, text in ((FOLDER, TEXT), *((FOLDER / "failures", entry) for entry in ENTRIES.values())):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (folder / target).exists(), target
