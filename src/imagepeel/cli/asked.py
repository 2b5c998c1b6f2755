"""What a command line asks for in an image: a path, a layer, an entry of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import MissingBlob, NotFound
from imagepeel.evidence import Location, layer_label, raw, text
from imagepeel.formats.tar.table import clean

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import Entry
    from imagepeel.layers.layer import Layer
    from imagepeel.verbs import Image


def absolute(path: str) -> bytes:
    """Return the bytes of a path from the command line, absolute."""
    return b"/" + raw(path).lstrip(b"/")


def pick_layer(image: Image, index: int) -> Layer:
    """Return a layer by its 0-based index.  NotFound when the image has fewer, or when its bytes are not here."""
    if index >= len(image.layers):
        count = len(image.layers)
        present = {0: "it has no layers at all", 1: "its only layer is L1"}
        raise NotFound(
            f"the image has no layer {layer_label(index)}",
            hint=present.get(count, f"its layers are L1 to {layer_label(count - 1)}"),
        )
    layer = image.layers[index]
    if not layer.readable:
        raise MissingBlob(
            f"layer {layer.label} is not in the archive ({layer.state})",
            layer.location,
            "save or copy the image again with all its layers",
        )
    return layer


def find_entry(layer: Layer, path: bytes) -> Entry | None:
    """Return the last member of a layer with that path."""
    directory, _, base = path.lstrip(b"/").rpartition(b"/")
    table = layer.table
    try:
        number = table.dirs.index(directory)
    except ValueError:
        return None
    column = table.dir_ids
    found = None
    at = 0
    while True:
        try:
            # The search of the column runs at C speed: a layer may have a million entries.
            at = column.index(number, at)
        except ValueError:
            return found
        if table.basename(at) == base:
            found = table[at]
        at += 1


def layer_entry(image: Image, layer: Layer, path: bytes) -> Entry:
    """Return the last entry of a layer with that path.  NotFound names the layers that have one."""
    wanted = b"/" + clean(path)[0]
    entry = find_entry(layer, wanted)
    if entry is None:
        # `/bin/sh` lies at `/usr/bin/sh` where /bin is a link, and only that name is in the tar.
        reached = image.rootfs.resolve(wanted, follow=False).path
        entry = find_entry(layer, reached) if reached != wanted else None
    if entry is None:
        have = [other.label for other in image.layers if other.readable and find_entry(other, wanted) is not None]
        raise NotFound(
            f"layer {layer.label} has no entry for {text(wanted)}",
            Location(layer=layer.index),
            f"these layers have one: {', '.join(have)}"
            if have
            else f"list the layer with ls --layer {layer.index + 1}",
        )
    return entry
