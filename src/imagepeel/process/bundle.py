"""The runtime-spec `config.json` of a prediction: what an engine would hand to runc or crun, as a plain dict.

Source: the OCI runtime-spec, config.md and config-linux.md, and the image-spec's conversion.md for annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagepeel.errors import UsageError
from imagepeel.process.engines import env as environment
from imagepeel.process.engines.mounts import MASKED, READ_ONLY, mounts
from imagepeel.process.predict import predict, settle
from imagepeel.process.spec import intent
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import Engine
from imagepeel.process.spec.values import Credentials, Prediction

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

VERSION = "1.0.2"
HOSTNAME = "imagepeel"


def _capabilities(user: Credentials, engine: Engine, options: ProcessOptions) -> dict[str, list[str]]:
    bounding = [f"CAP_{name}" for name in user.bounding]
    effective = [f"CAP_{name}" for name in user.effective]
    sets = {"bounding": bounding, "effective": effective, "permitted": effective}
    if user.uid and engine.family == "podman" and options.cap_add:
        sets |= {"inheritable": effective, "ambient": effective}
    return sets


def _annotations(wanted: intent.ProcessSpec) -> dict[str, str]:
    """Image config to annotations; the image's own labels win."""
    found = {"org.opencontainers.image.os": wanted.os, "org.opencontainers.image.architecture": wanted.architecture}
    if wanted.stop_signal:
        found["org.opencontainers.image.stopSignal"] = wanted.stop_signal
    if wanted.exposed_ports:
        found["org.opencontainers.image.exposedPorts"] = ",".join(wanted.exposed_ports)
    return {**found, **wanted.labels}


def runtime_spec(
    rootfs: Rootfs, config: Any, options: ProcessOptions | None = None, *, root: str = "rootfs"
) -> tuple[dict[str, Any], Prediction]:
    """The bundle's config.json for this image on one engine, and the prediction it was made from.

    `root` is the path of the rootfs directory relative to the bundle.  A start that would fail in the runtime or
    the kernel still has a bundle: it fails there for real.  Raises UsageError where the engine itself refuses
    (no command, unknown user): there is nothing to write then.
    """
    options = options or ProcessOptions()
    setting = settle(config, options)
    prediction = predict(rootfs, config, options)
    verdict = prediction.verdict
    if verdict.kind == "FAILS" and verdict.judge == "J1" and verdict.id in {"F13", "F14", "F42", "F39"}:
        raise UsageError(f"{setting.label} refuses this image: {verdict.message}", hint=verdict.fix)
    if not prediction.argv and setting.engine.family != "bundle":
        raise UsageError(f"{setting.label} refuses this image: no command", hint="name a command after --")
    hostname = options.hostname or HOSTNAME
    built = environment.build(setting.wanted, options, setting.engine, setting.runtime, hostname=hostname)
    entries = list(built.entries)
    if setting.engine.home == "engine" and not any(entry.startswith("HOME=") for entry in entries):
        entries.append(f"HOME={prediction.environment['HOME']}")
    user = prediction.user
    given = setting.wanted.working_dir if options.workdir is None else options.workdir
    spec: dict[str, Any] = {
        "ociVersion": VERSION,
        "process": {
            "terminal": options.tty,
            "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
            "args": list(prediction.argv),
            "env": entries,
            "cwd": given or "/",
            "capabilities": _capabilities(user, setting.engine, options),
            "noNewPrivileges": user.no_new_privileges,
        },
        "root": {"path": root, "readonly": False},
        "hostname": hostname,
        "mounts": mounts(setting.engine),
        "annotations": _annotations(setting.wanted),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
        },
    }
    return spec, prediction
