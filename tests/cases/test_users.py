"""Users, their switchers and what they may do: the cases of bug reports, of starts and of operators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Prediction

Case = Callable[[str, str], Path]


def predicted(path: Path, image: str | None = None, **options: object) -> Prediction:
    with imagepeel.open(path) as archive:
        chosen = archive.image(image) if image is not None else archive.image()
        return chosen.process(ProcessOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["docker@20.10", "docker@28"])
@pytest.mark.parametrize(
    ("name", "options"),
    [("p11-gosu-nonroot.tar", {"user": "1000"}), ("p11b-gosu-user.tar", {})],
    ids=["option", "USER"],
)
def test_gosu_needs_the_right_to_switch(case: Case, name: str, options: dict[str, str], engine: str) -> None:
    """Measured with gosu 1.14 on docker 20.10 and 28: it fails also for the user that it is already."""
    verdict = predicted(case("bug-reports", name), engine=engine, **options).verdict
    assert verdict.kind == "FAILS"
    assert verdict.id == "F36"
    assert "operation not permitted" in verdict.text
    assert 'error: failed switching to "' in verdict.text
    assert verdict.exit_code == 1


def test_gosu_as_user_is_no_start_of_its_program(case: Case) -> None:
    found = predicted(case("judges", "process-faults"), "gosu-as-user", engine="runc@1.1")
    assert found.verdict.kind == "FAILS"
    assert found.verdict.runtime_exit_code == 1
