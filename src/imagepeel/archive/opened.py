"""Open an image archive: take its compression off, detect what it is, follow its documents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import IO, Any, Self, TypeVar

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.blobs import Blobs
from imagepeel.archive.compression import Compression
from imagepeel.archive.detect import detect, judge_head, open_tar, unwrap_compression
from imagepeel.archive.kinds import DOCUMENTS
from imagepeel.archive.kinds.kind import Detected, Detection, Kind, Producer
from imagepeel.archive.members import Medium, Member, Members
from imagepeel.archive.records import DocumentCheck, ImageRecord, IndexRecord, LayerRecord, read_now
from imagepeel.archive.source import FileSource, Source, source_of
from imagepeel.errors import ImagepeelError, Malformed, PathNotFound
from imagepeel.evidence import Anomaly, AnomalyCode, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.text import plural

CUT: frozenset[AnomalyCode] = frozenset({"outer-truncated", "save-cut"})
"""Codes of anomalies that say that the end of the archive is missing."""

T = TypeVar("T")


class OpenArchive(Shown):
    """An opened image archive.

    `kind` and `detection` say what it is and how that was seen, `medium` whether it is a tar or a directory, `wrapping`
    the outer compression that was taken off, `file` the file as it lies there, None for a directory.  `records` are the
    images and what is stored like one; `indexes` the indexes; `anomalies` everything odd; `checks` every document's
    digest and size; `used` the names that a document points at, `unreferenced` the members that none does; `producer`
    the program that probably wrote it.
    `stream_error` says why the compressed stream around it breaks; `unread` why no document could be followed, of an
    archive that was opened all the same; `stands_in` whether its one image stands in for those that nobody names;
    `elsewhere` whether `name` names what is no file of this machine.
    """

    def __init__(self, name: str, detected: Detected, limits: Limits) -> None:
        self.name = name
        self.kind: Kind = detected.kind
        self.detection: Detection = detected.detection
        self.members: Members = detected.members
        self.medium: Medium = detected.members.medium
        self.wrapping: tuple[Compression, ...] = detected.file.wrapping if detected.file is not None else ()
        self.file: Source | None = detected.file.file if detected.file is not None else None
        self.file_size: int | None = self.file.size if self.file is not None else None
        self.stream_error: str = detected.file.broken if detected.file is not None else ""
        self.limits = limits
        self.records: tuple[ImageRecord, ...] = ()
        self.indexes: tuple[IndexRecord, ...] = ()
        self.anomalies: tuple[Anomaly, ...] = ()
        self.unreferenced: tuple[Member, ...] = ()
        self.producer: Producer | None = None
        self.used: frozenset[str] = frozenset()
        self.unread: ImagepeelError | None = None
        self.stands_in: bool = False
        self.elsewhere: bool = False
        self._open: tuple[Source | Members, ...] = ()
        self._derived: dict[Any, Any] = {}

    @property
    def checks(self) -> tuple[DocumentCheck, ...]:
        """Every check of a document, indexes first."""
        of_indexes = [check for index in self.indexes for check in index.checks]
        return (*of_indexes, *(check for record in self.records for check in record.checks))

    @property
    def runnable(self) -> tuple[ImageRecord, ...]:
        """The records that are images for a container, complete or not."""
        return tuple(record for record in self.records if record.runnable)

    @property
    def cut(self) -> Anomaly | None:
        """Where the file ends too early, None where it does not: then what is missing was cut off."""
        # Those of a bare tar's members stand with its layer.
        noticed = (*self.anomalies, *(self.members.anomalies if self.kind.bare else ()))
        return next((anomaly for anomaly in noticed if anomaly.code in CUT), None)

    def derived(self, owner: Callable[[Self], T]) -> T:
        """Return the one `owner(self)` of this archive: made when it is first asked for, kept from then on."""
        if owner not in self._derived:
            self._derived[owner] = owner(self)
        made: T = self._derived[owner]
        return made

    def read_now(self, record: ImageRecord) -> ImageRecord:
        """Return a record of this archive that was left for later as its documents tell it, here from now on."""
        read = read_now(record)
        self.records = tuple(read if one is record else one for one in self.records)
        return read

    def found(self, record: ImageRecord, layers: tuple[LayerRecord, ...]) -> ImageRecord:
        """Return a record of this archive with its layers as they turned out to be, here from now on."""
        seen = msgspec.structs.replace(record, layers=layers)
        self.records = tuple(seen if one is record else one for one in self.records)
        return seen

    def close(self) -> None:
        """Close the archive; reading from it, or from sources taken from it, is a UsageError then."""
        for held in (self.members, *self._open):
            held.close()

    def hold(self, opened: Iterable[Source | Members]) -> None:
        """Close these together with the archive."""
        self._open = tuple(opened)

    def read(self, detected: Detected, extra: Members | None) -> None:
        """Follow the documents; `extra` are shared blobs.  Malformed when no description of an image can be read."""
        blobs = Blobs(detected.members, self.limits, extra)
        records, indexes = detected.kind.read(blobs, detected)
        self.records = tuple(records)
        self.indexes = tuple(indexes)
        self.producer = detected.kind.producer(detected, records, indexes)
        for document, problem in detected.clues.problems.items():
            where = problem.where or Location(member=document)
            blobs.anomalies.append(Anomaly(code="document-damaged", message=problem.what, where=where, fatal=True))
        if not (
            detected.kind.bare or blobs.waiting or detected.members.slow
        ):  # what an unread manifest points at nobody knows
            self.unreferenced = _unreferenced(blobs, detected.kind)
        self.used = frozenset(blobs.used)
        # The members of a bare tar are the entries of its layer, of which the layer's own scan tells.
        members = [] if detected.kind.bare else detected.members.anomalies
        self.anomalies = tuple(dict.fromkeys([*members, *blobs.anomalies]))

    @property
    def names_nothing(self) -> bool:
        """Whether the documents name neither an image nor parts of anything else."""
        return not self.runnable and not any(record.layers or record.config_descriptor for record in self.records)

    def stand_in(self, detected: Detected, error: ImagepeelError | None) -> None:
        """Hold one image of which nothing is known, in place of those that the documents should name."""
        self.unread = error
        self.stands_in = True
        seen = detected.detection
        self.records = (ImageRecord(number=1, kind_reason=seen.sentence, formats=detected.kind.formats, path=(0,)),)
        self.anomalies = self.anomalies or tuple(dict.fromkeys(detected.members.anomalies))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def outermost(self, record: ImageRecord) -> str | None:
        """Return the digest of the outermost index below index.json that lists an image, None where none does."""
        return next((index.digest for index in self.indexes if index.path == record.path[:1] and index.digest), None)

    def __repr__(self) -> str:
        return f"<OpenArchive {self.name!r}: {self.kind}, {plural(len(self.records), 'record')}>"


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
    make: Callable[[str, Detected, Limits], A],
    what: str | os.PathLike[str] | Source | Members | IO[bytes],
    limits: Limits,
    *,
    blobs: str | os.PathLike[str] | None = None,
    unread: bool = False,
) -> A:
    """The same for a class made of `OpenArchive`, which `make` returns, and for members that a caller has already.

    With `unread`, an archive whose documents name no image, or cannot be read, holds one of which nothing is known.
    """
    held: list[Source | Members] = []
    try:
        extra = None
        if blobs is not None:
            from imagepeel.archive.dir_members import DirMembers  # start time

            held.append(extra := DirMembers(blobs, limits))
        name, detected = _detect(what, limits, held)
        archive = make(name, detected, limits)
        try:
            archive.read(detected, extra)
        except Malformed as error:
            if not unread or not detected.kind.formats:
                raise
            archive.stand_in(detected, error)
        if unread and detected.kind.formats and archive.names_nothing:
            archive.stand_in(detected, None)
    except BaseException:
        for opened in held:
            opened.close()
        raise
    archive.hold(held)
    return archive


def _detect(
    what: str | os.PathLike[str] | Source | Members | IO[bytes], limits: Limits, held: list[Source | Members]
) -> tuple[str, Detected]:
    """Say what kind of archive it is; what is opened on the way goes into `held`."""
    if isinstance(what, Members):
        held.append(what)
        detected = detect(what)
        if what.told:
            seen = detected.detection
            detected.detection = Detection(id=seen.id, sentence=what.told, saw=seen.saw)
        return what.name, detected
    if isinstance(what, Source):
        source = what
    elif isinstance(what, str | os.PathLike):
        path = os.fspath(what)
        if os.path.isdir(path):
            from imagepeel.archive.dir_members import DirMembers  # start time

            held.append(directory := DirMembers(path, limits))
            return path, detect(directory)
        if not os.path.lexists(path):
            missing = PathNotFound(f"{path} does not exist", hint="check the path")
            missing.filename = path
            raise missing
        source = FileSource.open(path)
    else:
        source = source_of(what, limits, judge=judge_head)
    held.append(source)
    file = unwrap_compression(source, limits, held)
    detected = detect(members := open_tar(file.inner, limits))
    detected.file = file
    if file.behind >= 0 and not detected.kind.bare:  # a bare layer says so itself
        from imagepeel.archive.mangled import what_it_is  # start time

        what, _ = what_it_is(source.pread(file.behind, 4096))
        members.note(
            "outer-trailing-data",
            f"{plural(source.size - file.behind, 'byte')} after the {file.wrapping[0]} stream, which ends at byte "
            f"{file.behind:,} of the file: {what}",
            Location(file_offset=file.behind),
        )
    return source.name, detected


def _unreferenced(blobs: Blobs, kind: Kind) -> tuple[Member, ...]:
    """Return the files that nothing points at, of those that should be pointed at."""
    found = []
    for member in blobs.members:
        if member.kind != "file" or not member.name.startswith(kind.blob_folder) or member.name in blobs.used:
            continue
        if not kind.blob_folder and (member.name in DOCUMENTS or kind.is_legacy(member.name)):
            continue
        found.append(member)
    return tuple(found)
