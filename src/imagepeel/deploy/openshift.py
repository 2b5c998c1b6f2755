"""OpenShift's security context constraint restricted-v2: an arbitrary uid with group 0, no capabilities, no new rights.

Sources: openshift/cluster-kube-apiserver-operator, bindata/bootkube/scc-manifests, scc-restricted-v2.yaml; Red Hat
documentation, "Managing security context constraints", sections "About security context constraints" and "About
pre-allocated security context constraints values".
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagepeel.deploy.kubernetes_values import PodText, field_path
from imagepeel.deploy.marked import Node
from imagepeel.deploy.place import Place
from imagepeel.deploy.pod_security import containers
from imagepeel.deploy.wanted import Refusal
from imagepeel.errors import UsageError
from imagepeel.process.spec.options import ProcessOptions

NAMES = ("restricted-v2",)
UID, UIDS = 1_000_640_000, 10_000
"""A range as OpenShift gives one to a namespace, which no file of a deployment names: every other one is like it."""

_SOURCE = "openshift/cluster-kube-apiserver-operator, scc-restricted-v2.yaml, {field}"
_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)


def check_name(scc: str) -> None:
    """UsageError for a constraint that is not known here."""
    if scc and scc not in NAMES:
        raise UsageError(f"the constraint {scc!r} is not known here", hint="choose one with --scc: " + ", ".join(NAMES))


def constrained(options: ProcessOptions, *, inside: bool) -> ProcessOptions:
    """The options of a start as the constraint changes them: what the pod leaves open gets the namespace's values.

    What is executed `inside` a container that runs is not asked for its user again.
    """
    return msgspec.structs.replace(
        options,
        user=options.user or str(UID),
        run_as_group=0 if options.run_as_group is None else options.run_as_group,
        groups=options.groups or (UID,),
        cap_drop=("ALL",),
        cap_add=tuple(name for name in options.cap_add if name == "NET_BIND_SERVICE"),
        no_new_privileges=True,
        run_as_non_root=not inside,
    )


def violations(pod: PodText) -> Iterator[Refusal]:
    """Yield what the constraint refuses of a pod."""
    for field, where, words in (*_host(pod), *_users(pod), *_containers(pod)):
        yield Refusal(
            by='SCC "restricted-v2"',
            text=f"{field_path(where)}: {words}",
            source=_SOURCE.format(field=field),
            place=where,
        )


def _host(pod: PodText) -> Iterator[tuple[str, Place, str]]:
    for name, field in (("hostNetwork", "allowHostNetwork"), ("hostPID", "allowHostPID"), ("hostIPC", "allowHostIPC")):
        flag = pod.spec.get(name)
        if flag is not None and flag.as_flag():
            yield field, flag.place, f"Invalid value: true: {name} is not allowed to be used"
    for volume in pod.spec.each("volumes"):
        for kind in volume.mapping():
            if kind != "name" and kind not in _VOLUMES:
                yield "volumes", volume.place, f'Invalid value: "{kind}": {kind} volumes are not allowed to be used'


def _users(pod: PodText) -> Iterator[tuple[str, Place, str]]:
    for node in (pod.spec, *containers(pod)):
        own = node.get("securityContext")
        user = own.get("runAsUser") if own is not None else None
        if user is not None and not UID <= user.as_number() < UID + UIDS:
            ranges = f"must be in the ranges: [{UID}, {UID + UIDS - 1}]"
            yield "runAsUser", user.place, f"Invalid value: {user.as_number()}: {ranges}"
    own = pod.spec.get("securityContext")
    group = own.get("fsGroup") if own is not None else None
    if group is not None and not UID <= group.as_number() < UID + UIDS:
        yield (
            "fsGroup",
            group.place,
            f"Invalid value: [{group.as_number()}]: {group.as_number()} is not an allowed group",
        )


def _containers(pod: PodText) -> Iterator[tuple[str, Place, str]]:
    for one in containers(pod):
        own = one.get("securityContext")
        if own is not None:
            yield from _security(own)
        for port in one.each("ports"):
            number = port.get("hostPort")
            if number is not None:
                words = f"Invalid value: {number.as_number()}: Host ports are not allowed to be used"
                yield "allowHostPorts", number.place, words


def _security(own: Node) -> Iterator[tuple[str, Place, str]]:
    flag = own.get("privileged")
    if flag is not None and flag.as_flag():
        yield "allowPrivilegedContainer", flag.place, "Invalid value: true: Privileged containers are not allowed"
    escalate = own.get("allowPrivilegeEscalation")
    if escalate is not None and escalate.as_flag():
        what = "Allowing privilege escalation for containers is not allowed"
        yield "allowPrivilegeEscalation", escalate.place, f"Invalid value: true: {what}"
    added = own.get("capabilities", "add")
    for name in added.as_texts() if added is not None else ():
        if name != "NET_BIND_SERVICE" and added is not None:
            yield "allowedCapabilities", added.place, f'Invalid value: "{name}": capability may not be added'
    profile = own.get("seccompProfile", "type")
    if profile is not None and profile.as_text() != "RuntimeDefault":
        yield "seccompProfiles", profile.place, f"Forbidden: {profile.as_text()} is not an allowed seccomp profile"
