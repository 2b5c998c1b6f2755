"""Layouts of the OCI family: `index.json` points into `blobs/<algorithm>/<hex>` (image-spec image-layout.md).

Here also the two hybrids of docker save 25 and later, which are both formats at once, and the `dir:` transport.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.evidence import text
from imagepeel.forge import docker
from imagepeel.forge.assembly import (
    DOCKER_LIST,
    MEDIA_INDEX,
    MEDIA_LAYER,
    MEDIA_MANIFEST,
    Assembled,
    Blob,
    digest,
    dump,
)
from imagepeel.forge.attest import ARTIFACT, EMPTY, INTOTO, Provenance, statement
from imagepeel.forge.entry import Entry, directory, file
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.names import canonical, familiar, split

OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
CONTAINERD_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"


class IndexSpec(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Several images under one name: a nested index, one entry a platform, with the index's own `annotations`."""

    images: tuple[ImageSpec, ...] = ()
    names: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    docker_types: bool = False


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What one top-level descriptor leads to: an image, or an index over several."""

    images: tuple[Assembled, ...]
    names: tuple[str, ...]
    nested: bool = False
    annotations: Mapping[str, str] = {}
    docker_types: bool = False


def index(
    *images: ImageSpec, names: Sequence[str] | str = (), annotations: Mapping[str, str] | None = None
) -> IndexSpec:
    """A multi-platform image: one index entry for each image, in this order, with its platform.

    The images inside need no names of their own; `names` are those of the whole.  Source: image-spec image-index.md.
    """
    return IndexSpec(
        images=images, names=(names,) if isinstance(names, str) else tuple(names), annotations=annotations or {}
    )


class Blobs:
    """The `blobs/` folder while it is filled: each digest once, in the order of arrival."""

    def __init__(self) -> None:
        self.members: dict[str, Entry] = {}

    def put(self, blob: Blob) -> Blob:
        path = f"blobs/{blob.digest.replace(':', '/', 1)}"
        if blob.present:
            self.members.setdefault(path, file(path, blob.data))
        return blob

    def document(self, value: Any, media_type: str) -> Blob:
        data = dump(value)
        return self.put(Blob(data=data, digest=digest(data), size=len(data), media_type=media_type))

    def image(self, item: Assembled) -> Blob:
        for blob in item.layers:
            self.put(blob)
        self.put(item.config)
        return self.put(item.manifest)

    def entries(self) -> list[Entry]:
        folders = sorted({path.rpartition("/")[0] for path in self.members} | {"blobs/sha256"})
        out = [directory("blobs")]
        for folder in folders:
            out.append(directory(folder))
            out += [self.members[path] for path in sorted(self.members) if path.rpartition("/")[0] == folder]
        return out


def _index(manifests: Sequence[Mapping[str, Any]], media_type: str = MEDIA_INDEX) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": list(manifests)}


def _named(descriptor: dict[str, Any], names: Sequence[str], tags: bool, containerd: bool) -> list[dict[str, Any]]:
    """One descriptor a name, with the annotations of BuildKit and containerd."""
    if not names:
        return [descriptor]
    out = []
    for name in names:
        notes = dict(descriptor.get("annotations", {}))
        notes[REF_NAME] = split(name)[1] if tags else familiar(name)
        if containerd:
            notes[CONTAINERD_NAME] = canonical(name)
        out.append(descriptor | {"annotations": notes})
    return out


def _entry_fields(item: Assembled) -> dict[str, Any]:
    """What an index entry says beyond the digest: the platform of an image, the type of an artifact, annotations."""
    spec = item.spec
    out: dict[str, Any] = {"artifactType": spec.artifact_type} if spec.artifact_type else {"platform": item.platform}
    return out | ({"annotations": dict(spec.index_annotations)} if spec.index_annotations else {})


def _tags_suffice(groups: Sequence[Group]) -> bool:
    tags = [split(name)[1] for group in groups for name in group.names]
    return len(tags) == len(set(tags))


def _oci(groups: Sequence[Group], containerd: bool) -> tuple[Blobs, bytes]:
    blobs = Blobs()
    top: list[dict[str, Any]] = []
    for group in groups:
        attested = [item for item in group.images if item.spec.provenance is not None]
        if group.nested or attested:
            inner = [blobs.image(item).descriptor(**_entry_fields(item)) for item in group.images]
            inner += [_attestation(blobs, item) for item in attested]
            kind = DOCKER_LIST if group.docker_types else MEDIA_INDEX
            descriptor = blobs.document(_index(inner, kind), kind).descriptor()
        else:
            (item,) = group.images
            descriptor = blobs.image(item).descriptor(**_entry_fields(item))
        if group.annotations:
            descriptor["annotations"] = dict(group.annotations)
        top += _named(descriptor, group.names, _tags_suffice(groups), containerd)
    return blobs, dump(_index(top))


def oci(groups: Sequence[Group]) -> list[Entry]:
    """An OCI layout as podman, skopeo and umoci write it; the reference name is the tag where that is unique."""
    blobs, document = _oci(groups, containerd=False)
    return [*blobs.entries(), file("index.json", document), file("oci-layout", OCI_LAYOUT)]


def buildx_oci(groups: Sequence[Group]) -> list[Entry]:
    """buildx `type=oci`: as `oci`, with containerd's full name beside the tag."""
    blobs, document = _oci(groups, containerd=True)
    return [*blobs.entries(), file("index.json", document), file("oci-layout", OCI_LAYOUT)]


def _sides(groups: Sequence[Group]) -> list[Assembled]:
    return [item for group in groups for item in group.images]


def save_25(docker_side: Sequence[Assembled], oci_side: Sequence[Assembled]) -> list[Entry]:
    """docker save 25 and later from a graphdriver store: both formats over one set of uncompressed blobs.

    Blobs that nothing points to (one old-style config a layer) are part of the real thing.
    """
    blobs = Blobs()
    top: list[dict[str, Any]] = []
    for item in docker_side:
        for blob in item.layers:
            blobs.put(blob)
        blobs.put(item.config)
        ids = docker.v1_ids(item)
        for number in range(len(item.layers)):
            blobs.document({"orphan": True} | {"id": ids[number], "os": item.spec.os}, "")
    for item in oci_side:
        top += _named(blobs.image(item).descriptor(), item.spec.names, tags=True, containerd=True)

    def sources(item: Assembled) -> dict[str, Any]:
        found = {
            blob.diff_id: {"mediaType": MEDIA_LAYER, "digest": blob.diff_id, "size": len(blob.content)}
            for blob in item.layers
        }
        return {"LayerSources": found} if found else {}

    document = docker.manifest_json(
        docker_side,
        lambda item: f"blobs/sha256/{item.config.hex}",
        lambda item: [f"blobs/sha256/{blob.hex}" for blob in item.layers],
        familiar,
        sources,
    )
    return [
        *blobs.entries(),
        file("index.json", dump(_index(top))),
        file("manifest.json", document),
        file("oci-layout", OCI_LAYOUT),
        *docker.repositories(
            docker_side, lambda item: item.layers[-1].diff_id.partition(":")[2] if item.layers else ""
        ),
    ]


def containerd_store(docker_side: Sequence[Assembled], oci_groups: Sequence[Group]) -> list[Entry]:
    """docker save from the containerd store: a sparse nested index.

    Each image is an index with its own platform, another platform whose blobs are not in the archive, and
    BuildKit attestations for both (present for the first, absent for the second).
    """
    blobs = Blobs()
    top: list[dict[str, Any]] = []
    for item in docker_side:
        for blob in (*item.layers, item.config):
            blobs.put(blob)
    for group in oci_groups:
        inner: list[dict[str, Any]] = []
        notes: list[dict[str, Any]] = []
        for item in group.images:
            inner.append(blobs.image(item).descriptor(platform=item.platform))
            notes.append(_attestation(blobs, item))
        for item in group.images[:1]:
            absent, about = _absent(item)
            inner.append(absent)
            notes.append(about)
        descriptor = blobs.document(_index(inner + notes), MEDIA_INDEX).descriptor()
        top += _named(descriptor, group.names, tags=True, containerd=True)
    document = docker.manifest_json(
        docker_side,
        lambda item: f"blobs/sha256/{item.config.hex}",
        lambda item: [f"blobs/sha256/{blob.hex}" for blob in item.layers],
    )
    return [
        *blobs.entries(),
        file("index.json", dump(_index(top))),
        file("manifest.json", document),
        file("oci-layout", OCI_LAYOUT),
    ]


def _about(descriptor: dict[str, Any], subject: str) -> dict[str, Any]:
    return descriptor | {
        "annotations": {"vnd.docker.reference.digest": subject, "vnd.docker.reference.type": "attestation-manifest"},
        "platform": {"architecture": "unknown", "os": "unknown"},
    }


def _attestation(blobs: Blobs, item: Assembled) -> dict[str, Any]:
    """A provenance statement in BuildKit's form: a manifest whose only layer is in-toto JSON."""
    stated = item.spec.provenance or Provenance(version="v0.2")
    layers = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in item.layers]
    document = statement(stated, item.spec.names, item.manifest.digest, layers)
    if item.spec.provenance is None:
        document["predicate"] = {"buildType": "imagepeel forge", "materials": []}
    data = stated.data if stated.data is not None else dump(document)
    layer = blobs.put(Blob(data=data, digest=digest(data), size=len(data), media_type=INTOTO))
    described = {**layer.descriptor(), "annotations": {"in-toto.io/predicate-type": document["predicateType"]}}
    manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": MEDIA_MANIFEST}
    if stated.artifact:
        manifest["artifactType"] = ARTIFACT
        config = blobs.put(Blob(data=b"{}", digest=digest(b"{}"), size=2, media_type=EMPTY))
    else:
        about = {"type": "layers", "diff_ids": [layer.digest]}
        config = blobs.document(
            {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": about},
            "application/vnd.oci.image.config.v1+json",
        )
    manifest |= {"config": config.descriptor(), "layers": [described]}
    if stated.artifact:
        manifest["subject"] = item.manifest.descriptor()
    found = blobs.document(manifest, MEDIA_MANIFEST).descriptor()
    return _about(found | ({"artifactType": ARTIFACT} if stated.artifact else {}), item.manifest.digest)


def _absent(item: Assembled) -> tuple[dict[str, Any], dict[str, Any]]:
    """Descriptors of a platform that was never pulled, and of its attestation."""
    other = "arm64" if item.spec.architecture != "arm64" else "amd64"
    seed = item.manifest.digest + other
    found = [
        {"mediaType": MEDIA_MANIFEST, "digest": "sha256:" + hashlib.sha256(word.encode()).hexdigest(), "size": size}
        for word, size in ((seed, 481), (seed + "att", 566))
    ]
    subject = str(found[0]["digest"])
    return found[0] | {"platform": {"architecture": other, "os": "linux"}}, _about(found[1], subject)


def transport_dir(images: Sequence[Assembled]) -> list[Entry]:
    """skopeo `dir:`: blobs by bare hex, `manifest.json` is the manifest itself."""
    if len(images) != 1:
        raise UsageError(f"the dir kind holds exactly one image, not {len(images)}")
    (item,) = images
    members: dict[str, Entry] = {}
    for blob in (*item.layers, item.config):
        for entry in docker.blob_file(blob.hex, blob):
            members.setdefault(text(entry.path), entry)
    return [
        *members.values(),
        *docker.blob_file("manifest.json", item.manifest),
        file("version", b"Directory Transport Version: 1.1\n"),
    ]
