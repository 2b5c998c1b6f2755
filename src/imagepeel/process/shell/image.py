"""What a shell finds in the image while its text is walked: programs, directories, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from imagepeel.process.shell.interpreters import Search
from imagepeel.process.shell.scope import Value
from imagepeel.process.shell.tools import Family, Judged
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.process.shell.made import Made
    from imagepeel.process.shell.script_outcome import ScriptOutcome


class ShellImage(Protocol):
    """The filesystem as the shell's process meets it; a path that a mount or a volume covers is not known."""

    umask: int
    """What files that are made do not get of their mode."""

    def over(self, made: Made, exact: bool, umask: int) -> ShellImage:
        """The same with what the script has made in front of it; `exact` tells that it has changed nothing else."""

    def writes(self, path: str, cwd: str) -> Made:
        """What a redirection into a file makes that can be opened."""

    def asks_too_much(self, argv: tuple[str, ...], cwd: str) -> bool:
        """Whether a command wants to give files to somebody whom its user has no right to give them to."""

    def test(self, operator: str, path: str, cwd: str) -> bool | None:
        """`test -OPERATOR PATH`; None where it cannot be told."""

    def enter(self, path: str, cwd: str) -> ErrnoName | None:
        """The errno of `chdir`, "" where it succeeds; None where it cannot be told."""

    def locate(self, path: str, cwd: str) -> tuple[str, str, bool] | None:
        """The full path by its words and without links, and whether it is a directory to enter.

        None where nothing is there or it cannot be told.
        """

    def read(self, path: str, cwd: str) -> tuple[str, ErrnoName] | None:
        """The text of a file, or "" and the errno of `open`; None where neither can be told."""

    def create(self, path: str, cwd: str) -> ErrnoName | None:
        """The errno of opening a file for writing, which makes one that is not there; "" and None as for `enter`."""

    def volume_refuses(self, path: str, cwd: str, *, directory: bool = False) -> str:
        """Why a write there fails in a volume that is new, in words; "" where it lies in none, or would be allowed.

        `directory` asks for a directory that may be there already.
        """

    def names(self, directory: str, cwd: str) -> list[str] | None:
        """The names in a directory, sorted by their bytes; None where they cannot be told."""

    def tool(self, argv: tuple[str, ...], env: Mapping[str, Value], cwd: str) -> Judged | None:
        """How a tool ends, where that follows from the image."""

    def child(self, argv: tuple[str, ...], env: Mapping[str, Value], cwd: str, changed: int) -> ScriptOutcome | None:
        """What becomes of a shell that the command starts; None for every other program."""

    def refuses(self, name: str, path_value: str | None, cwd: str) -> Search | None:
        """Why the command cannot be started; None when it starts, or where it cannot be told."""

    def finds(self, name: str, path_value: str) -> str | None:
        """The file that PATH gives for a name, "" where none does; None where it cannot be told."""

    def family(self, name: str, path_value: str) -> Family | None:
        """Whose tool a name is, of those whose habits are known; None for any other."""
