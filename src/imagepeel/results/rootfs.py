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
