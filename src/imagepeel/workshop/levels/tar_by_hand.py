"""Level 1: an image archive is a tar, and a tar is blocks of 512 bytes."""

from __future__ import annotations

from pathlib import Path

from imagepeel import api
from imagepeel.forge.programs import machine
from imagepeel.results.anatomy import anatomy_of_archive
from imagepeel.workshop.images import hello, save
from imagepeel.workshop.level import SHEET, Level, Question, check_sheet, sheet, solved

ARCHIVE = "hello.tar"


def _questions(folder: Path) -> list[Question]:
    with api.open(folder / ARCHIVE) as archive:
        image = archive.image()
        parts = {part.name: part for part in anatomy_of_archive(image).parts}
        manifest, layer = parts["manifest.json"], next(part for name, part in parts.items() if "/layer.tar" in name)
        return [
            Question("members", "How many members has hello.tar?", (str(len(parts)),), "tar -tf hello.tar | wc -l"),
            Question(
                "header",
                "At which byte of hello.tar does the header of manifest.json begin?",
                (str(manifest.offset), f"{manifest.offset:,}"),
                "a name stands at the first byte of its header: grep -abo manifest.json hello.tar",
            ),
            Question(
                "digits",
                "Which digits stand in the size field of that header, at its byte 124?",
                (f"{manifest.content:011o}", f"{manifest.content:o}"),
                "they are octal: tail -c +N hello.tar | head -c 512 | od -A d -c, with N one more than the offset",
            ),
            Question(
                "padding",
                "How many zeros fill up the last block of manifest.json?",
                (str(manifest.padding),),
                "content ends at its size, the next header begins at a multiple of 512",
            ),
            Question(
                "layer",
                "How many bytes does the member have whose name ends in /layer.tar?",
                (str(layer.content), f"{layer.content:,}"),
                "tar -tvf hello.tar",
            ),
        ]


def _prepare(folder: Path) -> None:
    save(hello(machine()), folder / ARCHIVE)
    (folder / SHEET).write_text(sheet(_questions(folder)))


def _check(folder: Path) -> None:
    check_sheet(folder, _questions(folder))


def _solution(folder: Path) -> dict[str, str]:
    return {SHEET: solved(_questions(folder))}


LEVEL = Level(
    number=1,
    name="tar",
    title="It is a tarball",
    idea="An image archive is a tar file: a header of 512 bytes, content, zeros up to the next 512, and again.",
    minutes=10,
    paths=(20, 60, 120),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
