"""CRI-O, the engine below OpenShift's kubelet.

Sources: cri-o at f954a17e (2026), read, not started: its default capabilities and its default runtime, crun.  OpenShift
puts its own rules on top: the restricted SCC starts a pod with a uid of the namespace's range, group 0, without
capabilities, and with no_new_privs; options of the call say that (`--user 1000640000:0 --cap-drop ALL
--no-new-privileges`).
"""

from __future__ import annotations

from imagepeel.process.engines import cri_containerd
from imagepeel.process.engines.basis import Basis
from imagepeel.process.engines.capabilities import USUAL_CAPABILITIES
from imagepeel.process.engines.cri_containerd import CriContainerd
from imagepeel.process.engines.engine import HOST_FILES
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.failure import Failure

_NOT_GIVEN = frozenset({"SYS_CHROOT", "SETFCAP", "MKNOD", "NET_RAW", "AUDIT_WRITE"})


class Crio(CriContainerd, frozen=True, kw_only=True):
    """A container of a pod, made by CRI-O."""

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = runtime.refusal(failure.message, failure.phase, run=False)
        return EngineMessage(text=f"container create failed: {words}", exit_code=128, state_exit_code=128)

    def exec_failed(self, words: str) -> str:
        return f"rpc error: code = Unknown desc = command error: {words}"


_1 = Crio(
    **cri_containerd.below(
        cri_containerd.FAMILY.default,
        name="cri-o",
        version=(1,),
        runtime="crun@1.28",
        note="CRI-O as OpenShift runs it, before the rules of an SCC",
        user_rules="cri-moby",
        nobody_rules="moby",
        strict_ids=False,
        stats_account_files=False,
        says_unknown=False,
        capabilities=tuple(name for name in USUAL_CAPABILITIES if name not in _NOT_GIVEN),
        workdir_maker="the engine",
        view="podman",
        loaded_by="podman@5.8",
        volumes="host-copy",
        injected=(*HOST_FILES, "/run/.containerenv", "/var/run/secrets/kubernetes.io/serviceaccount"),
        basis=Basis(read="f954a17e"),
    )
)

FAMILY = EngineFamily(name="cri-o", versions=(_1,), default=(1,), matrix=((1,),))
