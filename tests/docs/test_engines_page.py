"""The page of engines is made of the profiles, and the profiles say what they rest on."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagepeel.cli.engine_page import page
from imagepeel.process.engines.basis import Area
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.registry import ENGINES, FAMILIES, MATRIX_ENGINES, RUNTIMES, find_engine

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"
ALL: tuple[Engine, ...] = (*ENGINES, *(patch for family in FAMILIES for patch in family.patches))


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("known", [*ALL, *RUNTIMES], ids=lambda known: getattr(known, "label", "") or known.name)
def test_every_profile_says_what_it_rests_on(known: Engine) -> None:
    basis = known.basis
    assert basis.read
    assert bool(basis.started) == bool(basis.measured)
    if basis.measured:
        assert Area.TEXTS in basis.measured and not basis.texts


def test_the_page_marks_what_is_at_its_end_of_life() -> None:
    table = page().partition("## Profiles")[2].partition("\n## ")[0]
    rows = {line.split("|")[1].strip(" `"): line.split("|")[2].strip() for line in table.splitlines() if "| `" in line}
    assert rows["containerd@1.6"] == "since 2025-08-23"
    assert rows["containerd@2.3"] == "-"
    assert rows["k8s@1.34"] == "since 2026-10"


def test_every_row_of_the_matrix_is_a_profile() -> None:
    assert [find_engine(name)[0].label for name in MATRIX_ENGINES] == list(MATRIX_ENGINES)
