"""A command that is judged: words with places to fill in, run in an empty folder, bounded in time and output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

import msgspec

from imagepeel.errors import UsageError

SECONDS = 20
"""Wall-clock seconds that one case may take."""
MOST = 1 << 16
"""Bytes of output that are looked at."""


class Ran(msgspec.Struct, frozen=True):
    """What a command did: its exit code (minus the signal that ended it), None where the time was over; its output."""

    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line that it wrote, of standard error first."""
        lines = [line for line in (self.stderr.strip() or self.stdout.strip()).splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


def known_command(words: Sequence[str], places: Sequence[str], needed: Sequence[str]) -> tuple[str, ...]:
    """Check the words of a command; it runs in another folder, so names of files here become absolute.

    UsageError where there are none, where one of `needed` is not among them, or for a place that nobody fills in.
    """
    if not words:
        raise UsageError("there is no command to judge", hint="put it behind --, with " + ", ".join(places))
    used = {name for word in words for name in re.findall(r"\{([a-z]+)\}", word)}
    for name in sorted(used - {place.strip("{}") for place in places}):
        raise UsageError(f"nobody fills in {{{name}}}", hint="known: " + ", ".join(places))
    for place in needed:
        if place.strip("{}") not in used:
            raise UsageError(f"the command has no {place}", hint="known: " + ", ".join(places))
    first, *rest = words
    return (os.path.abspath(first) if "/" in first else first, *map(_absolute, rest))


def _absolute(word: str) -> str:
    return os.path.abspath(word) if os.path.isfile(word) else word


def run(words: Sequence[str], places: Mapping[str, str], folder: str, seconds: float = SECONDS) -> Ran:
    """Run a command in `folder` with its places filled in; it and its children end when the time is over.

    UsageError where the program is not there or cannot be executed.
    """
    filled = [re.sub(r"\{([a-z]+)\}", lambda found: places.get(found[1], found[0]), word) for word in words]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                filled, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            raise UsageError(f"{filled[0]} cannot be run: {error.strerror}", hint="name a program") from None
        code: int | None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also what it left behind: the next case must find nothing of this one.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(MOST).decode("utf-8", "replace"))
    return Ran(code, texts[0], texts[1])
