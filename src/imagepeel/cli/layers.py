"""`imagepeel layers`: one row a layer."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings
from imagepeel.results.layers import layers_result

_EXAMPLES = (
    "\b\nExamples:\n  imagepeel layers image.tar\n  imagepeel layers image.tar --json | jq '.result.layers[].digest'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@common.human_already
@documents.forms
@common.settings
def command(settings: Settings) -> None:
    """One row a layer: what made it, how big it is, what it changed.

    Base first.  Sizes are stored and decompressed bytes; +added ~changed -removed count paths against the layers
    below, as containerd and overlayfs see them.  ok means that every digest and size that is stated was computed
    from the bytes and fits.
    """
    from imagepeel.present.layers import layers_document  # start time

    with settings.open() as archive:
        image = settings.scanned(archive)
        documents.show(settings, "layers", layers_result(image), layers_document)
        settings.finish(image)
