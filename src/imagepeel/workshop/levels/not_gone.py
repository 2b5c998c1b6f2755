"""Level 8: what a later layer deletes is still shipped."""

from __future__ import annotations

from pathlib import Path

from imagepeel import api, forge
from imagepeel.errors import ImagepeelError
from imagepeel.process.spec.failure import Outcome
from imagepeel.workshop.images import save
from imagepeel.workshop.level import SHEET, Level, Question, check_sheet, missing, sheet, solved
from imagepeel.workshop.resources import starter

ARCHIVE, FIXED, RECIPE = "shop.tar", "fixed.tar", "recipe.json"
SECRET, KEY = "/srv/shop/.env", "SHOP_DB_PASSWORD="


def _questions(folder: Path) -> list[Question]:
    with api.open(folder / ARCHIVE) as archive:
        image = archive.image()
        events = [event for life in image.trace(SECRET).lives for event in life.events]
        added, removed = events[0], events[-1]
        layer = image.layers[added.layer]
        entry = next(entry for entry in layer.entries if entry.path == SECRET.encode())
        with layer.open(entry) as file:
            text = file.read().decode()
        password = next(line.removeprefix(KEY) for line in text.splitlines() if line.startswith(KEY))
        unseen = image.waste().unreachable
    came, went = added.label, removed.label
    return [
        Question("added", f"Which layer brought {SECRET}?", (came, came[1:]), f"imagepeel trace shop.tar {SECRET}"),
        Question("removed", "Which layer removed it?", (went, went[1:]), f"imagepeel trace shop.tar {SECRET}"),
        Question(
            "password",
            f"What is the value of {KEY[:-1]}?",
            (password,),
            f"imagepeel cat shop.tar {SECRET} --layer {came[1:]}; or: the layer.tar of that step is a tar",
        ),
        Question(
            "unreachable",
            "How many bytes of files does the archive ship that no process will ever see?",
            (str(unseen), f"{unseen:,}"),
            "imagepeel waste shop.tar: unreachable",
        ),
    ]


def _prepare(folder: Path) -> None:
    save(forge.build("shop"), folder / ARCHIVE)
    (folder / RECIPE).write_text(starter("not_gone.json"))
    (folder / SHEET).write_text(sheet(_questions(folder)))


def _check(folder: Path) -> None:
    check_sheet(folder, _questions(folder))
    path = folder / FIXED
    if not path.is_file():
        missing(f"there is no file {FIXED}", f"edit {RECIPE}, then: imagepeel forge --from {RECIPE} {FIXED}")
    try:
        with api.open(path) as archive:
            image = archive.image()
            for layer in image.layers:
                if any(entry.name == b".env" for entry in layer.entries):
                    missing(f"{FIXED} still ships a .env, in {layer.label}", "what a layer brings stays")
            if not (image.rootfs / "/srv/app").is_file():
                missing(f"{FIXED} has lost /srv/app", "only the secret has to go")
            verdict = image.process().verdict
            if verdict.kind is not Outcome.RUNS:
                missing(f"{FIXED} does not start: {verdict.message}", "imagepeel process fixed.tar")
    except ImagepeelError as error:
        missing(f"{FIXED} cannot be read: {error}", error.hint or f"imagepeel explain {FIXED}")


def _solution(folder: Path) -> dict[str, str]:
    return {
        SHEET: solved(_questions(folder)),
        RECIPE: starter("not_gone_fixed.json"),
        "solution.sh": f"imagepeel forge --from {RECIPE} {FIXED} --force\n",
    }


LEVEL = Level(
    number=8,
    name="deleted",
    title="Deleted is not gone",
    idea="A whiteout hides a path; the tar below it still has the bytes, and everybody who can pull can read them.",
    minutes=10,
    paths=(60, 120),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
