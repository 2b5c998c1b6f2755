"""gVisor's runsc: a kernel in user space, which loads the program before the container counts as started.

Sources: measured starts of Debian 12's runsc (0.0~20221219.0, `runsc --network=none run`), and gVisor's loader.  It has
its own /proc, /sys and /dev; what a start below them does was measured in part, and the rest is UNKNOWN.

Its kernel reads 127 bytes of a script's first line, has no set-uid programs (no_new_privs is always on) and no file
capabilities, bounds neither arguments nor a path as a whole, and has one personality.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.formats.passwd import AccountSource, Unreadable, go_quote
from imagepeel.formats.shebang import parse_short_shebang
from imagepeel.process.engines.basis import Area, Basis
from imagepeel.process.engines.lookup import ProgramLookup, candidate, clean, elements, explain, not_in_path, state
from imagepeel.process.engines.mount_point import MountPoint
from imagepeel.process.engines.runtime import Home, Runtime
from imagepeel.process.engines.workdir import WorkdirTrouble
from imagepeel.process.spec.access import EXECUTE, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase, Unproved
from imagepeel.process.spec.kernels import Kernel
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import ERRNO_GO, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

_READING = "reading spec: "
"""Before what is wrong with config.json, and nothing else stands before it."""
_LINUX_PATH = 4096
"""Bytes of a path from which Linux finds it too long (PATH_MAX)."""
_SANDBOX = "starting container: starting root container: starting sandbox: "
_WORDS: dict[ErrnoName, str] = ERRNO_GO | {"ELOOP": "too many symbolic links encountered"}


class Runsc(Runtime, frozen=True, kw_only=True):
    """runsc; a version is the date of the release."""

    program: str = "runsc"
    exec_exit: int = 128
    refusal_exit: int = 128
    drops_nameless: bool = False
    fills_empty_home: bool = False
    looks_up_first: bool = False
    kernel: Kernel = Kernel(
        own=True,
        first_line=parse_short_shebang,
        changes_identity=False,
        keeps_capabilities=True,
        bounds_strings=False,
        has_personalities=False,
        short_loader="ELIBBAD",
        odd_loader="ELIBBAD",
    )

    def refusal(self, message: str, phase: Phase, *, run: bool) -> str:
        if message.startswith(_READING):
            return message
        start = "" if phase is Phase.BARE else _SANDBOX
        return f"{'running container: ' if run else ''}{start}{message}"

    def exec_failed(self, path: str, errno: ErrnoName) -> str:
        return f"running container: {_SANDBOX}creating process: failed to load {path}: {_WORDS[errno]}"

    def find(self, rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor) -> ProgramLookup:
        """Relative elements of PATH are skipped, and so is a file that may not be executed, without a word.

        Whatever else is wrong with a candidate ends the search.
        """
        if "/" in argv0:
            path = argv0 if argv0.startswith("/") else clean(f"{cwd}/{argv0}")
            seen = check_access(rootfs, path, actor, cwd)
            errno, reason = _state(seen, actor)
            if errno == "ENAMETOOLONG":
                errno = _without_limit(rootfs, path, actor) or errno
            tried = candidate(rootfs, path, seen, errno, reason)
            if not errno:
                return ProgramLookup(path=path, candidates=(tried,))
            message = f"creating process: failed to load {path}: {_WORDS[errno]}"
            return explain(rootfs, argv0, seen, tried, message, errno=errno)
        candidates: list[Candidate] = []
        stopped: ErrnoName = "ENOENT"
        for element in elements(path_value) if argv0 not in {"", "."} else ():
            if not element.startswith("/"):
                continue
            path = clean(f"{element}/{argv0}")
            seen = check_access(rootfs, path, actor, cwd)
            errno, reason = _state(seen, actor)
            candidates.append(candidate(rootfs, path, seen, errno, reason))
            if not errno:
                return ProgramLookup(path=path, candidates=tuple(candidates))
            if errno not in ("ENOENT", "EACCES"):
                stopped = errno
                break
        where = " ".join((path_value or "").split(":"))
        message = f"error finding executable {go_quote(argv0)} in PATH [{where}]: {_WORDS[stopped]}"
        return not_in_path(rootfs, argv0, path_value, tuple(candidates), stopped, message=message)

    def home(self, passwd: AccountSource, uid: int) -> Home:
        if isinstance(passwd, Unreadable) or passwd is None:
            return Home(value="/", why="there is no /etc/passwd to read")
        return Home.of_first(passwd, uid)

    def no_command(self) -> Failure:
        # The process of config.json follows, as Go prints it: with the address of its capabilities.
        message = f"{_READING}Spec.Process.Arg must be defined"
        return Failure(
            code=FailureCode.NO_COMMAND, judge=Judge.RUNTIME, errno="EINVAL", message=message, phase=Phase.BARE
        )

    def enter_workdir(self, trouble: WorkdirTrouble) -> Failure:
        message = (
            "creating container: cannot create sandbox: cannot read client sync file: waiting for sandbox to start: EOF"
        )
        return trouble.refused(Judge.RUNTIME, "ENOTDIR", message, phase=Phase.BARE)

    def makes_target(self, trouble: WorkdirTrouble) -> bool:
        return trouble.state == "dangling"

    def refuse_mount(self, point: MountPoint) -> Failure | Unproved | None:
        return None

    def enter_mounted_workdir(self, trouble: WorkdirTrouble, errno: ErrnoName) -> Failure:
        message = (
            f"creating process: failed to find initial working directory {go_quote(trouble.path)}: {_WORDS[errno]}"
        )
        return trouble.refused(Judge.RUNTIME, errno, message, in_mount=True)

    def unmapped(self, what: str, number: int) -> str:
        return f"{what} {number} is not mapped"


def _without_limit(rootfs: Rootfs, path: str, actor: Actor) -> ErrnoName:
    """What stops the walk along a path that Linux finds too long as a whole: here only a name can be too long."""
    front = path[:_LINUX_PATH].rpartition("/")[0]
    return check_access(rootfs, front or "/", actor).errno


def _state(seen: PathAccess, actor: Actor) -> tuple[ErrnoName, str]:
    """errno and reason of one candidate; empty errno when it is taken."""
    node = seen.node
    if seen.errno or node is None:
        return state(seen)
    mode = f"mode {node.mode:04o} of {node.uid}:{node.gid}"
    if node.is_dir:
        return "EACCES", "a directory"
    if not permits(node, actor, EXECUTE):
        return "EACCES", f"not executable for this user: {mode}"
    if not node.is_file:
        return "EPERM" if node.kind == "fifo" else "EACCES", f"no regular file but a {node.kind}"
    return "", mode


_MEASURED = frozenset({Area.COMMAND, Area.DIRECTORY, Area.LOOKUP, Area.MOUNTS, Area.TEXTS})

VERSIONS = (Runsc(version=(2022, 12), basis=Basis(started="2022-12-19", measured=_MEASURED, read="2022-12-19")),)
