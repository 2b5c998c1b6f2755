"""Small archives for the stores of real engines, each right or wrong in one way; made without imagepeel's forge."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Member = tuple[str, bytes | str | None]
"""Name, and content: bytes of a file, the target of a symbolic link, None for a directory."""
Entry = tuple[str, str, bytes | str]
"""Name, kind (file, dir, link, hardlink), and content or target."""

_TYPES = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tar(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mtime, info.mode = _TYPES[kind], 1_700_000_000, 0o755
            if isinstance(content, bytes):
                info.size = len(content)
            else:
                info.linkname = content
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def files(*names: str) -> bytes:
    return _tar([(name, "file", b"x") for name in names])


def packed(members: Sequence[Member]) -> bytes:
    kinds = {bytes: "file", str: "link", type(None): "dir"}
    return _tar([(name, kinds[type(content)], content or b"") for name, content in members])


def config(layers: Sequence[bytes], **changes: Any) -> bytes:
    value: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/a"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]},
    }
    return json.dumps(value | changes).encode()


def with_config(data: bytes) -> bytes:
    """A docker save with these bytes for a config."""
    listed = [{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["a.tar"]}]
    return packed([("c.json", data), ("a.tar", A), ("manifest.json", json.dumps(listed).encode())])


def docker(
    *layers: bytes,
    stated: bytes | None = None,
    tags: Sequence[str] | None = ("t:1",),
    prefix: str = "",
    manifest: bytes | None = None,
) -> bytes:
    """A docker save, layers under their digests."""
    document = config(layers) if stated is None else stated
    names = [f"{sha(layer)}/layer.tar" for layer in layers]
    if manifest is None:
        tagged = None if tags is None else list(tags)
        manifest = json.dumps([{"Config": f"{sha(document)}.json", "RepoTags": tagged, "Layers": names}]).encode()
    members: list[Member] = [(f"{prefix}{sha(document)}.json", document)]
    members += [(prefix + name, layer) for name, layer in zip(names, layers, strict=True)]
    return packed([*members, (f"{prefix}manifest.json", manifest)])


def layout(
    *layers: bytes,
    stated: bytes | None = None,
    names: Sequence[str] = ("q.io/x:1",),
    prefix: str = "",
    marker: bool = True,
    without: str = "",
    nested: bool = False,
) -> bytes:
    """An OCI layout of one image; `without` leaves a blob out."""
    document = config(layers) if stated is None else stated
    oci = "application/vnd.oci.image"

    def points(kind: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": f"{oci}.{kind}", "digest": f"sha256:{sha(data)}", "size": len(data)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{oci}.manifest.v1+json",
            "config": points("config.v1+json", document),
            "layers": [points("layer.v1.tar", layer) for layer in layers],
        }
    ).encode()
    blobs = {"manifest": manifest, "config": document} | {f"layer{i}": layer for i, layer in enumerate(layers)}
    top = points("manifest.v1+json", manifest)
    if nested:
        blobs["index"] = json.dumps(
            {"schemaVersion": 2, "mediaType": f"{oci}.index.v1+json", "manifests": [top]}
        ).encode()
        top = points("index.v1+json", blobs["index"])
    listed = [top | {"annotations": {"org.opencontainers.image.ref.name": name}} for name in names] or [top]
    members: list[Member] = [(f"{prefix}oci-layout", b'{"imageLayoutVersion":"1.0.0"}')] if marker else []
    members.append((f"{prefix}index.json", json.dumps({"schemaVersion": 2, "manifests": listed}).encode()))
    members += [(f"{prefix}blobs/sha256/{sha(data)}", data) for part, data in blobs.items() if part != without]
    return packed(members)


def _v1() -> bytes:
    ids = ["1" * 64, "2" * 64]
    members: list[Member] = []
    for at, one in enumerate(ids):
        value = {"id": one, "created": "2015-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "config": {}}
        value |= {"parent": ids[0]} if at else {}
        members += [(f"{one}/VERSION", b"1.0"), (f"{one}/json", json.dumps(value).encode())]
        members.append((f"{one}/layer.tar", files("ab"[at])))
    return packed([*members, ("repositories", json.dumps({"v": {"1": ids[1]}}).encode())])


def _linked() -> bytes:
    document = config([A])
    listed = [{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["x/layer.tar"]}]
    members: list[Member] = [("c.json", document), ("y/layer.tar", A), ("x/layer.tar", "../y/layer.tar")]
    return packed([*members, ("manifest.json", json.dumps(listed).encode())])


def _two() -> bytes:
    configs = [config([A]), config([B])]
    listed = [
        {"Config": f"{i}.json", "RepoTags": [f"{name}:1"], "Layers": [f"{i}.tar"]}
        for i, name in enumerate(("one", "two"))
    ]
    members: list[Member] = [(f"{i}.json", document) for i, document in enumerate(configs)]
    return packed([*members, ("0.tar", A), ("1.tar", B), ("manifest.json", json.dumps(listed).encode())])


A, B = files("a"), files("b")
ACROSS = _tar([("x", "hardlink", "a")])
BELOW_LINK = _tar([("n/", "dir", b""), ("n/two", "link", "/n/one"), ("n/two/etc/motd", "file", b"x")])
NOISE = _tar([("noise", "file", b"".join(hashlib.sha256(bytes([i])).digest() for i in range(200)))])
"""Does not become smaller than a block of a tar."""
ONE = _tar([("n/", "dir", b""), ("n/one/", "dir", b""), ("n/one/etc/", "dir", b"")])
_LISTED = json.dumps([{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["x/layer.tar"]}]).encode()

ARCHIVES: dict[str, Callable[[], bytes]] = {
    "docker": lambda: docker(A, B),
    "docker, ./ in front of all names": lambda: docker(A, prefix="./"),
    "docker, one folder down": lambda: docker(A, prefix="image/"),
    "docker, no name": lambda: docker(A, tags=None),
    "docker, two names": lambda: docker(A, tags=("x/y:1", "z:2")),
    "docker, a name with its host": lambda: docker(A, tags=("quay.io/x/y:1",)),
    "docker, a name without tag": lambda: docker(A, tags=("justname",)),
    "docker, a name in capitals": lambda: docker(A, tags=("UPPER:1",)),
    "docker, an ID for a name": lambda: docker(A, tags=("1" * 64,)),
    "docker, an ID and a tag": lambda: docker(A, tags=("1" * 64 + ":1",)),
    "docker, two images": _two,
    "docker, a config without rootfs": lambda: docker(A, stated=config([A], rootfs=None)),
    "docker, a config without rootfs and no layers": lambda: docker(stated=config([], rootfs=None)),
    "docker, rootfs without layers": lambda: docker(),
    "docker, more DiffIDs than layers": lambda: docker(A, stated=config([A, B])),
    "docker, fewer DiffIDs than layers": lambda: docker(A, B, stated=config([A])),
    "docker, another DiffID": lambda: docker(A, stated=config([B])),
    "docker, for Windows": lambda: docker(A, stated=config([A], os="windows")),
    "docker, for nothing": lambda: docker(A, stated=config([A], os="", architecture="")),
    "docker, without config": lambda: packed([("x/layer.tar", A), ("manifest.json", _LISTED)]),
    "docker, without layer": lambda: packed([("c.json", config([A])), ("manifest.json", _LISTED)]),
    "docker, a layer that is a link": _linked,
    "docker, gzip layer": lambda: docker(gzip.compress(A, mtime=0), stated=config([A])),
    "docker, gzip": lambda: gzip.compress(docker(NOISE), mtime=0),
    "docker, bzip2": lambda: bz2.compress(docker(NOISE)),
    "docker, xz": lambda: lzma.compress(docker(NOISE)),
    "docker, gzip twice": lambda: gzip.compress(gzip.compress(docker(NOISE), mtime=0), mtime=0),
    "docker, cut before manifest.json": lambda: packed([("c" * 64 + ".json", config([A])), (f"{sha(A)}/layer.tar", A)]),
    "docker 1.9": _v1,
    "a root file system": lambda: packed([*((name, None) for name in ("bin", "etc", "usr", "var")), ("bin/x", b"x")]),
    "a path twice": lambda: docker(files("a", "a")),
    "a path twice, once with ./": lambda: docker(files("a", "./a")),
    "a path twice, once with a slash": lambda: docker(files("a", "/a")),
    "a path twice, once over ..": lambda: docker(files("d/../a", "a")),
    "a directory twice": lambda: docker(_tar([("d/", "dir", b""), ("d/x", "file", b"x"), ("d/", "dir", b"")])),
    "the root as / and ./": lambda: docker(_tar([("/", "dir", b""), ("./", "dir", b""), ("a", "file", b"x")])),
    "a hardlink twice": lambda: docker(_tar([("a", "file", b"x"), ("b", "hardlink", "a"), ("b", "hardlink", "a")])),
    "a whiteout and its file": lambda: docker(A, files(".wh.a", "a")),
    "a whiteout twice": lambda: docker(A, files(".wh.a", ".wh.a")),
    "a hardlink into the layer below": lambda: docker(A, ACROSS),
    "a file below a link of its layer": lambda: docker(ONE, BELOW_LINK),
    "a name of 255 bytes": lambda: docker(files("n" * 255)),
    "a name of 256 bytes": lambda: docker(files("n" * 256)),
    "docker, config not JSON": lambda: with_config(b"hello"),
    "docker, config empty": lambda: with_config(b""),
    "docker, config a list": lambda: with_config(b"[]"),
    "docker, config null": lambda: with_config(b"null"),
    "docker, config {}": lambda: with_config(b"{}"),
    "docker, config trailing garbage": lambda: with_config(config([A]) + b"x"),
    "docker, config BOM": lambda: with_config(b"\xef\xbb\xbf" + config([A])),
    "layout": lambda: layout(A, B),
    "layout, no name": lambda: layout(A, names=()),
    "layout, a tag for a name": lambda: layout(A, names=("1.2",)),
    "layout, a name in capitals": lambda: layout(A, names=("UPPER:1",)),
    "layout, two names": lambda: layout(A, names=("q.io/one:1", "q.io/two:1")),
    "layout, no marker": lambda: layout(A, marker=False),
    "layout, one folder down": lambda: layout(A, prefix="layout/"),
    "layout, an index in the index": lambda: layout(A, nested=True),
    "layout, a config without rootfs": lambda: layout(A, stated=config([A], rootfs=None)),
    "layout, more DiffIDs than layers": lambda: layout(A, stated=config([A, B])),
    "layout, another DiffID": lambda: layout(A, stated=config([B])),
    "layout, for nothing": lambda: layout(A, stated=config([A], os="", architecture="")),
    "layout, without manifest": lambda: layout(A, without="manifest"),
    "layout, without config": lambda: layout(A, stated=config([A], author="x"), without="config"),
    "layout, without layer": lambda: layout(A, without="layer0"),
    "layout, xz": lambda: lzma.compress(layout(NOISE)),
    "layout, config not JSON": lambda: layout(A, stated=b"hello"),
    "layout, a path twice": lambda: layout(files("a", "a")),
    "layout, a hardlink into the layer below": lambda: layout(A, ACROSS),
}
"""Name -> the archive as bytes."""


def write(name: str, folder: Path) -> Path:
    """Write one archive into a folder and return its path."""
    path = folder / "image.tar"
    path.write_bytes(ARCHIVES[name]())
    return path
