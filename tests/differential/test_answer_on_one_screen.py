"""`imagepeel process` answers in 15 lines of 80 columns, whatever the start: every scenario, a sample in each run."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "unit" / "process")]

import pytest  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import Scenario  # noqa: E402

from imagepeel.masking import redacted  # noqa: E402
from imagepeel.present.answer import answer_document  # noqa: E402
from imagepeel.process.predict import predict  # noqa: E402
from imagepeel.process.spec.failure import Outcome  # noqa: E402
from imagepeel.render.terminal import print_document  # noqa: E402
from imagepeel.results.head import ImageHead  # noqa: E402
from imagepeel.results.process import ProcessResult  # noqa: E402
from sampling import sample  # noqa: E402

LINES, COLUMNS = 15, 80
SHOWN = 200
"""Scenarios of a run."""
ENGINES = ("docker@29.7", "podman@4.3", "runc@1.1")
HEAD = ImageHead(
    archive="/a/folder/with/a/long/name/" + "archive" * 20 + ".tar", archive_kind="docker-archive", number=1,
    names=("registry.example.com/a/team/with/a/long/name/" + "app" * 30 + ":1.2.3",), platform="linux/arm64/v8",
    digest=None, image_id=None, complete=True, reason="", not_examined=("another:1", "a-third:2"),
)  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        chosen = sample(metafunc.config, SCENARIOS, SHOWN)
        metafunc.parametrize("scenario", chosen, ids=[scenario.id for scenario in chosen])


def screen(scenario: Scenario, engine: str) -> tuple[list[str], Any]:
    found = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(engine))
    out = io.StringIO()
    result = ProcessResult(image=HEAD, view="", execve=found.execve, prediction=found)
    print_document(answer_document(result), out, width=COLUMNS)
    return out.getvalue().splitlines(), found


@pytest.mark.parametrize("engine", ENGINES)
def test_the_answer_fits_and_the_verdict_is_first_and_last(scenario: Scenario, engine: str) -> None:
    if why := scenario.missing():
        pytest.skip(why)
    lines, found = screen(scenario, engine)
    shown = "\n".join(lines)
    assert len(lines) <= LINES and max(map(len, lines)) <= COLUMNS, shown
    word = "starts" if found.verdict.kind is Outcome.RUNS else found.verdict.kind
    last = max(at for at, line in enumerate(lines) if not line) + 1
    assert lines[2].startswith(word) and lines[last].startswith(word), shown
    joined = " ".join(shown.split())
    wanted = [found.verdict.fix, found.execve if found.path else "", *found.verdict.text.splitlines()[:3]]
    for one in wanted:
        if len(one) < COLUMNS and one.isprintable():
            assert " ".join(redacted(one).split()) in joined, shown
