"""The tables of `du` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from imagepeel.history.builders import instruction
from imagepeel.render.terminal_tables import STEP_WIDTH, heading, print_line, print_table, safe, table
from imagepeel.results.rootfs import DuDirectory, DuFile, DuResult
from imagepeel.text import number, plural, shortened, size

Write = Callable[[int], str]
_STEP_ROOM = 16
"""Columns that the words of a step need to be worth a column."""


def print_du(console: Console, result: DuResult, *, most: int, exact: bool) -> None:
    """Print layers, directories and large files; `most` rows a directory, the rest in one; `exact` for plain bytes."""
    write = number if exact else size
    print_line(console, heading(result.image))
    console.print()
    _print_layers(console, result, write)
    console.print()
    _print_directories(console, result, most, write)
    _print_files(console, "Largest files", result.largest, write)
    _print_files(console, "Largest files that nobody can reach", result.unreachable, write)


def _print_layers(console: Console, result: DuResult, write: Write) -> None:
    if not result.layers:
        console.print("The image has no layers.")
        return
    below = result.path != "/"
    titles = [
        "stored", "content", "= framing", "+ files", "= visible", "+ shadowed", "+ removed", "+ overwritten",
        *(["here"] if below else []),
    ]  # fmt: skip
    rows: list[list[int]] = []
    steps: list[Text] = []
    for row in result.layers:
        values = [
            row.blob_size, row.content_size, row.framing, row.shipped, row.visible, row.shadowed, row.removed,
            row.overwritten, row.here,
        ]  # fmt: skip
        rows.append(values[: len(titles)])
        step = shortened(instruction(row.created_by), STEP_WIDTH) if row.created_by else "-"
        if row.state not in ("present", "truncated"):
            step += f" ({row.state})"
        steps.append(safe(step))
    sums = [sum(column) for column in zip(*rows, strict=True)]
    without = _left_out(titles, [*rows, sums], write, console.width)
    grid = table(
        ("", "text"),
        *([] if "step" in without else [("step", "words")]),
        *((title, "number") for title in titles if title not in without),
    )
    labels = [*(row.label for row in result.layers), "sum"]
    for label, words, values in zip(labels, [*steps, Text()], [*rows, sums], strict=True):
        cells = [write(value) for title, value in zip(titles, values, strict=True) if title not in without]
        grid.add_row(Text(label, style="bold"), *([] if "step" in without else [words]), *cells)
    print_table(console, grid)
    shipped, visible = sums[3], sums[4]
    lost = shipped - visible
    share = f" ({100 * lost / shipped:.1f} %)" if shipped else ""
    console.print()
    console.print(f"Of {write(shipped)} in files, {write(visible)} are visible and {write(lost)}{share} are not.")
    if not result.exact:
        console.print("This view keeps no layers apart, so all that is not visible stands under shadowed.")


def _left_out(titles: list[str], rows: list[list[int]], write: Write, width: int) -> tuple[str, ...]:
    """Columns to leave out so that each number of the rest stays whole on a line of `width` characters."""
    wide = {title: max(len(title), *(len(write(row[at])) for row in rows)) + 2 for at, title in enumerate(titles)}
    # Two spaces part columns, and none follow the last.
    room = width - len("sum") + 2
    without: tuple[str, ...] = ()
    for more in ((), ("step",), ("stored",), ("content", "= framing"), ("+ files",)):
        without += more
        needed = sum(columns for title, columns in wide.items() if title not in without) + 2
        if needed + (0 if "step" in without else _STEP_ROOM) <= room:
            break
    return without


def _print_directories(console: Console, result: DuResult, most: int, write: Write) -> None:
    total = result.total
    print_line(console, safe(result.path, "bold"), Text(f" in the {result.view} view"))
    grid = table(("size", "number"), ("files", "number"), ("share", "number"), ("", "text"))
    for stored, files, words, level in _rows(result, most):
        share = f"{100 * stored / total.stored:.1f} %" if total.stored else "-"
        grid.add_row(write(stored), number(files), share, Text("  " * level).append_text(safe(words)))
    grid.add_row(Text(write(total.stored), style="bold"), number(total.files), "", Text("sum", style="bold"))
    print_table(console, grid)
    notes = []
    if total.links:
        notes.append(f"{plural(total.links, 'further name')} of hardlinked files not counted again")
    if total.logical != total.stored:
        notes.append(f"{write(total.logical)} with the holes of sparse files")
    if notes:
        console.print("; ".join(notes) + ".")


def _rows(result: DuResult, most: int) -> Iterator[tuple[int, int, str, int]]:
    """Yield (bytes, files, words, level): each directory's largest members first, what is left in one row."""
    below: dict[int, list[int]] = {}
    rows = (result.total, *result.directories)
    chain: list[int] = []
    for at, row in enumerate(rows):
        del chain[row.depth :]
        if chain:
            below.setdefault(chain[-1], []).append(at)
        chain.append(at)
    # Frames instead of recursion: directories may be two thousand deep.
    stack = [_members(rows, 0, below, most)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, int):
                row = rows[item]
                yield row.stored, row.files, row.path, row.depth - 1
                if item in below:
                    stack.append(_members(rows, item, below, most))
                    break
            else:
                yield item
        else:
            stack.pop()


def _members(
    rows: tuple[DuDirectory, ...], at: int, below: dict[int, list[int]], most: int
) -> Iterator[int | tuple[int, int, str, int]]:
    row = rows[at]
    inside = sorted(below.get(at, ()), key=lambda member: (-rows[member].stored, rows[member].path))
    yield from inside[:most]
    rest = inside[most:]
    if rest:
        stored, files = sum(rows[m].stored for m in rest), sum(rows[m].files for m in rest)
        what = "directory" if len(rest) == 1 else "directories"
        yield stored, files, f"({number(len(rest))} more {what})", row.depth
    own = row.files - sum(rows[m].files for m in inside)
    if own:
        yield row.own, own, f"(files in {row.path} itself)", row.depth


def _print_files(console: Console, title: str, files: tuple[DuFile, ...], write: Write) -> None:
    if not files:
        return
    console.print()
    print_line(console, Text(title, style="bold"))
    grid = table(("size", "number"), ("", "text"), ("", "text"))
    for file in files:
        words = safe(file.path)
        if file.fate != "visible":
            by = f" by L{file.by + 1}" if file.by is not None else ""
            words.append_text(Text(f"  [{file.fate}{by}]", style="red"))
        if file.kind:
            words.append_text(Text("  ")).append_text(safe(file.kind, "dim"))
        grid.add_row(write(file.stored), file.label, words)
    print_table(console, grid)
