"""Write a view as one tar, the same bytes for the same image: see `docs/explanation/flatten.md`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import LimitExceeded, Malformed, MissingBlob
from imagepeel.evidence import text
from imagepeel.export.extract import check_whole
from imagepeel.export.report import Omission, Omissions
from imagepeel.export.tar_writer import END, encode_header, padding
from imagepeel.export.whole_file import replacing
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.limits import Limits
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

Write = Callable[[bytes], object]
_STEP = 256 * 1024
_BACKWARD = 8
"""Jumps back within one compressed layer before its content is kept on disk for the time of the writing."""


class FlattenReport(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What `flatten` wrote: `size` and `sha256` are of the whole tar, so `sha256:<sha256>` is the DiffID that an
    image with this tar as its only layer has; `bytes` of it are content.
    """

    view: Literal[ViewName, ""]
    best_effort: bool
    entries: int
    hardlinks: int
    bytes: int
    size: int
    sha256: str
    omissions: tuple[Omission, ...] = ()


def flatten(
    rootfs: Rootfs,
    output: BinaryIO,
    *,
    best_effort: bool = False,
    epoch: int | None = None,
    limits: Limits | None = None,
    progress: Callable[[int], None] | None = None,
) -> FlattenReport:
    """Write the tree of a view to a binary stream as one tar, sorted by path, the root itself left out.

    Times are those of the image; what has none (a directory that no entry describes) gets `epoch`, seconds since
    1970, by default 0.  Sparse files are written with their holes as zeros.  The first name of an inode carries the
    content, later ones are hardlinks to it.  `progress` gets counts of content bytes.

    Malformed for a view that a runtime refuses and MissingBlob for one that lacks a layer, unless `best_effort`;
    LimitExceeded past `Limits.disk_bytes`, before anything is written; Malformed for a damaged layer.
    """
    check_whole(rootfs, best_effort=best_effort)
    total = _prepare(rootfs)
    most = (limits or rootfs.limits).disk_bytes
    if total > most:
        raise LimitExceeded(
            f"the tar would carry {plural(total, 'byte')} of content, more than the {most} allowed",
            hint="raise Limits.disk_bytes if you trust the image",
        )
    writer = _Writer(rootfs, output.write, (epoch or 0, 0), progress)
    writer.run()
    return FlattenReport(
        view=rootfs.view,
        best_effort=best_effort and (rootfs.refusal is not None or not rootfs.complete),
        entries=writer.entries,
        hardlinks=writer.hardlinks,
        bytes=writer.bytes,
        size=writer.size,
        sha256=writer.digest.hexdigest(),
        omissions=writer.omissions.result(),
    )


def flatten_to(rootfs: Rootfs, path: str | os.PathLike[str], **options: object) -> FlattenReport:
    """Write the tar to a file that appears only when it is whole; options are those of `flatten`.

    An existing file is replaced in one step.  A device or pipe is written to as it is.
    """
    with replacing(os.fspath(path)) as file:
        return flatten(rootfs, file, **options)  # type: ignore[arg-type]


def _prepare(rootfs: Rootfs) -> int:
    """Return the bytes of content, and keep the content of layers on disk whose order is not that of the tar."""
    total = 0
    last: dict[int, int] = {}
    back: dict[int, int] = {}
    seen: set[int] = set()
    for _, node in rootfs.walk():
        if node.kind != "file":
            continue
        if node.layer is None or node.entry is None:
            raise MissingBlob("the bytes of a file are not in this archive", rootfs.location(node))
        if node.nlink > 1:
            if node.ino in seen:
                continue
            seen.add(node.ino)
        total += node.size
        if node.entry < last.get(node.layer, -1):
            back[node.layer] = back.get(node.layer, 0) + 1
        last[node.layer] = node.entry
    for index, jumps in back.items():
        content = getattr(rootfs.layers[index], "content", None)
        if jumps > _BACKWARD and content is not None:
            content.keep()
    return total


class _Writer:
    def __init__(
        self, rootfs: Rootfs, write: Write, implied: tuple[int, int], progress: Callable[[int], None] | None
    ) -> None:
        self._rootfs = rootfs
        self._out = write
        self._implied = implied
        self._progress = progress
        self.digest = hashlib.sha256()
        self.omissions = Omissions()
        self.entries = 0
        self.hardlinks = 0
        self.bytes = 0
        self.size = 0

    def run(self) -> None:
        first: dict[int, bytes] = {}
        walk = self._rootfs.walk()
        next(walk)
        for absolute, node in walk:
            if node.kind == "ghost":
                self.omissions.add("ghost names (listed by overlayfs, but not there)", text(absolute))
                continue
            path = absolute[1:]
            link = None
            if node.nlink > 1 and node.kind != "dir":
                known = first.setdefault(node.ino, path)
                link = known if known is not path else None
            self._entry(path, node, link)
        self._write(END)

    def _entry(self, path: bytes, node: Inode, link: bytes | None) -> None:
        size = node.size if node.kind == "file" and link is None else 0
        mtime = node.mtime if node.mtime is not None else self._implied
        self._write(encode_header(path, node, mtime=mtime, link=link, size=size))
        self.entries += 1
        if link is not None:
            self.hardlinks += 1
        if not size:
            return
        at = 0
        file = self._rootfs.open(node)
        while at < size:
            piece = file.pread(at, min(_STEP, size - at))
            if not piece:
                raise Malformed(
                    f"the content of /{text(path)} ends {plural(size - at, 'byte')} early",
                    self._rootfs.location(node),
                    "the layer is cut off: fetch or save the image again",
                )
            at += len(piece)
            self._write(piece)
            if self._progress is not None:
                self._progress(len(piece))
        self.bytes += size
        self._write(padding(size))

    def _write(self, data: bytes) -> None:
        if data:
            self.digest.update(data)
            self.size += len(data)
            self._out(data)
