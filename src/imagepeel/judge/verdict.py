"""What comes out: one line a case, and whether all hold."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown

JudgedKind = Literal["layers", "starts"]
Held = Literal["holds", "differs", "refuses", "takes", "too slow"]
"""As recorded, another result, refused though it is taken, taken though it is refused, out of time."""


class JudgedCase(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One case.  `like` names the tools that were recorded with the same result, by version."""

    name: str
    held: Held
    like: tuple[str, ...]
    resurrects: tuple[str, ...] = ()
    """Paths that are there and should not be."""
    loses: tuple[str, ...] = ()
    """Paths that should be there and are not."""
    changes: tuple[str, ...] = ()
    """What is there and something else, as `what: expected, not found`."""
    said: str = ""
    """The last line of the command, where it refused or was too slow."""
    rule: str
    """What the specification or the kernel says, in a sentence."""
    source: str
    """Where that is written."""


class JudgeResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel judge`: the command as it was given, and its cases in order."""

    of: JudgedKind
    command: tuple[str, ...]
    cases: tuple[JudgedCase, ...]

    @property
    def held(self) -> int:
        """How many cases hold."""
        return sum(case.held == "holds" for case in self.cases)
