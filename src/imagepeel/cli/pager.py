"""What is longer than the terminal is handed to the pager of the person who reads it, as git and man do.

Nothing is started where the output goes to a file or pipe, or fits on the screen.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

KEPT = 1 << 20
"""Bytes of a first screen that are held back at most, however few lines they are."""


def pager_words() -> list[str]:
    """Return the command of the pager: of IMAGEPEEL_PAGER, else of PAGER, else less; none for "" and for cat."""
    named = os.environ.get("IMAGEPEEL_PAGER", os.environ.get("PAGER", "less"))
    try:
        words = shlex.split(named)
    except ValueError:
        return []  # a quote that is never closed
    return [] if words[:1] == ["cat"] else words


@contextmanager
def paged(wanted: Callable[[], bool]) -> Iterator[None]:
    """Send what is written to standard output within to a pager, as soon as it is more than one screen.

    `wanted` is asked once, when that is so.  Standard error is kept until the pager ends, which would cover it.
    """
    terminal, errors = sys.stdout, sys.stderr
    screen = _Screen(terminal, wanted)
    text = io.TextIOWrapper(io.BufferedWriter(screen), encoding=terminal.encoding, errors=terminal.errors)
    kept = _Kept(errors, screen)
    sys.stdout, sys.stderr = text, kept
    try:
        yield
    finally:
        try:
            # Where the reader has closed the pager, nobody is left to read the rest.
            with suppress(BrokenPipeError):
                text.flush()
            screen.end()
        finally:
            sys.stdout, sys.stderr = terminal, errors
            errors.write(kept.text.getvalue())


class _Screen(io.RawIOBase):
    """A terminal that keeps its first screen until more comes, and then hands all of it to a pager."""

    def __init__(self, terminal: TextIO, wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._terminal = terminal
        self._wanted = wanted
        self._kept: bytearray | None = bytearray()
        self._rows = 0
        self.pager: subprocess.Popen[bytes] | None = None
        try:
            size = os.get_terminal_size(terminal.fileno())
        except OSError:
            size = os.terminal_size((0, 0))
        self._columns, self._lines = size.columns or 80, size.lines or 24

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        """Return that of the terminal: whoever asks wants to know its size."""
        return self._terminal.fileno()

    def write(self, data: ReadableBuffer, /) -> int:
        taken = bytes(data)
        if self._kept is None:
            self._pass_on(taken)
            return len(taken)
        self._kept += taken
        self._rows += sum(1 + len(line) // self._columns for line in taken.split(b"\n")) - 1
        # The prompt of the shell takes a row, too.
        if self._rows >= self._lines or len(self._kept) > KEPT:
            if self._wanted():
                self._start()
            self._release()
        return len(taken)

    def end(self) -> None:
        """Write what is still kept, and wait until the reader leaves the pager."""
        self._release()
        if self.pager is None:
            return
        # The pager takes Ctrl-C itself; without it the terminal would be left as the pager has set it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            assert self.pager.stdin is not None
            with suppress(BrokenPipeError):
                self.pager.stdin.close()
            self.pager.wait()
        finally:
            signal.signal(signal.SIGINT, before)

    def _start(self) -> None:
        words = pager_words()
        # As git has them: leave where it is short after all, show colours, keep the text on the screen.
        given = {"LESS": "FRX", "LV": "-c"} | os.environ
        if words:
            with suppress(OSError):  # no such pager: the text is shown without one
                self.pager = subprocess.Popen(words, stdin=subprocess.PIPE, env=given)

    def _release(self) -> None:
        if self._kept is not None:
            kept, self._kept = bytes(self._kept), None
            self._pass_on(kept)

    def _pass_on(self, data: bytes) -> None:
        if self.pager is None:
            self._terminal.buffer.write(data)
            self._terminal.flush()
        else:
            assert self.pager.stdin is not None
            self.pager.stdin.write(data)
            self.pager.stdin.flush()


class _Kept(io.TextIOBase):
    """Standard error, which is kept as `text` while the pager has the screen."""

    _errors: TextIO = io.StringIO()
    """Set here too: an interrupt before `__init__` has set it leaves an object that Python closes, which flushes it."""

    def __init__(self, errors: TextIO, screen: _Screen) -> None:
        super().__init__()
        self._errors = errors
        self._screen = screen
        self.text = io.StringIO()

    def write(self, text: str, /) -> int:
        return (self._errors if self._screen.pager is None else self.text).write(text)

    def flush(self) -> None:
        self._errors.flush()

    def isatty(self) -> bool:
        return self._errors.isatty()

    def fileno(self) -> int:
        return self._errors.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._errors.encoding
