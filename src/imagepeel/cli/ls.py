"""`imagepeel ls`: a directory of the merged filesystem, or what one layer's tar says about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from imagepeel.cli import asked, common, completing, documents, listing
from imagepeel.cli.settings import Settings
from imagepeel.present.listing import listing_document
from imagepeel.results.head import image_head

if TYPE_CHECKING:
    from imagepeel.results.listing import ListedPath
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image


_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel ls -l image.tar /etc\n"
    "  imagepeel ls -R image.tar --layer 3\n"
    "  imagepeel ls -0R image.tar | xargs -0 -n 1\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("path", default="/", metavar="[PATH]", shell_complete=completing.paths)
@click.option("-l", "--long", "long", is_flag=True, help="Mode, links, owner, size, time (UTC), layer.")
@click.option("-R", "--recursive", is_flag=True, help="Everything below, one full path a line.")
@common.human
@click.option("-a", "--all", "everything", is_flag=True, expose_value=False, help="Of habit: no name is ever left out.")
@click.option("-0", "--null", is_flag=True, help="Only paths, exact bytes, each ended by a NUL byte.")
@click.option("--kind", is_flag=True, help="Say what the content of each file looks like.")
@common.layer
@common.view
@documents.forms
@common.settings
def command(
    settings: Settings,
    *,
    path: str,
    long: bool,
    recursive: bool,
    human: bool,
    null: bool,
    kind: bool,
    layer: int | None,
) -> None:
    """List a directory of the filesystem, or what one layer did.

    Without --layer: the merged filesystem of --view.  Symlinks to directories are followed inside the image.  With
    -l the column after the time names the layer whose tar entry gives the file.

    With --layer N: the entries of that layer's tar.  A whiteout is shown as the name that it removes.

    Names are escaped, so that no name can control the terminal; -0 writes the exact bytes for other programs.
    --json writes one JSON object a line, the first of which says what is listed.
    """
    with settings.open(tables=True) as archive:
        image = settings.scanned(archive)
        rootfs = None if layer is not None else settings.rootfs(image)
        rows = _rows(image, rootfs, asked.absolute(path), layer, recursive)
        if kind:
            rows = listing.with_content(image, rows)
        if settings.json:
            listing.write_json("ls", image, rootfs, rows, layer=layer, path=path)
        elif documents.page_asked(settings):
            documents.write_page(settings, listing_document(image_head(image), rows, full=recursive))
        elif null:
            _write_null(rows)
        elif long:
            _write_long(rows, full=recursive, human=human, colour=settings.colour(sys.stdout))
        else:
            listing.write_lines(_short(rows, full=recursive, colour=settings.colour(sys.stdout)))
        settings.finish(image, rootfs=rootfs)


def _rows(image: Image, rootfs: Rootfs | None, path: bytes, layer: int | None, recursive: bool) -> Iterator[ListedPath]:
    if rootfs is None:
        assert layer is not None
        return listing.rows_of_layer(image, layer, path, recursive=recursive)
    return listing.rows_of_rootfs(rootfs, path, recursive=recursive)


def _short(rows: Iterable[ListedPath], *, full: bool, colour: bool) -> Iterator[str]:
    from imagepeel.render.listing import short_line  # start time

    for row in rows:
        yield short_line(row, row.path if full else row.name, colour=colour)


def _write_long(rows: Iterable[ListedPath], *, full: bool, human: bool, colour: bool) -> None:
    from imagepeel.render.listing import LongLines  # start time

    # One directory is aligned as a whole; a whole tree is not held in memory, its columns grow.
    known = None if full else list(rows)
    lines = LongLines(known, human=human, colour=colour)
    listing.write_lines(lines.line(row, row.path if full else row.name) for row in (rows if known is None else known))


def _write_null(rows: Iterable[ListedPath]) -> None:
    out = sys.stdout.buffer
    sys.stdout.flush()
    for row in rows:
        # What removes a name is no path of that name: the exact name of the member stands for it.
        out.write((row.raw_name if row.action else row.path) + b"\0")
    out.flush()
