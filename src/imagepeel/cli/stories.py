"""What `explain` and `operate` share: their document on a terminal, as HTML, Markdown or JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError

if TYPE_CHECKING:
    from imagepeel.present.document import Story

PROJECTOR = 100
"""Columns of a story that goes to a file or pipe."""


def forms(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --receipts, --html and --markdown to a command."""
    for option in (
        click.option("--markdown", is_flag=True, help="Write it as Markdown."),
        click.option(
            "--html", metavar="FILE", type=click.Path(allow_dash=True), help="Write it as one HTML file, - for stdout."
        ),
        click.option("--receipts", is_flag=True, help="Below each claim, the shell commands that show the same."),
    ):
        function = option(function)
    return function


def check_forms(settings: Settings, html: str | None, markdown: bool) -> None:
    """UsageError of click when more than one form is asked for."""
    if (html is not None) + markdown + settings.json > 1:
        raise click.UsageError("choose one of --html, --markdown and --json")
    if html is not None:
        settings.keep_archive(html)


def show(settings: Settings, command: str, story: Story, *, receipts: bool, html: str | None, markdown: bool) -> None:
    """Write a story in the form that was asked for.  UsageError when the HTML file cannot be written."""
    if settings.json:
        from imagepeel.render.json import dumps

        click.echo(dumps(command, story))
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
