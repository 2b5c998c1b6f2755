"""Lesson 4: headcount, and the question at the end.  Facts go to roles; what only an organisation knows is asked."""

from __future__ import annotations

from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.finding import ROLES, SEVERITIES, Finding
from imagepeel.present.document import Block, Column, Row, Span, Table, bad, claim, good, note, warn, words
from imagepeel.present.manual.facts import Answer, Operator, question, sentence
from imagepeel.text import plural

_EACH = 3

OPEN_QUESTIONS = (
    "How large is the platform it will run on, and who pays for it when nobody is looking?",
    "How many people can be woken up for it, and do they know what a container is?",
    "Who supports the base image, and who rebuilds this one when that one gets a fix?",
    "Is this one service of many, or a monolith that a single machine would serve as well?",
    "Where is the state, who backs it up, and when was it last restored?",
    "What does it cost to run it without containers?",
)
"""What no tarball can answer."""

PRODUCTION = (
    ("portable", "Does it start, everywhere?"),
    ("disposable", "Does it stop when it is told to?"),
    ("ephemeral", "Can it be thrown away?"),
    ("stateless", "Is its state outside?"),
    ("monitored", "Can one see that it works?"),
    ("debuggable", "Can one look inside?"),
    ("build", "Is it known how it was made, and is it lean?"),
)
"""Question of the earlier chapters -> how it is asked at the end."""


def chapter(operator: Operator) -> list[Block]:
    """Return the facts that need a person, grouped by role."""
    blocks: list[Block] = []
    for role in ROLES:
        mine = [finding for finding in operator.findings if find_rule(finding.rule).role == role]
        if not mine:
            continue
        blocks.append(question(role, f"{plural(len(mine), 'fact')} that this role owns"))
        for finding in mine[:_EACH]:
            blocks.append(claim(_mark(finding), sentence(finding), by=operator.by_finding(finding)))
        if len(mine) > _EACH:
            blocks.append(note(f"{len(mine) - _EACH} more: ", Span(_command(operator), "code")))
    if not blocks and operator.known.whole:
        blocks.append(
            claim("No finding needs anybody in particular.", by=operator.by_listing()),
        )
    return blocks


def _mark(finding: Finding) -> Span:
    severity = finding.severity
    return {"high": bad("!!  "), "medium": warn("!   ")}.get(severity, Span(".   "))


def _command(operator: Operator) -> str:
    return f"imagepeel wtf {operator.context.receipts.file}"


def production_chapter(operator: Operator) -> list[Block]:
    """Return what the image answers, and what only the organisation can."""
    rows = []
    for name, asks in PRODUCTION:
        given = operator.answers.get(name, [])
        answer = _together(given)
        rows.append(
            Row(
                cells=(words(asks), words(_span(answer)), words(_count(given))),
                evidence=operator.by_config("/config", "the defaults for the process"),
            )
        )
    high = [finding for finding in operator.findings if finding.severity == "high"]
    blocks: list[Block] = [
        note("What the image answers. Each answer is the worst of the facts above, and nothing else:"),
        Table(columns=(Column("question"), Column("answer", keep=True), Column("facts", keep=True)), rows=tuple(rows)),
    ]
    if high:
        worst = high[0]
        blocks.append(
            claim(
                bad(f"{plural(len(high), 'finding')} of severity {SEVERITIES[0]}. "),
                sentence(worst),
                by=operator.by_finding(worst),
                level="bad",
            )
        )
    elif operator.known.whole:
        blocks.append(
            claim(
                good("No finding of severity high. "),
                f"{plural(len(operator.findings), 'finding')} of lower severity.",
                by=operator.by_listing(),
            )
        )
    blocks.append(note("What only the organisation can answer. Nobody should guess it from a tarball:"))
    blocks += [note("?  ", asks) for asks in OPEN_QUESTIONS]
    return blocks


_WORST_FIRST: tuple[Answer, ...] = ("no", "depends", "unknown", "yes")


def _together(given: list[Answer]) -> Answer:
    """The worst of the answers; unknown where there is none."""
    return next((answer for answer in _WORST_FIRST if answer in given), "unknown")


def _span(answer: Answer) -> Span:
    return {"yes": good("yes"), "no": bad("no"), "depends": warn("depends")}.get(answer, Span("unknown", "dim"))


def _count(given: list[Answer]) -> str:
    parts = [f"{given.count(answer)} {answer}" for answer in ("yes", "depends", "no", "unknown") if answer in given]
    return ", ".join(parts)
