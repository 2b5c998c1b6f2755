"""Where the bytes are: by layer, by directory, and the largest files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imagepeel.evidence import layer_label
from imagepeel.present.document import (
    Bar,
    Bars,
    Column,
    Document,
    Section,
    Table,
    bad,
    dim,
    path,
    row,
    say,
    section,
    term,
    words,
)
from imagepeel.present.heading import LAYER_MISSING, about, brief_step
from imagepeel.results.du import DuDirectory, DuFile, DuLayer, DuResult
from imagepeel.text import number, percent, plural, size

Write = Callable[[int], str]


def du_document(result: DuResult, *, most: int, exact: bool) -> Document:
    """Return layers, directories and large files; `most` rows a directory, the rest in one; `exact` for plain bytes."""
    write = number if exact else size
    return about(
        result.image,
        *_layers(result, write),
        _directories(result, most, write) if result.image.knowledge.layer_list else None,
        _files("Largest files", result.largest, write),
        _files("Largest files that nobody can reach", result.unreachable, write),
    )


def _layers(result: DuResult, write: Write) -> Iterator[Section]:
    if not result.layers:
        if result.image.knowledge.layer_list:
            yield section(say("The image has no layers."))
        return
    below = result.path != "/"
    rows, sums = [], [0] * (9 if below else 8)
    for layer in result.layers:
        values = [
            layer.blob_size, layer.content_size, layer.framing, layer.shipped, layer.visible, layer.shadowed,
            layer.removed, layer.overwritten, layer.here,
        ][: len(sums)]  # fmt: skip
        sums = [one + more for one, more in zip(sums, values, strict=True)]
        state = "" if layer.state in ("present", "truncated") else f" ({layer.state})"
        rows.append(row(term(layer.label), brief_step(layer.created_by, "-") + state, *map(write, values)))
    rows.append(row("sum", "", *map(write, sums), total=True))
    # What is left out on a narrow terminal is what the rest can be reckoned without.
    numbers = (
        ("stored", 2), ("content", 3), ("= framing", 3), ("+ files", 4), ("= visible", 0), ("+ shadowed", 0),
        ("+ removed", 0), ("+ overwritten", 0), ("here", 0),
    )  # fmt: skip
    yield section(
        Table(
            columns=(
                Column("", keep=True),
                Column("step", leave=1, room=16),
                *(Column(title, right=True, keep=True, leave=leave) for title, leave in numbers[: len(sums)]),
            ),
            rows=tuple(rows),
        ),
        Bars(bars=tuple(_bar(layer, write) for layer in result.layers)),
    )
    shipped, visible, lost = sums[3], sums[4], sum(layer.unreachable for layer in result.layers)
    share = f" ({percent(lost / shipped)})" if shipped else ""
    if result.image.knowledge.layers:
        said = [say(f"Of {write(shipped)} in files, {write(visible)} are visible and {write(lost)}{share} are not.")]
    else:
        seen = f"Of {write(shipped)} in the files of the layers that are here, these hide {write(lost)}."
        said = [say(seen), say(LAYER_MISSING, level="warn")]
    if not result.exact:
        said.append(say("This view keeps no layers apart, so all that is not visible stands under shadowed."))
    yield section(*said)


def _bar(layer: DuLayer, write: Write) -> Bar:
    return Bar(
        label=layer.label,
        words=(
            f"{write(layer.visible)} visible, {write(layer.unreachable)} unreachable, "
            f"{write(layer.framing)} of headers; {write(layer.blob_size)} stored"
        ),
        stored=layer.blob_size,
        content=layer.content_size,
        visible=layer.visible,
        unreachable=layer.unreachable,
    )


def _directories(result: DuResult, most: int, write: Write) -> Section:
    total = result.total
    rows = []
    for stored, files, what, level in _rows(result, most):
        share = percent(stored / total.stored) if total.stored else "-"
        rows.append(row(write(stored), number(files), share, words("  " * level, path(what))))
    rows.append(row(write(total.stored), number(total.files), "", "sum", total=True))
    notes = []
    if total.links:
        notes.append(f"{plural(total.links, 'further name')} of hardlinked files not counted again")
    if total.logical != total.stored:
        notes.append(f"{write(total.logical)} with the holes of sparse files")
    return section(
        Table(
            columns=(
                Column("size", right=True, keep=True),
                Column("files", right=True, keep=True),
                Column("share", right=True, keep=True),
                Column("", room=20),
            ),
            rows=tuple(rows),
        ),
        *([say("; ".join(notes) + ".")] if notes else []),
        title=words(
            path(result.path),
            f" in the {result.view} view",
            "" if result.image.knowledge.layers else ", as far as the layers that are here show",
        ),
    )


def _rows(result: DuResult, most: int) -> Iterator[tuple[int, int, str, int]]:
    """Yield (bytes, files, words, level): each directory's largest members first, what is left in one row."""
    below: dict[int, list[int]] = {}
    rows = (result.total, *result.directories)
    chain: list[int] = []
    for at, one in enumerate(rows):
        del chain[one.depth :]
        if chain:
            below.setdefault(chain[-1], []).append(at)
        chain.append(at)
    # Frames instead of recursion: directories may be two thousand deep.
    stack = [_members(rows, 0, below, most)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, int):
                found = rows[item]
                yield found.stored, found.files, found.path, found.depth - 1
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
    here = rows[at]
    inside = sorted(below.get(at, ()), key=lambda member: (-rows[member].stored, rows[member].path))
    yield from inside[:most]
    rest = inside[most:]
    if rest:
        stored, files = sum(rows[m].stored for m in rest), sum(rows[m].files for m in rest)
        what = "directory" if len(rest) == 1 else "directories"
        yield stored, files, f"({number(len(rest))} more {what})", here.depth
    own = here.files - sum(rows[m].files for m in inside)
    if own:
        yield here.own, own, f"(files in {here.path} itself)", here.depth


def _files(title: str, files: tuple[DuFile, ...], write: Write) -> Section | None:
    if not files:
        return None
    rows = []
    for file in files:
        by = f" by {layer_label(file.by)}" if file.by is not None else ""
        fate = bad(f"  [{file.fate}{by}]") if file.fate != "visible" else ""
        kind = dim(f"  {file.kind}") if file.kind else ""
        rows.append(row(write(file.stored), file.label, words(path(file.path), fate, kind)))
    columns = (Column("size", right=True, keep=True), Column("", keep=True), Column("", room=20))
    return section(Table(columns=columns, rows=tuple(rows)), title=title)
