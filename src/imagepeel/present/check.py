"""The outcome of the gate: the new findings, the limits, and of several images which passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagepeel.evidence import Evidence, layer_label
from imagepeel.findings.budget import Spent
from imagepeel.findings.gate import Known
from imagepeel.findings.growth import StepGrowth
from imagepeel.findings.suppress import Suppression
from imagepeel.present.document import (
    Column,
    Document,
    Item,
    Section,
    Span,
    Table,
    bad,
    code,
    dim,
    good,
    item,
    items,
    path,
    row,
    say,
    section,
    term,
    words,
)
from imagepeel.present.findings import severity_label, tells_of_others
from imagepeel.present.heading import STEP_WIDTH, about, heading, named
from imagepeel.results.check import (
    CheckOutcome,
    CheckOutput,
    CheckRun,
    NotChecked,
    expiry,
    fails,
    name_of,
    place_of,
    summary,
    summary_of_run,
)
from imagepeel.results.findings import FindingResult
from imagepeel.text import number, plural, shortened, size

MOST_STEPS = 8
"""Steps that are shown; --json has all."""


def check_document(output: CheckOutput) -> Document:
    """Return the new findings, with place and fix where they fail the gate, and the outcome; of several images each."""
    if isinstance(output, CheckOutcome):
        examined = 0 if tells_of_others((*output.new, *output.known)) else 1 + len(output.beside)
        return about(output.image, *_sections(output), examined=examined)
    sections = [_overview(output), *(one for outcome in output.outcomes for one in _of_image(output, outcome))]
    sections += [_not_judged(error) for error in output.not_checked]
    gone = [*_gone(output.stale), *_unused(output.unused)]
    stale = section(items(*gone), title="in none of the images") if gone else None
    said = section(say(term(summary_of_run(output)), level="good" if output.passed else "bad"))
    told = tuple(one for one in (*sections, stale, said) if one is not None)
    count = len(output.outcomes) + sum(not error.partly for error in output.not_checked)
    return Document(title="imagepeel check", headline=(Span(plural(count, "image")),), sections=told)


def _overview(run: CheckRun) -> Section:
    """Return a row an image: whether it passed, and how many new findings of each severity it has."""
    rows = []
    for outcome in run.outcomes:
        counts = [
            sum(one.severity == severity for one in outcome.new) for severity in ("high", "medium", "low", "info")
        ]
        verdict = good("passed") if outcome.passed else bad("failed")
        rows.append(row(path(name_of(run, outcome)), verdict, *map(number, counts), number(len(outcome.known))))
    for error in run.not_checked:
        verdict = bad("not judged as a whole" if error.partly else "not judged")
        rows.append(row(path(named(error.archive)), verdict, "", "", "", "", ""))
    titles = [Column(title, right=True, keep=True) for title in ("high", "medium", "low", "info", "known")]
    return section(Table(columns=(Column("archive"), Column("gate", keep=True), *titles), rows=tuple(rows)))


def _of_image(run: CheckRun, outcome: CheckOutcome) -> Iterator[Section]:
    """Yield the sections of one of several images, the first with a title that says which it is."""
    examined = 0 if tells_of_others((*outcome.new, *outcome.known)) else 1 + len(outcome.beside)
    told = about(outcome.image, *_sections(outcome), examined=examined).sections
    title = words(*(part for span in heading(outcome.image) for part in (span, "   ")))[:-1]
    yield section(title=title)
    yield from told


def _not_judged(error: NotChecked) -> Section:
    below = [item(dim(error.where), label="at ", keep=True)] if error.where else []
    below += [item(error.hint, label="try", keep=True)] if error.hint else []
    what = item(error.message, label=bad("error"), keep=True, below=below)
    return section(items(what), title=path(named(error.archive)))


def _sections(outcome: CheckOutcome) -> Iterator[Section]:
    rows = [_judged(outcome, finding) for finding in outcome.new]
    rows += _suppressed(outcome)
    rows += [*_gone(outcome.stale), *_unused(outcome.unused)]
    if rows:
        yield section(items(*rows))
    if outcome.budgets:
        yield section(_spent(outcome.budgets), title="limits")
    for one in outcome.budgets:
        if one.steps:
            yield section(_steps(one.steps), title="growth by step")
    yield section(say(term(summary(outcome)), level="good" if outcome.passed else "bad"))


def _gone(stale: Sequence[Known]) -> list[Item]:
    return [item(known.key, dim("  take it out of the baseline"), label="gone", keep=True) for known in stale]


def _spent(budgets: Sequence[Spent]) -> Table:
    """Return a row for each limit: what is used of it, and what is to be said beside."""
    rows = []
    for one in budgets:
        unknown = not one.whole and not one.over and one.limit is not None
        said = Span("over", "bad") if one.over else Span("not known", "warn") if unknown else ""
        largest = f"{layer_label(one.blame)} has {size(one.blame_bytes)}" if one.blame is not None else ""
        rows.append(row(one.measure, one.words, said, dim("; ".join(filter(None, (one.note, largest))))))
    return Table(
        columns=(Column("", keep=True), Column("", keep=True), Column("", keep=True), Column("")), rows=tuple(rows)
    )


def _steps(steps: Sequence[StepGrowth]) -> Table:
    """Return a row for each step that made the image larger or smaller; the last one is their sum."""
    shown = steps if len(steps) <= MOST_STEPS + 1 else (*steps[: MOST_STEPS - 2], *steps[-2:])
    rows = [
        row(
            layer_label(step.layer) if step.layer is not None else dim("gone"),
            shortened(step.words, STEP_WIDTH) if step.words else dim("no history"),
            size(step.before) if step.before is not None else dim("new"),
            size(step.after) if step.after is not None else "",
            _signed(step.grown),
        )
        for step in shown
    ]
    if left := len(steps) - len(shown):
        rest = sum(step.grown for step in steps) - sum(step.grown for step in shown)
        rows.append(row("", dim(plural(left, "more step")), "", "", _signed(rest)))
    rows.append(row("", "in all", "", "", _signed(sum(step.grown for step in steps)), total=True))
    columns = (
        Column("", keep=True),
        Column("step"),
        *(Column(t, right=True, keep=True) for t in ("before", "now", "grown")),
    )
    return Table(columns=columns, rows=tuple(rows))


def _signed(count: int) -> str:
    return f"+{size(count)}" if count > 0 else f"-{size(-count)}" if count else size(0)


def _judged(outcome: CheckOutcome, finding: FindingResult) -> Item:
    below = []
    failing = fails(outcome, finding)
    if failing and (place := place_of(outcome, finding)):
        below.append(item(dim(place), label="at ", keep=True))
    if expired := expiry(outcome, finding):
        below.append(item(expired, label="   ", keep=True))
    if failing and finding.fix:
        below.append(item(finding.fix, label="fix", keep=True))
        below += [item(code(line), label="   ", keep=True) for line in finding.lines]
    return item(
        term(finding.rule),
        f"  {finding.message}",
        label=words(bad("fails ") if failing else "      ", severity_label(finding.severity)),
        keep=True,
        by=Evidence(locations=finding.locations, receipts=finding.receipts),
        below=below,
    )


def _suppressed(outcome: CheckOutcome) -> list[Item]:
    return [
        item(
            term(one.finding.rule),
            f"  {one.finding.message}",
            label=words("      ", dim("suppr.")),
            keep=True,
            below=[item(dim(str(one.suppression)), label="   ", keep=True)],
        )
        for one in outcome.suppressed
    ]


def _unused(unused: Sequence[Suppression]) -> list[Item]:
    return [item(str(one), dim("  it is about nothing that was found"), label="unused", keep=True) for one in unused]
