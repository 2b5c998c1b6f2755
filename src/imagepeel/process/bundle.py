"""The runtime-spec `config.json` of a prediction: what an engine would hand to runc or crun, as a plain dict.

Source: the OCI runtime-spec, config.md and config-linux.md, and the image-spec's conversion.md for annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.errors import MissingBlob, UsageError
from imagepeel.process.engines import env as environment
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.mounts import MASKED, READ_ONLY, mounts
from imagepeel.process.predict import predict
from imagepeel.process.scenario import settle
from imagepeel.process.spec.failure import FailureCode, Judge
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Credentials, Prediction

if TYPE_CHECKING:
    from imagepeel.oci.config import ImageConfig
    from imagepeel.rootfs.view import Rootfs

VERSION = "1.0.2"
HOSTNAME = "imagepeel"
_NO_BUNDLE = frozenset(
    {FailureCode.USER_UNKNOWN, FailureCode.GROUP_UNKNOWN, FailureCode.ETC_UNUSABLE, FailureCode.RUN_AS_NON_ROOT}
)
"""Refusals of an engine that leave nothing to write: there is no user to start as."""


def _capabilities(user: Credentials, engine: Engine, options: ProcessOptions) -> dict[str, list[str]]:
    bounding = [f"CAP_{name}" for name in user.bounding]
    effective = [f"CAP_{name}" for name in user.effective]
    sets = {"bounding": bounding, "effective": effective, "permitted": effective}
    if user.uid and engine.added_capabilities_reach_users and options.cap_add:
        sets |= {"inheritable": effective, "ambient": effective}
    return sets


def _annotations(wanted: ProcessSpec) -> dict[str, str]:
    """Image config to annotations; the image's own labels win."""
    found = {"org.opencontainers.image.os": wanted.os, "org.opencontainers.image.architecture": wanted.architecture}
    if wanted.stop_signal:
        found["org.opencontainers.image.stopSignal"] = wanted.stop_signal
    if wanted.exposed_ports:
        found["org.opencontainers.image.exposedPorts"] = ",".join(wanted.exposed_ports)
    return {**found, **wanted.labels}


def runtime_spec(
    rootfs: Rootfs,
    config: ImageConfig | ProcessSpec | None,
    options: ProcessOptions | None = None,
    *,
    root: str = "rootfs",
) -> tuple[dict[str, Any], Prediction]:
    """The bundle's config.json for this image on one engine, and the prediction it was made from.

    `root` is the path of the rootfs directory relative to the bundle.  A start that would fail in the runtime or
    the kernel still has a bundle: it fails there for real.  Raises UsageError where the engine itself refuses
    (no command, unknown user), and MissingBlob where the config is not known: there is nothing to write then.
    """
    options = options or ProcessOptions()
    scenario = settle(config, options)
    prediction = predict(rootfs, config, options)
    verdict, user = prediction.verdict, prediction.user
    if user is None and rootfs.knowledge.imported:
        raise UsageError(f"there is no command: {verdict.reason}", hint="name a command after --")
    if user is None:
        raise MissingBlob(verdict.reason, hint="copy the image again with its manifest and config")
    if verdict.judge is Judge.ENGINE and verdict.id in _NO_BUNDLE:
        raise UsageError(f"{scenario.label} refuses this image: {verdict.message}", hint=verdict.fix)
    if not prediction.argv and not scenario.engine.by_hand:
        raise UsageError(f"{scenario.label} refuses this image: no command", hint="name a command after --")
    hostname = options.hostname or HOSTNAME
    built = environment.build(scenario.wanted, options, scenario.engine, scenario.runtime, hostname=hostname)
    entries = list(built.entries)
    if scenario.engine.home == "engine" and not any(entry.startswith("HOME=") for entry in entries):
        entries.append(f"HOME={prediction.environment['HOME']}")
    given = scenario.wanted.working_dir if options.workdir is None else options.workdir
    spec: dict[str, Any] = {
        "ociVersion": VERSION,
        "process": {
            "terminal": options.tty,
            "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
            "args": list(prediction.argv),
            "env": entries,
            "cwd": given or "/",
            "capabilities": _capabilities(user, scenario.engine, options),
            "noNewPrivileges": user.no_new_privileges,
        },
        "root": {"path": root, "readonly": options.read_only},
        "hostname": hostname,
        "mounts": [
            msgspec.structs.asdict(mount) | {"options": list(mount.options)} for mount in mounts(scenario.engine)
        ],
        "annotations": _annotations(scenario.wanted),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
        },
    }
    return spec, prediction
