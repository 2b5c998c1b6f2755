"""`imagepeel lineage`: which image stands on which, without a survey."""

from __future__ import annotations

import sys

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n  imagepeel lineage archives/\n  imagepeel lineage base.tar app.tar --json | jq '.result.nodes'\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|LIST|SOURCE...", shell_complete=completing.files)
@click.option("--strict", is_flag=True, help="Leave with 1 when the documents of a source could not be read.")
@common.limits
@common.away
@common.output
@documents.forms
@common.settings
def command(settings: Settings, sources: tuple[str, ...], strict: bool) -> None:
    """Draw the forest of bases: which image begins with the layers of which other one.

    Documents are read, and no layer: two images share a base where the DiffIDs that their configs state begin alike.
    A stack that several images begin with is drawn as well where none of them is it.  Images with a layer whose
    DiffID no document states, and sources that cannot be read, are named.
    """
    from imagepeel.cli.progress import Progress  # start time
    from imagepeel.fleet.lineage import lineage  # start time
    from imagepeel.limits import DEFAULT, Limits  # start time
    from imagepeel.present.lineage import lineage_document  # start time

    common.keep_sources(settings, sources)
    with Progress("opening sources", colour=settings.colour(sys.stderr), count=True) as progress:
        limits = Limits.strict() if settings.limits == "strict" else DEFAULT
        result = lineage(sources, limits=limits, ca=settings.ca, plain_http=settings.plain_http, progress=progress.add)
    documents.show(settings, "lineage", result, lineage_document, width=max(settings.width, 100))
    if strict and result.failed:
        raise click.exceptions.Exit(1)
