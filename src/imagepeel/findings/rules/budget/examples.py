"""The bad and the good image of each rule of the family `budget`, with the limits that they are held against."""

from __future__ import annotations

from imagepeel.findings.budget import Against, Bound, Budget
from imagepeel.findings.example import Example
from imagepeel.forge.entry import file
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import add, sound

_LIMIT = 1_000_000
_WASTE = Bound(bytes=2000)


def _large() -> ImageSpec:
    return sound(add(file("srv/data", b"x" * (_LIMIT + 1))))


def _rewritten() -> ImageSpec:
    return sound(add(file("srv/data", b"x" * 3000)), add(file("srv/data", b"y" * 3000)))


def _tall() -> ImageSpec:
    return sound(*(add(file(f"srv/{number}", b"")) for number in range(9)))


EXAMPLES: dict[str, Example] = {
    "BUDGET-SIZE": Example(bad=_large, good=sound, budget=Budget(size=_LIMIT), options="--max-size 1MB"),
    "BUDGET-WASTE": Example(bad=_rewritten, good=sound, budget=Budget(waste=_WASTE), options="--max-waste 2kB"),
    "BUDGET-LAYERS": Example(bad=_tall, good=sound, budget=Budget(layers=8), options="--max-layers 8"),
    "BUDGET-GROWTH": Example(
        bad=_large,
        good=sound,
        budget=Budget(growth=Bound(part=2.0), against=Against(name="old.tar", size=10_000, steps=(), complete=True)),
        options="--against good.tar --max-growth 200%",
    ),
}
