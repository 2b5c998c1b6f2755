"""The environment: what is missing in it, and what it asks of the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.findings.advisories import ADVISORIES
from imagepeel.findings.dockerfile_lines import PATH_LINE
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.process.engines.registry import CONTAINERD
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import listed

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject


@rule(
    "NO-PATH",
    "Env sets variables and no PATH",
    "low",
    "strengths",
    "deployments",
    why="""Docker, podman and Kubernetes always add a default PATH.  Plain containerd adds one only when Env is empty,
    so this image has no PATH there: a command without a slash is not found, and scripts meet the same.""",
    fix="add ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    codes="W30",
    dockerfile=(PATH_LINE,),
    sources="containerd pkg/oci/spec_opts.go",
)
def no_path(rule: Rule, subject: Subject) -> Iterator[Finding]:
    env = subject.config.env
    if env and subject.paperwork and not subject.foreign and not any(entry.startswith("PATH=") for entry in env):
        yield rule.report(
            "plain containerd starts this image without PATH: Env is set and does not hold one",
            subject.pointer("/config/Env"),
            profiles=(CONTAINERD,),
        )


@rule(
    "ENV-ASKS-THE-HOST",
    "An Env entry without `=` asks for the host's variables",
    "medium",
    "headcount",
    "infosec",
    why="""Docker and containerd take `NAME` without `=` as "unset it".  podman before the fix of CVE-2026-57231 filled
    in the value from the environment of the host, and `*` imported all of it: an image can ask for secrets by name.""",
    fix="remove the entry; do not run this image with an old podman",
    codes="W31",
    sources="podman PR 29027",
    advisories="CVE-2026-57231",
)
def asks_the_host(rule: Rule, subject: Subject) -> Iterator[Finding]:
    unsafe = ADVISORIES[rule.advisories[0]].unsafe
    for index, entry in enumerate(subject.config.env):
        if entry and "=" not in entry:
            what = "every variable" if entry == "*" else f"variables matching {entry}" if "*" in entry else entry
            yield rule.report(
                f"Env entry {entry!r} has no `=`: {unsafe} copies {what} from the host into the container",
                subject.pointer(f"/config/Env/{index}"),
            )


@rule(
    "ENV-TWICE",
    "A variable is set twice",
    "low",
    "friends",
    "tooling",
    why="""The last value wins in every runtime, and tools that read the config often show the first.""",
    fix="keep one entry",
    sources="runc libcontainer/env.go",
)
def env_twice(rule: Rule, subject: Subject) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, entry in enumerate(subject.config.env):
        name, equals, value = entry.partition("=")
        if not equals or not name:
            continue
        if name in seen and subject.config.env[seen[name]].partition("=")[2] != value:
            yield rule.report(
                f"{name} is set twice with different values: the last one wins",
                subject.pointer(f"/config/Env/{index}"),
                subject.pointer(f"/config/Env/{seen[name]}"),
            )
        seen[name] = index


@rule(
    "PRIVILEGED-PORT",
    "A port below 1024 for a user who is not root",
    "low",
    "friends",
    "networking",
    why="""Docker and containerd 2 open low ports to every user.  Older container runtimes in Kubernetes, plain
    containerd and rootless setups do not: bind answers permission denied.""",
    fix="listen on a port from 1024 on, and map it",
    codes="W70",
    decides="which port the program listens on, and who maps it",
    sources="ip(7) ip_unprivileged_port_start",
)
def privileged_port(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.uid == 0 or subject.failed(FailureCode.USER_UNKNOWN):
        return
    low = [port for port in subject.run.exposed_ports if _number(port) is not None and 0 < (_number(port) or 0) < 1024]
    key = b"SCHILY.xattr.security.capability"
    if not low or any(key in extra.pax for layer in subject.layers for extra in layer.table.extras.values()):
        return
    yield rule.report(
        f"uid {subject.uid} listens on {listed(low)}: refused by containerd 1.x, older Kubernetes and rootless engines",
        subject.pointer("/config/ExposedPorts"),
        subject.pointer("/config/User"),
        profiles=(CONTAINERD,),
    )


@rule(
    "EXPOSE-IS-A-NOTE",
    "EXPOSE opens nothing",
    "low",
    "friends",
    "networking",
    why="""EXPOSE is documentation.  It publishes no port and closes none: `-p` publishes, whether a port is listed or
    not, and other containers on the network reach every port that listens.""",
    fix="publish with -p, restrict with a network policy",
    codes="W69",
    decides="which ports are published, and to whom",
    sources="docs.docker.com EXPOSE",
)
def expose(rule: Rule, subject: Subject) -> Iterator[Finding]:
    ports = subject.run.exposed_ports
    if not ports:
        return
    odd = [port for port in ports if _number(port) is None or not 0 < (_number(port) or 0) < 65536]
    if odd:
        yield rule.report(
            f"ExposedPorts lists {listed([repr(port) for port in odd])}, which is no port",
            subject.pointer("/config/ExposedPorts"),
        )
    elif len(ports) > 20:
        yield rule.report(
            f"{len(ports)} ports are listed: `docker run -P` publishes every one of them",
            subject.pointer("/config/ExposedPorts"),
            severity="info",
        )


def _number(port: str) -> int | None:
    number = port.partition("/")[0].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 7 else None


RULES: tuple[Rule, ...] = (
    no_path,
    asks_the_host,
    env_twice,
    privileged_port,
    expose,
)
