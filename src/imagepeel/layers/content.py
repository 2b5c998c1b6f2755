"""Bytes of a layer's content at any offset, without decompressing from the start each time."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Protocol

from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.compression import Compression
from imagepeel.archive.source import CHUNK, Source
from imagepeel.errors import Malformed
from imagepeel.evidence import Location, layer_label
from imagepeel.formats.tar.table import Entry
from imagepeel.layers.layer_scan import SPACING
from imagepeel.limits import Limits

if TYPE_CHECKING:
    from imagepeel.layers.index_cache import SmallReads
    from imagepeel.layers.kept import KeptContent
    from imagepeel.layers.loader_parts import Parts

_NEAR = 1024 * 1024
"""Going on with the decoder in hand beats an access point when the wanted byte is at most this far ahead."""

_MOST_POINTS = 64
"""Access points of one layer that reads add, 41 to 63 KiB each."""

_PATIENCE = 2
"""Restarts from the beginning of a stream before its content is kept on disk."""

_RECENT = SPACING // 4
"""Bytes of content that stay in memory after they were inflated: a program is read at its start, at its symbols and
at its start again, and each step back would inflate the way there once more."""

_MOST_RECENT = 64
"""Pieces that stay: a stream of many small members comes in small ones, and each is looked at."""

_SMALL = 1024
"""Bytes of a read that stays in memory as it is: the head of a program is looked at whenever one starts it."""

_MOST_SMALL = 1024
"""Such reads of one layer."""

_START = Checkpoint(0, 0, None)
_offset = itemgetter(0)
_content = attrgetter("content")


class Content(Protocol):
    """The content of a layer at the places that its entries name."""

    def pread(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`, fewer only at the end.  Malformed where the stored bytes are damaged."""

    def keep(self) -> None:
        """Make many reads out of order cheap."""


class LayerContent:
    """Random access to the decompressed bytes of one layer.

    gzip resumes at an access point of the first pass, zstd at a frame.  Where neither exists (one zstd frame, xz,
    bzip2) the stream is read from its start, and when that has happened `_PATIENCE` times the content is kept in
    an unnamed temporary file.  Reads at ascending offsets share one decoder, so sort batches by offset.  The last
    `_RECENT` bytes that were inflated are kept.

    A layer whose scan came from the index cache has its access points farther apart.  `small_reads` are those of
    earlier runs, and take those of this one.  `inside` gets more access points, and is asked when bytes have to be
    decompressed, once.  `whole` is all of the content and `parts` some of it, as the scan kept
    them.
    """

    def __init__(
        self,
        source: Source,
        compression: Compression,
        access: tuple[Checkpoint, ...],
        limits: Limits,
        *,
        layer: int,
        small_reads: SmallReads | None = None,
        whole: KeptContent | None = None,
        parts: Parts = (),
        inside: Callable[[], tuple[Checkpoint, ...]] | None = None,
    ) -> None:
        self._small_reads = small_reads
        self._source = source
        self._kind = compression
        self._access = [_START, *access]
        self._inside = inside
        self._offsets = [point.content for point in self._access]
        self._limits = limits
        self._layer = layer
        self._lock = threading.Lock()
        self._restarts = 0
        self._spacing = SPACING
        self._parts = parts
        self._whole = whole
        self._spilled: Source | None = None
        self._stream: Iterator[bytes] | None = None
        self._piece = b""
        self._piece_at = 0
        self._recent: dict[int, bytes] = {}
        """Pieces by their offset, those inflated or asked for longest ago first."""
        self._recent_bytes = 0
        self._small: dict[tuple[int, int], bytes] = {}
        """Small reads by offset and count."""

    def pread(self, offset: int, count: int) -> bytes:
        """Return `count` bytes of content from `offset`, fewer only at its end.  Malformed on a damaged stream."""
        if self._small_reads is None or count <= 0:
            return self._read(offset, count)
        data = self._small_reads.get(offset, count)
        if data is None:
            data = self._read(offset, count)
            self._small_reads.put(offset, data)
        return data

    def _read(self, offset: int, count: int) -> bytes:
        if self._kind == Compression.NONE:
            return self._source.pread(offset, count) if count > 0 else b""
        whole = self._whole.pread(offset, count) if self._whole is not None else None
        if whole is not None:
            return whole
        parts: list[bytes] = []
        with self._lock:
            if self._spilled is not None:
                return self._spilled.pread(offset, count) if count > 0 else b""
            part = self._part_with(offset, count)
            if part is not None:
                return part
            asked = (offset, count)
            known = self._small.get(asked)
            if known is not None:
                return known
            while count > 0:
                part = self._piece_with(offset, count)
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                count -= len(part)
            data = b"".join(parts)
            if asked[1] <= _SMALL:
                if len(self._small) >= _MOST_SMALL:
                    self._small.clear()
                self._small[asked] = data
        return data

    def keep(self) -> None:
        """Keep the whole content in an unnamed temporary file, for many reads out of order."""
        with self._lock:
            if self._kind != Compression.NONE and self._spilled is None and self._whole is None:
                self._spill(0, 0)

    def _part_with(self, offset: int, count: int) -> bytes | None:
        """Return bytes of a part that the scan kept, None where none has all of them."""
        index = bisect_right(self._parts, offset, key=_offset) - 1
        if index < 0:
            return None
        at, part = self._parts[index]
        return part[offset - at : offset - at + count] if offset + count <= at + len(part) else None

    def _piece_with(self, offset: int, count: int) -> bytes:
        """Return at most `count` decompressed bytes that start at `offset`, b"" past the end."""
        end = self._piece_at + len(self._piece)
        if self._piece_at <= offset < end:
            return self._piece[offset - self._piece_at : offset - self._piece_at + count]
        for at, piece in self._recent.items():
            if at <= offset < at + len(piece):
                self._recent[at] = self._recent.pop(at)
                return piece[offset - at : offset - at + count]
        if self._inside is not None:
            self._access = sorted((*self._access, *self._inside()), key=_content)
            self._offsets = [point.content for point in self._access]
            self._inside = None
        index = bisect_right(self._offsets, offset) - 1
        if self._stream is None or offset < end or (offset - end > _NEAR and self._offsets[index] > end):
            if len(self._access) == 1 and self._kind != Compression.GZIP and self._stream is not None:
                self._restarts += 1
                if self._restarts > _PATIENCE:
                    return self._spill(offset, count)
            self._stream = self._from(self._access[index])
            self._piece, self._piece_at = b"", self._offsets[index]
        from imagepeel.archive.codec import CodecError  # start time

        try:
            for piece in self._stream:
                self._piece_at += len(self._piece)
                self._piece = piece
                self._remember(self._piece_at, piece)
                if offset < self._piece_at + len(piece):
                    return piece[offset - self._piece_at : offset - self._piece_at + count]
        except CodecError as damage:
            self._stream = None
            raise Malformed(
                damage.message,
                Location(layer=self._layer, layer_offset=offset),
                "the layer is damaged: fetch the image again",
            ) from damage
        self._piece_at += len(self._piece)
        self._piece = b""
        return b""

    def _remember(self, at: int, piece: bytes) -> None:
        self._recent_bytes += len(piece) - len(self._recent.pop(at, b""))
        self._recent[at] = piece
        while self._recent_bytes > _RECENT or len(self._recent) > _MOST_RECENT:
            self._recent_bytes -= len(self._recent.pop(next(iter(self._recent))))

    def _spill(self, offset: int, count: int) -> bytes:
        """Keep the whole content in a temporary file and return a piece of it from `offset`."""
        from imagepeel.archive.codec import decompress_to_spool  # start time

        self._stream = None
        name = f"layer {layer_label(self._layer)}"
        spilled, *_ = decompress_to_spool(self._source, self._kind, self._limits, name)
        self._spilled = spilled
        self._piece, self._piece_at = b"", 0
        self._recent, self._recent_bytes = {}, 0
        return spilled.pread(offset, min(count, CHUNK))

    def _from(self, point: Checkpoint) -> Iterator[bytes]:
        from imagepeel.archive.codec import make_decoder  # start time

        decoder = make_decoder(self._kind, self._limits, point)
        for chunk in self._source.chunks(point.stored, step=CHUNK // 4):
            yield from decoder.feed(chunk)
            if decoder.content - self._offsets[-1] >= self._spacing:
                self._mark(decoder.checkpoint())

    def _mark(self, point: Checkpoint | None) -> None:
        """Remember a place to start from; with too many of them, every other one goes and the spacing doubles."""
        if point is None:
            return
        if len(self._access) > _MOST_POINTS:
            del self._access[1::2]
            self._offsets = [known.content for known in self._access]
            self._spacing *= 2
        if point.content - self._offsets[-1] >= self._spacing:
            self._access.append(point)
            self._offsets.append(point.content)


class EntryFile:
    """The content of one regular tar member as a readable, seekable binary file; holes read as zeros."""

    def __init__(self, content: Content, entry: Entry) -> None:
        self._content = content
        self._start = entry.data_offset
        self._sparse = entry.sparse
        self.size: int = entry.size
        self._at = 0
        self._ends: list[tuple[int, int, int]] = []
        if self._sparse is not None:
            stored = 0
            for offset, length in self._sparse:
                self._ends.append((offset, offset + length, stored))
                stored += length

    def pread(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset` of the file."""
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        if self._sparse is None:
            return self._content.pread(self._start + offset, count)
        out = bytearray(count)
        first = max(0, bisect_right(self._ends, (offset, self.size + 1, 0)) - 1)
        for begin, end, stored in self._ends[first:]:
            if begin >= offset + count:
                break
            low, high = max(begin, offset), min(end, offset + count)
            if low < high:
                data = self._content.pread(self._start + stored + low - begin, high - low)
                out[low - offset : low - offset + len(data)] = data
        return bytes(out)

    def read(self, count: int = -1) -> bytes:
        """Return the next `count` bytes, all of the rest when negative."""
        data = self.pread(self._at, self.size - self._at if count < 0 else count)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to an offset from the start (0), the present place (1) or the end (2); return the new place."""
        base = (0, self._at, self.size)[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def chunks(self, step: int = CHUNK) -> Iterator[bytes]:
        """Yield the whole content in pieces."""
        at = 0
        while at < self.size:
            piece = self.pread(at, step)
            if not piece:
                return
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Nothing is held: the layer's source belongs to the archive."""

    def __enter__(self) -> EntryFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
