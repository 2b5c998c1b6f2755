"""The `imagepeel` command, and `python -m imagepeel`.

Until `main` runs, an interrupt is Python's own affair: what this module imports at its top is kept to nothing.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

    from imagepeel.cli import LazyGroup

MOST_NEW_OBJECTS = 100_000
"""Objects made before Python looks among them for unused cycles; it looks every 700 by default."""

PLAIN_FRAMES = frozenset({"main", "<module>", "_run_code", "_run_module_as_main"})
"""Names of the functions that run while `main` ends, where the command or `python -m` alone has called it."""
PROGRAMS = frozenset({"imagepeel", "__main__.py"})
"""Files that are this command and nothing else: what `pip` installs, and this one."""


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code.

    A command makes tens of thousands of objects when it loads, and they live until it ends: to look among them for
    cycles, again and again and once more at the end, would be a tenth of what a small image costs.  To take them apart
    at the end, one by one, would be a twentieth.
    """
    try:
        try:
            sys.unraisablehook = _raise_again
            gc.set_threshold(MOST_NEW_OBJECTS)
            _load_command_line().main()
        finally:
            gc.freeze()
            _end_by_interrupts()
    except KeyboardInterrupt:
        # Before the command line is loaded, or behind it: what it did until then is whole.
        from imagepeel.errors import INTERRUPTED  # start time

        sys.stderr.write("interrupted\n")
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as leave:
        if isinstance(leave.code, int) and _is_alone() and _flushed():
            os._exit(leave.code)
        raise


def _load_command_line() -> LazyGroup:
    """Load it; an interrupt meanwhile is a KeyboardInterrupt.

    Python makes another error of one that comes while it makes a module: a RuntimeError in a class (before 3.12), a
    SyntaxError in the compiler.
    """
    import signal  # start time

    came = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    ours = _let_interrupts(interrupt)
    try:
        from imagepeel.cli import cli  # start time

        return cli
    except Exception:
        if came:
            raise KeyboardInterrupt from None
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _let_interrupts(do: Any) -> bool:
    """Give interrupts a handler where they have Python's own; say whether that was so, and could be."""
    import signal  # start time

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    try:
        signal.signal(signal.SIGINT, do)
    except ValueError:  # not the main thread, which no signal reaches
        return False
    return True


def _raise_again(lost: Any) -> None:
    """Raise what a signal raised, where the program goes on: Python lets no callback or finalizer of its own raise."""
    error = lost.exc_value
    if error is None or isinstance(error, Exception):
        sys.__unraisablehook__(lost)
        return
    kind = type(error)

    def step(frame: FrameType, event: str, value: Any) -> None:
        # Not in place of a call: it may be that of a lock's end, which would never come.
        if event != "c_call" and frame.f_code is not _raise_again.__code__:
            sys.setprofile(None)
            raise kind

    sys.setprofile(step)


def _end_by_interrupts() -> None:
    """Let an interrupt end the process at once: all is written, and Python on its way out would show a traceback."""
    import signal  # start time

    _let_interrupts(signal.SIG_DFL)


def _is_alone() -> bool:
    """Whether nobody but the command lives in this process: no caller, thread, callback or watcher of its end."""
    import atexit  # start time

    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way without loading inspect
    while frame is not None and frame.f_code.co_name in PLAIN_FRAMES:
        frame = frame.f_back
    callbacks = getattr(atexit, "_ncallbacks", None)  # CPython has it; where it is absent nobody knows
    threading = sys.modules.get("threading")
    program = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    return (
        frame is None
        and os.path.basename(program) in PROGRAMS
        and callbacks is not None
        and not callbacks()
        and (threading is None or threading.active_count() == 1)
        and not (sys.flags.inspect or sys.warnoptions)
    )


def _flushed() -> bool:
    """Whether all that was said is written; what cannot be written is Python's affair, which says so."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        return False
    return True


if __name__ == "__main__":
    main()
