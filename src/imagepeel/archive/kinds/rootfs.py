"""A root file system as a tar, without any document of an image: what `docker export` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.bare import read_bare
from imagepeel.archive.kinds.kind import Clues, Detected, Detection, Kind, Producer, Records
from imagepeel.archive.records import Format, ImageRecord, IndexRecord, RecordKind

NAME = "rootfs"
FORMAT = Format(name=NAME, bare=True)
DOCKERENV = ".dockerenv"
_TOP = frozenset(
    (
        *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "nix", "opt", "proc", "root", "run"),
        *("sbin", "srv", "sys", "tmp", "usr", "var"),
    )
)


def looks_like_rootfs(top: Iterable[str]) -> bool:
    """Say whether enough of the names at the top are directories of a Linux root file system."""
    return len(_TOP.intersection(top)) >= 4


def _recognise(clues: Clues) -> Detection | None:
    if DOCKERENV not in clues.top and not looks_like_rootfs(clues.top):
        return None
    return Detection(
        id=NAME,
        sentence="it holds no document of an image, but the directories of a root file system: what docker export "
        "writes",
        saw=tuple(sorted(clues.top & (_TOP | {DOCKERENV}))),
    )


def _read(blobs: Blobs, detected: Detected) -> Records:
    return read_bare(detected, RecordKind.ROOTFS, FORMAT, "root file system export")


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer | None:
    if not detected.clues.has(DOCKERENV):
        return None
    return Producer(name="docker export", habit="Docker leaves .dockerenv in every container")


KIND = Kind(
    name=NAME,
    label="exported filesystem",
    told_by="four or more directories of a Linux root file system at the top, or `.dockerenv`",
    written_by="`docker export`, `podman export`, `tar` of a root file system",
    recognise=_recognise,
    read=_read,
    producer=_producer,
    bare=True,
    directory_hint="pack it first: tar -C DIR -c . | imagepeel explain -",
)
