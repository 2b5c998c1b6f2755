"""The OCI layout (image-spec image-layout.md): `index.json` points at manifests by digest, blobs lie in `blobs/`."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import INDEX, MANIFEST, Clues, Detected, Detection, Kind, Producer, Records
from imagepeel.archive.oci_images import OciImages
from imagepeel.archive.records import Description, Format, ImageRecord, IndexRecord, Manifests
from imagepeel.errors import Malformed
from imagepeel.evidence import Location
from imagepeel.oci.descriptor import CONTAINERD_NAME
from imagepeel.oci.layout import MARKER

NAME = "oci-layout"
FORMAT = Format(
    name=NAME,
    described_by=Description.LAYOUT,
    manifests=Manifests.BLOB,
    start=INDEX,
    start_note="points by digest",
)


def has_layout(clues: Clues) -> bool:
    """Say whether an archive has the marker of a layout, or an `index.json` that lists manifests.

    A damaged `index.json` counts where nothing else describes the images: the error is about that file.
    """
    if clues.has(MARKER) or (isinstance(clues.index, dict) and "manifests" in {key.lower() for key in clues.index}):
        return True
    return INDEX in clues.problems and not clues.has(MANIFEST)


def _recognise(clues: Clues) -> Detection | None:
    if not has_layout(clues):
        return None
    return Detection(
        id=NAME,
        sentence="it has oci-layout and index.json: an OCI layout, where index.json points at manifests by "
        "digest and everything else lies in blobs/"
        if clues.has(MARKER)
        else "its index.json holds a list of manifests, so it is read as an OCI layout although the oci-layout "
        "marker is missing",
        saw=clues.saw(MARKER, INDEX),
    )


def read(blobs: Blobs, detected: Detected) -> Records:
    """Return the images and indexes of a layout.  Malformed without a readable `index.json`."""
    detected.clues.require(INDEX)
    if detected.clues.index is None:
        raise Malformed(
            "the OCI layout has no index.json, so nothing says which blobs are images",
            Location(member=INDEX),
            "copy the layout again with its index.json",
        )
    walk = OciImages(blobs, FORMAT)
    walk.walk(detected.clues.index)
    return walk.records, walk.indexes


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer | None:
    top = indexes[0].index if indexes else None
    annotations = [descriptor.annotations for descriptor in (top.manifests if top else None) or ()]
    # A blob that is a link was put there by somebody else: neither of the two writes links.
    linked = any(layer.via for record in records for layer in record.layers)
    if any(CONTAINERD_NAME in found for found in annotations) and not linked:
        return Producer(name="buildkit or containerd", habit=f"its names are in the annotation {CONTAINERD_NAME}")
    if any(found.get("kind", "").startswith("dev.cosignproject.cosign/") for found in annotations):
        return Producer(name="cosign save", habit="its entries are marked with cosign's kinds")
    if detected.clues.has("ingest"):
        return Producer(name="buildkit", habit="it has the directory ingest, where buildkit receives blobs")
    return None


KIND = Kind(
    name=NAME,
    label="OCI layout",
    told_by="`oci-layout`, or an `index.json` that lists manifests",
    written_by="`skopeo copy` to `oci:` or `oci-archive:`, `podman save --format oci-archive`, `buildah`, BuildKit",
    recognise=_recognise,
    read=read,
    formats=(FORMAT,),
    producer=_producer,
    roles={INDEX: "where reading starts", MARKER: "the marker of the layout"},
    points=(INDEX, "/manifests/0/digest"),
    blob_folder="blobs/",
)
