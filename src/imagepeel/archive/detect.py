"""Which kind of image archive this is: content decides, names of the file and its extension never do.

How it was seen is a value with a sentence, since it is the first thing that the story tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from imagepeel._lazy import late
from imagepeel.archive.compression import Compression, sniff_compression
from imagepeel.archive.kinds import DOCUMENTS, KINDS
from imagepeel.archive.kinds.kind import INDEX, Clues, Detected, Detection, Unwrapped
from imagepeel.archive.members import Members, SubdirectoryMembers
from imagepeel.archive.sniff import HEAD, is_tar, refuse
from imagepeel.archive.source import MemorySource, Source
from imagepeel.archive.tar_members import TarMembers
from imagepeel.errors import NotAnImage
from imagepeel.evidence import Location
from imagepeel.formats.tar.header import BLOCK
from imagepeel.limits import Limits

WRAPPINGS = 2
"""Most layers of compression around an archive: once by the writer, once by a person."""
_HEX_NAME = late(r"[0-9a-f]{64}")
_SMALL = 64


def unwrap_compression(source: Source, limits: Limits, held: list[Source | Members]) -> Unwrapped:
    """Take the compression off a file, at most `WRAPPINGS` times.  Malformed or LimitExceeded from the decoder.

    Temporary files that hold content are appended to `held`, for the caller to close.
    """
    inner = stored = source
    wrapping: list[Compression] = []
    behind, broken = -1, ""
    while len(wrapping) < WRAPPINGS and (kind := sniff_compression(inner.pread(0, _SMALL))) is not Compression.NONE:
        from imagepeel.archive.codec import decompress_to_spool  # start time

        wrapping.append(kind)
        stored, (inner, end, wrong) = inner, decompress_to_spool(inner, kind, limits, source.name)
        broken = broken or wrong
        behind = end if stored is source else behind
        held.append(inner)
    return Unwrapped(
        file=source, inner=inner, stored=stored, wrapping=tuple(wrapping), behind=behind, broken=broken,
    )  # fmt: skip


def judge_head(name: str, head: bytes) -> None:
    """Raise what `open_tar` would say of a stream whose beginning shows that it is neither a tar nor compressed."""
    if sniff_compression(head[:_SMALL]) is Compression.NONE and not is_tar(head[:HEAD]):
        refuse(MemorySource(head, name), head[:HEAD])


def open_tar(source: Source, limits: Limits) -> TarMembers:
    """Return the members of a file that must be a tar.  NotAnImage, Unsupported or Malformed when it is not."""
    head = source.pread(0, HEAD)
    if not is_tar(head):
        refuse(source, head)
    members = TarMembers(source, limits)
    cut = not members.complete or any(note.code == "outer-trailing-data" for note in members.anomalies)
    if cut and not members.over_limit and len(members):
        from imagepeel.archive.mangled import converted  # start time

        *_, last = members
        end = members.end - (2 * BLOCK if members.complete else 0)
        happened = converted(source, last.header_offset or 0, end)
        if happened is not None:
            raise happened
    return members


def detect(members: Members) -> Detected:
    """Return what an archive is.  NotAnImage when a directory holds no image; a tar is at least a layer."""
    clues = Clues(members)
    found = _by_documents(clues) or _one_level_down(members)
    if found is not None:
        return found
    if members.medium == "directory":
        raise _not_a_layout(clues)
    if clues.top & {"docker", "registry"} and any("registry/v2/blobs/" in name for name in members.names):
        raise _registry(members)
    found = next(_recognised(clues, bare=True))
    if isinstance(members, TarMembers) and members.over_limit:
        # An exported filesystem may have any number of members; all of them are read as its one layer.
        seen = found.detection
        sentence = f"{seen.sentence}; its first {len(members):,} members were looked at to tell"
        found.detection = Detection(id=seen.id, sentence=sentence, saw=seen.saw)
        members.anomalies[:] = [a for a in members.anomalies if a.code != "outer-member-limit"]
    return found


def is_image_directory(folder: str, limits: Limits) -> bool:
    """Say whether a directory is an image itself, by the documents at its top; also where one of them is damaged.

    NotFound when it cannot be opened.
    """
    if not any(os.path.lexists(os.path.join(folder, name)) for name in DOCUMENTS):
        return False
    from imagepeel.archive.dir_members import DirMembers  # start time

    members = DirMembers(folder, limits)
    try:
        clues = Clues(members)
        return bool(clues.problems) or _by_documents(clues) is not None
    finally:
        members.close()


def _recognised(clues: Clues, *, bare: bool) -> Iterator[Detected]:
    """Yield the kinds that recognise an archive, with documents or bare ones, the first choice first."""
    for kind in KINDS:
        if kind.bare is bare and (detection := kind.recognise(clues)) is not None:
            yield Detected(kind=kind, detection=detection, clues=clues)


def _by_documents(clues: Clues) -> Detected | None:
    return next(_recognised(clues, bare=False), None)


def _one_level_down(members: Members) -> Detected | None:
    top = members.top()
    if len(top) > _SMALL:
        return None
    for name in top:
        if not any(members.get(f"{name}/{document}") for document in DOCUMENTS):
            continue
        found = _by_documents(Clues(SubdirectoryMembers(members, name)))
        if found is not None and found.detection.certain:
            seen = found.detection
            found.detection = Detection(
                id=seen.id + "-below",
                sentence=f"the image lies one level down, in {name}/: {seen.sentence}",
                saw=tuple(f"{name}/{saw}" for saw in seen.saw),
            )
            return found
    return None


def _not_a_layout(clues: Clues) -> NotAnImage:
    members = clues.members
    if members.get("docker/registry/v2/blobs") is not None or members.get("registry/v2/blobs") is not None:
        return _registry(members)
    for kind in KINDS:
        if kind.directory_hint and kind.recognise(clues) is not None:
            return NotAnImage(f"{members.name} is a directory of files, not an image", hint=kind.directory_hint)
    if members.file(INDEX) is not None:
        return NotAnImage(
            f"{members.name} has an index.json that lists no manifests",
            Location(member=INDEX),
            "it is one document of an image (or of something else); give the whole layout",
        )
    blobs = members.get("blobs")
    if blobs is not None or any(_HEX_NAME.fullmatch(name) for name in clues.top):
        return NotAnImage(
            f"{members.name} has blobs but neither index.json nor manifest.json",
            hint="give the directory that holds index.json",
        )
    outside = next((a.message for a in members.anomalies if a.code == "outer-link-outside"), "")
    return NotAnImage(
        f"{members.name} holds neither index.json nor manifest.json" + (f": {outside}" if outside else ""),
        hint="give an OCI layout, a dir: copy of skopeo or an unpacked docker save",
    )


def _registry(members: Members) -> NotAnImage:
    return NotAnImage(
        f"{members.name} is the storage of a registry, not an image",
        hint="copy one image out of it: skopeo copy docker://HOST/NAME:TAG oci:DIR:TAG",
    )
