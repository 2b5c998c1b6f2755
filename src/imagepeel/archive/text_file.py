"""A small file of text that people name beside their archives: a deployment."""

from __future__ import annotations

import sys

from imagepeel.errors import PathNotFound, UsageError
from imagepeel.evidence import Location


def read_text(file: str, most: int) -> bytes:
    """Return the bytes of a file or, for `-`, of standard input: at most one more than `most`.

    PathNotFound, UsageError for a directory and for a standard input that is closed.
    """
    if file == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed", hint="name a file")
        return sys.stdin.buffer.read(most + 1)
    try:
        with open(file, "rb") as source:
            return source.read(most + 1)
    except FileNotFoundError:
        raise PathNotFound(f"there is no file {file}", Location(path=file), "look at its name and folder") from None
    except IsADirectoryError:
        raise UsageError(f"{file} is a directory", hint="name a file in it") from None
