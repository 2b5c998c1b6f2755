"""A deployment judged: what refuses it as a whole, one row a process, and of each that does not start the text."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.deploy.judged import Start
from imagepeel.deploy.wanted import Refusal
from imagepeel.present.document import (
    Column,
    Document,
    Item,
    Row,
    Section,
    Span,
    Table,
    bad,
    code,
    dim,
    item,
    items,
    path,
    row,
    say,
    section,
    term,
    value,
)
from imagepeel.present.prediction import place_in_words, verdict_word
from imagepeel.process.spec.failure import Outcome
from imagepeel.results.start import StartResult

_COLUMNS = (
    Column("container", keep=True),
    Column("what", keep=True, leave=1),
    Column("verdict", keep=True),
    Column("as", keep=True, leave=2),
    Column("request to the kernel", room=24),
)
_READ = "Words marked read follow the published source and were not watched on this engine: "


def start_document(result: StartResult) -> Document:
    """Return the document of a judged deployment."""
    shown = result.file or "docker run"
    sections: list[Section] = []
    if result.refusals:
        sections.append(section(*(items(*_refusal(one)) for one in result.refusals), title="refused before it starts"))
    sections.append(section(Table(columns=_COLUMNS, rows=tuple(map(_row, result.starts)))))
    sections += [_start(one) for one in result.starts if one.verdict.kind is not Outcome.RUNS]
    runs = [one for one in result.starts if one.verdict.kind is Outcome.RUNS]
    if runs:
        sections.append(section(items(*map(_proof, runs)), title="where it stands"))
    sections += [section(*(say(f"note: {one}") for one in result.notes))] if result.notes else []
    read = sorted({f"{one.verdict.engine}" for one in result.starts if one.basis == "read"})
    if read:
        sections.append(section(say(dim(f"{_READ}{', '.join(read)} (docs/reference/start.md)."))))
    return Document(
        title=shown,
        headline=(*([path(shown)] if result.file else []), value(result.form), value(result.engine)),
        sections=tuple(sections),
    )


def _refusal(refusal: Refusal) -> Iterator[Item]:
    yield item(bad(refusal.by), f": {refusal.text}", below=(item(dim(f"{refusal.place}; read in {refusal.source}")),))


def _what(start: Start) -> str:
    return start.what or start.role


def _row(start: Start) -> Row:
    ids = "" if start.uid is None else f"{start.uid}:{start.gid}"
    return row(term(start.container), _what(start), verdict_word(start.verdict.kind), ids, code(start.execve))


def _start(start: Start) -> Section:
    verdict = start.verdict
    failed = verdict.kind is Outcome.FAILS
    lines: list[Item] = [item(code(line), level="bad" if failed else "warn") for line in start.reads]
    fields: list[Item] = [item(one, label="if  ") for one in verdict.depends]
    why = verdict.why or verdict.reason
    if why:
        fields.append(item(why, label="why "))
    if verdict.fix:
        fields.append(item(term(verdict.fix), label="fix "))
    if verdict.after:
        fields.append(item(f"and after that: {verdict.after}", label="then"))
    if start.covered_by is not None:
        cover = start.covered_by
        fields.append(item(f"{cover.what} is mounted on {cover.path} and covers the program", label="over"))
    fields.append(_proof(start))
    parts: list[Span | str] = [term(start.container), f" {_what(start)} ", verdict_word(verdict.kind)]
    return section(items(*lines), items(*fields), title=tuple(p if isinstance(p, Span) else Span(p) for p in parts))


def _proof(start: Start) -> Item:
    """Where the deployment asks for it, and where the image proves it."""
    asked = ", ".join(f"{one.name} (line {one.place.line})" for one in start.fields if one.place.line)
    where = start.evidence
    proof = place_in_words(where)
    if where is not None and where.layer_offset is not None:
        proof += f", byte {where.layer_offset:,} of the layer's tar"
    below = [item(dim(f"decided by {asked}"))] if asked else []
    if proof:
        below.append(item(dim(f"proof: {path_of(start)}{proof} of {start.archive}")))
    return item(dim(f"{start.container} {_what(start)}: {start.place}"), below=below)


def path_of(start: Start) -> str:
    """The path that the evidence is about, with a blank; "" without one."""
    where = start.evidence
    return f"{where.path} in " if where is not None and where.path is not None else ""
