"""`imagepeel du`: where the bytes of an image are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, listing
from imagepeel.cli.settings import Settings

if TYPE_CHECKING:
    from imagepeel.api import Image
    from imagepeel.results.rootfs import DuDirectory, DuFile, DuLayer, DuResult
    from imagepeel.rootfs.layer_events import Shipped
    from imagepeel.rootfs.usage import DirUsage, FileUsage, Usage
    from imagepeel.rootfs.view import Rootfs

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel du image.tar\n"
    "  imagepeel du image.tar /usr --depth 2 --top 5\n"
    "  imagepeel du image.tar --json | jq '.result.layers[] | [.label, .visible, .removed]'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("path", default="/", metavar="[PATH]")
@click.option(
    "--depth", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Levels of directories."
)
@click.option("--top", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="Rows a directory.")
@click.option(
    "--files", metavar="N", type=click.IntRange(0), default=10, show_default=True, help="Largest files named."
)
@click.option("--bytes", "exact", is_flag=True, help="Plain bytes, which add up in every column.")
@click.option("--kind", is_flag=True, help="Say what the content of each file that is named looks like.")
@common.view
@common.json
@common.settings
def command(settings: Settings, path: str, depth: int, top: int, files: int, exact: bool, kind: bool) -> None:
    """Where the bytes are: by layer, by directory, shipped against visible.

    Sizes of files are bytes of content as the layers' tars store them: a hardlinked file counts once, under its
    first name, and holes of sparse files do not count.  Per layer, content = framing (headers and padding) + files,
    and files = visible + shadowed (a higher layer has the path) + removed (a higher layer takes it away) +
    overwritten (twice in one layer).  Below PATH, every directory with its share.
    """
    with settings.open() as archive:
        image = settings.scanned(archive)
        rootfs = settings.rootfs(image)
        result = du_result(image, rootfs, listing.asked_path(path), depth=depth, files=files, kind=kind)
        if settings.json:
            from imagepeel.render.json import dumps

            click.echo(dumps("du", result))
        else:
            from imagepeel.render.terminal_du import print_du

            print_du(settings.console(), result, most=top, exact=exact)
        settings.finish(image, rootfs=rootfs)


def du_result(image: Image, rootfs: Rootfs, path: bytes, *, depth: int, files: int, kind: bool) -> DuResult:
    """Return the sums of an image; see `rootfs.usage` and `rootfs.fold.Shipped`."""
    from imagepeel.results.rootfs import DuResult
    from imagepeel.results.tables import image_head, readable
    from imagepeel.rootfs.layer_diff import has_uppers
    from imagepeel.rootfs.layer_events import shipped
    from imagepeel.rootfs.usage import usage

    sums = shipped(rootfs)
    found = usage(rootfs, path, depth=depth, largest=files)
    return DuResult(
        image=image_head(image),
        view=rootfs.view,
        path=readable(found.top)[0],
        exact=sums.exact,
        layers=tuple(_layers(image, sums, found)),
        total=_directory(found.total),
        directories=tuple(map(_directory, found.directories)),
        largest=tuple(_file(image, item, kind) for item in found.largest),
        unreachable=tuple(_lost(image, rootfs, files, kind)) if has_uppers(rootfs) and found.top == b"/" else (),
    )


def _layers(image: Image, sums: Shipped, found: Usage) -> list[DuLayer]:
    from imagepeel.results.rootfs import DuLayer

    return [
        DuLayer(
            index=layer.index,
            label=layer.label,
            state=layer.state,
            step=layer.step,
            created_by=layer.history.created_by if layer.history is not None else "",
            blob_size=layer.blob_size,
            content_size=layer.content_size,
            framing=layer.content_size - row.shipped,
            shipped=row.shipped,
            visible=row.visible,
            shadowed=row.shadowed,
            removed=row.removed,
            overwritten=row.overwritten,
            here=found.by_layer.get(layer.index, 0),
        )
        for layer, row in zip(image.layers, sums.layers, strict=True)
    ]


def _directory(row: DirUsage) -> DuDirectory:
    from imagepeel.results.rootfs import DuDirectory
    from imagepeel.results.tables import readable

    path, path_b64 = readable(row.path)
    return DuDirectory(
        path=path,
        path_b64=path_b64,
        depth=row.depth,
        stored=row.stored,
        logical=row.logical,
        own=row.own,
        files=row.files,
        links=row.links,
        paths=row.paths,
    )


def _file(image: Image, item: FileUsage, kind: bool) -> DuFile:
    from imagepeel.results.rootfs import DuFile
    from imagepeel.results.tables import readable

    path, path_b64 = readable(item.path)
    return DuFile(
        path=path,
        path_b64=path_b64,
        stored=item.stored,
        logical=item.logical if item.logical != item.stored else None,
        layer=item.layer,
        label="-" if item.layer is None else f"L{item.layer + 1}",
        entry=item.entry,
        fate="visible",
        kind=_kind(image, item.layer, item.entry) if kind else "",
    )


def _lost(image: Image, rootfs: Rootfs, most: int, kind: bool) -> list[DuFile]:
    from imagepeel.results.rootfs import DuFile
    from imagepeel.results.tables import readable
    from imagepeel.rootfs.layer_events import lost_files

    out = []
    for item in lost_files(rootfs)[:most]:
        path, path_b64 = readable(item.path)
        out.append(
            DuFile(
                path=path,
                path_b64=path_b64,
                stored=item.size,
                layer=item.layer,
                label=f"L{item.layer + 1}",
                entry=item.entry,
                fate=item.fate,
                by=item.by,
                kind=_kind(image, item.layer, item.entry) if kind else "",
            )
        )
    return out


def _kind(image: Image, layer: int | None, entry: int | None) -> str:
    from imagepeel.errors import ImagepeelError
    from imagepeel.interop.magic_label import HEAD, label

    if layer is None or entry is None:
        return ""
    try:
        file = image.layers[layer].open(entry)
        return label(file.pread(0, HEAD), whole=file.size <= HEAD)
    except ImagepeelError as error:
        return f"unreadable: {error.what}"
