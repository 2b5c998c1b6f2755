"""`imagepeel images`: everything that an archive holds and what it is."""

from __future__ import annotations

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
    named as what they are; only images become processes.  The number in front chooses an image: --image '#2'.
    """
    from imagepeel.present.images import images_document  # start time
    from imagepeel.results.images import images_result  # start time

    with settings.open() as archive:
        result = images_result(archive)
        settings.quiet()
        documents.show(settings, "images", result, images_document)
        settings.finish_documents(archive)
