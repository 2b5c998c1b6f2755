"""What several tools ask of the layers, each answered in the words that a tool gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.kinds.kind import MANIFEST
from imagepeel.evidence import Location, text
from imagepeel.formats.tar.table import Entry
from imagepeel.loading.answer import STORE, Cause, LoadAnswer, Outcome, refusal
from imagepeel.loading.streams import StreamFault, of_layer
from imagepeel.rootfs.engines import tar_split
from imagepeel.rootfs.tree.inode import NAME_MAX, PATH_MAX
from imagepeel.text import without_middle

if TYPE_CHECKING:
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.loading.manifests import Fault
    from imagepeel.rootfs.tree.changes import Refusal


def first(delivery: Delivery, *judges: Callable[[Delivery], LoadAnswer | None]) -> LoadAnswer | None:
    """Return the answer of the first judge that has one; those behind it are not asked."""
    for judge in judges:
        found = judge(delivery)
        if found is not None:
            return found
    return None


def of_before_1_10(text: str) -> LoadAnswer:
    """Refuse, in the words `text`, an archive as docker save wrote it before version 1.10."""
    return refusal(
        Cause.FORMAT,
        text,
        f"it is an archive of before Docker 1.10, without {MANIFEST}",
        "load it with a Docker of before 29 and its own store, and save it again",
    )


def too_many_before() -> LoadAnswer:
    """Answer about an image behind so many others that nobody looked whether loading gets to it."""
    why = "so many images stand before it in the file that whether loading gets to it was not looked at"
    return LoadAnswer(outcome=Outcome.UNKNOWN, cause=Cause.CHOICE, why=why)


def layers(
    delivery: Delivery, view: str, unpack: Callable[[Refusal, Layer], str], twice: Callable[[str, Layer], str]
) -> LoadAnswer | None:
    """Refuse the first layer that the store does not take.

    `unpack` gives the tool's words for the refusal of the extractor, `twice` puts them around the sentence of
    tar-split, which takes no path twice.
    """
    found = delivery.unpack(view)
    if found is None or found.layer in {layer.index for layer in delivery.damaged_layers}:
        return None
    if found.cause == "path-twice":
        return _path_twice(delivery, found, twice)
    return _unpack_refused(delivery, found, unpack)


def _path_twice(delivery: Delivery, found: Refusal, words: Callable[[str, Layer], str]) -> LoadAnswer:
    layer = delivery.image.layers[found.layer]
    before, again = tar_split.duplicate(layer.table) or (found.entry, found.entry)
    name = without_middle(text(Entry(layer.table, again).raw_name))
    return refusal(
        Cause.PATH_TWICE,
        words(found.reason, layer),
        f"layer {layer.label} has {name} twice, as entries {before} and {again}; stores that keep tar-split data of a "
        "layer take each path once",
        "write each path once: pack the layer again from a directory, or let the builder drop repeated entries",
        where=delivery.at(layer.index, again),
    )


def _unpack_refused(delivery: Delivery, found: Refusal, words: Callable[[Refusal, Layer], str]) -> LoadAnswer:
    layer = delivery.image.layers[found.layer]
    place = (
        delivery.at(found.layer, found.entry)
        if found.entry < len(layer.table)
        else Location(layer=found.layer, layer_offset=found.offset, path=found.path or None)
    )
    return refusal(
        Cause.UNPACK,
        words(found, layer),
        f"layer {layer.label} cannot be unpacked at entry {found.entry} ({without_middle(found.path)}): "
        f"{without_middle(found.reason, 200)}",
        "pack the layer without that entry, or in another order",
        where=place,
    )


def foremost(*found: LoadAnswer | None) -> LoadAnswer | None:
    """Return the answer about the lowest layer; of several about one layer, the first."""
    about = [answer for answer in found if answer is not None]
    return min(about, key=layer_of, default=None)


def layer_of(answer: LoadAnswer) -> int:
    """Return the place of the layer that an answer is about, from 0; 0 of one that is about none."""
    return answer.where.layer if answer.where is not None and answer.where.layer is not None else 0


def config_unread(delivery: Delivery, words: str) -> LoadAnswer:
    """Refuse a config that is no JSON, no object, or holds a value of another type, in the tool's words."""
    field = words.partition("Go struct field ")[2].partition(" ")[0].partition(".")[2]
    what = f"holds another type in {field} than engines want" if field else "is no JSON object"
    if words.startswith("parsing time"):
        what = "has a time that is none"
    return refusal(
        Cause.CONFIG, words, f"the config {what}", "save the image again, or write the config as engines read it",
        where=msgspec.structs.replace(delivery.config_place, pointer=None),
    )  # fmt: skip


def manifest_fault(
    delivery: Delivery, fault: Fault | None, prefix: str = "", *, named: bool = True
) -> LoadAnswer | None:
    """Refuse a manifest with a fault, whose words differ where the image has no name; None without one."""
    if fault is None:
        return None
    words = prefix + (fault.head if named else fault.alone) + fault.words
    return refusal(
        Cause.MANIFEST, words, fault.why, "save or copy the image again",
        where=msgspec.structs.replace(delivery.manifest_place, pointer=None),
    )  # fmt: skip


def damaged(delivery: Delivery, words: Callable[[StreamFault, Layer], str | None]) -> LoadAnswer | None:
    """Refuse the first layer whose bytes cannot be read to their end; `words` are None where the tool does not mind."""
    for layer in delivery.image.layers:
        fault = of_layer(layer) if layer.readable else None
        said = words(fault, layer) if fault is not None else None
        if fault is not None and said is not None:
            return refusal(
                Cause.MISSING, said, f"layer {layer.label} is damaged: {fault.why}", "fetch or save the archive again",
                where=layer.location,
            )  # fmt: skip
    return None


def too_long(
    delivery: Delivery, room_of: Callable[[Layer], int], words: Callable[[str, Layer], str]
) -> LoadAnswer | None:
    """Refuse the first path with more bytes than a store leaves below the directory where it unpacks a layer.

    Linux refuses PATH_MAX bytes without the directory too, and then whoever unpacks says so: `checks.layers`.
    """
    for layer in delivery.image.layers:
        table, room = layer.table, room_of(layer)
        if max(map(len, table.dirs)) + NAME_MAX < room:
            continue
        for i, directory in enumerate(table.dir_ids):
            path = table.path(i) if len(table.dirs[directory]) + NAME_MAX >= room else b""
            if len(path) > room:
                return refusal(
                    Cause.LENGTH,
                    words(f"{STORE}/{without_middle(text(path))}: file name too long", layer),
                    f"a path of layer {layer.label} has {len(path)} bytes; Linux takes {PATH_MAX - 1}, and this store "
                    f"needs the first {PATH_MAX - 1 - room} for itself in its usual place",
                    "shorten the path, or keep the store in a directory with a shorter name",
                    where=delivery.at(layer.index, i),
                )
    return None
