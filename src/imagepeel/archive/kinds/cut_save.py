"""A `docker save` that was cut off: its members are those of an image, and the documents that stand last are gone.

Docker, podman and others write `manifest.json` behind the layers, so most of a file can be there and nobody can say
which image it is.  Read as a plain tar, it would be a complete image without a config.
"""

from __future__ import annotations

from imagepeel._lazy import late
from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import INDEX, MANIFEST, REPOSITORIES, Clues, Detected, Detection, Kind, Records
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
_BLOB = late(
    rf"{_HEX}\.json|{_HEX}/layer\.tar|{_HEX}\.tar(?:\.gz)?|blobs/sha256/{_HEX}(?:\.tar\.gz)?|sha256:{_HEX}(?:\.json)?"
)
"""Names of configs and layers, as docker, podman, crane, kaniko, jib, apko and rules_oci write them."""
_LAYER_OF_V1 = late(rf"{_HEX}/(?:json|VERSION)")
_FOLDER = late(rf"blobs(?:/sha256)?|{_HEX}")
_BESIDE = frozenset({"json", "VERSION", "layer.tar", "config.json", "oci-layout"})
"""Last components of further names in such an archive."""


def _recognise(clues: Clues) -> Detection | None:
    members = clues.members
    if members.medium == "directory" or any(map(clues.has, (REPOSITORIES, MANIFEST, INDEX))):
        return None
    names = [member.name for member in members if member.kind != "dir"]
    saw = [name for name in names if _BLOB.fullmatch(name)]
    of_v1 = [name for name in names if _LAYER_OF_V1.fullmatch(name)]
    document = f"{MANIFEST} or {REPOSITORIES}"
    if any(not name.endswith("/layer.tar") for name in saw):
        document = MANIFEST  # a v1 archive has layers under such names too, but never a config at the top
    elif not members.ended:
        # Of a v1 archive `repositories` is the last member, and a save by ID has none: there the end blocks tell.
        saw += of_v1 or [member.name for member in members if _FOLDER.fullmatch(member.name)]
    elif of_v1:
        return None
    if not saw or any(name not in saw and name.rpartition("/")[2] not in _BESIDE for name in names):
        return None
    return Detection(
        id=NAME,
        sentence=f"its members are named as docker save names layers and configs, and the {document} behind them is "
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
