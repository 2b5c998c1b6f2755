"""The scenario corpus on whole engines: recorded starts always, real ones again where the engines are installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "unit" / "process")]

import engines  # noqa: E402
from compare import engine_reality  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import Scenario  # noqa: E402

from dockerd import alone  # noqa: E402
from imagepeel.process.predict import predict  # noqa: E402
from sampling import sample  # noqa: E402

RECORDED = json.loads((HERE.parent / "scenarios" / "observed_engines.json").read_text())

STARTED = 32
"""Scenarios that each run starts on the three engines; all that are recorded take many minutes."""


def differences(scenario: Scenario, engine: str, observed: dict[str, Any]) -> list[str]:
    if "refused" in observed:  # the engine's command line cannot say that, or the image cannot be loaded
        return []
    prediction = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(engine))
    return engine_reality(observed, prediction)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_engines_did_what_is_predicted(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    """On one of the engines, another one for each seed; `--all-starts` asks for all of them."""
    if scenario.missing():
        pytest.skip(scenario.missing())
    if scenario.id not in RECORDED:
        pytest.skip("started with runc and crun only")
    every = request.config.getoption("--all-starts")
    turn = (request.config.getoption("--seed") + sum(scenario.id.encode())) % len(engines.ENGINES)
    for engine in engines.ENGINES if every else engines.ENGINES[turn : turn + 1]:
        assert differences(scenario, engine, RECORDED[scenario.id][engine]) == []


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.slow
def test_the_engines_still_do_it(request: pytest.FixtureRequest) -> None:
    reason = engines.why_not()
    if reason:
        pytest.skip(reason)
    chosen = sample(request.config, [scenario for scenario in SCENARIOS if scenario.id in RECORDED], STARTED)
    wrong = _wrong(chosen)
    if wrong:
        # A line that a loaded machine loses is lost once; an engine that does something else does so again.
        wrong = _wrong([scenario for scenario in chosen if scenario.id in {name for name, _ in wrong}])
    assert wrong == {}


def _wrong(chosen: list[Scenario]) -> dict[tuple[str, str], list[str]]:
    """Start scenarios on the engines; return what differs from the predictions."""
    with alone():
        found = engines.observe_all(chosen)
    seen = {
        (scenario.id, engine): differences(scenario, engine, observed)
        for scenario in chosen
        if not scenario.missing()
        for engine, observed in found[scenario.id].items()
    }
    return {key: lines for key, lines in seen.items() if lines}
