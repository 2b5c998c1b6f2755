"""What `packages --json` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import UsageError
from imagepeel.packages.inventory import Inventory, Package
from imagepeel.packages.sbom import SbomComparison, sboms_of
from imagepeel.results.head import ImageHead, LayerHead, image_head, layer_head
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


class PackageLayer(LayerHead, frozen=True, kw_only=True):
    """What one layer did to the packages, counted."""

    installed: int
    """Count of packages that it installed."""
    changed: int
    """Count of packages of which it brought another version."""
    removed: int
    """Count of packages that it removed."""
    unclaimed: int
    """Bytes of its files that the image shows and no package claims."""


class PackagesResult(Inventory, frozen=True, kw_only=True):
    """The packages of an image, or what one layer did to them, and which image it is about."""

    image: ImageHead
    layer: int | None
    """Index from 0 of the layer that was asked for, to whose packages the result is limited; None for all."""
    layers: tuple[PackageLayer, ...]
    """Base first."""
    sboms: tuple[SbomComparison, ...]
    """What SBOMs in the archive list of this image, against what is there."""


def packages_result(image: LayeredImage, layer: int | None = None) -> PackagesResult:
    """Return the packages of an image, or with `layer` (an index from 0) those that it installed, changed or removed.

    UsageError when there is no such layer; LimitExceeded on bombs.
    """
    from imagepeel.packages.inventory import inventory  # start time

    if layer is not None and not 0 <= layer < len(image.layers):
        raise UsageError(
            f"there is no layer with index {layer}", hint=f"the image has {plural(len(image.layers), 'layer')}"
        )
    found = image.derived(inventory)
    counts: dict[tuple[int, str], int] = {}
    for package in found.packages:
        for event in package.events:
            counts[event.layer, event.what] = counts.get((event.layer, event.what), 0) + 1
    fields = msgspec.structs.asdict(found)
    if layer is not None:
        fields["packages"] = tuple(package for package in found.packages if _touched(package, layer))
    return PackagesResult(
        **fields,
        image=image_head(image),
        layer=layer,
        layers=tuple(
            PackageLayer(
                **layer_head(one),
                installed=counts.get((one.index, "installed"), 0),
                changed=counts.get((one.index, "changed"), 0),
                removed=counts.get((one.index, "removed"), 0),
                unclaimed=found.unclaimed_by_layer.get(one.index, 0),
            )
            for one in image.layers
        ),
        sboms=sboms_of(image, found),
    )


def _touched(package: Package, layer: int) -> bool:
    return any(event.layer == layer for event in package.events)
