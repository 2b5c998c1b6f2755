"""What a rule found in one image: a sentence with real values, the places that prove it, and figures that add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    value: int
    where: Location = Location()


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number with its addends; `total` is the sum of all of them.

    `parts` may list only the largest addends: `rest` then says how many are left out and what they come to, so
    that a person can still add up.  `unit` is bytes, files, layers or entries.
    """

    what: str
    unit: str
    total: int
    parts: tuple[Part, ...] = ()
    rest: Part | None = None

    @property
    def adds_up(self) -> bool:
        """Whether the parts and the rest come to the total."""
        return sum(part.value for part in self.parts) + (self.rest.value if self.rest else 0) == self.total


def figure(what: str, unit: str, values: Sequence[int], label: Callable[[int], str], most: int = 10) -> Figure:
    """Add up: the largest `most` parts by name, the others as one rest.

    `label` names the part of an index; only parts that may be among the largest are named.
    """
    least = sorted(values, reverse=True)[:most][-1] if values else 0
    shown = [Part(label=label(i), value=value) for i, value in enumerate(values) if value >= least]
    shown = sorted(shown, key=lambda part: (-part.value, part.label))[:most]
    left, total = len(values) - len(shown), sum(values)
    rest = Part(label=f"{left:,} more", value=total - sum(part.value for part in shown)) if left else None
    return Figure(what=what, unit=unit, total=total, parts=tuple(shown), rest=rest)


def columns(parts: Sequence[tuple[str, int]]) -> tuple[list[int], Callable[[int], str]]:
    """(label, value) pairs as `figure` takes them."""
    return [value for _, value in parts], [label for label, _ in parts].__getitem__


class Finding(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One surprise of one image.

    `rule` is the id of its page; `message` one plain sentence with real values; `evidence` the places, most direct
    first, and their receipts; `fix` what to do, where the finding knows better than its rule; `profiles` the
    engines for which it was proved, () for all; `details` further sentences; `figures` the numbers.
    `show` says per location how it is best looked at: `file` (its text), `inspect FILTER` (its bytes through that
    filter), `entry` (the tar header), `config` (a JSON pointer into the image config), `layer` (the stored blob) or
    `archive`; `secret-file` and `secret-config` are the same for what must not stand in a receipt.
    Text from the image stands here unescaped, secrets never do.
    """

    rule: str
    severity: Severity
    message: str
    evidence: Evidence = Evidence()
    fix: str = ""
    profiles: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    show: tuple[str, ...] = ()

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
    """Worst first, then by rule and place: the same image always gives the same list."""
    return SEVERITIES.index(found.severity), found.rule, found.key, found.message
