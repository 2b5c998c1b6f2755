"""`imagepeel layers`: one row a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.results.tables import CheckResult, LayerRow, LayersResult, image_head

if TYPE_CHECKING:
    from imagepeel.api import Image
    from imagepeel.rootfs.layer_events import LayerCounts


_EXAMPLES = (
    "\b\nExamples:\n  imagepeel layers image.tar\n  imagepeel layers image.tar --json | jq '.result.layers[].digest'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@common.json
@common.settings
def command(settings: Settings) -> None:
    """One row a layer: what made it, how big it is, what it changed.

    Base first.  Sizes are stored and decompressed bytes; +added ~changed -removed count paths against the layers
    below, as containerd and overlayfs see them.  ok means that every digest and size that is stated was computed
    from the bytes and fits.
    """
    with settings.open() as archive:
        image = settings.scanned(archive)
        result = layers_result(image)
        if settings.json:
            from imagepeel.render.json import dumps

            click.echo(dumps("layers", result))
        else:
            from imagepeel.render.terminal_tables import print_layers

            print_layers(settings.console(), result)
        settings.finish(image)


def layers_result(image: Image) -> LayersResult:
    """Return the rows of an image; its layers are read if they were not."""
    counts = _counts(image)
    chain = image.chain_ids
    rows = []
    for layer in image.layers:
        count = counts.get(layer.index) if layer.readable else None
        rows.append(
            LayerRow(
                index=layer.index,
                label=layer.label,
                state=layer.state,
                step=layer.step,
                created_by=layer.history.created_by if layer.history is not None else "",
                blob_size=layer.blob_size,
                content_size=layer.content_size,
                compression=layer.compression,
                media_type=layer.media_type,
                recognised_as=layer.record.label,
                entries=len(layer),
                added=count.added if count is not None else None,
                changed=count.changed if count is not None else None,
                removed=count.removed if count is not None else None,
                digest=layer.digest,
                diff_id=layer.diff_id,
                chain_id=chain[layer.index] if chain else None,
                verified=layer.verified,
                checks=tuple(
                    CheckResult(what=c.what, stated=c.stated, actual=c.actual, ok=c.ok, why=c.why) for c in layer.checks
                ),
                unpack_error=layer.error.message if layer.error is not None else "",
                location=layer.location,
                urls=layer.record.urls,
            )
        )
    return LayersResult(image=image_head(image), layers=tuple(rows), anomalies=image.anomalies)


def _counts(image: Image) -> dict[int, LayerCounts]:
    """Return what each layer adds, changes and removes; {} where a runtime refuses the image, as it has no rootfs."""
    return {count.layer: count for count in image.layer_counts()}
