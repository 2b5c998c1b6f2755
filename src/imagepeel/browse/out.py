"""What leaves the terminal: files on the disk, and the command that shows the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from imagepeel.browse.looks import Look
from imagepeel.browse.search import parse
from imagepeel.browse.tree import FileRow, FileTree
from imagepeel.errors import UsageError
from imagepeel.evidence import Name, layer_label, text
from imagepeel.export.extract import materialize
from imagepeel.export.whole_file import replacing
from imagepeel.receipts.own import own_command
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.text import number, plural, size

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


Pane = Literal["layers", "files", "look", "start"]
PANES: tuple[Pane, ...] = get_args(Pane)
"""Ids of the panes, as Tab goes through them."""


class Seen(NamedTuple):
    """What somebody looks at: the pane, the path under the cursor, and how it is shown."""

    pane: Pane | None
    """The pane that has the keys."""
    row: FileRow | None
    view: ViewName | Literal[""]
    layer: int
    """Counted from 1, 0 for all layers."""
    look: Look
    sought: str
    """Words of the search, "" without one."""


def command_for(seen: Seen, archive: str, options: Iterable[str]) -> str:
    """Return the imagepeel command that shows the same; `options` choose the image."""
    given = tuple(options)
    view = () if seen.view == "runtime" else ("--view", seen.view)
    at_layer = ("--layer", str(seen.layer)) if seen.layer else view
    row = seen.row

    def own(name: str, *words: Name, more: Iterable[str] = ()) -> str:
        return own_command(name, archive, words, (*more, *given))

    if seen.pane == "start":
        return own("process")
    if seen.pane == "layers" or row is None:
        return own("tree", more=at_layer) if seen.layer else own("layers")
    if seen.pane == "look" and seen.look != "content":
        if seen.look == "bytes" and row.node.layer is not None:
            return own("anatomy", layer_label(row.node.layer) + ":" + text(row.path))
        names = {"life": "trace", "blame": "blame"}
        return own(names.get(seen.look, "ls"), row.path, more=view)
    if seen.sought and seen.pane != "look":
        query = parse(seen.sought)
        bounds = (("--larger", query.larger), ("--smaller", query.smaller))
        sizes = [word for name, bound in bounds if bound is not None for word in (name, str(bound))]
        return own("find", *query.patterns, more=(*sizes, *view))
    if row.is_dir:
        return own("tree", row.path, more=at_layer)
    if row.node.kind == "file" and row.node.layer is not None:
        # A path may have other bytes in the end than after a layer in the middle.
        return own("cat", row.path, more=("--layer", str(row.node.layer + 1)) if seen.layer else view)
    return own("trace", row.path, more=view)


def write_path(image: LayeredImage, tree: FileTree, row: FileRow, place: str) -> str:
    """Write a file, or a directory with all below it, to `place`, which must not exist; return what was written.

    UsageError where it does, or cannot be written; errors of the image; OSError for a full disk.
    """
    if not row.is_dir:
        return write_file(place, tree.rootfs.open(row.node).chunks())
    rootfs = tree.rootfs
    if tree.layer is not None and tree.layer < len(image.layers) - 1:
        rootfs = image.view_at(tree.layer, rootfs.view or "runtime")
    report = materialize(rootfs, place, best_effort=True, top=row.path)
    left = sum(one.count for one in report.omissions)
    more = f", {number(left)} left out" if left else ""
    return f"{place}: {plural(report.files, 'file')}, {size(report.bytes)}{more}"


def write_file(place: str, chunks: Iterable[bytes]) -> str:
    """Write bytes to `place`, which must not exist: whole, or not at all.  Errors as in `write_path`."""
    if os.path.lexists(place):
        raise UsageError(f"{place} is there already", hint="name a file that does not exist yet")
    count = 0
    with replacing(place) as file:
        for chunk in chunks:
            count += len(chunk)
            file.write(chunk)
    return f"{place}: {size(count)}"
