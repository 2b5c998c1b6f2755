"""`imagepeel explain`: the story of an image."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel explain image.tar\n"
    "  imagepeel explain image.tar --receipts\n"
    "  imagepeel explain - < image.tar\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@common.receipts()
@documents.forms
@common.settings
def command(settings: Settings, receipts: bool) -> None:
    """The story of an image: a tarball, its paperwork, its layers, and the process it becomes.

    Short chapters, plain words first.  Every claim is about this image and comes with its place in the bytes;
    --receipts adds the plain shell commands that show the same thing without imagepeel.
    """
    with settings.open() as archive:
        image = settings.scanned(archive)
        documents.show_story(settings, "explain", image.explain(), receipts=receipts)
        settings.finish(image)
