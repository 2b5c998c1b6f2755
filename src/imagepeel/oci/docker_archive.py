"""The documents of `docker save` archives: `manifest.json`, `repositories` and v1 `json` files.

Source: moby `image/tarexport` and `image/v1`, docs "Image Specification v1.2.0".  Keys match in any case, as in
Go: archives of old Jib versions have `config`, `repoTags` and `layers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.descriptor import Descriptor, descriptor_of
from imagepeel.oci.json_document import Fields, JsonObject, escaped


class ArchiveManifest(msgspec.Struct, frozen=True, kw_only=True):
    """One item of `manifest.json`: an image as member names of the archive, layers base first.

    `repo_tags` is None when absent or null (an image that was saved by its id).
    """

    config: str = ""
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] = ()
    parent: str = ""
    layer_sources: Mapping[str, Descriptor] = {}
    pointer: str = ""
    raw: JsonObject = {}


class V1Image(msgspec.Struct, frozen=True, kw_only=True):
    """The `json` document of one v1 layer: its own id and that of its parent."""

    id: str = ""
    parent: str = ""
    raw: JsonObject = {}


def archive_manifests_of(value: Any, where: Location, anomalies: list[Anomaly]) -> tuple[ArchiveManifest, ...]:
    """Return the images that a parsed `manifest.json` list names; oddities are appended to `anomalies`."""
    images = []
    for index, item in enumerate(value if isinstance(value, list) else ()):
        fields = Fields(item, where, anomalies, f"/{index}")
        sources = fields.child("LayerSources")
        images.append(
            ArchiveManifest(
                config=fields.text("Config"),
                repo_tags=fields.strings("RepoTags"),
                layers=fields.strings("Layers") or (),
                parent=fields.text("Parent"),
                layer_sources={
                    diff_id: descriptor_of(source)
                    for diff_id in (sources.raw if sources else {})
                    if sources and (source := sources.child(diff_id)) is not None
                },
                pointer=f"/{index}",
                raw=fields.raw,
            )
        )
    return tuple(images)


def repositories_of(value: Any, where: Location, anomalies: list[Anomaly]) -> dict[str, dict[str, str]]:
    """Return `repositories`: repository -> tag -> v1 id (or, since Docker 25, the hex of the top DiffID)."""
    fields = Fields(value, where, anomalies)
    found = {}
    for repository in fields.raw:
        child = Fields(fields.raw[repository], where, anomalies, escaped(repository))
        found[repository] = child.text_map_self()
    return found


def v1_image_of(value: Any, where: Location, anomalies: list[Anomaly]) -> V1Image:
    """Return the identity part of a v1 `json` document."""
    fields = Fields(value, where, anomalies)
    return V1Image(id=fields.text("id"), parent=fields.text("parent"), raw=fields.raw)
