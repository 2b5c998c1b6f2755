"""What `imagepeel diff --json` carries; conventions as in `results`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import layer_label
from imagepeel.results.difference import (
    ChangeKind,
    LayersDifference,
    ValueChange,
    config_difference,
    layers_difference,
    process_difference,
    shared_prefix,
)
from imagepeel.results.files import FilesDifference, files_difference
from imagepeel.results.head import ImageHead, NodeHead, encoded, image_head, node_head, readable, stamp
from imagepeel.results.package_changes import PackagesDifference, packages_difference
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.image_diff import TEXT_BYTES, Contents, PathChange, difference, text_difference

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

MOST_TEXTS = 200
"""Files whose text is compared: more is not for reading."""


class DiffNode(NodeHead, frozen=True, kw_only=True, omit_defaults=True):
    """One side of a path, as in `imagepeel ls --json`; `layer` counts from 0."""

    mtime: str | None = None
    """UTC, RFC 3339, or `@SECONDS` beyond the calendar; absent: set when the runtime unpacks."""
    target: str | None = None
    target_b64: str | None = None
    """Exact target in base64, where `target` is not UTF-8."""
    device: tuple[int, int] | None = None
    """Major and minor number."""
    xattrs: dict[str, str] = msgspec.field(default_factory=dict)
    layer: int | None = None
    """Index from 0."""
    label: str = ""
    """`L1` for the base layer."""
    entry: int | None = None
    """Index from 0 of the tar member in the layer."""


class DiffPath(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path that differs.

    `kind` is added, removed or changed, `fields` of type, content, target, device, mode, uid, gid, xattrs, mtime, and
    "content?" where bytes are missing to tell.  `before` and `after` are absent where the path is.  `text` holds the
    lines of a unified difference where one was asked for and both sides are small text files.
    """

    path: str
    kind: ChangeKind
    fields: tuple[str, ...] = ()
    before: DiffNode | None = None
    after: DiffNode | None = None
    path_b64: str | None = None
    """Exact path in base64, where `path` is not UTF-8."""
    text: tuple[str, ...] | None = None


class DiffResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel diff`.

    `first` and `second` say what is compared; with --layer both are one image and `first_layers`, `second_layers` how
    many of its layers each side has, else null, as are `layers`, `config` and `process` with --layer or a PATH.
    They are null too where the manifest or the config of a side is missing, `process` also where a layer of one is, and
    the counts of paths where a manifest is: then no path is compared.  `different` is whether anything differs,
    null where nothing in this document does and a part is missing that may.  `files` says in what the archives
    differ as files, which counts for nothing else; null with --layer or a PATH.  `exact` is false with --quick: equal
    sizes and CRC-32 then count as equal content.  `added`, `removed` and `changed` count the paths.
    """

    first: ImageHead
    second: ImageHead
    view: Literal[ViewName, ""]
    path: str
    first_layers: int | None
    second_layers: int | None
    different: bool | None
    exact: bool
    layers: LayersDifference | None
    config: tuple[ValueChange, ...] | None
    process: tuple[ValueChange, ...] | None
    added: int | None
    """Count of paths."""
    removed: int | None
    """Count of paths."""
    changed: int | None
    """Count of paths."""
    packages: PackagesDifference | None
    """Installed packages; null where neither side has a database that is known, with the same layers on both sides, and
    with --layer or a PATH."""
    files: FilesDifference | None
    """How the archives differ as files, whatever image they hold."""
    paths: tuple[DiffPath, ...]
    """Depth first, names sorted by bytes."""


def diff_result(
    first: LayeredImage,
    second: LayeredImage,
    before: Rootfs,
    after: Rootfs,
    path: bytes,
    *,
    layers: tuple[int, ...],
    texts: bool,
    strict: bool,
    quick: bool,
) -> DiffResult:
    """Return what differs at `path` and below it, paths depth first with names sorted by bytes.

    Arguments: `before` and `after` are the filesystems of the two images, or with `layers` (two 0-based indexes) of
    one image after each of these layers; `texts` adds how small text files differ, which of a path that is one file is
    added anyway; `strict` compares modification times too; `quick` believes equal size and CRC-32 instead of SHA-256.
    Layers, config and process are compared where `path` is the root and `layers` is ().
    NotFound when neither side has `path`.
    """

    whole = not layers and path == b"/"
    shared = min(layers) + 1 if layers else shared_prefix(first, second)
    same = Contents(before, after, exact=not quick)
    changes = difference(before, after, shared=shared, top=path, times=strict, same=same)
    # That one has no config, since none belongs to it, is a difference; where neither has one is nothing to compare.
    known = not (first.knowledge.documents or second.knowledge.documents)
    known = known and not (first.knowledge.imported and second.knowledge.imported)
    listed = first.knowledge.layer_list and second.knowledge.layer_list
    lacks = first.knowledge.lacks_layers or second.knowledge.lacks_layers
    of_layers = layers_difference(first, second) if whole and listed else None
    apart = of_layers is not None and bool(of_layers.only_first or of_layers.only_second)
    # The same layers make the same paths, also where one of them is not here.
    comparable = listed and (not whole or apart or not lacks)
    rows = _rows(changes, before, after, texts, path != b"/") if comparable else []
    config = config_difference(first, second) if whole and known else None
    # What one lacks may be what the other starts.
    process = process_difference(first, second) if whole and known and not lacks else None
    kinds = ("added", "removed", "changed")
    counts = {kind: sum(row.kind == kind for row in rows) if listed else None for kind in kinds}
    tellable = _tellable(first, second, layers)
    different: bool | None = bool((rows and (tellable or not lacks)) or config or process or apart)
    if not different and not tellable:
        different = None
    beside = (first, second) if first.archive.name == second.archive.name else ()
    return DiffResult(
        first=image_head(first, beside),
        second=image_head(second, beside),
        view=before.view,
        path=readable(path)[0],
        first_layers=min(layers) + 1 if layers else None,
        second_layers=max(layers) + 1 if layers else None,
        different=different,
        exact=not quick,
        layers=of_layers,
        config=config,
        process=process,
        added=counts["added"],
        removed=counts["removed"],
        changed=counts["changed"],
        packages=packages_difference(first, second) if whole and listed and apart else None,
        files=files_difference(first.archive, second.archive) if whole else None,
        paths=tuple(rows),
    )


def _tellable(first: LayeredImage, second: LayeredImage, layers: tuple[int, ...]) -> bool:
    """Say whether images in which nothing differs are the same: what one lacks is the same part of the other.

    A digest identifies also what is not here.  `layers` as in `diff_result`.
    """
    if layers:
        return not any(gap.layer is not None and min(layers) < gap.layer <= max(layers) for gap in first.knowledge.gaps)
    if first.digest is not None and first.digest == second.digest:
        return True
    for image, other in ((first, second), (second, first)):
        for gap in image.knowledge.gaps:
            if gap.layer is None or gap.layer >= len(other.layers):
                return False
            mine = image.layers[gap.layer].diff_id
            if mine is None or mine != other.layers[gap.layer].diff_id:
                return False
    return True


def _rows(changes: Iterable[PathChange], before: Rootfs, after: Rootfs, texts: bool, part: bool) -> list[DiffPath]:
    """Return the rows; `texts` shows how text files differ, which of a `part` that is one file needs no asking."""
    rows: list[DiffPath] = []
    change = None
    left = MOST_TEXTS if texts else 0
    for change in changes:
        shown, exact = readable(change.path)
        text = _text(change, before, after) if left and "content" in change.fields else None
        left -= text is not None
        rows.append(
            DiffPath(
                path=shown,
                path_b64=exact,
                kind=change.kind,
                fields=change.fields,
                before=_node(change.before),
                after=_node(change.after),
                text=text,
            )
        )
    if part and not texts and len(rows) == 1 and change is not None and "content" in change.fields:
        rows[0] = msgspec.structs.replace(rows[0], text=_text(change, before, after))
    return rows


def _text(change: PathChange, before: Rootfs, after: Rootfs) -> tuple[str, ...] | None:
    old, new = change.before, change.after
    if old is None or new is None or max(old.size, new.size) > TEXT_BYTES:
        return None
    try:
        lines = text_difference(before.read(old), after.read(new), readable(change.path)[0])
    except ImagepeelError:
        return None
    return tuple(lines) if lines is not None else None


def _node(node: Inode | None) -> DiffNode | None:

    if node is None:
        return None
    target, target_b64 = readable(node.target) if node.target else (None, None)
    return DiffNode(
        **node_head(node),
        mtime=stamp(node.mtime, exact=True) if node.mtime is not None else None,
        target=target,
        target_b64=target_b64,
        device=node.device,
        xattrs=encoded(node.xattrs.items()),
        layer=node.layer,
        label="" if node.layer is None else layer_label(node.layer),
        entry=node.entry,
    )
