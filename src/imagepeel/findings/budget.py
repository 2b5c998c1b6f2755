"""What an image may cost: limits that a team sets, what of them is spent, and the build step to blame.

Sizes are decompressed bytes of all layers, as `layers` and `docker images` count them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.findings.growth import StepGrowth, StepSize, growth_by_step, step_sizes
from imagepeel.text import in_bytes, number, percent, plural, size

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer

Measure = Literal["size", "waste", "layers", "growth"]
"""What a budget limits."""

_PERCENT = late(r"(\d{1,4})(?:\.(\d{1,4}))?\s?%")


class Bound(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A limit in bytes, or as a part of something: exactly one of both is set."""

    bytes: int | None = None
    part: float | None = None
    """0.0 and more; 0.1 is 10 %."""

    def of(self, whole: int) -> int:
        """The limit in bytes where `whole` is 100 %."""
        return self.bytes if self.bytes is not None else int((self.part or 0.0) * whole)


class Against(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The image that growth is measured from."""

    name: str
    size: int
    """Decompressed bytes of its layers."""
    steps: tuple[StepSize, ...]
    """Its layers, base first."""
    complete: bool
    """False when a layer is missing or damaged: it may be larger than `size`."""


class Budget(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a team; None is no limit."""

    size: int | None = None
    """Most decompressed bytes of all layers."""
    waste: Bound | None = None
    """Most bytes that nothing can read any more; a part is one of the file content that is shipped."""
    layers: int | None = None
    """Most layers."""
    growth: Bound | None = None
    """Most bytes more than `against` has; a part is one of the size of that."""
    against: Against | None = None


class Spent(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One limit, what of it is spent, and whether that is too much."""

    measure: Measure
    used: int
    """Bytes, or a count of layers; what is known where `whole` is false."""
    limit: int | None
    """The same unit; None where nothing limits it and it is told only."""
    over: bool
    whole: bool
    """False where a layer is missing or damaged, so that more may be used."""
    blame: int | None = None
    """Index from 0 of the layer that costs most of it."""
    blame_bytes: int = 0
    """What that layer costs of it."""
    note: str = ""
    """What is to be said beside: room below the limit of engines, or what is compared."""
    steps: tuple[StepGrowth, ...] = ()
    """Of growth: the steps that add up to it, the one that grew most first."""

    @property
    def words(self) -> str:
        """What is used and what may be: `1.23 MB of 2.00 MB`."""
        least = "" if self.whole else "at least "
        if self.measure == "layers":
            return f"{least}{number(self.used)} of {plural(self.limit or 0, 'layer')}"
        used = size(self.used) if self.used >= 0 else f"-{size(-self.used)}"
        return f"{least}{used}" + (f" of {size(self.limit)}" if self.limit is not None else "")


def read_size(word: str, name: str) -> int:
    """Return the bytes of `200MB`, `1.5G` or `4096`.  UsageError, which says that `name` is wrong, for another word."""
    found = in_bytes(word)
    if found is None:
        raise UsageError(f"{name} is {word!r}, which is no size", hint="write 200MB, 1.5G or a number of bytes")
    return found


def read_bound(word: str, name: str) -> Bound:
    """Return the bound of `20MB` or `5%`.  UsageError, which says that `name` is wrong, for another word."""
    if (found := _PERCENT.fullmatch(word.strip())) is not None:
        return Bound(part=float(f"{found[1]}.{found[2] or 0}") / 100)
    if in_bytes(word) is None:
        raise UsageError(f"{name} is {word!r}, neither a size nor a part", hint="write 20MB or 5%")
    return Bound(bytes=read_size(word, name))


def against_of(image: LayeredImage, name: str) -> Against:
    """Return what growth is measured from; the layers of the image are read."""
    image.scan()
    layers = image.layers
    return Against(
        name=name,
        size=sum(layer.content_size for layer in layers if layer.facts is not None),
        steps=step_sizes(image),
        complete=not image.knowledge.lacks_layers and all(layer.readable for layer in layers),
    )


def spent(image: LayeredImage, budget: Budget) -> tuple[Spent, ...]:
    """Return each limit of a budget and what the image spends of it.

    The waste is accounted for only where it is limited: that reads files again.
    """
    image.scan()
    known = [layer for layer in image.layers if layer.facts is not None]
    whole = not image.knowledge.lacks_layers and all(layer.readable for layer in image.layers)
    total = sum(layer.content_size for layer in known)
    shared = {step.diff_id for step in budget.against.steps} if budget.against is not None else set()
    own = [layer for layer in known if layer.facts is not None and layer.facts.diff_id not in shared]
    out = []
    if budget.size is not None:
        worst, costs = _largest(own or known)
        out.append(
            Spent(measure="size", used=total, limit=budget.size, over=total > budget.size, whole=whole, blame=worst,
                  blame_bytes=costs)
        )  # fmt: skip
    if budget.waste is not None:
        out.append(_wasted(image, budget.waste, whole=whole))
    if budget.layers is not None:
        count = len(image.layers)
        out.append(
            Spent(measure="layers", used=count, limit=budget.layers, over=count > budget.layers, whole=whole,
                  note=_headroom(count))
        )  # fmt: skip
    if budget.against is not None:
        out.append(_growth(image, budget.against, budget.growth, whole=whole))
    return tuple(out)


def _growth(image: LayeredImage, against: Against, bound: Bound | None, *, whole: bool) -> Spent:
    new = step_sizes(image)
    grown = sum(step.size for step in new) - against.size
    limit = None if bound is None else bound.of(against.size)
    steps = growth_by_step(against.steps, new)
    worst = next((step for step in steps if step.layer is not None and step.grown > 0), None)
    beside = "" if against.complete else ", of which a layer is missing: growth cannot be told"
    return Spent(
        measure="growth",
        used=grown,
        limit=limit,
        over=limit is not None and grown > limit and against.complete,
        whole=whole and against.complete,
        blame=worst.layer if worst is not None else None,
        blame_bytes=worst.grown if worst is not None else 0,
        note=f"since {against.name} ({size(against.size)}){beside}",
        steps=steps,
    )


def _largest(layers: Sequence[Layer]) -> tuple[int | None, int]:
    worst = max(layers, key=lambda layer: layer.content_size, default=None)
    return (None, 0) if worst is None else (worst.index, worst.content_size)


def _wasted(image: LayeredImage, bound: Bound, *, whole: bool) -> Spent:
    from imagepeel.rootfs.layer_diff import has_uppers  # start time
    from imagepeel.rootfs.layer_events import lost_files, unseen_files  # start time
    from imagepeel.rootfs.usage import usage  # start time

    rootfs = image.rootfs
    # Why a file is lost, `waste` tells, for which files are read again; the sums stand in the columns.
    if has_uppers(rootfs):
        lost = [(one.by, one.size) for one in lost_files(rootfs)]
    else:
        lost = [(layer, entry.stored_size) for layer, entry in unseen_files(rootfs)]
    by_layer: dict[int, int] = {}
    for culprit, count in lost:
        by_layer[culprit] = by_layer.get(culprit, 0) + count
    worst = max(by_layer, key=lambda layer: (by_layer[layer], -layer), default=None)
    unreachable = sum(by_layer.values())
    files = usage(rootfs, depth=0, largest=0).total.stored + unreachable
    limit = bound.of(files)
    return Spent(
        measure="waste",
        used=unreachable,
        limit=limit,
        over=unreachable > limit,
        whole=whole,
        blame=worst,
        blame_bytes=by_layer[worst] if worst is not None else 0,
        note=f"{percent(unreachable / files if files else 0.0)} of the file content",
    )


def _headroom(count: int) -> str:
    """How many layers may be added until engines refuse the image."""
    from imagepeel.process.engines.registry import layer_limit  # start time

    engine, most = layer_limit()
    left = most - count
    room = f"{number(left)} left" if left >= 0 else f"{number(-left)} too many"
    return f"{engine} takes {number(most)}: {room}"
