"""Layouts of the docker-archive family: `manifest.json` is a list that points at other members.

Each function gives the members of the archive in the order in which that producer writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from imagepeel.errors import UsageError
from imagepeel.evidence import text
from imagepeel.forge.assembly import Assembled, Blob, dump, steps
from imagepeel.forge.entry import Entry, directory, file, symlink
from imagepeel.forge.names import canonical, familiar, split
from imagepeel.forge.tar import BLOCK, encode


def manifest_json(
    images: Sequence[Assembled],
    config: Any,
    layers: Any,
    name: Any = familiar,
    extra: Any = None,
) -> bytes:
    """The list `[{Config, RepoTags, Layers}]`; the callables map an image to its member names."""
    out: list[dict[str, Any]] = []
    for item in images:
        tags = [name(each) for each in item.spec.names]
        entry: dict[str, Any] = {"Config": config(item), "RepoTags": tags or None, "Layers": layers(item)}
        out.append(entry | (extra(item) if extra else {}))
    return dump(out)


def repositories(images: Sequence[Assembled], top: Any, name: Any = familiar) -> list[Entry]:
    """The `repositories` member {repository: {tag: id}}, or nothing when no image has a name."""
    out: dict[str, dict[str, str]] = {}
    for item in images:
        for each in item.spec.names:
            repository, tag = split(name(each))
            out.setdefault(repository, {})[tag] = top(item)
    return [file("repositories", dump(out) + b"\n")] if out else []


def v1_ids(item: Assembled) -> list[str]:
    """One id a layer, as docker derives them: from the stack so far, for the top layer also from the config."""
    out: list[str] = []
    for index, chain in enumerate(item.chain_ids[: len(item.layers)]):
        seed = {"layer_id": chain, "parent": out[-1] if out else ""}
        if index == len(item.layers) - 1:
            seed["config"] = item.config.digest
        out.append(hashlib.sha256(dump(seed)).hexdigest())
    while len(out) < len(item.layers):
        out.append(hashlib.sha256(dump([out, len(out)])).hexdigest())
    return out


def v1_json(item: Assembled, index: int, ids: Sequence[str]) -> bytes:
    """The per-layer `json` of docker 1.10 to 24: for the top layer with the runtime config."""
    value: dict[str, Any] = {"id": ids[index], "created": "1970-01-01T00:00:00Z", "container_config": {"Cmd": None}}
    if index:
        value["parent"] = ids[index - 1]
    if index == len(ids) - 1:
        value |= {
            "config": dict(item.spec.config),
            "architecture": item.spec.architecture,
            "created": item.spec.created,
        }
    return dump(value | {"os": item.spec.os})


def blob_file(name: str, blob: Blob) -> list[Entry]:
    """The member, unless the blob is left out on purpose."""
    return [file(name, blob.data)] if blob.present else []


def legacy(images: Sequence[Assembled]) -> list[Entry]:
    """docker save 1.10 to 24: sorted members, a directory a layer, equal layers as symlinks."""
    members: dict[str, Entry] = {}
    first: dict[str, str] = {}
    for item in images:
        ids = v1_ids(item)
        members |= {text(entry.path): entry for entry in blob_file(f"{item.config.hex}.json", item.config)}
        for index, (v1_id, blob) in enumerate(zip(ids, item.layers, strict=True)):
            if f"{v1_id}/" in members:
                continue
            members[f"{v1_id}/"] = directory(v1_id)
            members[f"{v1_id}/VERSION"] = file(f"{v1_id}/VERSION", b"1.0")
            members[f"{v1_id}/json"] = file(f"{v1_id}/json", v1_json(item, index, ids))
            path = f"{v1_id}/layer.tar"
            if blob.diff_id in first:
                members[path] = symlink(path, f"../{first[blob.diff_id]}")
            elif blob.present:
                first[blob.diff_id] = path
                members[path] = file(path, blob.data)
    members["manifest.json"] = file(
        "manifest.json",
        manifest_json(
            images, lambda item: f"{item.config.hex}.json", lambda item: [f"{v1}/layer.tar" for v1 in v1_ids(item)]
        ),
    )
    for entry in repositories(images, lambda item: v1_ids(item)[-1] if item.layers else item.config.hex):
        members["repositories"] = entry
    return [members[name] for name in sorted(members)]


def version_1_0(images: Sequence[Assembled]) -> list[Entry]:
    """docker save up to 1.9: no manifest.json but a chain of `json`; empty steps have a tar of two zero blocks."""
    members: dict[str, Entry] = {}
    tops: dict[int, str] = {}
    for number, item in enumerate(images):
        parent = ""
        blobs = iter(item.layers)
        history = steps(item.spec)
        for index, step in enumerate(history):
            blob = None if step.empty else next(blobs, None)
            content = blob.data if blob is not None else b"\0" * (2 * BLOCK)
            seed = [parent, index, step.created_by, hashlib.sha256(content).hexdigest()]
            v1_id = hashlib.sha256(dump(seed)).hexdigest()
            value: dict[str, Any] = {
                "id": v1_id,
                "created": step.created,
                "container_config": {"Cmd": ["/bin/sh", "-c", f"#(nop) {step.created_by}"]},
                "Size": 0 if step.empty else len(content),
                "architecture": item.spec.architecture,
                "os": item.spec.os,
                "docker_version": "1.9.1",
            }
            if parent:
                value["parent"] = parent
            if index == len(history) - 1:
                value["config"] = dict(item.spec.config)
            members[f"{v1_id}/"] = directory(v1_id)
            members[f"{v1_id}/VERSION"] = file(f"{v1_id}/VERSION", b"1.0")
            members[f"{v1_id}/json"] = file(f"{v1_id}/json", dump(value))
            if blob is None or blob.present:
                members[f"{v1_id}/layer.tar"] = file(f"{v1_id}/layer.tar", content)
            parent = v1_id
        tops[number] = parent
        if next(blobs, None) is not None:
            raise UsageError("the docker v1.0 kind needs one history step that is not empty for each layer")
    order = {id(item): number for number, item in enumerate(images)}
    for entry in repositories(images, lambda item: tops[order[id(item)]]):
        members["repositories"] = entry
    return [members[name] for name in sorted(members)]


def podman(images: Sequence[Assembled]) -> list[Entry]:
    """podman save and skopeo `docker-archive:`: layers at the root, the old directories hold symlinks to them."""
    members: dict[bytes, Entry] = {}

    def put(*entries: Entry) -> None:
        for entry in entries:
            members.setdefault(entry.path, entry)

    for item in images:
        for blob in item.layers:
            put(*blob_file(f"{blob.diff_id.partition(':')[2]}.tar", blob))
        put(*blob_file(f"{item.config.hex}.json", item.config))
        ids = v1_ids(item)
        for index, (v1_id, blob) in enumerate(zip(ids, item.layers, strict=True)):
            put(
                symlink(f"{v1_id}/layer.tar", f"../{blob.diff_id.partition(':')[2]}.tar"),
                file(f"{v1_id}/VERSION", b"1.0"),
                file(f"{v1_id}/json", v1_json(item, index, ids)),
            )
    document = manifest_json(
        images,
        lambda item: f"{item.config.hex}.json",
        lambda item: [f"{blob.diff_id.partition(':')[2]}.tar" for blob in item.layers],
        canonical,
    )
    names = repositories(images, lambda item: v1_ids(item)[-1] if item.layers else item.config.hex, canonical)
    if any(fault.kind == "manifest-missing" for item in images for fault in item.spec.faults):
        return [*members.values()]
    return [*members.values(), file("manifest.json", document), *names]


SUFFIX = {"none": ".tar", "gzip": ".tar.gz", "zstd": ".tar.zst", "bzip2": ".tar.bz2", "xz": ".tar.xz"}


def _layer_name(blob: Blob) -> str:
    return blob.hex + SUFFIX[blob.compression.partition("-")[0]]


def _flat(
    images: Sequence[Assembled],
    config: Callable[[Assembled], str],
    layer: Callable[[Blob], str],
    *,
    config_first: bool = False,
    lower: bool = False,
) -> list[Entry]:
    """Blobs and manifest.json in one directory, named by the callables; `lower` writes its keys in lower case."""
    members: dict[str, Entry] = {}
    for item in images:
        configs = blob_file(config(item), item.config)
        blobs = [entry for blob in item.layers for entry in blob_file(layer(blob), blob)]
        for entry in [*configs, *blobs] if config_first else [*blobs, *configs]:
            members.setdefault(text(entry.path), entry)
    document = manifest_json(images, config, lambda item: [layer(blob) for blob in item.layers])
    if lower:
        value = json.loads(document)
        document = dump([{key[0].lower() + key[1:]: each for key, each in entry.items()} for entry in value])
    return [*members.values(), file("manifest.json", document)]


def crane(images: Sequence[Assembled]) -> list[Entry]:
    """crane, ko and kaniko: the config member is called `sha256:<hex>`, layers `<hex>.tar.gz`."""
    return _flat(images, lambda item: item.config.digest, _layer_name, config_first=True)


def kaniko(images: Sequence[Assembled]) -> list[Entry]:
    """kaniko `--tar-path`: crane's layout; an image without a destination gets kaniko's placeholder name."""
    out = crane(images)
    value = json.loads(out[-1].data)
    for entry in value:
        entry["RepoTags"] = entry["RepoTags"] or ["unset-repo/unset-image-name:latest"]
    return [*out[:-1], file("manifest.json", dump(value))]


def _jib_config(item: Assembled) -> str:
    return "config.json"


def jib(images: Sequence[Assembled]) -> list[Entry]:
    """jibBuildTar: layers, then `config.json` and `manifest.json`; room for one image only."""
    _single(images, "jib")
    return _flat(images, _jib_config, _layer_name)


def jib_lowercase(images: Sequence[Assembled]) -> list[Entry]:
    """jib of 2019: the keys of manifest.json in lower case."""
    _single(images, "jib-lowercase")
    return _flat(images, _jib_config, _layer_name, lower=True)


def rules_oci(images: Sequence[Assembled]) -> list[Entry]:
    """rules_oci `oci_load` in the docker format: blob paths, layers always with the suffix `.tar.gz`."""
    return _flat(
        images,
        lambda item: f"blobs/sha256/{item.config.hex}",
        lambda blob: f"blobs/sha256/{blob.hex}.tar.gz",
        config_first=True,
    )


def nix(images: Sequence[Assembled]) -> list[Entry]:
    """nix dockerTools.buildImage: `./` names, a directory a layer, config and manifest after them."""
    members: dict[str, Entry] = {}
    for item in images:
        ids = v1_ids(item)
        for index, (v1_id, blob) in enumerate(zip(ids, item.layers, strict=True)):
            for entry in [
                directory(f"./{v1_id}"),
                file(f"./{v1_id}/VERSION", b"1.0"),
                file(f"./{v1_id}/json", v1_json(item, index, ids)),
                *blob_file(f"./{v1_id}/layer.tar", blob),
            ]:
                members.setdefault(text(entry.path), entry)
        for entry in blob_file(f"./{item.config.hex}.json", item.config):
            members[text(entry.path)] = entry
    document = manifest_json(
        images, lambda item: f"{item.config.hex}.json", lambda item: [f"{v1}/layer.tar" for v1 in v1_ids(item)]
    )
    out = [*members.values(), file("./manifest.json", document)]
    for entry in repositories(images, lambda item: v1_ids(item)[-1] if item.layers else item.config.hex):
        out.append(file("./repositories", entry.data))
    return out


def nix_stream(images: Sequence[Assembled]) -> list[Entry]:
    """nix streamLayeredImage: `<sha256>/layer.tar` without VERSION and json, then the config, then manifest.json."""
    return _flat(
        images,
        lambda item: f"{item.config.hex}.json",
        lambda blob: f"{blob.diff_id.partition(':')[2]}/layer.tar",
    )


def apko(images: Sequence[Assembled]) -> bytes:
    """apko with several architectures: crane's tar, one lone zero block, then manifests and index.json.

    The lone block stands there when manifest.json fills whole blocks; Go goes on reading, Python and GNU tar stop.
    """
    members: dict[str, Entry] = {}
    for item in images:
        for entry in blob_file(item.config.digest, item.config):
            members.setdefault(text(entry.path), entry)
        for blob in item.layers:
            for entry in blob_file(_layer_name(blob), blob):
                members.setdefault(text(entry.path), entry)

    def named(item: Assembled) -> list[str]:
        if len(images) == 1:
            return [familiar(each) for each in item.spec.names]
        return [f"{familiar(each)}-{item.spec.architecture}" for each in item.spec.names]

    listing = [
        {
            "Config": item.config.digest,
            "RepoTags": named(item) or None,
            "Layers": [_layer_name(blob) for blob in item.layers],
        }
        for item in images
    ]
    document = dump(listing)
    document += b" " * (-len(document) % BLOCK)
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [item.manifest.descriptor(platform=item.platform) for item in images],
    }
    head = encode([*members.values(), file("manifest.json", document)], end_blocks=1)
    tail = [entry for item in images for entry in blob_file(item.manifest.digest, item.manifest)]
    return head + encode([*tail, file("index.json", dump(index))])


def _single(images: Sequence[Assembled], kind: str) -> None:
    if len(images) != 1:
        raise UsageError(f"the {kind} kind holds exactly one image, not {len(images)}")
