"""A file of another machine, read at any offset: what came once stays in an unnamed temporary file.

So no byte is fetched twice, and what was checked against a digest is what is read later, whatever the other machine
answers then.  Reading on from where a read ended takes longer and longer runs, so that one pass over an archive is a
few answers; whoever jumps gets little more than was asked for.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from typing import Protocol

from imagepeel.archive.source import Source, closed
from imagepeel.errors import FetchFailed, ImagepeelError, LimitExceeded
from imagepeel.limits import KiB, Limits, MiB
from imagepeel.text import plural

BLOCK = 64 * KiB
"""Bytes that are kept together, and the least that is fetched."""
LONGEST_RUN = 64 * MiB
_GROWTH = 4
_AT_ONCE = 1 * MiB
"""Bytes up to which a run is read whole when it is asked for: a connection with unread bytes serves nobody else."""
_NEAR = 8
"""Blocks that are read over rather than asked around: half a megabyte comes as soon as a new answer."""
_OPEN_RUNS = 4
"""Runs that may stand open: layers are read two at a time, and their documents between them."""


class Run(Protocol):
    """Bytes as they come: `read` gives some, `count` at most, and none behind the last."""

    def read(self, count: int) -> bytes: ...

    def close(self) -> None: ...


class _Open:
    """A run that is being read: its next block, the block behind its last one, and how many blocks it was to have."""

    def __init__(self, run: Run | None, at: int, end: int) -> None:
        self.run = run
        self.at = at
        self.end = end
        self.blocks: int = end - at


class Fetched(Source):
    """A file of `size` bytes elsewhere.

    Arguments: `reach(offset, end)` starts to fetch these bytes and raises an ImagepeelError when it cannot, as does the
    run that it returns; `limits` bound how much is kept; `stamp` changes whenever the bytes may have, None where nobody
    knows; `longest` are the bytes of the longest run.
    """

    _closed: bool = True
    """Until all is there that `close` closes: an interrupt within `__init__` leaves an object that is deleted too."""

    def __init__(
        self,
        name: str,
        size: int,
        reach: Callable[[int, int], Run],
        limits: Limits,
        *,
        stamp: str | None = None,
        longest: int = LONGEST_RUN,
    ) -> None:
        self.name = name
        self.size: int = size
        self.origin: int = 0
        self.in_parts: bool = True
        self._reach = reach
        self._limits = limits
        self._stamp = stamp
        self._longest = longest // BLOCK
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile(prefix="imagepeel-", buffering=0)  # noqa: SIM115 - closed by close()
        self._places: dict[int, int] = {}
        """Where in the temporary file each block is."""
        self._runs: list[_Open] = []
        """Those that are or were read, the one used last at the end."""
        self._closed = False  # there is something to close from here on

    def stamp(self) -> str | None:
        return self._stamp

    def begin(self, run: Run, end: int) -> None:
        """Take the answer that told the size: it has the bytes up to `end`."""
        with self._lock:
            self._runs.append(_Open(run, 0, self._blocks(end)))

    def pread(self, offset: int, count: int) -> bytes:
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        with self._lock:
            if self._closed:
                raise closed(self.name)
            first, behind = offset // BLOCK, (offset + count - 1) // BLOCK + 1
            parts = []
            for block in range(first, behind):
                if block not in self._places:
                    self._fetch(block, behind)
                parts.append(self._kept(block))
        start = offset - first * BLOCK
        return (parts[0] if len(parts) == 1 else b"".join(parts))[start : start + count]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for one in self._runs:
                self._drop(one)
            self._runs.clear()
            self._places.clear()
            self._file.close()

    def __del__(self) -> None:
        if not self._closed:
            self.close()

    # ---- inside -------------------------------------------------------------------------------------------

    def _blocks(self, end: int) -> int:
        """The number of blocks up to an end: the last one of the file may be short."""
        return -(-end // BLOCK) if end >= self.size else end // BLOCK

    def _length(self, block: int) -> int:
        return min(BLOCK, self.size - block * BLOCK)

    def _kept(self, block: int) -> bytes:
        return os.pread(self._file.fileno(), self._length(block), self._places[block])

    def _fetch(self, block: int, behind: int) -> None:
        """Fetch a block, of a read that goes up to `behind`."""
        near = [run for run in self._runs if run.at <= block < run.at + _NEAR]
        one = max(near, key=lambda run: run.blocks, default=None)
        if one is None:
            one = _Open(None, block, block)
            one.blocks = 0
        else:
            self._runs.remove(one)
        # What was used last stands last, and whoever was not used for longest goes.
        self._runs.append(one)
        while len(self._runs) > _OPEN_RUNS:
            self._drop(self._runs.pop(0))
        tries = 0
        while block not in self._places:
            try:
                if one.run is None or one.at >= one.end:
                    self._drop(one)
                    self._start(one, behind)
                self._take(one, block)
            except _Cut as cut:
                self._drop(one)
                one.end, tries = one.at, tries + 1
                if tries > 2:
                    raise cut.error from cut
            except BaseException:
                self._drop(one)
                one.end = one.at
                raise

    def _start(self, one: _Open, behind: int) -> None:
        """Ask for the blocks from where the run stands, more of them when it was asked before."""
        while one.at in self._places:
            one.at += 1
        one.blocks = min(max(one.blocks * _GROWTH, behind - one.at, 1), self._longest)
        end = min(self._blocks(self.size), one.at + one.blocks)
        # What is here already is not fetched again.
        one.end = next((block for block in range(one.at + 1, end) if block in self._places), end)
        one.run = self._reach(one.at * BLOCK, min(one.end * BLOCK, self.size))

    def _take(self, one: _Open, block: int) -> None:
        """Read a run up to and with a block, and to its end when that is near."""
        last = one.end if (one.end - one.at) * BLOCK <= _AT_ONCE else min(one.end, block + 1)
        while one.at < last:
            self._keep(one.at, self._whole(one))
            one.at += 1
        if one.at >= one.end:
            self._drop(one)

    def _whole(self, one: _Open) -> bytes:
        assert one.run is not None
        left = self._length(one.at)
        parts: list[bytes] = []
        while left:
            try:
                piece = one.run.read(left)
            except ImagepeelError as error:
                raise _Cut(error) from error
            if not piece:
                raise _Cut(changed(self.name))
            parts.append(piece)
            left -= len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _keep(self, block: int, data: bytes) -> None:
        if block in self._places:
            return
        place = len(self._places) * BLOCK
        if place + len(data) > self._limits.spool_bytes:
            raise LimitExceeded(
                f"more than {plural(self._limits.spool_bytes, 'byte')} of {self.name} are needed",
                hint="raise Limits.spool_bytes if you trust the archive",
            )
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._file.fileno(), data[written:], place + written)
        except OSError as error:
            raise LimitExceeded(
                f"cannot keep {self.name} in a temporary file: {error.strerror}",
                hint="set TMPDIR to a directory with enough space",
            ) from error
        self._places[block] = place

    @staticmethod
    def _drop(one: _Open) -> None:
        if one.run is not None:
            one.run.close()
            one.run = None


def changed(name: str) -> FetchFailed:
    """Return the error for a file that is another one now than when it was opened."""
    return FetchFailed(f"{name} changed while it was read", hint="try again, or copy it here first and open the copy")


class _Cut(Exception):
    """A run broke off with this error."""

    def __init__(self, error: ImagepeelError) -> None:
        super().__init__(str(error))
        self.error = error
