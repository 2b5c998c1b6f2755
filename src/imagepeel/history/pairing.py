"""Which history step made which layer (image-spec config.md, `history` and `empty_layer`).

The config lists build steps; those that are not marked empty pair up with the layers in order.  When the counts
differ, which real squashed and hand-made images do, nobody can tell and no step is attributed.
"""

from __future__ import annotations

from imagepeel.oci.config import ImageConfig


def pair_history(config: ImageConfig | None, layers: int) -> tuple[int | None, ...]:
    """Return for each layer the index of its history step, None for all of them where history does not tell."""
    steps = config.layer_steps if config is not None else ()
    return steps if len(steps) == layers else (None,) * layers
