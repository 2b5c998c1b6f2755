"""The system calls that put a planned tree below an open directory."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagepeel.errors import LimitExceeded, Malformed
from imagepeel.evidence import text
from imagepeel.export.handles import Handles, changed
from imagepeel.export.plan import Item, Plan, regions
from imagepeel.export.report import Omissions
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.layers.content import EntryFile
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_PATH = getattr(os, "O_PATH", 0)
_SET_ID = 0o6000
_SETXATTR = getattr(os, "setxattr", None)
_STEP = 1024 * 1024


class Writer:
    """Creates every name exclusively (nothing is ever opened that was there before) and sets metadata last."""

    def __init__(
        self,
        rootfs: Rootfs,
        handles: Handles,
        omissions: Omissions,
        *,
        preserve: bool,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._rootfs = rootfs
        self._handles = handles
        self._omissions = omissions
        self._preserve = preserve
        self._progress = progress
        self._me = (os.geteuid(), os.getegid())
        self.bytes: int = 0
        self.hole_bytes: int = 0

    def write(self, plan: Plan) -> None:
        """Create everything below the root: directories, files in the order of their bytes, the rest, then metadata
        of the directories from the leaves up, because a mode of 0 locks its owner out and each new name moves a time.
        """
        for path, _ in plan.directories:
            self._directory(path)
        for item in plan.files:
            self._file(item)
        for item in plan.others:
            self._special(item)
        for path, source in plan.links:
            self._link(path, source)
        for path, node in reversed(plan.directories):
            self._attributes(self._handles.directory(path), node, path)

    def finish_root(self, node: Inode) -> None:
        """Give the directory itself what the image says of `/`."""
        self._attributes(self._handles.root, node, b"")

    def _call(self, path: bytes, function: Callable[[], None]) -> None:
        try:
            function()
        except FileExistsError:
            raise OSError(
                errno.EEXIST, "a name is there already: somebody else writes into the directory", text(path)
            ) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise changed(path) from error
            raise OSError(error.errno, error.strerror, text(path)) from error

    # ---- one name each ------------------------------------------------------------------------------------

    def _directory(self, path: bytes) -> None:
        parent, name = self._handles.parent(path)
        self._call(path, lambda: os.mkdir(name, 0o700, dir_fd=parent))

    def _file(self, item: Item) -> None:
        path, node = item
        parent, name = self._handles.parent(path)
        made: list[int] = []
        self._call(path, lambda: made.append(os.open(name, _CREATE, 0o600, dir_fd=parent)))
        descriptor = made[0]
        try:
            self._call(path, lambda: self._content(descriptor, node, path))
            self._attributes(descriptor, node, path)
        finally:
            os.close(descriptor)

    def _content(self, descriptor: int, node: Inode, path: bytes) -> None:
        assert node.layer is not None and node.entry is not None
        if not node.size:
            return
        file = self._rootfs.open(node)
        pieces = regions(self._rootfs, node)
        if pieces is None:
            expected = self._rootfs.layers[node.layer].table.crc32(node.entry)
            actual = self._copy(descriptor, file, 0, node.size, path)
            if expected is not None and actual != expected:
                raise Malformed(
                    f"the bytes of /{text(path)} are not those that were verified a moment ago",
                    self._rootfs.location(node),
                    "somebody writes to the archive: extract from a copy",
                )
            return
        written = 0
        for offset, length in pieces:
            self._sized(lambda offset=offset: os.lseek(descriptor, offset, os.SEEK_SET), node, path)  # type: ignore[misc]
            self._copy(descriptor, file, offset, length, path)
            written += length
        self._sized(lambda: os.ftruncate(descriptor, node.size), node, path)
        self.hole_bytes += max(0, node.size - written)

    def _sized(self, call: Callable[[], object], node: Inode, path: bytes) -> None:
        """Make a hole.  LimitExceeded where the filesystem takes no file of that size: the image asks for it."""
        try:
            call()
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EFBIG):
                raise
            raise LimitExceeded(
                f"/{text(path)} has {plural(node.size, 'byte')} with its holes, more than the filesystem here takes",
                self._rootfs.location(node),
                "the image states that size: write it to another filesystem, or read the file in parts with cat",
            ) from error

    def _copy(self, descriptor: int, file: EntryFile, offset: int, count: int, path: bytes) -> int:
        checksum, end = 0, offset + count
        while offset < end:
            piece = file.pread(offset, min(_STEP, end - offset))
            if not piece:
                raise Malformed(
                    f"the content of /{text(path)} ends {plural(end - offset, 'byte')} early",
                    hint="the layer is cut off: fetch or save the image again",
                )
            checksum = zlib.crc32(piece, checksum)
            offset += len(piece)
            self.bytes += len(piece)
            left = memoryview(piece)
            while left:
                left = left[os.write(descriptor, left) :]
            if self._progress is not None:
                self._progress(len(piece))
        return checksum

    def _special(self, item: Item) -> None:
        path, node = item
        parent, name = self._handles.parent(path)
        if node.kind == "symlink":
            self._call(path, lambda: os.symlink(node.target, name, dir_fd=parent))
        elif node.kind == "fifo":
            self._call(path, lambda: os.mkfifo(name, 0o600, dir_fd=parent))
        else:
            major, minor = node.device or (0, 0)
            kind = stat.S_IFCHR if node.kind == "char" else stat.S_IFBLK
            self._call(path, lambda: os.mknod(name, kind | 0o600, os.makedev(major, minor), dir_fd=parent))
        self._call(path, lambda: self._named_attributes(parent, name, node, path))

    def _link(self, path: bytes, source: bytes) -> None:
        parent, name = self._handles.parent(source)
        # Asking for the second directory may close the first.
        kept = os.dup(parent)
        try:
            target, new = self._handles.parent(path)
            self._call(path, lambda: os.link(name, new, src_dir_fd=kept, dst_dir_fd=target, follow_symlinks=False))
        finally:
            os.close(kept)

    # ---- metadata -----------------------------------------------------------------------------------------

    def _mode(self, node: Inode, path: bytes) -> int:
        if self._preserve:
            return node.mode & 0o7777
        if node.mode & _SET_ID:
            self._omissions.add("set-uid and set-gid bits", "/" + text(path))
        return node.mode & 0o7777 & ~_SET_ID

    def _drop(self, node: Inode, path: bytes) -> None:
        """Note what only root could keep."""
        if (node.uid, node.gid) != self._me:
            self._omissions.add("owners and groups", "/" + text(path))
        for key in node.xattrs:
            self._omissions.add(_family(key), "/" + text(path))

    def _attributes(self, descriptor: int, node: Inode, path: bytes) -> None:
        """Set owner, attributes, mode and time of an open file or directory, in the order that loses nothing:
        chown(2) clears set-uid and capabilities.
        """
        if self._preserve:
            self._call(path, lambda: os.fchown(descriptor, node.uid, node.gid))
            for key, value in node.xattrs.items():
                self._attribute(descriptor, key, value, path)
        else:
            self._drop(node, path)
        mode = self._mode(node, path)
        self._call(path, lambda: os.fchmod(descriptor, mode))
        if node.mtime is not None:
            self._time(node.mtime, path, lambda ns: os.utime(descriptor, ns=(ns, ns)))

    def _named_attributes(self, parent: int, name: bytes, node: Inode, path: bytes) -> None:
        """The same for what must not be opened: links, fifos and devices."""
        if self._preserve:
            os.chown(name, node.uid, node.gid, dir_fd=parent, follow_symlinks=False)
            for key, value in node.xattrs.items():
                # There is no setxattrat for all kernels; the magic link names the open directory itself.
                self._attribute(b"/proc/self/fd/%d/%s" % (parent, name), key, value, path)
        else:
            self._drop(node, path)
        if node.kind != "symlink":
            self._named_mode(parent, name, self._mode(node, path), path)
        if node.mtime is not None:
            self._time(node.mtime, path, lambda ns: os.utime(name, ns=(ns, ns), dir_fd=parent, follow_symlinks=False))

    def _named_mode(self, parent: int, name: bytes, mode: int, path: bytes) -> None:
        if not _PATH:
            os.chmod(name, mode, dir_fd=parent, follow_symlinks=False)
            return
        # Opening a device can move a tape; O_PATH opens the name only.
        descriptor = os.open(name, _PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{descriptor}", mode)
        except FileNotFoundError:
            self._omissions.add("modes of fifos and devices (no /proc here)", "/" + text(path))
        finally:
            os.close(descriptor)

    def _attribute(self, what: int | bytes, key: bytes, value: bytes, path: bytes) -> None:
        try:
            if _SETXATTR is None:
                raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
            if isinstance(what, int):
                _SETXATTR(what, key, value)
            else:
                _SETXATTR(what, key, value, follow_symlinks=False)
        except OSError as error:
            self._omissions.add(f"{_family(key)}, refused here: {error.strerror}", "/" + text(path))

    def _time(self, mtime: tuple[int, int], path: bytes, setter: Callable[[int], None]) -> None:
        try:
            setter(mtime[0] * 1_000_000_000 + mtime[1])
        except (OverflowError, OSError):
            self._omissions.add("times that this system cannot store", "/" + text(path))


def _family(key: bytes) -> str:
    """Return the words for an extended attribute: its namespace, so that a hostile image cannot make the list long."""
    if key == b"security.capability":
        return "file capabilities"
    space = key.partition(b".")[0]
    known = space if space in (b"user", b"security", b"system", b"trusted") else b"other"
    return f"{known.decode()} extended attributes"
