"""Level 9: engines disagree about the same tar."""

from __future__ import annotations

from pathlib import Path

from imagepeel import api, forge
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.workshop.images import save
from imagepeel.workshop.level import SHEET, Level, Question, check_sheet, sheet, solved

LINK, OLD = "linkshadow.tar", "resurrect.tar"


def _names(path: Path, view: ViewName, directory: str) -> str:
    with api.open(path) as archive:
        rootfs = archive.image().view(view)
        return " ".join(sorted(path.name for path in (rootfs / directory).iterdir()))


def _questions(folder: Path) -> list[Question]:
    def listed(archive: str, view: ViewName, directory: str) -> str:
        return _names(folder / archive, view, directory)

    return [
        Question(
            "link.overlay",
            f"{LINK}: which names are in /bin where layers are laid over each other (Docker, containerd)?",
            (listed(LINK, "runtime", "/bin"),),
            f"imagepeel ls {LINK} /bin",
        ),
        Question(
            "link.sequential",
            f"{LINK}: and where they are unpacked one onto the other (engines without overlayfs)?",
            (listed(LINK, "sequential", "/bin"),),
            f"imagepeel ls {LINK} /bin --view sequential",
        ),
        Question(
            "old.overlay",
            f"{OLD}: which names are in /data where layers are laid over each other?",
            (listed(OLD, "runtime", "/data"),),
            f"imagepeel ls {OLD} /data",
        ),
        Question(
            "old.sequential",
            f"{OLD}: and where they are unpacked one onto the other?",
            (listed(OLD, "sequential", "/data"),),
            f"imagepeel ls {OLD} /data --view sequential",
        ),
    ]


def _prepare(folder: Path) -> None:
    for name in (LINK, OLD):
        save(forge.build(name.removesuffix(".tar")), folder / name)
    (folder / SHEET).write_text(sheet(_questions(folder)))


def _check(folder: Path) -> None:
    check_sheet(folder, _questions(folder))


def _solution(folder: Path) -> dict[str, str]:
    return {SHEET: solved(_questions(folder))}


LEVEL = Level(
    number=9,
    name="engines",
    title="Engines disagree",
    idea="One tar has several filesystems: which one you get depends on how an engine unpacks.",
    minutes=10,
    paths=(120,),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
