"""What `du --json` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import layer_label
from imagepeel.results.head import ImageHead, LayerHead, image_head, layer_head, readable
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.layer_events import Fate, Shipped, lost_files, shipped
from imagepeel.rootfs.usage import DirUsage, FileUsage, Usage, usage

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.view import Rootfs


class DuLayer(LayerHead, frozen=True, kw_only=True):
    """Where the bytes of one layer are.

    `blob_size` as stored, `content_size` decompressed.  content_size = shipped + framing: `shipped` are the bytes of
    regular files in its tar, `framing` headers, padding and what follows the end.  shipped = visible + shadowed
    (a higher layer has the path) + removed (a higher layer takes it away) + overwritten (by a later entry of the
    same layer), and the last three are `unreachable`.  `here` are the visible bytes of this layer at and below the path
    that was asked for.
    """

    blob_size: int
    """Stored bytes."""
    content_size: int
    """Decompressed bytes."""
    framing: int
    """Bytes of headers, padding and what follows the end."""
    shipped: int
    """Bytes of regular files in its tar."""
    visible: int
    """Bytes of files that the view shows."""
    shadowed: int
    """Bytes of files whose path a higher layer has."""
    removed: int
    """Bytes of files that a higher layer takes away."""
    overwritten: int
    """Bytes of files that a later entry of the same layer replaces."""
    unreachable: int
    """Bytes of files that the view does not show."""
    here: int
    """Visible bytes at and below the path that was asked for."""


class DuDirectory(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One directory and all below it.

    `stored` are bytes of regular files as the tars store them, each hardlinked file once under its first name;
    `logical` counts the holes of sparse files too.  stored = own + the sum over its directories.  `links` are
    further names of files that were counted already, `paths` all names below.
    """

    path: str
    depth: int
    """Levels below the path that was asked for, which is 0."""
    stored: int
    """Bytes of regular files as the tars store them."""
    logical: int
    """Bytes of regular files with the holes of sparse files."""
    own: int
    """Bytes of the files directly in it, as stored."""
    files: int
    """Count of regular files."""
    links: int
    """Count of further names."""
    paths: int
    """Count of names."""
    path_b64: str | None = None
    """Exact path in base64, where `path` is not UTF-8."""


class DuFile(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One large file.

    `fate` is visible, shadowed, removed or overwritten, the last three by the 0-based layer `by`.  `layer` and
    `entry` say where its bytes are, `kind` (with --kind) what they look like.
    """

    path: str
    stored: int
    """Bytes as the tar stores them."""
    layer: int | None
    """Index from 0."""
    label: str
    """`L1` for the base layer."""
    entry: int | None
    """Index from 0 of the tar member in the layer."""
    fate: Fate
    by: int | None = None
    """Index from 0 of a layer."""
    logical: int | None = None
    """Bytes with the holes of a sparse file."""
    kind: str = ""
    path_b64: str | None = None
    """Exact path in base64, where `path` is not UTF-8."""


class DuResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel du`.

    `total` is the path that was asked for, `directories` those below it to the depth that was asked for, in walk
    order.  `exact` is false where the view keeps no layers apart; everything unreachable then stands under shadowed.
    """

    image: ImageHead
    view: Literal[ViewName, ""]
    path: str
    exact: bool
    layers: tuple[DuLayer, ...]
    """Base first."""
    total: DuDirectory
    directories: tuple[DuDirectory, ...]
    largest: tuple[DuFile, ...]
    """Visible files, largest first."""
    unreachable: tuple[DuFile, ...]
    """Files that the view does not show, largest first."""


ContentLabel = Callable[[int | None, int | None], str]
"""What the content of an entry looks like, by the 0-based layer and the entry; "" for nobody's."""


def du_result(
    image: LayeredImage,
    rootfs: Rootfs,
    path: bytes = b"/",
    *,
    depth: int = 1,
    files: int = 10,
    kind: ContentLabel | None = None,
) -> DuResult:
    """Return where the bytes of an image are; all sizes in bytes.

    Arguments: `path` is the directory or file to look at, `depth` how many levels of directories below it to tell
    apart, `files` how many of the largest files to name, `kind` what says what their content looks like.
    Directories come in walk order, files by stored bytes, largest first.  NotFound when there is no `path`.
    """
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
        largest=tuple(_file(item, kind) for item in found.largest),
        unreachable=tuple(_lost(rootfs, files, kind)) if has_uppers(rootfs) and found.top == b"/" else (),
    )


def _layers(image: LayeredImage, sums: Shipped, found: Usage) -> list[DuLayer]:
    return [
        DuLayer(
            **layer_head(layer),
            blob_size=layer.blob_size,
            content_size=layer.content_size,
            framing=layer.content_size - row.shipped,
            shipped=row.shipped,
            visible=row.visible,
            shadowed=row.shadowed,
            removed=row.removed,
            overwritten=row.overwritten,
            unreachable=row.shipped - row.visible,
            here=found.by_layer.get(layer.index, 0),
        )
        for layer, row in zip(image.layers, sums.layers, strict=True)
    ]


def _directory(row: DirUsage) -> DuDirectory:
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


def _file(item: FileUsage, kind: ContentLabel | None) -> DuFile:
    path, path_b64 = readable(item.path)
    return DuFile(
        path=path,
        path_b64=path_b64,
        stored=item.stored,
        logical=item.logical if item.logical != item.stored else None,
        layer=item.layer,
        label="-" if item.layer is None else layer_label(item.layer),
        entry=item.entry,
        fate="visible",
        kind=kind(item.layer, item.entry) if kind is not None else "",
    )


def _lost(rootfs: Rootfs, most: int, kind: ContentLabel | None) -> list[DuFile]:
    out = []
    for item in lost_files(rootfs)[:most]:
        path, path_b64 = readable(item.path)
        out.append(
            DuFile(
                path=path,
                path_b64=path_b64,
                stored=item.size,
                layer=item.layer,
                label=layer_label(item.layer),
                entry=item.entry,
                fate=item.fate,
                by=item.by,
                kind=kind(item.layer, item.entry) if kind is not None else "",
            )
        )
    return out
