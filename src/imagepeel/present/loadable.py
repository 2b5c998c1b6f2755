"""Who takes an archive: one row a tool, and below it each refusal in its own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagepeel.loading.answer import PLACES, LoadAnswer, Outcome
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
    digest,
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
from imagepeel.present.heading import brief_digest, named, others_in_words
from imagepeel.results.loadable import LoadableImage, LoadableResult
from imagepeel.text import shortened

_COLUMNS = (
    Column("", keep=True),
    Column("answer", keep=True),
    Column("name", room=14),
    Column("image ID", keep=True, leave=2),
    Column("known", keep=True, leave=1),
)
_KINDS: dict[Outcome, SpanKind] = {Outcome.TAKES: "good", Outcome.REFUSES: "bad", Outcome.UNKNOWN: "warn"}
_KNOWN = (
    "measured: this version was watched ending so, with these words up to names, paths, digests and numbers, on an "
    "archive of this kind; older: an older version was; read: its source says so (docs/reference/loading.md)."
)
_PLACES = (
    "<file> is the archive as it was typed, <tmp> and <store> are directories of the tool, <n> is a number, <error> "
    "what the network says."
)


def loadable_document(result: LoadableResult) -> Document:
    """Return each image with the answers of all tools."""
    name = named(result.archive)
    judged = len(result.images)
    packed = [section(say("It is a directory; tools that want a tar are judged as if it had been packed."))]
    return Document(
        title=name,
        headline=(path(name), value(f"{result.kind} ({result.form})")),
        sections=(
            *(packed if result.form == "directory" else ()),
            *([section(say(f"No image can be read from it: {result.unread}."))] if result.unread else []),
            *(part for image in result.images for part in _image(image, alone=len(result.images) == 1)),
            *(section(say(said)) for image in result.images[:1] if (said := others_in_words(image.image, judged))),
            *([] if result.images else [section(say("It names no image, so there is nothing to load."))]),
        ),
    )


def _image(found: LoadableImage, *, alone: bool) -> Iterator[Section]:
    head = found.image
    shown = " ".join(filter(None, (f"#{head.number}", head.names[0] if head.names else "", head.platform)))
    yield section(Table(columns=_COLUMNS, rows=tuple(map(_row, found.answers))), title="" if alone else shown)
    grouped: dict[tuple[str, str, tuple[str, ...]], list[LoadAnswer]] = {}
    for answer in found.answers:
        if not answer.takes:
            grouped.setdefault((answer.text, answer.why, answer.ways), []).append(answer)
    for answers in grouped.values():
        yield _refusal(answers)
    notes: dict[str, list[str]] = {}
    for answer in found.answers:
        for note in answer.notes:
            notes.setdefault(note, []).append(answer.label)
    if notes:
        yield section(*(say(f"{', '.join(who)}: {note}.") for note, who in notes.items()))
    yield section(say(dim(_KNOWN)))
    if any(place in answer.text for answer in found.answers for place in PLACES):
        yield section(say(dim(_PLACES)))


def _row(answer: LoadAnswer) -> Row:
    names = ", ".join(answer.names) or ("no name" if answer.takes else "")
    identity = [digest(brief_digest(answer.id)), dim(f" {answer.id_of}")] if answer.id else [Span("")]
    return row(
        term(answer.label),
        Span(answer.outcome, _KINDS[answer.outcome]),
        shortened(names, 200),
        (*identity,),
        dim(" ".join(filter(None, (answer.evidence, _version(answer))))),
    )


def _version(answer: LoadAnswer) -> str:
    """The version that was watched; "" where a source was read."""
    words = answer.source.split() if answer.evidence != "read" else []
    return next((word for word in words if word[:1].isdigit()), "")


def _refusal(answers: Sequence[LoadAnswer]) -> Section:
    first = answers[0]
    lines: list[Item] = [item(code(line), level="bad") for line in first.text.splitlines()]
    if not lines:
        lines = [item(dim("it prints nothing"))] if first.outcome is Outcome.REFUSES else []
    codes = sorted({str(answer.exit_code) for answer in answers if answer.exit_code is not None})
    fields = [item(", ".join(codes), label="exit")] if codes else []
    fields.append(item(first.why, label="why "))
    fields += [item(way, label="way ") for way in first.ways]
    return section(items(*lines), items(*fields), title=", ".join(answer.label for answer in answers))
