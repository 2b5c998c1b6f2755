"""`imagepeel packages`: what dpkg, apk, rpm, pip and npm installed, with layer and bytes."""

from __future__ import annotations

from functools import partial

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel packages image.tar\n"
    "  imagepeel packages image.tar --layer L3\n"
    "  imagepeel packages image.tar --json | jq -r '.result.packages[].purl'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@common.layer
@click.option("--all", "everything", is_flag=True, help="List every package and every file that none claims.")
@common.human_already
@documents.forms
@common.settings
def command(settings: Settings, layer: int | None, everything: bool) -> None:
    """List the packages: which step brought each, how large it is, and what belongs to none.

    The databases of dpkg, apk, rpm, pip and npm are read in every layer, so packages that a later layer removed are
    there too, with the bytes that are still shipped.  Nothing is executed, and nothing is said of vulnerabilities.
    """
    with settings.open(tables=True) as archive:
        image = settings.filesystem(archive)
        from imagepeel.present.packages import packages_document  # start time
        from imagepeel.results.packages import packages_result  # start time

        result = packages_result(image, layer)
        present = partial(packages_document, every=everything)
        documents.show(settings, "packages", result, present, width=max(settings.width, 100))
        settings.finish(image, rootfs=image.rootfs)
