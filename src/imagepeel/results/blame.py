"""What `blame --json` writes: the last text at a path, and of each line the version that brought it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import layer_label, text
from imagepeel.results.head import ImageHead, image_head
from imagepeel.results.log import PathVersion, version_rows
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.tables import ErrnoName
from imagepeel.versions.versions import Contents, blame, versions_of

if TYPE_CHECKING:
    from imagepeel.evidence import Name
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.versions.versions import Blame, Version


class BlameLine(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One line and the version that brought it.

    `version` is an index, from 0, in the versions of the result.  `certain` is false where a layer that may have
    brought the line before is not here.
    """

    number: int
    """From 1."""
    text: str
    """Without its line end, secrets masked."""
    version: int
    label: str
    """The layer, `L1` for the base."""
    certain: bool = True


class GoneLine(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A line that earlier versions have and the last one lacks; its bytes are still in the archive.

    `brought` and `last` are indexes, from 0, in the versions of the result: the one that brought it and the last one
    that has it; the layers of `still_in` ship it.
    """

    text: str
    """Without its line end, secrets masked."""
    number: int
    """In the last version that has it, from 1."""
    brought: int
    last: int
    still_in: tuple[str, ...]
    """As `L2`."""


class BlameResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The lines of the last text at the path that was `reached`, each with the version that brought it.

    `links` are the links that were followed.  `present` is whether the view shows the path in the end.  `shown` is the
    index, from 0, of the version whose lines these are, null where the last version is no text.  `gone` are lines of
    earlier versions, `gone_count` of them in all.  `exact` is false where a comparison was cut short, so that a line
    may be older than is said.  `unseen` are layers, as `L2`, that are not here whole, and `unseen_after` those of them
    above the last version.
    """

    image: ImageHead
    view: Literal[ViewName, ""]
    asked: str
    reached: str
    links: tuple[str, ...]
    errno: ErrnoName
    missing: str
    note: str
    """Why these are only the entries that name the path, "" where they are its versions."""
    present: bool
    versions: tuple[PathVersion, ...]
    shown: int | None
    """Index from 0 in `versions`."""
    lines: tuple[BlameLine, ...]
    gone: tuple[GoneLine, ...]
    gone_count: int
    exact: bool = True
    unseen: tuple[str, ...] = ()
    unseen_after: tuple[str, ...] = ()


def blame_result(
    image: LayeredImage, rootfs: Rootfs, path: Name, *, follow: bool = True, receipts: bool = False
) -> BlameResult:
    """Return who brought each line of the last text at a path.

    Arguments: `follow=False` stops at a link in the last part of the path; `receipts` gives each version the command
    that shows its tar member.
    """
    found = versions_of(rootfs, path, follow=follow)
    contents = Contents(rootfs)
    told = blame(contents, found)
    end = found.history.resolution
    unseen = {layer for one in found.versions for layer in one.unseen} | set(found.unseen_after)
    return BlameResult(
        image=image_head(image),
        view=rootfs.view,
        asked=text(path),
        reached=text(end.path),
        links=tuple(text(life.path) for life in found.history.links),
        errno=end.errno,
        missing=text(end.missing),
        note=found.history.note,
        present=found.history.life.present,
        versions=version_rows(image, contents, found.versions, patches=False, receipts=receipts),
        shown=told.shown,
        lines=_lines(told, found.versions),
        gone=_gone(told, found.versions),
        gone_count=told.gone_count,
        exact=told.exact,
        unseen=tuple(map(layer_label, sorted(unseen))),
        unseen_after=tuple(map(layer_label, found.unseen_after)),
    )


def _lines(told: Blame, versions: tuple[Version, ...]) -> tuple[BlameLine, ...]:
    labels = [layer_label(version.event.layer) for version in versions]
    certain = [not version.unseen for version in versions]
    return tuple(
        BlameLine(number=number, text=line, version=origin, label=labels[origin], certain=certain[origin])
        for number, (line, origin) in enumerate(zip(told.lines, told.origins, strict=True), 1)
    )


def _gone(told: Blame, versions: tuple[Version, ...]) -> tuple[GoneLine, ...]:
    labels = [layer_label(version.event.layer) for version in versions]
    return tuple(
        GoneLine(
            text=one.line,
            number=one.number,
            brought=one.brought,
            last=one.last,
            still_in=tuple(dict.fromkeys(labels[one.brought : one.last + 1])),
        )
        for one in told.gone
    )
