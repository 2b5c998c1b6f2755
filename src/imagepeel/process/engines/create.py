"""What an engine refuses before any process is thought of: too many layers, ids it cannot map, volumes over files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.mounts import mounts
from imagepeel.process.engines.pid1 import parse_signal
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec import trace
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

SUBORDINATE_IDS = 65_536
"""Ids of the range that /etc/subuid gives a user by default; 0 and 1..65535 of the image map into it."""


def refuse_image(rootfs: Rootfs, wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> Failure | None:
    """The first reason against the image as such, in the order of pull and create; None when there is none."""
    return (
        _refuse_depth(wanted, engine)
        or (_refuse_owners(rootfs, engine) if options.rootless else None)
        or _refuse_signal(wanted, options, engine)
    )


def _refuse_depth(wanted: ProcessSpec, engine: Engine) -> Failure | None:
    if engine.max_layers is None or wanted.layers <= engine.max_layers:
        return None
    return Failure(
        code=FailureCode.TOO_MANY_LAYERS,
        judge=Judge.ENGINE,
        message="max depth exceeded",
        why=f"the image has {wanted.layers} layers; this engine stacks {engine.max_layers} at most",
        fix="join RUN steps or squash the image",
        where=trace.config_place("/rootfs/diff_ids"),
        created=False,
    )


def _refuse_owners(rootfs: Rootfs, engine: Engine) -> Failure | None:
    for path, node in rootfs.walk():
        if max(node.uid, node.gid) < SUBORDINATE_IDS:
            continue
        name = text(path)
        return Failure(
            code=FailureCode.IDS_UNMAPPED,
            judge=Judge.ENGINE,
            errno="EINVAL",
            message=engine.unmapped_owner(name, node.uid, node.gid),
            why=(
                f"{name} belongs to {node.uid}:{node.gid}; "
                f"a rootless engine maps ids below {SUBORDINATE_IDS} by default"
            ),
            fix=f"chown {name} to an id below {SUBORDINATE_IDS}",
            where=trace.locate(rootfs, path),
            created=False,
        )
    return None


def _refuse_signal(wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> Failure | None:
    given = (options.stop_signal if engine.knows_stop_signal else None) or wanted.stop_signal
    if engine.bad_stop_signal != "refuse" or not given or parse_signal(given) is not None:
        return None
    return Failure(
        code=FailureCode.STOP_SIGNAL_UNKNOWN,
        judge=Judge.ENGINE,
        message=f"invalid signal: {given}",
        why=f"StopSignal {given!r} is no signal, and this engine looks at it before it makes the container",
        fix="write a name such as SIGTERM",
        where=trace.config_place("/config/StopSignal"),
        created=False,
    )


def refuse_volumes(rootfs: Rootfs, wanted: ProcessSpec, engine: Engine) -> Failure | Unproved | None:
    """What stops a start with a declared volume that lies over something that is no directory."""
    if engine.volumes == "ignore":
        return None
    for path in wanted.volumes:
        found = rootfs.resolve(path)
        node = found.node
        if node is None or node.is_dir:
            continue
        why = f"VOLUME {path} names a {node.kind}, not a directory"
        where = trace.locate(rootfs, path)
        message = engine.volume_over_file(text(found.path))
        if not message:
            return Unproved(reason=f"{why}; what this engine does then was not measured", where=where)
        return Failure(
            code=FailureCode.VOLUME_OVER_FILE,
            judge=Judge.ENGINE,
            errno="EEXIST",
            message=message,
            why=why,
            fix="let VOLUME name a directory",
            where=where,
            created=False,
        )
    return None


def refuse_no_command(engine: Engine, runtime: Runtime) -> Failure:
    """Neither Entrypoint nor Cmd, in the words of whoever notices first."""
    if engine.no_command:
        failure = Failure(code=FailureCode.NO_COMMAND, judge=Judge.ENGINE, message=engine.no_command, created=False)
    else:
        failure = runtime.no_command()
    return msgspec.structs.replace(
        failure,
        why="neither Entrypoint nor Cmd is set, and no command was given",
        fix="give the image an ENTRYPOINT or CMD, or name a command",
    )


def refuse_mount_points(rootfs: Rootfs, engine: Engine) -> Failure | Unproved | None:
    """What stops a start where a file of the engine meets something else than a directory; mostly not measured.

    What the runtime mounts is the runtime's: `Runtime.refuse_mount`.
    """
    if engine.repairs_mount_points:
        return None
    tops = {path.split("/")[1] for path in engine.injected} - {mount.destination[1:] for mount in mounts(engine)}
    for top in sorted(tops):
        node = rootfs.resolve(f"/{top}", follow=False).node
        if node is None or node.is_dir:
            continue
        target = rootfs.resolve(f"/{top}").node
        if target is not None and target.is_dir and engine.mounts_follow_links:
            continue
        where = trace.locate(rootfs, f"/{top}")
        if top == "etc" and node.is_file:
            refused = engine.etc_is_a_file(where)
            if refused is not None:
                return refused
        return Unproved(reason=f"/{top} is a {node.kind}, and the engine mounts or makes files there", where=where)
    return None
