"""runc: its words, its PATH search (Go's), the home directory by Go's passwd parser.

Sources: runc at the named versions (libcontainer, utils_linux.go) and measured starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.formats.passwd import AccountSource, Unreadable, go_quote
from imagepeel.process.engines.basis import EVERYTHING, Area, Basis
from imagepeel.process.engines.lookup import ProgramLookup, find_as_go
from imagepeel.process.engines.messages import MOUNT
from imagepeel.process.engines.mount_point import MountPoint
from imagepeel.process.engines.runtime import Home, Runtime
from imagepeel.process.engines.workdir import WorkdirTrouble
from imagepeel.process.spec.access import EXECUTE, Actor, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase, Unproved
from imagepeel.process.spec.trace import config_place
from imagepeel.tables import ERRNO_GO, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

_ON_EVERY_HOST = (b"/tmp", b"/etc", b"/usr", b"/var", b"/run", b"/root", b"/home", b"/opt", b"/srv", b"/mnt")
"""Directories through which a link at /dev leads to something on the host, too."""

_INIT = "error during container init: "


class Runc(Runtime, frozen=True, kw_only=True):
    """runc.

    `init_infix` are the words that runc 1.2 put between prefix and cause.  `mode_bits`: it was built with Go before
    1.20, whose PATH search takes any file with an x bit; later ones ask for the access of the user.
    """

    program: str = "runc"
    exec_exit: int = 255
    drops_nameless: bool = True
    fills_empty_home: bool = True
    looks_up_first: bool = False
    init_infix: str = _INIT
    mode_bits: bool = False

    def refusal(self, message: str, phase: Phase, *, run: bool) -> str:
        verb = "run" if run else "create"
        if phase is Phase.BARE:
            return f"runc {verb} failed: {message}"
        infix = self.init_infix or (_INIT if phase is Phase.INIT else "")
        return f"runc {verb} failed: unable to start container process: {infix}{message}"

    def exec_failed(self, path: str, errno: ErrnoName) -> str:
        return f"exec {path}: {ERRNO_GO[errno]}"

    def find(self, rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor) -> ProgramLookup:
        """Go's search, and a second question about what it found: may this user really execute it?"""
        found = find_as_go(rootfs, argv0, path_value, cwd, actor, mode_bits=self.mode_bits, by=self.program)
        node = check_access(rootfs, found.path, actor, cwd).node if found.path is not None else None
        if node is None or permits(node, actor, EXECUTE):
            return found
        failure = Failure(
            code=FailureCode.NOT_EXECUTABLE,
            judge=Judge.RUNTIME,
            errno="EACCES",
            message=f"exec {found.path}: permission denied",
            why=f"{found.path} has mode {node.mode:04o} of {node.uid}:{node.gid}; this user may not execute it",
            fix=f"chmod a+rx {found.path}",
        )
        return msgspec.structs.replace(found, path=None, failure=failure, place=found.path)

    def home(self, passwd: AccountSource, uid: int) -> Home:
        if isinstance(passwd, Unreadable):
            problem = f"unable to setup user: unable to find user {uid}: read /etc/passwd: {passwd.reason}"
            return Home(value="/", why="", problem=problem)
        if passwd is None:
            return Home(value="/", why="there is no /etc/passwd")
        return Home.of_first(passwd, uid)

    def no_command(self) -> Failure:
        return Failure(
            code=FailureCode.NO_COMMAND,
            judge=Judge.RUNTIME,
            errno="EINVAL",
            message="args must not be empty",
            phase=Phase.BARE,
        )

    def enter_workdir(self, trouble: WorkdirTrouble) -> Failure:
        if trouble.state in ("dangling", "loop"):
            return trouble.refused(Judge.RUNTIME, "EEXIST", f"mkdir {trouble.deepest}: file exists")
        return trouble.refused(Judge.RUNTIME, "ENOTDIR", f"mkdir {trouble.deepest}: not a directory")

    def refuse_mount(self, point: MountPoint) -> Failure | Unproved | None:
        """procfs and sysfs want a directory; a tmpfs follows a link, through which /dev is then filled on the host."""
        start = f'error mounting "{point.kind}" to rootfs at "{point.path}": '
        if point.kind != "tmpfs":
            return point.refused("ENOTDIR", f'{start}filesystem "{point.kind}" must be mounted on ordinary directory')
        if point.state == "other" or point.leads == "other":
            flags = 0x100000A if point.noexec else 0x1000002  # MS_NOSUID, MS_STRICTATIME, MS_NOEXEC
            how = f"mount tmpfs:{point.path} (via /proc/self/fd/6), flags: {flags:#x}, data: mode=755,size=65536k"
            return point.refused("ENOTDIR", f"{start}{how}: not a directory")
        if self.version >= (1, 3):
            return Unproved(reason=f"{point.what}; what {self.name} does then was not measured", where=point.where)
        if point.leads == "loop":
            return point.refused("ELOOP", f"{start}SecureJoin {MOUNT}{point.path}/: too many levels of symbolic links")
        if point.leads == "root":
            how = f"change mount propagation through procfd: open o_path procfd: open {MOUNT}{point.path}"
            return point.refused("ENOENT", f"{start}{how}: no such file or directory")
        if point.leads == "missing":
            how = f"error setting up ptmx: symlink pts/ptmx {MOUNT}{point.path}/ptmx"
            return point.refused("ENOENT", f"{how}: no such file or directory")
        if b".." in point.target.split(b"/") or (point.target[:1] == b"/" and point.target not in _ON_EVERY_HOST):
            return Unproved(reason=f"{point.what}, which {self.name} follows on the host", where=point.where)
        return None

    def enter_mounted_workdir(self, trouble: WorkdirTrouble, errno: ErrnoName) -> Failure:
        return trouble.refused(Judge.RUNTIME, errno, f"mkdir {trouble.deepest}: {ERRNO_GO[errno]}", in_mount=True)

    def unmapped(self, what: str, number: int) -> str:
        return f"unable to setup user: cannot set {what} to unmapped user in user namespace"

    def relative_workdir(self, path: str) -> Failure | None:
        return Failure(
            code=FailureCode.WORKDIR_RELATIVE,
            judge=Judge.RUNTIME,
            errno="EINVAL",
            message="Cwd must be an absolute path",
            why=f"WorkingDir {path!r} is relative",
            fix=f"write /{path}",
            phase=Phase.BARE,
        )

    def refuse_variable(self, entry: str) -> Failure | None:
        if entry.startswith("="):
            message = f"environment variable name can't be empty: {go_quote(entry)}"
            why = "an entry of Env has no name before ="
        else:
            message, why = f"invalid environment variable: {go_quote(entry)}", "an entry of Env has no ="
        return Failure(
            code=FailureCode.VARIABLE_MALFORMED,
            judge=Judge.RUNTIME,
            errno="EINVAL",
            message=message,
            why=why,
            fix="remove it",
            where=config_place("/config/Env"),
            phase=Phase.INIT,
        )

    def unreadable_passwd(self, problem: str) -> Failure | None:
        return Failure(
            code=FailureCode.ETC_UNUSABLE,
            judge=Judge.RUNTIME,
            errno="EISDIR",
            message=problem,
            why="runc looks the home directory up in /etc/passwd, which cannot be read",
            fix="let /etc/passwd be a plain file",
        )


# From 1.3.6 to 1.5.1 nothing changed in how a program is looked up and executed (standard_init_linux.go,
# init_linux.go).
VERSIONS = (
    Runc(
        version=(1, 1),
        exec_exit=1,
        init_infix="",
        tmpfs_keeps_mode=True,  # until 1.1.8
        mode_bits=True,
        basis=Basis(started="1.1.5", measured=EVERYTHING, read="1.1.15"),
    ),
    Runc(version=(1, 2), basis=Basis(read="1.2.8", texts="runc 1.3.6")),
    Runc(version=(1, 3), basis=Basis(started="1.3.6", measured=EVERYTHING - {Area.MOUNTS}, read="1.3.6")),
    Runc(version=(1, 4), basis=Basis(read="1.4.3", texts="runc 1.3.6")),
    Runc(version=(1, 5), basis=Basis(read="1.5.1", texts="runc 1.3.6")),
)
