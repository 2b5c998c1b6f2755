"""What `--json` of the commands that search, sum up and compare filesystems carries; conventions as in `results`."""

from __future__ import annotations

import msgspec

from imagepeel.results.tables import ImageHead, ListingEntry


class FindHeader(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="type"):
    """First line of `imagepeel find --json`.

    `where` is "view" (the filesystem of `view`), "layer" (the members of one layer's tar) or "removed" (what later
    layers removed or replaced; with `layer`, of what that layer ships).  `layer` counts from 0.
    """

    schema: str
    image: ImageHead
    where: str
    patterns: tuple[str, ...]
    view: str
    layer: int | None
    complete: bool
    refusal: str


class FindEntry(ListingEntry, frozen=True, kw_only=True, omit_defaults=True, tag="entry", tag_field="type"):
    """One line of `imagepeel find --json`: a path as in `imagepeel ls --json`.

    With --removed, `fate` is removed or shadowed (replaced by something else under the same path), `hidden_by` the
    0-based layer that did it, and `layer` and `entry` say where the bytes still are.
    """

    fate: str = ""
    hidden_by: int | None = None


FindLine = FindHeader | FindEntry


class CacheResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel cache info`: numbers of files and their bytes; `problem` says why it is not used."""

    path: str
    size: int
    most: int
    files: int
    index: int
    stamp: int
    heads: int
    facts: int
    problem: str


class DuLayer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of one layer are.

    `blob_size` as stored, `content_size` decompressed.  content_size = shipped + framing: `shipped` are the bytes of
    regular files in its tar, `framing` headers, padding and what follows the end.  shipped = visible + shadowed
    (a higher layer has the path) + removed (a higher layer takes it away) + overwritten (by a later entry of the
    same layer).  `here` are the visible bytes of this layer at and below the path that was asked for.
    """

    index: int
    label: str
    state: str
    step: int | None
    created_by: str
    blob_size: int
    content_size: int
    framing: int
    shipped: int
    visible: int
    shadowed: int
    removed: int
    overwritten: int
    here: int


class DuDirectory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One directory and all below it.

    `stored` are bytes of regular files as the tars store them, each hardlinked file once under its first name;
    `logical` counts the holes of sparse files too.  stored = own + the sum over its directories.  `links` are
    further names of files that were counted already, `paths` all names below.
    """

    path: str
    depth: int
    stored: int
    logical: int
    own: int
    files: int
    links: int
    paths: int
    path_b64: str | None = None


class DuFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One large file.

    `fate` is visible, shadowed, removed or overwritten, the last three by the 0-based layer `by`.  `layer` and
    `entry` say where its bytes are, `kind` (with --kind) what they look like.
    """

    path: str
    stored: int
    layer: int | None
    label: str
    entry: int | None
    fate: str
    by: int | None = None
    logical: int | None = None
    kind: str = ""
    path_b64: str | None = None


class DuResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel du`.

    `total` is the path that was asked for, `directories` those below it to the depth that was asked for, in walk
    order.  `exact` is false where the view keeps no layers apart; everything unreachable then stands under shadowed.
    """

    image: ImageHead
    view: str
    path: str
    exact: bool
    layers: tuple[DuLayer, ...]
    total: DuDirectory
    directories: tuple[DuDirectory, ...]
    largest: tuple[DuFile, ...]
    unreachable: tuple[DuFile, ...]
