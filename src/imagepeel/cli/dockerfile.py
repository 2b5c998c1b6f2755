"""`imagepeel dockerfile`: the Dockerfile again, as far as the history tells it."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings


@click.command()
@common.archive
@documents.forms
@common.settings
def command(settings: Settings) -> None:
    """The Dockerfile of an image again, each line with its layer, its bytes and how sure we are.

    exact: the builder wrote this text into the history.  likely: quotes or words had to be filled in, or the layer
    holds more than this line made.  unknown: no instruction, or a layer that no step can be named for.

    Sources of COPY and ADD are not in an image, and the stages before the last leave no trace, so the text cannot
    build the image again.
    """
    from imagepeel.present.dockerfile import dockerfile_document  # start time
    from imagepeel.results.dockerfile import dockerfile_result  # start time

    with settings.open() as archive:
        image = settings.filesystem(archive)
        dockerfile = dockerfile_result(image)
        documents.show(settings, "dockerfile", dockerfile, dockerfile_document, others=False)
        settings.finish(image)
