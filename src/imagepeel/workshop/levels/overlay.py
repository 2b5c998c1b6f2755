"""Level 5: be overlayfs in 60 lines."""

from __future__ import annotations

import sys
from pathlib import Path

from imagepeel.judge.layers import judge_layers
from imagepeel.workshop.level import Level, learned, missing
from imagepeel.workshop.resources import starter

PROGRAM = "overlay.py"


def _prepare(folder: Path) -> None:
    (folder / PROGRAM).write_text(starter("overlay_start.py.txt"))


def _check(folder: Path) -> None:
    written = learned(folder, PROGRAM, f"take {PROGRAM} out of the course again").decode("utf-8", "replace")
    if "imagepeel" in written:
        missing(f"{PROGRAM} asks imagepeel", "the merge is yours: tarfile and os are enough")
    path = str((folder / PROGRAM).resolve())
    for case in judge_layers([sys.executable, path, "{layout}", "{tag}", "{dir}"]).cases:
        if case.held != "holds":
            found = [f"brings back {name}" for name in case.resurrects] + [f"loses {name}" for name in case.loses]
            found += [f"changes {change}" for change in case.changes]
            told = "; ".join(found[:3]) or case.said or case.held
            missing(f"case {case.name}: {told}", f"{case.rule} ({case.source})")


def _solution(folder: Path) -> dict[str, str]:
    return {PROGRAM: starter("overlay.py.txt")}


LEVEL = Level(
    number=5,
    name="overlay",
    title="Be overlayfs in 60 lines",
    idea="Layers are merged by name: what is above wins, and a file called .wh.NAME takes NAME away.",
    minutes=25,
    paths=(120,),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
