"""What `waste --json` writes."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Receipt, layer_label
from imagepeel.findings.waste import CAUSES, UNREACHABLE, VISIBLE, Cause, Waste, WasteItem
from imagepeel.results.head import ImageHead

Reach = Literal["visible", "unreachable", "overhead"]
"""Whether bytes of a cause can be seen."""


class WasteCause(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One cause: bytes of content and stored bytes, of all layers and of those above the base.

    `reach` is visible, unreachable or overhead; the causes add up to `content_size` and `blob_size`.
    """

    cause: Cause
    reach: Reach
    content: int
    """Decompressed bytes."""
    stored: int
    """Stored bytes."""
    own_content: int
    """Decompressed bytes of the layers above the base."""
    own_stored: int
    """Stored bytes of the layers above the base."""


class WasteLayerRow(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One layer: its sizes and its bytes by cause; `base` when it belongs to the base image."""

    index: int
    """From 0, base first."""
    label: str
    """`L1` for the base layer."""
    base: bool
    content_size: int
    """Decompressed bytes."""
    blob_size: int
    """Stored bytes."""
    content: dict[str, int]
    """Decompressed bytes by cause."""
    stored: dict[str, int]
    """Stored bytes by cause."""


class WasteAccount(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of an image go.

    `efficiency` is `visible` over `files`, null where a layer is missing; `files` = `visible` + `unreachable`;
    `content_size` = `files` + headers.
    `items` are the wasted files, largest first, `items_total` how many there are in all.
    """

    content_size: int
    """Decompressed bytes."""
    blob_size: int
    """Stored bytes."""
    files: int
    """Decompressed bytes of file content."""
    visible: int
    """Decompressed bytes of file content that the rootfs shows."""
    unreachable: int
    """Decompressed bytes of file content that nothing can read any more."""
    efficiency: float | None
    """0.0 to 1.0."""
    complete: bool
    base_layers: int
    """Count of layers that belong to the base image."""
    causes: tuple[WasteCause, ...]
    layers: tuple[WasteLayerRow, ...]
    items: tuple[WasteItem, ...]
    items_total: int
    """Count of wasted files, listed or not."""
    receipts: tuple[Receipt, ...] = ()


class WasteResult(WasteAccount, frozen=True, kw_only=True):
    """The account of an image, and which image it is about."""

    image: ImageHead


def reach(cause: Cause) -> Reach:
    """Say whether bytes of a cause can be seen."""
    return "visible" if cause in VISIBLE else "unreachable" if cause in UNREACHABLE else "overhead"


def waste_result(head: ImageHead, waste: Waste, most: int, receipts: tuple[Receipt, ...] = ()) -> WasteResult:
    """Return the account of an image with at most `most` items, all of them when it is 0."""
    return WasteResult(image=head, **msgspec.structs.asdict(waste_account(waste, most, receipts)))


def waste_account(waste: Waste, most: int, receipts: tuple[Receipt, ...] = ()) -> WasteAccount:
    """Return the account with at most `most` items, all of them when it is 0."""
    return WasteAccount(
        content_size=waste.shipped,
        blob_size=sum(layer.blob_size for layer in waste.layers),
        files=waste.files,
        visible=waste.visible,
        unreachable=waste.unreachable,
        efficiency=waste.efficiency if waste.complete else None,
        complete=waste.complete,
        base_layers=waste.base,
        causes=tuple(
            WasteCause(
                cause=cause,
                reach=reach(cause),
                content=waste.content(cause),
                stored=waste.stored(cause),
                own_content=waste.content(cause, own=True),
                own_stored=waste.stored(cause, own=True),
            )
            for cause in CAUSES
        ),
        layers=tuple(
            WasteLayerRow(
                index=layer.layer,
                label=layer_label(layer.layer),
                base=layer.base,
                content_size=layer.content_size,
                blob_size=layer.blob_size,
                content=layer.content,
                stored=layer.stored,
            )
            for layer in waste.layers
        ),
        items=waste.items[:most] if most else waste.items,
        items_total=len(waste.items),
        receipts=receipts,
    )
