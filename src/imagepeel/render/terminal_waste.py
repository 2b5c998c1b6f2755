"""The account of `waste` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from imagepeel.present.words import number, percent, plural, size
from imagepeel.render.terminal_tables import heading, print_line, print_table, safe, table
from imagepeel.results.waste import WasteResult

MEANING = {
    "used": "files that the rootfs shows",
    "identical": "files equal to another path",
    "debris": "leftovers of building",
    "overwritten": "another content came later",
    "metadata": "copied whole for a changed field",
    "rewritten": "written again, nothing differs",
    "removed": "taken away by a later layer",
    "repeated": "brought twice in one layer",
    "headers": "tar headers and padding",
}


def print_waste(console: Console, result: WasteResult) -> None:
    """Print the causes, the layers and the largest items; sums stand under the columns that they add up."""
    print_line(console, heading(result.image))
    console.print()
    _print_causes(console, result)
    console.print()
    print_line(
        console,
        Text(f"Of {number(result.files)} bytes of file content shipped, {number(result.visible)} can be seen: "),
        Text(f"efficiency {percent(result.efficiency)}", style="bold"),
        Text("."),
    )
    if not result.complete:
        print_line(console, Text("A layer is missing or damaged: its bytes are not in the sums.", style="yellow"))
    _print_items(console, result)
    for receipt in result.receipts:
        shows = Text(f"   {receipt.shows}", style="dim")
        print_line(console, Text("try it  ", style="dim"), safe(receipt.command), shows)


def _print_causes(console: Console, result: WasteResult) -> None:
    own = result.base_layers > 0
    grid = table(
        ("", "text"),
        ("cause", "text"),
        ("content", "number"),
        ("stored", "number"),
        *([("own content", "number"), ("own stored", "number")] if own else []),
        ("what it is", "text"),
    )
    for row in result.causes:
        if not row.content and not row.stored and row.cause not in ("used", "headers"):
            continue
        style = {"visible": "", "unreachable": "yellow", "overhead": "dim"}[row.reach]
        cells = [number(row.content), number(row.stored)]
        if own:
            cells += [number(row.own_content), number(row.own_stored)]
        grid.add_row(row.reach, Text(row.cause, style=style), *cells, MEANING[row.cause])
    cells = [number(result.content_size), number(result.blob_size)]
    if own:
        cells.append(number(sum(row.own_content for row in result.causes)))
        cells.append(number(sum(row.own_stored for row in result.causes)))
    grid.add_row(Text("shipped", style="bold"), "all", *cells, plural(len(result.layers), "layer"))
    print_table(console, grid)


def _print_items(console: Console, result: WasteResult) -> None:
    if not result.items:
        print_line(console, Text("No file is shipped in vain."))
        return
    console.print()
    grid = table(("size", "number"), ("cause", "text"), ("", "text"), ("path", "words"), ("", "words"))
    for item in result.items:
        by = f"L{item.layer + 1}" + (f" -> L{item.by + 1}" if item.by is not None else "")
        grid.add_row(size(item.size), item.cause, by, safe(item.path), safe(item.detail))
    print_table(console, grid)
    left = result.items_total - len(result.items)
    if left:
        print_line(console, Text(f"{plural(left, 'file')} more: --all shows them", style="dim"))
