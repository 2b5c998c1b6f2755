"""`imagepeel report`: one page to pass around."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError

if TYPE_CHECKING:
    from imagepeel.present.document import Document
    from imagepeel.verbs import Image

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel report image.tar -o report.html\n"
    "  imagepeel report before.tar after.tar -o compared.html\n"
    "  imagepeel report image.tar --json | jq '.result.starts[].verdict.kind'\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument("archives", metavar="ARCHIVE [ARCHIVE]", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "-o", "--output", "out", metavar="FILE", shell_complete=completing.files, help="Where the page goes, - for stdout."
)
@common.opening
@common.json
@common.settings
def command(settings: Settings, archives: tuple[str, ...], out: str | None) -> None:
    """One HTML page to pass around: a slider that peels the image, its tree, its bytes, its start, and its story.

    Everything is inside the page; it asks nobody for anything, and without JavaScript it is the page of explain with
    findings and the operator's manual.  Of two archives, it shows both and what differs.  --json writes what the page
    draws, instead of the page.
    """
    if len(archives) > 2:
        raise UsageError("a report is about one image or two", hint="imagepeel report before.tar after.tar -o FILE")
    if settings.json and len(archives) > 1:
        raise UsageError("--json takes one archive", hint="write one report for each")
    if out is None and not settings.json:
        raise UsageError("no file is named for the page", hint="imagepeel report image.tar -o report.html")
    out = out if out is not None else "-"
    common.only_one_stdin(*archives)
    for archive in archives:
        settings.keep_archive(out, archive)
    with ExitStack() as stack:
        images = [_image(settings, stack, archive) for archive in archives]
        from imagepeel.results.report import report_result  # start time

        results = tuple(map(report_result, images))
        settings.others_told()
        if settings.json:
            from imagepeel.render.json import dumps  # start time

            documents.write_out(out, dumps("report", results[0]))
        else:
            from imagepeel.render.report import report_html  # start time

            documents.write_out(out, report_html(_document(images), results))
        for image in images:
            settings.finish(image)


def _image(settings: Settings, stack: ExitStack, archive: str) -> Image:
    return settings.scanned(stack.enter_context(settings.open(archive)), digests=True)


def _document(images: list[Image]) -> Document:
    from imagepeel.present.report import both_documents, report_document  # start time
    from imagepeel.results.findings import wtf_result  # start time
    from imagepeel.results.head import image_head  # start time

    told = [
        report_document(image.explain(), wtf_result(image_head(image), image.findings()), image.operators_manual())
        for image in images
    ]
    if len(told) == 1:
        return told[0]
    from imagepeel.present.diff import diff_document  # start time

    return both_documents(told[0], told[1], diff_document(images[0].diff(images[1]), every=False))
