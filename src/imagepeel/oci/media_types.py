"""Media types of OCI and Docker and what they promise (image-spec media-types.md, Docker distribution).

A media type is a claim by whoever wrote the descriptor.  It decides which grammar a document is read by; the
compression of a layer is decided by its bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar"

INDEXES = frozenset((OCI_INDEX, DOCKER_INDEX))
MANIFESTS = frozenset((OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT_MANIFEST))
SCHEMA1 = frozenset((DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED))
IMAGE_CONFIGS = frozenset((OCI_CONFIG, DOCKER_CONFIG))

_TAR_LAYERS = (OCI_LAYER, OCI_FOREIGN_LAYER, DOCKER_LAYER, DOCKER_FOREIGN_LAYER)
_FOREIGN = (OCI_FOREIGN_LAYER, DOCKER_FOREIGN_LAYER)


MediaRole = Literal[
    "index", "manifest", "schema1", "config", "layer", "empty", "attestation", "cosign", "helm", "wasm", "checkpoint",
    "buildkit-cache", "other",
]  # fmt: skip
"""What a document or blob is by its media type."""
LayerFilesystem = Literal["", "tar", "squashfs", "erofs"]
"""What a layer is by its media type, "" for what is no layer."""


class MediaType(msgspec.Struct, frozen=True, kw_only=True):
    """What a media type says.

    `role` is one of index, manifest, schema1, config, layer, attestation, cosign, helm, wasm, checkpoint,
    buildkit-cache, empty, other.  For a layer, `filesystem` is tar, squashfs or erofs and `compression` is
    "" (none promised), "gzip", "zstd" or another suffix; `foreign` and `encrypted` say why bytes may be absent
    or unreadable.
    """

    text: str
    role: MediaRole
    filesystem: LayerFilesystem = ""
    compression: str = ""
    foreign: bool = False
    encrypted: bool = False
    docker: bool = False


def classify(text: str) -> MediaType:
    """Return what a media type says; unknown ones are role "other" and never an error (media-types.md)."""
    plain = text.partition(";")[0].strip().lower()
    docker = plain.startswith("application/vnd.docker.")
    layer = _layer(text, plain, docker)
    return layer or MediaType(text=text, role=_role(plain), docker=docker)


def _layer(text: str, plain: str, docker: bool) -> MediaType | None:
    base, encrypted = (plain[: -len("+encrypted")], True) if plain.endswith("+encrypted") else (plain, False)
    for known in _TAR_LAYERS:
        if base.startswith(known):
            suffix = base[len(known) :]
            if suffix and suffix[0] not in "+.":
                continue
            return MediaType(
                text=text,
                role="layer",
                filesystem="tar",
                compression=suffix[1:],
                foreign=known in _FOREIGN,
                encrypted=encrypted,
                docker=docker,
            )
    images: tuple[LayerFilesystem, ...] = ("squashfs", "erofs")
    for name in images:
        if name in base and ("layer" in base or base.endswith(name)):
            return MediaType(text=text, role="layer", filesystem=name, encrypted=encrypted, docker=docker)
    if encrypted:
        return MediaType(text=text, role="layer", filesystem="tar", encrypted=True, docker=docker)
    return None


def _role(plain: str) -> MediaRole:
    if plain in INDEXES:
        return "index"
    if plain in MANIFESTS:
        return "manifest"
    if plain in SCHEMA1:
        return "schema1"
    if plain in IMAGE_CONFIGS:
        return "config"
    if plain == OCI_EMPTY:
        return "empty"
    if plain.startswith(("application/vnd.in-toto", "application/vnd.docker.attestation")):
        return "attestation"
    if plain.startswith(("application/vnd.dev.cosign", "application/vnd.dsse", "application/vnd.dev.sigstore")):
        return "cosign"
    if plain.startswith("application/vnd.cncf.helm"):
        return "helm"
    if plain == "application/wasm" or plain.startswith(("application/vnd.wasm", "application/vnd.module.wasm")):
        return "wasm"
    if plain.startswith("application/vnd.containerd.container.criu.checkpoint"):
        return "checkpoint"
    if plain.startswith("application/vnd.buildkit.cacheconfig"):
        return "buildkit-cache"
    return "other"
