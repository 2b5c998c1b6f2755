"""Random-access bytes: a file, somebody's file object, a spooled stream, a slice of another source, or memory.

Nothing here interprets what it reads.  `pread` may be called by several threads at once, so that several layers of one
archive can be read together.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import IO, Any

from imagepeel.errors import LimitExceeded, Malformed, NotAnImage, NotFound, Unsupported, UsageError
from imagepeel.evidence import Location
from imagepeel.limits import Limits
from imagepeel.text import plural

CHUNK = 256 * 1024
"""Bytes per read: from 64 KiB to 1 MiB the speed is the same, and this stays small in memory."""
VOUCHED = "vouched"
"""How a stamp begins that comes from a server, which names each version of a file: it depends on no clock."""
_NOTHING_BUT_ZEROS = 1 << 20
"""Bytes of a stream that are looked at for something else than zeros."""
_ENOUGH_TO_JUDGE = 64 * 1024
"""Bytes of a stream by which it shows what it is; the signature of a disc is the farthest, at 32,769."""

Progress = Callable[[int], None]
Judge = Callable[[str, bytes], None]
"""Called with the number of stored bytes that were just read."""


class Source(ABC):
    """Bytes of known size that can be read at any offset.

    `name` is for people, `size` counts bytes, `origin` is the offset of this source's first byte in the image
    archive where that is known (a window into an uncompressed archive), else None.
    """

    name: str
    size: int
    origin: int | None = None
    promised: str | None = None
    """The digest that all bytes have that `pread` returns, of a source that checks them; None where nobody does."""
    in_parts: bool = False
    """Whether its bytes come from another machine when they are read, and only those."""

    @abstractmethod
    def pread(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`; fewer only at the end.

        Malformed if the file shrank meanwhile, UsageError after `close`.
        """

    def stamp(self) -> str | None:
        """Return what changes whenever the bytes may have: of a file, its identity, size and times.  None: unknown."""
        return None

    def close(self) -> None:  # noqa: B027 - most sources own nothing
        """Release what the source holds; reading afterwards is a UsageError."""

    def once(self, *, step: int = CHUNK) -> Iterator[bytes]:
        """Yield all bytes in order, as early as they are here, for a reader who checks their digest."""
        return self.chunks(step=step)

    def window(self, offset: int, size: int, name: str) -> Window:
        """Return the `size` bytes from `offset` as a source of their own."""
        return Window(self, offset, size, name)

    def chunks(self, offset: int = 0, size: int | None = None, *, step: int = CHUNK) -> Iterator[bytes]:
        """Yield the bytes from `offset` in pieces of at most `step`; all of the rest when `size` is None."""
        end = self.size if size is None else min(self.size, offset + size)
        while offset < end:
            piece = self.pread(offset, min(step, end - offset))
            if not piece:
                return
            offset += len(piece)
            yield piece


class MemorySource(Source):
    """Bytes that are already in memory."""

    def __init__(self, data: bytes, name: str = "memory") -> None:
        self._data = data
        self.name = name
        self.size: int = len(data)
        self.origin: int = 0

    def pread(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]


class FileSource(Source):
    """A file descriptor that is owned by this object."""

    _fd: int = -1
    """Set here too: an interrupt before the first line of `__init__` leaves an object that is deleted all the same."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self.name = name
        self.size: int = os.fstat(fd).st_size
        self.origin: int = 0

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, dir_fd: int | None = None) -> FileSource:
        """Open a regular file.  NotFound if there is none, Unsupported for a FIFO or device (it could block)."""
        shown = os.fspath(path)
        try:
            # O_NONBLOCK: opening a FIFO for reading would otherwise wait for a writer for ever.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0), dir_fd=dir_fd)
        except OSError as error:
            what = f"cannot open {shown}: {error.strerror}"
            raise NotFound(what, hint="check the path and its permissions") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise Unsupported(f"{shown} is not a regular file", hint="use - to read an archive from standard input")
        return cls(fd, shown)

    def pread(self, offset: int, count: int) -> bytes:
        try:
            data = os.pread(self._fd, count, offset)
        except OSError:
            if self._fd < 0:
                raise closed(self.name) from None
            raise
        if len(data) < count and offset + len(data) < self.size:
            # pread may return less than asked on some file systems; only a second empty read means shrinkage.
            parts = [data]
            have = len(data)
            while have < count and offset + have < self.size:
                more = os.pread(self._fd, count - have, offset + have)
                if not more:
                    raise _shrank(self.name, offset + have)
                parts.append(more)
                have += len(more)
            data = b"".join(parts)
        return data

    def stamp(self) -> str | None:
        if self._fd < 0:
            raise closed(self.name)
        info = os.fstat(self._fd)
        if info.st_nlink == 0:
            return None  # a temporary file of this process
        # The change time cannot be set by touch or cp -p, so a file with a forged modification time is not mistaken.
        return f"{info.st_dev}:{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}"

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        # Layers read from a directory are files of their own, which nobody closes one by one.
        self.close()


class ObjectSource(Source):
    """A seekable binary file object of the caller, who also closes it: closing this source only lets go of it.

    Arguments: `file` has `read`, `seek` and `tell` as `io.BufferedIOBase` has them; its bytes count from offset 0,
    wherever it stands.  Whoever reads the file beside this source must expect its position to move.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file: IO[bytes] | None = file
        self._lock = threading.Lock()
        self.name = name
        self.size: int = file.seek(0, os.SEEK_END)
        self.origin: int = 0

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def pread(self, offset: int, count: int) -> bytes:
        count = min(count, self.size - offset)
        parts: list[bytes] = []
        with self._lock:
            if self._file is None or self._file.closed:
                raise closed(self.name)
            self._file.seek(offset)
            while count > 0:
                # A raw file may return less than asked.
                part = self._file.read(count)
                if not part:
                    raise _shrank(self.name, offset)
                parts.append(part)
                offset += len(part)
                count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        with self._lock:
            self._file = None


class Window(Source):
    """A part of another source, under its own name."""

    def __init__(self, base: Source, offset: int, size: int, name: str) -> None:
        self._base = base
        self._offset = offset
        self.name = name
        self.size: int = max(0, min(size, base.size - offset))
        self.origin: int | None = None if base.origin is None else base.origin + offset
        self.in_parts: bool = base.in_parts

    def stamp(self) -> str | None:
        base = self._base.stamp()
        return None if base is None else f"{base}:{self._offset}+{self.size}"

    def pread(self, offset: int, count: int) -> bytes:
        count = min(count, self.size - offset)
        return self._base.pread(self._offset + offset, count) if count > 0 else b""


class Spool:
    """Writes a stream to an unnamed temporary file, so that nothing is left behind however the program ends."""

    def __init__(self, limits: Limits, name: str) -> None:
        import tempfile  # start time

        self._file = tempfile.TemporaryFile(prefix="imagepeel-")  # noqa: SIM115 - handed over by finish()
        self._limits = limits
        self._name = name
        self.size: int = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.  LimitExceeded past `Limits.spool_bytes` or when the disk is full."""
        self.size += len(data)
        if self.size > self._limits.spool_bytes:
            self._file.close()
            raise LimitExceeded(
                f"{self._name} is larger than {plural(self._limits.spool_bytes, 'byte')}",
                hint="raise Limits.spool_bytes if you trust the archive",
            )
        try:
            self._file.write(data)
        except OSError as error:
            self._file.close()
            raise LimitExceeded(
                f"cannot keep {self._name} in a temporary file: {error.strerror}",
                hint="set TMPDIR to a directory with enough space",
            ) from error

    def read_back(self, offset: int, count: int) -> bytes:
        """Return what was written there."""
        self._file.flush()
        return os.pread(self._file.fileno(), count, offset)

    def finish(self) -> FileSource:
        """Return what was written as a source that owns the temporary file."""
        self._file.flush()
        fd = os.dup(self._file.fileno())
        self._file.close()
        return FileSource(fd, self._name)

    def discard(self) -> None:
        """Drop the temporary file."""
        self._file.close()


def spool_stream(
    stream: IO[bytes],
    limits: Limits,
    *,
    name: str = "-",
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> FileSource:
    """Copy a stream that cannot seek (standard input, a pipe) to an unnamed temporary file and return it.

    `judge` is called once, with the name and the beginning of a stream that goes on for more than that, and raises what
    it is when it can be no archive: such a stream may never end.
    """
    spool = Spool(limits, name)
    # One system call a piece: a buffered read goes back to waiting in C, where a Ctrl-C that came between is not seen.
    read = getattr(stream, "read1", stream.read)
    zeros = True
    head = bytearray()
    try:
        while piece := read(CHUNK):
            spool.write(piece)
            if judge is not None:
                head += piece
                if len(head) >= _ENOUGH_TO_JUDGE:
                    judge(name, bytes(head))
                    judge = None
                    head.clear()
            zeros = zeros and not piece.strip(b"\0")
            if zeros and spool.size >= _NOTHING_BUT_ZEROS:
                # A tar ends with two blocks of them, so that nothing of an archive can come behind.
                raise NotAnImage(
                    f"{name} begins with {plural(spool.size, 'byte')} of zeros, where a tar would have ended",
                    hint="give the archive itself; /dev/zero never ends",
                )
            if progress is not None:
                progress(len(piece))
    except BaseException:
        spool.discard()
        raise
    return spool.finish()


def source_of(
    file: IO[bytes], limits: Limits, *, progress: Progress | None = None, judge: Judge | None = None
) -> Source:
    """Return a file object as a source: in place when it can seek, else as a copy in an unnamed temporary file.

    Arguments: `file` is open for reading bytes (a file, `io.BytesIO`, what a library of remote files gives); `progress`
    is called with counts of bytes while a stream that cannot seek is copied, and `judge` with its beginning.
    UsageError when it is open as text or closed, LimitExceeded when a copy would be larger than `Limits.spool_bytes`,
    TypeError when it is no file at all.
    """
    if not hasattr(file, "read"):
        kind = type(file).__name__
        raise TypeError(f"expected a path, a file object or a Source, not {kind} (io.BytesIO makes a file of bytes)")
    # Only a file that Python itself opened says by its name where a person can find it.
    name = file.name if isinstance(file, io.BufferedReader | io.BufferedRandom | io.FileIO | io.TextIOWrapper) else None
    shown = name if isinstance(name, str) else "memory"
    if getattr(file, "closed", False):
        raise closed(shown)
    if isinstance(file, io.TextIOBase):
        raise UsageError(f"{shown} is open as text", hint='open it with mode "rb"')
    seekable = getattr(file, "seekable", None)
    if seekable is not None and seekable():
        return ObjectSource(file, shown)
    return spool_stream(file, limits, name=shown, progress=progress, judge=judge)


def closed(name: str) -> UsageError:
    """Return the error for reading what was closed."""
    shown = "the archive" if name in ("-", "memory") else name
    return UsageError(f"{shown} is closed", hint="read what is needed while the archive is open")


def _shrank(name: str, offset: int) -> Malformed:
    return Malformed(
        f"{name} became shorter while it was read",
        Location(archive_offset=offset),
        "copy the archive to a place where nothing writes to it",
    )


def spool_stdin(limits: Limits, *, progress: Progress | None = None, judge: Judge | None = None) -> FileSource:
    """Return standard input as a source: in place when it is a seekable file, else spooled."""
    stream = sys.stdin.buffer
    try:
        fd = stream.fileno()
        if stat.S_ISREG(os.fstat(fd).st_mode) and stream.tell() == 0:
            return FileSource(os.dup(fd), "-")
    except (OSError, ValueError):
        # No descriptor behind it (a test runner's replacement), or one that cannot tell: spool what comes.
        pass
    return spool_stream(stream, limits, progress=progress, judge=judge)
