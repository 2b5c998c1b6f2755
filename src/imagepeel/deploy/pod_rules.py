"""What the API server refuses of a pod, in its words; read in Kubernetes' pkg/apis/core/validation/validation.go.

Only rules that name a field of the file are here: what a cluster adds by admission is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from imagepeel.deploy.kubernetes_values import PodText, field_path, is_label, is_subdomain
from imagepeel.deploy.marked import Node
from imagepeel.deploy.place import Place
from imagepeel.deploy.wanted import Refusal

_words = str.split
_SOURCE = "Kubernetes, pkg/apis/core/validation/validation.go"
_STRICT = 'kubernetes.io, "Kubernetes API Concepts", Field validation'
_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_CONTAINER = frozenset(
    _words(
        """
        args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe
        resizePolicy resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce
        terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir
        """
    )
)
_SPEC = frozenset(
    _words(
        """
        activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy
        enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers hostname
        hostnameOverride imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy
        priority priorityClassName readinessGates resourceClaims resources restartPolicy runtimeClassName
        schedulerName schedulingGates securityContext serviceAccount serviceAccountName setHostnameAsFQDN
        shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations topologySpreadConstraints
        volumes workloadRef schedulingGroup
        """
    )
)
_SECURITY = frozenset(
    _words(
        """
        allowPrivilegeEscalation appArmorProfile capabilities privileged procMount readOnlyRootFilesystem
        runAsGroup runAsNonRoot runAsUser seLinuxOptions seccompProfile windowsOptions
        """
    )
)
_POD_SECURITY = frozenset(
    _words(
        """
        appArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy
        seLinuxOptions seccompProfile supplementalGroups supplementalGroupsPolicy sysctls windowsOptions
        """
    )
)
_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_UNITS: dict[str, Decimal | int] = {
    "": 1, "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9,
    "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


def refusals(pod: PodText) -> Iterator[Refusal]:
    """Yield what the API server refuses of one pod, in the order of its fields."""
    who = f'The {pod.kind} "{pod.name}" is invalid: '
    for text, where in (
        *_unknown_fields(pod),
        *_names(pod),
        *_mounts(pod),
        *_limits(pod),
        *_quantities(pod),
        *_stop_signals(pod),
        *_security(pod),
    ):
        strict = text.startswith("unknown field")
        words = f"strict decoding error: {text}" if strict else f"{who}{text}"
        yield Refusal(by="kube-apiserver", text=words, source=_STRICT if strict else _SOURCE, place=where)


def _containers(pod: PodText) -> list[Node]:
    return [*pod.spec.each("initContainers"), *pod.spec.each("containers")]


def _unknown_fields(pod: PodText) -> Iterator[tuple[str, Place]]:
    checked: list[tuple[Node | None, frozenset[str]]] = [
        (pod.spec, _SPEC), (pod.spec.get("securityContext"), _POD_SECURITY),
    ]  # fmt: skip
    for container in _containers(pod):
        checked += [(container, _CONTAINER), (container.get("securityContext"), _SECURITY)]
    for node, known in checked:
        for name in node.mapping() if node is not None else ():
            if name not in known and node is not None:
                path = f"{field_path(node.place)}.{name}"
                yield f'unknown field "{path}"', node.keys.get(name, node.place)


def _names(pod: PodText) -> Iterator[tuple[str, Place]]:
    meta = pod.document.get("metadata", "name")
    if meta is None and pod.document.get("metadata", "generateName") is None:
        yield "metadata.name: Required value: name or generateName is required", pod.document.place
    elif meta is not None and not is_subdomain(meta.as_scalar()):
        yield f"metadata.name: Invalid value: {_quoted(meta)}: {_SUBDOMAIN}", meta.place
    seen: set[str] = set()
    if not pod.spec.each("containers"):
        yield f"{field_path(pod.spec.place)}.containers: Required value", pod.spec.place
    for container in _containers(pod):
        name = container.get("name")
        if name is None:
            yield f"{field_path(container.place)}.name: Required value", container.place
        elif not is_label(name.as_scalar()):
            yield f"{field_path(name.place)}: Invalid value: {_quoted(name)}: {_LABEL}", name.place
        elif name.text in seen:
            yield f"{field_path(name.place)}: Duplicate value: {_quoted(name)}", name.place
        else:
            seen.add(name.text)


def _mounts(pod: PodText) -> Iterator[tuple[str, Place]]:
    volumes = {volume.string("name") for volume in pod.spec.each("volumes")} | set(pod.volume_claims)
    for container in _containers(pod):
        paths: set[str] = set()
        for mount in container.each("volumeMounts"):
            name, path = mount.get("name"), mount.get("mountPath")
            if name is not None and name.as_scalar() not in volumes:
                yield f"{field_path(name.place)}: Not found: {_quoted(name)}", name.place
            if path is None:
                yield f"{field_path(mount.place)}.mountPath: Required value", mount.place
            elif path.as_scalar() in paths:
                yield f"{field_path(path.place)}: Invalid value: {_quoted(path)}: must be unique", path.place
            else:
                paths.add(path.text)


def _limits(pod: PodText) -> Iterator[tuple[str, Place]]:
    for container in _containers(pod):
        requests, limits = (container.get("resources", part) for part in ("requests", "limits"))
        for name, value in (requests.mapping() if requests is not None else {}).items():
            limit = limits.get(name) if limits is not None else None
            asked, most = quantity(value.as_scalar()), quantity(limit.as_scalar()) if limit is not None else None
            if asked is not None and most is not None and asked > most and limit is not None:
                most_allowed = f"must be less than or equal to {name} limit of {limit.as_scalar()}"
                yield f"{field_path(value.place.parent)}: Invalid value: {_quoted(value)}: {most_allowed}", value.place


def _quantities(pod: PodText) -> Iterator[tuple[str, Place]]:
    for container in _containers(pod):
        for part in ("requests", "limits"):
            given = container.get("resources", part)
            for name, value in (given.mapping() if given is not None else {}).items():
                if quantity(value.as_scalar()) is None:
                    yield f"{field_path(value.place)}: Invalid value: {_quoted(value)}: {_QUANTITY}", value.place
                if "/" not in name and name not in _RESOURCES and not name.startswith("hugepages-"):
                    what = "must be a standard resource for containers"
                    yield f'{field_path(value.place.parent)}: Invalid value: "{name}": {what}', value.place


def _stop_signals(pod: PodText) -> Iterator[tuple[str, Place]]:
    if pod.spec.get("os", "name") is not None:
        return
    for container in _containers(pod):
        signal = container.get("lifecycle", "stopSignal")
        if signal is not None:
            what = "may not be set for containers with empty `spec.os.name`"
            yield f"{field_path(signal.place)}: Forbidden: {what}", signal.place


def _security(pod: PodText) -> Iterator[tuple[str, Place]]:
    for container in _containers(pod):
        own = container.get("securityContext")
        if own is None:
            continue
        escalate, privileged = own.get("allowPrivilegeEscalation"), own.get("privileged")
        if escalate is None or escalate.as_flag():
            continue
        if privileged is not None and privileged.as_flag():
            what = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield f"{field_path(own.place)}: Invalid value: {what}", escalate.place
        added = own.get("capabilities")
        if added is not None and any(one.as_text() in ("SYS_ADMIN", "CAP_SYS_ADMIN") for one in added.each("add")):
            what = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield f"{field_path(own.place)}: Invalid value: {what}", escalate.place


def quantity(text: str) -> Decimal | None:
    """The number that a quantity of Kubernetes stands for, None for no quantity."""
    digits = text.rstrip("".join({char for unit in _UNITS for char in unit}))
    unit = text[len(digits) :]
    try:
        return Decimal(digits) * _UNITS[unit]
    except (InvalidOperation, KeyError):
        return None


def _quoted(node: Node) -> str:
    return f'"{node.as_scalar()}"'
