"""Volumes of a pod: what is mounted where, and what of it no image tells.

Sources: kubernetes.io "Volumes" and "Use an Image Volume With a Pod"; podman 4.3.1's pkg/specgen/generate/kube, which
makes a volume of an emptyDir and so copies the image's files into it.
"""

from __future__ import annotations

import posixpath

from imagepeel.deploy.kubernetes_values import PodText
from imagepeel.deploy.marked import Node
from imagepeel.deploy.place import malformed
from imagepeel.deploy.wanted import Mounted, MountKind
from imagepeel.process.engines.engine import Engine

_NAMED = {
    "configMap": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "hostPath": ("directory of the node", "path"),
    "image": ("image", "reference"),
    "csi": ("driver", "driver"),
    "nfs": ("share of", "server"),
}
"""Volume source -> what it is in words, and the field with its name."""


class Volumes:
    """The volumes of one pod by name."""

    def __init__(self, pod: PodText, engine: Engine) -> None:
        self.engine: Engine = engine
        self.known: dict[str, tuple[MountKind, str]] = {
            name: ("elsewhere", f"the PersistentVolumeClaim of the template {name}") for name in pod.volume_claims
        }
        for volume in pod.spec.each("volumes"):
            self.known[volume.string("name")] = _source(volume)

    def of(self, container: Node) -> tuple[tuple[Mounted, ...], dict[str, tuple[str, ...]]]:
        """Return the mounts of a container, and the same as fields of `ProcessOptions`."""
        mounts: list[Mounted] = []
        fields: dict[str, list[str]] = {"tmpfs": [], "volumes": [], "elsewhere": []}
        for mount in container.each("volumeMounts"):
            path, name = mount.string("mountPath"), mount.string("name")
            kind, what = self.known.get(name, ("elsewhere", f"the volume {name} (not in the pod)"))
            where = path if path.startswith("/") else f"/{path}"
            closed = (flag := mount.get("readOnly")) is not None and flag.as_flag()
            mounts.append(
                Mounted(path=where, kind=kind, what=what, read_only=closed or kind == "image", place=mount.place)
            )
            if posixpath.normpath(where) in ("/", "//"):
                raise malformed(mount.place, "a volume is mounted on /", "mount it on a directory below")
            sub = mount.get("subPath") or mount.get("subPathExpr")
            if kind == "empty directory" and sub is None and self.engine.copies_empty_dirs:
                fields["volumes"].append(f"{name}:{where}")
            elif kind == "empty directory" and sub is None:
                fields["tmpfs"].append(f"{where}:mode=0777" + (",ro" if closed else ""))
            else:
                fields["elsewhere"].append(f"{where}={what}")
        return tuple(mounts), {name: tuple(values) for name, values in fields.items() if values}


def _source(volume: Node) -> tuple[MountKind, str]:
    for field, (words, key) in _NAMED.items():
        source = volume.get(field)
        if source is not None:
            kind: MountKind = "host directory" if field == "hostPath" else "image" if field == "image" else "elsewhere"
            return kind, f"the {words} {source.string(key)}"
    if "emptyDir" in volume.mapping():
        return "empty directory", f"the empty directory {volume.string('name')}"
    for field in ("projected", "downwardAPI", "ephemeral"):
        if field in volume.mapping():
            return "elsewhere", f"the {field} volume {volume.string('name')}"
    others = [name for name in volume.mapping() if name != "name"]
    if not others:
        return "empty directory", f"the empty directory {volume.string('name')}"
    return "elsewhere", f"the {others[0]} volume {volume.string('name')}"
