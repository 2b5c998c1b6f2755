"""The names in a layer's tar that remove something of the layers below, and what each of them hides.

Image-spec layer.md, "Whiteouts"; the AUFS names are those of moby pkg/archive/whiteouts.go:

    d/.wh.NAME        a whiteout: hides NAME in `d`, and everything below it
    d/.wh..wh..opq    an opaque mark: hides everything that lower layers have in `d`
    d/.wh..wh.NAME    bookkeeping of AUFS, which Docker used long ago
    d/.wh. and d/.wh..   hide nothing, since a file has no such name; engines refuse them

All code asks here, with two exceptions on purpose: the play-throughs in `rootfs/engines`, which follow foreign programs
line by line, and `forge`, which shares no code with the readers.  A layer that was unpacked has no such names any more,
but devices and attributes: how the kernel merges those is the business of `rootfs/tree/overlay.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

PREFIX = b".wh."
AUFS_PREFIX = PREFIX + PREFIX
OPAQUE = AUFS_PREFIX + b".opq"
AUFS_NAMES = frozenset(AUFS_PREFIX + name for name in (b"aufs", b"orph", b"plnk"))
"""What AUFS kept in the root of a layer."""


class Mark(StrEnum):
    """What a name that begins with `.wh.` is."""

    WHITEOUT = "whiteout"
    OPAQUE = "opaque"
    AUFS = "aufs"
    NAMELESS = "nameless"


class Whiteout(msgspec.Struct, frozen=True):
    """A parsed name.  `hidden` is what follows `.wh.`; it means something for a whiteout alone."""

    mark: Mark
    hidden: bytes


def parse(name: bytes) -> Whiteout | None:
    """Return what the last component of a path says if it begins with `.wh.`, None for any other name."""
    if not name.startswith(PREFIX):
        return None
    hidden = name[len(PREFIX) :]
    if name == OPAQUE:
        mark = Mark.OPAQUE
    elif name.startswith(AUFS_PREFIX):
        mark = Mark.AUFS
    elif hidden in (b"", b".", b".."):
        mark = Mark.NAMELESS
    else:
        mark = Mark.WHITEOUT
    return Whiteout(mark, hidden)


def hidden_path(path: bytes) -> bytes:
    """Return what the entry at `path` hides: the path of a whiteout's victim, the directory of an opaque mark.

    A leading slash stays, and so does its absence: `a/.wh.b` hides `a/b`, `/.wh..wh..opq` hides what is in `/`.  A path
    that is no whiteout comes back as it is.
    """
    directory, slash, name = path.rpartition(b"/")
    if name == OPAQUE:
        return directory or slash
    if not name.startswith(PREFIX):
        return path
    return directory + slash + name[len(PREFIX) :]


def whiteout_of(path: bytes) -> bytes:
    """Return the path of the entry that would remove `path`: `a/b` is removed by `a/.wh.b`."""
    directory, slash, name = path.rpartition(b"/")
    return directory + slash + PREFIX + name


def opaque_mark_of(directory: bytes) -> bytes:
    """Return the path of the entry that would hide what lower layers have in an absolute directory."""
    return directory.rstrip(b"/") + b"/" + OPAQUE


def marks_that_hide(path: bytes, *, overlay: bool) -> Iterator[bytes]:
    """Yield the paths of all entries that would hide the absolute `path`: from its own whiteout up to the root.

    `overlay`: whether overlayfs merges the layers.  It ignores an opaque mark at the root of a layer, because the root
    of a mount always merges; extractors that apply one layer onto the last obey it.
    """
    while path not in (b"", b"/"):
        yield whiteout_of(path)
        path = path.rpartition(b"/")[0]
        if path or not overlay:
            yield opaque_mark_of(path)
