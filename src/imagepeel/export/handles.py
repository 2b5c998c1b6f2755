"""Directories of one tree as file descriptors: every component is opened by itself and no link is ever followed.

Below its root no path string reaches the kernel, so neither a link in the image nor one that somebody puts there
meanwhile can lead outside (openat(2) with O_NOFOLLOW and O_DIRECTORY for each component).
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict

from imagepeel.errors import Malformed, Unsupported
from imagepeel.evidence import text

_OPEN_DIRECTORY = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)
_KEPT = 48
"""Descriptors kept open: a path may have 2,000 components and a process 1,024 descriptors."""


def require_handles() -> None:
    """Raise Unsupported where the system has no openat family (Windows)."""
    needed = (os.open, os.mkdir, os.symlink, os.link, os.unlink, os.stat)
    if not hasattr(os, "O_NOFOLLOW") or any(function not in os.supports_dir_fd for function in needed):
        raise Unsupported(
            "this system cannot create files relative to an open directory",
            hint="extract on Linux, macOS or in WSL, or write a tar with flatten",
        )


def component(name: bytes) -> bytes:
    """Return a name that is safe as one component.  Malformed for what could mean anything else."""
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise Malformed(f"{text(name)!r} cannot be the name of a file", hint="this should not happen: report the image")
    return name


def open_root(directory: str | bytes | os.PathLike[str]) -> int:
    """Open the directory that everything goes into; a link there is refused (OSError ELOOP or ENOTDIR)."""
    return os.open(directory, _OPEN_DIRECTORY)


class Handles:
    """Open directories below one root, found by their path inside it (b"" is the root, b"usr/bin" below)."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def __enter__(self) -> Handles:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every descriptor but the root's, which belongs to the caller."""
        while self._open:
            os.close(self._open.popitem()[1])

    def parent(self, path: bytes) -> tuple[int, bytes]:
        """Return the descriptor of the directory that holds `path`, and the last component."""
        above, _, name = path.rpartition(b"/")
        return self.directory(above), component(name)

    def directory(self, path: bytes) -> int:
        """Return a descriptor of a directory, open until some other directories were asked for.

        OSError ELOOP or ENOTDIR when something replaced a directory by a link or file.
        """
        if not path:
            return self.root
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        missing: list[bytes] = []
        here = path
        descriptor = self.root
        while here:
            found = self._open.get(here)
            if found is not None:
                self._open.move_to_end(here)
                descriptor = found
                break
            here, _, name = here.rpartition(b"/")
            missing.append(name)
        for name in reversed(missing):
            try:
                descriptor = os.open(component(name), _OPEN_DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                raise _named(error, path) from error
            here = here + b"/" + name if here else name
            self._open[here] = descriptor
            # Never the one just opened: it is the last in line.
            while len(self._open) > _KEPT:
                os.close(self._open.popitem(last=False)[1])
        return descriptor


def _named(error: OSError, path: bytes) -> OSError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return changed(path)
    return OSError(error.errno, error.strerror, text(path))


def changed(path: bytes) -> OSError:
    """Return the error for a directory that somebody replaced while it was in use."""
    return OSError(errno.ENOTDIR, "somebody else changed the directory meanwhile: it is no directory now", text(path))
