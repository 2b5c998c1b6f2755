"""`imagepeel trace`: the life of a path."""

from __future__ import annotations

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel trace image.tar /usr/bin/python3\n"
    "  imagepeel trace image.tar /etc/passwd --receipts\n"
    "  imagepeel trace image.tar /bin/sh --json | jq '.result.lives[].path'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("path", metavar="PATH", shell_complete=completing.paths)
@click.option("--no-follow", is_flag=True, help="Stop at a link in the last part of PATH.")
@common.receipts("Below each event, the shell command that shows the tar member.")
@common.view
@documents.forms
@common.settings
def command(settings: Settings, path: str, no_follow: bool, receipts: bool) -> None:
    """Show the life of PATH: which layer added, changed, hid or removed it.

    Links are followed inside the image, hop by hop, and each has its own life.  An event names the layer, the tar
    member, its offset in the decompressed layer and the build step.  A version that a later layer
    hides says so.
    """
    with settings.open() as archive:
        from imagepeel.present.trace import trace_document  # start time

        image = settings.filesystem(archive)
        result = image.trace(path, view=settings.view, follow=not no_follow, receipts=receipts)
        documents.show(settings, "trace", result, trace_document, receipts=receipts)
        settings.finish(image, rootfs=settings.rootfs(image))
