"""A rule: one small piece of data about a surprise, and one pure check that looks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import Evidence, Location, Receipt
from imagepeel.findings.finding import Figure, Finding

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

Check = Callable[["Subject"], Iterable[Finding]]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue.

    `id` never changes once published; `codes` are the other names of the same thing: W1..W73 of the surprise
    table, those of failures (`docs/reference/failures.md`), upper-case words of the layer semantics.  `severity` is
    the worst that the check can report.  `why` is two or three plain sentences, `fix` one, `sources` issue numbers
    or specifications.
    `check` looks at a `Subject` and yields findings; it reads, never writes, and is linear in what it looks at.
    """

    id: str
    title: str
    severity: str
    lesson: str
    role: str
    why: str
    fix: str
    check: Check
    codes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def results(self, subject: Subject) -> tuple[Finding, ...]:
        """Return what the rule finds, asked once: a rule may stand on what others found."""
        known = subject.results.get(self.id)
        if known is None:
            known = subject.results[self.id] = tuple(self.check(subject))
        return known

    def found(
        self,
        message: str,
        *places: Location | tuple[Location, str],
        severity: str = "",
        fix: str = "",
        profiles: tuple[str, ...] = (),
        details: Iterable[str] = (),
        figures: Iterable[Figure] = (),
        receipts: Iterable[Receipt] = (),
    ) -> Finding:
        """Make a finding of this rule; a place may come with the way it is best shown."""
        pairs = [place if isinstance(place, tuple) else (place, _show(place)) for place in places]
        return Finding(
            rule=self.id,
            severity=severity or self.severity,
            message=message,
            evidence=Evidence(locations=tuple(place for place, _ in pairs), receipts=tuple(receipts)),
            fix=fix,
            profiles=profiles,
            details=tuple(details),
            figures=tuple(figures),
            show=tuple(show for _, show in pairs),
        )


def rule(
    id: str,
    title: str,
    severity: str,
    lesson: str,
    role: str,
    why: str,
    fix: str,
    codes: str = "",
    sources: str = "",
) -> Callable[[Callable[[Rule, Subject], Iterable[Finding]]], Rule]:
    """Turn a check into a `Rule`; `codes` and `sources` are separated by commas.

    The decorated function gets the rule itself first, so that it can make findings of it.
    """

    def make(check: Callable[[Rule, Subject], Iterable[Finding]]) -> Rule:
        def bound(subject: Subject) -> Iterable[Finding]:
            return check(made, subject)

        made = Rule(
            id=id,
            title=title,
            severity=severity,
            lesson=lesson,
            role=role,
            why=" ".join(why.split()),
            fix=" ".join(fix.split()),
            codes=_words(codes),
            sources=_words(sources),
            check=bound,
        )
        return made

    return make


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _show(place: Location) -> str:
    if place.pointer is not None:
        return "config"
    if place.entry is not None:
        return "entry"
    return "layer" if place.layer is not None else "archive"
