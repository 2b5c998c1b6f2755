"""How a shell process ends: what it becomes, what it says, and what has to hold for that."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel.process.shell.interpreters import StartError
from imagepeel.text import listed, without_middle

OutcomeKind = Literal["exec", "tail", "child", "ends", "unknown"]
"""How a shell process may end.

exec: an explicit `exec` replaces the shell.
tail: the shell replaces itself by the last command of `-c`.
child: the shell stays and waits for the program.
ends: no program of its own runs.
unknown: the text does not prove it.
"""


class Hang(msgspec.Struct, frozen=True):
    """A command whose exit code decides how a script goes on, and which is a program that nothing is known of."""

    source: str
    line: int


class ScriptOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of a shell process."""

    kind: OutcomeKind
    argv: tuple[str, ...] = ()
    """The program's words as far as they are proved; `?` stands for an unknown word, `...` for any number of them."""
    complete: bool = True
    """Every word of `argv` is proved."""
    program: str = ""
    """The word that is looked up, where `exec -a` or `exec -l` gives the program another name than that."""
    source: str = ""
    """The command as the script has it."""
    line: int = 0
    """Line of the command, from 1; 0 where there is none."""
    why: str = ""
    """One sentence that gives the reason."""
    assumes: tuple[str, ...] = ()
    """What has to hold for it, one clause each."""
    env: dict[str, str | None] = {}
    """Changes of the environment; None removes the variable."""
    cwd: str | None = ""
    """The new directory; "" means as before, None that it is not known."""
    trapped: tuple[str, ...] = ()
    """Signals that the script traps, without SIG."""
    alternatives: tuple[ScriptOutcome, ...] = ()
    """The possible ends where the kind is unknown."""
    exit_code: int | None = None
    """The exit code of a shell that ends, where the text proves it."""
    errno: StartError = ""
    """Why the command of `argv` cannot be started, of a shell that ends with that."""
    said: tuple[str, ...] = ()
    """What the shell itself wrote to standard error on this way, a message each."""
    changed: int = 0
    """What programs before may have made: 0 nothing, 1 directories and data, 2 programs too."""
    needs: tuple[str, ...] = ()
    """What volumes have to allow, one clause each."""
    trusts: tuple[str, ...] = ()
    """Ordinary programs that are taken to succeed where their failure ends the shell, one clause each."""
    hangs: tuple[Hang, ...] = ()
    """Programs that have to succeed for it, and whose exit code nothing in the image tells."""
    reads: bool = False
    """It may have read from standard input."""
    errexit: bool = False
    """`set -e` holds where it is executed."""
    sure: bool = False
    """No other way through the script was dropped and nothing had to be assumed."""

    @property
    def replaces(self) -> bool:
        """The shell's process becomes the program."""
        return self.kind in ("exec", "tail")

    @property
    def named(self) -> bool:
        """The program's first word is proved, if not all of its words."""
        return bool(self.argv) and (self.complete or self.argv[0] not in ("?", "..."))

    @property
    def hangs_on(self) -> str:
        """What has to succeed, in words; "" where nothing of that kind does."""
        found = [f"`{without_middle(' '.join(one.source.split()), 80)}` (line {one.line})" for one in self.hangs]
        return f"nothing in the image tells whether {listed(found, 3)} succeeds" if found else ""

    @property
    def in_question(self) -> str:
        """Why the end is not proved, with the ends that are possible."""
        ways = [way.source or way.why for way in self.alternatives]
        return self.why + (f": {' or '.join(dict.fromkeys(ways))}" if ways else "")
