"""A runtime: the program below an engine that starts the process, and words what stops it.

Each runtime has a file of its own beside this one, with its texts and its PATH search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from imagepeel.formats.passwd import AccountFile, AccountSource
from imagepeel.process.engines.basis import Basis
from imagepeel.process.engines.lookup import ProgramLookup
from imagepeel.process.engines.mount_point import MountPoint
from imagepeel.process.engines.workdir import WorkdirTrouble
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.failure import Failure, Phase, Unproved
from imagepeel.process.spec.kernels import LINUX, Kernel
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The value that a runtime gives HOME (None: it sets none) and why; `problem`: its refusal to go on."""

    value: str | None
    why: str
    problem: str = ""

    @classmethod
    def of_first(cls, passwd: AccountFile, uid: int) -> Home:
        """Return the home of the first line with that uid, and `/` without one, as both runtimes written in Go do."""
        entry = passwd.user(uid)
        if entry is not None:
            return cls(value=entry.home, why=f"home in line {entry.line} of /etc/passwd, the first with that uid")
        return cls(value="/", why=f"uid {uid} is not in /etc/passwd")


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a runtime.

    `exec_exit` is the exit code of a failing execve after the container has started.  `drops_nameless`: a variable
    without a name never reaches the program.  `fills_empty_home`: an empty HOME counts as absent.
    `looks_up_first`: the program is looked up before the runtime enters the working directory.
    """

    program: str
    version: tuple[int, ...]
    exec_exit: int
    tmpfs_keeps_mode: bool = False
    """A tmpfs over a directory gets the mode of that directory, whatever its options say."""
    drops_nameless: bool
    fills_empty_home: bool
    looks_up_first: bool
    refusal_exit: int = 1
    """The exit code of a refusal, where it was started by hand."""
    kernel: Kernel = LINUX
    """The kernel that executes the program."""
    basis: Basis = Basis(read="")
    """What its rules rest on; a profile without one is refused by a test."""

    def stands_for(self, version: tuple[int, ...]) -> bool:
        """Whether a version belongs to this profile, as one of its patches."""
        return version[: len(self.version)] == self.version

    @property
    def name(self) -> str:
        return f"{self.program}@{'.'.join(map(str, self.version))}"

    def refusal(self, message: str, phase: Phase, *, run: bool) -> str:
        """A cause with what this runtime puts before it; `run`: the command was `run`, else `create`."""
        self._unsaid()

    def exec_refusal(self, message: str) -> str:
        """A cause with what this runtime puts before it where something is executed in a container that runs."""
        return f"exec failed: unable to start container process: {message}"

    def exec_failed(self, path: str, errno: ErrnoName) -> str:
        """What stands on standard error when the kernel refuses `path`."""
        self._unsaid()

    def find(self, rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor) -> ProgramLookup:
        """Which file argv[0] is.

        `path_value` is PATH of the final environment, None when there is none; `cwd` is an absolute path in the
        rootfs, `actor` the container's user.
        """
        self._unsaid()

    def home(self, passwd: AccountSource, uid: int) -> Home:
        """HOME by uid, from the image's passwd."""
        self._unsaid()

    def no_command(self) -> Failure:
        """The refusal of an empty vector."""
        self._unsaid()

    def enter_workdir(self, trouble: WorkdirTrouble) -> Failure:
        """The refusal of a directory that is there as something else; a missing one every runtime makes."""
        self._unsaid()

    def refuse_mount(self, point: MountPoint) -> Failure | Unproved | None:
        """The refusal to mount on what is there; None where it mounts.  It is asked about odd places alone."""
        self._unsaid()

    def enter_mounted_workdir(self, trouble: WorkdirTrouble, errno: ErrnoName) -> Failure:
        """The refusal of a directory below a mount; `errno` is that of making or entering it there."""
        self._unsaid()

    def unmapped(self, what: str, number: int) -> str:
        """Its words for a `uid` or `gid` that the container's user namespace does not map."""
        self._unsaid()

    def makes_target(self, trouble: WorkdirTrouble) -> bool:
        """Whether it makes what a dangling link leads to."""
        return False

    def relative_workdir(self, path: str) -> Failure | None:
        """The refusal of a relative directory; None where the runtime starts it from the root."""
        return None

    def refuse_variable(self, entry: str) -> Failure | None:
        """The refusal of an entry without a name or without `=`; None where the runtime takes it."""
        return None

    def unreadable_passwd(self, problem: str) -> Failure | None:
        """The refusal to start without HOME; None where the runtime does without."""
        return None

    def _unsaid(self) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} has to say this")
