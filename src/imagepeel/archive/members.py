"""The members of an image archive, whether a tar or a directory, under one interface.

Names are normalised before anything looks them up: `./`, leading `/` and repeated slashes go, `..` is resolved and
cannot leave the root.  Links are followed inside the archive only, with a bound and a loop check.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

import msgspec

from imagepeel.archive.source import Source
from imagepeel.archive.sparse_members import Sparse
from imagepeel.errors import LimitExceeded, MissingBlob
from imagepeel.evidence import Anomaly, AnomalyCode, Location
from imagepeel.limits import Limits
from imagepeel.text import plural

MemberKind = Literal["file", "dir", "symlink", "hardlink", "other"]
Medium = Literal["tar", "directory"]
"""What holds the members of an archive."""


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member: a file, directory or link of the archive.

    `name` is normalised, `raw_name` as stored.  `offset` is the archive offset of the first content byte and
    `header_offset` that of the first header block (PAX and GNU name headers included); both are None in a
    directory.  `index` is the place among the members, `via` the links that were followed to get here, `sparse`
    the parts of a file that is stored without its holes.
    """

    name: str
    kind: MemberKind = "file"
    size: int = 0
    offset: int | None = None
    header_offset: int | None = None
    index: int = 0
    target: str = ""
    raw_name: bytes = b""
    via: tuple[str, ...] = ()
    truncated: bool = False
    sparse: Sparse | None = None

    @property
    def location(self) -> Location:
        """The place of this member, for errors and evidence."""
        return Location(member=self.name, archive_offset=self.header_offset)


class Members(ABC):
    """What an archive holds.  `anomalies` grows while members are looked up."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.anomalies: list[Anomaly] = []

    medium: Medium = "tar"
    slow: bool = False
    """Whether reading a member costs so much that what nobody asks for is not read."""
    told: str = ""
    """How it was seen what this is, where the documents alone do not say it; a sentence without its full stop."""
    own: frozenset[str] = frozenset()
    """Members that imagepeel made, so that another program's copy has them in other bytes."""
    ended: bool = True
    """Whether the end of the archive was seen: False for a tar without end blocks, which may be the start of one."""

    @abstractmethod
    def __iter__(self) -> Iterator[Member]:
        """Yield every member in archive order (sorted by name in a directory), earlier duplicates included."""

    @abstractmethod
    def get(self, name: str) -> Member | None:
        """Return the file or directory that a name reaches, links followed; None when there is none."""

    @abstractmethod
    def source(self, member: Member) -> Source:
        """Return the content of a file member.  MissingBlob when it cannot be opened."""

    @abstractmethod
    def top(self) -> tuple[str, ...]:
        """Return the first components of all names, each once, in order."""

    def close(self) -> None:  # noqa: B027 - most own nothing
        """Release what was opened."""

    @property
    def names(self) -> tuple[str, ...]:
        """The normalised names of all members, in order."""
        return tuple(member.name for member in self)

    def file(self, name: str) -> Member | None:
        """Return the regular file that a name reaches, None when it is absent or something else."""
        member = self.get(name)
        return member if member is not None and member.kind == "file" else None

    def read(self, member: Member, cap: int) -> bytes:
        """Return the whole content of a member.  LimitExceeded when it has more than `cap` bytes."""
        if member.size > cap:
            raise LimitExceeded(
                f"{member.name} has {plural(member.size, 'byte')}, more than the {cap} allowed for a document",
                member.location,
                "raise Limits.json_bytes if you trust the archive",
            )
        source = self.source(member)
        try:
            return source.pread(0, member.size)
        finally:
            source.close()

    def under(self, prefix: str) -> Iterator[Member]:
        """Yield the members below a directory."""
        start = prefix + "/"
        return (member for member in self if member.name.startswith(start))

    def note(self, code: AnomalyCode, message: str, where: Location, *, fatal: bool = False) -> None:
        """Record an anomaly once, and not thousands of them."""
        if len(self.anomalies) >= 1000:
            return
        anomaly = Anomaly(code=code, message=message, where=where, fatal=fatal)
        if anomaly not in self.anomalies[-64:]:
            self.anomalies.append(anomaly)


class SubdirectoryMembers(Members):
    """The members below one directory of another archive, as an archive of its own."""

    def __init__(self, base: Members, prefix: str) -> None:
        super().__init__(f"{base.name}/{prefix}", base.limits)
        self.base = base
        self.prefix = prefix
        self.medium: Medium = base.medium
        self.anomalies: list[Anomaly] = base.anomalies
        self.ended: bool = base.ended

    def __iter__(self) -> Iterator[Member]:
        return (self._short(member) for member in self.base.under(self.prefix))

    def get(self, name: str) -> Member | None:
        member = self.base.get(f"{self.prefix}/{normalise(name)}")
        return None if member is None else self._short(member)

    def source(self, member: Member) -> Source:
        return self.base.source(msgspec.structs.replace(member, name=self._long(member.name)))

    def top(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(member.name.partition("/")[0] for member in self))

    def close(self) -> None:
        self.base.close()

    def _short(self, member: Member) -> Member:
        start = self.prefix + "/"
        # A link may lead out of the directory but not out of the archive: such a name keeps its full form.
        name = member.name[len(start) :] if member.name.startswith(start) else "../" + member.name
        return msgspec.structs.replace(member, name=name)

    def _long(self, name: str) -> str:
        return name[3:] if name.startswith("../") else f"{self.prefix}/{name}"


def normalise(name: str, *, backslashes: bool = False) -> str:
    """Return a name relative to the archive root: no empty or `.` parts, `..` resolved without leaving the root.

    With `backslashes`, they separate too: archives made on Windows by programs that forgot to convert.
    """
    if backslashes:
        name = name.replace("\\", "/")
    if "//" not in name and "." not in name and not name.startswith("/") and not name.endswith("/"):
        return name
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def leaves_root(name: str) -> bool:
    """Say whether a name climbs above its root with `..` before normalisation."""
    depth = 0
    for part in name.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False


def missing(name: str, where: Location | None = None) -> MissingBlob:
    """Return the error for content that the archive does not carry."""
    return MissingBlob(
        f"{name} is not in the archive",
        where or Location(member=name),
        "save or copy the image again with all its blobs",
    )
