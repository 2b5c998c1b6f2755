"""Where the bytes of an image go, by cause, adding up exactly: shipped = visible + unreachable + overhead.

Every byte of every decompressed layer is in exactly one of these causes:

    used             content of a file that the rootfs shows, first copy
    identical        content of a file that the rootfs shows, equal to another path's of the same or a lower layer
    debris           content of a file that the rootfs shows, in a package cache or another leftover of building
    overwritten      hidden by a later layer that brings the same path with other content
    metadata         hidden by a later layer that brings the same content with other metadata (chmod, chown, touch)
    rewritten        hidden by a later layer that brings the same content with the same metadata
    removed          taken away by a later layer: a whiteout of the file, of a directory above it, or an opaque one
    repeated         brought again further on in the same layer
    unattributed     not in the rootfs of an image that the runtime refuses: what took it away cannot be told
    headers          tar headers, extension headers, padding, end blocks and what stands after them

Stored bytes of a compressed layer cannot be told apart file by file: each cause gets its share of the layer by
content, rounded so that the shares of a layer add up to its blob.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from imagepeel._display import Shown
from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.evidence import Evidence, Location, text
from imagepeel.findings.debris import Debris, debris_of
from imagepeel.formats.tar.header import HEADER_ONLY, PAX_GLOBAL
from imagepeel.rootfs.layer_diff import changed_fields, has_uppers
from imagepeel.rootfs.layer_events import Lost, lost_files, unseen_files
from imagepeel.text import decimal, number, plural

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

Cause = Literal[
    "used",
    "identical",
    "debris",
    "overwritten",
    "metadata",
    "rewritten",
    "removed",
    "repeated",
    "unattributed",
    "headers",
]
"""Why a byte is shipped, in the order of the account."""
VISIBLE: tuple[Cause, ...] = ("used", "identical", "debris")
"""Causes of content that the rootfs shows."""
UNREACHABLE: tuple[Cause, ...] = ("overwritten", "metadata", "rewritten", "removed", "repeated", "unattributed")
"""Causes of content that nothing can read any more."""
CAUSES: tuple[Cause, ...] = get_args(Cause)

_CORE_DUMP = late(rb"core\.\d+")


class WasteItem(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file that is shipped and not needed: `size` bytes of content in `layer`.

    `cause` is one of the causes but used and headers; `by` the layer that hides or removes it, None for visible
    ones; `detail` says which fields differ, what it equals, or which leftover it is.
    """

    path: str
    """Path in the image."""
    cause: Cause
    """One of `CAUSES` but used and headers."""
    layer: int
    """Index from 0 of the layer that ships the bytes."""
    entry: int
    """Index from 0 of the tar member in that layer."""
    size: int
    """Bytes of content as the tar stores them."""
    by: int | None = None
    """Index from 0 of the layer that hides or removes it; None for a visible one and a repeated one."""
    detail: str = ""
    """Which fields differ, what it equals, or which leftover it is."""
    evidence: Evidence = Evidence()
    """The tar member, then the layer that hides it."""


class WasteLayer(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one layer: bytes by cause, of content and of the stored blob; each adds up to its size."""

    layer: int
    """Index from 0."""
    base: bool
    """Whether it belongs to the base image."""
    content_size: int
    """Decompressed bytes."""
    blob_size: int
    """Stored bytes."""
    content: dict[str, int]
    """Decompressed bytes of each cause; they add up to `content_size`."""
    stored: dict[str, int]
    """Stored bytes of each cause; they add up to `blob_size`."""


class Waste(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The whole account.  `items` are all files that are wasted, largest first.

    `efficiency` is the content of files that can be seen over the content of files that is shipped: 1.0 when every
    byte can be seen.  `complete` is False when a layer is missing or damaged; its bytes are then not in the sums.
    """

    layers: tuple[WasteLayer, ...]
    """Base first, those that are here."""
    items: tuple[WasteItem, ...]
    """All files that are wasted, largest first, then by layer and entry."""
    base: int
    """Count of layers that belong to the base image."""
    complete: bool
    """False when a layer is missing or damaged; its bytes are then not in the sums."""
    not_examined: str = ""
    """The sentence about the other images of the archive, where `Image.waste` gave it."""

    def __repr__(self) -> str:
        files = plural(len(self.items), "file")
        return f"<Waste {number(self.unreachable)} of {plural(self.shipped, 'byte')} unreachable, {files}>"

    def content(self, cause: str, *, own: bool = False) -> int:
        """Return the decompressed bytes of one of `CAUSES`, with `own` of the layers above the base only.

        KeyError for another word.
        """
        return sum(layer.content[cause] for layer in self.layers if not (own and layer.base))

    def stored(self, cause: str, *, own: bool = False) -> int:
        """Return the stored bytes of one of `CAUSES`, apportioned in compressed layers; `own` as in `content`.

        KeyError for another word.
        """
        return sum(layer.stored[cause] for layer in self.layers if not (own and layer.base))

    @property
    def shipped(self) -> int:
        """Decompressed bytes of all layers."""
        return sum(layer.content_size for layer in self.layers)

    @property
    def files(self) -> int:
        """Bytes of file content shipped: all but headers."""
        return self.shipped - self.content("headers")

    @property
    def visible(self) -> int:
        """Bytes of file content that the rootfs shows."""
        return sum(self.content(cause) for cause in VISIBLE)

    @property
    def unreachable(self) -> int:
        """Bytes of file content that nothing can read any more."""
        return sum(self.content(cause) for cause in UNREACHABLE)

    @property
    def efficiency(self) -> float:
        """Visible over shipped file content, 0.0 to 1.0; 1.0 for an image without any."""
        return self.visible / self.files if self.files else 1.0


def account(image: LayeredImage, *, base: int | str = 0) -> Waste:
    """Return where the bytes of an image go.

    Argument: `base` says which layers belong to the base image: how many (0 or more, also as text), or text in the
    history step that is the first of one's own.

    The content of files is compared by SHA-256, for which the layers are read again after a scan without it.

    UsageError when the image has fewer layers, or no step has that text; LimitExceeded on bombs.
    """
    image.scan(digests=True)
    rootfs = image.rootfs
    own = _base(image, base)
    causes: dict[tuple[int, int], WasteItem] = {}
    if has_uppers(rootfs):
        for lost in lost_files(rootfs):
            causes[lost.layer, lost.entry] = _explain(rootfs, lost)
    else:
        for index, entry in unseen_files(rootfs):
            if not entry.stored_size:
                continue
            causes[index, entry.index] = WasteItem(
                path=text(entry.path),
                cause="unattributed",
                layer=index,
                entry=entry.index,
                size=entry.stored_size,
                detail="the runtime refuses this image",
                evidence=_evidence(rootfs, index, entry.index, entry.path, None),
            )
    _visible(rootfs, causes)
    layers = []
    for layer in image.layers:
        if layer.facts is None:
            continue
        content: dict[str, int] = dict.fromkeys(CAUSES, 0)
        table = layer.table
        for i in range(len(table)):
            size = _stored(table, i)
            if size:
                item = causes.get((layer.index, i))
                content[item.cause if item is not None else "used"] += size
        content["headers"] = layer.content_size - sum(content.values())
        layers.append(
            WasteLayer(
                layer=layer.index,
                base=layer.index < own,
                content_size=layer.content_size,
                blob_size=layer.blob_size,
                content=content,
                stored=apportion(content, layer.blob_size),
            )
        )
    items = sorted(causes.values(), key=lambda item: (-item.size, item.layer, item.entry))
    return Waste(
        layers=tuple(layers),
        items=tuple(item for item in items if item.size),
        base=own,
        complete=rootfs.complete,
    )


def _stored(table: EntryTable, i: int) -> int:
    """Return the bytes of content that the tar carries for an entry, 0 for types without content."""
    if i not in table.extras:
        return table.size(i)
    return 0 if table.meta(i).type in HEADER_ONLY | {PAX_GLOBAL} else table[i].stored_size


def _explain(rootfs: Rootfs, lost: Lost) -> WasteItem:
    cause: Cause = "removed"
    detail = ""
    if lost.fate == "overwritten":
        cause = "repeated"
    elif lost.fate == "shadowed":
        cause = "overwritten"
        before = rootfs.uppers[lost.layer].lstat(_parts(lost.path))
        after = rootfs.uppers[lost.by].lstat(_parts(lost.path))
        if before is not None and after is not None and before.kind == after.kind == "file":
            fields = changed_fields(before, after, rootfs.layers)
            if not {"content", "content?"} & set(fields):
                cause, detail = ("metadata", _words(fields, before, after)) if fields else ("rewritten", "")
    return WasteItem(
        path=text(lost.path),
        cause=cause,
        layer=lost.layer,
        entry=lost.entry,
        size=lost.size,
        by=lost.by if cause != "repeated" else None,
        detail=detail,
        evidence=_evidence(rootfs, lost.layer, lost.entry, lost.path, lost.by),
    )


def _words(fields: Iterable[str], before: Inode, after: Inode) -> str:
    """Say which metadata differ, with both values."""
    out = []
    for field in fields:
        if field == "mode":
            out.append(f"mode {before.mode:04o} became {after.mode:04o}")
        elif field in ("uid", "gid"):
            out.append(f"{field} {getattr(before, field)} became {getattr(after, field)}")
        elif field == "mtime":
            out.append("the modification time differs")
        elif field == "xattrs":
            out.append("extended attributes differ")
    return ", ".join(out)


def _parts(path: bytes) -> tuple[bytes, ...]:
    return tuple(path.strip(b"/").split(b"/"))


def _evidence(rootfs: Rootfs, layer: int, entry: int, path: bytes, by: int | None) -> Evidence:
    table = rootfs.layers[layer].table
    places = [Location(layer=layer, entry=entry, layer_offset=table[entry].header_offset, path=text(path))]
    if by is not None and by != layer:
        places.append(Location(layer=by, path=text(path)))
    return Evidence(locations=tuple(places))


def _visible(rootfs: Rootfs, causes: dict[tuple[int, int], WasteItem]) -> None:
    """Find leftovers of building and identical content among the files that can be seen."""
    first: dict[tuple[int, str], tuple[int, int, bytes]] = {}
    again: dict[tuple[int, str], list[tuple[int, int, bytes]]] = {}
    seen: set[tuple[int, int]] = set()
    known: dict[bytes, tuple[bytes, Debris] | None] = {}
    for path, node in rootfs.walk():
        if node.kind != "file" or node.layer is None or node.entry is None or not node.size:
            continue
        key = (node.layer, node.entry)
        if key in seen:
            continue  # another name of the same inode costs no content
        seen.add(key)
        entry = rootfs.layers[node.layer].table[node.entry]
        cause: Cause | None = None
        detail = ""
        directory, _, name = path.rpartition(b"/")
        if directory not in known:
            known[directory] = debris_of(directory[1:])
        if (found := known[directory]) is not None:
            cause, detail = "debris", found[1].what
        elif _CORE_DUMP.fullmatch(name):
            cause, detail = "debris", "core dump"
        digest = entry.sha256
        if cause is None and digest is not None:
            copy = (node.layer, node.entry, path)
            if first.setdefault((node.size, digest), copy) is not copy:
                again.setdefault((node.size, digest), []).append(copy)
        if cause is not None:
            causes[key] = WasteItem(
                path=text(path),
                cause=cause,
                layer=node.layer,
                entry=node.entry,
                size=entry.stored_size,
                detail=detail,
                evidence=_evidence(rootfs, node.layer, node.entry, path, None),
            )
    for content, others in again.items():
        # The copy of the lowest layer is the one that the others could link to; of one layer, the first by path.
        copies = [first[content], *others]
        kept = min(copies, key=lambda copy: copy[0])
        for layer, member, path in copies:
            if (layer, member) != kept[:2]:
                causes[layer, member] = WasteItem(
                    path=text(path),
                    cause="identical",
                    layer=layer,
                    entry=member,
                    size=rootfs.layers[layer].table[member].stored_size,
                    detail=f"equal to {text(kept[2])}",
                    evidence=_evidence(rootfs, layer, member, path, None),
                )


def _base(image: LayeredImage, base: int | str) -> int:
    """Return how many layers belong to the base image."""
    count = base if isinstance(base, int) else decimal(base)
    if count is not None:
        if count > len(image.layers):
            raise UsageError(
                f"the image has {plural(len(image.layers), 'layer')}, not {count}",
                hint="give the number of base layers",
            )
        return count
    for layer in image.layers:
        if str(base) in layer.created_by:
            return layer.index
    raise UsageError(
        f"no history step contains {base!r}", hint="give the number of base layers, or text of the first own step"
    )


def apportion(parts: dict[str, int], total: int) -> dict[str, int]:
    """Split `total` (0 or more) in proportion to `parts`, exactly.

    Returns shares under the names of `parts`, which add up to `total`; where all parts are 0, `headers` gets it whole.
    The largest remainders get what rounding leaves over, ties by name (Hare quota, largest remainder).
    """
    whole = sum(parts.values())
    if not whole:
        return {name: total if name == "headers" else 0 for name in parts}
    shares = {name: value * total // whole for name, value in parts.items()}
    left = total - sum(shares.values())
    by_remainder = sorted(parts, key=lambda name: (-(parts[name] * total % whole), name))
    for name in by_remainder[:left]:
        shares[name] += 1
    return shares
