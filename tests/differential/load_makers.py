"""Makers of small archives for the stores of real engines; made without imagepeel's forge."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from typing import Any

Member = tuple[str, bytes | str | None]
"""Name, and content: bytes of a file, the target of a symbolic link, None for a directory."""
Entry = tuple[str, str, bytes | str]
"""Name, kind (file, dir, link, hardlink), and content or target."""

_TYPES = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tar_of(entries: Sequence[Entry]) -> bytes:
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
    return tar_of([(name, "file", b"x") for name in names])


def packed(members: Sequence[Member]) -> bytes:
    kinds = {bytes: "file", str: "link", type(None): "dir"}
    return tar_of([(name, kinds[type(content)], content or b"") for name, content in members])


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
    return with_list(data=data)


def with_list(
    manifest: bytes | None = None, *, data: bytes | None = None, more: Sequence[Member] = (), **changes: Any
) -> bytes:
    """A docker save of the layer `a`; `changes` are made in the item of its manifest.json, or `manifest` is it."""
    item = {"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["a.tar"]} | changes
    written = json.dumps([item]).encode() if manifest is None else manifest
    document = config([A]) if data is None else data
    return packed([("c.json", document), ("a.tar", A), *more, ("manifest.json", written)])


def with_top(index: bytes | None = None, *, marker: bytes = b'{"imageLayoutVersion":"1.0.0"}') -> bytes:
    """An OCI layout whose index.json or marker are these bytes."""
    given = {"index.json": index, "oci-layout": marker}
    members = [(name, data if given.get(name) is None else given[name]) for name, data in members_of(layout(A))]
    return packed(members)


def as_stored(name: str, kind: str, target: str, *, also: Sequence[Entry] = ()) -> bytes:
    """A docker save in which one member is a link of that kind to a target."""
    files = {"c.json": config([A]), "a.tar": A, "manifest.json": ONE_LISTED}
    entries: list[Entry] = [(f"real/{name}", "file", data) for name, data in files.items()]
    entries += [(known, "file", data) for known, data in files.items() if known != name]
    return tar_of([*entries, *also, (name, kind, target)])


def stated(**changes: Any) -> dict[str, Callable[[], bytes]]:
    """One config in a docker save and in a layout, with other values in `config`, or beside it."""

    def made() -> bytes:
        value = json.loads(config([A]))
        for name, changed in changes.items():
            where = value
            *way, last = name.split("__")
            for step in way:
                where = where[step]
            where[last.replace("_dot_", ".")] = changed
        return json.dumps(value).encode()

    shown = ", ".join(f"{name.replace('__', '.')} = {json.dumps(value)}" for name, value in changes.items())
    return {
        f"docker, {shown}": lambda: with_config(made()),
        f"layout, {shown}": lambda: layout(A, stated=made()),
    }


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
    ending: str = "",
) -> bytes:
    """An OCI layout of one image; `without` leaves a blob out, `ending` is that of the media type of its layers."""
    document = config(layers) if stated is None else stated
    oci = "application/vnd.oci.image"

    def points(kind: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": f"{oci}.{kind}", "digest": f"sha256:{sha(data)}", "size": len(data)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{oci}.manifest.v1+json",
            "config": points("config.v1+json", document),
            "layers": [points(f"layer.v1.tar{ending}", layer) for layer in layers],
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


def v1() -> bytes:
    ids = ["1" * 64, "2" * 64]
    members: list[Member] = []
    for at, one in enumerate(ids):
        value = {"id": one, "created": "2015-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "config": {}}
        value |= {"parent": ids[0]} if at else {}
        members += [(f"{one}/VERSION", b"1.0"), (f"{one}/json", json.dumps(value).encode())]
        members.append((f"{one}/layer.tar", files("ab"[at])))
    return packed([*members, ("repositories", json.dumps({"v": {"1": ids[1]}}).encode())])


def linked() -> bytes:
    document = config([A])
    listed = [{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["x/layer.tar"]}]
    members: list[Member] = [("c.json", document), ("y/layer.tar", A), ("x/layer.tar", "../y/layer.tar")]
    return packed([*members, ("manifest.json", json.dumps(listed).encode())])


def two() -> bytes:
    configs = [config([A]), config([B])]
    listed = [
        {"Config": f"{i}.json", "RepoTags": [f"{name}:1"], "Layers": [f"{i}.tar"]}
        for i, name in enumerate(("one", "two"))
    ]
    members: list[Member] = [(f"{i}.json", document) for i, document in enumerate(configs)]
    return packed([*members, ("0.tar", A), ("1.tar", B), ("manifest.json", json.dumps(listed).encode())])


A, B = files("a"), files("b")
ACROSS = tar_of([("x", "hardlink", "a")])
BELOW_LINK = tar_of([("n/", "dir", b""), ("n/two", "link", "/n/one"), ("n/two/etc/motd", "file", b"x")])
NOISE = tar_of([("noise", "file", b"".join(hashlib.sha256(bytes([i])).digest() for i in range(200)))])
"""Does not become smaller than a block of a tar."""
ONE = tar_of([("n/", "dir", b""), ("n/one/", "dir", b""), ("n/one/etc/", "dir", b"")])
ONE_LISTED = json.dumps([{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["a.tar"]}]).encode()
LISTED = json.dumps([{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["x/layer.tar"]}]).encode()


def pair(one: dict[str, Any], two: dict[str, Any], *more: Member) -> bytes:
    """Two images in one manifest.json; each is that of the layer `a` or `b`, but for these changes."""
    items = [
        {"Config": f"{i}.json", "RepoTags": [f"{name}:1"], "Layers": [f"{i}.tar"]} | changes
        for i, (name, changes) in enumerate((("one", one), ("two", two)))
    ]
    members: list[Member] = [("0.json", config([A])), ("1.json", config([B])), ("0.tar", A), ("1.tar", B), *more]
    return packed([*members, ("manifest.json", json.dumps(items).encode())])


def deep(size: int) -> str:
    """A path of so many bytes, of components that Linux takes."""
    parts = "/".join(["d" * 200] * (size // 201 + 1))[:size]
    return parts[:-1] + "e" if parts.endswith("/") else parts


def of_layer(name: str, layer: bytes) -> dict[str, Callable[[], bytes]]:
    return {name: lambda: docker(layer), f"layout, {name}": lambda: layout(layer)}


def stored(name: str, layer: Callable[[], bytes], ending: str = "") -> dict[str, Callable[[], bytes]]:
    """A layer that is stored as other bytes than its content, which is NOISE."""
    return {
        name: lambda: docker(layer(), stated=config([NOISE])),
        f"layout, {name}": lambda: layout(layer(), stated=config([NOISE]), ending=ending),
    }


def zstd(data: bytes) -> bytes:
    """One frame of zstd with the bytes as they are: a checksumless header, and raw blocks."""
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    head = b"\x28\xb5\x2f\xfd" + bytes([0xA0]) + len(data).to_bytes(4, "little")
    last = len(blocks) - 1
    return head + b"".join(
        ((len(block) << 3) | (i == last)).to_bytes(3, "little") + block for i, block in enumerate(blocks)
    )


def noise(size: int) -> bytes:
    """A layer of so many thousand bytes."""
    return tar_of(
        [("noise", "file", b"".join(sha(bytes([i % 256, i // 256])).encode() for i in range(size * 1000 // 64)))]
    )


def listed_first() -> bytes:
    return packed([("manifest.json", ONE_LISTED), ("c.json", config([NOISE])), ("a.tar", NOISE)])


def members_of(data: bytes) -> list[Member]:
    """The members of an archive of files."""
    found: list[Member] = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            content = tar.extractfile(info)
            found.append((info.name, content.read() if content is not None else None))
    return found


def both(
    index: bytes | None = None,
    marker: bytes | None = None,
    manifest: bytes | None = None,
    without: str = "",
    **changes: Any,
) -> bytes:
    """An OCI layout, and a manifest.json that lists the same image; `without` leaves a blob of the layout out."""
    given = {"index.json": index, "oci-layout": marker}
    laid_out = members_of(layout(A, without=without))
    members = [(name, data if given.get(name) is None else given[name]) for name, data in laid_out]
    return packed([*members, *members_of(with_list(manifest, **changes))])


def both_of_two(*, without: Sequence[int] = ()) -> bytes:
    """Two images in a layout and in a manifest.json, as docker save has them; the layout lacks some manifests."""
    entries, items = [], []
    members: dict[str, bytes | str | None] = {}
    for at, (layer, name) in enumerate(((A, "one"), (B, "two"))):
        known = dict(members_of(layout(layer, without="manifest" if at in without else "")))
        top = json.loads(bytes(known.pop("index.json") or b""))["manifests"][0]
        names = {"io.containerd.image.name": f"docker.io/library/{name}:1", "org.opencontainers.image.ref.name": "1"}
        entries.append(top | {"annotations": names})
        members |= known
        members |= {f"{at}.json": config([layer]), f"{at}.tar": layer}
        items.append({"Config": f"{at}.json", "RepoTags": [f"{name}:1"], "Layers": [f"{at}.tar"]})
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    members["manifest.json"] = json.dumps(items).encode()
    return packed(list(members.items()))


def changed_v1(name: str, content: bytes | None) -> bytes:
    members = [(known, content if known == name else data) for known, data in members_of(v1())]
    return packed([(known, data) for known, data in members if data is not None])


PACKED = gzip.compress(NOISE, mtime=0)
GIVEN = config([A])
OCI = "application/vnd.oci.image"


def laid(
    manifest: dict[str, Any] | bytes | None = None,
    *,
    entry: dict[str, Any] | None = None,
    index: dict[str, Any] | None = None,
    replaced: dict[str, bytes] | None = None,
    layer: bytes = A,
    more: Sequence[Entry] = (),
) -> bytes:
    """An OCI layout with changes in its documents by path (`layers__0__size`), or other bytes under its digests."""
    document = config([layer])

    def points(kind: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{sha(data)}", "size": len(data)}

    value = {
        "schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": points("config.v1+json", document),
        "layers": [points("layer.v1.tar", layer)],
    }  # fmt: skip
    written = manifest if isinstance(manifest, bytes) else json.dumps(changed(value, manifest or {})).encode()
    name = {"org.opencontainers.image.ref.name": "q.io/x:1"}
    listed = changed(points("manifest.v1+json", written) | {"annotations": name}, entry or {})
    top = changed({"schemaVersion": 2, "manifests": [listed]}, index or {})
    entries: list[Entry] = [("oci-layout", "file", b'{"imageLayoutVersion":"1.0.0"}')]
    entries.append(("index.json", "file", json.dumps(top).encode()))
    for part, data in {"manifest": written, "config": document, "layer": layer}.items():
        kept = (replaced or {}).get(part, data)
        entries.append((f"blobs/sha256/{sha(data)}", "file", kept))
    return tar_of([*entries, *more])


def changed(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A document with other values at some paths; `...` takes a key away."""
    for path, new in changes.items():
        where: Any = value
        *way, last = path.split("__")
        for step in way:
            where = where[int(step) if step.isdigit() else step]
        key = int(last) if last.isdigit() else last
        if new is ...:
            del where[key]
        else:
            where[key] = new
    return value


def told(changes: dict[str, Any]) -> str:
    """Changes in a document, as the name of an archive says them."""
    shown = (f"{path.replace('__', '.')} {'gone' if v is ... else '= ' + json.dumps(v)}" for path, v in changes.items())
    return ", ".join(shown)


def source_of(layer: bytes, size: int) -> dict[str, Any]:
    """LayerSources of one layer, with a size."""
    digest = f"sha256:{sha(layer)}"
    return {digest: {"mediaType": f"{OCI}.layer.v1.tar", "digest": digest, "size": size}}
