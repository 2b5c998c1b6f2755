"""Kubernetes: the kubelet with the containerd that its release names, keyed by the versions of Kubernetes.

Sources: containerd's RELEASES.md for the pairs, Kubernetes' enhancement proposals 3619 (supplementalGroupsPolicy),
4960 (lifecycle.stopSignal) and 127 (user namespaces) for what a pod may say, and `cri_containerd` for the rest.
"""

from __future__ import annotations

from imagepeel.process.engines import cri_containerd
from imagepeel.process.engines.basis import Basis
from imagepeel.process.engines.cri_containerd import CriContainerd
from imagepeel.process.engines.family import EngineFamily


class Kubernetes(CriContainerd, frozen=True, kw_only=True):
    """A container of a pod, on a node of one Kubernetes release."""


_RELEASES: dict[int, tuple[tuple[int, int], str]] = {
    24: ((1, 6), "2023-07"),
    25: ((1, 6), "2023-10"),
    26: ((1, 7), "2024-02"),
    27: ((1, 7), "2024-06"),
    28: ((1, 7), "2024-10"),
    29: ((1, 7), "2025-02"),
    30: ((1, 7), "2025-06"),
    31: ((2, 0), "2025-10"),
    32: ((2, 0), "2026-02"),
    33: ((2, 1), "2026-06"),
    34: ((2, 1), "2026-10"),
    35: ((2, 2), ""),
    36: ((2, 2), ""),
    37: ((2, 3), ""),
}
"""Minor release, the containerd that stands for its nodes, and the month in which its support ended."""

PROBE_WORDS = 33
"""The release whose events say more of a probe that could not be executed (kubernetes/kubernetes#125901)."""
GROUPS_POLICY, USER_NAMESPACES, STOP_SIGNAL = 33, 33, 37
"""The releases from which the fields supplementalGroupsPolicy, hostUsers and lifecycle.stopSignal work unasked."""


def _release(minor: int, containerd: tuple[int, int], end_of_life: str) -> Kubernetes:
    version = ".".join(map(str, containerd))
    fields = cri_containerd.below(
        containerd,
        name="k8s",
        version=(1, minor),
        note=f"Kubernetes 1.{minor}, on nodes with containerd {version}",
        end_of_life=end_of_life,
        basis=Basis(read=f"1.{minor} with containerd {version}"),
        knows_groups_policy=minor >= GROUPS_POLICY,
        knows_user_namespaces=minor >= USER_NAMESPACES,
        knows_stop_signal=minor >= STOP_SIGNAL,
    )
    if minor < PROBE_WORDS:
        fields["probe_errored"] = "errored"
    return Kubernetes(**fields)


FAMILY = EngineFamily(
    name="k8s",
    versions=tuple(_release(minor, *more) for minor, more in _RELEASES.items()),
    default=(1, 37),
    matrix=((1, 37),),
)
