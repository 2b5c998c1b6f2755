"""gVisor's runsc: recorded starts always, a few real ones where it is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "unit" / "process")]

import gvisor  # noqa: E402
from compare import short  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import Scenario  # noqa: E402

from imagepeel.process.predict import predict  # noqa: E402

RECORDED = json.loads(gvisor.FILE.read_text())
KNOWN = [scenario for scenario in SCENARIOS if scenario.id in RECORDED]
AGAIN = [
    scenario
    for scenario in KNOWN
    if scenario.id in {"path-missing", "path-not-executable", "path-link", "cwd-relative"}
]


def differences(scenario: Scenario, observed: dict[str, Any]) -> list[str]:
    found = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(gvisor.ENGINE))
    verdict = found.verdict
    if verdict.kind == "UNKNOWN":
        return []
    if verdict.kind == "FAILS":
        said = (verdict.runtime_exit_code, short(verdict.runtime_text))
        return [] if said == (observed["exit"], observed["text"]) else [f"predicted {said}, really {observed}"]
    if "report" not in observed or found.pid1 is None:
        return [f"predicted {verdict}, really {observed}"]
    said = {"argv": list(found.pid1.argv), "cwd": found.cwd, "exe": found.pid1.path}
    return [f"{key}: predicted {said[key]!r}" for key in said if short(said[key]) != observed["report"][key]]


@pytest.mark.parametrize("scenario", KNOWN, ids=lambda scenario: scenario.id)
def test_runsc_did_what_is_predicted(scenario: Scenario) -> None:
    assert differences(scenario, RECORDED[scenario.id]) == []


def test_what_was_recorded_is_answered() -> None:
    """UNKNOWN is for the kernel of its own; everything else is predicted."""
    hedged = [
        scenario.id
        for scenario in KNOWN
        if predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(gvisor.ENGINE)).verdict.kind
        == "UNKNOWN"
    ]
    assert len(KNOWN) >= 50
    assert all(name.startswith("mount-") for name in hedged)


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("scenario", AGAIN, ids=lambda scenario: scenario.id)
def test_runsc_still_does_it(scenario: Scenario) -> None:
    reason = gvisor.why_not()
    if reason:
        pytest.skip(reason)
    assert differences(scenario, gvisor.start(scenario)) == []
