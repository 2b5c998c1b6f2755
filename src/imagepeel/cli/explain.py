"""`imagepeel explain`: the story of an image."""

from __future__ import annotations

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel explain image.tar\n"
    "  imagepeel explain image.tar --receipts\n"
    "  imagepeel explain image.tar --brief\n"
    "  imagepeel explain image.tar --chapter layers,5\n"
    "  imagepeel explain - < image.tar\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.option("--brief", is_flag=True, help="Only the headline: what it is, what it becomes, how much surprises.")
@click.option(
    "--chapter",
    "chapters",
    multiple=True,
    metavar="N",
    shell_complete=completing.chapters,
    help="Only this chapter, by number or name: 3,5 or layers, or repeated.",
)
@common.receipts()
@documents.forms
@common.settings
def command(settings: Settings, brief: bool, chapters: tuple[str, ...], receipts: bool) -> None:
    """The story of an image: a tarball, its paperwork, its layers, and the process it becomes.

    Short chapters, plain words first.  Every claim is about this image and comes with its place in the bytes;
    --receipts adds the plain shell commands that show the same thing without imagepeel.
    """
    if brief and chapters:
        raise click.UsageError("choose one of --brief and --chapter")
    wanted = [name for given in chapters for name in given.split(",")] if chapters else [] if brief else None
    with settings.open() as archive:
        image = settings.scanned(archive)
        documents.show_story(settings, "explain", image.explain(wanted), receipts=receipts)
        settings.finish(image)
