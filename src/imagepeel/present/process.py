"""A prediction: on failure the operator's own words first, then the request, the trace, process 1 and what is added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from imagepeel.evidence import Evidence, Receipt
from imagepeel.masking import masked_words
from imagepeel.present.document import (
    Claim,
    Column,
    Document,
    Item,
    Items,
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
)
from imagepeel.present.heading import about
from imagepeel.present.prediction import (
    INEXACT,
    PARTLY,
    exit_in_words,
    ground,
    hides_its_own,
    hiding,
    knows_user,
    libraries_in_words,
    not_promised,
    operator_reads,
    origin_in_words,
    place_in_words,
    process_one,
    reader_in_words,
    refusal,
    refused_before,
    skipped,
    step_level,
    stop_in_words,
    user_in_words,
    verdict_in_short,
    verdict_word,
    without_program,
)
from imagepeel.process.spec.trace import quote, vector
from imagepeel.process.spec.values import Addition, Credentials, EnvVar, PidOne, Prediction, Step, Verdict
from imagepeel.results.process import MatrixResult, ProcessOutput, ProcessResult
from imagepeel.text import listed, without_middle

_HOME = "HOME"
_REASON = 300
"""Characters of a reason that are said again below the trace."""


def process_document(result: ProcessOutput) -> Document:
    """Return one prediction whole, or the verdicts of the matrix."""
    return _matrix(result) if isinstance(result, MatrixResult) else _prediction(result)


def _prediction(result: ProcessResult) -> Document:
    # The verdict is unknown then; what the steps found in the layers that are here may still help.
    whole = result.image.knowledge.layers
    partly = [] if whole else [section(say(PARTLY, level="warn"))]
    sections = prediction_sections(result.prediction, result.receipts, os=result.image.os, whole=whole)
    return about(result.image, *partly, *sections, _last(result.prediction))


def _last(found: Prediction) -> Section:
    """The answer once more: the trace between has pushed the first lines off the screen when the prompt returns."""
    verdict = found.verdict
    parts: list[Span | str] = [verdict_word(verdict.kind), f" on {verdict.engine or found.engine}"]
    if verdict.runs and found.pid1 is not None:
        parts += [": process 1 is ", *process_one(found.pid1)]
    elif why := ground(verdict):
        parts.append(f": {without_middle(why, _REASON)}")
    fix = [say("Fix: ", term(verdict.fix))] if verdict.fix and not verdict.runs else []
    return section(say(*parts), *fix)


def prediction_sections(
    found: Prediction, receipts: Sequence[Sequence[Receipt]] = (), *, os: str = "linux", whole: bool = True
) -> Iterator[Section]:
    """Yield the sections of a prediction; `receipts` are the shell commands of its steps, `os` is that of the image.

    `whole` is False where a layer may be missing.
    """
    known = knows_user(found)
    below = f" with {found.runtime}" if os.lower() in ("", "linux") else ""
    yield section(say(dim(f"on {found.engine}{below}, {os or 'linux'}/{found.architecture}")))
    yield from verdict_sections(found.verdict)
    if rest := list(not_promised(found)):
        yield section(items(*(item(dim(one)) for one in rest)), title="not promised")
    if found.user is not None:
        yield _request(found, found.user, whole)
    elif found.argv:
        yield section(items(item(code(vector(found.argv)), label="asked for")))
    if len(found.readers) > 1:
        rows = zip(masked_words(found.argv), found.readers, strict=True)
        yield section(
            items(*(item(code(quote(word)), dim(f"   {reader_in_words(one)}")) for word, one in rows)), title="argv"
        )
    if found.env:
        from imagepeel.present.entries import Entries  # start time

        shown = Entries(found.env, lambda one: _variable(one, knows_user=known))
        yield section(Items(items=shown), title="environment")
    yield from _trace(found.steps, receipts)
    if found.pid1 is not None and not refused_before(found):
        yield _process_one(found.pid1, found.wrapped)
    if found.libraries:
        yield _libraries(found)
    if found.additions:
        yield _additions(found.additions)
    if found.notes:
        yield section(*(say(f"note: {one}") for one in found.notes))


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
    yield section(items(item(verdict_word(verdict.kind), on, below=below)))


def _operator_reads(verdict: Verdict) -> Iterator[Item]:
    for line in (*operator_reads(verdict), exit_in_words(verdict)):
        yield item(line, level="bad")


def _reasons(verdict: Verdict) -> Iterator[Item]:
    yield _field("why", verdict.why)
    if verdict.fix:
        yield _field("fix", term(verdict.fix))
    if verdict.after:
        yield _field("then", f"and after that: {verdict.after}")
    if verdict.id is not None:
        yield _field("more", f"imagepeel wtf --explain {verdict.id}")


def _refusal(verdict: Verdict) -> tuple[Span | str, ...]:
    refused, place = refusal(verdict), place_in_words(verdict.where)
    return bad("FAILS"), f": {refused}" if refused else "", dim(f"   {place}" if place else "")


# ---- the request ------------------------------------------------------------------------------------------------


def _request(found: Prediction, user: Credentials, whole: bool) -> Section:
    fields = []
    if found.path is not None:
        by_path = next((s.where for s in found.steps if s.path == found.path and s.where is not None), None)
        place = place_in_words(by_path)
        fields.append(_field("file", path(found.path), dim(f"   {place}" if place else "")))
    asked_for = f"; USER {user.spec}" if user.spec else ""
    here = "" if whole else ", as far as the layers that are here tell"
    who = f"{user_in_words(user)}{asked_for}; home {user.home}{here}"
    fields.append(_field("user", who if knows_user(found) else f"USER {user.spec} cannot be turned into numbers"))
    fields.append(_field("in", path(found.cwd)))
    return section(*_asked(found), items(*fields, *(_field("", one) for one in user.notes)))


def _asked(found: Prediction) -> Iterator[Items]:
    """Yield the literal request; of one that is never made, what would be asked and why it is not."""
    if found.path is not None:
        never = (item(dim("the kernel is not asked: it was refused before")),) if refused_before(found) else ()
        yield items(item(code(found.execve)), *never)
    elif found.argv:
        yield items(item(code(vector(found.argv))), item(dim(without_program(found))))


def _variable(variable: EnvVar, *, knows_user: bool) -> Item:
    if variable.name == _HOME and variable.origin == "runtime" and not knows_user:
        return item("HOME", dim("   from the runtime: that of the user, whom the image does not know"))
    why = f": {variable.why}" if variable.why else ""
    others = " and ".join(map(origin_in_words, variable.overrides))
    replaced = f", replaces that of {others}" if others else ""
    return item(f"{variable.name}={variable.value}", dim(f"   from {origin_in_words(variable.origin)}{replaced}{why}"))


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
    level = step_level(step)
    below = [item(code(step.call))] if step.call else []
    below += [item(detail) for detail in step.detail]
    below += [item(dim(one)) for one in skipped(step)]
    return item(
        dim(f"{step.rule.words}{number}  "),
        step.title,
        Span(f"   {step.outcome_in_words}", level) if level else "",
        dim(f"   {place}") if place else "",
        by=Evidence(receipts=tuple(receipts)),
        below=below,
    )


# ---- what it becomes --------------------------------------------------------------------------------------------


def _process_one(one: PidOne, wrapped: tuple[tuple[str, ...], ...]) -> Section:
    rows = [item(dim(f"{'starts' if not number else 'then'} {' '.join(argv)}")) for number, argv in enumerate(wrapped)]
    rows += [item(dim(link)) for link in one.chain]
    rows.append(item(process_one(one)))
    if not one.exact:
        rows.append(item(INEXACT))
    rows.append(item(stop_in_words(one)))
    fields = [_field(name, what) for name, what in (("why", one.why), ("fix", one.fix)) if what]
    return section(items(*rows), *([items(*fields)] if fields else []), title="process 1")


def _libraries(found: Prediction) -> Section:
    rows = [
        row(
            library.name,
            path(library.path) if library.path else Span("not known", "warn") if library.how else bad("not found"),
            dim(library.how),
            dim(place_in_words(library.where)),
        )
        for library in found.libraries
    ]
    columns = (Column("", keep=True), Column("", keep=True), Column("", room=14), Column("", keep=True, leave=1))
    table = Table(columns=columns, rows=tuple(rows))
    return section(table, title=libraries_in_words(found.libraries))


def _additions(additions: tuple[Addition, ...]) -> Section:
    from imagepeel.present.entries import Entries  # start time

    origins = tuple(dict.fromkeys(addition.origin for addition in additions if addition.origin))
    ordinary: dict[str, list[str]] = {}
    others: list[int] = []
    for index, one in enumerate(additions):
        if _ordinary(one):
            ordinary.setdefault(one.kind, []).append(one.path)
        else:
            others.append(index)
    # They hide nothing of this image, so their names say enough; --json says more.
    rows = [item(", ".join(paths), label=f"{kind + 's':<9}") for kind, paths in ordinary.items()]
    shared = len(origins) == 1

    def entry(one: Item | int) -> Item:
        return _addition(additions[one], shared=shared) if isinstance(one, int) else one

    by = f" by {origins[0]}" if shared else ""
    return section(Items(items=Entries([*rows, *others], entry)), title=f"not in the tarball: what is added{by}")


def _addition(one: Addition, *, shared: bool) -> Item:
    hides = f"; {hiding(one)}" if one.hides and not hides_its_own(one) else ""
    origin = f" ({one.origin})" if not shared and one.origin else ""
    where = f"{one.path}  " if one.path else ""
    return item(f"{where}{one.what}{hides}{origin}", label=f"{one.kind:<9}", level="warn" if one.hides else "")


def _ordinary(addition: Addition) -> bool:
    return addition.kind in ("mount", "file") and not addition.hides


# ---- every engine -----------------------------------------------------------------------------------------------


def _ended(result: MatrixResult) -> Iterator[Claim]:
    if result.ended:
        verb = "has" if len(result.ended) == 1 else "have"
        yield say(dim(f"{listed(result.ended)} {verb} reached the end of life"))


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
            cells.append(verdict_in_short(verdict))
            told = verdict.text or ground(verdict)
            if told:
                texts.setdefault(told, []).append(f"{engine} {cell.architecture}")
        rows.append(row(term(engine), *cells))
    columns = (Column("", keep=True), *(Column(f"linux/{name}", keep=True) for name in result.architectures))
    return about(
        result.image,
        section(Table(columns=columns, rows=tuple(rows)), *_ended(result)),
        *(
            section(items(*(item(line) for line in told.splitlines() or [told])), title=", ".join(where))
            for told, where in texts.items()
        ),
    )
