"""Which image a result is about, and how names, modes and times stand in JSON.

Names of the image that are not UTF-8 stand readable in `path` (stray bytes as `\\xNN`) and exact, in base64, in the
field beside it that ends in `_b64`, which is there only then.  Fields may be added in later versions, never changed.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.kinds import KINDS
from imagepeel.archive.knowledge import Gap, Knowledge
from imagepeel.archive.records import LayerState
from imagepeel.rootfs.tree.inode import NodeKind
from imagepeel.tables import known_architecture

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.rootfs.tree.inode import Inode


def one_of(*values: str) -> msgspec.Meta:
    """Return what makes the JSON Schema of a text list the values that it may have."""
    return msgspec.Meta(extra_json_schema={"enum": [str(value) for value in values]})


KindName = Annotated[str, one_of(*(kind.name for kind in KINDS))]
"""The name of a kind of archive."""


class ImageHead(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Which image the result is about.

    `number` counts from 1 in archive order (`--image '#N'`); `digest` is that of the manifest, `image_id` that of
    the config; `reason` says why this image was chosen where the archive holds several.
    """

    archive: str
    """Name of the archive as it was given."""
    archive_kind: KindName
    number: int
    """From 1 in archive order."""
    names: tuple[str, ...]
    platform: str
    """os/architecture[/variant], "" when unknown."""
    digest: str | None
    image_id: str | None
    complete: bool
    """Whether the config and all layers are here and could be read to their end."""
    reason: str
    artifact: str = ""
    """What it is where it is no image, in words; "" for an image."""
    not_known: tuple[Gap, ...] = ()
    """What is not known of it and why; [] where `complete` is true."""
    not_examined: tuple[str, ...] = ()
    """Other images of the archive, as `#2 (linux/arm64)`: the result is not about them."""
    unread: int = 0
    """Stored bytes of layers that were not read: that they hold what is said here, their tables of contents say."""

    @property
    def os(self) -> str:
        """The operating system of the platform, linux where none is stated."""
        first, slash, _ = self.platform.partition("/")
        return first if first and (slash or known_architecture(first) is None) else "linux"

    @property
    def knowledge(self) -> Knowledge:
        """The same as what answers questions."""
        return Knowledge(gaps=self.not_known, artifact=self.artifact)


def image_head(image: LayeredImage, beside: Iterable[LayeredImage] = ()) -> ImageHead:
    """Return which image a result is about; of those `beside` it, the same result tells too."""
    known = image.knowledge
    told = {one.number for one in beside}
    return ImageHead(
        archive=image.archive.name,
        archive_kind=image.archive.kind.name,
        number=image.record.number,
        names=image.names,
        platform=image.platform,
        digest=image.digest,
        image_id=image.id,
        complete=known.whole,
        reason=image.reason,
        artifact=known.artifact,
        not_known=known.gaps,
        not_examined=tuple(record.numbered for record in image.beside if record.number not in told),
        unread=image.unread,
    )


class LayerHead(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Which layer a row is about, and the step that made it."""

    index: int
    """From 0, base first."""
    label: str
    """`L1` for the base layer."""
    state: LayerState
    step: int | None
    """Index from 0 in the history of the config."""
    created_by: str
    """The words of that step."""


def layer_head(layer: Layer) -> dict[str, Any]:
    """Return the fields of `LayerHead`, for a row that goes on with its own."""
    return {name: getattr(layer, name) for name in LayerHead.__struct_fields__}


class NodeHead(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every form of a node begins with."""

    kind: NodeKind
    mode: str
    """Permission bits as four octal digits."""
    uid: int
    gid: int
    size: int
    """Bytes."""


def node_head(node: Inode) -> dict[str, Any]:
    """Return the fields of `NodeHead`, for a form that goes on with its own."""
    return {"kind": node.kind, "mode": octal(node.mode), "uid": node.uid, "gid": node.gid, "size": node.size}


def readable(name: bytes) -> tuple[str, str | None]:
    """Return a name as text, and in base64 when the text cannot give its bytes back."""
    try:
        return name.decode("utf-8"), None
    except UnicodeDecodeError:
        return name.decode("utf-8", "backslashreplace"), base64.b64encode(name).decode("ascii")


def encoded(xattrs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return extended attributes by name, each value in base64."""
    return {readable(name)[0]: base64.b64encode(value).decode("ascii") for name, value in xattrs}


def octal(mode: int) -> str:
    """Return permission bits as `0755`."""
    return f"{mode & 0o7777:04o}"


def stamp(mtime: tuple[int, int] | None, *, exact: bool = False) -> str:
    """Return a time in UTC, to the minute or exact; `when unpacked` for none, `@SECONDS` beyond the calendar."""
    if mtime is None:
        return "when unpacked"
    seconds, nanoseconds = mtime
    try:
        moment = time.gmtime(seconds)
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
    if not 0 <= moment.tm_year <= 9999:
        return f"@{seconds}"
    if not exact:
        return f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d} {moment.tm_hour:02d}:{moment.tm_min:02d}"
    fraction = f".{nanoseconds:09d}" if nanoseconds else ""
    return (
        f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}"
        f"T{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}{fraction}Z"
    )
