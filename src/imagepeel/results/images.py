"""What `images --json` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.compression import Compression
from imagepeel.archive.members import Medium
from imagepeel.archive.records import RecordKind
from imagepeel.evidence import Anomaly
from imagepeel.results.head import KindName

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.archive.records import ImageRecord


class ImageRow(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One record of the archive.

    `kind_reason` is the sentence that says how `kind` was seen.  `grammars` are the formats in which the archive
    describes it.  `blob_size` sums the stored layers that are here.  `layers` and `blob_size` are null where the
    manifest that lists them is missing.  `missing` lists in words what is not here; `choose` are the options that
    select it, "" for what is no image where there are images.
    """

    number: int
    """From 1 in archive order."""
    kind: RecordKind
    kind_reason: str
    names: tuple[str, ...]
    platform: str
    layers: int | None
    """Count."""
    blob_size: int | None
    """Stored bytes of the layers that are here; of those in a registry, as the manifest states them."""
    digest: str | None
    image_id: str | None
    index_digest: str | None
    """Digest of the outermost index below index.json that lists it; null where none does."""
    complete: bool | None
    """null where nobody looked: at the manifest, or where the documents are whole, at the layers in a registry."""
    missing: tuple[str, ...]
    subject: str | None
    artifact_type: str
    grammars: tuple[str, ...]
    labels: tuple[str, ...]
    lost: str
    """What the export left out, in words; "" for nothing."""
    choose: str


class ImagesResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel images`.

    `rule` is the id of the rule that recognised the archive and `recognised` its sentence; `wrapping` the outer
    compressions that were taken off; `unreferenced` the members that nothing points at.
    """

    archive: str
    kind: KindName
    form: Medium
    rule: str
    recognised: str
    wrapping: tuple[Compression, ...]
    images: tuple[ImageRow, ...]
    unreferenced: tuple[str, ...]
    not_followed: int
    """Count of indexes that nest too deep, so that nobody looked at what they list."""
    anomalies: tuple[Anomaly, ...]


def images_result(archive: OpenArchive) -> ImagesResult:
    """Return what an archive holds, from its documents alone."""
    alone = not archive.runnable
    return ImagesResult(
        archive=archive.name,
        kind=archive.kind.name,
        form=archive.medium,
        rule=archive.detection.id,
        recognised=archive.detection.sentence,
        wrapping=archive.wrapping,
        images=tuple(_row(record, archive.outermost(record), alone=alone) for record in archive.records),
        unreferenced=tuple(member.name for member in archive.unreferenced),
        not_followed=sum(not index.followed for index in archive.indexes),
        anomalies=tuple(dict.fromkeys([*archive.anomalies, *(a for r in archive.records for a in r.anomalies)])),
    )


def _row(record: ImageRecord, index_digest: str | None, *, alone: bool) -> ImageRow:
    """Return the row of a record; `alone` says that the archive holds no image, so that an artifact may be meant."""
    platform = record.config.platform if record.config is not None else ""
    digest = record.digest
    known = record.knowledge
    listed = known.layer_list
    choose = f"--image '#{record.number}'"
    whole = known.whole and not record.lacks_manifest
    unasked = record.later is not None or (whole and record.unasked)
    return ImageRow(
        number=record.number,
        kind=record.kind,
        kind_reason=record.kind_reason,
        names=record.tags,
        platform=platform or (str(record.platform) if record.platform is not None else ""),
        layers=len(record.layers) if listed else None,
        blob_size=sum(layer.size or 0 for layer in record.layers if layer.stored is not None) if listed else None,
        digest=digest,
        image_id=record.image_id,
        index_digest=index_digest,
        complete=None if unasked else whole,
        missing=() if unasked else record.missing or (("manifest",) if record.lacks_manifest else ()),
        subject=record.subject,
        artifact_type=record.artifact_type,
        grammars=tuple(map(str, record.formats)),
        labels=record.labels,
        lost=record.lost,
        choose=choose if record.runnable or alone else "",
    )
