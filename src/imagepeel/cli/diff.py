"""`imagepeel diff`: what differs between two images, or between two layers of one."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, listing
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError

if TYPE_CHECKING:
    from imagepeel.api import Image
    from imagepeel.results.diff import DiffNode, DiffPath, DiffResult
    from imagepeel.rootfs.image_diff import PathChange
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

MOST_TEXTS = 200
"""Files that --text shows: more is not for reading."""

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel diff old.tar new.tar\n"
    "  imagepeel diff old.tar new.tar /etc/nginx --text\n"
    "  imagepeel diff image.tar --layer 2 --layer 5\n"
    "  imagepeel diff old.tar new.tar --exit-code --json | jq -r '.result.paths[].path'\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="ARCHIVE [ARCHIVE] [PATH]")
@common.opening
@click.option("--image-b", "second", metavar="REF", help="Which image of the second archive; by default as --image.")
@click.option(
    "--layer", "layers", multiple=True, type=common.LayerNumber(), metavar="N", help="Twice: one image after each."
)
@click.option(
    "--text", "texts", is_flag=True, help="Show how small text files differ; always so for a PATH that is one."
)
@click.option("--strict", is_flag=True, help="Compare modification times too.")
@click.option("--quick", is_flag=True, help="Believe equal size and CRC-32; do not compute SHA-256 of files.")
@click.option("--all", "every", is_flag=True, help="List every path of a directory that one side lacks.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when anything differs.")
@common.view
@common.json
@common.settings
def command(
    settings: Settings,
    words: tuple[str, ...],
    second: str | None,
    layers: tuple[int, ...],
    texts: bool,
    strict: bool,
    quick: bool,
    every: bool,
    exit_code: bool,
) -> None:
    """What differs between two images: layers, config, the process, paths and their fields.

    With --layer given twice, one archive: the filesystem after each of the two layers.  With PATH, only that path and
    what is below it.

    Two files are the same when their SHA-256 is; modification times count only with --strict.  Layers that both
    images share from the base on are not looked at again.
    """
    if layers and len(layers) != 2:
        raise UsageError("--layer is needed twice", hint="diff image.tar --layer 2 --layer 5")
    count = 1 if layers else 2
    if not count <= len(words) <= count + 1:
        expected = "one archive" if layers else "two archives"
        raise UsageError(f"diff needs {expected}, and at most one path after", hint="see imagepeel diff --help")
    path = listing.asked_path(words[count]) if len(words) > count else b"/"
    common.only_one_stdin(*words[:count])
    with ExitStack() as stack:
        image = _image(settings, stack, words[0], not quick)
        if layers:
            sides = _at_layers(image, settings.view, layers)
            result = compare(image, image, *sides, path, layers=layers, texts=texts, strict=strict, quick=quick)
            images = [image]
        else:
            if second is not None:
                settings.reference = second
            other = _image(settings, stack, words[1], not quick)
            fronts = (settings.rootfs(image), settings.rootfs(other))
            result = compare(image, other, *fronts, path, layers=(), texts=texts, strict=strict, quick=quick)
            images = [image, other]
        if settings.json:
            from imagepeel.render.json import dumps

            click.echo(dumps("diff", result))
        else:
            from imagepeel.render.terminal_diff import print_diff

            print_diff(settings.console(), result, every=every)
        for one in images:
            settings.finish(one, rootfs=None if layers else settings.rootfs(one))
    if exit_code and result.different:
        click.get_current_context().exit(1)


def _image(settings: Settings, stack: ExitStack, word: str, digests: bool) -> Image:
    archive = stack.enter_context(settings.open(word))
    image = settings.image(archive)
    image.scan(digests=digests)
    settings.quiet()
    return image


def _at_layers(image: Image, view: str, layers: tuple[int, ...]) -> tuple[Rootfs, Rootfs]:
    low, high = sorted(layers)
    for index in (low, high):
        listing.pick_layer(image, index)
    if low == high:
        raise UsageError("both layers are the same one", hint="name two different layers")
    return image.view_at(low, view), image.view_at(high, view)


def compare(
    first: Image,
    second: Image,
    before: Rootfs,
    after: Rootfs,
    path: bytes,
    *,
    layers: tuple[int, ...],
    texts: bool,
    strict: bool,
    quick: bool,
) -> DiffResult:
    """Return what differs; see `rootfs.difference` and `explain.difference`."""
    from imagepeel.results.diff import DiffResult
    from imagepeel.results.difference import config_difference, layers_difference, process_difference, shared_prefix
    from imagepeel.results.tables import image_head, readable
    from imagepeel.rootfs.image_diff import Contents, difference

    whole = not layers and path == b"/"
    shared = min(layers) + 1 if layers else shared_prefix(first, second)
    same = Contents(before, after, exact=not quick)
    changes = difference(before, after, shared=shared, top=path, times=strict, same=same)
    rows = _rows(changes, before, after, texts, path != b"/")
    of_layers = layers_difference(first, second) if whole else None
    config = config_difference(first, second) if whole else None
    process = process_difference(first, second) if whole else None
    counts = {kind: sum(row.kind == kind for row in rows) for kind in ("added", "removed", "changed")}
    apart = of_layers is not None and bool(of_layers.only_first or of_layers.only_second)
    return DiffResult(
        first=image_head(first),
        second=image_head(second),
        view=before.view,
        path=readable(path)[0],
        first_layers=min(layers) + 1 if layers else None,
        second_layers=max(layers) + 1 if layers else None,
        different=bool(rows or config or process or apart),
        exact=not quick,
        layers=of_layers,
        config=config,
        process=process,
        added=counts["added"],
        removed=counts["removed"],
        changed=counts["changed"],
        paths=tuple(rows),
    )


def _rows(changes: Iterable[PathChange], before: Rootfs, after: Rootfs, texts: bool, part: bool) -> list[DiffPath]:
    """Return the rows; `texts` shows how text files differ, which of a `part` that is one file needs no asking."""
    import msgspec

    from imagepeel.results.diff import DiffPath
    from imagepeel.results.tables import readable

    rows: list[DiffPath] = []
    change = None
    left = MOST_TEXTS if texts else 0
    for change in changes:
        shown, exact = readable(change.path)
        text = _text(change, before, after) if left and "content" in change.fields else None
        left -= text is not None
        rows.append(
            DiffPath(
                path=shown,
                path_b64=exact,
                kind=change.kind,
                fields=change.fields,
                before=_node(change.before),
                after=_node(change.after),
                text=text,
            )
        )
    if part and not texts and len(rows) == 1 and change is not None and "content" in change.fields:
        rows[0] = msgspec.structs.replace(rows[0], text=_text(change, before, after))
    return rows


def _text(change: PathChange, before: Rootfs, after: Rootfs) -> tuple[str, ...] | None:
    from imagepeel.errors import ImagepeelError
    from imagepeel.results.tables import readable
    from imagepeel.rootfs.image_diff import TEXT_BYTES, text_difference

    old, new = change.before, change.after
    if old is None or new is None or max(old.size, new.size) > TEXT_BYTES:
        return None
    try:
        lines = text_difference(before.read(old), after.read(new), readable(change.path)[0])
    except ImagepeelError:
        return None
    return tuple(lines) if lines is not None else None


def _node(node: Inode | None) -> DiffNode | None:
    from imagepeel.render.listing import stamp
    from imagepeel.results.diff import DiffNode
    from imagepeel.results.tables import octal, readable

    if node is None:
        return None
    target, target_b64 = readable(node.target) if node.target else (None, None)
    return DiffNode(
        kind=node.kind,
        mode=octal(node.mode),
        uid=node.uid,
        gid=node.gid,
        size=node.size,
        mtime=stamp(node.mtime, exact=True) if node.mtime is not None else None,
        target=target,
        target_b64=target_b64,
        device=node.device,
        xattrs={readable(name)[0]: base64.b64encode(value).decode("ascii") for name, value in node.xattrs.items()},
        layer=node.layer,
        label="" if node.layer is None else f"L{node.layer + 1}",
        entry=node.entry,
    )
