"""Level 6: be the runtime, and find the process."""

from __future__ import annotations

import sys
from pathlib import Path

from imagepeel.judge.starts import judge_starts
from imagepeel.workshop.level import Level, learned, missing
from imagepeel.workshop.resources import starter

PROGRAM = "runtime.py"


def _prepare(folder: Path) -> None:
    (folder / PROGRAM).write_text(starter("runtime_start.py.txt"))


def _check(folder: Path) -> None:
    written = learned(folder, PROGRAM, f"take {PROGRAM} out of the course again").decode("utf-8", "replace")
    for other in ("runc", "crun", "imagepeel"):
        if other in written:
            missing(f"{PROGRAM} asks {other}", "chroot and execve are enough")
    path = str((folder / PROGRAM).resolve())
    for case in judge_starts([sys.executable, path, "{bundle}"]).cases:
        if case.held != "holds":
            missing(
                f"case {case.name}: {'; '.join(case.changes) or case.said or case.held}", f"{case.rule} ({case.source})"
            )


def _solution(folder: Path) -> dict[str, str]:
    return {PROGRAM: starter("runtime.py.txt")}


LEVEL = Level(
    number=6,
    name="runtime",
    title="Be the runtime: find the process",
    idea="Starting a container ends in one system call: execve(path, argv, envp), in another root.",
    minutes=20,
    paths=(120,),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
