"""What `imagepeel diff --json` carries; conventions as in `results`."""

from __future__ import annotations

import msgspec

from imagepeel.results.difference import LayersDifference, ValueChange
from imagepeel.results.tables import ImageHead


class DiffNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One side of a path, as in `imagepeel ls --json`; `layer` counts from 0."""

    kind: str
    mode: str
    uid: int
    gid: int
    size: int
    mtime: str | None = None
    target: str | None = None
    target_b64: str | None = None
    device: tuple[int, int] | None = None
    xattrs: dict[str, str] = {}
    layer: int | None = None
    label: str = ""
    entry: int | None = None


class DiffPath(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path that differs.

    `kind` is added, removed or changed, `fields` of type, content, target, device, mode, uid, gid, xattrs, mtime, and
    "content?" where bytes are missing to tell.  `before` and `after` are absent where the path is.  `text` holds the
    lines of a unified difference where one was asked for and both sides are small text files.
    """

    path: str
    kind: str
    fields: tuple[str, ...] = ()
    before: DiffNode | None = None
    after: DiffNode | None = None
    path_b64: str | None = None
    text: tuple[str, ...] | None = None


class DiffResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel diff`.

    `first` and `second` say what is compared; with --layer both are one image and `first_layers`, `second_layers` how
    many of its layers each side has, else null, as are `layers`, `config` and `process` with --layer or a PATH.
    `different` is whether anything in this document differs.  `exact` is false with --quick: equal sizes and CRC-32
    then count as equal content.  `added`, `removed` and `changed` count the paths.
    """

    first: ImageHead
    second: ImageHead
    view: str
    path: str
    first_layers: int | None
    second_layers: int | None
    different: bool
    exact: bool
    layers: LayersDifference | None
    config: tuple[ValueChange, ...] | None
    process: tuple[ValueChange, ...] | None
    added: int
    removed: int
    changed: int
    paths: tuple[DiffPath, ...]
