"""The check that stores with tar-split make of a layer: no path twice.

tar-split keeps what is needed to write a layer's tar again, byte for byte, and refuses a tar in which one cleaned name
comes twice: Docker's own store, podman, CRI-O and buildah have it, containerd has not.  Names are compared as Go's
filepath.Clean leaves them: `./a`, `a` and `a/` are one path, `/a` is another.  A global header is an entry, too.

Source: vbatts/tar-split tar/storage/packer.go; measured with dockerd 20.10, podman 4.3 and buildah 1.28.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.formats.tar.table import Entry
from imagepeel.rootfs.tree.changes import Refusal, go_clean

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.rootfs.tree.changes import LayerEntries

SENTENCE = "duplicates of file paths not supported"


def refuse(layer: LayerEntries, before: Refusal | None) -> Refusal | None:
    """Return why a store with tar-split refuses a layer; `before` is why its extractor does.

    The layer streams through both, so the earlier entry decides, and the extractor where it is the same.
    """
    found = duplicate(layer.table)
    if found is None or (before is not None and before.entry <= found[1]):
        return before
    entry = Entry(layer.table, found[1])
    return Refusal(
        reason=SENTENCE, layer=layer.index, entry=entry.index, offset=entry.header_offset, path=text(entry.path),
        cause="path-twice",
    )  # fmt: skip


def duplicate(table: EntryTable) -> tuple[int, int] | None:
    """Return the first entry that repeats a path, after the one that it repeats; None where no path comes twice."""
    ends, names = table.name_ends, table.names
    bounds = map(slice, chain((0,), ends), ends)
    # Paths that are equal for tar-split are equal when cleaned, so most layers are done here, at C speed.
    if len(set(zip(table.dir_ids, map(names.__getitem__, bounds), strict=True))) == len(table):
        return None
    seen: dict[bytes, int] = {}
    for i in range(len(table)):
        first = seen.setdefault(spelled(Entry(table, i).raw_name), i)
        if first != i:
            return first, i
    return None


def spelled(name: bytes) -> bytes:
    """Return a name as Go's filepath.Clean leaves it: a slash in front stays, all of the rest is cleaned."""
    path = b"/".join(go_clean(name))
    return b"/" + path if name.startswith(b"/") else path
