"""One private directory of cache files, bounded in size, that is left alone unless nobody else could have written it.

Files are replaced by renaming, so a reader sees a whole file or none.  What they hold is for the caller to judge.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import msgspec

from imagepeel._lazy import late
from imagepeel.limits import GiB, MiB

MOST = 1 * GiB
"""Bytes of all files together; past it those that were not used for longest go."""
LARGEST = 512 * MiB
"""Bytes of one file: an index of a layer of five million entries."""

_NAME = late(r"[a-z0-9][a-z0-9._-]{0,120}\.(index|stamp|heads|facts)")
_TEMPORARY = late(r"\.new-\d{1,10}-[0-9a-f]{16}")


class CacheFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file: `used` is when it was last read or written, seconds since 1970."""

    name: str
    size: int
    used: float


class CacheDir:
    """A directory for cache files.  Nothing is created before the first write.

    `problem` says in words why the directory is not used, "" when it is; `suspicious` that others could have written
    to it, which is worth a warning.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, most: int = MOST) -> None:
        self.path: str = os.path.abspath(os.fspath(path)) if path is not None else default_path()
        self.most = most
        self.problem: str = ""
        self.suspicious: bool = False
        if not self.path:
            self.problem = "neither XDG_CACHE_HOME nor the home directory is known"
        elif not hasattr(os, "geteuid") or os.open not in os.supports_dir_fd:
            # Without owners, modes and opening below a directory, nothing here could be kept private.
            self.problem = "this system cannot keep a directory private in the way the cache needs"

    def read(self, name: str) -> bytes | None:
        """Return the content of a file and mark it as used, None when it is absent or not to be trusted."""
        file = self.open(name)
        if file is None:
            return None
        with file:
            try:
                return file.read(LARGEST)
            except OSError:
                return None

    def open(self, name: str) -> IO[bytes] | None:
        """Open a file for reading and mark it as used; None as `read`.  It has at most `LARGEST` bytes."""
        folder = self._open()
        if folder is None:
            return None
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError:
            return None
        finally:
            os.close(folder)
        try:
            info = os.fstat(fd)
            if stat.S_ISREG(info.st_mode) and _private(info) and info.st_size <= LARGEST:
                os.utime(fd)
                return os.fdopen(fd, "rb")
        except OSError:
            pass
        os.close(fd)
        return None

    def write(self, name: str, *data: bytes | memoryview) -> bool:
        """Store a file, given in pieces, in place of what had its name; say whether that worked.

        Never raises for the host's sake.
        """
        assert _NAME.fullmatch(name), name
        if sum(map(len, data)) > min(LARGEST, self.most):
            return False
        folder = self._open(create=True)
        if folder is None:
            return False
        temporary = f".new-{os.getpid()}-{os.urandom(8).hex()}"
        try:
            try:
                fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
                with os.fdopen(fd, "wb") as file:
                    file.writelines(data)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):  # it could not be made, or an interrupt came when it had its name
                    os.unlink(temporary, dir_fd=folder)
                raise
            self._shrink(folder, name)
        except OSError as error:
            self.problem = f"cannot write to {self.path}: {error.strerror}"
            return False
        finally:
            os.close(folder)
        return True

    def remove(self, name: str) -> None:
        """Remove a file that turned out to be damaged; no error when it is gone."""
        folder = self._open()
        if folder is not None:
            try:
                os.unlink(name, dir_fd=folder)
            except OSError:
                pass
            finally:
                os.close(folder)

    def files(self) -> list[CacheFile]:
        """Return the cache files that are there, most recently used first."""
        folder = self._open()
        if folder is None:
            return []
        try:
            return sorted(self._listed(folder), key=lambda file: (-file.used, file.name))
        finally:
            os.close(folder)

    def clear(self) -> tuple[int, int]:
        """Remove every cache file, nothing else; return (files, bytes)."""
        folder = self._open()
        if folder is None:
            return 0, 0
        count = size = 0
        try:
            for file in list(self._listed(folder, temporary=True)):
                try:
                    os.unlink(file.name, dir_fd=folder)
                except FileNotFoundError:
                    continue
                count, size = count + 1, size + file.size
        finally:
            os.close(folder)
        return count, size

    def _open(self, *, create: bool = False) -> int | None:
        """Return a descriptor of the directory, None when it is absent or others can write to it."""
        if self.problem:
            return None
        try:
            if create:
                os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
                try:
                    os.mkdir(self.path, 0o700)
                except FileExistsError:
                    pass
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.problem = f"cannot use {self.path}: {error.strerror}"
            return None
        if not _private(os.fstat(folder)):
            os.close(folder)
            self.suspicious = True
            self.problem = f"{self.path} belongs to somebody else or others can write to it: it is not used"
            return None
        return folder

    def _listed(self, folder: int, *, temporary: bool = False) -> Iterator[CacheFile]:
        for name in os.listdir(folder):
            if not _NAME.fullmatch(name) and not (temporary and _TEMPORARY.fullmatch(name)):
                continue
            try:
                info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode):
                yield CacheFile(name=name, size=info.st_size, used=info.st_mtime)

    def _shrink(self, folder: int, keep: str) -> None:
        files = list(self._listed(folder))
        total = sum(file.size for file in files)
        for file in sorted(files, key=lambda file: file.used):
            if total <= self.most:
                return
            if file.name != keep:
                try:
                    os.unlink(file.name, dir_fd=folder)
                except FileNotFoundError:
                    pass  # another run did it
                total -= file.size


def default_path() -> str:
    """Return `$XDG_CACHE_HOME/imagepeel`, or `~/.cache/imagepeel` (XDG Base Directory: a relative value is ignored).

    "" when the home directory is not known either.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "imagepeel") if os.path.isabs(base) else ""


def _private(info: os.stat_result) -> bool:
    """Whether a file is ours and nobody else may write to it."""
    return info.st_uid == os.geteuid() and not info.st_mode & 0o022
