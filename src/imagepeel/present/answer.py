"""The answer on one screen: verdict, the operator's text, why, fix and the request, in 15 lines of 80 columns.

The document of `--verbose` is `present/process.py`; this one takes its sentences from the same place, and gives its
lines to what an operator needs first.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagepeel.present.document import (
    Claim,
    Document,
    Item,
    Level,
    Section,
    Span,
    SpanKind,
    Text,
    code,
    dim,
    item,
    items,
    plain,
    say,
    section,
    words,
)
from imagepeel.present.heading import about
from imagepeel.present.prediction import (
    INEXACT,
    PARTLY,
    exit_in_words,
    knows_user,
    not_promised,
    operator_reads,
    place_in_words,
    refusal,
    stop_in_words,
    user_in_words,
    verdict_word,
    without_program,
)
from imagepeel.process.spec.trace import vector
from imagepeel.process.spec.values import Prediction, Verdict
from imagepeel.results.process import MatrixResult, ProcessOutput, ProcessResult
from imagepeel.text import brief_paths, plural, without_middle

LINES = 15
"""Lines of the answer."""
_COLUMNS = 72
"""What a field has of 80 columns, below its label."""
_NARROW = 64
"""Characters of a line that is cut: words do not fill a line to its end."""
_ESCAPED = 10
"""Columns that a character may take which a terminal must not see as it is."""
_CONDITIONS = 3
_SHORTEST = 24
_READ = 3
"""Lines of what the operator reads."""


class _Field(msgspec.Struct, frozen=True):
    """A line of the answer; `most` is how many lines it may take, and `least` what it keeps when others need room."""

    label: str
    text: str
    most: int
    least: int = 1
    kind: SpanKind = "plain"
    level: Level = ""

    @property
    def lines(self) -> int:
        """How many lines it takes."""
        return min(self.most, _height(self.text))


def answer_document(result: ProcessOutput) -> Document:
    """Return a prediction in at most `LINES` lines of 80 columns, the verdict first and last; the matrix as it is."""
    if isinstance(result, MatrixResult):
        from imagepeel.present.process import process_document  # start time

        return process_document(result)
    return _answer(result)


def _answer(result: ProcessResult) -> Document:
    found, verdict = result.prediction, result.prediction.verdict
    whole = result.image.knowledge.layers
    fields = [*_asked(found)]
    if verdict.kind == "FAILS":
        fields = [*_failure(verdict), *fields]
    elif verdict.runs:
        fields = [*fields, *_running(found)]
    else:
        fields = [*_open(verdict), *fields]
    if not whole:
        fields.append(_Field("", PARTLY, 2, level="warn"))
    fields.append(_Field("more", _more(found), 1))
    first, last = words(*_first(found)), words(*_last(found))
    told = about(result.image, section(say(first)), section(say(last)), brief=True)
    taken = _height(told.headline) + sum(1 + sum(map(_height, _claims(one))) for one in told.sections)
    shown = items(*map(_item, _fitted(fields, LINES - taken)))
    return about(result.image, section(say(first), shown), section(say(last)), brief=True)


def _first(found: Prediction) -> Iterator[Span | str]:
    verdict = found.verdict
    yield verdict_word(verdict.kind)
    yield f" on {verdict.engine or found.engine}"
    if verdict.kind == "FAILS":
        yield "".join(f"; {one}" for one in (refusal(verdict), exit_in_words(verdict)) if one)
    place = place_in_words(verdict.where)
    yield dim(f"   {place}" if place else "")


def _failure(verdict: Verdict) -> Iterator[_Field]:
    lines = operator_reads(verdict)
    for line in lines[:_READ]:
        yield _Field("", line, 4, 2, level="bad")
    if len(lines) > _READ:
        yield _Field("", f"({plural(len(lines) - _READ, 'more line')}: --verbose)", 1)
    if verdict.why:
        yield _Field("why", verdict.why, 3)
    if verdict.fix:
        yield _Field("fix", verdict.fix, 3, 2, kind="term")
    if verdict.after:
        yield _Field("then", f"and after that: {verdict.after}", 1)


def _open(verdict: Verdict) -> Iterator[_Field]:
    for condition in verdict.depends[:_CONDITIONS]:
        yield _Field("if", condition, 2)
    left = len(verdict.depends) - _CONDITIONS
    if left > 0:
        yield _Field("if", f"{plural(left, 'more condition')}: --verbose", 1)
    if verdict.reason:
        yield _Field("why", verdict.reason, 4)


def _asked(found: Prediction) -> Iterator[_Field]:
    if found.path is not None:
        yield _Field("asks", found.execve, 3, kind="code")
    elif found.argv:
        yield _Field("asks", f"{vector(found.argv)}: {without_program(found)}", 2)
    if found.user is not None and found.verdict.kind != "FAILS":
        who = user_in_words(found.user) if knows_user(found) else f"USER {found.user.spec}, unknown"
        yield _Field("user", f"{who}; in {found.cwd}", 1)


def _running(found: Prediction) -> Iterator[_Field]:
    if found.pid1 is not None:
        yield _Field("stop", stop_in_words(found.pid1), 2)
        if not found.pid1.exact:
            yield _Field("", INEXACT, 2)
    for one in not_promised(found):
        yield _Field("open", one, 2)


def _more(found: Prediction) -> str:
    explained = f"imagepeel wtf --explain {found.verdict.id}; " if found.verdict.id is not None else ""
    notes = f", {plural(len(found.notes), 'note')}" if found.notes else ""
    steps = plural(len(found.steps), "step") if found.steps else "more"
    return f"{explained}--verbose: {steps}{notes}"


def _last(found: Prediction) -> Iterator[Span | str]:
    """The answer once more, where the eye is when the prompt returns."""
    verdict = found.verdict
    yield verdict_word(verdict.kind)
    yield f" on {verdict.engine or found.engine}"
    if verdict.runs and found.pid1 is not None:
        one = found.pid1
        yield ": process 1 is "
        yield code(_cut(" ".join(one.argv), 1))
        yield f" as {one.uid}:{one.gid}"


# ---- room -------------------------------------------------------------------------------------------------------


def _claims(of: Section) -> Iterator[Text]:
    return (block.text for block in of.blocks if isinstance(block, Claim))


def _height(text: str | Text) -> int:
    """How many lines a text takes, wrapped at its spaces."""
    lines, used = 1, 0
    for word in (text if isinstance(text, str) else plain(text)).split():
        width = _columns(word)
        if used and used + 1 + width > _COLUMNS:
            lines, used = lines + 1, 0
        used += width + (used > 0)
        lines, used = lines + max(0, used - 1) // _COLUMNS, (used - 1) % _COLUMNS + 1 if used else 0
    return lines


def _columns(word: str) -> int:
    """How many columns a word takes at most; what a terminal escapes counts as wide as an escape can be."""
    if word.isascii() and word.isprintable():
        return len(word)
    from unicodedata import east_asian_width  # start time

    return sum(_ESCAPED if not one.isprintable() else 2 if east_asian_width(one) in ("W", "F") else 1 for one in word)


def _cut(text: str, lines: int) -> str:
    """Return a text that takes at most so many lines: the start and the end of it."""
    text = brief_paths(text)
    width = _NARROW * lines
    while _height(text) > lines and width > _SHORTEST:
        text = without_middle(text, width)
        width -= _NARROW // 4
    return text


def _fitted(fields: list[_Field], lines: int) -> Iterator[_Field]:
    """Yield the fields in `lines` lines at most: the last ones give up lines first, then the last but `more` go."""
    heights = [one.lines for one in fields]
    for at in range(len(fields) - 1, -1, -1):
        over = sum(heights) - lines
        heights[at] -= max(0, min(over, heights[at] - fields[at].least))
    while sum(heights) > lines and len(fields) > 1:
        del fields[-2], heights[-2]
    for one, height in zip(fields, heights, strict=True):
        yield msgspec.structs.replace(one, text=_cut(one.text, height))


def _item(field: _Field) -> Item:
    text = Span(field.text, field.kind)
    return item(text, label=f"{field.label:<4}" if field.label else "", level=field.level)
