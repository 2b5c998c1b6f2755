"""Which history step made which layer (image-spec config.md, `history` and `empty_layer`).

The config lists build steps; those that are not marked empty pair up with the layers in order.  When the counts
differ, which real squashed and hand-made images do, nobody can tell and no step is attributed.
"""

from __future__ import annotations

from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.config import ImageConfig


def pair_history(config: ImageConfig | None, layers: int) -> tuple[tuple[int | None, ...], tuple[Anomaly, ...]]:
    """Return for each layer the index of its history step or None, and what was odd."""
    unknown: tuple[int | None, ...] = (None,) * layers
    if config is None:
        return unknown, ()
    if config.history is None or not config.history:
        return unknown, (_note("HISTORYMISSING", "the config has no history: no step can be named for any layer"),)
    steps = config.layer_steps
    if len(steps) != layers:
        return unknown, (
            _note(
                "HISTORYMISMATCH",
                f"history names {len(steps)} steps that made layers, the image has {layers}: no step is attributed",
            ),
        )
    return steps, ()


def _note(code: str, message: str) -> Anomaly:
    return Anomaly(code=code, message=message, where=Location(pointer="/history"))
