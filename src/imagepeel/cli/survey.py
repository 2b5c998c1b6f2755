"""`imagepeel survey`: the facts of many images as tables, and what they come to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

if TYPE_CHECKING:
    from imagepeel.cli.progress import Progress

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel survey archives/ --out facts/\n"
    "  imagepeel survey registry:localhost:5000 --out facts/\n"
    "  imagepeel survey list.txt --out facts/ --workers 8 --html summary.html\n"
    "  imagepeel survey archives/ --out facts/ --json | jq '.result.starts'\n"
)
_TITLES = {"documents": "opening sources", "layers": "reading layers", "images": "examining images"}


@click.command(epilog=_EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|LIST|SOURCE...", shell_complete=completing.files)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the tables go; a second run goes on there.",
)
@click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes; by default one a processor.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "jsonl"]),
    help="How tables are written; by default Parquet where pyarrow is installed.",
)
@click.option("--strict", is_flag=True, help="Leave with 1 when a source could not be read whole.")
@common.limits
@common.away
@common.output
@documents.forms
@common.settings
def command(
    settings: Settings,
    /,
    *,
    sources: tuple[str, ...],
    out: str,
    workers: int | None,
    form: Literal["parquet", "jsonl"] | None,
    strict: bool,
) -> None:
    """Survey many images: tables of images, layers, files, starts, findings, packages and lineage.

    A folder is walked for archives and layouts; a file of text is a list with one source a line; registry:HOST is each
    tag that a registry lists; anything else is a source itself.  Each distinct layer is read once, whoever ships it.  A
    source that cannot be read is a row with the error in it, and the others are surveyed.  A second run reads what is
    new or has changed, and forgets what is not named any more.  docs/reference/survey.md names each column.
    """
    from imagepeel.fleet.run import survey  # start time
    from imagepeel.limits import DEFAULT, Limits  # start time
    from imagepeel.present.survey import survey_document  # start time

    common.keep_sources(settings, sources)
    shown = _Shown(settings)
    try:
        result = survey(
            sources,
            out=out,
            workers=workers,
            form=form,
            limits=Limits.strict() if settings.limits == "strict" else DEFAULT,
            ca=settings.ca,
            plain_http=settings.plain_http,
            progress=shown.tell,
        )
    finally:
        shown.stop()
    documents.show(settings, "survey", result, survey_document, width=max(settings.width, 100))
    if strict and result.failed:
        raise click.exceptions.Exit(1)


class _Shown:
    """The progress of a survey on a terminal, one line for each of its parts."""

    def __init__(self, settings: Settings) -> None:
        self._colour = settings.colour(sys.stderr)
        self._bar: Progress | None = None
        self._what = ""
        self._done = 0

    def tell(self, what: str, done: int, total: int | None) -> None:
        from imagepeel.cli.progress import Progress  # start time

        if what != self._what or self._bar is None:
            self.stop()
            self._bar = Progress(_TITLES[what], colour=self._colour, count=what != "layers")
            self._what, self._done = what, 0
            if total is not None:
                self._bar.expect(total)
        self._bar.add(done - self._done)
        self._done = done

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
