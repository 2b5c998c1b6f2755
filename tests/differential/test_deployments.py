"""Lines of docker run and pods, judged: recorded starts always, real ones again where the engines are installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "scenarios")]

import deployments  # noqa: E402
from compare import engine_reality, engine_text, short  # noqa: E402
from deployments import CASES, KUBE, Case, reference, spec  # noqa: E402

import imagepeel  # noqa: E402
from dockerd import alone  # noqa: E402
from imagepeel import forge  # noqa: E402
from imagepeel.deploy.docker_run import read_docker_run  # noqa: E402
from imagepeel.deploy.images import GivenImage  # noqa: E402
from imagepeel.deploy.judged import judge_deployment  # noqa: E402
from imagepeel.deploy.pod import read_pod  # noqa: E402
from imagepeel.deploy.wanted import Deployment  # noqa: E402
from imagepeel.process.spec.failure import Outcome  # noqa: E402
from imagepeel.process.spec.values import Prediction  # noqa: E402
from sampling import sample  # noqa: E402

RECORDED = json.loads((HERE.parent / "scenarios" / "observed_deployments.json").read_text())
STARTED = 16
"""Cases that each run starts for real."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, imagepeel.Image]:
    folder = tmp_path_factory.mktemp("deployments")
    found = {}
    for name in deployments.IMAGES:
        archive = forge.write(spec(name), folder / f"{name}.tar", kind="docker-archive")
        found[name] = imagepeel.open(archive).image()
    return found


def read(case: Case) -> Deployment:
    if case.pod:
        return read_pod(case.pod, "pod.yaml", KUBE)
    return read_docker_run(case.words, case.engine)


def prediction(case: Case, images: dict[str, imagepeel.Image]) -> Prediction:
    """What `start` asks `process` for, with a condition of a new volume fulfilled: each case has volumes of its own."""
    wanted = read(case).starts[0]
    assert wanted.image == reference(case.image)
    found = images[case.image].process(wanted.options)
    verdict = found.verdict
    if verdict.kind is Outcome.DEPENDS and all("volume" in one and "is new" in one for one in verdict.depends):
        return msgspec.structs.replace(found, verdict=msgspec.structs.replace(verdict, kind=Outcome.RUNS, depends=()))
    return found


def differences(case: Case, observed: dict[str, Any], images: dict[str, imagepeel.Image]) -> list[str]:
    if case.health:
        return health_differences(case, observed, images)
    found = prediction(case, images)
    if found.verdict.kind in (Outcome.DEPENDS, Outcome.UNKNOWN):
        return [f"no verdict: {found.verdict}"]
    lines = "\n".join(found.verdict.text.splitlines())  # a carriage return ends a line in the record
    verdict = msgspec.structs.replace(found.verdict, text=lines)
    return engine_reality(observed, msgspec.structs.replace(found, verdict=verdict))


def health_differences(case: Case, observed: dict[str, Any], images: dict[str, imagepeel.Image]) -> list[str]:
    """Of a check that cannot be executed the words, of any other how it ends: 0 where a start is predicted."""
    found = judge_deployment(read(case), [GivenImage(images[case.image])])[-1]
    assert found.role == "health check"
    verdict = found.verdict
    if verdict.kind is Outcome.RUNS:
        return [] if observed["exit"] == 0 else [f"RUNS was predicted, really {observed}"]
    if verdict.kind is not Outcome.FAILS:
        return [f"no verdict: {verdict}"]
    # dockerd keeps -1 of a check that was never executed.
    code = -1 if verdict.exit_code is None else verdict.exit_code
    said = (code, short(engine_text("\n".join(found.reads))))
    return [] if said == (observed["exit"], observed["text"]) else [f"predicted {said}, really {observed}"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_predicted_was_done(case: Case, images: dict[str, imagepeel.Image]) -> None:
    assert differences(case, RECORDED[case.id], images) == []


def test_enough_is_judged() -> None:
    assert len(RECORDED) == len(CASES) >= 120
    assert sum(bool(case.pod) for case in CASES) >= 60


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.slow
def test_the_engines_still_do_it(request: pytest.FixtureRequest, images: dict[str, imagepeel.Image]) -> None:
    reason = deployments.why_not()
    if reason:
        pytest.skip(reason)
    chosen = sample(request.config, list(CASES), STARTED)
    with alone():
        observed = deployments.observe_all(chosen)
    wrong = {case.id: differences(case, observed[case.id], images) for case in chosen}
    assert {name: lines for name, lines in wrong.items() if lines} == {}
