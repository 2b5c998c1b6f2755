"""Two descriptions in one file: do `index.json` and `manifest.json` mean the same images?

Loaders choose differently (Docker's classic store reads only manifest.json, containerd only the OCI layout, podman
whatever succeeds first), so where the two differ, one file is two images.
"""

from __future__ import annotations

import msgspec

from imagepeel.archive.oci_images import merged
from imagepeel.archive.records import ImageRecord
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.digest import short

TWO_IMAGES = "TWO-IMAGES"


def reconcile(oci: list[ImageRecord], docker: list[ImageRecord], anomalies: list[Anomaly]) -> list[ImageRecord]:
    """Return one list of records: descriptions of the same image are joined, others stand side by side.

    The same image means the same config bytes.  A `manifest.json` that describes an image which the OCI layout
    does not have (or with other layers) is recorded as TWO-IMAGES, unless the layout is merely empty: Docker 25.0
    wrote an untagged image only to `manifest.json`.
    """
    records = list(oci)
    available = [record for record in oci if record.kind == "image" and record.available]
    same_config = {record.image_id: at for at, record in enumerate(oci) if record.kind == "image" and record.image_id}
    for item in docker:
        at = same_config.get(item.image_id) if item.image_id else None
        if at is None:
            records.append(msgspec.structs.replace(item, number=len(records) + 1))
            if available:
                anomalies.append(_different(item, available))
            continue
        same = records[at]
        difference = _layer_difference(same, item)
        if difference is not None:
            anomalies.append(difference)
        records[at] = msgspec.structs.replace(
            same,
            names=merged(same.names, item.names),
            grammars=tuple(dict.fromkeys((*same.grammars, *item.grammars))),
            checks=(*same.checks, *item.checks),
        )
    return records


def _layer_difference(one: ImageRecord, other: ImageRecord) -> Anomaly | None:
    """Compare the layers that two descriptions with the same config name."""
    if len(one.layers) != len(other.layers):
        return _other_layers(one, other)
    pairs = [(a.handle, b.handle) for a, b in zip(one.layers, other.layers, strict=True)]
    differing = [(a, b) for a, b in pairs if a is not None and b is not None and a != b]
    if not differing:
        return None
    if {a for a, _ in pairs} & {b for _, b in differing}:
        return _other_layers(one, other)
    return Anomaly(
        code="two-copies",
        message=f"manifest.json and index.json name different members for {len(differing)} layers of {_shown(one)}; "
        "those of index.json are read",
        where=_entry(other),
    )


def _entry(item: ImageRecord) -> Location:
    return Location(member="manifest.json", pointer=f"/{item.path[0]}" if item.path else None)


def _different(item: ImageRecord, available: list[ImageRecord]) -> Anomaly:
    others = ", ".join(_shown(record) for record in available[:5])
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
    identity = record.image_id
    return f"{name} (config {short(identity)})" if identity else f"{name} (config missing)"
