"""A prediction: on failure the operator's own words first, then the request, the trace, process 1 and what is added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from imagepeel.evidence import Evidence, Location, Receipt
from imagepeel.present.document import (
    Column,
    Document,
    Item,
    Section,
    Span,
    SpanKind,
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
)
from imagepeel.present.heading import about
from imagepeel.process.spec.values import Addition, Credentials, EnvVar, PidOne, Prediction, Step, StopTime, Verdict
from imagepeel.results.process import MatrixResult, ProcessOutput, ProcessResult
from imagepeel.text import plural


def process_document(result: ProcessOutput) -> Document:
    """Return one prediction whole, or the verdicts of the matrix."""
    return _matrix(result) if isinstance(result, MatrixResult) else _prediction(result)


def _prediction(result: ProcessResult) -> Document:
    return about(result.image, *prediction_sections(result.prediction, result.receipts))


def prediction_sections(found: Prediction, receipts: Sequence[Sequence[Receipt]] = ()) -> Iterator[Section]:
    """Yield the sections of a prediction; `receipts` are the shell commands of each of its steps."""
    yield section(say(dim(f"on {found.engine} with {found.runtime}, linux/{found.architecture}")))
    yield from verdict_sections(found.verdict)
    yield _request(found)
    if found.env:
        yield section(items(*map(_variable, found.env)), title="environment")
    yield from _trace(found.steps, receipts)
    if found.pid1 is not None:
        yield _process_one(found.pid1, found.wrapped)
    if found.libraries:
        yield _libraries(found)
    if found.additions:
        yield _additions(found.additions)
    if found.notes:
        yield section(*(say(f"note: {one}") for one in found.notes))


def place_in_words(where: Location | None) -> str:
    """Return where something comes from in a few words: `L3, step 5`, or the place in the config."""
    if where is None:
        return ""
    if where.layer is not None:
        return f"L{where.layer + 1}" + (f", step {where.step}" if where.step is not None else "")
    return f"config {where.pointer}" if where.pointer is not None else ""


def verdict_kind(verdict: str) -> SpanKind:
    """Return how a verdict looks: what neither runs nor fails is a warning."""
    kinds: dict[str, SpanKind] = {"RUNS": "good", "FAILS": "bad"}
    return kinds.get(verdict, "warn")


def _field(name: str, *what: Span | str) -> Item:
    return item(*what, label=f"{name:<4}")


# ---- the verdict ------------------------------------------------------------------------------------------------


def verdict_sections(verdict: Verdict) -> Iterator[Section]:
    """Yield what a verdict says; of a failure, what the operator reads stands first."""
    if verdict.kind == "FAILS":
        yield section(items(*_operator_reads(verdict)))
        yield section(items(*_reasons(verdict)), say(*_refusal(verdict)))
        return
    below = [_field("if", condition) for condition in verdict.depends]
    below += [_field("why", verdict.reason)] if verdict.reason else []
    on = f" on {verdict.engine}" if verdict.engine else ""
    yield section(items(item(Span(verdict.kind, verdict_kind(verdict.kind)), on, below=below)))


def _operator_reads(verdict: Verdict) -> Iterator[Item]:
    for line in verdict.text.splitlines() or [verdict.message]:
        yield item(line, level="bad")
    if verdict.exit_code is not None:
        state = verdict.state_exit_code
        recorded = f" (recorded for the container: {state})" if state not in (None, verdict.exit_code) else ""
        yield item(f"exit code {verdict.exit_code}{recorded}", level="bad")


def _reasons(verdict: Verdict) -> Iterator[Item]:
    yield _field("why", verdict.why)
    if verdict.fix:
        yield _field("fix", term(verdict.fix))
    if verdict.id is not None:
        yield _field("more", f"imagepeel wtf --explain {verdict.id}")


def _refusal(verdict: Verdict) -> tuple[Span | str, ...]:
    refused = "" if verdict.judge is None else f": {verdict.judge.refused(verdict.errno)}"
    place = place_in_words(verdict.where)
    return bad("FAILS"), refused + (f"   {place}" if place else "")


# ---- the request ------------------------------------------------------------------------------------------------


def _request(found: Prediction) -> Section:
    asked = [items(item(term(found.execve)))] if found.argv or found.path else []
    fields = []
    if found.path is not None:
        by_path = next((s.where for s in found.steps if s.path == found.path and s.where is not None), None)
        place = place_in_words(by_path)
        fields.append(_field("file", path(found.path), f"   {place}" if place else ""))
    fields += [_field("user", user_in_words(found.user)), _field("in", path(found.cwd))]
    return section(*asked, items(*fields, *(_field("", one) for one in found.user.notes)))


def user_in_words(user: Credentials) -> str:
    """Return numbers, name, groups, what was asked for, and the home directory."""
    name = f" ({user.name})" if user.name else ""
    groups = f", groups {' '.join(map(str, user.groups))}" if user.groups else ", no further groups"
    asked = f"; USER {user.spec}" if user.spec else ""
    return f"{user.uid}:{user.gid}{name}{groups}{asked}; home {user.home}"


def _variable(variable: EnvVar) -> Item:
    why = f": {variable.why}" if variable.why else ""
    replaced = f", replaces that of the {' and the '.join(variable.overrides)}" if variable.overrides else ""
    return item(f"{variable.name}={variable.value}", dim(f"   from the {variable.origin}{replaced}{why}"))


# ---- the trace --------------------------------------------------------------------------------------------------


def _trace(steps: Sequence[Step], receipts: Sequence[Sequence[Receipt]]) -> Iterator[Section]:
    """Yield a section for each judge in turn."""
    start = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or steps[end].judge != steps[start].judge:
            judge = steps[start].judge
            rows = [_step(steps[at], receipts[at] if at < len(receipts) else ()) for at in range(start, end)]
            yield section(items(*rows), title=judge.words)
            start = end


def _step(step: Step, receipts: Iterable[Receipt]) -> Item:
    number = f" round {step.round}" if step.round else ""
    place = place_in_words(step.where)
    below = [item(code(step.call))] if step.call else []
    below += [item(detail) for detail in step.detail]
    for one in step.candidates:
        if one.outcome != "taken":
            below.append(item(dim(f"not {one.path}: {one.reason or one.outcome}")))
    return item(
        dim(f"{step.rule.words}{number}  "),
        step.title,
        "" if step.outcome == "ok" else bad(f"   {step.outcome_in_words}"),
        dim(f"   {place}") if place else "",
        by=Evidence(receipts=tuple(receipts)),
        below=below,
    )


# ---- what it becomes --------------------------------------------------------------------------------------------


def _process_one(one: PidOne, wrapped: tuple[tuple[str, ...], ...]) -> Section:
    rows = [item(dim(f"{'starts' if not number else 'then'} {' '.join(argv)}")) for number, argv in enumerate(wrapped)]
    rows += [item(dim(link)) for link in one.chain]
    rows.append(item(f"{' '.join(one.argv)}   as {one.uid}:{one.gid}"))
    if not one.exact:
        rows.append(item("the text of the script does not prove what it becomes in the end"))
    rows.append(item(_stop(one)))
    fields = [_field(name, what) for name, what in (("why", one.why), ("fix", one.fix)) if what]
    return section(items(*rows), *([items(*fields)] if fields else []), title="process 1")


def _stop(one: PidOne) -> str:
    signals = {"yes": "hears it", "no": "does not hear it"}.get(
        one.hears_sigterm, "nobody can tell whether it hears it"
    )
    origin = f" (from the {one.stop_signal_origin})" if one.stop_signal_origin not in ("", "default") else ""
    return f"stop sends {one.stop_signal}{origin}: {signals}{_stop_time(one.stop)}"


def _stop_time(stop: StopTime | None) -> str:
    if stop is None:
        return ""
    if stop.never:
        return f"; {stop.words}"
    if stop.killed:
        return f"; stopping takes {stop.most} seconds, then SIGKILL (exit 137)"
    return f"; stopping takes {stop.words} seconds"


def _libraries(found: Prediction) -> Section:
    missing = sum(library.path is None for library in found.libraries)
    title = plural(len(found.libraries), "needed library", "needed libraries")
    rows = [
        row(
            library.name,
            path(library.path) if library.path else bad("not found"),
            dim(library.how),
            dim(place_in_words(library.where)),
        )
        for library in found.libraries
    ]
    columns = (Column("", keep=True), Column("", keep=True), Column("", room=14), Column("", keep=True, leave=1))
    table = Table(columns=columns, rows=tuple(rows))
    return section(table, title=title + (f", {missing} missing" if missing else ""))


def _additions(additions: tuple[Addition, ...]) -> Section:
    origins = tuple(dict.fromkeys(addition.origin for addition in additions if addition.origin))
    ordinary: dict[str, list[str]] = {}
    for one in additions:
        if _ordinary(one):
            ordinary.setdefault(one.kind, []).append(one.path)
    # They hide nothing of this image, so their names say enough; --json says more.
    rows = [item(", ".join(paths), label=f"{kind + 's':<9}") for kind, paths in ordinary.items()]
    rows += [_addition(one, shared=len(origins) == 1) for one in additions if not _ordinary(one)]
    by = f" by {origins[0]}" if len(origins) == 1 else ""
    return section(items(*rows), title=f"not in the tarball: what is added{by}")


def _addition(one: Addition, *, shared: bool) -> Item:
    hides = ""
    if one.hides:
        examples = ", ".join(one.examples)
        hides = f"; hides {plural(one.hides, 'path')} of the image" + (f": {examples}" if examples else "")
    origin = f" ({one.origin})" if not shared and one.origin else ""
    where = f"{one.path}  " if one.path else ""
    return item(f"{where}{one.what}{hides}{origin}", label=f"{one.kind:<9}", level="warn" if one.hides else "")


def _ordinary(addition: Addition) -> bool:
    return addition.kind in ("mount", "file") and not addition.hides


# ---- every engine -----------------------------------------------------------------------------------------------


def _matrix(result: MatrixResult) -> Document:
    """Return one verdict a cell, engines down and architectures across, and each failure's words once."""
    rows = []
    texts: dict[str, list[str]] = {}
    for engine in result.engines:
        cells = []
        for cell in result.cells:
            if cell.engine != engine:
                continue
            verdict = cell.verdict
            said = " ".join(part for part in (verdict.kind, verdict.errno) if part)
            exits = f" exit {verdict.exit_code}" if verdict.kind == "FAILS" and verdict.exit_code is not None else ""
            cells.append(Span(said + exits, verdict_kind(verdict.kind)))
            told = verdict.text or verdict.reason or "; ".join(verdict.depends)
            if told:
                texts.setdefault(told, []).append(f"{engine} {cell.architecture}")
        rows.append(row(term(engine), *cells))
    columns = (Column("", keep=True), *(Column(f"linux/{name}", keep=True) for name in result.architectures))
    return about(
        result.image,
        section(Table(columns=columns, rows=tuple(rows))),
        *(
            section(items(*(item(line) for line in told.splitlines() or [told])), title=", ".join(where))
            for told, where in texts.items()
        ),
    )
