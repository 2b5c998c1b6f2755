"""Small archives built with the standard library, so that no reader under test judges its own writer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from imagepeel.archive.opened import OpenArchive, open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.limits import DEFAULT, Limits

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

Files = dict[str, bytes]


def js(value: Any) -> bytes:
    return json.dumps(value).encode()


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(data: bytes) -> str:
    return "blobs/sha256/" + hashlib.sha256(data).hexdigest()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def tar(
    files: Files | list[tuple[tarfile.TarInfo, bytes]],
    form: int = tarfile.PAX_FORMAT,
    links: dict[str, str] | None = None,
    **options: Any,
) -> bytes:
    """Return a tar of the files (in order), then symbolic links by name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, **options) as archive:
        pairs = [(entry(n, size=len(d)), d) for n, d in files.items()] if isinstance(files, dict) else files
        for info, data in pairs:
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            archive.addfile(entry(name, tarfile.SYMTYPE, target))
    return out.getvalue()


def descriptor(data: bytes, media_type: str = OCI_MANIFEST, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha(data), "size": len(data), **more}


LAYER = tar({"etc/hello": b"hello\n"})
LAYER2 = tar({"bin/tool": b"tool\n"})


def config(*layers: bytes, os: str = "linux", architecture: str = "amd64", **more: Any) -> bytes:
    document = {
        "os": os,
        "architecture": architecture,
        "config": {"Cmd": ["/bin/tool"]},
        "rootfs": {"type": "layers", "diff_ids": [sha(layer) for layer in layers]},
        "history": [{"created_by": f"step {i}"} for i, _ in enumerate(layers)],
    }
    return js({**document, **more})


def manifest(configuration: bytes, *layers: bytes, media_type: str = OCI_LAYER, **more: Any) -> bytes:
    return js(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(configuration, OCI_CONFIG),
            "layers": [descriptor(layer, media_type) for layer in layers],
            **more,
        }
    )


def layout(*blobs: bytes, manifests: list[dict[str, Any]] | None, **more: Any) -> Files:
    return {
        "oci-layout": js({"imageLayoutVersion": "1.0.0"}),
        "index.json": js({"schemaVersion": 2, "manifests": manifests, **more}),
        **{blob(data): data for data in blobs},
    }


def one_image(*layers: bytes, name: str | None = "app:1", **options: Any) -> Files:
    """Return the files of an OCI layout with one image."""
    layers = layers or (LAYER, LAYER2)
    configuration = config(*layers, **options)
    document = manifest(configuration, *layers)
    annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    return layout(*layers, configuration, document, manifests=[descriptor(document, **annotations)])


def docker_save(*layers: bytes, tags: list[str] | None = None, **options: Any) -> Files:
    """Return the members of a `docker save` archive before version 25."""
    layers = layers or (LAYER, LAYER2)
    configuration = config(*layers, **options)
    name = sha(configuration)[7:] + ".json"
    paths = [f"{sha(layer)[7:]}/layer.tar" for layer in layers]
    listed = [{"Config": name, "RepoTags": tags, "Layers": paths}]
    return {name: configuration, **dict(zip(paths, layers, strict=True)), "manifest.json": js(listed)}


def opened(data: bytes | Files, limits: Limits = DEFAULT) -> OpenArchive:
    return open_archive(MemorySource(tar(data) if isinstance(data, dict) else data, "test.tar"), limits)


def written(root: Path, files: Files) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def codes(container: OpenArchive) -> list[str]:
    return [anomaly.code for anomaly in container.anomalies]
