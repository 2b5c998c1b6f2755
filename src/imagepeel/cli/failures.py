"""Where errors end: three lines on standard error and an exit code, never a traceback unless it was asked for.

error: one line that says what is wrong
where: the file, and the place in it
try:   one line that says what to do
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import click

from imagepeel.cli.settings import Settings
from imagepeel.errors import COMPLETE, INTERNAL, INTERRUPTED, TERMINATED, USAGE, ImagepeelError, UsageError


class _Terminated(BaseException):
    """SIGTERM came; no code but `guarded` catches it."""


class _Signals:
    """SIGINT and SIGTERM while a command runs: each raises where it comes, and is remembered.

    What it raised does not always arrive: the compiler of Python, for one, makes a SyntaxError of an interrupt that
    comes while it loads a module.  So the first that came says how the command ended, whatever was raised in the end.
    """

    def __init__(self) -> None:
        import signal  # start time

        self.ending: tuple[int, str] | None = None
        self._module = signal
        self._before: dict[signal.Signals, Any] = {
            signal.SIGINT: signal.default_int_handler,
            signal.SIGTERM: signal.SIG_DFL,
        }
        self._ours: list[signal.Signals] = []

    def __enter__(self) -> _Signals:
        """Another handler stays, and an ignored signal stays ignored."""
        if threading.current_thread() is threading.main_thread():
            self._ours = [one for one, usual in self._before.items() if self._module.getsignal(one) == usual]
            for one in self._ours:
                self._module.signal(one, self._raise)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._ours:
            self._module.signal(one, self._before[one])

    def _raise(self, number: int, _: object) -> None:
        if number == self._module.SIGTERM:
            self._module.signal(number, self._module.SIG_IGN)  # what is cleaned up is cleaned up whole
            self.ending = self.ending or (TERMINATED, "terminated\n")
            raise _Terminated
        self.ending = self.ending or (INTERRUPTED, "interrupted\n")
        raise KeyboardInterrupt


def guarded(run: Callable[[], int], settings: Settings, words: Sequence[str] = ()) -> int:
    """Call `run` and return the exit code of the program; whatever it raises becomes three lines on stderr.

    `words` are those of the command line, of which some are habits from other tools.

    A reader that closes the pipe early ends the program quietly with 0: it got what it wanted.  SIGTERM unwinds the
    program as Ctrl-C does, so that nothing half-written is left behind.
    """
    _open_streams()
    _tolerant(sys.stdout)
    _tolerant(sys.stderr)
    signals = _Signals()
    try:
        with signals:
            code = run()
            sys.stdout.flush()
            sys.stderr.flush()
    except BaseException as error:
        if signals.ending is None:
            return _ended_by(error, settings, words)
    if signals.ending is None:
        return code
    code, said = signals.ending
    _drain()
    _write(said)
    return code


def _ended_by(error: BaseException, settings: Settings, words: Sequence[str]) -> int:
    """Say what ended the command, and return its exit code."""
    match error:
        case ImagepeelError():
            begin(settings)
            about = error.about if isinstance(error, UsageError) else ""
            where = about or place(settings.archive, str(error.where or ""))
            say(settings, error.what, where, error.hint or error.remedy)
            settings.note_others()
            return error.exit_code
        case click.UsageError():
            path = error.ctx.command_path if error.ctx is not None else "imagepeel"
            from imagepeel.cli.habits import way  # start time

            say(settings, error.format_message(), path, way(words) or f"{path} --help")
            return USAGE
        case click.ClickException():
            say(settings, error.format_message(), "the command line", "imagepeel --help")
            return USAGE
        case KeyboardInterrupt() | click.Abort():
            _drain()
            _write("interrupted\n")
            return INTERRUPTED
        case OSError(errno=errno.EPIPE):
            _hush()
            return COMPLETE
        case OSError():
            begin(settings)
            say(settings, *refusal(error))
            _hush()
            return INTERNAL
        case Exception():
            begin(settings)
            say(settings, *fault(error))
            return INTERNAL
    raise error


def refusal(error: OSError) -> tuple[str, str, str]:
    """Return what this machine refused, where, and what to do."""
    return (
        f"this machine refused: {error.strerror or error}",
        os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "input or output",
        "check the path, its permissions and the free space, then run it again",
    )


def fault(error: Exception) -> tuple[str, str, str]:
    """Return what imagepeel itself failed with, where, and what to do."""
    return (
        f"internal error: {type(error).__name__}: {error}",
        "imagepeel itself, not your image",
        "please report this with the output of the same command and --debug",
    )


def place(archive: str, where: str) -> str:
    """The archive that an error is about, and the place in it."""
    from imagepeel.sources.words import spoken  # start time

    shown = "standard input" if archive == "-" else spoken(archive)
    return ", ".join(part for part in (shown, where) if part) or "the command line"


def say(settings: Settings, what: str, where: str, hint: str) -> None:
    """Write one error to stderr in three lines, each escaped."""
    from imagepeel.render.escape import terminal  # start time
    from imagepeel.text import brief_paths  # start time

    label = "\x1b[1;31merror:\x1b[0m" if settings.colour(sys.stderr) else "error:"
    lines = [(label, brief_paths(what)), ("where:", brief_paths(where)), ("try:  ", hint)]
    _write("".join(f"{label} {terminal(value)}\n" for label, value in lines if value))


def begin(settings: Settings) -> None:
    """Write out the result so far and, with --debug, the traceback of the error that is handled."""
    _drain()
    if settings.debug:
        import traceback  # start time

        from imagepeel.render.escape import terminal  # start time

        # A traceback quotes names of the image: each line is escaped like any other text of it.
        for line in traceback.format_exc().splitlines():
            _write(terminal(line) + "\n")


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass


def _open_streams() -> None:
    """Give a program that was started without stdout or stderr (`>&-`) somewhere to write to.

    It also keeps their descriptors from being taken by the archive, where a write would destroy it.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _tolerant(stream: object) -> None:
    """Let a stream of a small encoding print an escape for what it cannot show, instead of failing."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _drain() -> None:
    """Write out what a command had printed before it failed, so that stdout comes before stderr."""
    try:
        sys.stdout.flush()
    except OSError:
        _hush()


def _hush() -> None:
    """Point our own stdout at nothing, so that the interpreter's last flush cannot fail again."""
    ours = sys.__stdout__
    if ours is None or sys.stdout is not ours:
        return
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, ours.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
