"""Image manifests: OCI, Docker schema 2 and the old schema 1 (image-spec manifest.md, Docker distribution)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Anomaly, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.config import HistoryStep, ImageConfig, config_of
from imagepeel.oci.descriptor import Descriptor, descriptor_of
from imagepeel.oci.digest import EMPTY_GZIP_LAYER, Digest, problem
from imagepeel.oci.json_document import Fields, JsonObject, lookup, parse_json


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest: a config and an ordered list of layers, or of an artifact's blobs (image-spec manifest.md)."""

    schema_version: int | None = None
    """`schemaVersion` as written, 2 in every valid manifest; None when absent."""
    media_type: str = ""
    """`mediaType` as written, "" when absent."""
    artifact_type: str = ""
    """`artifactType` as written, "" when absent."""
    config: Descriptor | None = None
    """Descriptor of the config; None when absent."""
    layers: tuple[Descriptor, ...] = ()
    """Descriptors base first, at most `Limits.layers`."""
    subject: Descriptor | None = None
    """Descriptor of the manifest that this one is about; None when absent."""
    annotations: Mapping[str, str] = {}
    """Annotation name to value."""
    raw: JsonObject = {}
    """The whole document with the fields that nothing here reads."""


class Schema1Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A Docker schema 1 manifest (Docker distribution, manifest-v2-1).  It has no config blob."""

    name: str = ""
    """Repository name as written."""
    tag: str = ""
    """Tag as written."""
    layers: tuple[Digest | None, ...] = ()
    """Digests of the stored layers, base first; None for one that is not well formed."""
    config: ImageConfig = ImageConfig()
    """A config made of the newest history entry, with the history of all of them."""
    signed: bool = False
    """Whether the document carries signatures; they are not verified."""
    raw: JsonObject = {}
    """The whole document with the fields that nothing here reads."""


DocumentShape = Literal["", "index", "manifest", "schema1", "both"]


def shape_of(value: Any) -> DocumentShape:
    """Say what a JSON document is by its fields: "index", "manifest", "schema1", "both" or "".

    Bytes that read as an index and as a manifest at once let two tools see two images (CVE-2021-41190).
    """
    if not isinstance(value, dict):
        return ""
    index = lookup(value, "manifests") is not None
    manifest = lookup(value, "layers") is not None or lookup(value, "config") is not None
    if lookup(value, "fsLayers") is not None:
        return "schema1"
    if index and manifest:
        return "both"
    if index:
        return "index"
    return "manifest" if manifest or lookup(value, "blobs") is not None else ""


def manifest_of(value: Any, where: Location, anomalies: list[Anomaly], limits: Limits = DEFAULT) -> Manifest:
    """Return the manifest in a parsed JSON value; a value that is no object reads as an empty manifest.

    Arguments: `where` is the place of the value; anomalies are appended to `anomalies`.  At most `Limits.layers` layers
    are read.  A document without `layers` is read with `blobs`, the list of the withdrawn OCI artifact manifest.
    """
    fields = Fields(value, where, anomalies)
    config = fields.child("config")
    subject = fields.child("subject")
    # `blobs` is the list of the withdrawn OCI artifact manifest.
    key = "layers" if lookup(fields.raw, "layers") is not None else "blobs"
    return Manifest(
        schema_version=fields.integer("schemaVersion"),
        media_type=fields.text("mediaType"),
        artifact_type=fields.text("artifactType"),
        config=descriptor_of(config) if config else None,
        layers=tuple(descriptor_of(child) for child in fields.children(key, limits.layers)),
        subject=descriptor_of(subject) if subject else None,
        annotations=fields.text_map("annotations"),
        raw=fields.raw,
    )


def schema1_of(value: Any, where: Location, anomalies: list[Anomaly], limits: Limits) -> Schema1Manifest:
    """Return the schema 1 manifest in a parsed JSON value.

    Arguments: `where` is the place of the value; anomalies are appended to `anomalies`.  At most `Limits.layers` layers
    and history entries are read.

    `fsLayers` and `history` run from the top layer down and belong together.  Each history entry is a JSON document in
    a string; one that cannot be read is an anomaly.  A step marked `throwaway` with the empty layer is left out of
    `layers`, as the engines leave it out on conversion.
    """
    fields = Fields(value, where, anomalies)
    blobs = [child.text("blobSum") for child in fields.children("fsLayers", limits.layers)]
    texts = [child.text("v1Compatibility") for child in fields.children("history", limits.layers)]
    if len(blobs) != len(texts):
        fields.note(
            "schema1-count", f"{len(blobs)} fsLayers and {len(texts)} history entries do not pair up", fatal=True
        )
    documents = [_v1(text, index, fields, anomalies, limits) for index, text in enumerate(texts)]
    layers: list[Digest | None] = []
    for index in reversed(range(len(blobs))):
        document = documents[index] if index < len(documents) else {}
        throwaway = lookup(document, "throwaway") is True
        if throwaway and blobs[index] == EMPTY_GZIP_LAYER:
            continue
        wrong = problem(blobs[index])
        if wrong:
            fields.note("descriptor-digest", f"fsLayers {index}: {blobs[index]!r} is invalid: {wrong}", fatal=True)
        layers.append(None if wrong else Digest(blobs[index]))
    config = config_of(documents[0] if documents else {}, fields.place("history"), anomalies)
    return Schema1Manifest(
        name=fields.text("name"),
        tag=fields.text("tag"),
        layers=tuple(layers),
        config=msgspec.structs.replace(config, history=v1_history(reversed(documents), where)),
        signed=bool(fields.items("signatures")),
        raw=fields.raw,
    )


def v1_history(documents: Any, where: Location) -> tuple[HistoryStep, ...]:
    """Return the history steps of a chain of v1 image documents, as the engines convert them.

    Arguments: `documents` are parsed JSON values, base first, and so are the steps.  `created_by` is the container's
    Cmd, joined by spaces.
    """
    steps = []
    for document in documents:
        ignored: list[Anomaly] = []
        fields = Fields(document, where, ignored)
        container = fields.child("container_config")
        steps.append(
            HistoryStep(
                created=fields.text("created"),
                created_by=" ".join((container.strings("Cmd") if container else None) or ()),
                author=fields.text("author"),
                comment=fields.text("comment"),
                empty_layer=fields.flag("throwaway"),
            )
        )
    return tuple(steps)


def _v1(text: str, index: int, fields: Fields, anomalies: list[Anomaly], limits: Limits) -> JsonObject:
    place = fields.place("history")
    try:
        value, noticed = parse_json(text.encode("utf-8", "surrogatepass"), place, limits)
    except ImagepeelError as error:
        fields.note("schema1-history", f"history entry {index} cannot be read: {error.what}", "history", fatal=True)
        return {}
    anomalies.extend(noticed)
    return value if isinstance(value, dict) else {}
