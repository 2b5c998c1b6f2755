"""No two commands contradict each other about one file: views, process, wtf, check, explain and loadable, pair by pair.

Over every input of the shared cases, over the teaching images, and over a part of the archives that real tools loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel.errors import ImagepeelError
from imagepeel.findings.subject import PROFILES
from imagepeel.forge.gallery import NAMES
from imagepeel.loading.answer import Cause
from imagepeel.loading.registry import TOOLS
from imagepeel.process.engines.registry import MATRIX_ENGINES, find_engine
from imagepeel.process.loaded import tools_of
from imagepeel.process.spec.failure import Judge, Outcome

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "differential")]

from load_archives import ARCHIVES, write  # noqa: E402

Case = Callable[[str, str], Path]
VIEWS = ("runtime", "docker@20.10", "docker@28", "docker", "podman")
ENGINES = tuple(dict.fromkeys((*MATRIX_ENGINES, *PROFILES, "docker@28", "podman@5.8")))


def contradictions(image: imagepeel.Image) -> Iterator[str]:
    """What two commands say of one image and cannot both be true."""
    answers = {(answer.tool, answer.store): answer for answer in image.loadable()}
    refusals = image.views(VIEWS).refusals if image.complete else {}
    for tool in TOOLS:
        answer = answers[tool.label, tool.store]
        if answer.cause in (Cause.UNPACK, Cause.PATH_TWICE) and tool.view not in refusals:
            yield f"loadable: {answer.label} refuses a layer, views: {tool.view} does not"
        if answer.takes and tool.view in refusals:
            yield f"loadable: {answer.label} takes it, views: {tool.view} refuses a layer"
    failing = []
    for engine in ENGINES:
        prediction = image.process(engine=engine)
        verdict = prediction.verdict
        own = [answers[tool.label, tool.store] for tool in tools_of(find_engine(engine)[0])]
        if verdict.judge is Judge.LOAD:
            failing.append(engine)
            if any(answer.takes for answer in own):
                yield f"process: {engine} cannot load it, loadable: {[str(answer) for answer in own]}"
        if verdict.kind is Outcome.RUNS and own and all(answer.refuses_image for answer in own):
            yield f"process: it RUNS on {engine}, loadable: {[str(answer) for answer in own]}"
        of_file = own and all(answer.cause in (Cause.FORMAT, Cause.CHOICE) for answer in own)
        told = any("does not take the file" in note for note in prediction.notes)
        if verdict.kind is Outcome.RUNS and of_file and not told and not image.record.format.bare:
            yield f"process: it RUNS on {engine} without a word of the file, loadable: {[str(one) for one in own]}"
    found = image.findings()
    high = [finding.rule for finding in found if finding.severity == "high"]
    if any(engine in PROFILES for engine in failing) and not high:
        yield f"process: {failing} cannot load it, wtf and check: nothing of high severity"
    default = image.process()
    story = " ".join(str(image.explain()).split())
    if default.verdict.judge is Judge.LOAD and " ".join(default.verdict.why.split())[:60] not in story:
        yield "process: it cannot be loaded, explain: not a word of it"


def told_of(path: Path) -> list[str]:
    try:
        with imagepeel.open(path) as archive:
            return [line for image in archive.images()[:3] for line in contradictions(image)]
    except ImagepeelError:
        return []


@pytest.mark.parametrize("family, one", [("bug-reports", "f06c-docker.tar"), ("real-images", "artifact.tar")])
def test_commands_agree_about_the_cases(case: Case, family: str, one: str) -> None:
    inputs = sorted(path for path in case(family, one).parent.iterdir() if ".tar" in path.name)
    wrong = {path.name: lines for path in inputs if (lines := told_of(path))}
    assert len(inputs) >= 10
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
def test_commands_agree_about_the_teaching_images(forge_archive: Callable[..., Path], name: str) -> None:
    assert told_of(forge_archive(name)) == []


@pytest.mark.parametrize("name", sorted(ARCHIVES)[::9])
def test_commands_agree_about_archives_that_tools_refuse(name: str, tmp_path: Path) -> None:
    assert told_of(write(name, tmp_path)) == []
