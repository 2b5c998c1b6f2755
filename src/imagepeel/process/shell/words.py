"""What shells say when a command or a builtin fails, and the exit code that goes with it.

Measured: dash 0.5.12, bash 5.2 and busybox 1.35 as Debian builds them.  `-c` and scripts name the line differently.
"""

from __future__ import annotations

import msgspec

from imagepeel.process.shell.interpreters import Shell
from imagepeel.tables import ERRNO_LIBC, ErrnoName


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """A shell that says something: which one, under which name, and whether it reads a script or the text of `-c`."""

    shell: Shell
    arg0: str
    script: bool
    posix: bool = False
    """bash in its POSIX mode, in which an error in a special builtin ends it too."""

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

    @property
    def broken_expansion(self) -> int:
        """The exit code of a shell that cannot expand a word: bash counts the text of `-c` as a command not found."""
        return 2 if self.shell != "bash" else 1 if self.script else 127

    def cannot_change_directory(self, path: str, errno: ErrnoName, line: int) -> tuple[int, str]:
        """The exit code and the words of `cd`."""
        if self.shell == "dash":
            return 2, self.says(line, f"cd: can't cd to {path}")
        if self.shell == "bash":
            return 1, self.says(line, f"cd: {path}: {ERRNO_LIBC[errno]}")
        return 2, self.builtin_says("cd", line, f"can't cd to {path}: {ERRNO_LIBC[errno]}")

    def cannot_source(self, path: str, errno: ErrnoName, line: int) -> tuple[int, str]:
        """The exit code and the words of `.` for a path with a slash."""
        if self.shell == "bash":
            return 1, self.says(line, f"{path}: {ERRNO_LIBC[errno]}")
        if self.shell == "dash":
            words = "No such file" if errno == "ENOENT" else ERRNO_LIBC[errno]
            return 2, self.says(line, f".: cannot open {path}: {words}")
        return 2, self.builtin_says(".", line, f"can't open '{path}': {ERRNO_LIBC[errno]}")

    def cannot_redirect(self, path: str, errno: ErrnoName, line: int, *, output: bool) -> tuple[int, str]:
        """The exit code and the words of a redirection."""
        if self.shell == "bash":
            return 1, self.says(line, f"{path}: {ERRNO_LIBC[errno]}")
        words = ERRNO_LIBC[errno]
        if self.shell == "dash":
            if errno == "ENOENT":
                words = "Directory nonexistent" if output else "No such file"
            return 2, self.says(line, f"cannot {'create' if output else 'open'} {path}: {words}")
        if errno == "ENOENT":
            words = "nonexistent directory" if output else "no such file"
        return 1, self.says(line, f"can't {'create' if output else 'open'} {path}: {words}")

    def wrong_option(self, letter: str) -> str:
        """What `getopts` says of a letter that it is not told of."""
        return f"{self.arg0}: illegal option -- {letter}" if self.shell == "bash" else f"Illegal option -{letter}"

    def no_value(self, letter: str) -> str:
        """What `getopts` says of an option without the value that it takes."""
        if self.shell == "bash":
            return f"{self.arg0}: option requires an argument -- {letter}"
        return f"No arg for -{letter} option"

    def refuses_mask(self, word: str, line: int) -> tuple[int, str]:
        """The exit code and the words of `umask` for what is no mask."""
        if self.shell == "busybox":
            return 2, self.builtin_says("umask", line, f"illegal mode: {word}")
        if self.shell == "dash":
            return 2, self.says(line, f"umask: Illegal {'number' if word[:1].isdigit() else 'mode'}: {word}")
        if word[:1].isdigit():
            return 1, self.says(line, f"umask: {word}: octal number out of range")
        sign = word.lstrip("ugoa")[:1]
        kind = "operator" if sign not in ("+", "-", "=") else "character"
        if kind == "character":
            sign = word.lstrip("ugoa")[1:].lstrip("rwx")[:1]
        return 1, self.says(line, f"umask: `{sign}': invalid symbolic mode {kind}")

    def refuses_option(self, option: str, line: int) -> tuple[int, str]:
        """The exit code and the words of `set` for a letter that it does not know."""
        if self.shell == "dash":
            return 2, self.says(line, f"set: Illegal option {option}")
        if self.shell == "busybox":
            return 2, self.builtin_says("set", line, f"illegal option {option}")
        usage = "set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]"
        return 2, f"{self.says(line, f'set: {option}: invalid option')}\n{usage}"


FOREIGN: dict[Shell, frozenset[str]] = {
    "bash": frozenset(),
    "dash": frozenset(
        (
            "source",
            "shopt",
            "declare",
            "typeset",
            "let",
            "pushd",
            "popd",
            "dirs",
            "mapfile",
            "readarray",
            "builtin",
            "caller",
            "compgen",
            "complete",
            "compopt",
            "disown",
            "enable",
            "history",
            "logout",
            "bind",
            "suspend",
        )
    ),
    "busybox": frozenset(
        (
            "shopt",
            "declare",
            "typeset",
            "mapfile",
            "readarray",
            "pushd",
            "popd",
            "dirs",
            "builtin",
            "caller",
            "compgen",
            "complete",
            "compopt",
            "disown",
            "enable",
            "logout",
            "bind",
            "suspend",
        )
    ),
}
"""Builtins of bash that are ordinary commands to another shell, which then looks for a program of that name."""

SPECIAL = frozenset(
    (
        ":",
        ".",
        "break",
        "continue",
        "eval",
        "exec",
        "exit",
        "export",
        "readonly",
        "return",
        "set",
        "shift",
        "source",
        "times",
        "trap",
        "unset",
    )
)
"""Special builtins: an error in one ends a POSIX shell (XCU 2.8.1)."""
