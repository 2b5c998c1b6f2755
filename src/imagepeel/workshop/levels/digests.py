"""Level 4: the learner builds an image with tar, sha256sum and an editor."""

from __future__ import annotations

from pathlib import Path

from imagepeel import api
from imagepeel.errors import ImagepeelError
from imagepeel.forge.programs import machine
from imagepeel.process.spec.failure import Outcome
from imagepeel.workshop.images import hello
from imagepeel.workshop.level import Level, missing
from imagepeel.workshop.resources import starter

ARCHIVE = "image.tar"


def _prepare(folder: Path) -> None:
    """Nothing: the layer comes from level 3."""


def _check(folder: Path) -> None:
    path = folder / ARCHIVE
    if not path.is_file():
        missing(f"there is no file {ARCHIVE}", "tar -cf image.tar manifest.json config.json layer.tar")
    program = hello(machine()).layers[0].entries[0].data
    try:
        with api.open(path) as archive:
            image = archive.image()
            image.scan()
            for anomaly in (*archive.anomalies, *image.anomalies):
                missing(f"{ARCHIVE} is odd: {anomaly.message}", "imagepeel explain image.tar says where")
            if not image.names:
                missing("the image has no name", 'RepoTags in manifest.json: ["mine:1"]')
            if not any(node.is_file and image.rootfs.read(node) == program for _, node in image.rootfs.walk("/")):
                missing("no file of the image is the program hello", "its layer is mine.tar of level 3")
            verdict = image.process().verdict
            if verdict.kind is not Outcome.RUNS:
                missing(f"it does not start: {verdict.message}", 'Entrypoint of the config: ["/hello"]')
    except ImagepeelError as error:
        missing(f"{ARCHIVE} cannot be read: {error}", error.hint or "imagepeel explain image.tar")


def _solution(folder: Path) -> dict[str, str]:
    return {"solution.sh": starter("digests.sh").replace("ARCHITECTURE", machine())}


LEVEL = Level(
    number=4,
    name="digests",
    title="Build an image with tar, sha256sum and an editor",
    idea="The paperwork is two JSON files, and digests hold it all together.",
    minutes=15,
    paths=(120,),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
