"""The push parser: feed it a decompressed layer in pieces of any size, get a table of its entries.

The order of rules is that of Go's archive/tar `Reader.next`, because containerd, Docker, podman, umoci and skopeo all
read tars with it; Go's own test archives are the judge.  What Go refuses ends the listing, with the offset and the
reason in `error`; bytes after the end of the archive are counted and described in `tail`.

There is a second walker over tar headers, `archive/tar_members.py`, because there is a second question.  This one asks
what a runtime unpacks from a layer, and is as strict as Go.  The other asks what can still be found in a damaged image
archive, is as lenient as the most lenient loader, and jumps over content in a file, where this one is pushed the bytes
that a decoder yields.

Theory of operation.  A tar is a row of blocks of 512 bytes: a header, the content that it states, padding, the next
header.  An entry may begin with extension headers (PAX, GNU long names), whose content is a *body* of records for the
header behind them.  So at any byte the scanner is in one of five states, and its fields say which:

    what comes next                     the fields
    content of an entry                 _left bytes of it; _hash_entry says whose checksum they go into
    the body of an extension header     _left bytes of it go to _body, whose kind is _body_type
    padding                             _pad bytes of it
    a header                            _left and _pad are 0; _first >= 0 when extension headers wait for it,
                                        _pending when it continues the map of a sparse file
    what follows the end                _ended

`feed` steps through these states and stops at the first that needs more bytes than it was given; an unfinished header
waits in _carry.  `_go_on` takes content, bodies and padding.  Headers take one of two ways.  `take_plain` reads plain
ustar and GNU headers of files, directories and links, which are nearly all, one entry behind the other: their content,
and a PAX header with times and names before them.  `_slow` takes one header and knows all rules and all extensions.
Both end in the columns of `TableBuilder`.  No content is held: at most one unfinished header, one extension body, which
`Limits.header_bytes` caps, and one checksum are in memory.
"""

from __future__ import annotations

import hashlib

import msgspec

from imagepeel.evidence import Anomaly, AnomalyCode, Location, text
from imagepeel.formats.tar import pax as pax_format
from imagepeel.formats.tar import sparse as sparse_format
from imagepeel.formats.tar.builder import TableBuilder
from imagepeel.formats.tar.header import (
    BLOCK,
    DIRECTORY,
    FIELD_TOO_LONG,
    GNU_LONGLINK,
    GNU_LONGNAME,
    GNU_SPARSE,
    HARDLINK,
    HEADER_ONLY,
    INVALID_HEADER,
    PAX,
    PAX_GLOBAL,
    PLAIN_TYPES,
    REGULAR,
    REGULAR_OLD,
    SYMLINK,
    UNEXPECTED_EOF,
    ZERO_BLOCK,
    Header,
    TarError,
    numeric,
    string,
)
from imagepeel.formats.tar.metas import Meta
from imagepeel.formats.tar.plain import take_plain
from imagepeel.formats.tar.reader import HeaderReader
from imagepeel.formats.tar.table import HAS_EXTRA, UNHASHED, EntryTable, Extra, TrailingData
from imagepeel.limits import DEFAULT, Limits
from imagepeel.text import plural

try:
    # The same checksum at ten times the speed; the results are identical by definition.
    from zlib_ng.zlib_ng import crc32
except ImportError:
    from zlib import crc32


_QUICK = PLAIN_TYPES.union(PAX)
"""Types of headers that may begin a plain entry."""


_MOST_NOTES = 1000
"""Anomalies of one kind that are told one by one: a layer may have a million of them."""


class TarScanner:
    """Feed bytes, then `finish()`; `table`, `error`, `anomalies` and `tail` are then complete.

    `layer` only labels locations.  `digests` also takes the SHA-256 of every ordinary file (a fifth more time);
    a CRC-32 is always taken, it costs next to nothing.
    """

    def __init__(self, limits: Limits = DEFAULT, *, layer: int | None = None, digests: bool = False) -> None:
        self.table: EntryTable = EntryTable()
        self._builder = TableBuilder(self.table, limits, layer)
        self.error: Anomaly | None = None
        self.anomalies: list[Anomaly] = []
        self.tail: TrailingData | None = None
        self._limits = limits
        self._layer = layer
        if digests:
            self.table.digests = bytearray()
        self._carry = b""
        self._pos = 0  # absolute offset of the first byte that was not consumed yet
        self._left = 0  # content bytes of the current entry still to come
        self._pad = 0  # padding bytes still to come
        self._hash_entry = -1
        self._crc = 0
        self._sha: hashlib._Hash | None = None
        self._ended = False
        self._zero = False
        self._tail_start = -1
        self._tail_nonzero = -1
        self._tail_head = b""
        # Extension headers that wait for the header they describe.
        self._first = -1  # offset of the first extension header
        self._records: dict[bytes, bytes] | None = None
        self._longname = b""
        self._longlink = b""
        # A body being collected: what it is, its bytes.
        self._body_type = b""
        self._body: bytearray | None = None
        self._global: Header | None = None
        # The last entry that states a size and can have no content: its index and that size.
        self._bodiless = (-2, 0)
        # A sparse entry whose map is not complete: its header, first offset, stored bytes.
        self._pending: tuple[Header, int, int] | None = None
        self._nanos_pending = 0
        self._sparse_pairs: list[tuple[int, int]] = []
        self._reader = HeaderReader()
        self._noted: dict[AnomalyCode, int] = {}
        self._last_note: dict[AnomalyCode, Location] = {}
        """Where the last was of those that are only counted."""

    # ---- the stream ---------------------------------------------------------------------------------------

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream, in pieces of any size.  LimitExceeded past `Limits.entries`."""
        if self._ended:
            self._drain(data)
            return
        piece = self._carry + bytes(data) if self._carry else data if isinstance(data, bytes) else bytes(data)
        self._carry = b""
        view = memoryview(piece)
        size = len(piece)
        at = 0
        base = self._pos
        while not self._ended:
            if self._left or self._pad or self._body is not None:
                at = self._go_on(view, at)
                if self._left or self._pad:
                    break
                if self._body is not None:
                    self._pos = base + at
                    self._guard(self._finish_body)
                continue
            if size - at < BLOCK:
                self._carry = piece[at:]
                at = size
                break
            if piece[at + 156] in _QUICK and self._first < 0 and self._pending is None and not self._zero:
                after = take_plain(self._reader, self._builder, piece, at, base)
                if after > at:
                    at = min(after, size)
                    self._goes_on(after - size)
                    continue
            block = piece[at : at + BLOCK]
            if not block[0] and block == ZERO_BLOCK:
                at += BLOCK
                if self._zero:
                    self._end(base + at)
                self._zero = True
                continue
            if self._zero:
                self._fail(TarError(INVALID_HEADER, "one zero block is followed by more data"), base + at)
                break
            at += BLOCK
            self._pos = base + at
            self._guard(self._slow, block, base + at - BLOCK)
        if self._ended:
            self._pos = base + at
            if at < size:
                self._drain(view[at:])
        else:
            self._pos = base + size - len(self._carry)

    def _goes_on(self, missing: int) -> None:
        """Wait for what is missing of the content and padding of a plain entry."""
        if missing <= 0:
            return
        table = self.table
        self._pad = min(missing, -table.sizes[-1] % BLOCK)
        self._left = missing - self._pad
        if self._left:
            self._hash_entry, self._crc, table.crcs[-1] = len(table) - 1, table.crcs[-1], 0

    def _go_on(self, view: memoryview, at: int) -> int:
        """Take what there is of the content, body and padding under way from `at` of a piece; return where it ends."""
        if self._left:
            part = view[at : at + self._left]
            if self._hash_entry >= 0:
                self._crc = crc32(part, self._crc)
                if self._sha is not None:
                    self._sha.update(part)
            elif self._body is not None:
                self._body += part
            at += len(part)
            self._left -= len(part)
            if self._left:
                return at
        if self._hash_entry >= 0:
            self._close_hash()
        taken = min(self._pad, len(view) - at)
        self._pad -= taken
        return at + taken

    @property
    def gap(self) -> int:
        """How many bytes from here need not be seen: content and padding of the current entry."""
        return self._left + self._pad if self._body is None else 0

    def skip(self, count: int) -> None:
        """Step over `count` bytes, at most `gap`, unseen; the entry then has no checksum."""
        take = min(count, self._left)
        if self._hash_entry >= 0 and take:
            self.table.flag_bits[self._hash_entry] |= UNHASHED
            self._hash_entry = -1
            if self._sha is not None and self.table.digests is not None:
                del self.table.digests[-32:]
            self._sha = None
        self._left -= take
        self._pad -= min(count - take, self._pad)
        self._pos += count

    def finish(self) -> EntryTable:
        """Say that the stream ended; return the table.  A truncated stream is recorded in `error`."""
        if not self._ended:
            at = self._pos
            if self._left or self._body is not None:
                what = f"the stream ends {plural(self._left, 'byte')} before the content of its last entry does"
                self._fail(TarError(UNEXPECTED_EOF, what), at + len(self._carry))
            elif self._carry:
                self._fail(TarError(UNEXPECTED_EOF, "the stream ends inside a header block"), at)
            elif self._pending is not None:
                self._fail(TarError(UNEXPECTED_EOF, "the stream ends inside a sparse map"), at)
            self._ended = True
        self._builder.finish()
        for code, where in self._last_note.items():
            more = self._noted[code] - _MOST_NOTES
            self.anomalies.append(
                Anomaly(code=code, message=f"the same {plural(more, 'time')} more; this is the last", where=where)
            )
        self._last_note.clear()
        if self._tail_start >= 0 and self._pos > self._tail_start:
            head = self._tail_head
            looks = len(head) >= 265 and head[257:262] == b"ustar"
            self.tail = TrailingData(self._tail_start, self._pos - self._tail_start, self._tail_nonzero, looks)
            if self._tail_nonzero >= 0 and self.error is None:
                hidden = self._pos - self._tail_nonzero
                what = "another tar archive" if looks else "data"
                self.anomalies.append(
                    Anomaly(
                        code="HIDDENTAIL",
                        message=f"{plural(hidden, 'byte')} of {what} after the end of the archive: part of the DiffID, "
                        "seen by no runtime",
                        where=Location(layer=self._layer, layer_offset=self._tail_nonzero),
                    )
                )
        return self.table

    def _drain(self, data: bytes | memoryview) -> None:
        if self._tail_nonzero < 0:
            piece = bytes(data)
            stripped = piece.lstrip(b"\0")
            if stripped:
                self._tail_nonzero = self._pos + len(piece) - len(stripped)
                self._tail_head = stripped[:BLOCK]
        elif len(self._tail_head) < BLOCK:
            self._tail_head += bytes(data[: BLOCK - len(self._tail_head)])
        self._pos += len(data)

    def _end(self, at: int) -> None:
        # Extension headers that describe nothing are dropped without a word, as Go drops them.
        self._ended = True
        self._tail_start = at

    def _fail(self, error: TarError, at: int) -> None:
        self._ended = True
        self._left = self._pad = 0
        self._body = None
        self._hash_entry = -1
        self._tail_start = at
        index = len(self.table)
        if self._bodiless[0] == index - 1:
            self._builder.finish()  # the note says the name
            self._note(
                "HDRDATA",
                f"the entry is of a type without content and states {plural(self._bodiless[1], 'byte')}: Go takes what "
                "follows for the next header, other tar programs skip it",
                self.table.header_offsets[index - 1],
                path=self.table.path(index - 1),
                entry=index - 1,
            )
        self.error = Anomaly(
            code="tar-damaged",
            message=f"{error.message}: {error.detail}",
            where=Location(layer=self._layer, entry=index, layer_offset=at),
            fatal=True,
        )

    def _guard(self, step: object, *arguments: object) -> None:
        try:
            step(*arguments)  # type: ignore[operator]
        except TarError as error:
            start = self._first if self._first >= 0 else self._pos - BLOCK
            self._fail(error, max(0, start))

    def _note(
        self, code: AnomalyCode, message: str, at: int, *, path: bytes | None = None, entry: int | None = None
    ) -> None:
        where = Location(
            layer=self._layer, entry=entry, layer_offset=at, path=None if path is None else text(b"/" + path)
        )
        self._noted[code] = self._noted.get(code, 0) + 1
        if self._noted[code] > _MOST_NOTES:
            self._last_note[code] = where
            return
        self.anomalies.append(Anomaly(code=code, message=message, where=where))

    # ---- one header ---------------------------------------------------------------------------------------

    def _slow(self, block: bytes, offset: int) -> None:
        """Take any header, with all rules and extensions."""
        if self._pending is not None:
            pairs, more = sparse_format.from_gnu_block(block, first=False)
            self._sparse_pairs += pairs
            self._sparse_more(more)
            return
        header = self._reader.parse(block)
        kind = header.type
        if kind in (PAX, PAX_GLOBAL, GNU_LONGNAME, GNU_LONGLINK):
            if self._first < 0:
                self._first = offset
            if header.size < 0:
                raise TarError(INVALID_HEADER, "an extension header has a negative size")
            if header.size > self._limits.header_bytes:
                raise TarError(FIELD_TOO_LONG, f"an extension header of {plural(header.size, 'byte')}")
            self._body_type, self._body = kind, bytearray()
            self._left, self._pad = header.size, -header.size % BLOCK
            self._global = header if kind == PAX_GLOBAL else None
            return
        first = self._first if self._first >= 0 else offset
        records = self._records or {}
        nanos = 0
        if self._first >= 0:
            header, nanos = self._merge(header, records)
            self._forget_extensions()
            kind = header.type
        if kind == REGULAR_OLD:
            kind = DIRECTORY if header.name.endswith(b"/") else REGULAR
            header = msgspec.structs.replace(header, type=kind)
        stored = 0 if kind in HEADER_ONLY else header.size
        if kind in HEADER_ONLY and header.size:
            self._bodiless = (len(self.table), header.size)
        if stored < 0:
            raise TarError(INVALID_HEADER, f"the size of {text(header.name)!r} is negative")
        self._left, self._pad = stored, -stored % BLOCK
        if kind == GNU_SPARSE:
            if header.format != "gnu":
                raise TarError(INVALID_HEADER, "a sparse entry (type S) without a GNU header")
            pairs, more = sparse_format.from_gnu_block(block, first=True)
            real = numeric(block[483:495])
            self._pending, self._sparse_pairs = (msgspec.structs.replace(header, size=real), first, stored), pairs
            self._left = self._pad = 0
            self._sparse_more(more)
            return
        version = (records.get(b"GNU.sparse.major", b""), records.get(b"GNU.sparse.minor", b""))
        if version in ((b"0", b"0"), (b"0", b"1"), (b"1", b"0")) or (
            version == (b"", b"") and records.get(b"GNU.sparse.map")
        ):
            self._pax_sparse(header, records, first, stored, offset, v1=version[0] == b"1", nanos=nanos)
            return
        extra = {key: value for key, value in records.items() if key not in pax_format.MAPPED}
        self._record(header, first, offset + BLOCK - first, nanos, Extra(extra, None, -1) if extra else None)

    def _merge(self, header: Header, records: dict[bytes, bytes]) -> tuple[Header, int]:
        """Return the header with PAX records and GNU long names merged, and the nanoseconds of its mtime.

        A GNU long name wins over a PAX path, whatever their order (Go archive/tar `Reader.next`).
        """
        changes: dict[str, object] = {}
        nanos = 0
        for key, value in records.items():
            if not value:
                continue
            if key == b"path":
                changes["name"] = value
            elif key == b"linkpath":
                changes["link"] = value
            elif key in (b"uname", b"gname"):
                changes[key.decode()] = value
            elif key in (b"uid", b"gid", b"size"):
                changes[key.decode()] = pax_format.integer(value, key.decode())
            elif key == b"mtime":
                changes["mtime"], nanos = pax_format.timestamp(value, "mtime")
            elif key in (b"atime", b"ctime"):
                pax_format.timestamp(value, key.decode())
        if self._longname:
            changes["name"] = self._longname
        if self._longlink:
            changes["link"] = self._longlink
        return msgspec.structs.replace(header, **changes), nanos

    def _forget_extensions(self) -> None:
        self._first, self._records, self._longname, self._longlink = -1, None, b"", b""

    def _finish_body(self) -> None:
        body, self._body = bytes(self._body or b""), None
        self._builder.keep(len(body), self._pos)
        if self._pending is not None:
            self._sparse_map(body)
        elif self._body_type == PAX:
            self._records = pax_format.parse_pax(body)
        elif self._body_type == GNU_LONGNAME:
            self._longname = string(body)
        elif self._body_type == GNU_LONGLINK:
            self._longlink = string(body)
        else:
            self._global_header(pax_format.parse_pax(body))

    def _global_header(self, records: dict[bytes, bytes]) -> None:
        """Keep a PAX global header as an entry of its own: Go hands it out as one and applies it to nothing."""
        header = self._global
        if header is None:
            return
        blocks = self._pos - self._first
        header, _ = self._merge(header, records)
        header = msgspec.structs.replace(header, size=0, type=PAX_GLOBAL)
        first = self._first
        self._note(
            "PAXGLOBAL",
            "a PAX global header: container runtimes ignore its values, tar programs apply them to all later entries",
            first,
            entry=len(self.table),
        )
        self._forget_extensions()
        self._record(header, first, blocks, 0, Extra(records, None, -1))

    # ---- sparse files -------------------------------------------------------------------------------------

    def _sparse_more(self, more: bool) -> None:
        """Go on with an old GNU map; `more` says that another extension block follows."""
        if len(self._sparse_pairs) > self._limits.sparse_entries:
            raise TarError(FIELD_TOO_LONG, "the sparse map has too many regions")
        if more or self._pending is None:
            return
        header, first, stored = self._pending
        self._pending = None
        regions = sparse_format.checked(self._sparse_pairs, header.size)
        self._left, self._pad = stored, -stored % BLOCK
        self._record(header, first, self._pos - first, 0, Extra({}, regions, stored))

    def _pax_sparse(
        self,
        header: Header,
        records: dict[bytes, bytes],
        first: int,
        stored: int,
        offset: int,
        *,
        v1: bool,
        nanos: int,
    ) -> None:
        if header.type in HEADER_ONLY:
            raise TarError(INVALID_HEADER, "a sparse map on an entry that has no content")
        real = records.get(b"GNU.sparse.size") or records.get(b"GNU.sparse.realsize")
        name = records.get(b"GNU.sparse.name")
        if real:
            header = msgspec.structs.replace(header, size=pax_format.integer(real, "GNU.sparse.size"))
        if name:
            header = msgspec.structs.replace(header, name=name)
        if v1:
            self._pending = (header, first, stored)
            self._records = records
            self._nanos_pending = nanos
            step = min(BLOCK, stored)
            if step < BLOCK:
                raise TarError(INVALID_HEADER, "the sparse map is missing")
            self._body, self._left, self._pad = bytearray(), BLOCK, 0
            self._body_type = b"sparse"
            return
        pairs = sparse_format.from_pax_map(records, self._limits.sparse_entries)
        regions = sparse_format.checked(pairs, header.size)
        extra = {key: value for key, value in records.items() if key not in pax_format.MAPPED}
        self._record(header, first, offset + BLOCK - first, nanos, Extra(extra, regions, stored))

    def _sparse_map(self, body: bytes) -> None:
        if self._pending is None:
            return
        header, first, stored = self._pending
        read = sparse_format.from_data(body, self._limits.sparse_entries)
        if read is None:
            if len(body) + BLOCK > stored:
                raise TarError(UNEXPECTED_EOF, "the sparse map is longer than the content of its entry")
            if len(body) > 64 * self._limits.sparse_entries:
                raise TarError(FIELD_TOO_LONG, "the sparse map is too long")
            self._body, self._left = bytearray(body), BLOCK
            return
        pairs, used = read
        regions = sparse_format.checked(pairs, header.size)
        records, self._records = self._records or {}, None
        extra = {key: value for key, value in records.items() if key not in pax_format.MAPPED}
        self._pending = None
        self._left, self._pad = stored - used, -stored % BLOCK
        self._record(header, first, self._pos - first, self._nanos_pending, Extra(extra, regions, stored - used))

    # ---- columns ------------------------------------------------------------------------------------------

    def _record(self, header: Header, first: int, header_bytes: int, nanos: int, extra: Extra | None) -> None:
        """Add an entry from a full header; content and padding still to come are already set."""
        table = self.table
        kind = header.type
        h = header
        builder = self._builder
        meta = builder.meta(Meta(kind, h.mode, h.uid, h.gid, h.major, h.minor, h.uname, h.gname, h.format))
        left, pad = self._left, self._pad
        size = 0 if kind in HEADER_ONLY else h.size
        builder.add(h.name, meta, first, size, h.mtime, blocks=header_bytes // BLOCK, nanos=nanos)
        index = len(table) - 1
        if extra is not None:
            table.extras[index] = extra
            table.flag_bits[index] |= HAS_EXTRA
        if kind in (SYMLINK, HARDLINK):
            table.links[index] = header.link
        if kind == REGULAR and left and (extra is None or extra.sparse is None):
            self._start_hash(left)
        self._left, self._pad = left, pad

    def _start_hash(self, size: int) -> None:
        self._left, self._pad = size, -size % BLOCK
        index = len(self.table.header_offsets) - 1
        self.table.flag_bits[index] &= ~UNHASHED
        self._hash_entry = index
        self._crc = 0
        self._sha = None
        if self.table.digests is not None:
            # Zeros say that the stream broke off in the content.
            self.table.digests += bytes(32)
            self._sha = hashlib.sha256()

    def _close_hash(self) -> None:
        table = self.table
        table.crcs[self._hash_entry] = self._crc
        if self._sha is not None and table.digests is not None:
            table.digests[-32:] = self._sha.digest()
            self._sha = None
        self._hash_entry = -1


def scan(data: bytes, limits: Limits = DEFAULT, *, digests: bool = False) -> TarScanner:
    """Scan a whole tar that is in memory and return the finished scanner."""
    scanner = TarScanner(limits, digests=digests)
    scanner.feed(data)
    scanner.finish()
    return scanner


__all__ = ["TarScanner", "scan"]
