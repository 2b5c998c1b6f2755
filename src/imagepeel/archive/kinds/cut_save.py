"""A `docker save` that was cut off: its members are those of an image, and the documents that stand last are gone.

Docker, podman and others write `manifest.json` behind the layers, so most of a file can be there and nobody can say
which image it is.  Read as a plain tar, it would be a complete image without a config.
"""

from __future__ import annotations

from imagepeel._lazy import late
from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import MANIFEST, REPOSITORIES, Clues, Detected, Detection, Kind, Records
from imagepeel.archive.records import Description, Format, ImageRecord, Manifests
from imagepeel.evidence import Location

NAME = "cut-save"
FORMAT = Format(
    name=NAME,
    described_by=Description.CUT,
    manifests=Manifests.START,
    start=MANIFEST,
    start_note="not there",
)
_HEX = "[0-9a-f]{64}"
_MEMBER = late(rf"{_HEX}\.json|{_HEX}/layer\.tar|{_HEX}\.tar|blobs/sha256/{_HEX}")
_ONE_LEVEL = frozenset({"json", "VERSION", "layer.tar"})


def _recognise(clues: Clues) -> Detection | None:
    if clues.members.medium == "directory" or clues.has(REPOSITORIES) or clues.has(MANIFEST):
        return None
    names = [member.name for member in clues.members if member.kind == "file"]
    saw = [name for name in names if _MEMBER.fullmatch(name)]
    config = any(name.endswith(".json") or name.startswith("blobs/") for name in saw)
    # A v1 archive without `repositories` has layers too, but never a config at the top.
    whole_v1 = any(name.endswith("/json") for name in names) and not config
    others = [name for name in names if name not in saw and name.rpartition("/")[2] not in _ONE_LEVEL]
    if not saw or others or whole_v1:
        return None
    return Detection(
        id=NAME,
        sentence=f"its members are named as docker save names layers and configs, and the {MANIFEST} behind them is "
        "not there: a save or a copy that was cut off",
        saw=tuple(saw[:5]),
        certain=False,
    )


def _read(blobs: Blobs, detected: Detected) -> Records:
    """Return one record, of which nothing is known."""
    blobs.note("save-cut", f"the archive ends before its {MANIFEST}", Location(member=MANIFEST), fatal=True)
    return [ImageRecord(number=1, kind_reason=detected.detection.sentence, formats=(FORMAT,), path=(0,))], []


KIND = Kind(
    name=NAME,
    label="docker save, cut off",
    told_by="layers or configs under the names of `docker save`, and neither `manifest.json` nor `index.json`",
    written_by="a save, download or copy that broke off",
    recognise=_recognise,
    read=_read,
)
