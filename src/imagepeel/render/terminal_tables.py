"""The tables of `layers` and `images` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from imagepeel.history.builders import instruction
from imagepeel.render.escape import terminal
from imagepeel.results.tables import ImageHead, ImageRow, ImagesResult, LayerRow, LayersResult
from imagepeel.text import number, plural, shortened, size

STEP_WIDTH = 60
"""Characters of a history step that are worth a row; --json has it whole."""
_STEP_ROOM = 22
MOST_NAMES = 6


def safe(words: str, style: str = "") -> Text:
    """Return text of an image as something that rich only prints."""
    return Text(terminal(words), style=style)


def brief(digest: str | None, digits: int = 12) -> str:
    """Return the first hex digits of a digest, `-` for none; another algorithm than sha256 is named."""
    if not digest:
        return "-"
    algorithm, colon, encoded = digest.partition(":")
    short = (encoded if colon else algorithm)[:digits]
    return short if algorithm == "sha256" or not colon else f"{algorithm}:{short}"


def print_table(console: Console, grid: Table) -> None:
    """Print a table without the spaces that fill its last column."""
    with console.capture() as capture:
        console.print(grid)
    for line in capture.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def print_line(console: Console, *parts: Text) -> None:
    """Print one line, never wrapped."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def heading(head: ImageHead) -> Text:
    """Return which image this is about, in one line."""
    name = head.names[0] if head.names else "an image without a name"
    out = [safe(head.archive if head.archive != "-" else "standard input", "bold"), Text("   ")]
    out += [safe(head.archive_kind), Text("   "), safe(name)]
    if head.platform:
        out += [Text("   "), safe(head.platform)]
    if not head.complete:
        out += [Text("   "), Text("incomplete", style="red")]
    return Text.assemble(*out)


def table(*columns: tuple[str, str]) -> Table:
    """Return an empty table without lines; columns are (title, kind): text, number, or words and brief, which wrap."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for title, kind in columns:
        grid.add_column(
            title,
            justify="right" if kind == "number" else "left",
            no_wrap=kind not in ("words", "brief"),
            overflow="fold",
            min_width={"words": 14, "brief": 8}.get(kind),
        )
    return grid


def print_layers(console: Console, result: LayersResult) -> None:
    """Print one row a layer and the sums."""
    print_line(console, heading(result.image))
    console.print()
    if not result.layers:
        console.print("The image has no layers.")
        return
    print_table(console, _layer_grid(result.layers, console.width))
    console.print()
    stored = sum(row.blob_size for row in result.layers if row.state in ("present", "truncated"))
    content = sum(row.content_size for row in result.layers)
    entries = sum(row.entries for row in result.layers)
    sums = f"{plural(len(result.layers), 'layer')}, {size(stored)} stored, {size(content)} of content, "
    print_line(console, Text(sums + plural(entries, "entry")))
    for row in result.layers:
        for check in row.checks:
            if check.ok is False:
                words = f"{row.label} {check.what}: stated {check.stated}, found {check.actual}"
                print_line(console, safe(words, "red"))


def _layer_grid(rows: Sequence[LayerRow], width: int) -> Table:
    """Return the table of layers for so many columns.

    Where it is narrow, digests become shorter first, then columns go, so that the step keeps room for its words.
    """
    for digits, without in (
        (12, ()),
        (7, ()),
        (7, ("DiffID",)),
        (7, ("DiffID", "packed")),
        (7, ("DiffID", "packed", "digest")),
        (7, ("DiffID", "packed", "digest", "content")),
    ):
        columns = _layer_columns(rows, digits, wide=digits == 12)
        kept = [column for column in columns if column[0] not in without]
        # Two spaces part columns; the step takes what is left.
        rest = sum(
            max(cell_len(title), *(cell.cell_len for cell in cells)) + 2
            for title, kind, cells in kept
            if kind != "words"
        )
        if rest + _STEP_ROOM <= width:
            break
    grid = table(*((title, kind) for title, kind, _ in kept))
    for line in zip(*(cells for _, _, cells in kept), strict=True):
        grid.add_row(*line)
    return grid


def _layer_columns(rows: Sequence[LayerRow], digits: int, *, wide: bool) -> list[tuple[str, str, list[Text]]]:
    here = [row.state in ("present", "truncated") for row in rows]
    return [
        ("", "text", [Text(row.label, style="bold") for row in rows]),
        ("step", "words", [_step(row) for row in rows]),
        ("stored", "number", [Text(size(row.blob_size)) for row in rows]),
        (
            "content",
            "number",
            [Text(size(row.content_size) if on else "-") for row, on in zip(rows, here, strict=True)],
        ),
        ("packed", "text", [safe(row.compression or row.state) for row in rows]),
        ("entries", "number", [Text(number(row.entries) if on else "-") for row, on in zip(rows, here, strict=True)]),
        ("+added ~changed -removed" if wide else "+ ~ -", "text", [_changes(row) for row in rows]),
        ("digest", "text", [Text(brief(row.digest, digits), style="dim") for row in rows]),
        ("DiffID", "text", [Text(brief(row.diff_id, digits), style="dim") for row in rows]),
        ("verified", "text", [_verified(row) for row in rows]),
    ]


def _step(row: LayerRow) -> Text:
    if row.step is None:
        return Text("(no history step)", style="dim")
    if not row.created_by:
        return Text("(a step without words)", style="dim")
    return safe(shortened(instruction(row.created_by), STEP_WIDTH))


def _changes(row: LayerRow) -> Text:
    if row.added is None or row.changed is None or row.removed is None:
        return Text("-")
    return Text(f"+{number(row.added)} ~{number(row.changed)} -{number(row.removed)}")


def _verified(row: LayerRow) -> Text:
    if row.unpack_error:
        return Text("damaged", style="bold red")
    if row.verified is True:
        return Text("ok", style="green")
    if row.verified is False:
        return Text("MISMATCH", style="bold red")
    if row.state != "present":
        return Text(row.state, style="red")
    hashed = any(check.what != "size" and not check.why for check in row.checks)
    return Text("not checked" if row.checks and not hashed else "nothing stated", style="yellow")


def print_images(console: Console, result: ImagesResult) -> None:
    """Print one row a record, and what the archive is."""
    shown = "standard input" if result.archive == "-" else result.archive
    print_line(console, safe(shown, "bold"), Text("   "), safe(result.kind), Text(f" ({result.form})"))
    print_line(console, safe(result.recognised))
    if result.wrapping:
        print_line(console, Text("It was wrapped in "), safe(", ".join(result.wrapping)), Text("."))
    console.print()
    if not result.images:
        console.print("It names no image.")
    else:
        narrow = console.width < 100
        grid = table(
            ("", "text"),
            ("kind", "text"),
            ("name", "words"),
            ("platform", "text"),
            ("layers", "number"),
            ("stored", "number"),
            *(() if narrow else (("digest or id", "text"),)),
            ("complete", "brief"),
            ("choose with", "text"),
        )
        for row in result.images:
            digest = () if narrow else (Text(brief(row.digest or row.image_id), style="dim"),)
            grid.add_row(
                Text(f"#{row.number}", style="bold"),
                safe(row.kind, "" if row.choose else "dim"),
                _names(row),
                safe(row.platform or "-"),
                number(row.layers),
                size(row.blob_size),
                *digest,
                _complete(row),
                Text(row.choose or "-"),
            )
        print_table(console, grid)
        _print_notes(console, result)
    if result.unreferenced:
        console.print()
        names = ", ".join(result.unreferenced[:5]) + (", ..." if len(result.unreferenced) > 5 else "")
        count = len(result.unreferenced)
        print_line(console, Text(f"{plural(count, 'member')} that nothing points at: "), safe(names))


def _names(row: ImageRow) -> Text:
    """Return the names, one a line: joined as text, since a line end inside a name must stay escaped."""
    shown = [safe(name) for name in row.names[:MOST_NAMES]]
    if len(row.names) > MOST_NAMES:
        shown.append(Text(f"and {len(row.names) - MOST_NAMES} more"))
    return Text("\n").join(shown) if shown else Text("-")


def _complete(row: ImageRow) -> Text:
    if row.complete:
        return Text("yes", style="green")
    return safe("missing: " + shortened(", ".join(row.missing), 80) if row.missing else "cut off", "red")


def _print_notes(console: Console, result: ImagesResult) -> None:
    notes = []
    for row in result.images:
        if row.kind != "image" and row.kind_reason and row.kind_reason != result.recognised:
            notes.append(f"#{row.number} {row.kind}: {row.kind_reason}")
        if row.lost:
            notes.append(f"#{row.number} lacks {row.lost}")
    if notes:
        console.print()
    for note in notes:
        print_line(console, safe(note))
