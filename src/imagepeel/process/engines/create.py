"""What an engine refuses before any process is thought of: too many layers, ids it cannot map, volumes over files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagepeel.evidence import text
from imagepeel.process.engines import verdict
from imagepeel.process.engines.messages import MOUNT
from imagepeel.process.engines.mounts import mounts
from imagepeel.process.engines.pid1 import parse_signal
from imagepeel.process.spec import trace
from imagepeel.process.spec.intent import ProcessSpec
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import Engine, Runtime
from imagepeel.process.spec.values import Verdict

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

DOCKER_LAYERS = 125
"""Layers that docker stacks at most (moby `maxLayerDepth`)."""

SUBORDINATE_IDS = 65_536
"""Ids of the range that /etc/subuid gives a user by default; 0 and 1..65535 of the image map into it."""


def refusal(
    rootfs: Rootfs, config: Any, wanted: ProcessSpec, options: ProcessOptions, engine: Engine, label: str
) -> Verdict | None:
    """The first reason against the image as such, in the order of pull and create; None when there is none."""
    return (
        _depth(config, engine, label)
        or (_ids(rootfs, engine, label) if options.rootless else None)
        or _signal(wanted, options, engine, label)
    )


def _depth(config: Any, engine: Engine, label: str) -> Verdict | None:
    count = len(getattr(config, "diff_ids", ()) or ())
    if engine.family != "docker" or count <= DOCKER_LAYERS:
        return None
    why = f"the image has {count} layers; this engine stacks {DOCKER_LAYERS} at most"
    return verdict.by_engine(
        engine,
        label,
        "F41",
        "max depth exceeded",
        why,
        "join RUN steps or squash the image",
        trace.config_place("/rootfs/diff_ids"),
        created=False,
    )


def _ids(rootfs: Rootfs, engine: Engine, label: str) -> Verdict | None:
    for path, node in rootfs.walk():
        if max(node.uid, node.gid) < SUBORDINATE_IDS:
            continue
        name = text(path)
        message = (
            f"potentially insufficient UIDs or GIDs available in user namespace (requested {node.uid}:{node.gid} for "
            f'{name}): Check /etc/subuid and /etc/subgid if configured locally and run "podman system migrate": '
            f"lchown {name}: invalid argument"
        )
        why = f"{name} belongs to {node.uid}:{node.gid}; a rootless engine maps ids below {SUBORDINATE_IDS} by default"
        return verdict.by_engine(
            engine,
            label,
            "F40",
            message,
            why,
            f"chown {name} to an id below {SUBORDINATE_IDS}",
            trace.locate(rootfs, path),
            "EINVAL",
            created=False,
        )
    return None


def _signal(wanted: ProcessSpec, options: ProcessOptions, engine: Engine, label: str) -> Verdict | None:
    given = options.stop_signal or wanted.stop_signal
    if engine.bad_stop_signal != "refuse" or not given or parse_signal(given) is not None:
        return None
    why = f"StopSignal {given!r} is no signal, and this engine looks at it before it makes the container"
    where = trace.config_place("/config/StopSignal")
    return verdict.by_engine(
        engine, label, "W62", f"invalid signal: {given}", why, "write a name such as SIGTERM", where, created=False
    )


def volumes(rootfs: Rootfs, wanted: ProcessSpec, engine: Engine, label: str) -> Verdict | None:
    """F38: a declared volume lies over something that is no directory."""
    if engine.volumes not in {"copy", "host-copy"}:
        return None
    for path in wanted.volumes:
        found = rootfs.resolve(path)
        node = found.node
        if node is None or node.is_dir:
            continue
        why = f"VOLUME {path} names a {node.kind}, not a directory"
        where = trace.locate(rootfs, path)
        if engine.family != "docker":
            return verdict.unknown(label, f"{why}; what this engine does then was not measured", where)
        message = f"cannot mount volume over existing file, file exists {MOUNT}{text(found.path)}"
        return verdict.by_engine(
            engine,
            label,
            "F38",
            message,
            why,
            "let VOLUME name a directory",
            where,
            "EEXIST",
            created=False,
        )
    return None


def no_command(engine: Engine, runtime: Runtime, label: str) -> Verdict:
    """F9: neither Entrypoint nor Cmd, in the words of whoever notices first."""
    fix = "give the image an ENTRYPOINT or CMD, or name a command"
    why = "neither Entrypoint nor Cmd is set, and no command was given"
    if engine.family == "bundle" and runtime.family == "crun":
        message = "open executable: Invalid argument"
        return verdict.by_runtime(engine, runtime, label, "F9", "EINVAL", message, why, fix)
    if engine.family in {"bundle", "containerd"}:
        message = "args must not be empty"
        return verdict.by_runtime(engine, runtime, label, "F9", "EINVAL", message, why, fix, kind="bare")
    message = "no command specified"
    if engine.family == "docker" and engine.version < (23,):
        message = "No command specified"
    elif engine.family == "podman":
        message = "no command or entrypoint provided, and no CMD or ENTRYPOINT from image"
    return verdict.by_engine(engine, label, "F9", message, why, fix, created=False)


def non_root(spec: str, uid: int, engine: Engine, label: str) -> Verdict | None:
    """F39: Kubernetes' runAsNonRoot looks at the string of the config only, never at /etc/passwd."""
    name = spec.split(":", 1)[0]
    if name and name != "0" and name.isdigit():
        return None
    if not name or name == "0":
        message = "container has runAsNonRoot and image will run as root"
        fix = "set a numeric USER other than 0, or runAsUser"
    else:
        message = f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
        fix = f"write USER {uid} instead of {name}, or set runAsUser"
    why = "the kubelet reads the config, not /etc/passwd"
    return verdict.by_engine(engine, label, "F39", message, why, fix, trace.config_place("/config/User"))


def mount_points(rootfs: Rootfs, engine: Engine, label: str) -> Verdict | None:
    """Where a mount of the engine meets something else than a directory, nothing is proved."""
    tops = {mount["destination"].split("/")[1] for mount in mounts(engine)}
    tops |= {path.split("/")[1] for path in engine.injected}
    for top in sorted(tops):
        node = rootfs.resolve(f"/{top}", follow=False).node
        if node is None or node.is_dir:
            continue
        target = rootfs.resolve(f"/{top}").node
        if target is not None and target.is_dir and engine.family != "docker":
            continue
        if top == "etc" and node.is_file and engine.family == "docker":
            continue  # docker puts an empty directory in its place: there is no passwd then
        if top == "etc" and node.is_file and engine.family == "podman":
            message = "creating /etc/mtab symlink: not a directory"
            why, fix = "/etc is a file, and podman makes a link in it", "let /etc be a directory"
            return verdict.by_engine(engine, label, "F42", message, why, fix, trace.locate(rootfs, "/etc"), "ENOTDIR")
        reason = f"/{top} is a {node.kind}, and the engine mounts or makes files there"
        return verdict.unknown(label, reason, trace.locate(rootfs, f"/{top}"))
    return None
