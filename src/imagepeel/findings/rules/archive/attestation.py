"""What the builder states beside the image, against what the image says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import Location
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.history.attested import Disagreement, lines_in_words
from imagepeel.text import plural, shortened

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_MOST = 10


@rule(
    "ATTESTATION-DISAGREES",
    "The attested Dockerfile and the history tell different builds",
    "medium",
    "headcount",
    "infosec",
    why="""BuildKit can put the Dockerfile beside the image, with the lines of each build step and the layers that it
    made.  Neither that nor the history is signed: both are claims of who wrote the archive.  Where they contradict each
    other, at least one of them is not how the image was made.  A statement about another image, or one that cannot be
    read, is not used at all.""",
    fix="build the image again from the source that you trust, and sign what the builder states",
    lesser={"a statement that cannot be used": "low"},
    sources="BuildKit docs/attestations/slsa-definitions.md, BuildKit docs/attestations/attestation-storage.md",
    decides="whether the Dockerfile is the one that the image was built from",
)
def attestation_disagrees(rule: Rule, subject: Subject) -> Iterator[Finding]:
    stated = subject.image.attestations
    found = subject.image.disagreements
    if found and stated.attested is not None:
        first = _told(subject, found[0])
        more = len(found) - 1
        message = first + (f"; {plural(more, 'more step')} like it" if more else "")
        details = tuple(_told(subject, one) for one in found[1:_MOST])
        yield rule.report(message, *(_place(subject, one) for one in found[:_MOST]), details=details)
    for words in stated.wrong:
        yield rule.report(words, Location(member=subject.image.record.manifest_member or None), severity="low")


def _told(subject: Subject, found: Disagreement) -> str:
    if found.layer is None or found.lines is None:
        return "the attested build steps made other layers than the image has"
    label = subject.layers[found.layer].label
    stated, told = shortened(found.stated, 60), shortened(found.told, 60)
    return f"{label}: {lines_in_words(found.lines)} of the attested Dockerfile says {stated!r}, the history {told!r}"


def _place(subject: Subject, found: Disagreement) -> Location:
    if found.layer is None:
        return Location(pointer="/history")
    step = subject.layers[found.layer].step
    return subject.pointer(f"/history/{step}/created_by", step) if step is not None else Location(layer=found.layer)
