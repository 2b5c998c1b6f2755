"""What a rule found in one image: a sentence with real values, the places that prove it, and figures that add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Literal, get_args

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Evidence, Location

Severity = Literal["high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Worst first.  `docs/explanation/findings.md` says what earns which."""

Lesson = Literal["strengths", "weaknesses", "friends", "headcount"]
LESSONS: tuple[Lesson, ...] = get_args(Lesson)
"""The four lessons of operating containers, in the order of the manual."""

Role = Literal[
    "operations",
    "deployments",
    "tooling",
    "monitoring",
    "kernel",
    "networking",
    "infosec",
    "internal adoption",
    "project management",
]
ROLES: tuple[Role, ...] = get_args(Role)
"""Who owns a surprise."""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One addend of a figure: what it is of, and how many."""

    label: str
    """What it is of."""
    value: int
    """How many, in the unit of the figure."""
    where: Location = Location()
    """Its place; empty when it has none."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number with its addends; `total` is the sum of all of them.

    `parts` may list only the largest addends: `rest` then says how many are left out and what they come to, so
    that a person can still add up.  `unit` is bytes, files, layers or entries.
    """

    what: str
    """What is counted, in words."""
    unit: str
    """bytes, files, layers or entries."""
    total: int
    """Sum of all addends."""
    parts: tuple[Part, ...] = ()
    """Largest first."""
    rest: Part | None = None
    """What the parts leave out; None when they are all."""

    @property
    def adds_up(self) -> bool:
        """Whether the parts and the rest come to the total."""
        return sum(part.value for part in self.parts) + (self.rest.value if self.rest else 0) == self.total


def figure(what: str, unit: str, values: Sequence[int], label: Callable[[int], str], most: int = 10) -> Figure:
    """Return the sum of `values` with its largest addends by name and the others as one rest.

    Arguments: `what` and `unit` are those of the figure; `label` names the value of an index; at most `most` parts (1
    or more) are listed.  Only values that may be among the largest are named.  Parts are sorted by value, largest
    first, then by label.
    """
    least = sorted(values, reverse=True)[:most][-1] if values else 0
    named = (Part(label=label(i), value=value) for i, value in enumerate(values) if value >= least)
    shown = nsmallest(most, named, key=lambda part: (-part.value, part.label))
    left, total = len(values) - len(shown), sum(values)
    rest = Part(label=f"{left:,} more", value=total - sum(part.value for part in shown)) if left else None
    return Figure(what=what, unit=unit, total=total, parts=tuple(shown), rest=rest)


def columns(parts: Sequence[tuple[str, int]]) -> tuple[list[int], Callable[[int], str]]:
    """Return (label, value) pairs as the `values` and the `label` that `figure` takes."""
    return [value for _, value in parts], [label for label, _ in parts].__getitem__


class Finding(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One surprise of one image.

    `rule` is the id of its page; `message` one plain sentence with real values; `evidence` the places, most direct
    first, and their receipts; `fix` what to do, where the finding knows better than its rule, and `dockerfile` the same
    as lines to paste; `profiles` the engines for which it was proved, () for all; `details` further sentences;
    `figures` the numbers.  `show` says per location how it is best looked at: `file` (its text), `inspect FILTER` (its
    bytes through that filter), `entry` (the tar header), `config` (a JSON pointer into the image config), `layer` (the
    stored blob) or `archive`; `secret-file` and `secret-config` are the same for what must not stand in a receipt.
    Text from the image stands here unescaped, secrets never do.
    """

    rule: str
    """Id of its rule and page."""
    severity: Severity
    """How bad it is."""
    message: str
    """One plain sentence with real values."""
    evidence: Evidence = Evidence()
    """Places, most direct first, and their receipts."""
    fix: str = ""
    """What to do, where the finding knows better than its rule; else ""."""
    dockerfile: tuple[str, ...] = ()
    """The fix as lines of a Dockerfile, where it can be one and the finding knows better than its rule."""
    profiles: tuple[str, ...] = ()
    """Engines for which it was proved, () for all."""
    details: tuple[str, ...] = ()
    """Further sentences."""
    figures: tuple[Figure, ...] = ()
    """Numbers that add up."""
    show: tuple[str, ...] = ()
    """How each location is best looked at, in the order of the locations."""

    def __repr__(self) -> str:
        return f"<Finding {self.severity} {self.rule}: {self.message[:200]!r}>"

    @property
    def locations(self) -> tuple[Location, ...]:
        """The places of the evidence."""
        return self.evidence.locations

    @property
    def key(self) -> str:
        """What stays the same when the image is built again: the rule and the place without offsets and numbers.

        A baseline remembers findings by it.
        """
        for place in self.evidence.locations:
            if place.path is not None:
                return f"{self.rule} {place.path}"
            if place.pointer is not None:
                return f"{self.rule} #{place.pointer}"
        return self.rule


def order(found: Finding) -> tuple[int, str, str, str]:
    """Return the key that sorts findings worst first, then by rule and place: one image always gives one list."""
    return SEVERITIES.index(found.severity), found.rule, found.key, found.message
