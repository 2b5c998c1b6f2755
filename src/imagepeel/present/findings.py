"""Findings as `wtf` and `check` show them, the catalogue of rules, and the page of one rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from imagepeel.evidence import Evidence
from imagepeel.findings.finding import Figure, Severity
from imagepeel.present.document import (
    Column,
    Document,
    Item,
    Row,
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
)
from imagepeel.present.heading import about
from imagepeel.results.findings import FindingResult, RuleListResult, RuleResult, WtfOutput, WtfResult
from imagepeel.text import plural

SEVERITIES: dict[Severity, SpanKind] = {"high": "bad", "medium": "warn", "low": "plain", "info": "dim"}
"""How each severity looks."""


def wtf_document(result: WtfOutput, *, receipts: bool = False) -> Document:
    """Return findings, the catalogue or one rule; `receipts` adds all proofs and details, also of notes."""
    if isinstance(result, RuleListResult):
        return _catalogue(result)
    return _rule(result) if isinstance(result, RuleResult) else _findings(result, receipts)


def severity_label(severity: Severity) -> Span:
    """Return a severity as the label of what it is about."""
    return Span(f"{severity:<6}", SEVERITIES[severity])


# ---- findings ---------------------------------------------------------------------------------------------------


def _findings(result: WtfResult, receipts: bool) -> Document:
    """Return findings, worst first: sentence, place, proof, fix."""
    sections = findings_sections(result.findings, result.counts, receipts=receipts)
    return about(result.image, *sections, examined=0 if tells_of_others(result.findings) else 1)


def tells_of_others(found: Iterable[FindingResult]) -> bool:
    """Whether a finding says which images were not examined."""
    return any(finding.rule in ("OTHER-PLATFORMS", "TWO-IMAGES") for finding in found)


def findings_sections(
    found: Sequence[FindingResult], counts: Mapping[Severity, int], *, receipts: bool = False
) -> Iterator[Section]:
    """Yield a section a finding and how many there are; `counts` may count more than are `found`."""
    if not found:
        yield section(say("Nothing here surprises the rules of the catalogue (imagepeel wtf --list)."))
        return
    loud = [finding for finding in found if receipts or finding.severity != "info"]
    for finding in loud:
        yield finding_section(finding, receipts=receipts)
    remarks = [finding for finding in found if not receipts and finding.severity == "info"]
    if remarks:
        yield section(items(*map(_remark, remarks)))
    told = ", ".join(f"{number} {severity}" for severity, number in counts.items() if number)
    yield section(say(f"{told}.  The story of one: imagepeel wtf --explain {found[0].rule}"))


def finding_section(finding: FindingResult, *, receipts: bool = False) -> Section:
    """Return one finding; with `receipts` all proofs and details, else the first proof."""
    shown = item(
        term(finding.rule),
        label=severity_label(finding.severity),
        by=Evidence(locations=finding.locations, receipts=() if receipts else finding.receipts),
        below=_said(finding, receipts),
    )
    return section(items(shown))


def _remark(finding: FindingResult) -> Item:
    """What is worth knowing where nothing is wrong: one line."""
    by = Evidence(locations=finding.locations, receipts=finding.receipts)
    return item(term(finding.rule), f"  {finding.message}", label=severity_label(finding.severity), by=by)


def _said(finding: FindingResult, receipts: bool) -> Iterator[Item]:
    yield item(finding.message)
    if finding.locations:
        yield _field("at", dim(str(finding.locations[0]).removeprefix("at ")))
    for figure in finding.figures:
        yield from _figure(figure)
    if receipts:
        yield from (item(dim(detail)) for detail in finding.details)
    for receipt in finding.receipts if receipts else finding.receipts[:1]:
        # A command stays one line, so that it can be copied.
        yield item(code(receipt.command), label="proof", keep=True)
    yield _field("fix", finding.fix)
    yield from _lines(finding)
    if finding.decides:
        yield _field("you", f"decide {finding.decides}")


def _field(name: str, what: Span | str) -> Item:
    return item(what, label=f"{name:<5}")


def _lines(finding: FindingResult) -> Iterator[Item]:
    """The lines of a Dockerfile that are the fix."""
    return (item(code(line), label="     ", keep=True) for line in finding.lines)


def _figure(figure: Figure) -> Iterator[Item]:
    parts = [f"{part.value:,} {part.label}" for part in figure.parts]
    if figure.rest is not None:
        parts.append(f"{figure.rest.value:,} in {figure.rest.label}")
    if len(parts) > 1:
        yield _field("sum", dim(f"{figure.total:,} {figure.unit} = " + " + ".join(parts)))


# ---- the catalogue ----------------------------------------------------------------------------------------------


def _catalogue(result: RuleListResult) -> Document:
    """Return one row a rule, by family."""
    rows: list[Row] = []
    family = ""
    for rule in result.rules:
        if rule.family != family:
            family = rule.family
            rows.append(row(dim(family), "", ""))
        rows.append(row(term(rule.id), Span(rule.severity, SEVERITIES[rule.severity]), rule.title))
    columns = (Column("rule", keep=True), Column("worst", keep=True), Column("what it finds", room=22))
    said = f"{plural(len(result.rules), 'rule')}.  imagepeel wtf --explain RULE tells the story of one."
    grid = Table(columns=columns, rows=tuple(rows))
    return Document(title="The rules of imagepeel", headline=(), sections=(section(grid, say(said)),))


def _rule(rule: RuleResult) -> Document:
    """Return the page of one rule."""
    return Document(
        title=rule.id,
        headline=(Span(rule.id), Span(rule.severity, SEVERITIES[rule.severity])),
        sections=tuple(rule_sections(rule)),
    )


def rule_sections(rule: RuleResult) -> Iterator[Section]:
    """Yield what a rule finds, why that matters, what to do, and where to read more."""
    more = (
        f"See it: imagepeel wtf --reproduce {rule.id} demo.tar; imagepeel wtf demo.tar",
        f"Owner: {rule.role}.  Lesson: {rule.lesson}.",
        f"Also known as: {', '.join(rule.codes)}." if rule.codes else "",
        f"Sources: {', '.join(rule.sources)}." if rule.sources else "",
    )
    yield section(say(term(rule.title)))
    yield section(say(rule.why))
    yield section(say(term("Fix: "), rule.fix), *(say(code(line)) for line in rule.dockerfile))
    if rule.decides:
        yield section(say(term("A person decides: "), rule.decides))
    yield section(*(say(dim(line)) for line in more if line))
