"""`imagepeel explain`: the story of an image."""

from __future__ import annotations

import click

from imagepeel.cli import common, stories
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel explain image.tar\n"
    "  imagepeel explain image.tar --receipts\n"
    "  imagepeel explain - < image.tar\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@stories.forms
@common.json
@common.settings
def command(settings: Settings, receipts: bool, html: str | None, markdown: bool) -> None:
    """The story of an image: a tarball, its paperwork, its layers, and the process it becomes.

    Short chapters, plain words first.  Every claim is about this image and comes with its place in the bytes;
    --receipts adds the plain shell commands that show the same thing without imagepeel.
    """
    stories.check_forms(settings, html, markdown)
    with settings.open() as archive:
        image = settings.scanned(archive)
        stories.show(settings, "explain", image.explain(), receipts=receipts, html=html, markdown=markdown)
        settings.finish(image)
