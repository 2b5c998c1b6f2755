"""Progress on standard error: bytes, bytes a second and the time left, only on a terminal and after a second.

Where other things than bytes are counted: how many, and the time left.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar

from imagepeel.render.escape import terminal

DELAY = 1.0
"""Seconds before anything is shown: most archives are done by then."""


class Progress:
    """Counts bytes from any thread; `add` is what the library calls.  Shows nothing when stderr is no terminal."""

    listener: ClassVar[Callable[[int, int | None], object] | None] = None
    """Called with bytes so far and all of them (None: not known) by who has another screen than a terminal."""

    def __init__(self, title: str, *, colour: bool = True, delay: float = DELAY, count: bool = False) -> None:
        self._title = terminal(title)
        self._colour = colour
        self._count = count
        self._lock = threading.Lock()
        self._done = 0
        self._total: int | None = None
        self._due = time.monotonic() + delay
        self._bar: Any = None
        self._task: Any = None
        self._over = not sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def add(self, count: int) -> None:
        """Count `count` more bytes."""
        if Progress.listener is not None:
            self._done += count
            Progress.listener(self._done, self._total)
        if self._over:
            return
        with self._lock:
            self._done += count
            if self._bar is None:
                if time.monotonic() < self._due:
                    return
                self._start()
            if self._bar is not None:
                self._bar.update(self._task, completed=self._done)

    def expect(self, total: int) -> None:
        """Start a new count towards `total` bytes: the time left is known from here on."""
        with self._lock:
            self._done, self._total = 0, total
            if self._bar is not None:
                self._bar.reset(self._task, total=total)

    def stop(self) -> None:
        """Take the line away; later counts show nothing."""
        with self._lock:
            self._over = True
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _start(self) -> None:
        if self._over:
            return
        from rich.console import Console  # start time
        from rich.progress import (  # start time
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar  # start time

        console = Console(file=sys.stderr, no_color=not self._colour, markup=False, emoji=False, highlight=False)
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *((MofNCompleteColumn(),) if self._count else (DownloadColumn(), TransferSpeedColumn())),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(self._title, total=self._total, completed=self._done)
        self._bar.start()
