"""`imagepeel waste`: every byte shipped but unreachable, by cause, adding up exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings
from imagepeel.results.head import image_head

if TYPE_CHECKING:
    from imagepeel.evidence import Receipt

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel waste image.tar\n"
    "  imagepeel waste image.tar --base 2\n"
    "  imagepeel waste image.tar --base 'COPY . .'\n"
    "  imagepeel waste image.tar --json | jq '.result.causes'\n"
)
_MOST = 15


@click.command(epilog=_EXAMPLES)
@common.archive
@common.base
@click.option("--all", "everything", is_flag=True, help="List every wasted file.")
@common.receipts("The commands that bring the largest ones back.")
@common.human_already
@documents.forms
@common.settings
def command(settings: Settings, base: str, everything: bool, receipts: bool) -> None:
    """Account for every byte of the layers: seen, unreachable by cause, and tar headers.

    The causes add up to the layers exactly, in decompressed content and in stored bytes; stored bytes of compressed
    layers are apportioned by content.  Efficiency is the file content that can be seen over the file content that is
    shipped.
    """
    with settings.open() as archive:
        image = settings.filesystem(archive, digests=True)
        waste = image.waste(base=base)
        shown: tuple[Receipt, ...] = ()
        if receipts:
            from imagepeel.receipts.proof import waste_receipts  # start time

            shown = waste_receipts(waste, image)
        from imagepeel.present.waste import waste_document  # start time
        from imagepeel.results.waste import waste_result  # start time

        result = waste_result(image_head(image), waste, 0 if everything or settings.json else _MOST, shown)
        documents.show(settings, "waste", result, waste_document, width=max(settings.width, 100))
        settings.finish(image, rootfs=image.rootfs)
