"""Archives whose parts lie elsewhere or are cut off: foreign layers, artifacts, bare documents, many images."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from load_makers import (
    OCI,
    A,
    B,
    changed_v1,
    config,
    docker,
    files,
    laid,
    layout,
    members_of,
    packed,
    sha,
    v1,
    with_list,
)

NOWHERE = "http://127.0.0.1:1/layer"
"""An address where nothing listens: what is fetched from it fails the same way on each machine."""
_DOCKER = "application/vnd.docker"
_FOREIGN = f"{OCI}.layer.nondistributable.v1.tar"
_OLD_FOREIGN = f"{_DOCKER}.image.rootfs.foreign.diff.tar"
_OF_DOCKER = {
    "mediaType": f"{_DOCKER}.distribution.manifest.v2+json",
    "config__mediaType": f"{_DOCKER}.container.image.v1+json",
}


def elsewhere(
    *, kept: bool = False, urls: Any = (NOWHERE,), entry: dict[str, Any] | None = None, **changes: Any
) -> bytes:
    """An OCI layout of the layer `a`, whose manifest names an address for it; the blob is left out unless `kept`."""
    data = laid({"layers__0__urls": list(urls) if isinstance(urls, tuple) else urls} | changes, entry=entry)
    return packed([(name, held) for name, held in members_of(data) if kept or held != A])


def foreign_and_own(media: str) -> bytes:
    """An OCI layout of two layers, the base foreign and not in it."""
    value = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _points(f"{OCI}.config.v1+json", config([A, B])),
        "layers": [_points(media, A) | {"urls": [NOWHERE]}, _points(f"{OCI}.layer.v1.tar", B)],
    }
    return _layout(json.dumps(value).encode(), config([A, B]), B)


def _points(media: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media, "digest": f"sha256:{sha(data)}", "size": len(data)}


def _layout(manifest: bytes, *blobs: bytes, name: str | None = "q.io/x:1", **more: Any) -> bytes:
    """An OCI layout of one manifest; `more` are keys of its entry in the index."""
    listed = _points(f"{OCI}.manifest.v1+json", manifest) | more
    if name is not None:
        listed["annotations"] = {"org.opencontainers.image.ref.name": name}
    top = json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode()
    members = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", top)]
    return packed([*members, *((f"blobs/sha256/{sha(data)}", data) for data in dict.fromkeys((manifest, *blobs)))])


def artifact(
    media: str, *held: tuple[str, bytes], name: str | None = "q.io/x:1", data: bytes = b"{}", **keys: Any
) -> bytes:
    """An OCI layout of one artifact: a config of that media type, and blobs of other types."""
    value = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _points(media, data),
        "layers": [_points(kind, content) for kind, content in held],
    } | keys
    return _layout(json.dumps(value).encode(), data, *(content for _, content in held), name=name)


def many(count: int, bad: int | None = None, **changes: Any) -> bytes:
    """One manifest.json of so many images; the one at `bad` has these changes."""
    items, members = [], []
    for at in range(count):
        data = config([A], author=str(at))
        members.append((f"{at}.json", data))
        item = {"Config": f"{at}.json", "RepoTags": [f"n{at}:1"], "Layers": ["a.tar"]}
        items.append(item | changes if at == bad else item)
    return packed([*members, ("a.tar", A), ("manifest.json", json.dumps(items).encode())])


def cut_v1(at: str, offset: int) -> bytes:
    """A save of before Docker 1.10 that ends so many bytes behind the header of a member."""
    data = v1()
    return data[: data.rindex(at.encode()) + offset]


_EMPTY = "application/vnd.oci.empty.v1+json"
_HELM = "application/vnd.cncf.helm.config.v1+json"
_CHART = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")
_SIGNED = ("application/vnd.dev.cosign.simplesigning.v1+json", b'{"critical": {}}')

ABSENT: dict[str, Callable[[], bytes]] = {
    "a file and its whiteout": lambda: docker(files("f", ".wh.f")),
    "a file and its whiteout, above another layer": lambda: docker(A, files("d/f", "d/.wh.f")),
    "layout, a file and its whiteout": lambda: layout(A, files("f", ".wh.f")),
    "layout, a foreign layer elsewhere": lambda: elsewhere(layers__0__mediaType=_FOREIGN),
    "layout, a foreign gzip layer elsewhere": lambda: elsewhere(layers__0__mediaType=f"{_FOREIGN}+gzip"),
    "layout, a foreign layer elsewhere, without urls": lambda: elsewhere(urls=[], layers__0__mediaType=_FOREIGN),
    "layout, a layer elsewhere": lambda: elsewhere(),
    "layout, a layer with urls": lambda: elsewhere(kept=True),
    "layout, a foreign layer with urls": lambda: elsewhere(kept=True, layers__0__mediaType=_FOREIGN),
    "layout, a foreign layer of Docker elsewhere": lambda: elsewhere(layers__0__mediaType=f"{_OLD_FOREIGN}.gzip"),
    "layout, a foreign layer in a manifest of Docker": lambda: elsewhere(
        entry={"mediaType": _OF_DOCKER["mediaType"]}, layers__0__mediaType=f"{_OLD_FOREIGN}.gzip", **_OF_DOCKER
    ),
    "layout, a layer elsewhere, with an address of a file": lambda: elsewhere(urls=["file:///etc/hosts"]),
    "layout, a layer elsewhere, with an address that is none": lambda: elsewhere(urls=[""]),
    "layout, no name, a foreign layer elsewhere": lambda: elsewhere(
        entry={"annotations": ...}, layers__0__mediaType=_FOREIGN
    ),
    "layout, a foreign base below a layer": lambda: foreign_and_own(_FOREIGN),
    "layout, a base elsewhere below a layer": lambda: foreign_and_own(f"{OCI}.layer.v1.tar"),
    "docker, a foreign layer elsewhere": lambda: with_list(
        Layers=["gone.tar"],
        LayerSources={f"sha256:{sha(A)}": _points(f"{_OLD_FOREIGN}.gzip", A) | {"urls": [NOWHERE]}},
    ),
    "layout, a chart": lambda: artifact(_HELM, _CHART),
    "layout, no name, a chart": lambda: artifact(_HELM, _CHART, name=None),
    "layout, an artifact with an empty config": lambda: artifact(_EMPTY, ("text/plain", b"hi")),
    "layout, an artifact with a type": lambda: artifact(_EMPTY, ("text/plain", b"hi"), artifactType="a/b"),
    "layout, no name, an artifact with a type": lambda: artifact(
        _EMPTY, ("text/plain", b"hi"), artifactType="a/b", name=None
    ),
    "layout, an artifact without blobs": lambda: artifact(_EMPTY, (_EMPTY, b"{}"), artifactType="a/b"),
    "layout, a signature": lambda: artifact(
        f"{OCI}.config.v1+json", _SIGNED, data=config([_SIGNED[1]], architecture="", os="")
    ),
    "layout, a program of wasm": lambda: artifact(
        "application/vnd.wasm.config.v0+json", ("application/wasm", b"\0asm\1\0\0\0")
    ),
    "docker, manifest.json {} alone": lambda: packed([("manifest.json", b"{}")]),
    "docker, manifest.json a number alone": lambda: packed([("manifest.json", b"7")]),
    "docker, manifest.json a string alone": lambda: packed([("manifest.json", b'"x"')]),
    "docker, manifest.json [] alone": lambda: packed([("manifest.json", b"[]")]),
    "docker, manifest.json null alone": lambda: packed([("manifest.json", b"null")]),
    "docker, 36 images": lambda: many(36),
    "docker, 36 images, the first without config": lambda: many(36, 0, Config="gone.json"),
    "docker, 36 images, the first without layer": lambda: many(36, 0, Layers=["gone.tar"]),
    "docker, 36 images, the first with a bad name": lambda: many(36, 0, RepoTags=["UPPER:1"]),
    "docker, 36 images, the first of more layers": lambda: many(36, 0, Layers=["a.tar", "a.tar"]),
    "docker, 36 images, the last without layer": lambda: many(36, 35, Layers=["gone.tar"]),
    "docker 1.9, cut before repositories": lambda: cut_v1("repositories", 0),
    "docker 1.9, cut in the header of repositories": lambda: cut_v1("repositories", 100),
    "docker 1.9, cut behind the header of repositories": lambda: cut_v1("repositories", 512),
    "docker 1.9, cut in repositories": lambda: cut_v1("repositories", 520),
    "docker 1.9, cut behind repositories": lambda: cut_v1("repositories", 1024),
    "docker 1.9, cut in the block of repositories": lambda: cut_v1("repositories", 900),
    "docker 1.9, cut in its last layer": lambda: cut_v1("2/layer.tar", 2000),
    "docker 1.9, repositories {}": lambda: changed_v1("repositories", b"{}"),
}
"""Name -> the archive as bytes."""
