"""What `layers --json` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.compression import Compression
from imagepeel.evidence import Anomaly, Location
from imagepeel.history.attested import SourceLines
from imagepeel.layers.layer import LayerCheck
from imagepeel.results.head import ImageHead, LayerHead, image_head, layer_head, one_of

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.layer_events import LayerCounts


class LayerRow(LayerHead, frozen=True, kw_only=True):
    """One layer.

    `compression` is "" where the bytes are not here.  Sizes are bytes: `blob_size` as stored or stated,
    `content_size` decompressed; what is not known of a layer that is not here is null.  `added`, `changed` and
    `removed` count paths against the layers below; they are null where the runtime refuses the image and above a
    layer that is missing.  `verified` is true when every statement that could be compared holds.  `unpack_error`
    says why the listing ends early.
    """

    blob_size: int | None
    """Stored bytes."""
    content_size: int | None
    """Decompressed bytes."""
    compression: Annotated[str, one_of(*Compression, "")]
    media_type: str
    recognised_as: str
    """Format that the annotations of its descriptor name, "" for none."""
    entries: int | None
    """Count of tar members."""
    added: int | None
    """Count of paths."""
    changed: int | None
    """Count of paths."""
    removed: int | None
    """Count of paths."""
    digest: str | None
    diff_id: str | None
    chain_id: str | None
    verified: bool | None
    checks: tuple[LayerCheck, ...]
    unpack_error: str
    location: Location
    urls: tuple[str, ...] = ()
    source: SourceLines | None = None
    """Lines of the Dockerfile that made it, as an attestation states them; null where none does."""


class LayersResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel layers`."""

    image: ImageHead
    layers: tuple[LayerRow, ...]
    anomalies: tuple[Anomaly, ...]


def layers_result(image: LayeredImage) -> LayersResult:
    """Return the rows of an image; its layers are read if they were not."""
    counts = _counts(image)
    chain = image.chain_ids
    rows = []
    for layer in image.layers:
        count = counts.get(layer.index) if layer.readable else None
        rows.append(
            LayerRow(
                **layer_head(layer),
                blob_size=layer.blob_size if layer.record.stored or layer.record.declared_size is not None else None,
                content_size=layer.content_size if layer.readable else None,
                compression=layer.compression,
                media_type=layer.media_type,
                recognised_as=layer.record.label,
                entries=len(layer) if layer.readable else None,
                added=count.added if count is not None else None,
                changed=count.changed if count is not None else None,
                removed=count.removed if count is not None else None,
                digest=layer.digest,
                diff_id=layer.diff_id,
                chain_id=chain[layer.index] if chain else None,
                verified=layer.verified,
                checks=layer.checks,
                unpack_error=layer.error.message if layer.error is not None else "",
                location=layer.location,
                source=image.lines_of(layer.index),
                urls=layer.record.urls,
            )
        )
    return LayersResult(image=image_head(image), layers=tuple(rows), anomalies=image.anomalies)


def _counts(image: LayeredImage) -> dict[int, LayerCounts]:
    """Return what each layer adds, changes and removes; {} where a runtime refuses the image, as it has no rootfs.

    What a layer changes shows against those below: above one that is missing nobody can tell.
    """
    settled = image.knowledge.settled
    return {count.layer: count for count in image.layer_counts() if settled is None or count.layer < settled}
