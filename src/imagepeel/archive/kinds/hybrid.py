"""Two descriptions in one file: an OCI layout and `docker save`'s list.  Do they mean the same images?

Loaders choose differently (Docker's classic store reads only manifest.json, containerd only the OCI layout, podman
whatever succeeds first), so where the two differ, one file is two images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from imagepeel.archive.blobs import Blobs, digest_in_name
from imagepeel.archive.kinds import docker_archive, oci_layout
from imagepeel.archive.kinds.kind import (
    INDEX,
    MANIFEST,
    REPOSITORIES,
    Clues,
    Detected,
    Detection,
    Kind,
    Producer,
    Records,
)
from imagepeel.archive.oci_images import merged
from imagepeel.archive.records import Description, ImageRecord, IndexRecord, RecordKind, read_now
from imagepeel.archive.select import familiar
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.digest import short
from imagepeel.oci.layout import MARKER
from imagepeel.text import joined, listed, plural

NAME = "hybrid"
TWO_IMAGES: Final = "TWO-IMAGES"


def _recognise(clues: Clues) -> Detection | None:
    if not isinstance(clues.manifest, list) or not oci_layout.has_layout(clues):
        return None
    return Detection(
        id=NAME,
        sentence="it has both index.json (the OCI layout's list of manifests) and manifest.json (docker save's "
        "list of images), so it is two descriptions in one file; both are read and compared",
        saw=clues.saw(MARKER, INDEX, MANIFEST),
    )


def _read(blobs: Blobs, detected: Detected) -> Records:
    """Read both descriptions.  One that is damaged is left out with an anomaly; both damaged raise the first."""
    errors: list[ImagepeelError] = []
    oci: Records = ([], [])
    docker: list[ImageRecord] = []
    try:
        oci = oci_layout.read(blobs, detected)
    except ImagepeelError as error:
        errors.append(error)
    blobs.layers = 0  # the same images again: those that were read are read, and those that wait wait
    try:
        docker = docker_archive.archive_images(blobs, detected.clues.manifest)
    except ImagepeelError as error:
        errors.append(error)
    if len(errors) == 2:
        raise errors[0]
    for met in errors:
        blobs.note("description-damaged", met.what, met.where or Location(), fatal=True)
    return reconcile(oci[0], docker, blobs.anomalies), oci[1]


def reconcile(oci: list[ImageRecord], docker: list[ImageRecord], anomalies: list[Anomaly]) -> list[ImageRecord]:
    """Return one list of records: descriptions of the same image are joined, others stand side by side.

    The same image means the same config, by its digest, which identifies also bytes that are not here; and where the
    manifest of the OCI layout is not here, so that it names no config, the same name.  A `manifest.json` that
    describes an image which the OCI layout does not have (or with other layers) is recorded as TWO-IMAGES, unless the
    layout is merely empty: Docker 25.0 wrote an untagged image only to `manifest.json`.
    """
    records = list(oci)
    apart: list[ImageRecord] = []
    available = [record for record in oci if record.kind is RecordKind.IMAGE and record.available]
    same_config = {_identity(record): at for at, record in reversed(list(enumerate(oci)))}
    same_config |= {_identity(record): at for at, record in enumerate(oci) if record.kind is RecordKind.IMAGE}
    for item in docker:
        identity = _identity(item)
        at = same_config.get(identity) if identity else None
        if at is not None:
            records[at] = _joined(records[at], item, anomalies)
        elif (at := _by_name(records, item)) is not None:
            records[at] = _without_manifest(records[at], item, anomalies)
        else:
            apart.append(item)
    # An image of which no config is known may be one of those: it waits to be read, or its manifest is not here.
    unknown = any(one.kind is RecordKind.IMAGE and not _identity(one) for one in records)
    for item in apart:
        records.append(msgspec.structs.replace(item, number=len(records) + 1))
        if available and _identity(item) and not unknown:
            anomalies.append(_different(item, available))
    return records


def _by_name(records: Sequence[ImageRecord], item: ImageRecord) -> int | None:
    """Return which image of the layout, whose manifest is not here, has the name and platform of one in manifest.json.

    None where there is none, or more than one.
    """
    names = set(map(familiar, item.tags))
    found = [
        at
        for at, record in enumerate(records)
        if record.kind is RecordKind.IMAGE
        and record.lacks_manifest
        and not record.is_described_by(Description.LIST)
        and names & set(map(familiar, record.tags))
        and (None in (record.platform, item.platform) or str(record.platform) == str(item.platform))
    ]
    return found[0] if len(found) == 1 else None


def _without_manifest(same: ImageRecord, item: ImageRecord, anomalies: list[Anomaly]) -> ImageRecord:
    """Return one record of an image that both list, where only manifest.json tells what it is."""
    anomalies.append(
        Anomaly(
            code="oci-manifest-missing",
            message=f"index.json lists the manifest {short(same.digest or '')} of {_shown(item)}, which is not in the "
            "archive: the image is read from manifest.json",
            where=Location(member=INDEX, pointer=same.descriptor.pointer if same.descriptor is not None else None),
        )
    )
    return msgspec.structs.replace(
        item,
        number=same.number,
        names=merged(same.names, item.names),
        formats=(*item.formats, *(one for one in same.formats if one not in item.formats)),
        descriptor=same.descriptor,
        annotations=same.annotations,
        checks=(*same.checks, *item.checks),
    )


def _joined(same: ImageRecord, item: ImageRecord, anomalies: list[Anomaly]) -> ImageRecord:
    """Return one record of an image that both describe; where they differ is an anomaly."""
    later = None
    if same.later is not None or item.later is not None:
        later = partial(_joined_now, same, item)
    elif (difference := _layer_difference(same, item)) is not None:
        anomalies.append(difference)
    # What an OCI reader takes for an artifact is an image for those who read manifest.json.
    base = same if same.kind is RecordKind.IMAGE else _as_image(same, item)
    return msgspec.structs.replace(
        base,
        names=merged(same.names, item.names),
        formats=(*same.formats, *(one for one in item.formats if one not in same.formats)),
        listed_at=item.listed_at,
        checks=(*same.checks, *item.checks),
        later=later,
    )


def _joined_now(same: ImageRecord, item: ImageRecord) -> ImageRecord:
    """The same of what was left for later."""
    anomalies: list[Anomaly] = []
    joined = _joined(read_now(same), read_now(item), anomalies)
    return msgspec.structs.replace(joined, anomalies=(*joined.anomalies, *anomalies))


def _identity(record: ImageRecord) -> str:
    """Return the digest of the config: of its bytes, else as it is stated or as the name of its member spells it."""
    stated = record.config_descriptor.digest if record.config_descriptor is not None else None
    return record.image_id or stated or digest_in_name(record.config_member) or ""


def _as_image(same: ImageRecord, item: ImageRecord) -> ImageRecord:
    return msgspec.structs.replace(
        same, kind=item.kind, kind_reason=item.kind_reason, config=item.config, config_member=item.config_member,
        config_state=item.config_state, layers=item.layers, platform=same.platform or item.platform,
    )  # fmt: skip


def _layer_difference(one: ImageRecord, other: ImageRecord) -> Anomaly | None:
    """Compare the layers that two descriptions with the same config name."""
    if len(one.layers) != len(other.layers):
        return _other_layers(one, other)
    pairs = [(a.stored, b.stored) for a, b in zip(one.layers, other.layers, strict=True)]
    differing = [(a, b) for a, b in pairs if a is not None and b is not None and a != b]
    if not differing:
        return None
    if {a for a, _ in pairs} & {b for _, b in differing}:
        return _other_layers(one, other)
    return Anomaly(
        code="two-copies",
        message=f"manifest.json and index.json name different members for {plural(len(differing), 'layer')} of "
        f"{_shown(one)}; those of index.json are read",
        where=_entry(other),
    )


def _entry(item: ImageRecord) -> Location:
    return Location(member="manifest.json", pointer=f"/{item.path[0]}" if item.path else None)


def _different(item: ImageRecord, available: list[ImageRecord]) -> Anomaly:
    others = listed([_shown(record) for record in available], 5)
    return Anomaly(
        code=TWO_IMAGES,
        message=f"two loaders, two images: manifest.json describes {_shown(item)}, index.json describes {others}",
        where=_entry(item),
    )


def _other_layers(same: ImageRecord, item: ImageRecord) -> Anomaly:
    return Anomaly(
        code=TWO_IMAGES,
        message=f"two loaders, two images: manifest.json and index.json give {_shown(item)} different layers "
        f"({len(item.layers)} and {len(same.layers)})",
        where=_entry(item),
    )


def _shown(record: ImageRecord) -> str:
    name = record.names[0].text if record.names else "an unnamed image"
    identity = _identity(record)
    gone = "" if record.config is not None else ", missing"
    return f"{name} (config {short(identity)}{gone})" if identity else f"{name} (config missing)"


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer:
    manifest = detected.clues.manifest
    if not detected.clues.has(MARKER) and any(record.config_member.startswith("sha256:") for record in records):
        return Producer(name="apko", habit="its blobs lie at the top and there is no oci-layout")
    first = manifest[0] if isinstance(manifest, list) and manifest else None
    seen = [
        *(["the old repositories file"] if detected.clues.has(REPOSITORIES) else []),
        *(["LayerSources in manifest.json"] if isinstance(first, dict) and "LayerSources" in first else []),
    ]
    if seen:
        return Producer(
            name="docker save 25 or later, classic image store",
            habit=f"beside the OCI layout it has {joined(seen)}",
        )
    return Producer(
        name="docker save with the containerd image store, ctr, nerdctl or docker buildx",
        habit="it has both descriptions, without repositories file and LayerSources",
    )


KIND = Kind(
    name=NAME,
    label="docker-archive + OCI layout",
    told_by="both an OCI layout and a `manifest.json` that is a list of images",
    written_by="`docker save` from 25 on, `ctr images export`, `nerdctl save`, `docker buildx`, apko",
    recognise=_recognise,
    read=_read,
    formats=(oci_layout.FORMAT, docker_archive.FORMAT),
    producer=_producer,
    roles={
        **oci_layout.KIND.roles,
        MANIFEST: "where docker load starts",
        REPOSITORIES: docker_archive.KIND.roles[REPOSITORIES],
    },
    points=oci_layout.KIND.points,
    legacy=docker_archive.KIND.legacy,
    blob_folder=oci_layout.KIND.blob_folder,
)
