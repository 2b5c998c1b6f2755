"""What an archive holds: one row a record, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.archive.records import RUNNABLE
from imagepeel.archive.select import UNFOLLOWED
from imagepeel.present.document import (
    Column,
    Document,
    Row,
    Section,
    Span,
    Table,
    Text,
    bad,
    digest,
    dim,
    good,
    path,
    row,
    say,
    section,
    term,
    value,
    words,
)
from imagepeel.present.heading import brief_digest, named
from imagepeel.results.images import ImageRow, ImagesResult
from imagepeel.text import listed, noun, number, plural, shortened, size

MOST_NAMES = 6
_COLUMNS = (
    Column("", keep=True),
    Column("kind", keep=True),
    Column("name", room=14),
    Column("platform", keep=True),
    Column("layers", right=True, keep=True, leave=3),
    Column("stored", right=True, keep=True, leave=2),
    Column("digest or id", keep=True, leave=1),
    Column("complete", room=8),
    Column("choose with", keep=True),
)


def images_document(result: ImagesResult) -> Document:
    """Return what the archive is, its records, and the members that nothing points at."""
    name = named(result.archive)
    return Document(
        title=name,
        headline=(path(name), value(f"{result.kind} ({result.form})")),
        sections=tuple(found for found in (_kind(result), *_records(result), _unreferenced(result)) if found),
    )


def _kind(result: ImagesResult) -> Section:
    wrapped = [say(f"It was wrapped in {', '.join(result.wrapping)}.")] if result.wrapping else []
    return section(say(result.recognised), *wrapped)


def _records(result: ImagesResult) -> Iterator[Section]:
    if not result.images:
        deep = f"No image was found: {UNFOLLOWED}."
        yield section(say(deep if result.not_followed else "It names no image."))
        return
    rows = [one for record in result.images for one in _rows(record)]
    yield section(Table(columns=_COLUMNS, rows=tuple(rows)))
    notes = []
    for record in result.images:
        if record.kind != "image" and record.kind_reason and record.kind_reason != result.recognised:
            notes.append(say(f"#{record.number} {record.kind}: {record.kind_reason}"))
        if record.lost:
            notes.append(say(f"#{record.number} lacks {record.lost}"))
    unasked = [record for record in result.images if record.complete is None]
    if any(record.layers is not None for record in unasked):
        notes.append(
            say("Whether the layers are there was not asked: a registry is asked for a layer when it is read.")
        )
    if unread := [f"#{record.number}" for record in unasked if record.layers is None]:
        has = f"{listed(unread, MOST_NAMES)} {noun(len(unread), 'has', 'have')}"
        notes.append(say(f"Which layers {has} was not asked: --image or --platform reads the manifest of one."))
    if notes:
        yield section(*notes)
    identities = [record for record in result.images if record.kind == "image" and record.image_id]
    if identities:
        yield section(*(say(_identity(record)) for record in identities[:MOST_NAMES]))


def _identity(record: ImageRow) -> Text:
    """The digests that engines call the id of one image, each with the engines that show it."""
    facts: list[Span | str] = [
        f"#{record.number} is ", digest(brief_digest(record.image_id)),
        " (its config) to Docker's own store, podman and CRI-O",
    ]  # fmt: skip
    target, what = (record.index_digest, "index") if record.index_digest else (record.digest, "manifest")
    if target and "manifest" not in record.missing:
        facts += [
            ", and ",
            digest(brief_digest(target)),
            f" (its {what}) to Docker's containerd store, ctr and nerdctl",
        ]
    if record.index_digest and record.digest and "manifest" not in record.missing:
        facts += [", which pull it as ", digest(brief_digest(record.digest)), " (its manifest)"]
    return words(*facts, ".")


def _rows(record: ImageRow) -> Iterator[Row]:
    """Yield the row of a record, and one for each further name of it."""
    names = list(record.names[:MOST_NAMES])
    if len(record.names) > MOST_NAMES:
        names.append(f"and {len(record.names) - MOST_NAMES} more")
    yield row(
        term(f"#{record.number}"),
        record.kind if record.kind in RUNNABLE else dim(record.kind),
        names[0] if names else "-",
        record.platform or "-",
        number(record.layers) if record.layers is not None else "?",
        size(record.blob_size) if record.blob_size is not None else "?",
        digest(brief_digest(record.digest or record.image_id)),
        _complete(record),
        record.choose or "-",
    )
    for name in names[1:]:
        yield row("", "", name, *[""] * 6)


def _complete(record: ImageRow) -> Span:
    if record.complete is None:
        return dim("not asked")
    if record.complete:
        return good("yes")
    return bad("missing: " + shortened(", ".join(record.missing), 80) if record.missing else "cut off")


def _unreferenced(result: ImagesResult) -> Section | None:
    if not result.unreferenced:
        return None
    names = listed(result.unreferenced, 5)
    count = plural(len(result.unreferenced), "member")
    # What a missing manifest points at nobody can tell.
    seen = all(record.layers is not None for record in result.images)
    nothing = "nothing that was read" if result.not_followed else "nothing" if seen else "nothing that is here"
    return section(say(words(f"{count} that {nothing} points at: ", path(names))))
