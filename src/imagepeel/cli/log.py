"""`imagepeel log`: the versions of a path, or what one layer does to all."""

from __future__ import annotations

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel log image.tar /usr/bin/python3\n"
    "  imagepeel log -p image.tar /etc/passwd\n"
    "  imagepeel log -p image.tar --layer L3\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("path", metavar="[PATH]", required=False, shell_complete=completing.paths)
@click.option("-p", "--patch", "patches", is_flag=True, help="Show how the text of each version differs from the last.")
@common.layer
@click.option("--no-follow", is_flag=True, help="Stop at a link in the last part of PATH.")
@common.receipts("Below each version, the shell command that shows the tar member.")
@common.view
@documents.forms
@common.settings
def command(
    settings: Settings, *, path: str | None, patches: bool, layer: int | None, no_follow: bool, receipts: bool
) -> None:
    """Show every version of PATH that the archive ships, base layer first, also of one that a later layer removed.

    Of each: the layer, the build step, mode, owner and what the file holds; of an ELF file also what it needs.  With
    -p, texts as a unified diff that GNU patch takes.  With --layer and no PATH, what one layer does to each path.
    """
    with settings.open() as archive:
        from imagepeel.present.log import log_document  # start time

        image = settings.filesystem(archive)
        result = image.log(
            path, layer=layer, patch=patches, view=settings.view, follow=not no_follow, receipts=receipts
        )
        documents.show(settings, "log", result, log_document, receipts=receipts)
        settings.finish(image, rootfs=settings.rootfs(image))
