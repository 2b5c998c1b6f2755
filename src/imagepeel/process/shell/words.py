"""What shells say when a command or a builtin fails, and the exit code that goes with it.

Measured: dash 0.5.12, bash 5.2 and busybox 1.35 as Debian builds them.  `-c` and scripts name the line differently.
"""

from __future__ import annotations

import msgspec


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """A shell that says something: which one, under which name, and whether it reads a script or the text of `-c`."""

    shell: str
    arg0: str
    script: bool

    def says(self, line: int, words: str) -> str:
        """A message of the shell itself."""
        if self.shell == "dash":
            return f"{self.arg0}: {line}: {words}"
        if self.shell == "bash":
            return f"{self.arg0}: line {line}: {words}"
        return f"{self.arg0}: line {line}: {words}" if self.script else f"{self.arg0}: {words}"

    def builtin_says(self, name: str, line: int, words: str) -> str:
        """A message of a builtin, which busybox names in front of the line and counts from 0 behind `-c`."""
        if self.shell == "busybox":
            return f"{self.arg0}: {name}: line {line if self.script else line - 1}: {words}"
        return self.says(line, f"{name}: {words}")
