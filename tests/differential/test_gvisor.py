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
from sampling import sample  # noqa: E402

RECORDED = json.loads(gvisor.FILE.read_text())
KNOWN = [scenario for scenario in SCENARIOS if scenario.id in RECORDED]
STARTED = 12
"""Scenarios that each run starts."""
DIFFERENT = {
    "list-dash-user-chown": "the second execve takes a user's capabilities away",
    "shebang-blanks-around": "it keeps blanks at the end of the first line",
    "shebang-line-255": "its first lines have no limit",
    "shebang-line-256-argument-cut": "its first lines have no limit",
    "shebang-line-400-argument-cut": "its first lines have no limit",
    "shebang-interpreter-253": "its first lines have no limit",
    "shebang-nul-ends-interpreter": "it refuses a NUL byte",
    "shebang-only-mark-no-newline": "another errno",
    "wrapper-setarch-options": "it knows no personality",
    "sudo-as-user": "this sudo finds the no_new_privs flag set",
    "sudo-not-set-uid": "this sudo finds the no_new_privs flag set",
    "loader-library-path-variable-setuid": "it ignores the set-uid bit",
    "path-too-long": "it cuts the path in its words",
    "path-bare-name-too-long": "it cuts the name in its words",
    "argv-nothing": "its words hold the whole config.json",
    "argv-empty-string-only": "its words hold the whole config.json",
}
"""Starts in which gVisor's kernel differs and the profile does not say so, with what it does."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "started" in metafunc.fixturenames:
        chosen = sample(metafunc.config, [one for one in KNOWN if one.id not in DIFFERENT], STARTED)
        metafunc.parametrize("started", chosen, ids=[scenario.id for scenario in chosen])


def differences(scenario: Scenario, observed: dict[str, Any]) -> list[str]:
    found = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(gvisor.ENGINE))
    verdict = found.verdict
    if verdict.kind in {"UNKNOWN", "DEPENDS"}:
        return []
    if verdict.kind == "FAILS":
        said = (verdict.runtime_exit_code, short(verdict.runtime_text))
        return [] if said == (observed["exit"], observed["text"]) else [f"predicted {said}, really {observed}"]
    if observed["exit"] == 0 and "report" not in observed:  # another program than report
        return []
    if "report" not in observed or found.pid1 is None:
        return [f"predicted {verdict}, really {observed}"]
    report = observed["report"]
    vectors = [found.pid1.argv, *found.wrapped[-1:]]  # the report may come from a child
    if found.pid1.exact and report["argv"] not in [short(list(argv)) for argv in vectors]:
        return [f"argv: predicted {vectors!r}, really {report['argv']!r}"]
    if found.wrapped:
        return []
    said = {"cwd": found.cwd, "exe": found.pid1.path}
    return [f"{key}: predicted {said[key]!r}" for key in said if short(said[key]) != report[key]]


@pytest.mark.parametrize("scenario", KNOWN, ids=lambda scenario: scenario.id)
def test_runsc_did_what_is_predicted(scenario: Scenario) -> None:
    if scenario.missing() or scenario.id in DIFFERENT:
        pytest.skip(scenario.missing() or DIFFERENT[scenario.id])
    assert differences(scenario, RECORDED[scenario.id]) == []


def test_what_was_recorded_is_answered() -> None:
    """UNKNOWN is for the kernel of its own; everything else is predicted."""
    hedged = [
        scenario.id
        for scenario in KNOWN
        if predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(gvisor.ENGINE)).verdict.kind
        == "UNKNOWN"
    ]
    assert len(KNOWN) >= 400
    assert len(hedged) <= 70, hedged


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.slow
def test_runsc_still_does_it(started: Scenario) -> None:
    reason = gvisor.why_not() or started.missing()
    if reason:
        pytest.skip(reason)
    assert differences(started, gvisor.start(started)) == []
