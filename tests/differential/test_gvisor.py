"""gVisor's runsc: recorded starts always, a few real ones where it is installed."""

from __future__ import annotations

import functools
import json
import re
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
from imagepeel.process.spec.values import Prediction  # noqa: E402
from sampling import sample  # noqa: E402

RECORDED = json.loads(gvisor.FILE.read_text())
KNOWN = [scenario for scenario in SCENARIOS if scenario.id in RECORDED]
BY_ID = {scenario.id: scenario for scenario in KNOWN}
STARTED = 12
"""Scenarios that each run starts."""
OPEN_END = {"argv-nothing", "argv-empty-string-only"}
"""Starts whose text ends in the config.json as Go prints it, with an address that no two starts share."""


CUT_RECORD = {"big-argument", "big-together", "big-argument-fits"}
"""Starts whose record holds the beginning of the vector only."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "started" in metafunc.fixturenames:
        chosen = sample(metafunc.config, KNOWN, STARTED)
        metafunc.parametrize("started", chosen, ids=[scenario.id for scenario in chosen])


@functools.cache
def _predicted(name: str) -> Prediction:
    """Of a scenario on gVisor; several tests look at each."""
    scenario = BY_ID[name]
    return predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(gvisor.ENGINE))


def differences(scenario: Scenario, observed: dict[str, Any]) -> list[str]:
    found = _predicted(scenario.id)
    verdict = found.verdict
    if verdict.kind in {"UNKNOWN", "DEPENDS"}:
        return []
    if "refused" in observed:  # there is no bundle to start
        return [] if verdict.kind == "FAILS" and verdict.judge == "J1" else [f"refused for real, predicted {verdict}"]
    if verdict.kind == "FAILS":
        text = re.sub(r"\[FATAL tini \(\d+\)\]", "[FATAL tini (PID)]", verdict.runtime_text).strip()
        said = (verdict.runtime_exit_code, short(text))
        if scenario.id in OPEN_END:
            start = f"{verdict.runtime_text}: &{{"[:40]
            return [] if observed["text"].startswith(start) and observed["exit"] == said[0] else [f"predicted {said}"]
        return [] if said == (observed["exit"], observed["text"]) else [f"predicted {said}, really {observed}"]
    if observed["exit"] == 0 and "report" not in observed:  # another program than report
        return []
    if "report" not in observed or found.pid1 is None:
        return [f"predicted {verdict}, really {observed}"]
    report = observed["report"]
    vectors = [found.pid1.argv, *found.wrapped[-1:]]  # the report may come from a child
    if scenario.id in CUT_RECORD:
        return [] if found.pid1.argv[0] == report["argv"][0] else ["another program"]
    if found.pid1.exact and report["argv"] not in [short(list(argv)) for argv in vectors]:
        return [f"argv: predicted {vectors!r}, really {report['argv']!r}"]
    if found.wrapped:
        return []
    said = {"cwd": found.cwd, "exe": found.pid1.path}
    return [f"{key}: predicted {said[key]!r}" for key in said if short(said[key]) != report[key]]


@pytest.mark.parametrize("scenario", KNOWN, ids=lambda scenario: scenario.id)
def test_runsc_did_what_is_predicted(scenario: Scenario) -> None:
    if scenario.missing():
        pytest.skip(scenario.missing())
    assert differences(scenario, RECORDED[scenario.id]) == []


def test_what_was_recorded_is_answered() -> None:
    """UNKNOWN is for the kernel of its own, and for what is not known with runc either; all else is predicted."""

    def with_runc(scenario: Scenario) -> Prediction:
        return predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options("runc@1.1"))

    unknown = [one for one in KNOWN[::4] if _predicted(one.id).verdict.kind == "UNKNOWN"]
    hedged = [one.id for one in unknown if with_runc(one).verdict.kind != "UNKNOWN"]
    assert len(KNOWN) >= 400
    assert len(hedged) <= 8, hedged


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.slow
def test_runsc_still_does_it(started: Scenario) -> None:
    reason = gvisor.why_not() or started.missing()
    if reason:
        pytest.skip(reason)
    assert differences(started, gvisor.start(started)) == []
