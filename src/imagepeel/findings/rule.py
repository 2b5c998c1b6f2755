"""A rule: one small piece of data about a surprise, and one pure check that looks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.evidence import Evidence, Location, Receipt
from imagepeel.findings.finding import Figure, Finding, Lesson, Role, Severity
from imagepeel.findings.semantics.codes import Code, Noted, ViewNote
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

Check = Callable[["Subject"], Iterable[Finding]]
RuleCheck = Callable[["Rule", "Subject"], Iterable[Finding]]
"""A check as its author writes it: it is given the rule, to make findings of it."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue.

    `id` never changes once published; `codes` are other names by which people may ask for it.  `of` is the code of
    the layer surprise that it reports, which `findings/semantics` detects; "" for rules that look themselves.
    `severity` is the worst that the check can report; `lesser` says where it reports less, in words, and what: for
    rules of a layer surprise the words are the degree of a note (`semantics/codes.py`).  `threshold` says from when on
    the rule speaks at all.  `why` is two or three plain sentences, `fix` one, `sources` issue numbers or
    specifications, `advisories` the numbers in `advisories.py` of attacks that it finds.  `check` looks at a
    `Subject` and yields findings; it reads, never writes, and is linear in what it
    looks at.

    Following the fix changes the image, and then the finding is gone; or `decides` says what only a person can
    decide.  `dockerfile` is the fix as lines of a Dockerfile where they are the same for every image.
    """

    id: str
    title: str
    severity: Severity
    lesson: Lesson
    role: Role
    why: str
    fix: str
    check: Check
    decides: str = ""
    dockerfile: tuple[str, ...] = ()
    of: Code | Literal[""] = ""
    lesser: tuple[tuple[str, Severity], ...] = ()
    threshold: str = ""
    codes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    advisories: tuple[str, ...] = ()

    def results(self, subject: Subject) -> tuple[Finding, ...]:
        """Return what the rule finds, asked once: a rule may stand on what others found."""
        known = subject.results.get(self.id)
        if known is None:
            known = subject.results[self.id] = self._with_the_rootless(subject, tuple(self.check(subject)))
        return known

    def _with_the_rootless(self, subject: Subject, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """The findings; the first says what its reason does to engines without overlayfs, so nobody else has to."""
        words = subject.surprises.unlike.because_of(self.of) if found and self.of and self.of != "ROOTLESS" else ""
        if not words:
            return found
        return (msgspec.structs.replace(found[0], details=(*found[0].details, words)), *found[1:])

    def severity_of(self, noted: Noted) -> Severity:
        """How serious a group of notes is."""
        return dict(self.lesser).get(noted.degree, self.severity)

    def noted(
        self,
        subject: Subject,
        noted: Noted,
        message: str = "",
        *places: Location,
        profiles: tuple[str, ...] = (),
        details: Iterable[str] = (),
        figures: Iterable[Figure] = (),
    ) -> Finding:
        """Make the finding of one group of notes: its degree gives the severity, its notes the places.

        Without a `message` the notes speak: the first one, how many more there are, and the others that are listed.
        `places` stand beside those of the notes.
        """
        told = [_told(subject, note) for note in noted.notes]
        if not message:
            more = noted.count - 1
            message = told[0] + (f"; {plural(more, 'more place')} like it" if more else "")
            details = (*dict.fromkeys(words for words in told[1:] if words != told[0]), *details)
        return self.report(
            message,
            *[subject.noted_place(note) for note in noted.notes],
            *places,
            severity=self.severity_of(noted),
            profiles=profiles,
            details=details,
            figures=figures,
        )

    def report(
        self,
        message: str,
        *places: Location | tuple[Location, str],
        severity: Severity | Literal[""] = "",
        fix: str = "",
        dockerfile: Iterable[str] = (),
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
            dockerfile=tuple(dockerfile),
            profiles=profiles,
            details=tuple(details),
            figures=tuple(figures),
            show=tuple(show for _, show in pairs),
        )


def rule(
    id: str,
    title: str,
    severity: Severity,
    lesson: Lesson,
    role: Role,
    *,
    why: str,
    fix: str,
    codes: str = "",
    sources: str = "",
    of: Code | Literal[""] = "",
    lesser: Mapping[str, Severity] | None = None,
    threshold: str = "",
    advisories: str = "",
    decides: str = "",
    dockerfile: tuple[str, ...] = (),
) -> Callable[[RuleCheck], Rule]:
    """Turn a check into a `Rule`; `codes`, `sources` and `advisories` are separated by commas, `of` is one more code.

    The decorated function gets the rule itself first, so that it can make findings of it.
    """

    def make(check: RuleCheck) -> Rule:
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
            of=of,
            lesser=tuple((lesser or {}).items()),
            threshold=threshold,
            codes=_words(f"{codes}, {of}"),
            sources=_words(sources),
            advisories=_words(advisories),
            decides=" ".join(decides.split()),
            dockerfile=dockerfile,
            check=bound,
        )
        return made

    return make


def by_notes(*profiles: str) -> RuleCheck:
    """Return the check of a rule whose notes say all there is to say, on the engines of `profiles` or on all."""

    def check(rule: Rule, subject: Subject) -> Iterable[Finding]:
        return [rule.noted(subject, noted, profiles=profiles) for noted in subject.surprises.of(rule.of)]

    return check


def _told(subject: Subject, note: ViewNote) -> str:
    """A note as a sentence of its own: with its path and its layer in front."""
    where = note.where
    if where.layer is None:
        return note.message
    label = subject.layers[where.layer].label
    if where.path is None or where.path in note.message:
        return f"layer {label}: {note.message}"
    return f"{where.path} of {label}: {note.message}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _show(place: Location) -> str:
    if place.pointer is not None:
        return "config"
    if place.entry is not None:
        return "entry"
    return "layer" if place.layer is not None else "archive"
