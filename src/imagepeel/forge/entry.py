"""What one tar entry shall be: a value, and a helper per kind that makes it.

Nothing is checked here beyond types: an impossible entry is often the point.  `tar.encode` turns entries into bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Name, raw

MTIME = 1_704_067_200
"""Default modification time, seconds: 2024-01-01T00:00:00Z, so that equal specs give equal bytes."""

EntryKind = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo", "sparse", "pax-global", "raw"]
"""What an entry is."""
TarForm = Literal["auto", "ustar", "pax", "gnu", "v7"]
"""The header format that an entry is written in."""
SparseForm = Literal["gnu", "pax-0.0", "pax-0.1", "pax-1.0"]
"""How the map of a sparse file is stored."""

TYPEFLAGS: dict[EntryKind, bytes] = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "char": b"3",
    "block": b"4",
    "dir": b"5",
    "fifo": b"6",
    "sparse": b"0",
    "pax-global": b"g",
}
"""The typeflag byte of each kind (POSIX.1-2017 pax, "ustar Interchange Format"); old GNU sparse files use `S`."""

Mtime = int | tuple[int, int]
Records = tuple[tuple[bytes, bytes], ...]


class Entry(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One member of a layer tar.

    `path` and `target` are raw bytes as they stand in the tar; directories get their trailing slash when encoded.
    `mtime` is seconds, or (seconds, nanoseconds).  `form` is one of auto, ustar, pax, gnu, v7.  The last group lies on
    purpose: `typeflag` and `size` replace what the kind implies, `fields` puts bytes into named header fields after
    everything else (the checksum is still right unless `chksum` is among them), `pad=False` leaves out the
    zeros after the data, `header` (kind `raw`) is written as it is.
    """

    path: bytes = b""
    kind: EntryKind = "file"
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: Mtime = MTIME
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    uname: bytes = b""
    gname: bytes = b""
    xattrs: Records = ()
    pax: Records = ()
    form: TarForm = "auto"
    segments: tuple[tuple[int, bytes], ...] = ()
    sparse_form: SparseForm | Literal[""] = ""
    typeflag: bytes | None = None
    size: int | None = None
    fields: Records = ()
    pad: bool = True
    header: bytes = b""

    def __repr__(self) -> str:
        what = f" -> {self.target!r}" if self.target else f", {len(self.data)} bytes" if self.data else ""
        return f"<Entry {self.kind} {self.path!r}{what}>"


Pairs = dict[Name, Name] | Records


def pairs(records: Pairs) -> Records:
    """Names and values as raw bytes, in the given order."""
    items = records.items() if isinstance(records, dict) else records
    return tuple((raw(key), raw(value)) for key, value in items)


def file(
    path: Name,
    data: Name = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    *,
    mtime: Mtime = MTIME,
    xattrs: Pairs = (),
    pax: Pairs = (),
    form: TarForm = "auto",
    size: int | None = None,
    typeflag: bytes | None = None,
    fields: Pairs = (),
    pad: bool = True,
    uname: Name = b"",
    gname: Name = b"",
) -> Entry:
    """A regular file.

    `path` and `data` are bytes, or text that is written as UTF-8 (a surrogate escape becomes the byte it stands for).
    `mode` are the permission bits with set-uid, set-gid and sticky; `mtime` is seconds since 1970, or (seconds,
    nanoseconds); `xattrs` and `pax` map names to values, written in the given order; `form` is the header format,
    `auto` the plainest that holds the values.  `size` (bytes), `typeflag` and `fields` (header field to bytes) stand
    in the header instead of what follows from the rest; `pad=False` leaves out the zeros after the data.

    Returns the entry as a value.  Nothing is checked here: `encode` raises `UsageError` for what the form cannot hold.
    Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header".
    """
    return Entry(
        path=raw(path),
        data=raw(data),
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        xattrs=pairs(xattrs),
        pax=pairs(pax),
        form=form,
        size=size,
        typeflag=typeflag,
        fields=pairs(fields),
        pad=pad,
        uname=raw(uname),
        gname=raw(gname),
    )


def directory(
    path: Name,
    mode: int = 0o755,
    uid: int = 0,
    gid: int = 0,
    *,
    mtime: Mtime = MTIME,
    xattrs: Pairs = (),
    pax: Pairs = (),
    form: TarForm = "auto",
    fields: Pairs = (),
) -> Entry:
    """A directory; arguments and result as of `file`.

    The slash at the end of its name is added when it is encoded.
    """
    return Entry(
        path=raw(path),
        kind="dir",
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        xattrs=pairs(xattrs),
        pax=pairs(pax),
        form=form,
        fields=pairs(fields),
    )


def symlink(
    path: Name,
    target: Name,
    uid: int = 0,
    gid: int = 0,
    mtime: Mtime = MTIME,
    *,
    mode: int = 0o777,
    xattrs: Pairs = (),
    pax: Pairs = (),
    form: TarForm = "auto",
    fields: Pairs = (),
) -> Entry:
    """A symbolic link whose text is `target`, as it is: absolute, relative, dangling; other arguments as of `file`."""
    return Entry(
        path=raw(path),
        kind="symlink",
        target=raw(target),
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        xattrs=pairs(xattrs),
        pax=pairs(pax),
        form=form,
        fields=pairs(fields),
    )


def hardlink(
    path: Name,
    target: Name,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    *,
    mtime: Mtime = MTIME,
    size: int | None = None,
    data: Name = b"",
    pax: Pairs = (),
    form: TarForm = "auto",
    fields: Pairs = (),
) -> Entry:
    """A second name for the entry `target`, a path inside the layer; other arguments as of `file`.

    `size` and `data` are for links that carry bytes, which POSIX allows and some writers do.  That the target is there
    is not checked: links into lower layers are a lesson of their own.
    """
    return Entry(
        path=raw(path),
        kind="hardlink",
        target=raw(target),
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        size=size,
        data=raw(data),
        pax=pairs(pax),
        form=form,
        fields=pairs(fields),
    )


def whiteout(path: Name, *, mode: int = 0o600, mtime: Mtime = MTIME) -> Entry:
    """The marker that removes `path` of the layers below: an empty file `.wh.<name>` beside it.

    `mode` and `mtime` as of `file`.  Source: image-spec layer.md, "Whiteouts".
    """
    parent, slash, name = raw(path).rstrip(b"/").rpartition(b"/")
    return Entry(path=parent + slash + b".wh." + name, mode=mode, mtime=mtime)


def opaque(path: Name = b"", *, mode: int = 0o600, mtime: Mtime = MTIME) -> Entry:
    """The marker that hides everything the layers below have in the directory `path`; "" is the root of the layer.

    Returns the empty file `.wh..wh..opq` in it.  Source: image-spec layer.md, "Opaque Whiteout".
    """
    parent = raw(path).rstrip(b"/")
    return Entry(path=(parent + b"/" if parent else b"") + b".wh..wh..opq", mode=mode, mtime=mtime)


def device(
    path: Name,
    major: int,
    minor: int,
    *,
    block: bool = False,
    mode: int = 0o600,
    uid: int = 0,
    gid: int = 0,
    mtime: Mtime = MTIME,
    form: TarForm = "auto",
) -> Entry:
    """A character device with these numbers, or with `block` a block device; other arguments as of `file`.

    The pair (0, 0) is what overlayfs takes for a whiteout (kernel Documentation/filesystems/overlayfs.rst).
    """
    return Entry(
        path=raw(path),
        kind="block" if block else "char",
        device=(major, minor),
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        form=form,
    )


def fifo(path: Name, mode: int = 0o644, uid: int = 0, gid: int = 0, mtime: Mtime = MTIME) -> Entry:
    """A named pipe; arguments as of `file`."""
    return Entry(path=raw(path), kind="fifo", mode=mode, uid=uid, gid=gid, mtime=mtime)


def sparse(
    path: Name,
    segments: tuple[tuple[int, bytes], ...],
    size: int,
    form: SparseForm = "pax-1.0",
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: Mtime = MTIME,
) -> Entry:
    """A sparse file of `size` logical bytes; `segments` are (byte offset, bytes) in rising order.

    Other arguments as of `file`, but `form` is `gnu` (typeflag S, GNU tar manual "Old GNU Format"), `pax-0.0`,
    `pax-0.1` or `pax-1.0`.  Chunks are stored one after the other without gaps.  Go and Python read that; GNU tar
    wants every chunk but the last to fill whole 512-byte blocks, as the ones it writes do.  Source: GNU tar manual,
    "Storing Sparse Files".
    """
    return Entry(
        path=raw(path),
        kind="sparse",
        segments=segments,
        size=size,
        sparse_form=form,
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
    )


def pax_global(records: Pairs, path: Name = b"pax_global_header") -> Entry:
    """A PAX global header with these records: meant for all later entries, ignored by Go's readers, obeyed by Python's.

    `path` is the name in its own header.  Source: POSIX.1-2017 pax, typeflag g.
    """
    return Entry(path=raw(path), kind="pax-global", pax=pairs(records))


def raw_entry(header: bytes, data: bytes = b"", pad: bool = True) -> Entry:
    """Header bytes exactly as given, any number of blocks or none, then `data`.

    `pad=False` leaves out the zeros that fill the last block of the data.
    """
    return Entry(kind="raw", header=header, data=data, pad=pad)
