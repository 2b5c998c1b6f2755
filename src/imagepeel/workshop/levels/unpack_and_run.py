"""Level 2: the layer is unpacked, and a file of it is started."""

from __future__ import annotations

from pathlib import Path

from imagepeel import api
from imagepeel.forge.programs import machine
from imagepeel.workshop.images import save, tell
from imagepeel.workshop.level import Level, learned, missing
from imagepeel.workshop.resources import starter

ARCHIVE = "tell.tar"
PROGRAM = "bin/tell"
RECORDED = ("plain.txt", "pid1.txt", "second.txt", "arm64-plain.txt", "arm64-pid1.txt")
ADDED = frozenset(("PWD",))
"""Variables that a starter of this level adds by itself: bubblewrap."""


def _prepare(folder: Path) -> None:
    here = machine()
    save(tell(here), folder / ARCHIVE)
    (folder / "recorded").mkdir()
    for name in RECORDED:
        (folder / "recorded" / name).write_text(starter(f"recorded-{name}"))


def _told(folder: Path, name: str, hint: str) -> dict[str, list[str]]:
    """Return what a start of the program said, by key."""
    said: dict[str, list[str]] = {}
    for line in learned(folder, name, hint).decode("utf-8", "replace").splitlines():
        key, found, value = line.partition("=")
        if found:
            said.setdefault(key, []).append(value)
    if "pid" not in said or "argv" not in said:
        missing(f"{name} is not what /bin/tell says", f"send its output there: ... > {name}")
    return said


def _check(folder: Path) -> None:
    with api.open(folder / ARCHIVE) as archive:
        image = archive.image()
        program = (image.rootfs / f"/{PROGRAM}").read_bytes()
        given = list(image.config.env)
        known = ADDED.union(image.process().environment)
    unpacked = folder / "box" / PROGRAM
    if not unpacked.is_file():
        missing(f"box/{PROGRAM} is not there", "unpack layer.tar with: tar -x -C box")
    if unpacked.read_bytes() != program:
        missing(f"box/{PROGRAM} is not the file of the image", "unpack layer.tar once more, into an empty box")
    plain = _told(folder, "plain.txt", "start it as any other program: ./box/bin/tell > plain.txt")
    if plain["pid"] == ["1"]:
        missing("plain.txt tells of a process 1", "start ./box/bin/tell from your shell, without walls")
    for name in ("pid1.txt", "second.txt"):
        walled = _told(folder, name, "see step 3 of the page")
        if walled["pid"] != ["1"]:
            missing(f"the process of {name} has the number {walled['pid'][0]}, not 1", "it needs a pid namespace")
        variables = walled.get("env", [])
        foreign = [one for one in variables if one.partition("=")[0] not in known]
        if foreign:
            name_of = foreign[0].partition("=")[0]
            missing(f"the process of {name} has {name_of} from your shell", "only what the image says: see env -i")
        lost = [one for one in given if one not in variables]
        if lost:
            missing(f"the process of {name} lacks {lost[0]}", "the config of the image says it: imagepeel process")
    listed = learned(folder, "again.txt", "ls box > again.txt, after unpacking it again").decode("utf-8", "replace")
    names = listed.split()
    if "bin" not in names:
        missing("again.txt is not a listing of box", "ls box > again.txt")
    if "note" in names:
        missing("again.txt still has the note", "remove the box whole and unpack the layer again")


def _solution(folder: Path) -> dict[str, str]:
    return {"solution.sh": starter("unpack_and_run.sh")}


LEVEL = Level(
    number=2,
    name="run",
    title="Unpack it, run it, see PID 1",
    idea="A container is the same file started as a process, with walls around it.",
    minutes=10,
    paths=(20, 60, 120),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
