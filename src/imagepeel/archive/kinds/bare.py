"""What the kinds without documents share: a tar that is no image archive is read as one layer."""

from __future__ import annotations

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import Detected, Records
from imagepeel.archive.records import BlobSource, Format, ImageRecord, LayerRecord, LayerState, RecordKind
from imagepeel.oci.descriptor import Descriptor

LAYER = Format(name="layer", bare=True)
"""The format of a tar that is one layer."""


def read_bare(detected: Detected, kind: RecordKind, format: Format, what: str) -> Records:
    """Return the record of a tar without documents: one layer, whose stored bytes are the file itself.

    `what` names the tar in the sentence that says what is lost.
    """
    file = detected.file
    assert file is not None, "a directory without documents is refused"
    source = file.stored if file.wrapping else file.inner
    layer = LayerRecord(
        index=0, state=LayerState.PRESENT, member=source.name, size=source.size, archive_offset=0,
        descriptor=Descriptor(), stored=BlobSource(given=source),
    )  # fmt: skip
    record = ImageRecord(
        number=1,
        kind=kind,
        kind_reason=detected.detection.sentence,
        formats=(format,),
        layers=(layer,),
        lost=f"the config: entrypoint, command, environment, user and history are not part of a {what}",
    )
    return [record], []


def read_layer(blobs: Blobs, detected: Detected) -> Records:
    """Return the record of a tar that is one layer of an image."""
    return read_bare(detected, RecordKind.LAYER, LAYER, "bare layer")
