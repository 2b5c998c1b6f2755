"""`imagepeel tree`: the merged filesystem, or what one layer did, as a drawn tree."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator

import click

from imagepeel.cli import common, listing
from imagepeel.cli.settings import Settings
from imagepeel.formats.tar.table import clean
from imagepeel.render.escape import terminal
from imagepeel.render.listing import Row, note, painted, tree_marks
from imagepeel.text import plural


@click.command(epilog="\b\nExamples:\n  imagepeel tree image.tar --depth 2\n  imagepeel tree image.tar --layer 3")
@common.archive
@click.argument("path", default="/", metavar="[PATH]")
@click.option("-L", "--depth", metavar="N", type=click.IntRange(1), help="Go down at most N levels.")
@click.option("-d", "--dirs", is_flag=True, help="Only directories.")
@common.layer
@common.view
@common.json
@common.settings
def command(settings: Settings, path: str, depth: int | None, dirs: bool, layer: int | None) -> None:
    """Show the filesystem, or what one layer did, as a tree.

    Without --layer: the merged filesystem of --view; the mark behind a name is the layer that it comes from.  With
    --layer N: the entries of that layer's tar, whiteouts as what they remove.

    --json writes the lines of ls -R --json.
    """
    with settings.open() as archive:
        image = settings.scanned(archive)
        rootfs = None if layer is not None else settings.rootfs(image)
        wanted = listing.asked_path(path)
        if rootfs is not None:
            rootfs.merged(wanted)
            base = rootfs.resolve(wanted).path
        else:
            base = b"/" + clean(wanted)[0]

        def rows() -> Iterator[Row]:
            if rootfs is not None:
                found = listing.rows_of_rootfs(rootfs, wanted, recursive=True, depth=depth)
            else:
                assert layer is not None
                found = listing.tree_of_layer(image, layer, base, depth=depth)
            return (row for row in found if row.kind == "dir") if dirs else found

        if settings.json:
            listing.write_json("tree", image, rootfs, layer, path, rows())
        else:
            encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
            lines = _draw(base, rows, colour=settings.colour(sys.stdout), ascii_only=not encoding.startswith("utf"))
            listing.write_lines(lines)
        settings.finish(image, rootfs=rootfs)


def _draw(base: bytes, rows: Callable[[], Iterable[Row]], *, colour: bool, ascii_only: bool) -> Iterator[str]:
    """Yield the lines of a tree; `rows` gives its rows, parents first, as often as it is called."""
    branch, corner, line, blank = tree_marks(ascii_only)
    yield terminal(base)
    directories = others = 0
    for row, lasts in _with_lasts(rows, listing.level(base)):
        directories += row.kind == "dir" and not row.action
        others += row.kind != "dir" or bool(row.action)
        shown = painted(row, "*" if row.action == "hide" else terminal(row.name), colour)
        if row.kind == "symlink":
            shown += f" -> {terminal(row.target)}"
        elif row.kind == "hardlink":
            shown += f" link to {terminal(row.target)}"
        words = note(row)
        tail = f"  {words}" if words else "" if row.kind == "dir" else f"  {row.label}"
        yield "".join(blank if last else line for last in lasts[:-1]) + (corner if lasts[-1] else branch) + shown + tail
    yield ""
    yield f"{plural(directories, 'directory')}, {plural(others, 'other name')}"


def _with_lasts(rows: Callable[[], Iterable[Row]], above: int) -> Iterator[tuple[Row, list[bool]]]:
    """Yield each row with, for itself and each ancestor below the top, whether it is the last of its directory.

    That is known from the end only; walking twice takes a tenth of the memory of holding a million rows.
    """
    depths = array("I", (max(1, listing.level(row.path) + (row.action == "hide") - above) for row in rows()))
    last = bytearray(len(depths))
    later: list[bool] = []
    # From the end: a row is the last of its directory when none of its depth came since a shallower one.
    for i in range(len(depths) - 1, -1, -1):
        depth = depths[i]
        later.extend([False] * (depth - len(later)))
        del later[depth:]
        last[i] = not later[-1]
        later[-1] = True
    stack: list[bool] = []
    for i, row in enumerate(rows()):
        del stack[depths[i] - 1 :]
        stack.append(bool(last[i]))
        yield row, stack
