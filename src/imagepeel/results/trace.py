"""What `trace --json` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Receipt, text
from imagepeel.results.head import ImageHead, NodeHead, node_head
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.provenance import PathEventKind, Removal
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.receipts.places import Receipts
    from imagepeel.rootfs.provenance import PathEvent, PathHistory, PathLife
    from imagepeel.rootfs.tree.inode import Inode


class NodeResult(NodeHead, frozen=True, kw_only=True, omit_defaults=True):
    """What stands at a path after an event."""

    mtime: int | None
    """Seconds since 1970; null: set when the runtime unpacks."""
    target: str = ""
    nlink: int = 1
    """Count of names of the inode, 1 for a directory."""


class EventResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What one layer does to one path.

    `kind` is added, changed, same, implied, opaque or removed.  `layer` counts from 0 and `label` from L1.  `entry`
    and `offset` (in the decompressed layer) are those of the tar member that does it.  `fields` says what changed.
    `by` is how it was removed: whiteout, opaque, or replaced (a parent is no directory any more), at `by_path`.
    `hidden_by` is the later layer that shadows or removes it, null while it is what the view shows.
    """

    kind: PathEventKind
    layer: int
    """Index from 0."""
    label: str
    """`L1` for the base layer."""
    step: int | None
    """Index from 0 in the history of the config."""
    created_by: str
    entry: int | None
    """Index from 0 of the tar member in the layer."""
    offset: int | None
    """Bytes from the start of the decompressed layer."""
    fields: tuple[str, ...]
    by: Removal
    by_path: str
    """Path of the whiteout or of the parent that removes it, "" for no removal."""
    hidden_by: int | None
    """Index from 0 of a later layer."""
    node: NodeResult | None
    receipt: Receipt | None = None


class LifeResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The events of one path, base layer first; `target` is where it points when it is a link that was followed."""

    path: str
    target: str | None
    present: bool
    events: tuple[EventResult, ...]


class TraceResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The life of a path: each link on the way, then the path reached.

    `errno` is ENOENT, ENOTDIR, ELOOP or ENAMETOOLONG where the path leads nowhere, and `missing` is the first
    component that is not there.  `exact` is false where the view keeps no trees of its layers; `note` says why.
    """

    image: ImageHead
    view: Literal[ViewName, ""]
    asked: str
    reached: str
    errno: ErrnoName
    missing: str
    exact: bool
    note: str
    lives: tuple[LifeResult, ...]


def node_result(node: Inode) -> NodeResult:
    """Return a node as plain values."""
    return NodeResult(
        **node_head(node),
        mtime=node.mtime[0] if node.mtime is not None else None,
        target=text(node.target),
        nlink=node.nlink if node.kind != "dir" else 1,
    )


def proofs_of(image: LayeredImage) -> Receipts:
    """Return what makes the receipts of an image."""
    from imagepeel.receipts.places import Receipts  # start time

    return Receipts(image.archive, image)


def event_fields(image: LayeredImage, item: PathEvent, proofs: Receipts | None) -> dict[str, Any]:
    """Return the fields of `EventResult`, for a form that goes on with its own; `proofs` gives it its receipt."""
    layer = image.layers[item.layer]
    entry = item.where.entry
    return {
        "kind": item.kind,
        "layer": item.layer,
        "label": layer.label,
        "step": layer.step,
        "created_by": layer.created_by,
        "entry": entry,
        "offset": item.where.layer_offset,
        "fields": item.fields,
        "by": item.by,
        "by_path": text(item.by_path),
        "hidden_by": item.hidden_by,
        "node": node_result(item.node) if item.node is not None else None,
        "receipt": proofs.entry_line(layer, entry) if proofs is not None and entry is not None else None,
    }


def trace_result(
    image: LayeredImage, head: ImageHead, asked: str, found: PathHistory, receipts: bool = False
) -> TraceResult:
    """Return the result of a trace; with `receipts`, each event has the shell command that shows its tar member."""
    proofs = proofs_of(image) if receipts else None

    def life(item: PathLife) -> LifeResult:
        return LifeResult(
            path=text(item.path),
            target=None if item.target is None else text(item.target),
            present=item.present,
            events=tuple(EventResult(**event_fields(image, one, proofs)) for one in item.events),
        )

    return TraceResult(
        image=head,
        view=found.view,
        asked=asked,
        reached=text(found.resolution.path),
        errno=found.resolution.errno,
        missing=text(found.resolution.missing),
        exact=found.exact,
        note=found.note,
        lives=tuple(life(item) for item in found.lives),
    )
