"""`imagepeel explain`: the story of an image."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError

PROJECTOR = 100
"""Columns of a story that goes to a file or pipe."""


_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel explain image.tar\n"
    "  imagepeel explain image.tar --receipts\n"
    "  imagepeel explain - < image.tar\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.option("--receipts", is_flag=True, help="Below each claim, the shell commands that show the same.")
@click.option(
    "--html", metavar="FILE", type=click.Path(allow_dash=True), help="Write it as one HTML file, - for stdout."
)
@click.option("--markdown", is_flag=True, help="Write it as Markdown.")
@common.json
@common.settings
def command(settings: Settings, receipts: bool, html: str | None, markdown: bool) -> None:
    """The story of an image: a tarball, its paperwork, its layers, and the process it becomes.

    Short chapters, plain words first.  Every claim is about this image and comes with its place in the bytes;
    --receipts adds the plain shell commands that show the same thing without imagepeel.
    """
    if (html is not None) + markdown + settings.json > 1:
        raise click.UsageError("choose one of --html, --markdown and --json")
    with settings.open() as archive:
        image = settings.scanned(archive)
        story = image.explain()
        if settings.json:
            from imagepeel.render.json import dumps

            click.echo(dumps("explain", story))
        elif markdown:
            from imagepeel.render.markdown import story_markdown

            click.echo(story_markdown(story, receipts=receipts))
        elif html is not None:
            from imagepeel.render.html import story_html

            _write(html, story_html(story, receipts=receipts))
        else:
            from imagepeel.render.terminal import print_story

            piped = not sys.stdout.isatty() and not os.environ.get("COLUMNS")
            print_story(story, settings.console(width=PROJECTOR if piped else None), receipts=receipts)
        settings.finish(image)


def _write(out: str, page: str) -> None:
    if out == "-":
        click.echo(page)
        return
    part = f"{out}.{os.getpid()}.part"
    try:
        with open(part, "x", encoding="utf-8") as file:
            file.write(page)
        os.replace(part, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", hint="check the directory") from error
    finally:
        with suppress(OSError):
            os.unlink(part)
