"""The course: its levels in order, and the folder that holds everything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from imagepeel import api
from imagepeel.archive.source import MemorySource
from imagepeel.errors import UsageError
from imagepeel.export.whole_file import writing
from imagepeel.render.html import document_slides
from imagepeel.workshop.level import Level
from imagepeel.workshop.levels import (
    broken,
    digests,
    engines,
    header,
    manual,
    not_gone,
    overlay,
    runtime,
    tar_by_hand,
    unpack_and_run,
)
from imagepeel.workshop.resources import page

LEVELS: tuple[Level, ...] = (
    tar_by_hand.LEVEL,
    unpack_and_run.LEVEL,
    header.LEVEL,
    digests.LEVEL,
    overlay.LEVEL,
    runtime.LEVEL,
    broken.LEVEL,
    not_gone.LEVEL,
    engines.LEVEL,
    manual.LEVEL,
)
PATHS = (20, 60, 120)
"""The courses by their minutes."""

SPLIT = "<!-- teacher -->"
"""What divides a page from the notes for the teacher."""


def level(number: int) -> Level:
    """Return a level by its number from 1.  UsageError when there is none."""
    if not 1 <= number <= len(LEVELS):
        raise UsageError(f"there is no level {number}", hint=f"the course has levels 1 to {len(LEVELS)}")
    return LEVELS[number - 1]


def level_folder(course: Path, wanted: Level) -> Path:
    """Return where a level lies: below the folder of the course, or in a folder of a level itself.

    UsageError when neither has it.
    """
    for place in (course / wanted.folder, course, course.parent / wanted.folder):
        if place.name == wanted.folder and place.is_dir():
            return place
    if course.resolve().name == wanted.folder:
        return course
    raise UsageError(
        f"{course} has no folder {wanted.folder}",
        hint="name the folder of the course with --dir, or make one: imagepeel workshop DIR",
    )


def write_course(folder: str | os.PathLike[str]) -> Path:
    """Write the whole course into a folder, which must be absent or empty; it appears when it is whole.

    UsageError where the folder is not empty or cannot be written.
    """
    place = Path(folder)
    if place.is_dir() and any(place.iterdir()):
        raise UsageError(f"{place} is not empty", hint="name a folder that does not exist yet")
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is no folder", hint="name a folder that does not exist yet")
    made = place.parent / f".workshop-{os.urandom(8).hex()}"
    try:
        with writing(str(place)):
            place.parent.mkdir(parents=True, exist_ok=True)
            made.mkdir(0o700)
            _fill(made)
            made.chmod(0o755)
            if place.is_dir():
                place.rmdir()
            made.rename(place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return place


def _fill(top: Path) -> None:
    (top / "README.md").write_text(_start())
    for name in ("solutions", "teacher"):
        (top / name).mkdir()
    (top / "teacher" / "README.md").write_text(_with_plans(page("teacher")))
    for one in LEVELS:
        folder, solution = top / one.folder, top / "solutions" / one.folder
        folder.mkdir()
        one.prepare(folder)
        task, notes = page(one.folder).split(SPLIT)
        title = f"# Level {one.number}: {one.title}\n\n*{one.idea}*\n\n"
        after = f"Done? `imagepeel workshop check {one.number}`, and with `--hint` it helps.\n"
        (folder / "README.md").write_text(title + task.strip() + "\n\n" + after)
        solution.mkdir()
        for name, text in one.solution(folder).items():
            (solution / name).write_text(text)
        told = f"# Level {one.number}: {one.title}\n\n{one.minutes} minutes. *{one.idea}*\n\n"
        answers = f"\n\nThe solution is in `../solutions/{one.folder}/`.\n"
        (top / "teacher" / f"{one.folder}.md").write_text(told + notes.strip() + answers)
    # Its commands are typed in the folder of the course, wherever that will be.
    name = f"{not_gone.LEVEL.folder}/{not_gone.ARCHIVE}"
    with api.open(MemorySource((top / name).read_bytes(), name)) as archive:
        (top / "slides.html").write_text(document_slides(archive.image().explain().document()))


def _start() -> str:
    return _with_plans(page("start"))


def _with_plans(text: str) -> str:
    return text.replace("{plans}", "\n".join(map(_plan, PATHS)))


def _plan(minutes: int) -> str:
    chosen = [one for one in LEVELS if minutes in one.paths]
    return f"- **{minutes} minutes**: {_listed(chosen)}."


def _listed(chosen: Sequence[Level]) -> str:
    return ", ".join(f"level {one.number} ({one.title[0].lower()}{one.title[1:]})" for one in chosen)
