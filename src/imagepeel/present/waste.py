"""The account of `waste`: causes and their sums, and the largest files shipped in vain."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.evidence import layer_label
from imagepeel.findings.waste import Cause
from imagepeel.present.document import (
    Column,
    Document,
    Section,
    Span,
    Table,
    items,
    path,
    row,
    say,
    section,
    term,
    try_it,
)
from imagepeel.present.heading import LAYER_MISSING, about
from imagepeel.results.waste import WasteAccount, WasteCause, WasteResult
from imagepeel.text import number, percent, plural, size

MEANING: dict[Cause, str] = {
    "used": "files that the rootfs shows",
    "identical": "files equal to another path",
    "debris": "leftovers of building",
    "overwritten": "another content came later",
    "metadata": "copied whole for a changed field",
    "rewritten": "written again, nothing differs",
    "removed": "taken away by a later layer",
    "repeated": "replaced or removed by the same layer",
    "unattributed": "not shown; what hides it cannot be told",
    "headers": "tar headers and padding",
}


def waste_document(result: WasteResult) -> Document:
    """Return the account of an image."""
    return about(result.image, *waste_sections(result))


def waste_sections(result: WasteAccount, *, more: str = "imagepeel waste --all") -> Iterator[Section]:
    """Yield causes, efficiency and the largest items; sums stand under the columns that they add up.

    `more` is what gives all items.
    """
    if not result.layers and not result.complete:
        return  # the list of layers is missing
    here = "" if result.complete else " in the layers that are here"
    seen = f"Of {plural(result.files, 'byte')} of file content shipped{here}, {number(result.visible)} can be seen"
    if result.efficiency is not None:
        sums = [say(f"{seen}: ", term(f"efficiency {percent(result.efficiency)}"), ".")]
    else:
        sums = [say(f"{seen}."), say(LAYER_MISSING, level="warn")]
    if not result.items and result.complete:
        sums.append(say("No file is shipped in vain."))
    yield section(_causes(result))
    yield section(*sums)
    if result.items:
        yield _items(result, more)


def _causes(result: WasteAccount) -> Table:
    own = result.base_layers > 0
    titles = ("content", "stored", "own content", "own stored") if own else ("content", "stored")
    rows = []
    for one in result.causes:
        if one.content or one.stored or one.cause in ("used", "headers"):
            kind: Span | str = Span(one.cause, "warn" if one.reach == "unreachable" else "plain")
            rows.append(row(one.reach, kind, *_numbers(one, own), MEANING[one.cause]))
    sums = [result.content_size, result.blob_size]
    if own:
        sums += [sum(one.own_content for one in result.causes), sum(one.own_stored for one in result.causes)]
    layers = plural(len(result.layers), "layer")
    every = "all" if result.complete else "all that is here"
    rows.append(row("shipped", every, *map(number, sums), layers, total=True))
    return Table(
        columns=(
            Column("", keep=True),
            Column("cause", keep=True),
            *(Column(title, right=True, keep=True) for title in titles),
            Column("what it is", keep=True, leave=1),
        ),
        rows=tuple(rows),
    )


def _numbers(one: WasteCause, own: bool) -> list[str]:
    counts = (one.content, one.stored, one.own_content, one.own_stored) if own else (one.content, one.stored)
    return [number(count) for count in counts]


def _items(result: WasteAccount, more: str) -> Section:
    rows = []
    for one in result.items:
        by = layer_label(one.layer) + (f" -> {layer_label(one.by)}" if one.by is not None else "")
        rows.append(row(size(one.size), one.cause, by, path(one.path), one.detail, by=one.evidence))
    return section(
        Table(
            columns=(
                Column("size", right=True, keep=True),
                Column("cause", keep=True),
                Column("", keep=True),
                Column("path", room=14),
                Column("", room=14),
            ),
            rows=tuple(rows),
            hidden=result.items_total - len(result.items),
            all=more,
        ),
        *([items(*map(try_it, result.receipts))] if result.receipts else []),
    )
