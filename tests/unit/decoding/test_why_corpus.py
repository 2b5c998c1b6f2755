"""What real starts wrote is recognised: the recorded texts of all scenarios, and the predicted ones on every engine.

The expected failure of a recorded text is that of its scenario, which people wrote from the failure table.  A text that
the scenario's own script writes is nobody's words: it must not be taken for the words of a judge that it is not.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCENARIOS_DIR = HERE.parents[1] / "scenarios"
sys.path[:0] = [str(SCENARIOS_DIR), str(HERE.parent / "process")]

from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import RECORDED_ON, Scenario, release  # noqa: E402
from texts import ENGINES, GVISOR, LEAST, RECORDS, echoed, lines_of, never_failed, skeleton, written  # noqa: E402

from imagepeel.decoding.decode import decode  # noqa: E402
from imagepeel.decoding.words import TABLE  # noqa: E402
from imagepeel.process.predict import predict  # noqa: E402

SAMPLE = 29
KNOWN = json.loads(TABLE.read_text())
of_the_recorded_release = pytest.mark.skipif(
    release() != RECORDED_ON, reason=f"programs said it as {RECORDED_ON} has them, which are not here"
)
BY_ID = {scenario.id: scenario for scenario in SCENARIOS}
WORD = re.compile(r"[A-Za-z]+")
CUT = "characters, sha256 "
"""In a recorded text that was too long to keep."""


def codes_of(text: str) -> set[str]:
    return {str(code) for reading in decode(text).readings for code in reading.codes}


def own_words(scenario: Scenario, text: str) -> bool:
    """Whether only the scenario's own script speaks."""
    own = written(scenario)
    spoken = [line for line in text.splitlines() if line.strip()]
    return all(echoed(line, own) or set(WORD.findall(line)) <= set(WORD.findall(own)) for line in spoken)


def recorded() -> dict[tuple[str, str], Scenario]:
    """(text, failure) -> the first scenario with it, of the starts that failed as their scenario says."""
    found: dict[tuple[str, str], Scenario] = {}
    for one, seen in RECORDS[0].items():
        for runtime, end in seen.items():
            expected = BY_ID[one].expect.get(runtime, "")
            if end.get("exit") and end.get("text") and CUT not in end["text"] and expected[:1] in ("F", "W"):
                text = end["text"].replace("tini (PID)", "tini (7)")
                found.setdefault((text, expected), BY_ID[one])
    return found


@of_the_recorded_release
def test_every_recorded_text_of_a_runtime_has_its_failure_among_the_causes() -> None:
    wrong, own = [], 0
    for (text, expected), scenario in recorded().items():
        if expected not in codes_of(text):
            if own_words(scenario, text):
                own += 1
            else:
                wrong.append(f"{scenario.id}: {text!r} is {expected}, read {sorted(codes_of(text))}")
    assert not wrong, "\n".join(wrong)
    assert len(recorded()) > 600 and own < 60


def engines_recorded() -> dict[tuple[str, str], tuple[str, Scenario]]:
    found: dict[tuple[str, str], tuple[str, Scenario]] = {}
    for one, seen in RECORDS[1].items():
        for engine, end in seen.items():
            if end.get("exit") and end.get("text") and CUT not in end["text"]:
                text = end["text"].replace("tini (PID)", "tini (7)")
                found.setdefault((engine.partition("@")[0], text), (engine, BY_ID[one]))
    return found


@of_the_recorded_release
def test_every_recorded_text_of_an_engine_has_its_failure_among_the_causes() -> None:
    """That of its scenario; where the engine refuses for a reason of its own, the one that is predicted for it."""
    wrong: list[str] = []
    for (_, text), (engine, scenario) in engines_recorded().items():
        codes = codes_of(text)
        if scenario.expect["runc@1.1"] in codes or own_words(scenario, text) or scenario.missing():
            continue
        verdict = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(engine)).verdict
        if verdict.kind == "FAILS" and verdict.id not in codes:
            wrong.append(f"{scenario.id} on {engine}: {text!r} is {verdict.id}, read {sorted(codes)}")
    assert not wrong, "\n".join(wrong)
    assert len(engines_recorded()) > 1200


@of_the_recorded_release
def test_every_recorded_text_of_gvisor_has_its_failure_among_the_causes() -> None:
    wrong: list[str] = []
    for one, end in GVISOR.items():
        if not end.get("exit") or not end.get("text") or CUT in end["text"]:
            continue
        text, scenario = end["text"].replace("tini (PID)", "tini (7)"), BY_ID[one]
        codes = codes_of(text)
        if scenario.expect["runc@1.1"] in codes or own_words(scenario, text) or scenario.missing():
            continue
        verdict = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options("runsc")).verdict
        if verdict.kind == "FAILS" and verdict.id not in codes:
            wrong.append(f"{one}: {text!r} is {verdict.id}, read {sorted(codes)}")
    assert not wrong, "\n".join(wrong)


def failing() -> list[Scenario]:
    return [one for one in SCENARIOS if not one.missing() and not never_failed(one)]


@pytest.mark.parametrize("scenario", failing()[::SAMPLE], ids=lambda one: one.id)
def test_what_is_predicted_is_recognised_on_every_engine(scenario: Scenario) -> None:
    """`SAMPLE` = 1 asks all; the words are in the table too, so that it cannot be older than the engines' own."""
    rootfs = FakeRootfs(scenario.entries)
    for engine in ENGINES:
        verdict = predict(rootfs, scenario.wanted(), scenario.start_options(engine)).verdict
        if verdict.kind != "FAILS" or own_words(scenario, verdict.text):
            continue
        assert verdict.id in codes_of(verdict.text), (engine, verdict.text)
        for line in lines_of(verdict):
            said = skeleton(line[:2000])
            if sum(map(str.isalpha, said)) >= LEAST and not echoed(line, written(scenario)):
                assert verdict.id in KNOWN[said][str(verdict.judge)]["codes"], (engine, line)
