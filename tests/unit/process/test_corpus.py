"""Every scenario against its expected verdict and against what real runtimes did (`tests/scenarios/observed.json`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake_rootfs import FakeRootfs

SCENARIOS_DIR = Path(__file__).parents[2] / "scenarios"
sys.path.insert(0, str(SCENARIOS_DIR))

from compare import expectation, reality  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from model import RUNTIMES, Scenario  # noqa: E402

from imagepeel.process.predict import predict  # noqa: E402

OBSERVED = json.loads((SCENARIOS_DIR / "observed.json").read_text())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_prediction_is_what_really_happened(scenario: Scenario) -> None:
    if scenario.missing():
        pytest.skip(scenario.missing())
    rootfs = FakeRootfs(scenario.entries)
    for runtime in RUNTIMES:
        prediction = predict(rootfs, scenario.wanted(), scenario.start_options(runtime))
        assert expectation(scenario, runtime, prediction) == []
        assert reality(OBSERVED[scenario.id][runtime], prediction) == []


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(SCENARIOS) >= 700
    assert set(OBSERVED) == {scenario.id for scenario in SCENARIOS}


def test_every_rule_of_the_algorithm_has_scenarios() -> None:
    covered = {row for scenario in SCENARIOS for row in scenario.rows}
    assert {f"S{number}" for number in range(2, 8)} <= covered
