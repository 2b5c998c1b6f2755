"""Which program probably wrote an archive, told by its habits.  A guess for people; nothing depends on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from imagepeel.archive.members import Members
from imagepeel.archive.records import ImageRecord, IndexRecord
from imagepeel.oci.descriptor import CONTAINERD_NAME

_HEX = "[0-9a-f]{64}"
_ID_JSON = re.compile(rf"{_HEX}\.json")
_ID_LAYER = re.compile(rf"{_HEX}/layer\.tar")
_ROOT_TAR = re.compile(rf"{_HEX}\.tar")


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """The probable program, and the habit that tells it (the end of a sentence after "because")."""

    name: str
    tell: str


def guess_writer(
    kind: str, members: Members, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord], manifest: Any
) -> Writer | None:
    """Return the program whose habits an archive shows, None when several share them.

    `manifest` is the parsed `manifest.json`, None where there is none.
    """
    match kind:
        case "docker-archive":
            return _of_list(members, records)
        case "hybrid":
            return _of_hybrid(members, records, manifest)
        case "oci-layout":
            return _of_layout(members, indexes)
        case "dir":
            return Writer(
                name="skopeo copy dir: or podman save --format docker-dir", tell="blobs lie under bare hex names"
            )
        case "docker-v1":
            return Writer(
                name="docker save before 1.10", tell="there are parent chains of json files and no manifest.json"
            )
        case "rootfs" if members.get(".dockerenv") is not None:
            return Writer(name="docker export", tell="Docker leaves .dockerenv in every container")
    return None


def _of_list(members: Members, records: Sequence[ImageRecord]) -> Writer | None:
    config = records[0].config_member if records else ""
    layers = [layer.member for record in records for layer in record.layers]
    if config.startswith("sha256:"):
        return Writer(
            name="crane, ko, kaniko or another go-containerregistry program",
            tell="the config's member name is sha256: and its digest",
        )
    if config == "config.json":
        return Writer(name="Jib", tell="the config is called config.json")
    if config.startswith("blobs/") and layers and all(name.endswith(".tar.gz") for name in layers):
        return Writer(name="Bazel rules_oci", tell="its blobs have the suffix .tar.gz")
    if not _ID_JSON.fullmatch(config) or not layers:
        return None
    if all(_ROOT_TAR.fullmatch(name) for name in layers):
        return Writer(name="podman save or skopeo", tell="its layers lie at the top under their DiffIDs")
    if all(_ID_LAYER.fullmatch(name) for name in layers) and members.get(layers[0].replace("layer.tar", "VERSION")):
        return Writer(
            name="docker save before 25, or a program that imitates it",
            tell="each layer has its own directory with layer.tar, json and VERSION",
        )
    return None


def _of_hybrid(members: Members, records: Sequence[ImageRecord], manifest: Any) -> Writer:
    if members.get("oci-layout") is None and any(record.config_member.startswith("sha256:") for record in records):
        return Writer(name="apko", tell="its blobs lie at the top and there is no oci-layout")
    first = manifest[0] if isinstance(manifest, list) and manifest else None
    if members.get("repositories") is not None or (isinstance(first, dict) and "LayerSources" in first):
        return Writer(
            name="docker save 25 or later, classic image store",
            tell="beside the OCI layout it has the old repositories file, or LayerSources in manifest.json",
        )
    return Writer(
        name="docker save with the containerd image store, ctr, nerdctl or docker buildx",
        tell="it has both descriptions, without repositories file and LayerSources",
    )


def _of_layout(members: Members, indexes: Sequence[IndexRecord]) -> Writer | None:
    top = indexes[0].index if indexes else None
    annotations = [descriptor.annotations for descriptor in (top.manifests if top else None) or ()]
    if any(CONTAINERD_NAME in found for found in annotations):
        return Writer(name="buildkit or containerd", tell=f"its names are in the annotation {CONTAINERD_NAME}")
    if any(found.get("kind", "").startswith("dev.cosignproject.cosign/") for found in annotations):
        return Writer(name="cosign save", tell="its entries are marked with cosign's kinds")
    if members.get("ingest") is not None:
        return Writer(name="buildkit", tell="it has the directory ingest, where buildkit receives blobs")
    return None
