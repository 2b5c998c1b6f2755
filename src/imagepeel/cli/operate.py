"""`imagepeel operate`: The Container Operator's Manual for an image."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel operate image.tar\n"
    "  imagepeel operate image.tar --html manual.html\n"
    "  imagepeel operate image.tar --markdown > OPERATING.md\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@common.receipts()
@documents.forms
@common.settings
def command(settings: Settings, receipts: bool) -> None:
    """The Container Operator's Manual for an image: strengths, weaknesses, friends, headcount, and production.

    Each answer is yes, no, depends or unknown, with the facts that prove it; nothing is scored and nothing guessed.
    What no tarball can answer stands at the end as questions.
    """
    with settings.open() as archive:
        image = settings.filesystem(archive, digests=True)
        documents.show_story(settings, "operate", image.operators_manual(), receipts=receipts)
        settings.finish(image)
