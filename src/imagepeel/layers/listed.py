"""A layer as its table of contents lists it: entries without the headers of the tar, content by its parts.

What a lazy engine sees of the layer (stargz-snapshotter, containers/storage with partial pulls).  The headers of the
tar are not read, so nobody knows where in it an entry stands: `EntryTable.placed` is False, and the places in the
columns are made up, in the order of the table, for `ListedContent` alone.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from imagepeel.archive.codec import CodecError, check_ratio, decompress_to_spool, make_decoder
from imagepeel.archive.compression import Compression
from imagepeel.archive.source import CHUNK, Source
from imagepeel.errors import Malformed, Unsupported
from imagepeel.evidence import Location, layer_label, raw
from imagepeel.formats.tar.builder import TableBuilder
from imagepeel.formats.tar.header import BLOCK
from imagepeel.formats.tar.metas import Meta
from imagepeel.formats.tar.table import HAS_EXTRA, KINDS, EntryTable, Extra
from imagepeel.formats.toc import KINDS as TOC_KINDS
from imagepeel.formats.toc import TocEntry, moment
from imagepeel.layers.toc import Toc
from imagepeel.limits import Limits, MiB

_TYPES: dict[str, bytes] = {KINDS[flag]: flag for flag in reversed(KINDS)}
_HELD = 8 * MiB
"""Bytes of a part up to which it stays in memory; a larger one goes to a temporary file, as long as it is read."""
_MOST_HELD = 4
_LOST = "\ufffd"
"""What JSON of Go has in place of a byte of a name that is not UTF-8."""


class Part(NamedTuple):
    """A part of the content of a file."""

    place: int
    """Made up: the place of the file and the offset in it."""
    size: int
    start: int
    """Stored bytes of the gzip member or zstd frame that holds it, up to `end`; both 0 for a part of zeros."""
    end: int
    inner: int
    """Bytes of other files that the member holds before it."""
    digest: str
    """"" where the table tells none."""


class Listed(NamedTuple):
    """What a table of contents says of a layer."""

    table: EntryTable
    parts: tuple[Part, ...]
    """Ascending by place."""
    told: bool
    """Whether the manifest tells the digest of the table."""
    size: int
    """Bytes that a tar of these entries has where none needs more than one header: about those of the layer."""
    unread: int
    """Stored bytes before the table that were not read."""


def listed_by(source: Source, kind: Compression, toc: Toc, limits: Limits, layer: int | None) -> Listed | None:
    """Return what a table of contents says; None for one that contradicts itself or says too little.

    The member that holds the table is listed behind all others where it is one of the tar.  Some writers end the tar
    before it: the stored bytes of `source`, of compression `kind`, behind the last content tell.
    LimitExceeded past `Limits.entries` and `Limits.name_bytes`.
    """
    table = EntryTable()
    table.placed = False
    builder = TableBuilder(table, limits, layer)
    starts = sorted({row.offset for row in toc.entries if row.offset})
    parts: list[Part] = []
    place = 0
    rows = iter(range(len(toc.entries)))
    for at in rows:
        row = toc.entries[at]
        what = TOC_KINDS.get(row.type or "", row.type or "")
        name, link = row.name or "", row.linkName or ""
        flag = _TYPES.get(what)
        numbers = (row.mode or 0, row.uid or 0, row.gid or 0, row.devMajor or 0, row.devMinor or 0)
        if flag is None or flag == b"g" or _LOST in name + link or not _fit((row.size or 0, *numbers)):
            return None
        try:
            when = moment(row.modtime) if row.modtime else (0, 0)
            extra = _extra(row, builder, place)
            meta = Meta(flag, *numbers, raw(row.userName or ""), raw(row.groupName or ""), "ustar")
            said = raw(name), raw(link)
        except ValueError:
            return None
        size = (row.size or 0) if what == "file" else 0
        builder.add(said[0], builder.meta(meta), place, size, when[0], nanos=when[1])
        place += BLOCK
        if extra is not None:
            table.extras[len(table) - 1] = extra
            table.flag_bits[len(table) - 1] |= HAS_EXTRA
        if what in ("symlink", "hardlink"):
            table.links[len(table) - 1] = said[1]
        count = at + 1
        while count < len(toc.entries) and toc.entries[count].type == "chunk":
            count += 1
            next(rows)
        if size:
            found = _parts(toc.entries[at:count], size, place, (starts, toc.end))
            if found is None or place + size > limits.layer_bytes:
                return None
            parts += found
            place += -(-size // BLOCK) * BLOCK
    unread = toc.end
    if toc.member is not None:
        unread = max(starts, default=0)
        ended = _ended(source, kind, (unread, toc.end), parts[-1] if parts else None, limits)
        if ended is None:
            return None
        own = toc.member.entry
        if not ended:
            builder.add(own.raw_name, builder.meta(own.meta), place, own.size, own.mtime[0])
            place += BLOCK
            parts.append(Part(place, own.size, toc.end, toc.member.end, own.data_offset, ""))
            place += -(-own.size // BLOCK) * BLOCK
    builder.finish()
    return Listed(table, tuple(parts), toc.told, place + 2 * BLOCK, unread)


def _ended(
    source: Source, kind: Compression, stored: tuple[int, int], last: Part | None, limits: Limits
) -> bool | None:
    """Whether the tar ends with these stored bytes, which have the last content; None where they are damaged."""
    decoder = make_decoder(kind, limits)
    tail = b""
    try:
        for chunk in source.chunks(stored[0], stored[1] - stored[0], step=CHUNK):
            for piece in decoder.feed(chunk):
                tail = (tail + bytes(piece))[-2 * BLOCK :]
            check_ratio(decoder, limits, source.name)
        decoder.finish()
    except CodecError:
        return None
    content = last.inner + -(-last.size // BLOCK) * BLOCK if last is not None and last.end else 0
    return decoder.content - content >= 2 * BLOCK and not any(tail)


def _fit(numbers: Sequence[int]) -> bool:
    """Whether these are numbers that a tar may hold."""
    return min(numbers) >= 0 and max(numbers) < 1 << 62


def _extra(row: TocEntry, builder: TableBuilder, place: int) -> Extra | None:
    if not row.xattrs:
        return None
    pax = {
        b"SCHILY.xattr." + raw(key): base64.b64decode(value or "", validate=True) for key, value in row.xattrs.items()
    }
    builder.keep(sum(len(key) + len(value) for key, value in pax.items()), place)
    return Extra(pax, None, -1)


def _parts(rows: Sequence[TocEntry], size: int, place: int, stored: tuple[list[int], int]) -> list[Part] | None:
    """Return the parts of one file, None where they are not all of its content, one behind the other."""
    starts, last = stored
    found: list[Part] = []
    at = 0
    for number, row in enumerate(rows):
        behind = (rows[number + 1].chunkOffset or 0) if number + 1 < len(rows) else size
        if (row.chunkOffset or 0) != at or behind <= at or row.chunkSize not in (None, 0, behind - at):
            return None
        digest = row.chunkDigest or (row.digest if len(rows) == 1 else None) or ""
        if row.chunkType == "zeros":
            found.append(Part(place + at, behind - at, 0, 0, 0, ""))
        else:
            start, inner = row.offset or 0, row.innerOffset or 0
            after = bisect_right(starts, start)
            end = row.endOffset or (starts[after] if after < len(starts) else last)
            # At the start stand the headers of the first entries, before any content.
            if not 0 <= start < end <= last or not 0 <= inner < 1 << 62 or start + inner == 0:
                return None
            found.append(Part(place + at, behind - at, start, end, inner, digest))
        at = behind
    return found if at == size else None


class ListedContent:
    """The content of the files of a layer that is known by its table of contents.

    A part is read when it is asked for, and held against its digest where the table has one.  It takes the place of
    `LayerContent`, for the same calls.
    """

    def __init__(self, source: Source, kind: Compression, listed: Listed, limits: Limits, *, layer: int) -> None:
        self._source = source
        self._kind = kind
        self._listed = listed
        self._places = [part.place for part in listed.parts]
        self._limits = limits
        self._layer = layer
        self._lock = threading.Lock()
        self._held: dict[int, bytes] = {}
        self._spooled: tuple[int, Source] | None = None

    def keep(self) -> None:
        """Nothing to do: each part is read at most once for reads in order."""

    def pread(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from a place of a file, fewer only at its end.

        Malformed where the stored bytes are not what the table says; Unsupported outside all files: the headers of the
        tar were not read.
        """
        out: list[bytes] = []
        with self._lock:
            while count > 0:
                at = bisect_right(self._places, offset) - 1
                part = self._listed.parts[at] if at >= 0 else None
                if part is None or offset >= part.place + part.size:
                    if out:
                        break
                    raise Unsupported(
                        "the headers of this layer were not read: it is listed by its table of contents",
                        Location(layer=self._layer),
                        "leave --no-verify away, so that the whole layer is read",
                    )
                data = self._cut(at, part, offset - part.place, min(count, part.place + part.size - offset))
                out.append(data)
                offset += len(data)
                count -= len(data)
        return b"".join(out)

    def _cut(self, at: int, part: Part, offset: int, count: int) -> bytes:
        if not part.end:
            return bytes(count)
        if part.size > _HELD:
            if self._spooled is None or self._spooled[0] != at:
                if self._spooled is not None:
                    self._spooled[1].close()
                self._spooled = at, self._spool(part)
            return self._spooled[1].pread(part.inner + offset, count)
        data = self._held.pop(at, None)
        if data is None:
            data = self._inflate(part)
            while len(self._held) >= _MOST_HELD:
                del self._held[next(iter(self._held))]
        self._held[at] = data
        return data[offset : offset + count]

    def _inflate(self, part: Part) -> bytes:
        decoder = make_decoder(self._kind, self._limits)
        data = bytearray()
        skip = part.inner
        try:
            for chunk in self._source.chunks(part.start, part.end - part.start, step=CHUNK):
                for piece in decoder.feed(chunk):
                    data += memoryview(piece)[skip:]
                    skip = max(0, skip - len(piece))
                    if len(data) >= part.size:
                        break
                check_ratio(decoder, self._limits, layer_label(self._layer))
                if len(data) >= part.size:
                    break
        except CodecError as damage:
            raise self._wrong(damage.message) from damage
        del data[part.size :]
        if len(data) < part.size:
            raise self._wrong(f"a part of {part.size} bytes has {len(data)}")
        self._compare(part, hashlib.sha256(data))
        return bytes(data)

    def _spool(self, part: Part) -> Source:
        window = self._source.window(part.start, part.end - part.start, layer_label(self._layer))
        spooled, _, broken = decompress_to_spool(window, self._kind, self._limits, layer_label(self._layer))
        if spooled.size < part.inner + part.size:
            spooled.close()
            raise self._wrong(broken or f"a part of {part.size} bytes has {max(0, spooled.size - part.inner)}")
        digest = hashlib.sha256()
        for chunk in spooled.chunks(part.inner, part.size, step=CHUNK):
            digest.update(chunk)
        self._compare(part, digest)
        return spooled

    def _compare(self, part: Part, digest: hashlib._Hash) -> None:
        if part.digest.startswith("sha256:") and part.digest != "sha256:" + digest.hexdigest():
            raise self._wrong("a part of a file has another digest than there")

    def _wrong(self, what: str) -> Malformed:
        return Malformed(
            f"the table of contents of layer {layer_label(self._layer)} is not that of its bytes: {what}",
            Location(layer=self._layer),
            "leave --no-verify away, so that the whole layer is read",
        )
