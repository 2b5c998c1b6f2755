"""Single keys of a keyboard, by the standard library: as they are pressed where there is termios, else line by line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TextIO

from imagepeel._lazy import late

WAIT = 0.5
"""Seconds after which somebody who waits for a key looks whether the terminal has another size."""


class Key(StrEnum):
    """What a person asks for."""

    ON = "on"
    BACK = "back"
    RECEIPT = "receipt"
    QUIT = "quit"
    NONE = "none"
    """Nothing within `WAIT`, or a key without a meaning."""


_KEYS = {
    **dict.fromkeys(("\r", "\n", " ", "n", "j", "\x1b[C", "\x1b[B", "\x1b[6~", "\x1bOC", "\x1bOB"), Key.ON),
    **dict.fromkeys(("b", "p", "k", "\x7f", "\x08", "\x1b[D", "\x1b[A", "\x1b[5~", "\x1bOD", "\x1bOA"), Key.BACK),
    "r": Key.RECEIPT,
    **dict.fromkeys(("q", "\x03", "\x04"), Key.QUIT),
}
_ONE = late(r"\x1b[\[O][0-9;]*[~A-Za-z]|.", re.DOTALL)


@contextmanager
def pressed(stream: TextIO) -> Iterator[Callable[[], Key]]:
    """Give a function that returns the next key of a terminal, which is put back as it was at the end."""
    try:
        import termios  # start time
        import tty  # start time
    except ImportError:
        yield lambda: _of_line(stream.readline())
        return
    file = stream.fileno()
    before = termios.tcgetattr(file)
    typed: list[str] = []

    def key() -> Key:
        from select import select  # start time

        if not typed:
            if not select([file], [], [], WAIT)[0]:
                return Key.NONE
            data = os.read(file, 1024)
            if not data:
                return Key.QUIT
            typed.extend(_ONE.findall(data.decode("utf-8", "replace")))
        return _KEYS.get(typed.pop(0), Key.NONE)

    try:
        tty.setcbreak(file)
        now = termios.tcgetattr(file)
        # A stopped program would leave its screen to the shell.
        now[6][termios.VSUSP] = b"\x00"
        termios.tcsetattr(file, termios.TCSADRAIN, now)
        yield key
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _of_line(line: str) -> Key:
    """An empty line is Enter, the end of the input is q."""
    return _KEYS.get(line.strip().lower()[:1] or "\n", Key.NONE) if line else Key.QUIT
