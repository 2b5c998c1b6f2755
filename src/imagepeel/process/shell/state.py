"""What is known at one moment of a shell, and how the process may end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from imagepeel.formats.shell.tree import Script
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.interpreters import StartError
from imagepeel.process.shell.made import Made, made_program
from imagepeel.process.shell.scope import UNKNOWN, UNKNOWN_WORDS, Scope, Unknown
from imagepeel.process.shell.script_outcome import Hang, ScriptOutcome
from imagepeel.tables import ErrnoName
from imagepeel.text import without_middle

_SHARED = (
    *(
        "errexit",
        "pipefail",
        "ever_trapped",
        "cwd",
        "last",
        "background",
        "waited",
        "assumes",
        "status",
        "code",
        "doubt",
        "failed",
    ),
    *("errno", "said", "changed", "execfail", "needs", "constants", "at_exit", "stranger", "hangs", "split", "unsure"),
    *("gave_up", "muted", "trusts", "made", "exact", "input", "reads", "pipefail", "option", "tampered"),
)
"""Attributes whose values a copy of a state shares; the others are copied."""

MUTED = 2
"""Standard error of the shell goes elsewhere for good: `exec 2>FILE`."""


def succeeds(source: str) -> str:
    """The assumption that a command succeeds."""
    return f"`{without_middle(' '.join(source.split()), 80)}` succeeds"


class StartedCommand(msgspec.Struct, frozen=True):
    """A program that the shell started."""

    argv: tuple[str, ...]
    complete: bool
    source: str
    line: int


class State:
    """One possible moment of the shell."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        scope.tell = self.say
        self._image: ShellImage | None = None
        self.functions: dict[str, Script] = {}
        self.exported: set[str] = set()
        self.errexit = False
        self.pipefail: bool = False
        self.traps: set[str] = set()
        self.ever_trapped: bool = False
        self.cwd: str | None = ""
        self.last: StartedCommand | None = None
        self.background: StartedCommand | None = None
        self.waited = False
        self.assumes: tuple[str, ...] = ()
        self.said: tuple[str, ...] = ()
        self.needs: tuple[str, ...] = ()
        self.status = True
        # What programs may have made since: 0 nothing, 1 directories and data, 2 programs too.
        self.changed: int = 0
        # What the script itself made of it, and whether that is all.
        self.made: Made = {}
        self.exact: bool = True
        # Whether something other than an ordinary program may have made more than that.
        self.tampered: bool = False
        self.execfail = False
        # Names that `readonly` closed, and what a trap runs when the shell ends.
        self.constants: frozenset[str] = frozenset()
        self.at_exit: str = ""
        # The external command whose success is not known, and the one whose failure led here.
        self.doubt = ""
        self.failed = ""
        # Whether that command is a program that nothing is known of; those that decided here, and that have to succeed.
        self.stranger: bool = False
        self.split: tuple[Hang, ...] = ()
        self.hangs: tuple[Hang, ...] = ()
        # The condition that led here, where nothing in the image tells how it is: no program decided it.
        self.unsure: Hang | None = None
        # Ordinary programs that were taken to succeed: where one does not, the shell ends.
        self.trusts: tuple[str, ...] = ()
        # The tool that provably failed, and whether standard error goes elsewhere: 1 for one command, 2 for good.
        self.gave_up: StartedCommand | None = None
        self.muted: int = 0
        # What is left of standard input: its text, UNKNOWN for a line or more of it, None where nothing is known.
        # And whether the script, or a program that it started, may have read from the one that it was given.
        self.input: str | Unknown | None = None
        self.reads: bool = False
        # Where getopts is: the number of the word that it reads, from 1, and the letter in it.
        self.option: tuple[int, int] = (1, 1)

    @property
    def status(self) -> bool | None:
        """Whether the last command succeeded; None when that is not known."""
        return self._status

    @status.setter
    def status(self, value: bool | None) -> None:
        self._status = value
        self.code: int | None = None if value is None else int(not value)
        self.errno: StartError = ""

    @property
    def doubt(self) -> str:
        """The command whose success is not known, as the script has it; "" when the last one's is."""
        return self._doubt

    @doubt.setter
    def doubt(self, value: str) -> None:
        self._doubt: str = value
        self.stranger = False

    def fail(self, code: int, *said: str, errno: StartError = "") -> None:
        """The last command failed with this exit code, and the shell said so; `errno` if it could not be started."""
        self.status = False
        self.code = code
        self.errno = errno
        self.say(*said)

    def say(self, *said: str) -> None:
        """The shell or its `echo` wrote this to standard error."""
        if len(self.said) < 40 and not self.muted:
            self.said += said

    def copy(self) -> State:
        scope = Scope(dict(self.scope.variables), self.scope.args, self.scope.arg0, self.scope.uid)
        scope.budget = self.scope.budget
        # What is copied is work too: an environment of a million names would cost it at each way.
        scope.budget.spend(len(scope.variables) // 8)
        scope.wild, scope.noglob = self.scope.wild, self.scope.noglob
        scope.source, scope.calls = self.scope.source, self.scope.calls
        scope.shell, scope.nounset, scope.errexit = self.scope.shell, self.scope.nounset, self.scope.errexit
        scope.umask, scope.nullglob = self.scope.umask, self.scope.nullglob
        scope.which, scope.substitute = self.scope.which, self.scope.substitute
        scope.arrays = dict(self.scope.arrays)
        scope.hidden = tuple(dict(frame) for frame in self.scope.hidden)
        other = State(scope)
        other.functions = dict(self.functions)
        other.exported = set(self.exported)
        other.traps = set(self.traps)
        for name in _SHARED:
            setattr(other, name, getattr(self, name))
        if self._image is not None:
            other.ask(self._image)
        return other

    def ask(self, image: ShellImage) -> None:
        """Let expansions read the image, from the directory of this moment and as long as nothing has changed it."""
        self._image = image

        def names(directory: str) -> list[str] | None:
            found = self.image
            if self.cwd is None or found is None or (not self.exact and self.tampered):
                return None
            listed = found.names(directory, self.cwd)
            if not self.exact and listed is not None:
                self.assume(f"no program before puts a file into {directory or '.'}")
            return listed

        def read(path: str) -> tuple[str, ErrnoName] | None:
            found = self.image
            return None if self.cwd is None or not self.exact or found is None else found.read(path, self.cwd)

        def locate(path: str) -> tuple[str, str, bool] | None:
            found = self.image
            return None if self.cwd is None or not self.exact or found is None else found.locate(path, self.cwd)

        self.scope.names, self.scope.text, self.scope.locate = names, read, locate
        self.scope.test, self.scope.family = self.file_test, self.family

    @property
    def image(self) -> ShellImage | None:
        """The image with what the script has made in front of it."""
        mask = 0o022 if self.scope.umask is None else self.scope.umask
        if self._image is None or (not self.made and mask == self._image.umask):
            return self._image
        return self._image.over(self.made, self.exact, mask)

    def file_test(self, operator: str, path: str) -> bool | None:
        """`test -OPERATOR PATH`; what is not there may be made by now, where not all is known that was."""
        image = self.image
        answer = None if image is None or self.cwd is None else image.test(operator, path, self.cwd)
        return answer if answer or self.exact else None

    def family(self, name: str) -> str | None:
        """Whose tool a command is; None where that is not known."""
        image, path = self.image, self.scope.get("PATH")
        return None if image is None or not isinstance(path, str) else image.family(name, path)

    def makes(self, made: Made | None, changed: int, *, ordinary: bool = False) -> None:
        """A command made something; None where it is not known what."""
        self.changed = max(self.changed, changed)
        if made is None:
            self.exact = False
            self.tampered = self.tampered or not ordinary
        else:
            self.made = {**self.made, **made}

    def takes(self, ends: Sequence[State]) -> None:
        """A child of the shell made what these of its ways say."""
        for end in ends:
            self.makes(end.made if end.exact else None, end.changed, ordinary=not end.tampered)
        if len(ends) > 1 and any(end.made for end in ends):
            self.makes(None, 0)

    def starts(self, name: str) -> None:
        """A program comes next: if it may be a file that was made here, nothing is known of it."""
        if made_program(self.made, name):
            self.changed = 2

    def leave(self) -> None:
        """The innermost function ends, and with it what its local variables hid comes back."""
        for name, (known, value, array, exported) in self.scope.hidden[0].items():
            self.scope.variables.pop(name, None)
            self.scope.arrays.pop(name, None)
            if known:
                self.scope.variables[name] = value
            if array is not None:
                self.scope.arrays[name] = array
            (self.exported.add if exported else self.exported.discard)(name)
        self.scope.hidden = self.scope.hidden[1:]

    def goes_on(self, line: int) -> None:
        """`set -e` lets the script go on behind a command whose status is not known: note what that takes."""
        if self.stranger:
            self.takes_for_granted(self.doubt, line)
        elif self.doubt:
            self.trusts = tuple(dict.fromkeys((*self.trusts, succeeds(self.doubt))))[:20]
        self.status = True

    def takes_for_granted(self, source: str, line: int) -> None:
        """Something has to come to a good end for the script to go on, and nothing tells that it does."""
        self.hangs = tuple(dict.fromkeys((*self.hangs, Hang(source, line))))[:20]

    def decides(self, line: int, condition: str) -> None:
        """A status that is not known decides which way the script takes; `condition` is "" where a program gave it."""
        self.unsure = Hang(condition, line) if condition and not self.doubt else None
        if self.stranger and self.doubt:
            self.split = tuple(dict.fromkeys((*self.split, Hang(self.doubt, line))))[:20]

    def assume(self, what: str) -> None:
        if what not in self.assumes and len(self.assumes) < 20:
            self.assumes += (what,)

    def join(self, other: State) -> None:
        """Keep only what holds in both."""
        for name in {*self.scope.variables, *other.scope.variables}:
            if self.scope.get(name) != other.scope.get(name):
                self.scope.variables[name] = UNKNOWN
        for name in {*self.scope.arrays, *other.scope.arrays}:
            if self.scope.arrays.get(name) != other.scope.arrays.get(name):
                self.scope.arrays[name] = UNKNOWN
        for mine, theirs in zip(self.scope.hidden, other.scope.hidden, strict=False):
            for name in {*mine, *theirs}:
                if mine.get(name) != theirs.get(name):
                    mine[name] = (True, UNKNOWN, None, name in self.exported)
        if self.scope.args != other.scope.args:
            self.scope.args = None
        self.scope.wild |= other.scope.wild
        if self.scope.umask != other.scope.umask:
            self.scope.umask, self.exact, self.tampered = None, False, True
        self.exported |= other.exported
        self.traps |= other.traps
        self.ever_trapped |= other.ever_trapped
        self.functions.update(other.functions)
        self.cwd = self.cwd if self.cwd == other.cwd else None
        self.last = other.last or self.last
        self.background = other.background or self.background
        self.assumes = tuple(dict.fromkeys((*self.assumes, *other.assumes)))[:20]
        self.needs = tuple(dict.fromkeys((*self.needs, *other.needs)))[:20]
        self.hangs = tuple(dict.fromkeys((*self.hangs, *other.hangs)))[:20]
        self.split = tuple(dict.fromkeys((*self.split, *other.split)))[:20]
        self.trusts = tuple(dict.fromkeys((*self.trusts, *other.trusts)))[:20]
        self.changed = max(self.changed, other.changed)
        self.tampered = self.tampered or other.tampered or self.made != other.made
        self.exact = self.exact and other.exact and self.made == other.made
        self.made = {**self.made, **other.made}
        self.constants |= other.constants
        self.input = self.input if self.input == other.input else None
        self.reads = self.reads or other.reads
        self.at_exit = self.at_exit or other.at_exit
        self.said = self.said if self.said == other.said else ()
        code = self.code if self.code == other.code else None
        self.status = self.status if self.status == other.status else None
        self.code = code


Flow = ScriptOutcome | Literal["", "break", "continue", "return"]
"""How control leaves a piece of script: the process ends, "" goes on with the next command, or a jump."""

Ends = list[tuple[State, Flow]]
"""All ways through a piece of script: the state that each leaves behind, and how control leaves."""


def as_argv(fields: Sequence[object]) -> tuple[tuple[str, ...], bool]:
    """Words as text; what is not known stands as `?` (one word) or `...` (any number)."""
    complete = all(isinstance(field, str) for field in fields)
    return tuple(
        field if isinstance(field, str) else ("..." if field is UNKNOWN_WORDS else "?") for field in fields
    ), complete
