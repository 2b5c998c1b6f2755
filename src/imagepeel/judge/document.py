"""What `imagepeel judge` shows: a line a case, and below the table what differs, with the rule."""

from __future__ import annotations

from imagepeel.judge.verdict import JudgedCase, JudgeResult
from imagepeel.present.document import (
    Column,
    Document,
    Item,
    Section,
    Span,
    SpanKind,
    Table,
    code,
    dim,
    item,
    items,
    row,
    say,
    section,
    term,
    value,
)
from imagepeel.text import plural

_COLUMNS = (Column("case", keep=True), Column("", keep=True), Column("as recorded from", room=20))
_MOST = 5
"""Differences of one case that are shown."""


def judge_document(result: JudgeResult) -> Document:
    """Return the cases in order, and of those that do not hold what differs."""
    failed = [case for case in result.cases if case.held != "holds"]
    total = f"{result.held} of {plural(len(result.cases), 'case')} hold."
    return Document(
        title=" ".join(result.command),
        headline=(code(" ".join(result.command)), value(f"{result.held}/{len(result.cases)}")),
        sections=(
            section(
                Table(
                    columns=_COLUMNS,
                    rows=tuple(
                        row(term(case.name), Span(case.held, _kind(case)), dim(", ".join(case.like)))
                        for case in result.cases
                    ),
                )
            ),
            *map(_why, failed),
            section(say(total)),
        ),
    )


def _kind(case: JudgedCase) -> SpanKind:
    return "good" if case.held == "holds" else "bad"


def _why(case: JudgedCase) -> Section:
    lines: list[Item] = []
    for label, found in (("brings back", case.resurrects), ("loses", case.loses), ("changes", case.changes)):
        lines += [item(code(one), label=label, level="bad") for one in found[:_MOST]]
        if len(found) > _MOST:
            lines.append(item(f"{len(found) - _MOST} more", label=label))
    if case.said:
        lines.append(item(code(case.said), label="it said"))
    lines.append(item(case.rule, label="rule"))
    lines.append(item(case.source, label="source"))
    return section(items(*lines), title=f"{case.name}: {case.held}")
