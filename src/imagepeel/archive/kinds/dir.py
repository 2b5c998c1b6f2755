"""What skopeo writes for `dir:`: `manifest.json` is one manifest, and blobs lie beside it under their bare digests."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel._lazy import late
from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import MANIFEST, Clues, Detected, Detection, Kind, Producer, Records
from imagepeel.archive.oci_images import OciImages
from imagepeel.archive.records import Description, Format, ImageRecord, IndexRecord, Manifests
from imagepeel.oci.json_document import lookup
from imagepeel.oci.manifest import shape_of

NAME = "dir"
VERSION = "version"
FORMAT = Format(
    name=NAME,
    described_by=Description.MANIFEST,
    manifests=Manifests.START,
    start=MANIFEST,
    start_note="the manifest itself; nothing states its digest",
)
INDEXED = Format(
    name=NAME,
    described_by=Description.MANIFEST,
    manifests=Manifests.BLOB,
    start=MANIFEST,
    start_note="an index; nothing states its digest",
)
_HEX = late(r"[0-9a-f]{64}")


def _recognise(clues: Clues) -> Detection | None:
    if not isinstance(clues.manifest, dict) or lookup(clues.manifest, "schemaVersion") is None:
        return None
    one = "an index of manifests" if shape_of(clues.manifest) == "index" else "one manifest"
    beside = any(_HEX.fullmatch(name) for name in clues.top)
    return Detection(
        id=NAME,
        sentence=f"its manifest.json is {one}, not a list, and blobs lie beside it under their bare digests: what "
        "skopeo writes for dir:"
        if beside
        else f"its manifest.json is {one}, not a list, as skopeo writes it for dir:; no blob lies beside it",
        saw=clues.saw(MANIFEST, VERSION),
    )


def _read(blobs: Blobs, detected: Detected) -> Records:
    member = blobs.members.file(MANIFEST)
    assert member is not None
    data, _ = blobs.read(member, member.location)
    blobs.used.update((MANIFEST, VERSION))
    walk = OciImages(blobs, INDEXED if shape_of(detected.clues.manifest) == "index" else FORMAT)
    walk.given(detected.clues.manifest, data or b"", MANIFEST)
    return walk.records, walk.indexes


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer | None:
    if not any(_HEX.fullmatch(name) for name in detected.clues.top):
        return None
    return Producer(name="skopeo copy dir: or podman save --format docker-dir", habit="blobs lie under bare hex names")


KIND = Kind(
    name=NAME,
    label="dir: copy (skopeo)",
    told_by="a `manifest.json` that is one manifest or one index",
    written_by="`skopeo copy` to `dir:`, `podman save --format docker-dir`",
    recognise=_recognise,
    read=_read,
    formats=(FORMAT,),
    producer=_producer,
    roles={
        MANIFEST: "the *manifest*, or an *index* of several: where reading starts",
        VERSION: "the marker of the format",
    },
    points=(MANIFEST, "/schemaVersion"),
)
