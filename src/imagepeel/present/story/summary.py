"""Below the title line: what the image becomes or why not, and how much surprises, each in one sentence."""

from __future__ import annotations

from imagepeel.findings.finding import SEVERITIES
from imagepeel.present.document import Claim, Span, claim, proof, value
from imagepeel.present.prediction import engine_name, ground, process_one, verdict_kind, verdict_word
from imagepeel.present.story.context import StoryContext
from imagepeel.present.story.process_proof import verdict_proof
from imagepeel.process.spec.failure import Outcome
from imagepeel.tables import not_for_linux
from imagepeel.text import few, joined, listed, noun, title, without_middle

_REASON = 160
"""Characters of a reason; its chapter has it whole."""


def summary(context: StoryContext) -> tuple[Claim, ...]:
    """Return the sentences that stand before the first chapter, those of an artifact without a process."""
    surprises = _surprises(context)
    return (surprises,) if context.knowledge.artifact else (_becomes(context), surprises)


def _becomes(context: StoryContext) -> Claim:
    found = context.prediction
    if found is None or not_for_linux(context.image.os, context.image.architecture):
        foreign = f"It is for {context.image.platform}, and known here is how Linux starts a process."
        told = foreign if found is not None else "Which process it becomes is not written here."
        return claim(told, by=proof(context.archive_place(), context.receipts.listing()), level="warn")
    verdict = found.verdict
    parts: list[Span | str] = []
    if verdict.kind is Outcome.RUNS and found.pid1 is not None:
        parts += ["It becomes ", *process_one(found.pid1), ": "]
    same = [label for label, other in context.verdicts[1:] if other.kind is verdict.kind]
    more = f" and {few(len(same))} more {noun(len(same), 'engine')}" if same else ""
    parts += [verdict_word(verdict.kind), " on ", value(engine_name(found.engine)), more]
    if verdict.kind is not Outcome.RUNS and (why := ground(verdict)):
        parts.append(f": {without_middle(why, _REASON)}")
    parts.append(".")
    for kind in dict.fromkeys(other.kind for _, other in context.verdicts if other.kind is not verdict.kind):
        engines = joined([engine_name(label) for label, other in context.verdicts if other.kind is kind])
        parts += [" It ", verdict_word(kind), " on ", engines, "."]
    return claim(*parts, by=verdict_proof(context, found), level="bad" if verdict_kind(verdict.kind) == "bad" else "")


def _surprises(context: StoryContext) -> Claim:
    found = [finding for finding in context.findings if finding.severity != "info"]
    by = proof(context.archive_place(), context.receipts.listing())
    if not found:
        told = "Nothing surprised us"
        if not_for_linux(context.image.os, context.image.architecture):
            told += ", and rules about a start were not asked"
        return claim(f"{told}.", by=by)
    counts = [(sum(finding.severity == severity for finding in found), severity) for severity in SEVERITIES]
    told = listed([f"{few(count)} {severity}" for count, severity in counts if count])
    what = title(f"{few(len(found))} {noun(len(found), 'surprise')}")
    told = told if len(found) > 1 else found[0].severity
    return claim(what, ": ", told, ".", by=context.by(found[0]), level="bad" if found[0].severity == "high" else "")
