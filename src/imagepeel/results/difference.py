"""How two images differ apart from their files: layers, config, history, and the process they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import ImagepeelError
from imagepeel.process.image_prediction import predict_image

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


class LayerMatch(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One layer by its DiffID: `first` and `second` are its 0-based indexes, null where an image lacks it.

    `content_size` and `blob_size` in bytes, of the first image that has it.
    """

    diff_id: str | None
    first: int | None
    """Index from 0."""
    second: int | None
    """Index from 0."""
    content_size: int
    """Decompressed bytes."""
    blob_size: int
    """Stored bytes."""
    created_by: str
    """Words of the history step."""


class LayersDifference(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The layers of both.

    `prefix` is how many are the same from the base on: a file that only these have cannot differ.
    """

    prefix: int
    """Count of layers that are the same from the base on."""
    shared: tuple[LayerMatch, ...]
    only_first: tuple[LayerMatch, ...]
    only_second: tuple[LayerMatch, ...]


ChangeKind = Literal["added", "removed", "changed"]
"""What became of a value or a path."""


class ValueChange(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One value: `pointer` is a JSON pointer into the config, or the name of a field of the process.

    `kind` is added, removed or changed; `before` and `after` are JSON values, null where there is none.
    """

    pointer: str
    kind: ChangeKind
    before: Any = None
    after: Any = None


def shared_prefix(first: LayeredImage, second: LayeredImage) -> int:
    """Return how many layers both images share from the base on, by DiffID; 0 where one is not known."""
    count = 0
    for one, two in zip(first.layers, second.layers, strict=False):
        if one.diff_id is None or one.diff_id != two.diff_id or one.error is not None or two.error is not None:
            break
        count += 1
    return count


def layers_difference(first: LayeredImage, second: LayeredImage) -> LayersDifference:
    """Return which layers both images have; a layer that occurs twice is matched as often as both have it."""
    places: dict[str, list[int]] = {}
    for layer in second.layers:
        if layer.diff_id is not None:
            places.setdefault(layer.diff_id, []).append(layer.index)
    shared: list[LayerMatch] = []
    only: list[LayerMatch] = []
    matched: set[int] = set()
    for layer in first.layers:
        known = places.get(layer.diff_id or "")
        where = known.pop(0) if known else None
        if where is not None:
            matched.add(where)
        (only if where is None else shared).append(_match(first, layer.index, layer.index, where))
    rest = [_match(second, layer.index, None, layer.index) for layer in second.layers if layer.index not in matched]
    return LayersDifference(
        prefix=shared_prefix(first, second), shared=tuple(shared), only_first=tuple(only), only_second=tuple(rest)
    )


def _match(image: LayeredImage, index: int, first: int | None, second: int | None) -> LayerMatch:
    layer = image.layers[index]
    return LayerMatch(
        diff_id=layer.diff_id,
        first=first,
        second=second,
        content_size=layer.content_size,
        blob_size=layer.blob_size,
        created_by=layer.created_by,
    )


def config_difference(first: LayeredImage, second: LayeredImage) -> tuple[ValueChange, ...]:
    """Return every field of the config documents that differs, by JSON pointer.

    `/rootfs` is left out, since the layers tell it; lists are compared as a whole, each history step as one value.
    """
    one = _flat({key: value for key, value in first.config.raw.items() if key != "rootfs"})
    two = _flat({key: value for key, value in second.config.raw.items() if key != "rootfs"})
    return _changes(one, two)


def _flat(document: Any) -> dict[str, Any]:
    """Return the leaves of a document by JSON pointer (RFC 6901), in document order."""
    out: dict[str, Any] = {}
    stack: list[tuple[str, Any]] = [("", document)]
    while stack:
        pointer, value = stack.pop()
        items: list[tuple[str, Any]] | None = None
        if isinstance(value, dict) and value and not pointer.startswith("/history/"):
            items = [(key.replace("~", "~0").replace("/", "~1"), item) for key, item in value.items()]
        elif isinstance(value, list) and pointer == "/history":
            items = [(str(number), item) for number, item in enumerate(value)]
        if items is None and pointer:
            out[pointer] = value
        elif items is not None:
            stack.extend((f"{pointer}/{key}", item) for key, item in reversed(items))
    return out


def _changes(one: dict[str, Any], two: dict[str, Any]) -> tuple[ValueChange, ...]:
    out = []
    for pointer in dict.fromkeys((*one, *two)):
        if pointer not in one:
            out.append(ValueChange(pointer=pointer, kind="added", after=two[pointer]))
        elif pointer not in two:
            out.append(ValueChange(pointer=pointer, kind="removed", before=one[pointer]))
        elif one[pointer] != two[pointer]:
            out.append(ValueChange(pointer=pointer, kind="changed", before=one[pointer], after=two[pointer]))
    return tuple(out)


def process_difference(first: LayeredImage, second: LayeredImage) -> tuple[ValueChange, ...]:
    """Return what differs in the process that both images become under the default engine: argv, file, environment
    variable by variable, user, groups, working directory and verdict.
    """
    return _changes(_process(first), _process(second))


def _process(image: LayeredImage) -> dict[str, Any]:
    try:
        found = predict_image(image)
    except ImagepeelError as error:
        return {"verdict": f"UNKNOWN: {error.what}"}
    if found.user is None:
        return {"verdict": str(found.verdict)}
    out: dict[str, Any] = {"argv": list(found.argv), "path": found.path}
    out |= {f"env {variable.name}": variable.value for variable in found.env}
    user = found.user
    out |= {"uid": user.uid, "gid": user.gid, "groups": list(user.groups), "cwd": found.cwd}
    out["verdict"] = str(found.verdict)
    return out
