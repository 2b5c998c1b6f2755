"""Docker: dockerd and the docker command line.

Sources: moby and docker/cli at the named versions, and measured starts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.process.engines.basis import EVERYTHING, Area, Basis
from imagepeel.process.engines.engine import HOST_FILES, Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import MOUNT, EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.variables import Variable, given_first
from imagepeel.process.engines.workdir import Made, WorkdirTrouble
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase
from imagepeel.process.spec.values import Addition
from imagepeel.tables import ErrnoName

_MOUNT_HINT = (
    ": Are you trying to mount a directory onto a file (or vice-versa)? "
    "Check if the specified host path exists and is the expected type"
)
"""What dockerd adds to every ENOTDIR of a runtime, fitting or not."""


class Docker(Engine, frozen=True, kw_only=True):
    """dockerd with its own client."""

    names_the_task: bool = True
    """Its errors say `failed to create task for container`."""
    knows_eisdir: bool = True
    """Client and daemon have an exit code for `is a directory`."""
    cleans_workdir: bool = True

    def refusal(self, failure: Failure) -> EngineMessage:
        return self._message(f"Error response from daemon: {failure.message}", failure.created)

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = runtime.refusal(failure.message, failure.phase, run=False)
        task = "failed to create task for container: " if self.names_the_task else ""
        # Words that dockerd adds, so that older clients find the ones that they look for.
        denied = self.knows_eisdir and "is a directory" in words
        more = ": permission denied" if denied else _MOUNT_HINT if "not a directory" in words else ""
        return self._message(f"Error response from daemon: {task}{self.create_failed(words)}{more}", True)

    def _message(self, text: str, created: bool) -> EngineMessage:
        """The text with its exit codes.

        Docker itself reads them off the words of the error, wherever in it they stand: the client in docker/cli's
        `toStatusError`, the daemon in moby's `setExitCodeFromError`.  So do we, on the same text.
        """
        lower = text.lower()
        missing = "executable file not found" in lower or "no such file or directory" in lower
        denied = "permission denied" in lower or (self.knows_eisdir and "is a directory" in lower)
        client = 127 if missing else 126 if denied else 125
        state = 127 if missing or "not a directory" in lower else 126 if denied else 128
        return EngineMessage(text=text, exit_code=client, state_exit_code=state if created else None)

    def merge_environment(
        self, own: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
    ) -> list[Variable]:
        return given_first(own, image, given, notes)

    def relative_workdir(self, path: str) -> Failure | None:
        return Failure(
            code=FailureCode.WORKDIR_RELATIVE,
            judge=Judge.ENGINE,
            errno="EINVAL",
            message=f"the working directory '{path}' is invalid, it needs to be an absolute path",
            why=f"--workdir names {path!r}, which is relative",
            fix=f"write /{path}",
            phase=Phase.BARE,
            created=False,
        )

    def make_workdir(self, trouble: WorkdirTrouble) -> Made | Failure | None:
        if trouble.state == "missing":
            return self.made(trouble)
        if trouble.state == "dangling":
            note = f"{trouble.path} is a dangling link: the engine makes its target {trouble.target}"
            return Made(path=trouble.target, note=note)
        message = f"Cannot mkdir: {trouble.path} is not a directory"
        if trouble.state != "node":
            message = f"lstat {MOUNT}{trouble.lexical}: not a directory"
        if trouble.state == "loop":
            message = f"evalSymlinksInScope: too many links in {MOUNT}{trouble.lexical}"
        errno: ErrnoName = "ELOOP" if trouble.state == "loop" else "ENOTDIR"
        return trouble.refused(Judge.ENGINE, errno, message, created=False)

    def volume_over_file(self, place: str) -> str:
        return f"cannot mount volume over existing file, file exists {MOUNT}{place}"

    def additions(self, argv: Sequence[str]) -> list[Addition]:
        mtab = "a link to /proc/mounts, made when absent"
        return [
            Addition(kind="file", path="/etc/mtab", what=mtab, origin=self.label),
            Addition(kind="file", path="/dev/console", what="an empty file for the terminal", origin=self.label),
        ]


_28 = Docker(
    name="docker",
    version=(28,),
    runtime="runc@1.3",
    loaded_by="docker",
    user_rules="moby",
    nobody_rules="moby",
    view="docker@28",
    reads_accounts="whole",
    empties_account_directories=True,
    knows_user_namespaces=True,
    no_command="no command specified",
    makes_workdir_first=True,
    mounts_follow_links=False,
    repairs_mount_points=True,
    max_layers=125,  # moby's `maxLayerDepth`
    healthcheck=True,
    warns_of_platform=True,
    reads_stop_timeout=True,
    init_argv=("/sbin/docker-init", "--"),
    injected=(*HOST_FILES, "/.dockerenv"),
    records_exit=True,
    seccomp_errno="EPERM",
    basis=Basis(started="28.5.2", measured=EVERYTHING - {Area.COMMAND, Area.MOUNTS, Area.STOP}, read="28.5.2"),
)
_29 = msgspec.structs.replace(_28, version=(29,), basis=Basis(read="29.6", texts="docker 28.5.2"))
_29_7 = msgspec.structs.replace(
    _29,
    version=(29, 7),
    runtime="runc@1.4",
    view="docker",
    strict_ids=True,  # moby/sys user 0.4.1
    reads_accounts="bounded",
    grace_setting="dockerd's --default-stop-timeout",
    basis=Basis(read="29.7.2", texts="docker 28.5.2"),
)
_24 = msgspec.structs.replace(
    _28,
    version=(24,),
    runtime="runc@1.1",
    says_unknown=True,
    empties_account_directories=False,
    end_of_life="2024-06",
    basis=Basis(read="24.0.9", texts="docker 28.5.2"),
)
_23 = msgspec.structs.replace(
    _24,
    version=(23,),
    nonroot_effective=False,
    knows_eisdir=False,
    end_of_life="2024-05",
    basis=Basis(read="23.0.6", texts="docker 20.10.24"),
)
_20 = msgspec.structs.replace(
    _23,
    version=(20, 10),
    view="docker@20.10",
    names_the_task=False,
    no_command="No command specified",
    end_of_life="2023-12",
    basis=Basis(started="20.10.24", measured=EVERYTHING - {Area.STOP}, read="20.10.24"),
)

FAMILY = EngineFamily(
    name="docker",
    versions=(_20, _23, _24, _28, _29, _29_7),
    default=(29, 7),
    matrix=((20, 10), (29, 7)),
)
