"""What the tar around the documents and the layers tells of its packer: owners, times, padding and its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.archive.tar_members import TarMembers
from imagepeel.evidence import Location, text
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.formats.tar.header import BLOCK
from imagepeel.text import noun, plural

if TYPE_CHECKING:
    from imagepeel.archive.members import Member
    from imagepeel.findings.subject import Subject
    from imagepeel.formats.tar.header import Header
    from imagepeel.formats.tar.metas import Meta

NO_YEAR = late(r"^(?:000\d|19[678]\d)-")
"""What a time begins with that nobody measured."""


def seconds_of(created: str) -> int | None:
    """Return the seconds since 1970 of a time as documents write it, None for what is none."""
    from datetime import UTC, datetime  # start time

    try:
        stamp = datetime.fromisoformat(re.sub(r"\.(\d{6})\d*", r".\1", created.replace("Z", "+00:00")))
    except ValueError:
        return None
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    return int(stamp.timestamp())


_NOBODY = frozenset((b"", b"root", b"wheel", b"nobody", b"nogroup"))
_MOST_MEMBERS, _FIRST_PERSON = 200, 1000
"""Members of an archive that are looked at, and the first id that distributions give to people (login.defs)."""
_DAY = 86_400


@rule(
    "PACKER-NAMED",
    "The archive or a layer names the person who packed it",
    "info",
    "headcount",
    "infosec",
    why="""A tar has the names of owners beside their numbers, and a packer writes those of the machine that it runs on.
    No engine reads them, and everybody who gets the file can: the login of a person, or the name of a build server's
    account.  Two machines that pack the same files also get two digests.""",
    fix="pack with --owner=0 --group=0 --numeric-owner (GNU tar), or save the image with a tool of containers",
    sources="POSIX.1 pax ustar, reproducible-builds.org archives",
)
def packer_named(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for member, header in _members(subject):
        if _is_somebody(header, _NOBODY):
            yield rule.report(f"members of the archive belong to {_owner_name(header)}", member.location)
            break
    if not subject.whole or subject.foreign:
        return
    lines = (line for path in ("/etc/passwd", "/etc/group") for line in subject.read(path, 1 << 20).splitlines())
    known = _NOBODY | {line.partition(b":")[0] for line in lines}
    for layer in subject.layers:
        table = layer.table
        strange = {
            number
            for number, meta in enumerate(table.metas)
            if max(meta.uid, meta.gid) >= _FIRST_PERSON and _is_somebody(meta, known)
        }
        if strange:
            index = next(i for i, number in enumerate(table.meta_ids) if number in strange)
            owner = _owner_name(table.meta(index))
            message = f"entries of layer {layer.label} belong to {owner}, whom the image does not know"
            yield rule.report(message, subject.at(layer.index, index))


def _is_somebody(entry: Header | Meta, known: frozenset[bytes]) -> bool:
    """Whether an owner has a name that is none of these, and is more than its number again."""
    return any(name not in known and not name.isdigit() for name in (entry.uname, entry.gname))


def _owner_name(entry: Header | Meta) -> str:
    return f"{text(entry.uname)}:{text(entry.gname)} ({entry.uid}:{entry.gid})"


def _members(subject: Subject) -> list[tuple[Member, Header]]:
    """The first members of the archive that have one header block; none of a directory or a bare layer."""
    members = subject.image.archive.members
    if not isinstance(members, TarMembers) or subject.image.archive.kind.bare:
        return []
    pairs = ((member, members.header(member)) for member, _ in zip(members, range(_MOST_MEMBERS), strict=False))
    return [(member, header) for member, header in pairs if header is not None]


@rule(
    "ARCHIVE-FRAMING",
    "The tar of the archive says more than its members, or does not end",
    "info",
    "friends",
    "infosec",
    why="""Between the members of a tar stand padding and times, and behind the last one two blocks of zeros.  No engine
    looks at any of it: padding may hold what was in the packer's memory, times say when it was packed and give each
    save another digest, and without the end nobody can tell whether something was cut off.""",
    fix="save the image again with a tool of containers, or pack with --sort=name --mtime=@0 (GNU tar)",
    sources="POSIX.1 pax ustar, reproducible-builds.org archives",
    decides="whether two saves of the image must be equal byte for byte",
)
def archive_framing(rule: Rule, subject: Subject) -> Iterator[Finding]:
    members, pairs = subject.image.archive.members, _members(subject)
    if not isinstance(members, TarMembers) or not pairs:
        return
    padded = [] if subject.image.archive.wrapping else [one for one, _ in pairs if _padding(members, one).strip(b"\0")]
    if padded:
        held = sum(len(_padding(members, one).strip(b"\0")) for one in padded)
        yield rule.report(
            f"the padding behind {plural(len(padded), 'member')} of the archive is not zero: no reader shows "
            f"{noun(held, 'this byte', f'these {held:,} bytes')}",
            padded[0].location,
        )
    cut = any(note.code == "save-cut" for note in subject.image.archive.anomalies)
    if members.complete and not members.ended and not cut:
        yield rule.report(
            "the archive ends behind its last member, without the blocks of zeros that end a tar: readers take it, and "
            "cannot tell whether something was cut off",
            Location(member=members.name, archive_offset=members.end),
        )
    created = subject.config.created if subject.paperwork else ""
    made = seconds_of(created) if created and not NO_YEAR.match(created) else None
    newest, header = max(pairs, key=lambda pair: pair[1].mtime)
    if made is not None and header.mtime > made + _DAY:
        yield rule.report(
            f"members of the archive carry times of up to {(header.mtime - made) // _DAY:,} days after the image was "
            "made: they say when it was packed, and two saves of it differ",
            newest.location,
        )


def _padding(members: TarMembers, member: Member) -> bytes:
    """The bytes between the end of a member and the next block."""
    if member.offset is None or member.kind != "file":
        return b""
    end = member.offset + member.size
    return members.archive.pread(end, -end % BLOCK)
