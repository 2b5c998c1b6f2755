"""Which build step made an image larger than its former version: the growth as a sum over steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel._lazy import late
from imagepeel.history.builders import instruction

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

_SUM = late(r"\b(?:file|dir|multi):[0-9a-f]{64}\b")
"""What the classic builder writes in place of what is copied: another one with each change of the content."""


class StepSize(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A layer of one version of an image."""

    layer: int
    """Index from 0, base first."""
    diff_id: str
    words: str
    """The step that made it, as a line of a Dockerfile; "" where the history does not tell."""
    size: int
    """Decompressed bytes."""


class StepGrowth(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A step whose layer is another one than before, and by how much it has grown."""

    layer: int | None
    """Index from 0 of its layer, base first; None where the image has the step no more."""
    words: str
    """The step, as a line of a Dockerfile; "" where the history does not tell."""
    before: int | None
    """Decompressed bytes of its layer in the former version; None where the step is new."""
    after: int | None
    """The same of the image that is checked; None where the step is gone."""
    grown: int
    """Bytes more than before, or less where it is negative."""


def step_sizes(image: LayeredImage) -> tuple[StepSize, ...]:
    """Return the layers of an image that could be read, base first; they are read for it."""
    image.scan()
    return tuple(
        StepSize(
            layer=layer.index,
            diff_id=layer.facts.diff_id or "",
            words=instruction(layer.created_by) if layer.created_by else "",
            size=layer.content_size,
        )
        for layer in image.layers
        if layer.facts is not None
    )


def growth_by_step(old: Sequence[StepSize], new: Sequence[StepSize]) -> tuple[StepGrowth, ...]:
    """Return the steps that make the difference in size of two versions, the one that grew most first.

    Layers of one DiffID are the same, and no step.  Of the others those are one step whose history line has the same
    words, in their order; the rest is new or gone.  The growth of all steps adds up to that of the image.
    """
    kept: dict[str, int] = defaultdict(int)
    for one in old:
        kept[one.diff_id] += 1
    fresh = []
    for one in new:
        if one.diff_id and kept[one.diff_id]:
            kept[one.diff_id] -= 1
        else:
            fresh.append(one)
    former: dict[str, list[StepSize]] = defaultdict(list)
    for one in reversed(old):
        if not one.diff_id or kept[one.diff_id]:
            kept[one.diff_id] -= 1
            former[_likeness(one)].insert(0, one)
    found = []
    for one in fresh:
        like = former[_likeness(one)]
        before = like.pop(0).size if one.words and like else None
        found.append(_grown(one.layer, one.words, before, one.size))
    found += [_grown(None, one.words, one.size, None) for left in former.values() for one in left]
    return tuple(sorted(found, key=lambda step: (-step.grown, step.layer is None, step.layer or 0, step.words)))


def _grown(layer: int | None, words: str, before: int | None, after: int | None) -> StepGrowth:
    return StepGrowth(layer=layer, words=words, before=before, after=after, grown=(after or 0) - (before or 0))


def _likeness(step: StepSize) -> str:
    return _SUM.sub("", step.words)
