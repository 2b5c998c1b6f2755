"""Kubernetes: the kubelet with containerd's CRI plugin.

Sources: kubelet (kuberuntime, security_context), containerd's CRI plugin at the named versions, and measured starts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.process.engines.containerd import nobody_in_range
from imagepeel.process.engines.engine import HOST_FILES, Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import Addition


class Kubernetes(Engine, frozen=True, kw_only=True):
    """A container of a pod."""

    knows_id_range: bool = True

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = runtime.refusal(failure.message, failure.phase, run=False)
        shown = (
            f"failed to create containerd task: failed to create shim task: OCI runtime create failed: {words}: unknown"
        )
        return EngineMessage(text=shown, exit_code=128, state_exit_code=128)

    def refuse_root(self, user: str, uid: int) -> Failure | None:
        name = user.split(":", 1)[0]
        if name and name != "0" and name.isdigit():
            return None
        if not name or name == "0":
            message = "container has runAsNonRoot and image will run as root"
            fix = "set a numeric USER other than 0, or runAsUser"
        else:
            message = (
                f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
            )
            fix = f"write USER {uid} instead of {name}, or set runAsUser"
        return Failure(
            code=FailureCode.RUN_AS_NON_ROOT,
            judge=Judge.ENGINE,
            message=message,
            why="the kubelet reads the config, not /etc/passwd",
            fix=fix,
            where=config_place("/config/User"),
        )

    def dropped_group(self, user: str, gid: int) -> str:
        return f"Kubernetes drops the group of {user!r}: gid {gid} comes from passwd, or is 0"

    def out_of_range(self, message: str, *, group: bool) -> str:
        return message if self.knows_id_range else nobody_in_range(group=group)

    def additions(self, argv: Sequence[str]) -> list[Addition]:
        what = "one variable per service of the namespace"
        return [Addition(kind="setting", path="", what=what, origin=self.label)]


_2 = Kubernetes(
    name="k8s",
    version=(2,),
    runtime="runc@1.3",
    note="Kubernetes with CRI-containerd 2",
    option_names=("command", "args"),
    no_command="no command specified",
    user_rules="cri",
    nobody_rules="containerd",
    stats_account_files=True,
    workdir_maker="the runtime",
    volumes="host-copy",
    injected=(*HOST_FILES, "/dev/termination-log", "/var/run/secrets/kubernetes.io/serviceaccount"),
    bad_stop_signal="cannot-stop",
    grace=30,
    records_exit=True,
)
_1_6 = msgspec.structs.replace(
    _2,
    version=(1, 6),
    runtime="runc@1.1",
    note="Kubernetes with CRI-containerd 1.6",
    knows_id_range=False,
    low_ports=False,
)

FAMILY = EngineFamily(
    name="k8s", aliases=("kubernetes", "kubelet", "cri"), versions=(_1_6, _2), default=(2,), matrix=((2,),)
)
