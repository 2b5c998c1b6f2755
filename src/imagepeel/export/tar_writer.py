"""Headers of a deterministic tar: ustar where it suffices, PAX records where it does not.

POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header".  Long names that are no UTF-8 are GNU long
names.  The same values always give the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import Malformed
from imagepeel.evidence import text
from imagepeel.formats.tar.header import (
    BLOCKDEV,
    CHAR,
    DIRECTORY,
    FIFO,
    GNU_LONGLINK,
    GNU_LONGNAME,
    HARDLINK,
    PAX,
    REGULAR,
    SYMLINK,
)

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two blocks of zeros end an archive."""

_TYPES = {
    "file": REGULAR,
    "hardlink": HARDLINK,
    "symlink": SYMLINK,
    "char": CHAR,
    "block": BLOCKDEV,
    "dir": DIRECTORY,
    "fifo": FIFO,
}
_NAME, _PREFIX = 100, 155
_MOST_ID, _MOST_SIZE, _MOST_DEVICE = 0o7777777, 0o77777777777, 0o7777777


def padding(size: int) -> bytes:
    """Return the zeros that fill content of `size` bytes up to whole blocks."""
    return bytes(-size % BLOCK)


def encode_header(
    path: bytes, node: Inode, *, mtime: tuple[int, int], link: bytes | None = None, size: int = 0
) -> bytes:
    """Return the header blocks of one entry, extension header included.

    `path` is relative without a slash at its end; `link` makes it a hardlink to that path; `size` is that of the
    content that follows.  `mtime` is (seconds, nanoseconds).  Malformed for a device number that no tar can hold.
    """
    kind = "hardlink" if link is not None else node.kind
    name = path + b"/" if kind == "dir" else path
    target = link if link is not None else node.target
    records: dict[bytes, bytes] = {}
    longs = b""
    prefix, short = _split(name)
    if _text(name) and (short is None or not name.isascii()):
        records[b"path"] = name
    elif short is None:
        longs += _long(GNU_LONGNAME, name)
    if short is None:
        prefix, short = b"", _shortened(name)
    if _text(target) and (len(target) > _NAME or not target.isascii()):
        records[b"linkpath"] = target
    elif len(target) > _NAME:
        longs += _long(GNU_LONGLINK, target)
    target = _shortened(target) if len(target) > _NAME else target
    seconds, nanoseconds = mtime
    if nanoseconds or not 0 <= seconds <= _MOST_SIZE:
        records[b"mtime"] = _decimal(seconds, nanoseconds)
    for key, number, most in ((b"uid", node.uid, _MOST_ID), (b"gid", node.gid, _MOST_ID), (b"size", size, _MOST_SIZE)):
        if number > most:
            records[key] = b"%d" % number
    if link is None:
        for key, value in sorted(node.xattrs.items()):
            records[b"SCHILY.xattr." + key] = value
    major, minor = node.device if node.device is not None and link is None else (0, 0)
    if not (0 <= major <= _MOST_DEVICE and 0 <= minor <= _MOST_DEVICE):
        raise Malformed(f"the device number {major}:{minor} of {text(path)} does not fit into a tar header")
    own = _ustar(
        short,
        prefix,
        _TYPES[kind],
        mode=node.mode & 0o7777,
        uid=node.uid,
        gid=node.gid,
        size=size,
        mtime=seconds,
        target=target,
        device=(major, minor),
    )
    return longs + (_extension(records) if records else b"") + own


def _text(name: bytes) -> bool:
    """Whether the name is UTF-8, which is what PAX records hold.

    Other bytes stand in the ustar field, or in a GNU long name, as they are: no reader converts those.
    """
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _long(kind: bytes, name: bytes) -> bytes:
    """Return the GNU entry that carries a long name (L) or link target (K) for the next header (GNU tar manual)."""
    body = name + b"\0"
    return _ustar(b"././@LongLink", b"", kind, mode=0o644, size=len(body)) + body + padding(len(body))


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """Return (prefix, name) for the two ustar fields, name None when nothing fits."""
    if len(name) <= _NAME:
        return b"", name
    at = name.find(b"/", len(name) - _NAME - 1, -1)
    if at < 1 or at > _PREFIX:
        return b"", None
    return name[:at], name[at + 1 :]


def _shortened(name: bytes) -> bytes:
    """Return what stands in a field whose real value is in a record, for readers that know no records."""
    return name[: _NAME - 1].rstrip(b"/") + (b"/" if name.endswith(b"/") else b"")


def _decimal(seconds: int, nanoseconds: int) -> bytes:
    if seconds < 0 and nanoseconds:
        seconds, nanoseconds = seconds + 1, 1_000_000_000 - nanoseconds
        if seconds == 0:
            return b"-0." + (b"%09d" % nanoseconds).rstrip(b"0")
    whole = b"%d" % seconds
    return whole + b"." + (b"%09d" % nanoseconds).rstrip(b"0") if nanoseconds else whole


def _extension(records: dict[bytes, bytes]) -> bytes:
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    header = _ustar(b"PaxHeaders/entry", b"", PAX, mode=0o644, size=len(body))
    return header + body + padding(len(body))


def _record(key: bytes, value: bytes) -> bytes:
    """Return `LENGTH key=value\\n`, whose length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    while len(str(length)) + rest != length:
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ustar(
    name: bytes,
    prefix: bytes,
    kind: bytes,
    *,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    target: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:107] = b"%07o" % mode
    block[108:115] = b"%07o" % min(uid, _MOST_ID)
    block[116:123] = b"%07o" % min(gid, _MOST_ID)
    block[124:135] = b"%011o" % min(size, _MOST_SIZE)
    block[136:147] = b"%011o" % min(max(mtime, 0), _MOST_SIZE)
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(target)] = target
    block[257:265] = b"ustar\x0000"
    block[329:336] = b"%07o" % device[0]
    block[337:344] = b"%07o" % device[1]
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
