"""Which history steps wrote which layer (image-spec config.md, `history` and `empty_layer`).

The config lists build steps; those that are not marked empty pair up with the layers in order.  When the counts
differ, which real squashed and hand-made images do, nobody can tell and no step is attributed.  A builder that makes
one layer of many steps marks them all empty and hangs the layer on the last one, which is often a CMD: such a layer
belongs to the steps that can write files.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.oci.config import HistoryStep, ImageConfig

_NAMED = 5
"""Steps of one layer whose words are told."""


def pair_history(config: ImageConfig | None, layers: int) -> tuple[tuple[int, ...], ...]:
    """Return for each layer the indexes of the history steps that wrote it, () for all where history does not tell.

    Several steps mean that they wrote it together, and that which of them changed what cannot be told.
    """
    marked = config.layer_steps if config is not None else ()
    if config is None or len(marked) != layers:
        return ((),) * layers
    history = config.history or ()
    out: list[tuple[int, ...]] = []
    before = 0
    for mark in marked:
        unmarked = range(before, mark)
        before = mark + 1
        out.append(_writers(history, unmarked, mark) if unmarked else (mark,))
    return tuple(out)


def _writers(history: Sequence[HistoryStep], unmarked: range, mark: int) -> tuple[int, ...]:
    """Return the steps that may have written a layer: that of the mark, or those before it that make files."""
    from imagepeel.history.builders import MAKES_FILES, read_step  # start time

    keyword = read_step(history[mark]).keyword
    if not keyword or keyword in MAKES_FILES:
        return (mark,)
    earlier = tuple(index for index in unmarked if read_step(history[index]).keyword in MAKES_FILES)
    # WORKDIR makes its directory: the layer may be its own.
    return (*earlier, mark) if earlier and keyword == "WORKDIR" else earlier or (mark,)


def words_of(history: Sequence[HistoryStep], steps: Sequence[int]) -> str:
    """Return the words of the steps that wrote one layer: of one as it is, of several as lines of a Dockerfile."""
    if len(steps) < 2:
        return history[steps[0]].created_by if steps else ""
    from imagepeel.history.builders import instruction  # start time

    more = f" + {len(steps) - _NAMED} more" if len(steps) > _NAMED else ""
    return " + ".join(instruction(history[step].created_by) for step in steps[:_NAMED]) + more
