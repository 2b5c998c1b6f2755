"""The tables of `du` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from imagepeel.explain.steps import instruction
from imagepeel.explain.words import number, plural, shortened, size
from imagepeel.render.results_rootfs import DuDirectory, DuFile, DuResult
from imagepeel.render.terminal_tables import STEP_WIDTH, heading, print_line, print_table, safe, table

Write = Callable[[int], str]


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
    grid = table(
        ("", "text"),
        ("step", "words"),
        ("stored", "number"),
        ("content", "number"),
        ("= framing", "number"),
        ("+ files", "number"),
        ("= visible", "number"),
        ("+ shadowed", "number"),
        ("+ removed", "number"),
        ("+ overwritten", "number"),
        *([("here", "number")] if below else []),
    )
    sums = [0] * 9
    for row in result.layers:
        values = [
            row.blob_size,
            row.content_size,
            row.framing,
            row.shipped,
            row.visible,
            row.shadowed,
            row.removed,
            row.overwritten,
            row.here,
        ]
        sums = [a + b for a, b in zip(sums, values, strict=True)]
        step = shortened(instruction(row.created_by), STEP_WIDTH) if row.created_by else "-"
        if row.state not in ("present", "truncated"):
            step += f" ({row.state})"
        grid.add_row(Text(row.label, style="bold"), safe(step), *map(write, values if below else values[:-1]))
    grid.add_row(Text("sum", style="bold"), "", *map(write, sums if below else sums[:-1]))
    print_table(console, grid)
    shipped, visible = sums[3], sums[4]
    lost = shipped - visible
    share = f" ({100 * lost / shipped:.1f} %)" if shipped else ""
    console.print()
    console.print(f"Of {write(shipped)} in files, {write(visible)} are visible and {write(lost)}{share} are not.")
    if not result.exact:
        console.print("This view keeps no layers apart, so all that is not visible stands under shadowed.")


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
