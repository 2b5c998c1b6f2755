"""What every extractor shares: a layer's entries as steps, and the refusal of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from imagepeel.evidence import Anomaly, text
from imagepeel.formats.tar.table import Entry, EntryTable
from imagepeel.rootfs.tree.inode import Errno, RefusalCause


class LayerEntries(Protocol):
    """What a view needs of a layer."""

    @property
    def index(self) -> int: ...
    @property
    def table(self) -> EntryTable: ...
    @property
    def error(self) -> Anomaly | None: ...


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where and why a runtime refuses to unpack the image.

    `reason` in the runtime's words as far as they do not depend on the host; `layer` and `entry` 0-based (`entry`
    equals the number of entries when the stream itself is damaged), `offset` in the decompressed layer, None
    where nobody knows it.  `cause` says
    it as a value; where a call failed, `error` is the errno in words and `paths` what the call names.
    """

    reason: str
    layer: int
    entry: int
    offset: int | None
    path: str
    cause: RefusalCause = "entry"
    error: str = ""
    paths: tuple[str, ...] = ()

    @staticmethod
    def of(error: Errno | Refused, layer: int, entry: int, *, offset: int | None, path: str) -> Refusal:
        """Return the refusal that ends an extractor with `error`."""
        if not isinstance(error, Errno) or (error.cause == "entry" and not error.paths):
            return Refusal(reason=str(error), layer=layer, entry=entry, offset=offset, path=path)
        return Refusal(
            reason=str(error), layer=layer, entry=entry, offset=offset, path=path,
            cause=error.cause, error=error.error, paths=error.paths,
        )  # fmt: skip


class Refused(Exception):
    """An extractor stops at an entry."""


def steps(layer: LayerEntries) -> Iterator[Entry]:
    """Yield the entries of a layer in stream order."""
    table = layer.table
    for i in range(len(table)):
        yield Entry(table, i)


def go_clean(name: bytes) -> list[bytes]:
    """Return the components of Go's filepath.Clean: `..` stays in front of a relative name."""
    out: list[bytes] = []
    absolute = name.startswith(b"/")
    for part in name.split(b"/"):
        if part in (b"", b"."):
            continue
        if part == b".." and out and out[-1] != b"..":
            out.pop()
        elif part != b".." or not absolute:
            out.append(part)
    return out


def run(layer: LayerEntries, apply: object, *, lenient: bool = False) -> Refusal | None:
    """Call `apply(entry)` for each entry and return the first refusal.

    Otherwise it ends there, unless `lenient`: then refused entries are left out and the rest is applied, which
    gives the labelled best effort that people still want to see.
    """
    first: Refusal | None = None
    for entry in steps(layer):
        try:
            apply(entry)  # type: ignore[operator]
        except (Errno, Refused) as error:
            refusal = Refusal.of(error, layer.index, entry.index, offset=entry.header_offset, path=text(entry.raw_name))
            if not lenient:
                return refusal
            first = first or refusal
    damage = layer.error
    if damage is not None and first is None:
        first = Refusal(
            reason=damage.message,
            layer=layer.index,
            entry=len(layer.table),
            offset=damage.where.layer_offset or 0,
            path="",
            cause="damaged",
        )
    return first
