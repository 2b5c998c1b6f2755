"""Bounds on work, counted and not timed: a loaded machine does not change them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class TooMuchWork(AssertionError):
    """A call took more steps than its test allows."""


class _Stop(BaseException):
    """Ends the call; no code under test catches it."""


def steps(call: Callable[..., Any], *arguments: Any, limit: int) -> int:
    """The number of functions, Python's and C's, that `call(*arguments)` calls; raise TooMuchWork above `limit`.

    What one C function does inside, a regular expression that backtracks for example, counts as one step.
    An error that the call raises is its own affair and passes through.
    """
    done = 0

    def count(frame: FrameType, event: str, value: Any) -> None:
        nonlocal done
        if event in {"call", "c_call"}:
            done += 1
            if done > limit:
                sys.setprofile(None)
                raise _Stop

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        call(*arguments)
    except _Stop:
        raise TooMuchWork(f"more than {limit:,} steps") from None
    finally:
        sys.setprofile(before)
    return done
