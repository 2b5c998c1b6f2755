"""Where the rows of `ls` and `tree` come from: the merged filesystem of a view, or the members of one layer's tar."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from imagepeel.cli import asked
from imagepeel.errors import ImagepeelError, NotFound
from imagepeel.evidence import Location, text
from imagepeel.formats.tar.table import clean
from imagepeel.formats.tar.whiteouts import Mark, hidden_path, parse
from imagepeel.present.listing import level
from imagepeel.render.json_lines import line
from imagepeel.results.listing import Action, ListedPath, listing_header, to_entry

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import Entry
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image


def row_of_node(rootfs: Rootfs, path: bytes, node: Inode) -> ListedPath:
    """Return the row of a path of the merged tree."""
    offset = None
    layer, entry, kind = node.layer, node.entry, node.kind
    if layer is not None and entry is not None:
        offset = rootfs.layers[layer].table.header_offset(entry)
    # By position: a listing has up to millions of these, and keywords cost as much as all the rest.
    return ListedPath(
        path,
        kind,
        node.mode,
        node.uid,
        node.gid,
        node.size,
        node.mtime,
        node.target,
        node.device,
        None if kind == "dir" else node.nlink,
        tuple(sorted(node.xattrs.items())) if node.xattrs else (),
        layer,
        entry,
        offset,
        node.implied,
    )


def rows_of_rootfs(rootfs: Rootfs, path: bytes, *, recursive: bool, depth: int | None = None) -> Iterator[ListedPath]:
    """Yield what a directory of the merged tree holds, sorted by bytes, or the one thing that is no directory.

    A symlink to a directory is followed; with `recursive` everything below (to `depth` levels), parents first.
    NotFound for a path that does not exist.
    """
    found = rootfs.resolve(path)
    if found.node is None or found.node.kind != "dir":
        # What does not lead to a directory is shown as it is, a dangling link too.
        node = rootfs.lookup(path, follow=False)
        yield row_of_node(rootfs, rootfs.resolve(path, follow=False).path, node)
        return
    base = found.path
    if not recursive:
        prefix = b"" if base == b"/" else base
        for name, node in rootfs.scandir(base):
            yield row_of_node(rootfs, prefix + b"/" + name, node)
        return
    if depth is not None:
        yield from _down(rootfs, base, depth)
        return
    walk = rootfs.walk(base)
    next(walk)
    for here, node in walk:
        yield row_of_node(rootfs, here, node)


def _down(rootfs: Rootfs, base: bytes, depth: int) -> Iterator[ListedPath]:
    """Walk to a depth only: what lies deeper is never merged."""
    stack = [(base, iter(rootfs.scandir(base)))]
    while stack:
        here, names = stack[-1]
        for name, node in names:
            path = (b"" if here == b"/" else here) + b"/" + name
            yield row_of_node(rootfs, path, node)
            if node.kind == "dir" and len(stack) < depth:
                stack.append((path, iter(rootfs.scandir(path))))
                break
        else:
            stack.pop()


_ACTIONS: dict[Mark, Action] = {
    Mark.WHITEOUT: "remove",
    Mark.OPAQUE: "hide",
    Mark.AUFS: "ignore",
    Mark.NAMELESS: "ignore",
}


def row_of_entry(entry: Entry, layer: int) -> ListedPath:
    """Return the row of one tar member; a whiteout is shown as what it removes."""
    path = entry.path
    action: Action = ""
    removal = parse(entry.name)
    if removal is not None:
        action = _ACTIONS[removal.mark]
        if action != "ignore":
            path = hidden_path(path)
    kind = entry.kind
    assert kind != "global-header", "it describes other entries and has no row"
    return ListedPath(
        path=path,
        kind=kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size if kind == "file" else 0,
        mtime=entry.mtime,
        target=entry.link,
        device=entry.device if kind in ("char", "block") else None,
        xattrs=tuple(sorted(entry.xattrs.items())),
        layer=layer,
        entry=entry.index,
        offset=entry.header_offset,
        action=action,
        raw_name=entry.raw_name,
    )


def rows_of_layer(image: Image, index: int, path: bytes, *, recursive: bool) -> Iterator[ListedPath]:
    """Yield what one layer's tar says about a directory.

    With `recursive` in the order of the tar, repeated names included; else one row a name, sorted, where the last
    member of a name counts and a directory that only its content shows is marked as implied.  NotFound when the
    layer says nothing about the path.
    """
    layer = asked.pick_layer(image, index)
    wanted = b"/" + clean(path)[0]
    rows = _matching(layer, wanted)
    found = False
    if recursive:
        for row in rows:
            found = True
            if row.path != wanted or row.action or row.kind != "dir":
                yield row
    else:
        own: list[ListedPath] = []
        children: dict[tuple[bytes, str], ListedPath] = {}
        skip = len(wanted) if wanted != b"/" else 0
        for row in rows:
            found = True
            name, slash, _ = row.path[skip + 1 :].partition(b"/")
            if not name or (row.action == "hide" and row.path == wanted):
                own.append(row)
            elif slash or row.action == "hide":
                implied = ListedPath(wanted[:skip] + b"/" + name, "dir", layer=index, implied=True)
                children.setdefault((name, ""), implied)
            else:
                children[name, row.action] = row
        if own and not children and own[-1].kind != "dir" and not own[-1].action:
            yield own[-1]
            return
        yield from (row for row in own if row.action)
        yield from (children[key] for key in sorted(children))
    if not found and wanted != b"/":
        raise NotFound(
            f"layer {layer.label} has no entry for {text(wanted)} or anything below it",
            Location(layer=index),
            f"list the whole layer with --layer {index + 1} and no path",
        )


def tree_of_layer(image: Image, index: int, base: bytes, *, depth: int | None = None) -> Iterator[ListedPath]:
    """Yield what one layer's tar says below `base` as a tree: sorted, parents first, the last member of a name only.

    Directories that only their content shows are there, marked as implied.  NotFound as `rows_of_layer`.
    """
    found: dict[tuple[tuple[bytes, ...], str], ListedPath] = {}
    above = level(base)
    for row in rows_of_layer(image, index, base, recursive=True):
        parts = tuple(row.path.split(b"/")[1:]) if row.path != b"/" else ()
        for end in range(above + 1, len(parts)):
            implied = ListedPath(b"/" + b"/".join(parts[:end]), "dir", layer=index, implied=True)
            found.setdefault((parts[:end], ""), implied)
        # What hides a directory's lower content stands first among its children.
        found[(*parts, b"") if row.action == "hide" else parts, row.action] = row
    for parts, action in sorted(found):
        if depth is None or len(parts) - above <= depth:
            yield found[parts, action]


def _matching(layer: Layer, wanted: bytes) -> Iterator[ListedPath]:
    below = wanted if wanted == b"/" else wanted + b"/"
    for entry in layer.entries:
        if entry.kind == "global-header":
            continue
        row = row_of_entry(entry, layer.index)
        if row.path == wanted or row.path.startswith(below):
            yield row


def with_content(image: Image, rows: Iterable[ListedPath]) -> Iterator[ListedPath]:
    """Add to each regular file what its content looks like."""
    for row in rows:
        yield row if row.kind != "file" or row.action else row._replace(content=content_of(image, row.layer, row.entry))


def content_of(image: LayeredImage, layer: int | None, entry: int | None) -> str:
    """Return what the content of a file looks like, "" where no layer has a tar member for it."""
    from imagepeel.interop.magic_label import HEAD, label  # start time

    if layer is None or entry is None:
        return ""
    try:
        file = image.layers[layer].open(entry)
        return label(file.pread(0, HEAD), whole=file.size <= HEAD)
    except ImagepeelError as error:
        return f"unreadable: {error.what}"


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout in few large pieces: a listing has up to millions."""
    write = sys.stdout.write
    batch: list[str] = []
    for one in lines:
        batch.append(one)
        if len(batch) >= 1000:
            write("\n".join(batch) + "\n")
            batch.clear()
    if batch:
        write("\n".join(batch) + "\n")


def write_json(
    command: str, image: Image, rootfs: Rootfs | None, rows: Iterable[ListedPath], *, layer: int | None, path: str
) -> None:
    """Write a listing as JSON Lines: a header, then one object a path."""
    header = listing_header(command, image, rootfs, layer=layer, path=asked.absolute(path))

    def lines() -> Iterator[str]:
        yield line(header)
        for row in rows:
            yield line(to_entry(row))

    write_lines(lines())
