"""crun: its words, its PATH search as root, the home directory by the C library.

Sources: crun at the named versions (libcrun/container.c, utils.c) and measured starts.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.formats.passwd import AccountSource, Unreadable
from imagepeel.process.engines.basis import EVERYTHING, Area, Basis
from imagepeel.process.engines.lookup import (
    ProgramLookup,
    candidate,
    elements,
    explain,
    not_in_path,
    state,
)
from imagepeel.process.engines.messages import MOUNT
from imagepeel.process.engines.mount_point import MountPoint
from imagepeel.process.engines.runtime import Home, Runtime
from imagepeel.process.engines.workdir import WorkdirTrouble
from imagepeel.process.spec.access import EXECUTE, ROOT, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import ERRNO_LIBC, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs


class Crun(Runtime, frozen=True, kw_only=True):
    """crun; `old` is 1.8, which says less and joins an empty element of PATH to the root directory."""

    program: str = "crun"
    exec_exit: int = 1
    drops_nameless: bool = False
    fills_empty_home: bool = False
    looks_up_first: bool = True
    old: bool = False

    def refusal(self, message: str, phase: object, *, run: bool) -> str:
        return message

    def exec_refusal(self, message: str) -> str:
        return message

    def exec_failed(self, path: str, errno: ErrnoName) -> str:
        hint = " (missing dynamic library?)" if errno == "ENOENT" else ""
        return f"exec container process{hint} `{path}`: {ERRNO_LIBC[errno]}"

    def home(self, passwd: AccountSource, uid: int) -> Home:
        if isinstance(passwd, Unreadable):
            return Home(value=None, why=f"/etc/passwd {passwd.reason}")
        if passwd is None:
            return Home(value="/", why="there is no /etc/passwd")
        home = _libc_home(passwd.data, uid)
        if home is None:
            return Home(value=None, why=f"uid {uid} is not in /etc/passwd: crun sets no HOME")
        return Home(value=home, why=f"home of uid {uid} in /etc/passwd")

    def no_command(self) -> Failure:
        message = "open executable: Invalid argument"
        return Failure(code=FailureCode.NO_COMMAND, judge=Judge.RUNTIME, errno="EINVAL", message=message)

    def enter_workdir(self, trouble: WorkdirTrouble) -> Failure:
        errno = "ENOENT" if trouble.state == "dangling" else trouble.errno or "ENOTDIR"
        words = {"ENOENT": "No such file or directory", "ELOOP": "Too many levels of symbolic links"}
        to = "" if self.old else "to "
        message = f"chdir {to}`{trouble.path}`: {words.get(errno, 'Not a directory')}"
        return trouble.refused(Judge.RUNTIME, errno, message)

    def refuse_mount(self, point: MountPoint) -> Failure | Unproved | None:
        if point.kind != "tmpfs":
            return point.refused("ENOTDIR", f"the target `{point.path}` is invalid: Not a directory")
        name = point.path.removeprefix("/")
        if point.state == "other" or point.leads == "other":
            return point.refused("ENOTDIR", f"mount `tmpfs` to `{name}`: Not a directory")
        if not self.old:
            return Unproved(reason=f"{point.what}; what {self.name} does then was not measured", where=point.where)
        if b".." in point.target.split(b"/"):
            how = f"open {point.path} directory in `{MOUNT}`: No such file or directory"
            return point.refused("ENOENT", how)
        if point.leads in {"missing", "loop"}:
            errno: ErrnoName = "ELOOP" if point.leads == "loop" else "ENOENT"
            return point.refused(errno, f"openat2 `{name}`: {ERRNO_LIBC[errno]}")
        if point.target.startswith(b"/"):
            return point.refused("ENOENT", f"failed open()ing {point.path}/null: No such file or directory")
        return None

    def unmapped(self, what: str, number: int) -> str:
        if what == "gid":
            return "setgroups: Invalid argument"
        return f"cannot setresuid to {number}: Invalid argument"

    def enter_mounted_workdir(self, trouble: WorkdirTrouble, errno: ErrnoName) -> Failure:
        errno = "ENOTDIR" if trouble.state == "node" else "ENOENT"
        to = "" if self.old else "to "
        return trouble.refused(Judge.RUNTIME, errno, f"chdir {to}`{trouble.path}`: {ERRNO_LIBC[errno]}", in_mount=True)

    def find(self, rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor) -> ProgramLookup:
        """crun asks as root, before it changes the user.

        A relative name with a slash is joined to the working directory, elements of PATH are not cleaned.
        """
        if "/" in argv0:
            path = argv0 if argv0.startswith("/") else f"{cwd}/{argv0}"
            if path != argv0 and check_access(rootfs, cwd, ROOT).errno:
                path = posixpath.normpath(path)  # the directory was made for the start: the image cannot say what .. is
            seen = check_access(rootfs, path, ROOT, cwd)
            errno, reason = self._state(seen)
            tried = candidate(rootfs, path, seen, errno, reason)
            if not errno:
                return ProgramLookup(path=path, candidates=(tried,))
            message = self._message(argv0, path, errno, seen, slash=True)
            return explain(rootfs, argv0, seen, tried, message, errno=errno)
        last: ErrnoName = "ENOENT"
        last_seen: PathAccess | None = None
        last_path = argv0
        candidates: list[Candidate] = []
        for element in elements(path_value):
            path = f"{element}/{argv0}" if element or self.old else f"./{argv0}"
            seen = check_access(rootfs, path, ROOT, cwd)
            errno, reason = self._state(seen)
            candidates.append(candidate(rootfs, path, seen, errno, reason))
            if not errno:
                return ProgramLookup(path=path, candidates=tuple(candidates))
            if errno != "ENOENT":
                last, last_seen, last_path = errno, seen, path
        message = self._message(argv0, last_path, last, last_seen, slash=False)
        if not argv0 and not self.old:
            last = "ENOENT"  # it says so whatever the directories gave
        return not_in_path(rootfs, argv0, path_value, tuple(candidates), last, message=message)

    def _state(self, seen: PathAccess) -> tuple[ErrnoName, str]:
        node = seen.node
        if seen.errno or node is None:
            return state(seen)
        mode = f"mode {node.mode:04o} of {node.uid}:{node.gid}"
        if node.is_dir:
            if self.old and not permits(node, ROOT, EXECUTE):
                return "EACCES", f"a directory, {mode}"
            return "EPERM", "a directory"
        if not permits(node, ROOT, EXECUTE):
            return "EACCES", f"not executable for this user: {mode}"
        if not node.is_file:
            return "EPERM", f"no regular file but a {node.kind}"
        return "", mode

    def _message(self, argv0: str, path: str, errno: ErrnoName, seen: PathAccess | None, *, slash: bool) -> str:
        if not self.old:
            if argv0 == "":
                return "cannot find `` in $PATH: No such file or directory"
            if errno == "EACCES" and seen is not None and not seen.errno:
                return f"the path `{path}` exists but it is not executable: Operation not permitted"
            if errno == "EPERM":
                return f"the path `{path}` is not a regular file: Operation not permitted"
            if errno == "ENOENT" and slash:
                return f"executable file `{path}` not found: No such file or directory"
            if errno != "ENOENT":
                return f"open `{path}`: {ERRNO_LIBC[errno]}"
        if errno == "ENOENT":
            return f"executable file `{argv0}` not found in $PATH: No such file or directory"
        return f"open executable: {ERRNO_LIBC[errno]}"


def _libc_home(passwd: bytes, uid: int) -> str | None:
    """The home of a uid by `fgetpwent`: comments and lines whose ids are no numbers are skipped."""
    wanted = str(uid).lstrip("0").encode()  # a number may have zeros in front, and thousands of digits
    for line in passwd.split(b"\n"):
        line = line.lstrip(b" \t")
        fields = line.split(b":")
        if line.startswith(b"#") or len(fields) < 3:
            continue
        numbers = fields[2:4]
        if fields[2].lstrip(b"0") == wanted and all(part.isdigit() for part in numbers):
            return text(fields[5]) if len(fields) > 5 else ""
    return None


VERSIONS = (
    Crun(version=(1, 8), old=True, basis=Basis(started="1.8.1", measured=EVERYTHING, read="1.8.1")),
    Crun(version=(1, 28), basis=Basis(started="1.28", measured=EVERYTHING - {Area.MOUNTS}, read="1.28")),
    Crun(version=(1, 29), basis=Basis(read="1.29.1", texts="crun 1.28")),
)
