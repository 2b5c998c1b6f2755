"""The members of an image archive that is a tar: one walk over its headers, which jumps over all content.

There are two walkers over tar headers, because they answer two questions.  This one asks what can still be found in
the archive that a person has: it reads as leniently as the most lenient loader.  What Go's reader refuses is recorded
as an anomaly, and the members before it (and where possible after it) are kept, so that a damaged archive still gives a
partial answer.  `formats/tar/scanner.py` asks what a runtime would unpack from a layer: it follows Go's `archive/tar`
to the byte, ends where that ends, and gets the bytes pushed from a decoder, since it cannot jump in a compressed
stream.  Both read headers with `formats/tar/header.py` and `formats/tar/pax.py`.

How the walk goes: headers that extend the next one (PAX, GNU long names) are gathered in `_Extensions` until a member
comes, which takes them with it.  Sizes are trusted only as far as the file reaches.  Whatever makes it impossible to
say where the next header is raises `_Stop`, which the caller of the walk turns into a fatal anomaly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import msgspec

from imagepeel.archive.members import Medium, Member, MemberKind, Members, leaves_root, missing, normalise
from imagepeel.archive.source import Source
from imagepeel.archive.sparse_members import Sparse, SparseSource, is_sparse, locate
from imagepeel.evidence import Anomaly, AnomalyCode, Location, text
from imagepeel.formats.tar.header import (
    BLOCK,
    DIRECTORY,
    GNU_LONGLINK,
    GNU_LONGNAME,
    GNU_SPARSE,
    HARDLINK,
    HEADER_ONLY,
    PAX,
    PAX_GLOBAL,
    REGULAR_OLD,
    SYMLINK,
    ZERO_BLOCK,
    Header,
    TarError,
    parse_header,
)
from imagepeel.formats.tar.pax import integer, parse_pax
from imagepeel.limits import Limits
from imagepeel.text import plural

_WINDOW = 8192
"""Bytes per read: most archives have small documents next to each other, and a layer costs one read anyway."""
_TAIL = 1 << 20
"""Bytes after the end marker that are looked at for hidden data."""
_LONGEST = 4096
"""Characters of a name that is looked up; Linux has no longer paths."""
_NAME_BYTES = 512
"""Bytes that the names of all members may have on average: a compressed archive could hold gigabytes of them."""
_MOST_NOTES = 200
_LINK_STEPS = 1_000_000
"""Path components looked at while following links in one archive: chains times lookups must not multiply."""
_KINDS: dict[bytes, MemberKind] = {HARDLINK: "hardlink", SYMLINK: "symlink", DIRECTORY: "dir"}
_FILES = (b"0", b"\0", b"7")


class TarMembers(Members):
    """The members of a tar.  `complete` is False when the walk stopped early; `end` is where it stopped."""

    medium: Medium = "tar"

    def __init__(self, source: Source, limits: Limits) -> None:
        super().__init__(source.name, limits)
        self.archive = source
        walk = _Walk(source, limits)
        self._all: list[Member] = list(walk)
        self.anomalies: list[Anomaly] = walk.anomalies
        self.complete: bool = walk.complete
        self.over_limit: bool = walk.over_limit
        self.end: int = walk.end
        self.ended: bool = walk.ended
        self._names: dict[str, Member] = {}
        self._links = any(member.kind in ("symlink", "hardlink") for member in self._all)
        self._steps_left = _LINK_STEPS
        self._settle_names()

    def _settle_names(self) -> None:
        backslashes = not any(b"/" in member.raw_name for member in self._all) and any(
            b"\\" in member.raw_name for member in self._all
        )
        if backslashes:
            self.note("outer-backslash", "member names use backslashes; they are read as slashes", Location())
            self._all = [
                msgspec.structs.replace(member, name=normalise(member.name, backslashes=True)) for member in self._all
            ]
        repeated = 0
        waiting: list[Member] = []
        for member in self._all:
            earlier = self._names.get(member.name)
            if earlier is not None and (earlier.kind, member.kind) != ("dir", "dir"):
                repeated += 1
                if repeated <= 20:
                    self.note(
                        "outer-duplicate",
                        f"the member {member.name} occurs again; the last one counts",
                        member.location,
                    )
            if member.kind == "hardlink" and normalise(member.target) not in self._names:
                waiting.append(member)
            # Entries for the root itself (`./`) carry no name.
            self._names[member.name] = member
        early = next(
            (one for one in waiting if normalise(one.target) in self._names and normalise(one.target) != one.name), None
        )
        if early is not None:
            words = f"the hard link {early.name} stands before its target {early.target}"
            self.note("outer-link-forward", f"{words}: who unpacks in order cannot make it", early.location, fatal=True)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._all)

    def header(self, member: Member) -> Header | None:
        """Return the header block in front of a member's content; None where that is not one block before it."""
        if member.offset is None or member.sparse is not None:
            return None
        try:
            return parse_header(self.archive.pread(member.offset - BLOCK, BLOCK))
        except TarError:
            return None

    def __len__(self) -> int:
        return len(self._all)

    def get(self, name: str) -> Member | None:
        wanted = normalise(name)
        member = self._names.get(wanted)
        if member is not None and member.kind not in ("symlink", "hardlink"):
            return member
        return self._follow(wanted)

    def _follow(self, wanted: str) -> Member | None:
        if not self._links or len(wanted) > _LONGEST:
            return None
        via: list[str] = []
        name = wanted
        while True:
            self._steps_left -= name.count("/") + 1
            if self._steps_left < 0:
                self.note("outer-link-limit", "links are followed no further: there are too many of them", Location())
                return None
            link = self._first_link(name)
            if link is None:
                member = self._names.get(name)
                return msgspec.structs.replace(member, via=tuple(via)) if member is not None and via else member
            if link.name in via or len(via) >= self.limits.symlink_hops:
                # A name that only was looked for is no member, and its end no property of the archive.
                if wanted in self._names:
                    self.note("outer-link-loop", f"the link {wanted} never reaches a file", link.location)
                return None
            via.append(link.name)
            rest = name[len(link.name) :].lstrip("/")
            base = "" if link.kind == "hardlink" or link.target.startswith("/") else link.name.rpartition("/")[0]
            joined = f"{base}/{link.target}/{rest}"
            if leaves_root(joined) and wanted in self._names:
                self.note("outer-link-outside", f"the link {link.name} leads out of the archive", link.location)
            name = normalise(joined)
            if len(name) > _LONGEST:
                return None

    def _first_link(self, name: str) -> Member | None:
        at = 0
        while True:
            at = name.find("/", at + 1)
            member = self._names.get(name if at < 0 else name[:at])
            if member is not None and member.kind in ("symlink", "hardlink"):
                return member
            if at < 0:
                return None

    def source(self, member: Member) -> Source:
        if member.kind != "file" or member.offset is None:
            raise missing(member.name, member.location)
        if member.sparse is not None:
            return SparseSource(self.archive, member.sparse, member.name)
        return self.archive.window(member.offset, member.size, member.name)

    def top(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(member.name.partition("/")[0] for member in self._all if member.name))

    def close(self) -> None:
        self.archive.close()


class _Extensions(msgspec.Struct):
    """What the headers before a member say of it: `first` is the offset of the first of them, or of its own header."""

    first: int
    records: dict[bytes, bytes] = {}
    long_name: bytes | None = None
    long_link: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of names and values in them."""
        return len(self.long_name or b"") + len(self.long_link or b"") + sum(map(len, self.records.values()))


class _Walk:
    """One pass over the headers of a tar."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.anomalies: list[Anomaly] = []
        self.complete = True
        self.ended: bool = False
        self.over_limit = False
        self.end = 0
        self._buffer = b""
        self._at = 0

    def __iter__(self) -> Iterator[Member]:
        try:
            yield from self._members()
        except _Stop as stop:
            self.complete = False
            self.end = stop.offset
            self._note(stop.code, stop.message, stop.offset, fatal=True)

    def _note(self, code: AnomalyCode, message: str, offset: int, *, fatal: bool = False) -> None:
        if fatal or len(self.anomalies) < _MOST_NOTES:
            self.anomalies.append(
                Anomaly(code=code, message=message, where=Location(archive_offset=offset), fatal=fatal)
            )

    def _read(self, offset: int, count: int) -> bytes:
        start = offset - self._at
        if start < 0 or start + count > len(self._buffer):
            self._buffer = self.source.pread(offset, max(_WINDOW, count))
            self._at, start = offset, 0
        return self._buffer[start : start + count]

    def _members(self) -> Iterator[Member]:
        offset = index = names = 0
        extensions = _Extensions(0)
        while True:
            block = self._read(offset, BLOCK)
            if block == ZERO_BLOCK or not block.strip(b"\0"):
                if self._ends(offset):
                    return
                self._note(
                    "outer-zero-block", "a lone zero block lies between members; some readers stop there", offset
                )
                offset += BLOCK
                extensions.first = offset
                continue
            if len(block) < BLOCK:
                _stop("outer-truncated", "the archive ends inside a header", offset)
            header = self._header(block, offset)
            content = offset + BLOCK
            if header.type in (PAX, PAX_GLOBAL, GNU_LONGNAME, GNU_LONGLINK):
                self._extend(extensions, header, offset)
                offset = content + _padded(header.size)
                continue
            if index >= self.limits.archive_members:
                self.over_limit = True
                _stop(
                    "outer-member-limit",
                    f"the archive has more than {plural(index, 'member')}; the rest is not listed",
                    offset,
                )
            names += extensions.size
            if names > _NAME_BYTES * self.limits.archive_members:
                self.over_limit = True
                _stop("outer-member-limit", f"the names of the first {index} members are too long together", offset)
            sparse = self._sparse(header, block, extensions.records, content)
            stored = 0 if header.type in HEADER_ONLY else self._size(header, extensions.records, offset)
            if sparse is not None and header.type == GNU_SPARSE:
                # The extension blocks of the old form lie before the content and do not count as content.
                content = sparse.offset
            member = self._member(header, extensions, content, index, sparse)
            yield member
            index += 1
            offset = content + _padded(stored)
            extensions = _Extensions(offset)
            if content + stored > self.source.size:
                _stop("outer-truncated", f"the archive ends inside the member {member.name}", self.source.size)

    def _header(self, block: bytes, offset: int) -> Header:
        try:
            header = parse_header(block)
        except TarError as error:
            _stop("outer-bad-header", f"the tar header is damaged: {error.detail}", offset)
        if header.size < 0:
            _stop("outer-bad-header", f"the tar header states {plural(header.size, 'byte')}", offset)
        return header

    def _extend(self, extensions: _Extensions, header: Header, offset: int) -> None:
        """Add what a header of the archive at `offset` says of the next member."""
        body = self._extension(header, offset + BLOCK)
        if header.type == PAX:
            extensions.records |= self._records(body, offset)
        elif header.type == GNU_LONGNAME:
            extensions.long_name = body.partition(b"\0")[0]
        elif header.type == GNU_LONGLINK:
            extensions.long_link = body.partition(b"\0")[0]

    def _extension(self, header: Header, content: int) -> bytes:
        if header.size > self.limits.header_bytes:
            _stop("outer-bad-header", f"an extended header has {plural(header.size, 'byte')}", content - BLOCK)
        body = self._read(content, header.size)
        if len(body) < header.size:
            _stop("outer-truncated", "the archive ends inside an extended header", content)
        return body

    def _records(self, body: bytes, offset: int) -> dict[bytes, bytes]:
        try:
            return parse_pax(body)
        except TarError as error:
            # Go refuses the archive here.  The plain header still says where the next member is.
            self._note("outer-bad-pax", f"a PAX header is damaged: {error.detail}", offset, fatal=True)
            return {}

    def _size(self, header: Header, records: dict[bytes, bytes], offset: int) -> int:
        stated = records.get(b"size", b"")
        if not stated:
            return header.size
        try:
            size = integer(stated, "size")
        except TarError as error:
            _stop("outer-bad-pax", error.detail, offset)
        if size < 0:
            _stop("outer-bad-pax", f"a PAX header states {plural(size, 'byte')}", offset)
        return size

    def _sparse(self, header: Header, block: bytes, records: dict[bytes, bytes], content: int) -> Sparse | None:
        if not is_sparse(header, records):
            return None
        try:
            return locate(header, block, records, content, read=self._read, limits=self.limits)
        except TarError as error:
            _stop("outer-bad-sparse", f"a sparse member cannot be read: {error.detail}", content - BLOCK)

    def _member(
        self, header: Header, extensions: _Extensions, content: int, index: int, sparse: Sparse | None
    ) -> Member:
        records, first = extensions.records, extensions.first
        raw_name = (sparse.name if sparse else b"") or extensions.long_name or records.get(b"path") or header.name
        link = extensions.long_link or records.get(b"linkpath") or header.link
        kind = _KINDS.get(header.type, "file" if header.type in _FILES else "other")
        if header.type == REGULAR_OLD and raw_name.endswith(b"/"):
            kind = "dir"
        name = text(raw_name)
        if sparse is not None:
            kind = "file"
            self._note("outer-sparse", f"the member {name} is stored without its holes, which are filled in", first)
        if leaves_root(name):
            self._note("outer-dotdot", f"the member name {name} climbs out of the archive; it is kept inside", first)
        size = 0 if header.type in HEADER_ONLY else self._size(header, records, first)
        return Member(
            name=normalise(name),
            raw_name=raw_name,
            kind=kind,
            size=sparse.size if sparse else size,
            offset=sparse.offset if sparse else content,
            sparse=sparse,
            header_offset=first,
            index=index,
            target=text(link) if kind in ("symlink", "hardlink") else "",
            truncated=content + size > self.source.size,
        )

    def _ends(self, offset: int) -> bool:
        """Say whether the archive ends at this zero block, and record what lies after the end."""
        following = self._read(offset + BLOCK, BLOCK)
        if following.strip(b"\0"):
            return False
        self.end = min(offset + 2 * BLOCK, self.source.size)
        self.ended = offset < self.source.size
        tail = self.source.pread(self.end, _TAIL)
        if tail.strip(b"\0"):
            hidden = len(tail) - len(tail.lstrip(b"\0"))
            from imagepeel.archive.mangled import what_it_is  # start time

            what, _ = what_it_is(tail[hidden:])
            self._note(
                "outer-trailing-data",
                f"{plural(self.source.size - self.end - hidden, 'byte')} after the end of the archive, where no reader "
                f"looks: {what}",
                self.end + hidden,
            )
        return True


class _Stop(Exception):
    """The walk cannot go on at `offset`."""

    def __init__(self, code: AnomalyCode, message: str, offset: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset


def _stop(code: AnomalyCode, message: str, offset: int) -> NoReturn:
    raise _Stop(code, message, offset)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
