"""What a shell finds in the image while its text is walked: programs, directories, files."""

from __future__ import annotations

from typing import Protocol

from imagepeel.process.shell.interpreters import Search


class ShellImage(Protocol):
    """The filesystem as the shell's process meets it; a path that a mount or a volume covers is not known."""

    def test(self, operator: str, path: str, cwd: str) -> bool | None:
        """`test -OPERATOR PATH`; None where it cannot be told."""

    def refuses(self, name: str, path_value: str | None, cwd: str) -> Search | None:
        """Why the command cannot be started; None when it starts, or where it cannot be told."""
