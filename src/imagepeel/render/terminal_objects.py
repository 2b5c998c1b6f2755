"""How an archive, an image and a layer look when rich prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text as Line

from imagepeel.evidence import text
from imagepeel.history.builders import instruction
from imagepeel.layers.layer import Layer
from imagepeel.render.escape import terminal
from imagepeel.render.terminal import Indented, document_parts, grid
from imagepeel.text import number, plural, size

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.image import LayeredImage

ROWS = 20


def parts(obj: object) -> Iterator[RenderableType]:
    """Yield the pieces that show an object; nothing is read that was not read before."""
    show: Any = _SHOW.get(type(obj).__name__)
    if show is None:
        yield Line(terminal(repr(obj)))
    else:
        yield from show(obj)


def _head(title: str, *facts: str) -> Line:
    line = Line(terminal(title), "bold")
    for fact in facts:
        if fact:
            line.append("   ")
            line.append(terminal(fact), "not bold")
    return line


def _rows(table: Any, rows: Sequence[tuple[str, ...]]) -> RenderableType:
    for row in rows:
        table.add_row(*(Line(terminal(cell)) for cell in row))
    return Indented(table)


def _more(left: int, call: str) -> Iterator[RenderableType]:
    if left > 0:
        yield Indented(Line(f"{number(left)} more: {call}", "dim"))


def _archive(archive: OpenArchive) -> Iterator[RenderableType]:
    yield _head(archive.name, archive.kind.name, plural(len(archive.records), "record"))
    table = grid((("", True, True), ("name", False, False), ("platform", False, True), ("", False, False)))
    rows = [
        (
            f"#{record.number}",
            record.tags[0] if record.tags else "",
            str(record.platform or ""),
            (record.kind if not record.runnable else plural(len(record.layers), "layer"))
            + ("" if record.complete else ", missing: " + ", ".join(record.missing[:3])),
        )
        for record in archive.records[:ROWS]
    ]
    yield _rows(table, rows)
    yield from _more(len(archive.records) - ROWS, "archive.records")


def _image(image: LayeredImage) -> Iterator[RenderableType]:
    yield _head(image.name or image.id or "an image without a name", image.platform, plural(len(image.layers), "layer"))
    table = grid((("", False, True), ("made by", False, False), ("stored", True, True), ("", False, True)))
    rows = [
        (
            layer.label,
            instruction(layer.history.created_by) if layer.history is not None else layer.record.member,
            size(layer.blob_size),
            "" if layer.state == "present" else layer.state,
        )
        for layer in image.layers[:ROWS]
    ]
    yield _rows(table, rows)
    yield from _more(len(image.layers) - ROWS, "image.layers")


def _layer(layer: Layer) -> Iterator[RenderableType]:
    made = instruction(layer.history.created_by) if layer.history is not None else ""
    yield _head(f"layer {layer.label}", layer.state, size(layer.blob_size), made)
    if layer._scan is None:
        return
    columns = ("", False, True), ("", False, True), ("", False, True), ("size", True, True), ("name", False, False)
    rows = [
        (entry.kind, f"{entry.mode:04o}", f"{entry.uid}:{entry.gid}", number(entry.size), text(entry.raw_name))
        for entry in layer.table[:ROWS]
    ]
    yield _rows(grid(columns), rows)
    yield from _more(len(layer.table) - ROWS, "layer.entries")


_SHOW = {"Archive": _archive, "Image": _image, "Layer": _layer, "Story": lambda story: document_parts(story.document())}
