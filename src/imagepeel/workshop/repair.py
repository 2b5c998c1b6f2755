"""The repair round: recipes of images that do not start, one after the other, until all of them do.

Which are done is read off the recipes themselves: nothing else has to be kept.
"""

from __future__ import annotations

import io
from pathlib import Path

import msgspec

from imagepeel import api, forge
from imagepeel.errors import ImagepeelError, UsageError
from imagepeel.process.spec.failure import Outcome
from imagepeel.workshop.level import MOST_BYTES
from imagepeel.workshop.levels import broken

FOLDER = broken.REPAIR


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One image to repair: `text` is what the operator reads, `why` the reason, `way` what helps; "" once it runs."""

    path: Path
    runs: bool
    text: str = ""
    why: str = ""
    way: str = ""


def repair_folder(place: Path) -> Path:
    """Return the folder of recipes: the place itself, or that of level 7 of a course.  UsageError for none."""
    for folder in (
        place,
        place / FOLDER,
        place / broken.LEVEL.folder / FOLDER,
        place.parent / broken.LEVEL.folder / FOLDER,
    ):
        if any(folder.glob("*.json")):
            return folder
    raise UsageError(
        f"{place} has no recipes to repair", hint="name the folder of the course, or make one: imagepeel workshop DIR"
    )


def tasks(folder: Path) -> list[Task]:
    """Return all recipes by name, each with what happens to its image on the default engine."""
    return [_task(path) for path in sorted(folder.glob("*.json"))]


def _task(path: Path) -> Task:
    try:
        if path.stat().st_size > MOST_BYTES:
            return Task(path=path, runs=False, why="the recipe is longer than a megabyte")
        with api.open(io.BytesIO(forge.load(path).to_bytes())) as archive:
            verdict = archive.image().process().verdict
    except OSError as error:
        return Task(path=path, runs=False, why=f"the recipe cannot be read: {error.strerror}")
    except ImagepeelError as error:
        return Task(path=path, runs=False, why=str(error), way=error.hint)
    if verdict.kind is Outcome.RUNS:
        return Task(path=path, runs=True)
    return Task(path=path, runs=False, text=verdict.text, why=verdict.why or verdict.reason, way=verdict.fix)
