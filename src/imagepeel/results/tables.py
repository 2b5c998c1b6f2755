"""What `--json` of each command carries, as one type a command: the encoder and the JSON Schema are made of them.

Names of the image that are not UTF-8 stand readable in `path` (stray bytes as `\\xNN`) and exact, in base64, in the
field beside it that ends in `_b64`, which is there only then.  Fields may be added in later versions, never changed.
"""

from __future__ import annotations

import base64
import time
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from imagepeel.archive.kinds import KINDS
from imagepeel.errors import NotFound

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


def one_of(*values: str) -> msgspec.Meta:
    """Return what makes the JSON Schema of a text list the values that it may have."""
    return msgspec.Meta(extra_json_schema={"enum": [str(value) for value in values]})


KindName = Annotated[str, one_of(*(kind.name for kind in KINDS))]
"""The name of a kind of archive."""


class ImageHead(msgspec.Struct, frozen=True, kw_only=True):
    """Which image the result is about.

    `number` counts from 1 in archive order (`--image '#N'`); `digest` is that of the manifest, `image_id` that of
    the config; `reason` says why this image was chosen where the archive holds several.
    """

    archive: str
    archive_kind: KindName
    number: int
    names: tuple[str, ...]
    platform: str
    digest: str | None
    image_id: str | None
    complete: bool
    reason: str


class ListingHeader(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="type"):
    """First line of `imagepeel ls --json` and `imagepeel tree --json`.

    `view` is the filesystem that is listed, "" with --layer; `layer` the 0-based layer of --layer.  `refusal` says
    why a runtime refuses the image; the listing is then the best effort without the refused entries.
    """

    schema: str
    image: ImageHead
    path: str
    view: str
    layer: int | None
    complete: bool
    refusal: str


class ListingEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="entry", tag_field="type"):
    """One line of `imagepeel ls --json` and `imagepeel tree --json`: one path.

    `kind` is file, dir, symlink, hardlink, char, block, fifo, ghost (the directory lists the name and opening it
    fails), or unknown.  `mode` is octal, `size` bytes, `mtime` UTC (absent: set when the runtime unpacks).  `layer`
    counts from 0, `label` from L1; `entry` is the index of the tar member in that layer and `layer_offset` where
    its header starts in the decompressed layer.  `implied` marks a directory that no tar member describes.
    `action` is absent for content, else remove (a whiteout: `path` is what it removes), hide (an opaque whiteout:
    `path` is the directory whose lower content it hides) or ignore (a name that runtimes skip).
    """

    path: str
    kind: str
    mode: str
    uid: int
    gid: int
    size: int
    path_b64: str | None = None
    mtime: str | None = None
    target: str | None = None
    target_b64: str | None = None
    device: tuple[int, int] | None = None
    nlink: int | None = None
    xattrs: dict[str, str] = {}
    layer: int | None = None
    label: str = ""
    entry: int | None = None
    layer_offset: int | None = None
    implied: bool = False
    action: str = ""
    raw_name: str = ""
    content: str = ""


class ForgeResult(msgspec.Struct, frozen=True, kw_only=True, tag="written", tag_field="type"):
    """Result of `imagepeel forge`: what was written."""

    name: str
    kind: str
    path: str
    size: int
    sha256: str | None
    description: str


class ForgeName(msgspec.Struct, frozen=True, kw_only=True):
    """One built-in teaching image; `good` ones unpack and run everywhere."""

    name: str
    description: str
    good: bool


class ForgeList(msgspec.Struct, frozen=True, kw_only=True, tag="list", tag_field="type"):
    """Result of `imagepeel forge --list`."""

    images: tuple[ForgeName, ...]
    kinds: dict[str, str]


class VersionResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel version`: what a bug report needs.  A library that is absent has the version ""."""

    imagepeel: str
    python: str
    system: str
    libraries: dict[str, str]
    libmagic: str


def image_head(image: LayeredImage) -> ImageHead:
    """Return which image a result is about."""
    return ImageHead(
        archive=image.archive.name,
        archive_kind=image.archive.kind.name,
        number=image.record.number,
        names=image.names,
        platform=image.platform,
        digest=image.digest,
        image_id=image.id,
        complete=image.complete,
        reason=image.reason,
    )


def readable(name: bytes) -> tuple[str, str | None]:
    """Return a name as text, and in base64 when the text cannot give its bytes back."""
    try:
        return name.decode("utf-8"), None
    except UnicodeDecodeError:
        return name.decode("utf-8", "backslashreplace"), base64.b64encode(name).decode("ascii")


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


ListingLine = ListingHeader | ListingEntry
ForgeOutput = ForgeResult | ForgeList

TYPES: dict[str, str] = {
    "explain": "imagepeel.present.document:Story",
    "layers": "imagepeel.results.layers:LayersResult",
    "images": "imagepeel.results.images:ImagesResult",
    "ls": "imagepeel.results.tables:ListingLine",
    "tree": "imagepeel.results.tables:ListingLine",
    "find": "imagepeel.results.rootfs:FindLine",
    "du": "imagepeel.results.du:DuResult",
    "diff": "imagepeel.results.diff:DiffResult",
    "cache": "imagepeel.results.rootfs:CacheResult",
    "trace": "imagepeel.results.trace:TraceResult",
    "views": "imagepeel.results.views:ViewsResult",
    "wtf": "imagepeel.results.findings:WtfOutput",
    "check": "imagepeel.results.check:CheckOutcome",
    "operate": "imagepeel.present.document:Story",
    "waste": "imagepeel.results.waste:WasteResult",
    "process": "imagepeel.results.process:ProcessOutput",
    "bundle": "imagepeel.export.bundle:WrittenBundle",
    "forge": "imagepeel.results.tables:ForgeOutput",
    "version": "imagepeel.results.tables:VersionResult",
    "dockerfile": "imagepeel.history.dockerfile:RebuiltDockerfile",
    "flatten": "imagepeel.export.flatten:FlattenReport",
    "extract": "imagepeel.export.report:ExtractReport",
}
"""Command -> where the type of its `--json` is (`module:name`); of a listing, that of each line."""


def result_type(command: str) -> Any:
    """Return the type of a command's `--json`.  NotFound for a command without one."""
    if command not in TYPES:
        raise NotFound(f"no command with --json is called {command!r}", hint="there are: " + ", ".join(TYPES))
    module, _, name = TYPES[command].partition(":")
    return getattr(import_module(module), name)
