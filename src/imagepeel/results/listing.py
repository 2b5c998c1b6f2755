"""The rows of `ls`, `tree` and `find`, and what their `--json` carries: a header, then one line a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import layer_label
from imagepeel.results.head import ImageHead, encoded, image_head, octal, readable, stamp
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.tree.inode import NodeKind

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.search import Hidden, Query
    from imagepeel.rootfs.view import Rootfs

ListedKind = Literal[NodeKind, "hardlink", "unknown"]
"""What a row of a listing is: an inode of a view, or an entry of one layer's tar, whose type may be unknown."""
Action = Literal["", "remove", "hide", "ignore"]
"""What a row does instead of being content: "" for content."""
Place = Literal["view", "layer", "removed"]
"""Where `find` looks: in a view, in the tar of one layer, or among what later layers took away."""


class ListedPath(NamedTuple):
    """One path of a listing; bytes are raw.  `offset` is that of the header in the decompressed layer."""

    path: bytes
    kind: ListedKind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: tuple[int, int] | None = None
    target: bytes = b""
    device: tuple[int, int] | None = None
    nlink: int | None = None
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    layer: int | None = None
    entry: int | None = None
    offset: int | None = None
    implied: bool = False
    action: Action = ""
    raw_name: bytes = b""
    content: str = ""

    @property
    def name(self) -> bytes:
        """The last component, `/` for the root."""
        return self.path.rpartition(b"/")[2] or b"/"

    @property
    def label(self) -> str:
        """`L3`, or `-` when no layer has a tar member for it."""
        return "-" if self.layer is None else layer_label(self.layer)


class ListingHeader(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="type"):
    """First line of `imagepeel ls --json` and `imagepeel tree --json`.

    `view` is the filesystem that is listed, "" with --layer; `layer` the 0-based layer of --layer.  `refusal` says
    why a runtime refuses the image; the listing is then the best effort without the refused entries.
    """

    schema: str
    image: ImageHead
    path: str
    view: Literal[ViewName, ""]
    layer: int | None
    complete: bool
    refusal: str


class ListingEntry(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="entry", tag_field="type"):
    """One line of `imagepeel ls --json` and `imagepeel tree --json`: one path.

    `kind` is file, dir, symlink, hardlink, char, block, fifo, ghost (the directory lists the name and opening it
    fails), or unknown.  `mode` is octal, `size` bytes, `mtime` UTC (absent: set when the runtime unpacks).  `layer`
    counts from 0, `label` from L1; `entry` is the index of the tar member in that layer and `layer_offset` where
    its header starts in the decompressed layer.  `implied` marks a directory that no tar member describes.
    `action` is absent for content, else remove (a whiteout: `path` is what it removes), hide (an opaque whiteout:
    `path` is the directory whose lower content it hides) or ignore (a name that runtimes skip).
    """

    path: str
    kind: ListedKind
    mode: str
    """Permission bits as four octal digits."""
    uid: int
    gid: int
    size: int
    """Bytes."""
    path_b64: str | None = None
    mtime: str | None = None
    """UTC, RFC 3339, or `@SECONDS` beyond the calendar; absent: set when the runtime unpacks."""
    target: str | None = None
    target_b64: str | None = None
    device: tuple[int, int] | None = None
    """Major and minor number."""
    nlink: int | None = None
    """Count of names of the inode."""
    xattrs: dict[str, str] = {}
    """Name to value."""
    layer: int | None = None
    """Index from 0."""
    label: str = ""
    entry: int | None = None
    """Index from 0 of the tar member in the layer."""
    layer_offset: int | None = None
    """Bytes from the start of the decompressed layer."""
    implied: bool = False
    action: Action = ""
    raw_name: str = ""
    content: str = ""


ListingLine = ListingHeader | ListingEntry


class FindHeader(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="type"):
    """First line of `imagepeel find --json`.

    `where` is "view" (the filesystem of `view`), "layer" (the members of one layer's tar) or "removed" (what later
    layers removed or replaced; with `layer`, of what that layer ships).  `layer` counts from 0.
    """

    schema: str
    image: ImageHead
    where: Place
    patterns: tuple[str, ...]
    view: Literal[ViewName, ""]
    layer: int | None
    complete: bool
    refusal: str


class FindEntry(ListingEntry, frozen=True, kw_only=True, omit_defaults=True, tag="entry", tag_field="type"):
    """One line of `imagepeel find --json`: a path as in `imagepeel ls --json`.

    With --removed, `fate` is removed or shadowed (replaced by something else under the same path), `hidden_by` the
    0-based layer that did it, and `layer` and `entry` say where the bytes still are.
    """

    fate: Literal["", "removed", "shadowed"] = ""
    hidden_by: int | None = None


FindLine = FindHeader | FindEntry


def to_entry(row: ListedPath) -> ListingEntry:
    """Return the JSON value of a path."""
    path, path_b64 = readable(row.path)
    target, target_b64 = readable(row.target) if row.target else (None, None)
    return ListingEntry(
        path=path,
        path_b64=path_b64,
        kind=row.kind,
        mode=octal(row.mode),
        uid=row.uid,
        gid=row.gid,
        size=row.size,
        mtime=stamp(row.mtime, exact=True) if row.mtime is not None else None,
        target=target,
        target_b64=target_b64,
        device=row.device,
        nlink=row.nlink,
        xattrs=encoded(row.xattrs),
        layer=row.layer,
        label="" if row.layer is None else row.label,
        entry=row.entry,
        layer_offset=row.offset,
        implied=row.implied,
        action=row.action,
        raw_name=readable(row.raw_name)[0] if row.action else "",
        content=row.content,
    )


def found_entry(row: ListedPath, hidden: Hidden | None) -> FindEntry:
    """Return the JSON value of a path that was found, with what became of it where a later layer took it away."""
    entry = FindEntry(**msgspec.structs.asdict(to_entry(row)))
    return entry if hidden is None else msgspec.structs.replace(entry, fate=hidden.fate, hidden_by=hidden.by)


def listing_header(
    command: str, image: LayeredImage, rootfs: Rootfs | None, *, layer: int | None, path: bytes
) -> ListingHeader:
    """Return the first line of a listing; `rootfs` is None where one layer's tar is listed."""
    return ListingHeader(
        schema=f"imagepeel/{command}/1",
        image=image_head(image),
        path=readable(path)[0],
        view=rootfs.view if rootfs is not None else "",
        layer=layer,
        complete=rootfs.complete if rootfs is not None else True,
        refusal=_refusal(rootfs),
    )


def find_header(
    image: LayeredImage, rootfs: Rootfs | None, query: Query, *, where: Place, layer: int | None
) -> FindHeader:
    """Return the first line of what was found; `where` is view, layer or removed."""
    return FindHeader(
        schema="imagepeel/find/1",
        image=image_head(image),
        where=where,
        patterns=query.patterns,
        view=rootfs.view if rootfs is not None else "",
        layer=layer,
        complete=rootfs.complete if rootfs is not None else True,
        refusal=_refusal(rootfs),
    )


def _refusal(rootfs: Rootfs | None) -> str:
    refusal = rootfs.refusal if rootfs is not None else None
    return f"layer {layer_label(refusal.layer)}, entry {refusal.entry}: {refusal.reason}" if refusal is not None else ""
