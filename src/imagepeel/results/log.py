"""What `log --json` writes: the versions of a path, or what one layer does to all paths, each with its patch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import layer_label, text
from imagepeel.history.attested import SourceLines
from imagepeel.results.head import ImageHead, image_head
from imagepeel.results.trace import EventResult, event_fields, proofs_of
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.layer_diff import layer_delta
from imagepeel.rootfs.provenance import PathEvent
from imagepeel.tables import ErrnoName
from imagepeel.versions.changes import Difference, differences
from imagepeel.versions.content import Content
from imagepeel.versions.lines import Work
from imagepeel.versions.patch import EMPTY, Side, patch
from imagepeel.versions.versions import Contents, Version, unseen_layers, versions_of

if TYPE_CHECKING:
    from imagepeel.evidence import Name
    from imagepeel.image import LayeredImage
    from imagepeel.receipts.places import Receipts
    from imagepeel.rootfs.layer_diff import Change
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

MOST_LINES = 200_000
"""Lines of patches of one result."""
MOST_PATHS = 10_000
"""Paths of one layer."""


class PathVersion(EventResult, frozen=True, kw_only=True):
    """One version of a path: what a layer does to it, and what is there then.

    `content` is that of a regular file, null for anything else.  `changes` are differences to the version before,
    beside the lines of a text.  `patch` holds the lines of a unified diff, secrets masked; it is absent where none was
    asked for and where no patch can say the difference.  `unseen` are layers between the version before and this one
    that are not here whole, as `L2`: each may have a version of its own.
    """

    path: str
    created: str = ""
    """Time of the history step in RFC 3339, "" where none is stated."""
    source: SourceLines | None = None
    """Lines of the Dockerfile that made the layer, as an attestation states them; null where none does."""
    content: Content | None = None
    changes: tuple[Difference, ...] = ()
    patch: tuple[str, ...] | None = None
    added: int = 0
    """Lines that the patch adds."""
    removed: int = 0
    """Lines that the patch removes."""
    cut: bool = False
    """Whether the patch has too many lines and is left out."""
    unseen: tuple[str, ...] = ()


class LogResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The versions of the path that was `reached`, base layer first; with a `layer`, what it does to each path.

    `layer` counts from 0, null without --layer.  `errno` and `missing` as in `trace`.  `unseen` are the layers, as
    `L2`, that are not here whole: their versions are not in the list.  `left_out` counts paths beyond `MOST_PATHS`,
    null where they were not counted.
    """

    image: ImageHead
    view: Literal[ViewName, ""]
    asked: str
    reached: str
    errno: ErrnoName
    missing: str
    note: str
    """Why these are only the entries that name the path, "" where they are its versions."""
    layer: int | None
    patches: bool
    """Whether patches were asked for."""
    present: bool | None
    """Whether the view shows the path in the end; null with a layer and no path."""
    versions: tuple[PathVersion, ...]
    unseen: tuple[str, ...] = ()
    left_out: int = 0


class _Maker:
    """Makes the rows of one result within its bounds."""

    def __init__(self, image: LayeredImage, contents: Contents, *, patches: bool, receipts: bool) -> None:
        self.image, self.contents, self.patches = image, contents, patches
        self.proofs: Receipts | None = proofs_of(image) if receipts else None
        self.work, self.room = Work(), MOST_LINES

    def row(self, version: Version) -> PathVersion:
        event = version.event
        before, after = self._side(version.before), self._side(version.after)
        found = EMPTY
        if self.patches:
            found = patch(event.path, before, after, self.work, self.room)
            self.room -= len(found.lines)
        step = self.image.layers[event.layer].step
        if event.node is None and version.after is not None:
            event = msgspec.structs.replace(event, node=version.after)
        return PathVersion(
            **event_fields(self.image, event, self.proofs),
            path=text(event.path),
            created=self.image.history[step].created if step is not None else "",
            source=self.image.lines_of(event.layer),
            content=after.read.content if after is not None and after.read is not None else None,
            changes=differences(before, after) if before is not None and after is not None else (),
            patch=tuple(found.lines) if self.patches and found.lines else None,
            added=found.added,
            removed=found.removed,
            cut=not found.whole,
            unseen=tuple(map(layer_label, version.unseen)),
        )

    def _side(self, node: Inode | None) -> Side | None:
        if node is None:
            return None
        return Side(node, self.contents.of(node) if self.patches else self.contents.brief(node))


def version_rows(
    image: LayeredImage, contents: Contents, versions: tuple[Version, ...], *, patches: bool, receipts: bool
) -> tuple[PathVersion, ...]:
    """Return the versions of a path as rows."""
    maker = _Maker(image, contents, patches=patches, receipts=receipts)
    return tuple(map(maker.row, versions))


def log_result(
    image: LayeredImage,
    rootfs: Rootfs,
    path: Name,
    *,
    layer: int | None,
    follow: bool,
    patches: bool,
    receipts: bool,
) -> LogResult:
    """Return the versions of a path, of one `layer` (from 0) only where one is named."""
    found = versions_of(rootfs, path, follow=follow)
    wanted = tuple(one for one in found.versions if layer is None or one.event.layer == layer)
    end = found.history.resolution
    return LogResult(
        image=image_head(image),
        view=rootfs.view,
        asked=text(path),
        reached=text(end.path),
        errno=end.errno,
        missing=text(end.missing),
        note=found.history.note,
        layer=layer,
        patches=patches,
        present=found.history.life.present,
        versions=version_rows(image, Contents(rootfs), wanted, patches=patches, receipts=receipts),
        unseen=tuple(map(layer_label, unseen_layers(rootfs))),
    )


def layer_log(image: LayeredImage, rootfs: Rootfs, layer: int, *, patches: bool, receipts: bool) -> LogResult:
    """Return what one layer, from 0, does to each path, depth first with names sorted by bytes.

    UsageError for a view that keeps no layer trees, and for a layer that the image has not.
    """
    changes = layer_delta(rootfs, layer)
    maker = _Maker(image, Contents(rootfs), patches=patches, receipts=receipts)
    rows: list[PathVersion] = []
    left = 0
    unseen = unseen_layers(rootfs)
    below = tuple(one for one in unseen if one <= layer)
    for version in _touched(rootfs, layer, changes, below):
        if len(rows) < MOST_PATHS:
            rows.append(maker.row(version))
        else:
            left += 1
    return LogResult(
        image=image_head(image),
        view=rootfs.view,
        asked="",
        reached="",
        errno="",
        missing="",
        note="",
        layer=layer,
        patches=patches,
        present=None,
        versions=tuple(rows),
        unseen=tuple(map(layer_label, unseen)),
        left_out=left,
    )


def _touched(rootfs: Rootfs, layer: int, changes: Iterator[Change], unseen: tuple[int, ...]) -> Iterator[Version]:
    for change in changes:
        after = change.after
        if after is not None and after.implied:
            continue
        entry = after.entry if after is not None else None
        event = PathEvent(
            kind=change.kind,
            layer=layer,
            path=change.path,
            where=rootfs.entry_location(layer, entry, change.path),
            node=after,
            fields=change.fields,
        )
        yield Version(event=event, before=change.before, after=after, unseen=unseen)
