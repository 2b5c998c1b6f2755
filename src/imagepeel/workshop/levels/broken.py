"""Level 7: ten starts that fail, one thing wrong in each."""

from __future__ import annotations

import io
from pathlib import Path

from imagepeel import api, forge
from imagepeel.process.spec.failure import Judge
from imagepeel.process.spec.values import Verdict
from imagepeel.workshop.level import SHEET, Level, Question, check_sheet, sheet, solved
from imagepeel.workshop.resources import starter, starters

REPAIR = "repair"
JUDGES: dict[Judge, tuple[str, ...]] = {
    Judge.LOAD: ("load",),
    Judge.ENGINE: ("engine", "the engine"),
    Judge.RUNTIME: ("runtime", "the runtime", "runc"),
    Judge.KERNEL: ("kernel", "the kernel"),
    Judge.USERLAND: ("loader", "the loader", "ld.so", "interpreter", "the interpreter", "the loader or interpreter"),
}
"""What learners write for each judge."""


def verdict(recipe: forge.Recipe) -> Verdict:
    """Return what happens to the image of a recipe on the default engine."""
    with api.open(io.BytesIO(recipe.to_bytes())) as archive:
        return archive.image().process().verdict


def _questions() -> list[Question]:
    questions = []
    for file in starters(REPAIR):
        name = file.removesuffix(".json")[3:]
        found = verdict(_recipe(file))
        assert found.judge is not None
        questions += [
            Question(
                f"{name}.judge",
                f"Who refuses {name}.tar: load, engine, runtime, kernel or loader?",
                JUDGES[found.judge],
                f"imagepeel process {name}.tar",
            ),
            Question(
                f"{name}.text",
                "And with which words? A part of what the operator reads is enough.",
                (found.text,),
                f"imagepeel process {name}.tar: the line in the box is what the operator reads",
                inside=8,
            ),
        ]
    return questions


def _recipe(file: str) -> forge.Recipe:
    import json  # start time

    return forge.load(json.loads(starter(f"{REPAIR}/{file}")))


def _prepare(folder: Path) -> None:
    (folder / REPAIR).mkdir()
    for file in starters(REPAIR):
        (folder / REPAIR / file).write_text(starter(f"{REPAIR}/{file}"))
        _recipe(file).write(folder / f"{file.removesuffix('.json')[3:]}.tar")
    (folder / SHEET).write_text(sheet(_questions()))


def _check(folder: Path) -> None:
    check_sheet(folder, _questions())


def _solution(folder: Path) -> dict[str, str]:
    return {SHEET: solved(_questions())}


LEVEL = Level(
    number=7,
    name="break",
    title="Break it",
    idea="Five judges can refuse a start, each with words of its own, and the words name the wrong file.",
    minutes=20,
    paths=(60, 120),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
