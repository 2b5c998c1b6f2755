"""A wrapper that runs, and what it asks of the start before it comes to its command."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from imagepeel.evidence import text
from imagepeel.process.spec.access import EXECUTE, WRITE, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.wrappers.programs import coreutils_quote
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.tables import ERRNO_LIBC, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

Answer = Failure | Unproved | str
"""Why a wrapper ends before its command, or why nobody can tell; else what of the host it takes, "" for nothing."""


class Mounts(Protocol):
    """What lies over the image, as the wrapper's process meets it."""

    def hides(self, path: str) -> bool:
        """A mount or a volume covers the path."""

    def is_made(self, path: str) -> bool:
        """It does, or the engine makes a directory of it to mount below."""

    def volume_refuses(self, path: str, cwd: str, *, directory: bool = False) -> str:
        """Why a write there fails in a volume that is new, in words; "" where it lies in none, or would be allowed."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A wrapper that runs: its words, who it is, and the image around it."""

    wrapped: Wrapped
    argv: tuple[str, ...]
    state: ProcessState
    rootfs: Rootfs
    image: Mounts
    program: bytes
    """Its file."""
    starts: Callable[[str], Failure | ErrnoName | None]
    """Why a program at a path does not start: an errno, or what its loader says; "" where it does."""
    utf8: bool
    may_hold: Callable[[str], bool]
    """Whether a path lies in a volume, where anything may be."""
    read_only: bool
    tty: bool
    linux: bool
    """The kernel is Linux itself."""
    personalities: bool
    """It has more than one personality."""
    seccomp: ErrnoName
    """What the engine's seccomp profile answers to a call that it does not let through, "" without one."""

    @property
    def called(self) -> str:
        """What it is called by, as it was given."""
        return self.argv[0] if self.argv else self.wrapped.program

    @property
    def measured(self) -> bool:
        """Its words are those of the package that was measured, on Linux and on gVisor."""
        return self.wrapped.family != "busybox"

    @property
    def given(self) -> list[tuple[str, str]]:
        """Its options in order, each with its value."""
        return [(name, value) for name, _, value in (option.partition(" ") for option in self.wrapped.options)]

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.given)

    def last(self, *names: str) -> str | None:
        """The last value of an option; None without one."""
        return next((value for name, value in reversed(self.given) if name in names), None)

    def quoted(self, word: str) -> str:
        """A word as coreutils quote it in a message."""
        plain = self.utf8 and word.isprintable() and "\\" not in word
        return f"\u2018{word}\u2019" if plain else coreutils_quote(word)

    def fails(self, words: str, exit_code: int, why: str, fix: str = "", errno: ErrnoName = "") -> Failure | Unproved:
        """It ends with these words, where they are those of what was measured."""
        name = self.wrapped.program
        if not self.measured:
            return Unproved(reason=f"{name} ends: {why}; its words were not measured")
        return Failure(
            code=FailureCode.WRAPPER_FAILS, judge=Judge.USERLAND, errno=errno, message=words, exit_code=exit_code,
            why=f"{name}: {why}", fix=fix or f"correct the arguments of {name}",
        )  # fmt: skip

    def refuses(self, words: str, exit_code: int, why: str) -> Failure | Unproved:
        """coreutils refuse a word, and name themselves as they were called."""
        return self.fails(f"{self.called}: {words}", exit_code, why)

    def usage(self, words: str, exit_code: int, why: str) -> Failure | Unproved:
        """The same where they point to their help."""
        return self.refuses(f"{words}\nTry '{self.called} --help' for more information.", exit_code, why)

    def of_files(self, path: str, errno: ErrnoName, fails: Callable[[str], Failure | Unproved]) -> Failure | Unproved:
        """What a file or directory refuses: it counts where nothing before could have made it."""
        why = f"{path}: {ERRNO_LIBC.get(errno, errno)}"
        if self.state.changed and errno in {"ENOENT", "EACCES"}:
            return Unproved(reason=f"{self.wrapped.program}: {why}, unless what ran before has made it")
        return fails(why)

    # -- files ----------------------------------------------------------------------------------------------------

    def enters(self, path: str) -> ErrnoName | None:
        """The errno of `chdir`, "" where it succeeds; None where it cannot be told."""
        if self._is_live(path):
            return None
        seen = check_access(self.rootfs, path, self.state.after, self.state.cwd)
        if seen.node is None:
            return None if self._is_live(path, made=True) else seen.errno
        if not seen.node.is_dir:
            return "ENOTDIR"
        return "" if permits(seen.node, self.state.after, EXECUTE) else "EACCES"

    def opens(self, path: str, wanted: int) -> ErrnoName | None:
        """The errno of opening a file, READ or WRITE, which is made where it is not; "" and None as for `enters`."""
        if self._is_live(path):
            return None
        actor = self.state.after
        seen = check_access(self.rootfs, path, actor, self.state.cwd)
        if seen.node is not None:
            if wanted == WRITE and (seen.node.is_dir or (self.read_only and seen.node.is_file)):
                return "EISDIR" if seen.node.is_dir else "EROFS"
            return "" if permits(seen.node, actor, wanted) else "EACCES"
        if seen.errno != "ENOENT" or not path or path.endswith("/"):
            return seen.errno
        target = text(seen.resolution.path)
        directory = posixpath.dirname(target)
        above = check_access(self.rootfs, directory, actor)
        if self._is_live(target) or (above.node is None and self._is_live(directory, made=True)):
            return None
        if above.node is None or not above.node.is_dir:
            return above.errno or "ENOTDIR"
        if self.read_only and permits(above.node, actor, EXECUTE):
            return "EROFS"
        return "" if permits(above.node, actor, WRITE | EXECUTE) else "EACCES"

    def _is_live(self, path: str, *, made: bool = False) -> bool:
        """A mount or a volume covers the path, or, where that is asked too, the engine makes it to mount below."""
        full = posixpath.normpath(posixpath.join(self.state.cwd, path))
        return self.image.is_made(full) if made else self.image.hides(full)
