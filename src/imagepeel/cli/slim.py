"""`imagepeel slim`: what to do so that nothing is shipped in vain, and what each step saves."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings
from imagepeel.results.head import image_head

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel slim image.tar\n"
    "  imagepeel slim image.tar --base 2\n"
    "  imagepeel slim image.tar --json | jq '.result.steps[].dockerfile'\n"
)
_MOST = 5


@click.command(epilog=_EXAMPLES)
@common.archive
@common.base
@click.option("--all", "everything", is_flag=True, help="Show every step.")
@common.human_already
@documents.forms
@common.settings
def command(settings: Settings, base: str, everything: bool) -> None:
    """Plan how to make the image smaller: independent steps, the largest saving first, with Dockerfile lines.

    Each byte is counted once, and the steps add up to what `imagepeel waste` says: files that nothing can read any
    more, leftovers of building, and files equal to another one.  Stored bytes of compressed layers are apportioned by
    content.  Nothing is changed.
    """
    with settings.open() as archive:
        image = settings.filesystem(archive, digests=True)
        from imagepeel.present.slim import slim_document  # start time
        from imagepeel.results.slim import slim_result  # start time

        result = slim_result(image_head(image), image.slim(base=base))
        most = 0 if everything or settings.json else _MOST
        documents.show(settings, "slim", result, lambda found: slim_document(found, most=most))
        settings.finish(image, rootfs=image.rootfs)
