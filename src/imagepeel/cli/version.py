"""`imagepeel version`: what a bug report needs."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings


@click.command()
@common.output
@documents.forms
@common.settings
def command(settings: Settings) -> None:
    """Show the versions that a bug report needs."""
    from imagepeel.interop.magic_label import libmagic  # start time
    from imagepeel.present.version import version_document  # start time
    from imagepeel.results.version import version_result  # start time

    documents.show(settings, "version", version_result(libmagic=libmagic() is not None), version_document)
