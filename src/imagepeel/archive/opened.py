"""Open an image archive: peel it, detect what it is, follow its documents and compare two descriptions of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import IO, Self, TypeVar

from imagepeel._display import Shown
from imagepeel.archive.blobs import Blobs
from imagepeel.archive.detect import Detected, Peeled, Rule, detect, open_tar, peel
from imagepeel.archive.dir_members import DirMembers
from imagepeel.archive.docker_images import archive_images, dir_images, v1_images
from imagepeel.archive.members import Member, Members
from imagepeel.archive.oci_images import OciImages
from imagepeel.archive.producer import Writer, guess_writer
from imagepeel.archive.reconcile import reconcile
from imagepeel.archive.records import DocumentCheck, Handle, ImageRecord, IndexRecord, LayerRecord
from imagepeel.archive.source import FileSource, Source, source_of
from imagepeel.errors import ImagepeelError, Malformed, NotFound
from imagepeel.evidence import Anomaly, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.descriptor import Descriptor

_LOST = "the config: entrypoint, command, environment, user and history are not part of a {what}"


class OpenArchive(Shown):
    """An opened image archive.

    `kind` and `rule` say what it is and how that was seen, `form` whether it is a tar or a directory, `wrapping`
    the outer compression that was taken off.  `records` are the images and what is stored like one; `indexes` the
    indexes; `anomalies` everything odd; `checks` every document's digest and size; `unreferenced` the members that
    nothing points at; `writer` the program that probably wrote it.
    """

    def __init__(self, name: str, detected: Detected, wrapping: tuple[str, ...], limits: Limits) -> None:
        self.name = name
        self.kind = detected.kind
        self.rule: Rule = detected.rule
        self.members: Members = detected.members
        self.form = detected.members.form
        self.wrapping = wrapping
        self.limits = limits
        self.records: tuple[ImageRecord, ...] = ()
        self.indexes: tuple[IndexRecord, ...] = ()
        self.anomalies: tuple[Anomaly, ...] = ()
        self.unreferenced: tuple[Member, ...] = ()
        self.writer: Writer | None = None
        self._open: tuple[Source | Members, ...] = ()

    @property
    def checks(self) -> tuple[DocumentCheck, ...]:
        """Every check of a document, indexes first."""
        of_indexes = [check for index in self.indexes for check in index.checks]
        return (*of_indexes, *(check for record in self.records for check in record.checks))

    @property
    def runnable(self) -> tuple[ImageRecord, ...]:
        """The records that are images for a container, complete or not."""
        return tuple(record for record in self.records if record.runnable)

    def close(self) -> None:
        """Close the archive; reading from it, or from sources taken from it, is a UsageError then."""
        for held in (self.members, *self._open):
            held.close()

    def hold(self, opened: Iterable[Source | Members]) -> None:
        """Close these together with the archive."""
        self._open = tuple(opened)

    def read(self, detected: Detected, peeled: Peeled | None, extra: Members | None) -> None:
        """Follow the documents; `extra` are shared blobs.  Malformed when no description of an image can be read."""
        blobs = Blobs(detected.members, self.limits, extra)
        records: list[ImageRecord]
        indexes: list[IndexRecord] = []
        match detected.kind:
            case "hybrid":
                records, indexes = _hybrid(blobs, detected)
            case "oci-layout":
                records, indexes = _oci(blobs, detected)
            case "docker-archive":
                _raise_problem(detected, "manifest.json")
                records = archive_images(blobs, detected.manifest)
            case "dir":
                records = dir_images(blobs, detected.manifest)
            case "docker-v1":
                records = v1_images(blobs)
            case _:
                assert peeled is not None
                records = [_flat(detected, peeled)]
        self.records = tuple(records)
        self.writer = guess_writer(detected.kind, detected.members, records, indexes, detected.manifest)
        self.indexes = tuple(indexes)
        for document, problem in detected.problems.items():
            where = problem.where or Location(member=document)
            blobs.anomalies.append(Anomaly(code="document-damaged", message=problem.what, where=where, fatal=True))
        if detected.kind not in ("rootfs", "layer", "windows-layer", "tar"):
            self.unreferenced = _unreferenced(blobs, detected.kind)
        self.anomalies = tuple(dict.fromkeys([*detected.members.anomalies, *blobs.anomalies]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<OpenArchive {self.name!r}: {self.kind}, {len(self.records)} records>"


A = TypeVar("A", bound=OpenArchive)


def open_archive(
    what: str | os.PathLike[str] | Source | IO[bytes],
    limits: Limits = DEFAULT,
    *,
    blobs: str | os.PathLike[str] | None = None,
) -> OpenArchive:
    """Open an image archive or directory.

    Arguments: `what` is a path, a source, or a file object that is open for reading bytes (its owner closes it, after
    the archive); `limits` bound what it may cost; `blobs` is a directory of shared blobs (`<algorithm>/<hex>`) for
    layouts that were written without their own.
    NotAnImage or Unsupported when it is something else, Malformed when no description of an image in it can be
    read, NotFound when the path does not exist, LimitExceeded past a bound, UsageError for a file object that is closed
    or open as text.
    """
    return open_as(OpenArchive, what, limits, blobs=blobs)


def open_as(
    make: Callable[[str, Detected, tuple[str, ...], Limits], A],
    what: str | os.PathLike[str] | Source | IO[bytes],
    limits: Limits,
    *,
    blobs: str | os.PathLike[str] | None = None,
) -> A:
    """The same for a class made of `OpenArchive`, which `make` returns."""
    held: list[Source | Members] = []
    try:
        extra = None
        if blobs is not None:
            held.append(extra := DirMembers(blobs, limits))
        name, detected, peeled = _detect(what, limits, held)
        archive = make(name, detected, peeled.wrapping if peeled else (), limits)
        archive.read(detected, peeled, extra)
    except BaseException:
        for opened in held:
            opened.close()
        raise
    archive.hold(held)
    return archive


def _detect(
    what: str | os.PathLike[str] | Source | IO[bytes], limits: Limits, held: list[Source | Members]
) -> tuple[str, Detected, Peeled | None]:
    """Say what kind of archive it is; what is opened on the way goes into `held`."""
    if isinstance(what, Source):
        source = what
    elif isinstance(what, str | os.PathLike):
        path = os.fspath(what)
        if os.path.isdir(path):
            held.append(directory := DirMembers(path, limits))
            return path, detect(directory), None
        if not os.path.lexists(path):
            raise NotFound(f"{path} does not exist", hint="check the path")
        source = FileSource.open(path)
    else:
        source = source_of(what, limits)
    held.append(source)
    peeled = peel(source, limits, held)
    return source.name, detect(open_tar(peeled.inner, limits)), peeled


def _raise_problem(detected: Detected, document: str) -> None:
    error = detected.problems.get(document)
    if error is not None:
        raise error
    member = detected.members.get(document)
    if member is not None and member.kind != "file":
        raise Malformed(
            f"{document} is a {member.kind}, not a file", Location(member=document), "the archive is damaged"
        )


def _oci(blobs: Blobs, detected: Detected) -> tuple[list[ImageRecord], list[IndexRecord]]:
    _raise_problem(detected, "index.json")
    if detected.index is None:
        raise Malformed(
            "the OCI layout has no index.json, so nothing says which blobs are images",
            Location(member="index.json"),
            "copy the layout again with its index.json",
        )
    walk = OciImages(blobs)
    walk.walk(detected.index)
    return walk.records, walk.indexes


def _hybrid(blobs: Blobs, detected: Detected) -> tuple[list[ImageRecord], list[IndexRecord]]:
    """Read both descriptions.  One that is damaged is left out with an anomaly; both damaged raise the first."""
    errors: list[ImagepeelError] = []
    oci: tuple[list[ImageRecord], list[IndexRecord]] = ([], [])
    docker: list[ImageRecord] = []
    try:
        oci = _oci(blobs, detected)
    except ImagepeelError as error:
        errors.append(error)
    try:
        docker = archive_images(blobs, detected.manifest)
    except ImagepeelError as error:
        errors.append(error)
    if len(errors) == 2:
        raise errors[0]
    for met in errors:
        blobs.note("description-damaged", met.what, met.where or Location(), fatal=True)
    return reconcile(oci[0], docker, blobs.anomalies), oci[1]


def _flat(detected: Detected, peeled: Peeled) -> ImageRecord:
    """Return a record for a tar that is no image archive: one layer, whose stored bytes are the file itself."""
    rootfs = detected.kind == "rootfs"
    source = peeled.stored if peeled.wrapping else peeled.inner
    what = "root file system export" if rootfs else "bare layer"
    layer = LayerRecord(
        index=0, state="present", member=source.name, size=source.size, archive_offset=0,
        descriptor=Descriptor(), handle=Handle(given=source),
    )  # fmt: skip
    return ImageRecord(
        number=1,
        kind="rootfs" if rootfs else "layer",
        kind_reason=detected.rule.sentence,
        grammar="rootfs" if rootfs else "layer",
        grammars=("rootfs" if rootfs else "layer",),
        layers=(layer,),
        lost=_LOST.format(what=what),
    )


_DOCUMENTS = frozenset(("index.json", "manifest.json", "oci-layout", "repositories", "version"))


def _unreferenced(blobs: Blobs, kind: str) -> tuple[Member, ...]:
    """Return the files that nothing points at: in an OCI layout only blobs, which alone are expected to be used."""
    only = "blobs/" if kind in ("oci-layout", "hybrid") else ""
    found = []
    for member in blobs.members:
        if member.kind != "file" or not member.name.startswith(only) or member.name in blobs.used:
            continue
        if not only and (member.name in _DOCUMENTS or member.name.rpartition("/")[2] in ("VERSION", "json")):
            continue
        found.append(member)
    return tuple(found)
