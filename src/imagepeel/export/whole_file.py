"""A file that a command is told to write: whole under its name, or not there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from imagepeel.errors import UsageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Open a file beside `path` that takes its name at the end, or goes when anything fails.

    A device or pipe is written to as it is.  UsageError when the name is that of a directory or cannot be written to;
    OSError with the path when the disk is full.
    """
    mode = stat.S_IFREG
    with writing(path), suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a directory", hint="name the file to write")
    # A link stays a link: the file that it names is replaced.
    place = os.path.realpath(path) if stat.S_ISREG(mode) else path
    partial, flags = place, os.O_WRONLY
    if stat.S_ISREG(mode):
        above, name = os.path.split(place)
        partial = os.path.join(above, f".{name[:50]}.{os.urandom(8).hex()}.imagepeel-partial")
        flags |= os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with writing(path):
            descriptor = os.open(partial, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o666)
        with _full(path), os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
            yield file
        if partial != place:
            with writing(path):
                os.replace(partial, place)
    except BaseException:
        if partial != place:
            with suppress(OSError):  # it could not be made, or an interrupt came when it had its name
                os.unlink(partial)
        raise


@contextmanager
def writing(path: str) -> Iterator[None]:
    """UsageError where the system refuses what is named `path`; a full disk is the machine's and stays an OSError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OSError(error.errno, error.strerror, path) from error
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="check the directory and its permissions"
        ) from error


@contextmanager
def _full(path: str) -> Iterator[None]:
    """Name the file in the error of a full disk: write(2) knows none.  Other errors are not about this file."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, path) from error
