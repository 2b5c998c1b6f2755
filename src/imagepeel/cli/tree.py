"""`imagepeel tree`: the merged filesystem, or what one layer did, as a drawn tree."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from imagepeel.cli import asked, common, completing, documents, listing
from imagepeel.cli.settings import Settings
from imagepeel.formats.tar.table import clean
from imagepeel.present.listing import tree_document
from imagepeel.render.listing import tree_lines
from imagepeel.results.head import image_head
from imagepeel.results.listing import ListedPath


@click.command(epilog="\b\nExamples:\n  imagepeel tree image.tar --depth 2\n  imagepeel tree image.tar --layer 3")
@common.archive
@click.argument("path", default="/", metavar="[PATH]", shell_complete=completing.paths)
@click.option("-L", "--depth", metavar="N", type=click.IntRange(1), help="Go down at most N levels.")
@click.option("-d", "--dirs", is_flag=True, help="Only directories.")
@common.layer
@common.view
@common.human_already
@documents.forms
@common.settings
def command(settings: Settings, *, path: str, depth: int | None, dirs: bool, layer: int | None) -> None:
    """Show the filesystem, or what one layer did, as a tree.

    Without --layer: the merged filesystem of --view; the mark behind a name is the layer that it comes from.  With
    --layer N: the entries of that layer's tar, whiteouts as what they remove.

    --json writes the lines of ls -R --json.
    """
    with settings.open(tables=True) as archive:
        image = settings.scanned(archive)
        rootfs = None if layer is not None else settings.rootfs(image)
        wanted = asked.absolute(path)
        if rootfs is not None:
            rootfs.merged(wanted)
            base = rootfs.resolve(wanted).path
        else:
            base = b"/" + clean(wanted)[0]

        def rows() -> Iterator[ListedPath]:
            if rootfs is not None:
                found = listing.rows_of_rootfs(rootfs, wanted, recursive=True, depth=depth)
            else:
                assert layer is not None
                found = listing.tree_of_layer(image, layer, base, depth=depth)
            return (row for row in found if row.kind == "dir") if dirs else found

        if settings.json:
            listing.write_json("tree", image, rootfs, rows(), layer=layer, path=path)
        elif documents.page_asked(settings):
            documents.write_page(settings, tree_document(image_head(image), base, rows))
        else:
            encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
            colour, ascii_only = settings.colour(sys.stdout), not encoding.startswith("utf")
            listing.write_lines(tree_lines(base, rows, colour=colour, ascii_only=ascii_only))
        settings.finish(image, rootfs=rootfs)
