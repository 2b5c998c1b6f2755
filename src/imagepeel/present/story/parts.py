"""Chapter 3 of an artifact: the parts that it holds in the places of layers, and what they are said to be."""

from __future__ import annotations

from imagepeel.evidence import Location
from imagepeel.layers.layer import Layer
from imagepeel.present.document import Block, Column, Row, Span, Table, claim, code, digest, path, proof, value, words
from imagepeel.present.story.context import StoryContext
from imagepeel.text import few, noun, short_digests, shortened, size, title

ID = "parts"
_ROWS = 16


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    parts = context.image.layers
    listing = context.receipts.listing()
    by = proof(Location(member=context.image.record.manifest_member or None), listing)
    if not context.knowledge.layer_list:
        return "Its parts are not known", [claim("The manifest lists them, and it is missing.", by=by, level="bad")]
    if not parts:
        return "No parts", [claim("It lists no parts: what it says stands in its manifest.", by=by)]
    count = len(parts)
    said = claim(
        "Where an image has layers, it has ", value(few(count)), f" {noun(count, 'part')}: ",
        "no file system is made of them, and no process.", by=by,
    )  # fmt: skip
    titles = (
        Column("media type"),
        Column("stored", right=True, keep=True),
        Column("digest", keep=True),
        Column("member"),
    )
    columns = (Column("", keep=True), *titles)
    rows = tuple(_row(context, part) for part in parts[:_ROWS])
    command = f"imagepeel layers {context.receipts.file}"
    table = Table(columns=columns, rows=rows, hidden=max(0, count - _ROWS), all=command)
    return title(f"{few(count)} {noun(count, 'part')}"), [said, table]


def _row(context: StoryContext, part: Layer) -> Row:
    record = part.record
    here = record.stored is not None
    cells = (
        words(value(part.label)),
        words(code(part.media_type or "not stated")),
        words(value(size(part.blob_size))),
        words(digest(f"{short_digests(part.digest or '-')}")),
        words(path(shortened(short_digests(record.member), 60)) if here else Span("missing", "bad")),
    )
    receipt = context.receipts.layer_digest(part) or context.receipts.listing()
    return Row(cells=cells, evidence=proof(part.location, receipt), level="" if here else "bad")


__all__ = ["ID", "chapter"]
