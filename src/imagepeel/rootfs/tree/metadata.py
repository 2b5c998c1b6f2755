"""From the header of a tar entry to the metadata of an inode: what the extractors have in common.

What one of them does otherwise stands in its own module under `rootfs/engines`.
"""

from __future__ import annotations

from imagepeel.evidence import text
from imagepeel.formats.tar.header import BLOCKDEV, CHAR, DIRECTORY, FIFO, REGULAR, SYMLINK
from imagepeel.formats.tar.table import Entry
from imagepeel.rootfs.tree.inode import PATH_MAX, Errno, Inode, NodeKind
from imagepeel.tables import ErrnoName

KIND: dict[bytes, NodeKind] = {
    REGULAR: "file",
    DIRECTORY: "dir",
    SYMLINK: "symlink",
    CHAR: "char",
    BLOCKDEV: "block",
    FIFO: "fifo",
}
"""Type of a tar entry -> kind of the inode that extractors make of it; hardlinks make none."""

_MAX_NANOSECONDS = (1 << 63) - 1


def owner(value: int, present: int) -> int:
    """Return what chown(2) makes of an id: it keeps 32 bits, and -1 means "leave it"."""
    value &= 0xFFFFFFFF
    return present if value == 0xFFFFFFFF else value


def bound_time(mtime: tuple[int, int]) -> tuple[int, int]:
    """Return the time that containerd, Docker and podman set: 1970-01-01 for what 63 bits of ns cannot hold."""
    nanoseconds = mtime[0] * 1_000_000_000 + mtime[1]
    return mtime if 0 <= nanoseconds <= _MAX_NANOSECONDS else (0, 0)


def inode_at(entry: Entry, layer: int, path: tuple[bytes, ...]) -> Inode:
    """Return the inode that an extractor makes at `path`.  Errno as symlink(2) answers for an impossible target."""
    if entry.type == SYMLINK:
        if not entry.link:
            raise Errno("ENOENT", "symlink ", at=path)
        if len(entry.link) >= PATH_MAX:
            raise Errno("ENAMETOOLONG", f"symlink {text(entry.link)}", at=path)
    return new_inode(entry, layer)


def new_inode(entry: Entry, layer: int) -> Inode:
    """Return an inode of the entry's type and content, with default metadata."""
    kind = KIND[entry.type]
    return Inode(
        kind,
        0o777 if kind == "symlink" else 0o644,
        size=entry.size if kind == "file" else len(entry.link) if kind == "symlink" else 0,
        target=entry.link if kind == "symlink" else b"",
        device=entry.device if kind in ("char", "block") else None,
        layer=layer,
        entry=entry.index,
    )


def apply_metadata(node: Inode, entry: Entry) -> None:
    """Give an inode what the header of an entry says, as containerd does for every type, hardlinks included."""
    meta = entry.meta
    node.uid, node.gid = owner(meta.uid, node.uid), owner(meta.gid, node.gid)
    if entry.index in entry.table.extras:
        for key, value in entry.xattrs.items():
            if settable(key, node.kind):
                node.set_xattr(key, value)
    if node.kind != "symlink":
        node.mode = meta.mode & 0o7777
    node.mtime = bound_time(entry.mtime)


def settable(key: bytes, kind: NodeKind) -> bool:
    """Say whether containerd sets the attribute: `trusted.` is left out, the kernel knows few other namespaces."""
    if key.startswith(b"user."):
        return kind in ("file", "dir") and len(key) > 5
    return key.startswith(b"security.") or key in (b"system.posix_acl_access", b"system.posix_acl_default")


def xattr_errno(key: bytes, kind: NodeKind | None) -> ErrnoName:
    """Return the errno of setting an attribute on an inode of a kind, "" when root may.  xattr(7)."""
    if key.startswith(b"user."):
        return "ENOTSUP" if len(key) == 5 else "" if kind in ("file", "dir") else "EPERM"
    if key in (b"system.posix_acl_access", b"system.posix_acl_default"):
        return "ENOTSUP" if kind == "symlink" else ""
    return "" if key.startswith((b"security.", b"trusted.")) else "ENOTSUP"
