"""What a pod says to those who operate it: ports, probes, state, limits, owners."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.deploy.kubernetes_values import PodText
from imagepeel.deploy.marked import Node
from imagepeel.deploy.wanted import Facts, Field

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_OWNERS = ("app.kubernetes.io/managed-by", "app.kubernetes.io/part-of", "owner", "team", "contact", "maintainer")
"""Labels and annotations that name an owner; the first two are kubernetes.io's "Recommended Labels"."""


def facts_of(pod: PodText) -> Iterator[Facts]:
    """Yield the facts of each container of a pod that stays."""
    owners = tuple(_owners(pod.template)) + (tuple(_owners(pod.document)) if pod.document is not pod.template else ())
    for container in pod.spec.each("containers"):
        yield Facts(
            container=container.string("name"),
            place=container.place,
            ports=tuple(_ports(container)),
            probes=tuple(_probes(container)),
            state=tuple(_state(pod, container)),
            limits=tuple(_limits(container)),
            owners=owners,
        )


def _ports(container: Node) -> Iterator[Field]:
    for port in container.each("ports"):
        number = port.get("containerPort")
        name = port.string("name")
        shown = number.as_scalar() if number is not None else "?"
        protocol = port.string("protocol", "TCP")
        yield Field(name=f"{shown}/{protocol.lower()}" + (f" ({name})" if name else ""), place=port.place)


def _probes(container: Node) -> Iterator[Field]:
    for name in _PROBES:
        probe = container.get(name)
        if probe is None:
            continue
        how = next((key for key in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(key) is not None), "nothing")
        yield Field(name=f"{name} by {how}", place=probe.place)


def _state(pod: PodText, container: Node) -> Iterator[Field]:
    volumes = {volume.string("name"): volume for volume in pod.spec.each("volumes")}
    for mount in container.each("volumeMounts"):
        name = mount.string("name")
        volume = volumes.get(name)
        lasting = name in pod.volume_claims or (volume is not None and volume.get("persistentVolumeClaim") is not None)
        if lasting:
            yield Field(name=f"{mount.string('mountPath')} is kept in the claim {name}", place=mount.place)
        elif volume is not None and "emptyDir" in volume.mapping():
            yield Field(name=f"{mount.string('mountPath')} is gone with the pod", place=mount.place)


def _limits(container: Node) -> Iterator[Field]:
    for part in ("requests", "limits"):
        given = container.get("resources", part)
        for name, value in (given.mapping() if given is not None else {}).items():
            yield Field(name=f"{part} {name} {value.as_scalar()}", place=value.place)


def _owners(node: Node) -> Iterator[Field]:
    for part in ("labels", "annotations"):
        given = node.get("metadata", part)
        for name, value in (given.mapping() if given is not None else {}).items():
            if name in _OWNERS or name.rsplit("/", 1)[-1] in _OWNERS:
                yield Field(name=f"{name}: {value.as_scalar()}", place=value.place)
