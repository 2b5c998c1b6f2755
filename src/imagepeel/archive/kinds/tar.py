"""Any other tar: it is shown as one layer."""

from __future__ import annotations

from imagepeel.archive.kinds.bare import read_layer
from imagepeel.archive.kinds.kind import Clues, Detection, Kind

NAME = "tar"


def _recognise(clues: Clues) -> Detection:
    return Detection(
        id=NAME,
        sentence="it is a plain tar without any document of an image; it is shown as one layer",
        saw=tuple(sorted(clues.top)[:5]),
    )


KIND = Kind(
    name=NAME,
    label="plain tar",
    told_by="nothing of the above",
    written_by="`tar`",
    recognise=_recognise,
    read=read_layer,
    bare=True,
)
