"""What tools say of the manifest of an OCI layout: of its place in the index, its JSON, and the parts that it names.

Source: containers/image manifest/oci.go and manifest.go, containerd core/images/image.go; measured with podman 4.3,
skopeo 1.9, buildah 1.28 and ctr 1.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.formats.go_decode import unread
from imagepeel.loading import structs
from imagepeel.loading.answer import FILE
from imagepeel.oci.digest import digest_error
from imagepeel.oci.media_types import (
    DOCKER_FOREIGN_LAYER,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    INDEXES,
    OCI_CONFIG,
    OCI_FOREIGN_LAYER,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

if TYPE_CHECKING:
    from imagepeel.loading.delivery import Delivery

_LAYERS = (OCI_LAYER, OCI_FOREIGN_LAYER, DOCKER_LAYER, DOCKER_FOREIGN_LAYER)
_DOCKER_LAYERS = tuple(f"{media}{packed}" for media in (DOCKER_LAYER, DOCKER_FOREIGN_LAYER) for packed in ("", ".gzip"))
_OF_DOCKER = "the manifest calls itself one of Docker, and its layers have other types"
_AMBIGUOUS = ("config", "fsLayers", "history", "layers", "manifests")
"""The keys that tell the kinds of manifests from each other, in the order in which they are looked for."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a manifest: a tool's words, and why in ours.

    `head` stands in front of the words where the image has a name; `alone` where a store looks for an ID instead.
    """

    words: str
    why: str
    head: str = ""
    alone: str = ""


def of_containers(delivery: Delivery) -> Fault | None:
    """Return what the reader of containers/image says of a manifest before it looks at what the manifest names."""
    data, entry = delivery.manifest_bytes, delivery.record.descriptor
    if data is None or entry is None or delivery.record.parent is not None:
        return None
    media = entry.media_type or OCI_MANIFEST
    where = f"oci-archive:{FILE}:"
    head = f"initializing image from source {where}: "
    if media in INDEXES:
        found = _surplus(delivery, ("config", "fsLayers", "history", "layers"))
        listed = f"parsing primary manifest as list for {where}: "
        why = "the index calls the manifest an index"
        return Fault(words=found, why=why, head=listed, alone="parsing OCI1 index: ") if found else None
    if media not in (OCI_MANIFEST, DOCKER_MANIFEST):
        version = delivery.manifest_value.get("schemaVersion")
        words = f"unsupported schema version {version if isinstance(version, int) else 0}"
        return Fault(words=words, why=f"the index gives the manifest the type {media}", head=head)
    docker = media == DOCKER_MANIFEST
    wrong = unread(data, structs.SCHEMA2_MANIFEST if docker else structs.CONTAINERS_MANIFEST)
    if wrong is not None:
        return Fault(words=wrong, why="the manifest is not what this tool wants", head=head)
    stated = delivery.manifest_value.get("mediaType")
    if docker and stated != DOCKER_MANIFEST:
        words = f'unsupported docker v2s2 media type: "{stated or ""}"'
        return Fault(words=words, why="index and manifest give the manifest two types", head=head)
    odd = _odd_layer(delivery) if docker else None
    if odd is not None:
        return Fault(words=f'unsupported docker v2s2 media type: "{odd}"', why=_OF_DOCKER, head=head)
    found = _surplus(delivery, ("fsLayers", "history", "manifests"))
    return Fault(words=found, why="the manifest could be read as another kind", head=head) if found else None


def _odd_layer(delivery: Delivery) -> str | None:
    """The type of the first layer that a manifest of Docker cannot have."""
    layers = (layer.media_type for layer in delivery.record.layers)
    return next((media for media in layers if media not in _DOCKER_LAYERS), None)


def _surplus(delivery: Delivery, others: tuple[str, ...]) -> str:
    """The words about keys of another kind of manifest."""
    here = [key for key in _AMBIGUOUS if key in others and key in delivery.manifest_value]
    shown = ", ".join(f'"{key}"' for key in here)
    return (
        f"rejecting ambiguous manifest, unexpected fields []string{{{shown}}} in supposedly {OCI_INDEX}" if here else ""
    )


def no_image(delivery: Delivery) -> Fault | None:
    """Return what it says where the config is not that of an image, or its digest is none."""
    entry, config = delivery.record.descriptor, delivery.record.config_descriptor
    if delivery.manifest_bytes is None or entry is None or entry.media_type == DOCKER_MANIFEST:
        return None
    media = config.media_type if config is not None else ""
    if media != OCI_CONFIG:
        words = f'parsing image configuration: unsupported image-specific operation on artifact with type "{media}"'
        return Fault(words=words, why=f"the config has the type {media!r}, so the manifest is that of an artifact")
    wrong = digest_error(config.digest_text) if config is not None else ""
    if config is None or not wrong:
        return None
    head = f"parsing image configuration: unexpected digest reference {config.digest_text}: "
    return Fault(words=wrong, why="the digest of the config is none", head=head, alone="getting config info: ")


def committing(delivery: Delivery) -> Fault | None:
    """Return what a store says of the finished image, whose manifest it reads again by its own type."""
    stated = delivery.manifest_value.get("mediaType")
    head = "committing the finished image: parsing manifest: "
    if stated in INDEXES:
        words = f"{head}Treating manifest lists as individual manifests is not implemented"
        return Fault(words=words, why="the manifest calls itself an index")
    odd = _odd_layer(delivery)
    if stated != DOCKER_MANIFEST or odd is None:
        return None
    words = f'{head}unsupported docker v2s2 media type: "{odd}"'
    return Fault(words=words, why=_OF_DOCKER)


def of_containerd(delivery: Delivery) -> Fault | None:
    """Return what containerd says of a manifest and its place in the index."""
    data, entry = delivery.manifest_bytes, delivery.record.descriptor
    if data is None or entry is None or delivery.record.parent is not None:
        return None
    if not delivery.is_under(data, entry.digest_text):
        words = f"content digest {entry.digest_text}: not found"
        return Fault(words=words, why="other bytes than those of the manifest lie under its digest")
    media = entry.media_type
    named = any(name.where.pointer for name in delivery.record.names)
    if named and media and media not in (OCI_MANIFEST, DOCKER_MANIFEST, *INDEXES):
        words = f"unexpected media type {media} for {entry.digest_text}: not found"
        return Fault(words=words, why=f"the index gives the manifest the type {media}")
    if media in (OCI_MANIFEST, DOCKER_MANIFEST, *INDEXES):
        wrong = unread(data, structs.UNKNOWN_DOCUMENT) or _other_kind(delivery, media)
        if wrong:
            words = f"children: invalid desc {entry.digest_text}: {wrong}"
            return Fault(words=words, why="the manifest is not what its type says")
        unlike = unread(data, structs.OCI_MANIFEST)
        if unlike is not None:
            return Fault(words=unlike, why="the manifest is not what this tool wants")
    if not named:
        return None  # no image is made of it, and nothing looks further
    if not media:
        return Fault(words="Target.MediaType must be set: invalid argument", why="the index gives the manifest no type")
    if (entry.size or 0) <= 0:
        words = "Target.Size must be greater than zero: invalid argument"
        return Fault(words=words, why="the index gives the manifest no size")
    config = delivery.record.config_descriptor
    stated = config.digest_text if config is not None else ""
    if not digest_error(stated):
        return None
    words = f'failed to resolve rootfs: "{stated}" failed validation: invalid argument'
    return Fault(words=words, why="the digest of the config is none")


def _other_kind(delivery: Delivery, media: str) -> str:
    value = delivery.manifest_value
    stated = value.get("mediaType")
    if "fsLayers" in value:
        return "media-type: schema 1 not supported"
    if media in INDEXES:
        one = "config" in value or "layers" in value or stated in (OCI_MANIFEST, DOCKER_MANIFEST)
        return f"media-type: expected index but found manifest ({media})" if one else ""
    many = "manifests" in value or stated in INDEXES
    return f"media-type: expected manifest but found index ({media})" if many else ""


def without_processor(media: str) -> bool:
    """Say whether containerd has nothing that unpacks layers of a media type."""
    return media.partition("+")[0] not in (*_LAYERS, *_DOCKER_LAYERS)
