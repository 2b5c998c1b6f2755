"""`imagepeel images`: everything that an archive holds and what it is."""

from __future__ import annotations

from contextlib import suppress

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings


@click.command(epilog="\b\nExamples:\n  imagepeel images image.tar")
@common.archive
@common.human_already
@documents.forms
@common.settings
def command(settings: Settings) -> None:
    """What the archive holds: every image, attestation and artifact.

    No layer is read for this.  Attestations, signatures, charts and other artifacts are stored like images and are
    named as what they are; only images become processes.  The number in front chooses an image: --image '#2'.  Of an
    index in a registry the list alone is read; --image or --platform reads the manifest of that image, too.
    """
    from imagepeel.errors import Ambiguous  # start time
    from imagepeel.present.images import images_document  # start time
    from imagepeel.results.images import images_result  # start time

    with settings.open() as archive:
        if settings.reference or settings.platform:
            with suppress(Ambiguous):  # the list shows them all
                archive.read_now(archive.image(settings.reference, platform=settings.platform).record)
        result = images_result(archive)
        settings.quiet()
        documents.show(settings, "images", result, images_document)
        settings.finish_documents(archive)
