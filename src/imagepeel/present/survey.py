"""What a fleet comes to: each share with the images that it speaks of, and those that nobody saw."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.findings.waste import CAUSES
from imagepeel.present.document import (
    Column,
    Document,
    DocumentBlock,
    Row,
    Section,
    Table,
    dim,
    path,
    row,
    say,
    section,
    term,
    value,
)
from imagepeel.present.lineage import failed_section, forest_tree, passed_over
from imagepeel.present.waste import MEANING
from imagepeel.process.spec.failure import FailureCode
from imagepeel.results.survey import EngineStarts, Share, SurveyResult
from imagepeel.text import number, percent, plural, size

_MOST = 15
_DRAWN = 30
"""Stacks of layers that the summary draws."""


def survey_document(result: SurveyResult) -> Document:
    """Return the summary of a survey."""
    summary = [say(f"{plural(result.examined, 'image')} of {number(result.images)} examined.")]
    if result.incomplete:
        summary.append(
            say(f"{plural(result.incomplete, 'image')} incomplete: what is missing is in no number.", level="warn")
        )
    return Document(
        title="survey",
        headline=(path(result.out), value(plural(result.images, "image")), value(plural(result.sources, "source"))),
        summary=tuple(summary),
        sections=tuple(part for part in _sections(result) if part is not None),
    )


def _sections(result: SurveyResult) -> Iterator[Section | None]:
    if result.examined:
        yield _questions(result)
        yield _starts(result)
        yield _bytes(result)
        yield _unreachable(result)
        yield _rules(result)
    if result.nodes:
        yield _forest(result)
    yield failed_section(result.failures, result.failed)
    yield passed_over(result.passed_over)
    yield section(say(dim(f"The tables lie in {result.out} as {result.form}; docs/reference/survey.md names columns.")))


def _part(yes: int, known: int) -> str:
    return percent(yes / known) if known else ""


def _questions(result: SurveyResult) -> Section:
    columns = (
        Column("images that", room=24),
        Column("share", right=True, keep=True),
        Column("images", right=True, keep=True),
        Column("of", right=True, keep=True),
        Column("not known", right=True, keep=True),
    )
    return section(Table(columns=columns, rows=tuple(map(_question, result.shares))), title="Questions")


def _question(one: Share) -> Row:
    return row(one.what, term(_part(one.yes, one.known)), number(one.yes), number(one.known), number(one.unknown))


def _starts(result: SurveyResult) -> Section:
    columns = (
        Column("engine", keep=True),
        Column("runs", right=True, keep=True),
        Column("of known", right=True, keep=True),
        Column("fails", right=True, keep=True),
        Column("depends", right=True, keep=True),
        Column("unknown", right=True, keep=True),
        Column("not seen", right=True, keep=True),
    )
    rows = [_start(one) for one in result.starts]
    blocks = [Table(columns=columns, rows=tuple(rows))]
    if result.start_failures:
        failed = [
            row(f"{one.failure} {FailureCode(one.failure).words}", number(one.images))
            for one in result.start_failures[:_MOST]
        ]
        blocks.append(
            Table(
                columns=(Column("way to fail", room=24), Column("images", right=True, keep=True)),
                rows=tuple(failed),
                hidden=len(result.start_failures) - len(failed),
            )
        )
    return section(*blocks, title="How they start")


def _start(one: EngineStarts) -> Row:
    known = one.runs + one.fails + one.depends
    counts = (one.fails, one.depends, one.unknown, one.not_seen)
    return row(one.engine, number(one.runs), term(_part(one.runs, known)), *map(number, counts))


def _bytes(result: SurveyResult) -> Section:
    layers, files = result.layers, result.files
    said = []
    if layers.distinct_bytes:
        said.append(
            say(
                f"{plural(layers.uses, 'layer')} of images, {number(layers.distinct)} distinct: "
                f"{size(layers.used_bytes)} stored as {size(layers.distinct_bytes)}, ",
                term(f"factor {layers.used_bytes / layers.distinct_bytes:.2f}"),
                ".",
            )
        )
    if layers.distinct > layers.distinct_diff_ids + layers.damaged:
        packed = layers.distinct - layers.distinct_diff_ids - layers.damaged
        said.append(say(f"{plural(packed, 'layer')} of them hold what another one holds, packed in another way."))
    if layers.damaged:
        said.append(
            say(f"{plural(layers.damaged, 'layer')} of them break off: what follows is not counted.", level="warn")
        )
    if files.files:
        again = percent(1 - files.unique_bytes / files.content_bytes)
        said.append(
            say(
                f"{plural(files.files, 'file')} in distinct layers, {number(files.unique)} distinct contents: ",
                term(f"{again} of their {size(files.content_bytes)} are duplicates"),
                ".",
            )
        )
    if files.not_hashed:
        said.append(say(f"{plural(files.not_hashed, 'file')} without a digest left out: sparse, or cut off."))
    return section(*said, title="What is shared")


def _unreachable(result: SurveyResult) -> Section:
    total = sum(one.content for one in result.unreachable)
    what = f"{plural(result.accounted, 'complete image')} of {size(result.content_bytes)}"
    if not result.accounted:
        return section(say("No image is complete: its bytes cannot be accounted for."), title="Bytes nobody can reach")
    if not total:
        return section(say(f"In {what} every file can be reached."), title="Bytes nobody can reach")
    meaning = {str(cause): MEANING[cause] for cause in CAUSES}
    rows = [
        row(one.cause, size(one.content), _part(one.content, result.content_bytes), number(one.images),
            meaning.get(one.cause, ""))
        for one in result.unreachable
    ]  # fmt: skip
    columns = (
        Column("cause", keep=True),
        Column("bytes", right=True, keep=True),
        Column("of all", right=True, keep=True),
        Column("images", right=True, keep=True),
        Column("what it is", room=20, leave=1),
    )
    return section(
        say(f"In {what}, {size(total)} ({_part(total, result.content_bytes)}) are files that no container sees."),
        Table(columns=columns, rows=tuple(rows)),
        title="Bytes nobody can reach",
    )


def _rules(result: SurveyResult) -> Section | None:
    if not result.rules:
        return None
    rows = [row(one.rule, number(one.images), _part(one.images, result.examined)) for one in result.rules[:_MOST]]
    columns = (
        Column("rule", keep=True),
        Column("images", right=True, keep=True),
        Column("of examined", right=True, keep=True),
    )
    return section(
        Table(columns=columns, rows=tuple(rows), hidden=len(result.rules) - len(rows)), title="What surprises"
    )


def _forest(result: SurveyResult) -> Section:
    shown = result.nodes[:_DRAWN]
    blocks: list[DocumentBlock] = [forest_tree(shown), *_unplaced(result)]
    total = result.nodes_total
    if total is not None and total > len(shown):
        blocks.append(say(f"{plural(total - len(shown), 'more stack')}: the table lineage has all of them."))
    return section(*blocks, title="Lineage")


def _unplaced(result: SurveyResult) -> Iterator[DocumentBlock]:
    if result.unplaced:
        yield say(f"{plural(result.unplaced, 'image')} without a place: a DiffID is not stated, or there is no layer.")
