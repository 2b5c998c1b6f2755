"""`imagepeel du`: where the bytes of an image are."""

from __future__ import annotations

from functools import partial

import click

from imagepeel.cli import asked, common, completing, documents, listing
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel du image.tar\n"
    "  imagepeel du image.tar /usr --depth 2 --top 5\n"
    "  imagepeel du image.tar --json | jq '.result.layers[] | [.label, .visible, .removed]'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("path", default="/", metavar="[PATH]", shell_complete=completing.paths)
@click.option(
    "--depth", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Levels of directories."
)
@click.option("--top", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="Rows a directory.")
@click.option(
    "--files", metavar="N", type=click.IntRange(0), default=10, show_default=True, help="Largest files named."
)
@common.human_already
@click.option("--bytes", "exact", is_flag=True, help="Plain bytes, which add up in every column.")
@click.option("--kind", is_flag=True, help="Say what the content of each file that is named looks like.")
@common.view
@documents.forms
@common.settings
def command(settings: Settings, *, path: str, depth: int, top: int, files: int, exact: bool, kind: bool) -> None:
    """Where the bytes are: by layer, by directory, shipped against visible.

    Sizes of files are bytes of content as the layers' tars store them: a hardlinked file counts once, under its
    first name, and holes of sparse files do not count.  Per layer, content = framing (headers and padding) + files,
    and files = visible + shadowed (a higher layer has the path) + removed (a higher layer takes it away) +
    overwritten (twice in one layer).  Below PATH, every directory with its share.
    """
    from imagepeel.present.du import du_document  # start time
    from imagepeel.results.du import du_result  # start time

    with settings.open() as archive:
        image = settings.scanned(archive)
        rootfs = settings.rootfs(image)
        labels = partial(listing.content_of, image) if kind else None
        result = du_result(image, rootfs, asked.absolute(path), depth=depth, files=files, kind=labels)
        documents.show(settings, "du", result, lambda found: du_document(found, most=top, exact=exact))
        settings.finish(image, rootfs=rootfs)
