"""`imagepeel blame`: who brought each line of a file."""

from __future__ import annotations

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel blame image.tar /etc/nginx/nginx.conf\n"
    "  imagepeel blame image.tar /etc/passwd --receipts\n"
    "  imagepeel blame image.tar /etc/passwd --json | jq -r '.result.lines[] | .label + \" \" + .text'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("path", metavar="PATH", shell_complete=completing.paths)
@click.option("--no-follow", is_flag=True, help="Stop at a link in the last part of PATH.")
@common.receipts("Below each version, the shell command that shows the tar member.")
@common.view
@documents.forms
@common.settings
def command(settings: Settings, path: str, no_follow: bool, receipts: bool) -> None:
    """Show for each line of PATH the layer, the build step and the day that brought it.

    All versions that the archive ships are compared line by line, base layer first.  Lines that a later layer deleted
    stand below, with the layers that still ship them, and of a file that was removed the last version is shown.  `?`
    marks a line that a layer may have brought before which is not here.  Renames are not guessed.
    """
    with settings.open() as archive:
        from imagepeel.present.blame import blame_document  # start time

        image = settings.filesystem(archive)
        result = image.blame(path, view=settings.view, follow=not no_follow, receipts=receipts)
        documents.show(settings, "blame", result, blame_document, receipts=receipts)
        settings.finish(image, rootfs=settings.rootfs(image))
