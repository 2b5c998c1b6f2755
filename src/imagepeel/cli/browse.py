"""`imagepeel browse`: a terminal to walk in."""

from __future__ import annotations

import os
import sys

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.errors import Unsupported, UsageError

_EXAMPLES = "\b\nExamples:\n  imagepeel browse image.tar\n  imagepeel browse image.tar --view podman\n"


@click.command(epilog=_EXAMPLES)
@common.archive
@common.view
@common.settings
def command(settings: Settings) -> None:
    """Walk in an image with arrow keys: its layers, its files, and what starts from it.

    On the left the layers, in the middle the filesystem after the chosen one with what that layer added, modified,
    deleted or shipped again, on the right the file itself, and below what would start.  ? shows the keys.

    Needs Textual: pip install 'imagepeel[tui]'.
    """
    served = "TEXTUAL_DRIVER" in os.environ
    if settings.archive == "-":
        raise UsageError("standard input is the keyboard here", hint="save the archive as a file and name it")
    if not served and not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "browse needs a terminal", hint="imagepeel tree IMAGE | less, or imagepeel report IMAGE -o FILE"
        )
    try:
        from imagepeel.browse.app import Browser  # start time
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("textual", "rich"):
            raise
        raise Unsupported("Textual is not installed", hint="pip install 'imagepeel[tui]'") from error
    from imagepeel.rootfs.view import known_view  # start time

    with settings.open() as archive:
        image = settings.image(archive)
        settings.quiet()
        app = Browser(
            image,
            settings.archive,
            view=known_view(settings.view),
            options=settings.choice,
            ascii_only=not (sys.stdout.encoding or "ascii").lower().startswith("utf"),
        )
        app.run()
        if app.failure is not None:
            raise app.failure
        if all(layer.scanned for layer in image.layers):
            settings.finish(image)
