"""`imagepeel workshop`: a course in a folder, and the checker that goes with it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.errors import ANSWER_IS_NO
from imagepeel.export.whole_file import replacing
from imagepeel.receipts.quoting import file_word
from imagepeel.render.escape import terminal

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel workshop course\n"
    "  cd course && imagepeel workshop check 1 --hint\n"
    "  imagepeel workshop watch\n"
    "  imagepeel workshop slides image.tar slides.html\n"
)
_PAUSE = 0.5
"""Seconds between two looks at a recipe."""


@click.command(epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="DIR | check [LEVEL] | watch [DIR] | slides ARCHIVE FILE")
@click.option("--dir", "folder", metavar="DIR", type=click.Path(file_okay=False), help="Where the course is.")
@click.option("--hint", is_flag=True, help="With check: say what helps.")
@click.option("--once", is_flag=True, help="With watch: look once; exit code 1 until all images start.")
@click.option("--slides", metavar="FILE", type=click.Path(), help="Write only the slides of the course.")
@click.option("--ready", is_flag=True, help="Say whether this laptop is ready for the course.")
@common.output
@common.settings
def command(
    settings: Settings,
    *,
    words: tuple[str, ...],
    folder: str | None,
    hint: bool,
    once: bool,
    slides: str | None,
    ready: bool,
) -> None:
    """Write a course into DIR: ten levels from the tarball to the process, without Docker and without network.

    Everything is in the folder: pages, images, exercises, solutions, notes for the teacher and slides.  `check` says of
    one level, or of all, whether it holds, with exit code 1 until it does.  `watch` goes through the images of level 7
    that do not start, one at a time, and looks again whenever one was edited.  `slides` writes the story of any image
    as slides.  --ready exits with 1 when something is missing that the course cannot do without.
    """
    place = Path(folder) if folder is not None else Path()
    if ready:
        if words:
            raise click.UsageError("--ready takes no other word")
        _ready()
    elif slides is not None:
        if words:
            raise click.UsageError("--slides takes no other word; slides ARCHIVE FILE is for an image of yours")
        _course_slides(slides)
    elif words[:1] == ("check",) and len(words) <= 2:
        _check(place, words[1:], hint=hint)
    elif words[:1] == ("watch",) and len(words) <= 2:
        _watch(Path(words[1]) if words[1:] else place, once=once)
    elif words[:1] == ("slides",):
        if len(words) != 3:
            raise click.UsageError("slides takes ARCHIVE and FILE")
        settings.archive = words[1]
        settings.keep_archive(words[2])
        with settings.open() as archive:
            image = settings.filesystem(archive, digests=True)
            _write_slides(words[2], image.explain())
            settings.finish(image)
    elif len(words) == 1:
        _write(words[0])
    else:
        raise click.UsageError("give DIR, or one of check, watch and slides")


def _write(folder: str) -> None:
    from imagepeel.workshop.course import LEVELS, PATHS, write_course  # start time

    write_course(folder)
    click.echo(f"{terminal(folder)}: {len(LEVELS)} levels; begin with {terminal(folder)}/README.md")
    for minutes in PATHS:
        numbers = ", ".join(str(one.number) for one in LEVELS if minutes in one.paths)
        click.echo(f"  {minutes:>3} minutes: levels {numbers}")
    click.echo(f"next: cd {file_word(folder)}/{LEVELS[0].folder} && cat README.md")


def _check(place: Path, words: tuple[str, ...], *, hint: bool) -> None:
    from imagepeel.workshop.course import LEVELS, level, level_folder  # start time
    from imagepeel.workshop.level import Missing  # start time

    if words and not words[0].isdecimal():
        raise click.UsageError(f"a level is a number from 1 to {len(LEVELS)}, not {words[0]!r}")
    chosen = [level(int(words[0]))] if words else list(LEVELS)
    open_levels = 0
    for one in chosen:
        try:
            one.check(level_folder(place, one))
        except Missing as error:
            open_levels += 1
            click.echo(f"level {one.number}  not yet  {terminal(error.what)}")
            if hint:
                click.echo(f"{'':<8} hint     {terminal(error.hint)}")
        else:
            click.echo(f"level {one.number}  holds    {terminal(one.title)}")
    if open_levels:
        if not hint:
            click.echo("--hint says what helps")
        click.get_current_context().exit(ANSWER_IS_NO)
    if words and chosen[0].number < len(LEVELS):
        click.echo(f"next: {LEVELS[chosen[0].number].folder}")


def _watch(place: Path, *, once: bool) -> None:
    from imagepeel.workshop.repair import Task, repair_folder, tasks  # start time

    folder = repair_folder(place)
    said: Task | None = None
    done = -1
    while True:
        found = tasks(folder)
        current = next((task for task in found if not task.runs), None)
        if done not in (-1, sum(task.runs for task in found)):
            click.echo("")
        done = sum(task.runs for task in found)
        if current is None:
            click.echo(f"{done} of {len(found)} images start: all of them.")
            return
        if current != said:
            said = current
            click.echo(f"{done} of {len(found)} images start. Next: {terminal(str(current.path))}")
            for label, text in (("reads", current.text), ("why", current.why), ("way", current.way)):
                if text:
                    click.echo(f"  {label:<6} {terminal(text)}")
            if not once:
                click.echo("  edit it and save it (Ctrl-C ends; what is repaired stays repaired)")
        if once:
            click.get_current_context().exit(ANSWER_IS_NO)
        time.sleep(_PAUSE)


def _course_slides(path: str) -> None:
    import io  # start time

    from imagepeel import api, forge  # start time
    from imagepeel.workshop.levels.not_gone import ARCHIVE  # start time

    data = forge.to_bytes([forge.build(ARCHIVE.removesuffix(".tar"))])
    with api.open(io.BytesIO(data)) as archive:
        _write_slides(path, archive.image().explain())


def _write_slides(path: str, story: object) -> None:
    from imagepeel.present.document import Story  # start time
    from imagepeel.render.html import document_slides  # start time

    assert isinstance(story, Story)
    with replacing(path) as file:
        file.write(document_slides(story.document()).encode("utf-8", "surrogateescape"))


def _ready() -> None:
    from imagepeel.workshop.ready import ready  # start time

    lacking = 0
    for one in ready():
        word = "yes" if one.there else "NO" if one.needed else "no"
        lacking += not one.there and one.needed
        click.echo(f"{word:<4} {one.what}: {one.used}")
    click.echo("this laptop is ready" if not lacking else "this laptop is not ready")
    if lacking:
        click.get_current_context().exit(ANSWER_IS_NO)
