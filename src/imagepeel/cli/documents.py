"""What the commands that show something share: one document on a terminal, as HTML or Markdown, or the result as JSON.

@click.command()
@common.archive
@documents.forms         # --json --html --markdown
@common.settings
def command(settings: Settings) -> None:
    ...
    documents.show(settings, "waste", result, waste_document)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings

if TYPE_CHECKING:
    from imagepeel.present.document import Document, Story

Result = TypeVar("Result")

PROJECTOR = 100
"""Columns of a story that goes to a file or pipe."""


def forms(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json, --html and --markdown to a command, of which one call may name one."""

    @wraps(function)
    def checked(*args: Any, **given: Any) -> Any:
        settings = click.get_current_context().ensure_object(Settings)
        if (settings.html is not None) + settings.markdown + settings.json > 1:
            raise click.UsageError("choose one of --html, --markdown and --json")
        if settings.html is not None:
            settings.keep_archive(settings.html)
        return function(*args, **given)

    added: Callable[..., Any] = common.forms(checked)
    return added


def show(
    settings: Settings,
    command: str,
    result: Result,
    present: Callable[[Result], Document],
    *,
    receipts: bool = False,
    width: int | None = None,
    others: bool = True,
) -> None:
    """Write a result in the form that was asked for: as it is with --json, else the document that `present` makes.

    `receipts` prints the proofs, `width` is that of the terminal's text, by default that of the terminal; `others`
    says that the result names the images of the archive that it is not about.  UsageError when the HTML file cannot be
    written.
    """
    if others:
        settings.others_told()
    if settings.json:
        from imagepeel.render.json import pieces  # start time

        for piece in pieces(command, result):
            click.echo(piece, nl=False)
        click.echo()
        return
    document = present(result)
    if page_asked(settings):
        _write_page(settings, document, receipts=receipts)
    else:
        from imagepeel.render.terminal import print_document  # start time

        colour = settings.colour(sys.stdout)
        print_document(document, sys.stdout, width=width or settings.width, colour=colour, receipts=receipts)


def page_asked(settings: Settings) -> bool:
    """Whether --html or --markdown was given."""
    return settings.markdown or settings.html is not None


def write_page(settings: Settings, document: Document, *, receipts: bool = False) -> None:
    """Write a document as Markdown or HTML, as was asked for.  UsageError when the HTML file cannot be written."""
    settings.others_told()
    _write_page(settings, document, receipts=receipts)


def _write_page(settings: Settings, document: Document, *, receipts: bool) -> None:
    if settings.html is not None:
        from imagepeel.render.html import document_html  # start time

        write_out(settings.html, document_html(document, receipts=receipts))
    else:
        from imagepeel.render.markdown import document_markdown  # start time

        click.echo(document_markdown(document, receipts=receipts))


def show_story(settings: Settings, command: str, story: Story, *, receipts: bool) -> None:
    """Write a story; in a file or pipe it has the columns of a projector, since it is prose."""
    piped = not sys.stdout.isatty() and not os.environ.get("COLUMNS")
    show(settings, command, story, type(story).document, receipts=receipts, width=PROJECTOR if piped else None)


def write_out(out: str, page: str) -> None:
    """Write a page to a file, which appears only when it is whole, or to standard output for `-`."""
    if out == "-":
        click.echo(page)
        return
    from imagepeel.export.whole_file import replacing  # start time

    with replacing(out) as file:
        file.write(page.encode())
