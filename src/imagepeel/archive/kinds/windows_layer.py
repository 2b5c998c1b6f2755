"""One layer of a Windows image on its own: its top directories are `Files`, `Hives` and `UtilityVM`."""

from __future__ import annotations

from imagepeel.archive.kinds.bare import read_layer
from imagepeel.archive.kinds.kind import Clues, Detection, Kind

NAME = "windows-layer"
_TOP = frozenset(("Files", "Hives", "UtilityVM"))


def _recognise(clues: Clues) -> Detection | None:
    found = clues.top & _TOP
    if not found:
        return None
    return Detection(
        id=NAME,
        sentence="its top directories are Files and Hives: one layer of a Windows image, without config",
        saw=tuple(sorted(found)),
    )


KIND = Kind(
    name=NAME,
    label="one bare Windows layer",
    told_by="`Files`, `Hives` or `UtilityVM` at the top",
    written_by="a blob that was taken out of a Windows image",
    recognise=_recognise,
    read=read_layer,
    bare=True,
    os="windows",
)
