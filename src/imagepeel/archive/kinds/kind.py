"""What a kind of archive is: one value that says how it is recognised, read and told of.

`archive/kinds/__init__.py` says how a kind is added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.compression import Compression
from imagepeel.archive.members import Member, Members
from imagepeel.archive.records import Format, ImageRecord, IndexRecord
from imagepeel.archive.sniff import is_link_text
from imagepeel.archive.source import Source
from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import Location
from imagepeel.oci.json_document import parse_json

INDEX = "index.json"
MANIFEST = "manifest.json"
REPOSITORIES: Final = "repositories"


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """How it was seen what an archive is: a stable id, one plain sentence, the names that were looked at.

    `certain` is False when the archive is only named like one of its kind: that is not believed of a directory inside
    another archive.
    """

    id: str
    sentence: str
    saw: tuple[str, ...] = ()
    certain: bool = True


class Producer(msgspec.Struct, frozen=True, kw_only=True):
    """The program that probably wrote an archive, and the habit that tells it (the end of a sentence after "because").

    A guess for people; nothing depends on it.
    """

    name: str
    habit: str


class Unwrapped(msgspec.Struct, kw_only=True):
    """A file without its outer compression.

    `wrapping` names the compressions that were taken off, outermost first.  `file` is the file as it lies there,
    `inner` the content, `stored` the content with the last of them still on: the digest of a bare layer is about those
    bytes.  `behind` is the offset in the file of bytes that follow the compressed stream, -1 without them; `broken` why
    the compressed stream breaks, "" where it does not.
    """

    file: Source
    inner: Source
    stored: Source
    wrapping: tuple[Compression, ...] = ()
    behind: int = -1
    broken: str = ""


class Clues:
    """What an archive shows of its kind: its members, and the documents that may name images, each read once.

    `index` and `manifest` are the parsed `index.json` and `manifest.json`, None where they are absent or unreadable;
    `problems` are the errors that were met while reading a document, by its name.
    """

    def __init__(self, members: Members) -> None:
        self.members = members
        self.problems: dict[str, ImagepeelError] = {}
        self.index: Any = self._document(INDEX)
        self.manifest: Any = self._document(MANIFEST)

    @cached_property
    def top(self) -> frozenset[str]:
        """The first components of all names."""
        return frozenset(self.members.top())

    def has(self, name: str) -> bool:
        """Say whether there is a member (or directory) with that name."""
        return self.members.get(name) is not None

    def saw(self, *names: str) -> tuple[str, ...]:
        """Return those of the names that are there."""
        return tuple(name for name in names if self.has(name))

    def require(self, document: str) -> None:
        """Raise what was wrong with a document.  Malformed when its name belongs to something that is no file."""
        error = self.problems.get(document)
        if error is not None:
            raise error
        member = self.members.get(document)
        if member is not None and member.kind != "file":
            raise Malformed(
                f"{document} is a {member.kind}, not a file", Location(member=document), "the archive is damaged"
            )

    def _document(self, name: str) -> Any:
        member = self.members.get(name)
        if member is None or member.kind != "file":
            return None
        try:
            return self._parse(member)
        except ImagepeelError as error:
            self.problems[name] = error
            return None

    def _parse(self, member: Member) -> Any:
        place = Location(member=member.name)
        data = self.members.read(member, self.members.limits.json_bytes)
        try:
            return parse_json(data, place, self.members.limits)[0]
        except Malformed as error:
            if not is_link_text(data):
                raise
            # git checks symbolic links out as text where links are switched off, and so do some unpackers.
            raise Malformed(
                f"{member.name} holds only the path {data.decode().strip()}: a symbolic link that was stored as text",
                place,
                "copy the directory again with its links",
            ) from error


Records = tuple[list[ImageRecord], list[IndexRecord]]
"""What the documents of an archive name, in archive order: the images, and the indexes on the way to them."""


def nobody(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer | None:
    """The producer of an archive whose habits many programs share."""
    return None


class Kind(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One kind of archive."""

    name: str
    """The word for it in JSON and on the terminal."""
    label: str
    """What people call it."""
    told_by: str
    """For the documentation: how it is recognised."""
    written_by: str
    """For the documentation: the programs that write it."""
    recognise: Callable[[Clues], Detection | None]
    """Say how an archive is seen to be of this kind, None when it is not.  The kinds before it were asked already."""
    read: Callable[[Blobs, Detected], Records]
    """Follow the documents.  Malformed when none can be read."""
    producer: Callable[[Detected, Sequence[ImageRecord], Sequence[IndexRecord]], Producer | None] = nobody
    """Guess which program wrote the archive."""
    roles: Mapping[str, str] = {}
    """What its documents are for, by member name and in the order of reading, as text (`*term*`)."""
    points: tuple[str, str] = ("", "")
    """The document whose value shows the kind, and the JSON pointer to that value; ("", "") when none does."""
    leaves: Mapping[str, str] = {}
    """What members are for whose last component is one of these, as text."""
    legacy: tuple[str, ...] = ()
    """Last components of the names of members that only readers of earlier versions want."""
    blob_folder: str = ""
    """The folder (with its slash) in which every file should be pointed at; "" for the whole archive."""
    bare: bool = False
    """Whether it is a tar without documents: one layer."""
    formats: tuple[Format, ...] = ()
    """How its documents describe images, for kinds that programs which load images look for."""
    directory_hint: str = ""
    """What to do with a directory that looks like this kind, where only a tar of it can be read; "" for nothing."""
    os: str = ""
    """The operating system that the kind itself tells of, as a config names it."""

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        """A kind equals its name, so that `archive.kind == "docker-archive"` says what it looks like."""
        return other == self.name if isinstance(other, str) else self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<Kind {self.name}>"

    def is_legacy(self, member: str) -> bool:
        """Say whether only readers of earlier versions want a member."""
        return member.rpartition("/")[2] in self.legacy


class Detected(msgspec.Struct, kw_only=True):
    """What an archive is: its kind, how that was seen, and what was read on the way.

    Where the image lies one level down, `clues` are those of that directory.  `file` is None for a directory.
    """

    kind: Kind
    detection: Detection
    clues: Clues
    file: Unwrapped | None = None

    @property
    def members(self) -> Members:
        """The members that the kind was told by."""
        return self.clues.members
