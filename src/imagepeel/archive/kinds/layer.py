"""One layer of an image on its own: a tar with whiteouts."""

from __future__ import annotations

from imagepeel.archive.kinds.bare import LAYER, read_layer
from imagepeel.archive.kinds.kind import Clues, Detection, Kind
from imagepeel.formats.tar.whiteouts import PREFIX

_WHITEOUT = PREFIX.decode()


def _recognise(clues: Clues) -> Detection | None:
    whiteout = next((n for n in clues.members.names if n.rpartition("/")[2].startswith(_WHITEOUT)), None)
    if whiteout is None:
        return None
    return Detection(
        id=LAYER.name,
        sentence="it holds no document of an image, but names that start with .wh. (removals): one bare layer",
        saw=(whiteout,),
    )


KIND = Kind(
    name=LAYER.name,
    label="one bare layer",
    told_by="a name that starts with `.wh.`",
    written_by="a blob that was taken out of an archive or registry",
    recognise=_recognise,
    read=read_layer,
    bare=True,
)
