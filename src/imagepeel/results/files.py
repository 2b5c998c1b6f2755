"""In what two archives differ as files: the same image can be saved in many ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds import DOCUMENTS
from imagepeel.archive.tar_members import TarMembers
from imagepeel.evidence import text
from imagepeel.formats.tar.header import BLOCK, Header
from imagepeel.results.head import stamp

if TYPE_CHECKING:
    from imagepeel.archive.members import Member
    from imagepeel.archive.opened import OpenArchive

FileWay = Literal[
    "kind",
    "wrapping",
    "members",
    "order",
    "framing",
    "time",
    "owner",
    "mode",
    "link",
    "size",
    "document",
    "index",
    "attestations",
    "names",
    "end",
]
MOST_MEMBERS = 10_000
"""Members of an archive whose headers are compared; an archive of an image has some dozens."""


class FileFact(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One way in which the files differ.

    `count` is of members; `member` the first of them, "" where it is about the whole file; `before` and
    `after` what either side has there.
    """

    what: FileWay
    """What differs: `link` is a link in one and a copy or another link in the other, `end` what follows the members."""
    count: int
    member: str
    before: str
    after: str


class FilesDifference(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """In what two archives differ as files, whatever they hold; `facts` is [] where no way was seen.

    `complete` is false where not all members were compared, or a directory has no headers to compare.
    """

    facts: tuple[FileFact, ...]
    complete: bool


def files_difference(first: OpenArchive, second: OpenArchive) -> FilesDifference:
    """Compare two archives by their members and by the headers of these; content by size, and of documents by bytes."""
    one, two = _members(first), _members(second)
    both = [name for name in one if name in two]
    facts = [
        _whole("kind", first.kind.name, second.kind.name),
        _whole("wrapping", _wrapped(first.wrapping), _wrapped(second.wrapping)),
        *_only(one, two),
        _whole("order", *_order(one, two, both)),
        *_headers(first, second, [(one[name], two[name]) for name in both[:MOST_MEMBERS]]),
        *_documents(first, second),
        _whole("index", _indexes(first), _indexes(second)),
        _whole("attestations", _records(first, "attestation"), _records(second, "attestation")),
        _whole("names", _names(first), _names(second)),
        _whole("end", _end(first, one), _end(second, two)),
    ]
    return FilesDifference(
        facts=tuple(fact for fact in facts if fact is not None),
        complete=len(both) <= MOST_MEMBERS and first.medium == second.medium == "tar",
    )


def _members(archive: OpenArchive) -> dict[str, Member]:
    """The members by name; of those that come again, the last, which counts."""
    return {member.name: member for member in archive.members if member.name}


def _whole(what: FileWay, before: str, after: str) -> FileFact | None:
    if before == after:
        return None
    return FileFact(what=what, count=0, member="", before=before, after=after)


def _indexes(archive: OpenArchive) -> str:
    """The digests of the indexes below the document where reading starts: what the containerd store shows as an id."""
    return ", ".join(str(index.digest) for index in archive.indexes if index.digest) or "none"


def _wrapped(wrapping: tuple[Compression, ...]) -> str:
    return ", ".join(wrapping) or "none"


def _only(one: dict[str, Member], two: dict[str, Member]) -> list[FileFact]:
    facts = []
    for mine, other, side in ((one, two, "first"), (two, one, "second")):
        alone = [name for name in mine if name not in other]
        if alone:
            before, after = ("there", "not there") if side == "first" else ("not there", "there")
            facts.append(FileFact(what="members", count=len(alone), member=alone[0], before=before, after=after))
    return facts


def _order(one: dict[str, Member], two: dict[str, Member], both: list[str]) -> tuple[str, str]:
    """The first members that come in another order, "" for none."""
    theirs = [name for name in two if name in one]
    for mine, other in zip(both, theirs, strict=True):
        if mine != other:
            return mine, other
    return "", ""


def _header(archive: OpenArchive, member: Member) -> Header | None:
    """The header of a member; None in a directory."""
    return archive.members.header(member) if isinstance(archive.members, TarMembers) else None


def _headers(first: OpenArchive, second: OpenArchive, pairs: list[tuple[Member, Member]]) -> list[FileFact]:
    found: dict[FileWay, list[tuple[str, Any, Any]]] = {}

    def note(what: FileWay, name: str, before: Any, after: Any) -> None:
        if before != after:
            found.setdefault(what, []).append((name, before, after))

    for mine, other in pairs:
        note("link", mine.name, _form(mine), _form(other))
        if mine.kind == other.kind == "file":
            note("size", mine.name, f"{mine.size:,} bytes", f"{other.size:,} bytes")
        head, tail = _header(first, mine), _header(second, other)
        if head is None or tail is None:
            continue
        note("framing", mine.name, _framing(mine, head), _framing(other, tail))
        note("time", mine.name, head.mtime, tail.mtime)
        note("owner", mine.name, _owner(head), _owner(tail))
        note("mode", mine.name, f"{head.mode & 0o7777:04o}", f"{tail.mode & 0o7777:04o}")
    facts = []
    for what, places in found.items():
        name, before, after = places[0]
        if what == "time":
            before, after = stamp((before, 0)), stamp((after, 0))
        facts.append(FileFact(what=what, count=len(places), member=name, before=str(before), after=str(after)))
    return facts


def _form(member: Member) -> str:
    """What kind of member it is: blobs that a writer stores once and names twice become copies in another."""
    return f"{member.kind} to {member.target}" if member.target else member.kind


def _framing(member: Member, header: Header) -> str:
    extended = member.offset is not None and member.offset - BLOCK != member.header_offset
    return f"{header.format}{' with an extended header' if extended else ''}"


def _owner(header: Header) -> str:
    names = f" ({text(header.uname)}:{text(header.gname)})" if header.uname or header.gname else ""
    return f"{header.uid}:{header.gid}{names}"


def _documents(first: OpenArchive, second: OpenArchive) -> list[FileFact]:
    facts = []
    for name in sorted(DOCUMENTS):
        data = []
        for archive in (first, second):
            member = archive.members.file(name)
            size = min(member.size, archive.limits.json_bytes) if member is not None else 0
            data.append(archive.members.source(member).pread(0, size) if member is not None else None)
        one, two = data
        if one is not None and two is not None and one != two:
            facts.append(
                FileFact(
                    what="document", count=1, member=name, before=f"{len(one):,} bytes", after=f"{len(two):,} bytes"
                )
            )
    return facts


def _records(archive: OpenArchive, kind: str) -> str:
    return str(sum(record.kind == kind for record in archive.records))


def _names(archive: OpenArchive) -> str:
    return ", ".join(dict.fromkeys(name for record in archive.records for name in record.tags)) or "none"


def _end(archive: OpenArchive, members: dict[str, Member]) -> str:
    """How many bytes stand behind the content of the last member: end blocks and the padding of a record."""
    if not isinstance(archive.members, TarMembers):
        return "no tar"
    last = max((m.offset + m.size for m in members.values() if m.offset is not None), default=0)
    return f"{archive.members.archive.size - (last + -last % BLOCK):,} bytes"
