"""containerd's CRI plugin: what a kubelet asks for a container, keyed by the versions of containerd.

Sources: kubelet (kuberuntime, security_context), containerd's CRI plugin at the named versions.  `kubernetes` has the
same profiles by the versions of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from imagepeel.process.engines import containerd
from imagepeel.process.engines.basis import Basis
from imagepeel.process.engines.engine import HOST_FILES, Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import Addition


class CriContainerd(Engine, frozen=True, kw_only=True):
    """A container of a pod."""

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = runtime.refusal(failure.message, failure.phase, run=False)
        shown = f"failed to create containerd task: {self.create_failed(words)}"
        return EngineMessage(text=shown, exit_code=128, state_exit_code=128)

    def exec_failed(self, words: str) -> str:
        start = 'rpc error: code = Unknown desc = failed to exec in container: failed to start exec "<exec-id>": '
        return start + super().exec_failed(words)

    def refuse_root(self, user: str, uid: int, *, by_option: bool) -> Failure | None:
        name = user.split(":", 1)[0]
        if name and name != "0" and name.isdigit():
            return None
        if not name or name == "0":
            message = "container has runAsNonRoot and image will run as root"
            fix = "set a numeric USER other than 0, or runAsUser"
            if by_option:
                message, fix = "container's runAsUser breaks non-root policy", "set runAsUser to another number than 0"
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

    def additions(self, argv: Sequence[str]) -> list[Addition]:
        what = "one variable per service of the namespace"
        return [Addition(kind="setting", path="", what=what, origin=self.label)]


_FIRST = CriContainerd(
    name="cri-containerd",
    version=(1, 6),
    runtime="runc@1.1",
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
    admits_pods=True,
    expands_words=True,
)


def _like(client: Engine) -> CriContainerd:
    """The plugin in the containerd that another client's profile describes."""
    return msgspec.structs.replace(
        _FIRST,
        version=client.version,
        runtime=client.runtime,
        loaded_by=f"containerd@{'.'.join(map(str, client.version))}",
        note=f"a kubelet with containerd {'.'.join(map(str, client.version))}",
        end_of_life=client.end_of_life,
        says_unknown=client.says_unknown,
        strict_ids=client.strict_ids,
        reads_accounts=client.reads_accounts,
        account_links=client.account_links,
        low_ports=client.version >= (2,),
        knows_groups_policy=client.version >= (2,),
        knows_user_namespaces=client.version >= (2,),
        knows_stop_signal=client.version >= (2, 1),
        basis=Basis(read=client.basis.read),
    )


VERSIONS: tuple[CriContainerd, ...] = tuple(_like(client) for client in containerd.FAMILY.versions)
FAMILY = EngineFamily(
    name="cri-containerd",
    versions=VERSIONS,
    patches=tuple(_like(client) for client in containerd.FAMILY.patches),
    default=VERSIONS[-1].version,
)


def below(client: tuple[int, ...], **more: Any) -> dict[str, Any]:
    """The fields of the plugin's profile of a containerd, for a kubelet that runs with it."""
    found = next(one for one in VERSIONS if one.version == client)
    return msgspec.structs.asdict(found) | more
