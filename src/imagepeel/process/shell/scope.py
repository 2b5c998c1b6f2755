"""What a shell knows of its variables, arguments and arrays, and the marks of what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from imagepeel.process.shell.interpreters import Shell
from imagepeel.tables import ErrnoName


class WalkLimitExceeded(Exception):
    """The script has more steps, ways, nested calls, words or text than a walk follows."""


class Unknown:
    """Marks a value that only the running shell knows."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
"""One word whose value is not known."""

UNKNOWN_WORDS = Unknown()
"""Any number of words, also none."""

Value = str | None | Unknown
"""A variable: its text, None when unset, UNKNOWN."""

Field = str | Unknown
"""A word after expansion: its text, UNKNOWN, or UNKNOWN_WORDS."""

_UNTOLD = frozenset(
    ("RANDOM", "SECONDS", "LINENO", "PPID", "BASHPID", "EPOCHSECONDS", "SRANDOM", "HOSTNAME", "PWD", "OLDPWD", "_")
)
BASH_UNTOLD = (
    "BASH", "BASH_VERSION", "BASH_VERSINFO", "BASH_SUBSHELL", "BASH_LINENO", "BASH_COMMAND", "BASHOPTS", "SHELLOPTS",
    "DIRSTACK", "GROUPS", "HOSTTYPE", "MACHTYPE", "OSTYPE", "PIPESTATUS", "SHLVL", "SHELL", "TERM", "EPOCHREALTIME",
    "HISTCMD", "BASH_SOURCE", "FUNCNAME",
)  # fmt: skip
"""Variables that bash sets itself, with values that a text cannot tell."""

FRAMES = ("BASH_SOURCE", "FUNCNAME")
"""Arrays of bash with one element a running function and one for the script."""

_MAX_WORK = 8_000_000

Hidden = tuple[bool, Value, tuple[str, ...] | Unknown | None, bool]
"""What a local variable hides: whether there is an entry, its value, its array, and whether it is exported."""


class Budget:
    """The work that the expansions of one walk may still cost: characters and words made, or looked at by a pattern.

    A script of some hundred bytes can double its words, or the length of a variable, in each line.
    """

    def __init__(self) -> None:
        self._left = _MAX_WORK

    def spend(self, work: int) -> None:
        """Count this work; raise WalkLimitExceeded once the whole is used up."""
        self._left -= work
        if self._left < 0:
            raise WalkLimitExceeded("the words of the script grow beyond what is followed")


class Scope:
    """What a shell knows while it expands words.

    `variables` maps names to values; `args` are `$1`..., None when unknown; `arg0` is `$0`; `blank` says what a
    name without entry is (unset, or unknown after a sourced file); `uid` the user if known.  `source` is the path of
    the script that bash reads ("" for none or another shell), `calls` the functions that run, innermost first.
    `which`, `names`, `text`, `test`, `locate` and `family` (of a tool) ask the image, `substitute` gives the output of
    a command substitution and leaves its exit code in `substituted`, None where that is not known; `result` gives the
    exit code and the words of a command inside, `cannot_read` those of a file that cannot be opened, `cannot_enter` of
    a directory, `broken` of a word that cannot be expanded, and `tell` takes what is written to standard error;
    `arrays` are bash's.  `budget` is shared by all copies.
    """

    def __init__(self, variables: dict[str, Value], args: tuple[str, ...] | None, arg0: str, uid: int | None) -> None:
        self.variables = variables
        self.args = args
        self.arg0 = arg0
        self.uid = uid
        self.budget: Budget = Budget()
        self.wild = False
        self.noglob = False
        self.nullglob = False
        self.source = ""
        self.calls: tuple[str, ...] = ()
        self.shell: Shell | Literal[""] = ""
        self.nounset = False
        self.errexit = False
        # What files that are made do not get of their mode; None where that is not known.
        self.umask: int | None = 0o022
        self.names: Callable[[str], list[str] | None] | None = None
        self.which: Callable[[str, str], str | None] | None = None
        self.text: Callable[[str], tuple[str, ErrnoName] | None] | None = None
        self.test: Callable[[str, str], bool | None] | None = None
        self.family: Callable[[str], str | None] | None = None
        self.locate: Callable[[str], tuple[str, str, bool] | None] | None = None
        self.result: Callable[[tuple[str, ...]], tuple[int, str] | None] | None = None
        self.cannot_enter: Callable[[str], tuple[int, str] | None] | None = None
        self.cannot_read: Callable[[str, ErrnoName], tuple[int, str]] | None = None
        self.broken: Callable[[str], tuple[int, str]] | None = None
        self.tell: Callable[[str], None] | None = None
        self.substitute: Callable[[str, Scope], Value] | None = None
        self.substituted: int | None = None
        self.arrays: dict[str, tuple[str, ...] | Unknown] = {}
        # What the local variables of each running function hide, innermost first.
        self.hidden: tuple[dict[str, Hidden], ...] = ()

    def names_from(self, prefix: str) -> tuple[str, ...] | None:
        """The variables that are set and begin so; None where they are not known."""
        fit = [name for name in self.variables if name.startswith(prefix)]
        if self.wild or any(isinstance(self.variables[name], Unknown) for name in fit):
            return None
        return tuple(sorted({name for name in fit if self.variables[name] is not None}))

    def hide(self, name: str, *, exported: bool) -> None:
        """Make a variable local to the innermost function."""
        if name not in self.hidden[0]:
            known = name in self.variables
            self.hidden[0][name] = (known, self.variables.get(name), self.arrays.get(name), exported)

    def get(self, name: str) -> Value:
        """The value of a variable or of a positional or special parameter other than `@` and `*`."""
        if name.isascii() and name.isdigit():
            number = int(name) if len(name) < 6 else 99_999
            if number == 0:
                return self.arg0
            if self.args is None:
                return UNKNOWN
            return self.args[number - 1] if number <= len(self.args) else None
        if name == "#":
            return UNKNOWN if self.args is None else str(len(self.args))
        if name in ("?", "$", "!", "-"):
            return UNKNOWN
        if self.source and name in FRAMES:
            return next(iter(self.frames(name)), None)
        if name in self.arrays:
            array = self.arrays[name]
            return UNKNOWN if isinstance(array, Unknown) else array[0] if array else None
        if name in self.variables:
            return self.variables[name]
        if name in _UNTOLD or self.wild:
            return UNKNOWN
        if name in ("UID", "EUID"):
            return UNKNOWN
        return None

    def elements(self, name: str) -> tuple[str, ...] | None:
        """The elements of an array of bash, or the one of a plain variable; None where they are not known."""
        if name in self.arrays:
            found = self.arrays[name]
            return None if isinstance(found, Unknown) else found
        value = self.get(name)
        return None if isinstance(value, Unknown) else () if value is None else (value,)

    def frames(self, name: str) -> tuple[str, ...]:
        """bash's array BASH_SOURCE or FUNCNAME: one element a running function and one for the script below them."""
        if name == "BASH_SOURCE":
            return (self.source,) * (len(self.calls) + 1)
        return (*self.calls, "main") if self.calls else ()
