"""Level 10: The Container Operator's Manual, and whether this should run in production."""

from __future__ import annotations

from pathlib import Path

from imagepeel import api, forge
from imagepeel.present.manual.people import OPEN_QUESTIONS
from imagepeel.render.markdown import document_markdown
from imagepeel.workshop.images import save
from imagepeel.workshop.level import SHEET, Level, Question, check_sheet, learned, missing, sheet

ARCHIVE, MANUAL = "shop.tar", "manual.md"
_SHORTEST = 8
"""Characters of an answer that says something."""


class _Own(Question, frozen=True):
    """A question that only the person can answer."""

    def accepts(self, given: str) -> bool:
        return len(given) >= _SHORTEST


def _questions() -> list[Question]:
    """Return what no tarball can answer, and the decision."""
    hint = "write a sentence that your team could act on; 'nobody' and 'we do not know yet' are answers, too"
    decision = "look at chapter 5 of manual.md once more"
    return [
        *(_Own(f"question.{number}", asked, (), hint) for number, asked in enumerate(OPEN_QUESTIONS, 1)),
        _Own("owner", "Who owns this image: who is asked when it fails at night?", (), hint),
        _Own("yes if", "It may run in production if ...", (), hint),
        _Own("no if", "It must not run in production if ...", (), hint),
        Question("answer", "Should this run in production? yes or no", ("no", "yes"), decision),
    ]


def _prepare(folder: Path) -> None:
    save(forge.build("shop"), folder / ARCHIVE)
    with api.open(folder / ARCHIVE) as archive:
        (folder / MANUAL).write_text(document_markdown(archive.image().operators_manual().document()))
    (folder / SHEET).write_text(sheet(_questions()))


def _check(folder: Path) -> None:
    facts = learned(folder, MANUAL, f"imagepeel operate IMAGE --markdown > {MANUAL}").decode("utf-8", "replace")
    if "Should this run in production?" not in facts:
        missing(f"{MANUAL} is not the manual of an image", f"imagepeel operate IMAGE --markdown > {MANUAL}")
    check_sheet(folder, _questions())


def _solution(folder: Path) -> dict[str, str]:
    answers = [
        "One small cluster; nobody pays for it yet.",
        "Two people, and both have seen this workshop.",
        "There is no base image: everything in it is ours.",
        "It is one service of one.",
        "It has no state; orders live in the database.",
        "A service on one virtual machine, a day of work.",
        "the shop team, by the number on the wall",
        "the password is replaced, and there is a health check",
        "the password in layer 4 is still valid",
        "no",
    ]
    return {SHEET: sheet(_questions(), answers)}


LEVEL = Level(
    number=10,
    name="manual",
    title="The operator's manual, for an image that you own",
    idea="Containers have strengths and weaknesses, and need friends and headcount: the tarball answers some of it.",
    minutes=20,
    paths=(60, 120),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
