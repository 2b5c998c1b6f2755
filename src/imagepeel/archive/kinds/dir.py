"""What skopeo writes for `dir:`: `manifest.json` is one manifest, and blobs lie beside it under their bare digests."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import MANIFEST, Clues, Detected, Detection, Kind, Producer, Records
from imagepeel.archive.oci_images import OciImages
from imagepeel.archive.records import Format, ImageRecord, IndexRecord, Manifests
from imagepeel.oci.json_document import lookup

NAME = "dir"
VERSION = "version"
FORMAT = Format(
    name=NAME,
    manifests=Manifests.START,
    start=MANIFEST,
    start_note="the manifest itself; nothing states its digest",
)


def _recognise(clues: Clues) -> Detection | None:
    if not isinstance(clues.manifest, dict) or lookup(clues.manifest, "schemaVersion") is None:
        return None
    return Detection(
        id=NAME,
        sentence="its manifest.json is one manifest, not a list, and blobs lie beside it under their bare "
        "digests: what skopeo writes for dir:",
        saw=clues.saw(MANIFEST, VERSION),
    )


def _read(blobs: Blobs, detected: Detected) -> Records:
    member = blobs.members.file(MANIFEST)
    assert member is not None
    data, _ = blobs.read(member, member.location)
    blobs.used.update((MANIFEST, VERSION))
    walk = OciImages(blobs, FORMAT)
    walk.given(detected.clues.manifest, data or b"", MANIFEST)
    return walk.records, []


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer:
    return Producer(name="skopeo copy dir: or podman save --format docker-dir", habit="blobs lie under bare hex names")


KIND = Kind(
    name=NAME,
    label="dir: copy (skopeo)",
    told_by="a `manifest.json` that is one manifest",
    written_by="`skopeo copy` to `dir:`, `podman save --format docker-dir`",
    recognise=_recognise,
    read=_read,
    producer=_producer,
    roles={MANIFEST: "the *manifest*: where reading starts", VERSION: "the marker of the format"},
    points=(MANIFEST, "/schemaVersion"),
)
