"""The Pod Security standards: what a namespace of a level refuses, in the words of the admission plugin.

Source: kubernetes.io, "Pod Security Standards", sections Baseline and Restricted (each control is named below), and
k8s.io/pod-security-admission policy/check_*.go for the words.  Windows pods are not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from imagepeel.deploy.kubernetes_values import PodText
from imagepeel.deploy.marked import Node
from imagepeel.deploy.place import Place
from imagepeel.deploy.wanted import Refusal
from imagepeel.errors import UsageError

LEVELS = ("privileged", "baseline", "restricted")
_PAGE = 'kubernetes.io, "Pod Security Standards"'
_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SELINUX = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip
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
_PROBE_HOST = 34
"""The release from which a probe or hook may name no host."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One control that a pod breaks."""

    control: str
    """Its section in the standard."""
    reason: str
    """The words of the plugin, without the detail."""
    detail: str
    place: Place


Check = Callable[[PodText, int], Iterator[Violation]]


def parse_level(given: str) -> tuple[str, int]:
    """Return level and minor release of `LEVEL[:vX.Y]`, the newest without a version.  UsageError for another level."""
    level, _, version = given.partition(":")
    if level not in LEVELS:
        raise UsageError(f"{level!r} is no level of Pod Security", hint="there are " + ", ".join(LEVELS))
    minor = version.removeprefix("v").partition(".")[2]
    if version and version != "latest" and not minor.isdecimal():
        raise UsageError(f"{version!r} is no version of Pod Security", hint="write latest or v1.36")
    return level, int(minor) if minor else 10_000


def violations(pod: PodText, given: str) -> Iterator[Refusal]:
    """Yield one refusal for each control of a level that a pod breaks.  UsageError for an unknown level."""
    level, release = parse_level(given)
    version = given.partition(":")[2] or "latest"
    checks = {"privileged": (), "baseline": BASELINE, "restricted": (*BASELINE, *RESTRICTED)}[level]
    for check in checks:
        for found in _together(check(pod, release)):
            yield Refusal(
                by=f'PodSecurity "{level}:{version}"',
                text=f"{found.reason} ({found.detail})" if found.detail else found.reason,
                source=f"{_PAGE}, {found.control}",
                place=found.place,
            )


def _together(found: Iterator[Violation]) -> Iterator[Violation]:
    """One violation for all containers of which the same is said, at the place of the first."""
    grouped: dict[tuple[str, str, str], list[Violation]] = {}
    names: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        name = one.detail.partition('container "')[2].partition('"')[0]
        key = _key(one) if name else (one.reason, one.detail, "")
        grouped.setdefault(key, []).append(one)
        names.setdefault(key, []).append(name)
    for (_, owner, says), several in grouped.items():
        if not says or len(several) == 1:
            yield several[0]
            continue
        listed = ", ".join(f'"{name}"' for name in names[_key(several[0])])
        yield msgspec.structs.replace(several[0], detail=f"{owner}containers {listed}{says}")


def _key(one: Violation) -> tuple[str, str, str]:
    owner, _, rest = one.detail.partition('container "')
    return (one.reason, owner, rest.partition('"')[2])


def containers(pod: PodText) -> list[Node]:
    """The containers that the standards look at."""
    return [one for part in ("initContainers", "containers", "ephemeralContainers") for one in pod.spec.each(part)]


def _named(node: Node) -> str:
    return f'container "{node.string("name")}"'


def _setting(node: Node, *names: str) -> Node | None:
    own = node.get("securityContext")
    return own.get(*names) if own is not None else None


def _host_namespaces(pod: PodText, _: int) -> Iterator[Violation]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        flag = pod.spec.get(name)
        if flag is not None and flag.as_flag():
            yield Violation(
                control="Host Namespaces", reason="host namespaces", detail=f"{name}=true", place=flag.place
            )


def _privileged(pod: PodText, _: int) -> Iterator[Violation]:
    for one in containers(pod):
        flag = _setting(one, "privileged")
        if flag is not None and flag.as_flag():
            yield Violation(
                control="Privileged Containers",
                reason="privileged",
                detail=f"{_named(one)} must not set securityContext.privileged=true",
                place=flag.place,
            )


def _capabilities(pod: PodText, _: int) -> Iterator[Violation]:
    for one in containers(pod):
        added = _setting(one, "capabilities", "add")
        beyond = [word for word in added.as_texts() if word not in _BASELINE_CAPABILITIES] if added is not None else []
        if added is not None and beyond:
            names = ", ".join(f'"{word}"' for word in beyond)
            yield Violation(
                control="Capabilities",
                reason="non-default capabilities",
                detail=f"{_named(one)} must not include {names} in securityContext.capabilities.add",
                place=added.place,
            )


def _host_path(pod: PodText, _: int) -> Iterator[Violation]:
    for volume in pod.spec.each("volumes"):
        source = volume.get("hostPath")
        if source is not None:
            name = volume.string("name")
            yield Violation(
                control="HostPath Volumes", reason="hostPath volumes", detail=f'volume "{name}"', place=source.place
            )


def _host_ports(pod: PodText, _: int) -> Iterator[Violation]:
    for one in containers(pod):
        for port in one.each("ports"):
            number = port.get("hostPort")
            if number is not None and number.as_number():
                yield Violation(
                    control="Host Ports",
                    reason="hostPort",
                    detail=f"{_named(one)} uses hostPort {number.as_number()}",
                    place=number.place,
                )


def _probe_host(pod: PodText, release: int) -> Iterator[Violation]:
    if release < _PROBE_HOST:
        return
    where = [(probe, kind) for probe in ("livenessProbe", "readinessProbe", "startupProbe")
             for kind in ("httpGet", "tcpSocket")]  # fmt: skip
    for one in containers(pod):
        found = [one.get(probe, kind, "host") for probe, kind in where]
        found += [one.get("lifecycle", hook, kind, "host") for hook in ("postStart", "preStop")
                  for kind in ("httpGet", "tcpSocket")]  # fmt: skip
        for host in found:
            if host is not None and host.as_text():
                yield Violation(
                    control="Host Probes / Lifecycle Hooks (v1.34+)",
                    reason="probe or lifecycle host",
                    detail=f"{_named(one)} must not set a host",
                    place=host.place,
                )


def _app_armor(pod: PodText, _: int) -> Iterator[Violation]:
    for owner, node in [("pod", pod.spec), *((_named(one), one) for one in containers(pod))]:
        kind = _setting(node, "appArmorProfile", "type")
        if kind is not None and kind.as_text() not in ("RuntimeDefault", "Localhost", ""):
            yield Violation(
                control="AppArmor",
                reason="forbidden AppArmor profile",
                detail=f'{owner} must not set AppArmor profile type to "{kind.as_text()}"',
                place=kind.place,
            )


def _selinux(pod: PodText, _: int) -> Iterator[Violation]:
    for owner, node in [("pod", pod.spec), *((_named(one), one) for one in containers(pod))]:
        options = _setting(node, "seLinuxOptions")
        if options is None:
            continue
        kind = options.string("type")
        wrong = [f'type "{kind}"'] if kind not in _SELINUX else []
        wrong += [f"{name} may not be set" for name in ("user", "role") if options.string(name)]
        if wrong:
            yield Violation(
                control="SELinux", reason="seLinuxOptions", detail=f"{owner} set forbidden securityContext."
                f"seLinuxOptions: {'; '.join(wrong)}", place=options.place,
            )  # fmt: skip


def _proc_mount(pod: PodText, _: int) -> Iterator[Violation]:
    for one in containers(pod):
        kind = _setting(one, "procMount")
        if kind is not None and kind.as_text() not in ("", "Default"):
            detail = f'{_named(one)} must not set securityContext.procMount to "{kind.as_text()}"'
            yield Violation(control="/proc Mount Type", reason="procMount", detail=detail, place=kind.place)


def _seccomp_unconfined(pod: PodText, _: int) -> Iterator[Violation]:
    for owner, node in [("pod", pod.spec), *((_named(one), one) for one in containers(pod))]:
        kind = _setting(node, "seccompProfile", "type")
        if kind is not None and kind.as_text() not in ("RuntimeDefault", "Localhost"):
            detail = f'{owner} must not set securityContext.seccompProfile.type to "{kind.as_text()}"'
            yield Violation(control="Seccomp", reason="seccompProfile", detail=detail, place=kind.place)


def _sysctls(pod: PodText, _: int) -> Iterator[Violation]:
    security = pod.spec.get("securityContext")
    for one in security.each("sysctls") if security is not None else []:
        if one.string("name") not in _SYSCTLS:
            detail = one.string("name")
            yield Violation(control="Sysctls", reason="forbidden sysctls", detail=detail, place=one.place)


def _volume_types(pod: PodText, _: int) -> Iterator[Violation]:
    for volume in pod.spec.each("volumes"):
        kinds = [name for name in volume.mapping() if name != "name" and name not in _VOLUMES]
        if kinds:
            yield Violation(
                control="Volume Types",
                reason="restricted volume types",
                detail=f'volume "{volume.string("name")}" uses restricted volume type "{kinds[0]}"',
                place=volume.place,
            )


def _escalation(pod: PodText, _: int) -> Iterator[Violation]:
    for one in containers(pod):
        flag = _setting(one, "allowPrivilegeEscalation")
        if flag is None or flag.as_flag():
            yield Violation(
                control="Privilege Escalation (v1.8+)",
                reason="allowPrivilegeEscalation != false",
                detail=f"{_named(one)} must set securityContext.allowPrivilegeEscalation=false",
                place=flag.place if flag is not None else one.place,
            )


def _non_root(pod: PodText, _: int) -> Iterator[Violation]:
    whole = _setting(pod.spec, "runAsNonRoot")
    for one in containers(pod):
        own = _setting(one, "runAsNonRoot")
        flag = own if own is not None else whole
        if flag is None or not flag.as_flag():
            owner = _named(one) if own is not None else f"pod or {_named(one)}"
            verb = "must not set securityContext.runAsNonRoot=false" if flag is not None else (
                "must set securityContext.runAsNonRoot=true")  # fmt: skip
            yield Violation(
                control="Running as Non-root",
                reason="runAsNonRoot != true",
                detail=f"{owner} {verb}",
                place=flag.place if flag is not None else one.place,
            )


def _non_root_user(pod: PodText, _: int) -> Iterator[Violation]:
    for owner, node in [("pod", pod.spec), *((_named(one), one) for one in containers(pod))]:
        user = _setting(node, "runAsUser")
        if user is not None and user.as_number() == 0:
            yield Violation(
                control="Running as Non-root user (v1.23+)",
                reason="runAsUser=0",
                detail=f"{owner} must not set runAsUser=0",
                place=user.place,
            )


def _seccomp(pod: PodText, _: int) -> Iterator[Violation]:
    whole = _setting(pod.spec, "seccompProfile", "type")
    for one in containers(pod):
        kind = _setting(one, "seccompProfile", "type")
        if kind is None and whole is None:
            yield Violation(
                control="Seccomp (v1.19+)",
                reason="seccompProfile",
                detail=(
                    f'pod or {_named(one)} must set securityContext.seccompProfile.type to "RuntimeDefault" or '
                    '"Localhost"'
                ),
                place=one.place,
            )


def _drops_all(pod: PodText, _: int) -> Iterator[Violation]:
    for one in containers(pod):
        drop, add = _setting(one, "capabilities", "drop"), _setting(one, "capabilities", "add")
        if drop is None or "ALL" not in drop.as_texts():
            yield Violation(
                control="Capabilities (v1.22+)",
                reason="unrestricted capabilities",
                detail=f'{_named(one)} must set securityContext.capabilities.drop=["ALL"]',
                place=drop.place if drop is not None else one.place,
            )
        beyond = [word for word in add.as_texts() if word != "NET_BIND_SERVICE"] if add is not None else []
        if add is not None and beyond:
            names = ", ".join(f'"{word}"' for word in beyond)
            yield Violation(
                control="Capabilities (v1.22+)",
                reason="unrestricted capabilities",
                detail=f"{_named(one)} must not include {names} in securityContext.capabilities.add",
                place=add.place,
            )


BASELINE: tuple[Check, ...] = (
    _host_namespaces, _privileged, _capabilities, _host_path, _host_ports, _probe_host, _app_armor, _selinux,
    _proc_mount, _seccomp_unconfined, _sysctls,
)  # fmt: skip
RESTRICTED: tuple[Check, ...] = (_volume_types, _escalation, _non_root, _non_root_user, _seccomp, _drops_all)
