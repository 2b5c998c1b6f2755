"""What is known at one moment of a shell, and how the process may end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.formats.shell.tree import Script
from imagepeel.process.shell.expand import MANY, UNKNOWN, Scope

_PLAIN = ("errexit", "ever_trapped", "cwd", "last", "background", "waited", "assumes", "status", "doubt", "failed")
"""Attributes of a state that a copy shares."""


class Tail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of a shell process.

    `kind`: "exec" (an explicit `exec` replaces the shell), "tail" (the shell replaces itself by the last command
    of `-c`), "child" (the shell stays and `argv` runs as its child), "ends" (no program of its own runs) or
    "unknown".  `argv` are the words as far as they are proved, unproved ones as source text, then `complete` is
    False.  `line` is the 1-based line, `why` one sentence, `assumes` what has to hold for it.  `env` are changes
    of the environment (None: unset), `cwd` the new directory ("" as before, None unknown).  `alternatives` are
    the possible ends of an "unknown".
    """

    kind: str
    argv: tuple[str, ...] = ()
    complete: bool = True
    source: str = ""
    line: int = 0
    why: str = ""
    assumes: tuple[str, ...] = ()
    env: dict[str, str | None] = {}
    cwd: str | None = ""
    trapped: tuple[str, ...] = ()
    alternatives: tuple[Tail, ...] = ()

    @property
    def replaces(self) -> bool:
        """The shell's process becomes the program."""
        return self.kind in ("exec", "tail")


class TooMuch(Exception):
    """The walk was cut off."""


class State:
    """One possible moment of the shell."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.functions: dict[str, Script] = {}
        self.exported: set[str] = set()
        self.errexit = False
        self.traps: set[str] = set()
        self.ever_trapped = False
        self.cwd: str | None = ""
        self.last: tuple[tuple[str, ...], bool, str, int] | None = None
        self.background: tuple[tuple[str, ...], bool, str, int] | None = None
        self.waited = False
        self.assumes: tuple[str, ...] = ()
        self.status: bool | None = True
        # The external command whose success is not known, and the one whose failure led here.
        self.doubt = ""
        self.failed = ""

    def copy(self) -> State:
        scope = Scope(dict(self.scope.variables), self.scope.args, self.scope.arg0, self.scope.uid)
        scope.wild, scope.noglob = self.scope.wild, self.scope.noglob
        scope.source, scope.calls = self.scope.source, self.scope.calls
        other = State(scope)
        other.functions = dict(self.functions)
        other.exported = set(self.exported)
        other.traps = set(self.traps)
        for name in (
            "errexit",
            "ever_trapped",
            "cwd",
            "last",
            "background",
            "waited",
            "assumes",
            "status",
            "doubt",
            "failed",
        ):
            setattr(other, name, getattr(self, name))
        return other

    def assume(self, what: str) -> None:
        if what not in self.assumes and len(self.assumes) < 20:
            self.assumes += (what,)

    def join(self, other: State) -> None:
        """Keep only what holds in both."""
        for name in {*self.scope.variables, *other.scope.variables}:
            if self.scope.get(name) != other.scope.get(name):
                self.scope.variables[name] = UNKNOWN
        if self.scope.args != other.scope.args:
            self.scope.args = None
        self.scope.wild |= other.scope.wild
        self.exported |= other.exported
        self.traps |= other.traps
        self.ever_trapped |= other.ever_trapped
        self.functions.update(other.functions)
        self.cwd = self.cwd if self.cwd == other.cwd else None
        self.last = other.last or self.last
        self.background = other.background or self.background
        self.assumes = tuple(dict.fromkeys((*self.assumes, *other.assumes)))[:20]
        self.status = self.status if self.status == other.status else None


Flow = Tail | str
Ends = list[tuple[State, Flow]]


def as_argv(fields: Sequence[object]) -> tuple[tuple[str, ...], bool]:
    """Words as text; what is not known stands as `?` (one word) or `...` (any number)."""
    complete = all(isinstance(field, str) for field in fields)
    return tuple(field if isinstance(field, str) else ("..." if field is MANY else "?") for field in fields), complete
