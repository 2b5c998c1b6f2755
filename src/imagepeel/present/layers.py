"""One row a layer: what made it, how big it is, what it changed, and whether its bytes are those that are stated."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.history.attested import lines_in_words
from imagepeel.present.document import (
    Column,
    Document,
    Row,
    Section,
    Span,
    Table,
    bad,
    digest,
    dim,
    good,
    path,
    row,
    say,
    section,
    term,
    warn,
)
from imagepeel.present.heading import about, brief_digest, brief_step
from imagepeel.results.layers import LayerRow, LayersResult
from imagepeel.text import number, plural, size

# On a narrow terminal the step keeps room for its words: what goes first is what --json and `images` say too.
_COLUMNS = (
    Column("", keep=True),
    Column("step", room=22),
    Column("stored", right=True, keep=True),
    Column("content", right=True, keep=True, leave=4),
    Column("packed", keep=True, leave=2),
    Column("entries", right=True, keep=True),
    Column("+added ~changed -removed", keep=True, short="+ ~ -"),
    Column("digest", keep=True, leave=3),
    Column("DiffID", keep=True, leave=1),
    Column("verified", keep=True),
)


def layers_document(result: LayersResult) -> Document:
    """Return one row a layer, the sums, and each statement that the bytes contradict."""
    known = result.image.knowledge
    if result.image.artifact:
        return about(result.image, *_parts(result))
    if not result.layers:
        nothing = [section(say("The image has no layers."))] if known.layers else []
        return about(result.image, *nothing)
    grid = Table(columns=_COLUMNS, rows=tuple(_layer(layer, known.config) for layer in result.layers))
    return about(result.image, section(grid), _sums(result))


def _parts(result: LayersResult) -> Iterator[Section]:
    """Yield the parts of an artifact."""
    rows = [
        row(
            term(part.label),
            part.media_type or "-",
            size(part.blob_size) if part.blob_size is not None else "-",
            digest(brief_digest(part.digest)),
            path(part.location.member or "-") if part.state != "missing" else bad("missing"),
        )
        for part in result.layers
    ]
    columns = (
        Column("part", keep=True), Column("media type", room=22), Column("stored", right=True, keep=True),
        Column("digest", keep=True, leave=1), Column("member", room=14),
    )  # fmt: skip
    if rows:
        yield section(Table(columns=columns, rows=tuple(rows)))


def _layer(layer: LayerRow, known: bool) -> Row:
    return row(
        term(layer.label),
        _step(layer, known),
        size(layer.blob_size) if layer.blob_size is not None else "-",
        size(layer.content_size) if layer.content_size is not None else "-",
        layer.compression or layer.state,
        number(layer.entries) if layer.entries is not None else "-",
        _changes(layer),
        digest(brief_digest(layer.digest)),
        digest(brief_digest(layer.diff_id)),
        _verified(layer),
    )


def _step(layer: LayerRow, known: bool) -> Span | str:
    if layer.step is None and not layer.created_by:
        return dim("(no history step)" if known else "(not known)")
    if layer.source is not None:
        return f"{lines_in_words(layer.source)}: {brief_step(layer.created_by)}"
    return brief_step(layer.created_by) or dim("(a step without words)")


def _changes(layer: LayerRow) -> str:
    if layer.added is None or layer.changed is None or layer.removed is None:
        return "-"
    return f"+{number(layer.added)} ~{number(layer.changed)} -{number(layer.removed)}"


def _verified(layer: LayerRow) -> Span:
    if layer.unpack_error:
        return bad("damaged")
    if layer.verified is True:
        return good("ok")
    if layer.verified is False:
        return bad("MISMATCH")
    if layer.state != "present":
        return bad(layer.state)
    hashed = any(check.what != "size" and not check.why for check in layer.checks)
    return warn("not checked" if layer.checks and not hashed else "nothing stated")


def _sums(result: LayersResult) -> Section:
    here = [layer for layer in result.layers if layer.state in ("present", "truncated")]
    stored = sum(layer.blob_size or 0 for layer in here)
    content = sum(layer.content_size or 0 for layer in here)
    entries = sum(layer.entries or 0 for layer in here)
    left = f", {number(len(here))} of them here:" if len(here) < len(result.layers) else ","
    sums = f"{plural(len(result.layers), 'layer')}{left} {size(stored)} stored, {size(content)} of content, "
    wrong = [
        say(f"{layer.label} {check.what}: stated {check.stated}, found {check.actual}", level="bad")
        for layer in result.layers
        for check in layer.checks
        if check.ok is False
    ]
    stated = any(layer.source is not None for layer in result.layers)
    claim = [say("Lines of the Dockerfile are those that the builder states: a claim, unsigned.")] if stated else []
    return section(say(sums + plural(entries, "entry")), *claim, *wrong)
