"""The image index, or Docker manifest list: a list of descriptors (image-spec image-index.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagepeel.evidence import Anomaly, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.descriptor import Descriptor, descriptor_of
from imagepeel.oci.json_document import Fields, JsonObject


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """One index.  `manifests` is None when the document holds null or no list, () for an empty list."""

    schema_version: int | None = None
    media_type: str = ""
    artifact_type: str = ""
    manifests: tuple[Descriptor, ...] | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = {}
    raw: JsonObject = {}


def index_of(value: Any, where: Location, anomalies: list[Anomaly], limits: Limits = DEFAULT) -> Index:
    """Return the index in a parsed JSON value; oddities are appended to `anomalies`.

    At most `Limits.documents` of its manifests are read."""
    fields = Fields(value, where, anomalies)
    subject = fields.child("subject")
    listed = fields.items("manifests")
    return Index(
        schema_version=fields.integer("schemaVersion"),
        media_type=fields.text("mediaType"),
        artifact_type=fields.text("artifactType"),
        manifests=None if listed is None else tuple(map(descriptor_of, fields.children("manifests", limits.documents))),
        subject=descriptor_of(subject) if subject else None,
        annotations=fields.text_map("annotations"),
        raw=fields.raw,
    )
