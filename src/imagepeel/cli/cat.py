"""`imagepeel cat`: the bytes of a file, from the merged filesystem or from one layer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagepeel._lazy import late
from imagepeel.cli import asked, common, completing
from imagepeel.cli.settings import Settings
from imagepeel.errors import Malformed, NotFound, UsageError
from imagepeel.evidence import Location, layer_label, text
from imagepeel.formats.tar.table import clean
from imagepeel.render.escape import exact
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.layers.content import EntryFile
    from imagepeel.layers.layer import Layer
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image


_ACTIVE = late(
    rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)|\xc2[\x80-\x9f]|(?<![\x80-\xff])[\x80-\x9f]"
    rb"|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
)
"""Bytes that act on a terminal: control characters of ASCII and behind it (C1), and marks that turn text around."""

_EXAMPLES = "\b\nExamples:\n  imagepeel cat image.tar /etc/os-release\n  imagepeel cat image.tar /srv/.env --layer 4\n"


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=completing.paths)
@click.option("--raw", is_flag=True, help="Write control characters to a terminal, too.")
@common.layer
@common.view
@common.settings
def command(settings: Settings, paths: tuple[str, ...], raw: bool, layer: int | None) -> None:
    """Write the bytes of a file, also of one that a later layer removed.

    Without --layer: the file as --view shows it; symlinks are followed inside the image, never on this machine.
    With --layer N: the file as that layer's tar carries it, whatever later layers do to it.

    Into a file or pipe go the exact bytes.  A file with control characters is not written to a terminal: they could
    change what it shows and does.
    """
    with settings.open(tables=True) as archive:
        image = settings.scanned(archive)
        used: list[Layer] = []
        for path in paths:
            wanted = asked.absolute(path)
            if layer is None:
                file, origin = _merged(settings, image, wanted)
            else:
                file, origin = _in_layer(image, wanted, layer)
            used.append(image.layers[origin])
            if not raw and sys.stdout.isatty():
                _refuse_controls(file, text(wanted))
            _write(file, text(wanted), origin)
        settings.finish_content(image, used, min(one.index for one in used) if layer is None else None)


def _merged(settings: Settings, image: Image, path: bytes) -> tuple[EntryFile, int]:
    rootfs = settings.rootfs(image)
    found = rootfs.resolve(path)
    if found.node is None:
        raise _absent(image, rootfs, path)
    if found.node.kind == "dir":
        raise NotFound(f"{text(path)} is a directory", rootfs.location(found.path), "list it with imagepeel ls")
    file = rootfs.open(found.node)
    assert found.node.layer is not None
    return file, found.node.layer


def _absent(image: Image, rootfs: Rootfs, path: bytes) -> NotFound:
    """Return the error for a path that the view does not show, with the layer that still ships it."""
    from imagepeel.rootfs.provenance import history_of  # start time

    try:
        rootfs.lookup(path)
    except NotFound as error:
        plain = error
    life = history_of(rootfs, path).life
    removed = next((event for event in reversed(life.events) if event.kind == "removed"), None)
    kept = next((e for e in reversed(life.events) if e.node is not None and e.node.kind == "file"), None)
    if kept is None:
        candidates = [layer.index for layer in reversed(image.layers) if asked.find_entry(layer, life.path) is not None]
        index = candidates[0] if candidates else None
    else:
        index = kept.layer
    if index is None:
        return plain
    gone = f" removed by layer {layer_label(removed.layer)}" if removed is not None else ""
    return NotFound(
        f"{text(path)} is not in the {rootfs.view} view:{gone or ' a later layer hides it'}",
        removed.where if removed is not None else plain.where,
        f"layer {layer_label(index)} still ships its bytes: run the same command with --layer {index + 1}",
    )


def _in_layer(image: Image, path: bytes, index: int) -> tuple[EntryFile, int]:
    layer = asked.pick_layer(image, index)
    entry = asked.layer_entry(image, layer, path)
    wanted = b"/" + clean(path)[0]
    hops = 0
    while entry.kind == "hardlink":
        target = b"/" + clean(entry.link)[0]
        source = asked.find_entry(layer, target)
        if source is not None and source.index > entry.index:
            # Of a name that comes again, the link means the one before it.
            source = next((e for e in reversed(layer.entries[: entry.index]) if e.path == target), None)
        hops += 1
        if source is None or hops > len(layer.table):
            raise NotFound(
                f"{text(wanted)} is a hardlink to {text(target)}, which layer {layer.label} does not carry",
                Location(layer=index, entry=entry.index, layer_offset=entry.header_offset),
                "read the target from the layer below that has it, or leave out --layer",
            )
        entry = source
    where = Location(layer=index, entry=entry.index, layer_offset=entry.header_offset)
    if entry.kind == "symlink":
        raise NotFound(
            f"{text(wanted)} is a symlink to {text(entry.link)} in layer {layer.label}",
            where,
            "leave out --layer to follow it, or ask for its target",
        )
    if entry.kind != "file":
        what = f"{text(wanted)} is a {entry.kind}, not a regular file"
        raise NotFound(what, where, "only regular files have content")
    return layer.open(entry), index


def _refuse_controls(file: EntryFile, shown: str) -> None:
    """UsageError for content that would act on a terminal."""
    at, before = 0, b""
    for piece in file.chunks():
        chunk = before + piece  # a character may lie across two pieces
        found = _ACTIVE.search(chunk)
        if found is not None:
            first = f"the first is {exact(found[0])} at byte {at + found.start():,}"
            raise UsageError(
                f"{shown} holds control characters ({first}), and the output is a terminal",
                hint="--raw writes it all the same; imagepeel cat ... | less shows it",
            )
        before = chunk[-3:]
        at += len(chunk) - len(before)


def _write(file: EntryFile, shown: str, layer: int) -> None:
    sys.stdout.flush()
    written = 0
    for chunk in file.chunks():
        written += len(chunk)
        sys.stdout.buffer.write(chunk)
    sys.stdout.flush()
    if written < file.size:
        raise Malformed(
            f"{shown} ends after {written} of {plural(file.size, 'byte')}",
            Location(layer=layer),
            "the layer is cut off: fetch or save the image again",
        )
