"""Decompression as a push pipeline: stored bytes in, content in bounded pieces out, nothing lost at the seams.

How it works.  The owner of a loop reads stored bytes in chunks of any size and calls `feed` with each; `feed` is a
generator that yields the content of them, and the owner must run it to its end before the next chunk.  `finish` says
that no more chunks come.  Between two calls a decoder holds at most the bytes that it could not use yet (`_held`: the
start of a header, or the zstd blocks that wait for their last one) and the state of its library.

The state is one of three.  *Between units*: `_z` is None, and the next bytes must be a magic, or padding, or bytes that
belong to nothing.  *Inside a unit* (a gzip member, a zstd frame, a bzip2 or xz stream): `_z` is the library's object.
*After the last unit*: `trailing_offset` is set, and everything further is only counted, because runtimes differ in
whether they accept it.  A stream of many units is normal in all four formats.

What holds at every seam:
- `stored` and `content` count all bytes so far, so an offset in an error is that of the stored stream, however it was
  cut into chunks.
- A stream that ends inside a unit is an error, whatever the library says: zstandard 0.25 ends one without a word and
  `zlib.decompressobj` stops after the first gzip member.
- A piece of content has at most `PIECE` bytes, and zstd frames with a larger window than allowed are refused before
  they are decoded: a bomb costs time up to the caller's limits, never memory.
- A `Checkpoint` is a place to start again from: free at the start of a gzip member or zstd frame, a copy of the inflate
  state (41 to 63 KiB) inside a gzip member.  `portable` makes one of the latter into one that another process can use.
"""

from __future__ import annotations

import zlib as _stdlib_zlib
from collections.abc import Iterator
from typing import Any

from imagepeel._zstd import decompressor
from imagepeel.archive.block_start import ERRORS, BlockStart, find_block
from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.compression import BZIP2_MAGIC, GZIP_MAGIC, XZ_MAGIC, ZSTD_MAGIC, Compression, is_skippable
from imagepeel.archive.source import Source, Spool
from imagepeel.errors import LimitExceeded, Malformed, Unsupported
from imagepeel.evidence import Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.text import plural

_zlib: Any
try:
    # Inflates 1.9 times faster and, unlike isal, its decompressor has copy(), which random access stands on.
    from zlib_ng import zlib_ng as _zlib
except ImportError:
    # The same code path over the standard library.
    _zlib = _stdlib_zlib

PIECE = 1024 * 1024
"""Most bytes of content per piece."""


_SLICE = 32 * 1024
"""Stored bytes of a gzip stream that are inflated at a time at its beginning: what comes of them fits into memory that
is there already, and a small layer costs the system less than half as many new pages."""
_BEGINNING = 8 * 1024 * 1024
"""Bytes of content of that beginning; further on, fewer and larger pieces cost less."""


class CodecError(Exception):
    """The compressed stream is damaged: `offset` counts stored bytes, `truncated` that it merely ends early."""

    def __init__(self, message: str, offset: int, *, truncated: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.truncated = truncated


class Decoder:
    """One compressed stream.  `feed` yields content; `finish` raises CodecError when the stream is incomplete.

    `stored` and `content` count bytes in and out, `units` gzip members, zstd frames or streams so far, `trailing`
    stored bytes after the last of them that belong to none.
    """

    kind = Compression.NONE

    def __init__(self) -> None:
        self.stored: int = 0
        self.content: int = 0
        self.units: int = 0
        self.skippable = 0
        self.trailing: int = 0
        self.trailing_offset: int = -1
        self.unit_starts: list[Checkpoint] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take stored bytes, yield content in pieces of at most `PIECE` bytes.  CodecError on damage."""
        self.stored += len(data)
        self.content += len(data)
        if data:
            yield data

    def finish(self) -> None:
        """Say that no more bytes come.  CodecError when the stream is cut off."""

    def checkpoint(self) -> Checkpoint | None:
        """Return the present state, or None where it cannot be copied.  Only between two calls of `feed`."""
        return None

    def _trail(self, data: bytes | memoryview, offset: int) -> None:
        if self.trailing_offset < 0:
            self.trailing_offset = offset
        self.trailing += len(data)

    def _unit(self, stored: int) -> None:
        self.units += 1
        # Starts of members and frames are free access points; those that are close together are not worth keeping.
        starts = self.unit_starts
        if not starts or self.content - starts[-1].content >= PIECE:
            starts.append(Checkpoint(stored, self.content, None))


class GzipDecoder(Decoder):
    """RFC 1952, any number of members."""

    kind = Compression.GZIP
    stored: int
    content: int

    def __init__(self, resume: Checkpoint | None = None) -> None:
        super().__init__()
        self._z: Any = None
        self._held = b""
        self._bare = False
        """Whether the member is read as bare deflate data, so that its trailer comes after it."""
        self._trailer = 0
        if resume is not None:
            self.stored, self.content = resume.stored, resume.content
            if resume.state is not None:
                self._bare = isinstance(resume.state, BlockStart)
                self._z = resume.state.decompressor() if self._bare else resume.state.copy()
                self.units = 1

    def feed(self, data: bytes) -> Iterator[bytes]:
        base = self.stored
        self.stored += len(data)
        if self.trailing_offset >= 0:
            self._trail(data, base)
            return
        if self._held:
            base -= len(self._held)
            data, self._held = self._held + data, b""
        end = base + len(data)
        most = step = _SLICE if self.content < _BEGINNING else len(data)
        todo: bytes | memoryview = memoryview(data)
        while todo:
            if self._trailer:
                self._trailer, todo = max(0, self._trailer - len(todo)), todo[self._trailer :]
                continue
            if self._z is None:
                if len(todo) < 2:
                    self._held = bytes(todo)
                    return
                if todo[:2] != GZIP_MAGIC:
                    if not self.units:
                        raise CodecError("not a gzip stream", end - len(todo))
                    self._trail(todo, end - len(todo))
                    return
                self._unit(end - len(todo))
                self._z = _zlib.decompressobj(31)
            z = self._z
            # With many small members, handing over all that is left would copy it once per member: take slices
            # that halve at each end of a member and grow again.
            part, rest = todo[:step], todo[step:]
            try:
                out = z.decompress(part, PIECE)
            except ERRORS as error:
                raise CodecError(f"damaged gzip data: {error}", end - len(todo)) from error
            if out:
                self.content += len(out)
                yield out
            left = z.unused_data if z.eof else z.unconsumed_tail
            todo = left + rest if left and rest else left or rest
            if z.eof:
                self._z = None
                self._trailer, self._bare = 8 if self._bare else 0, False
                step = max(512, step // 2)
            else:
                step = min(step * 2, most)

    def finish(self) -> None:
        if self._held:
            if not self.units:
                raise CodecError("the gzip stream is cut off", self.stored, truncated=True)
            self._trail(self._held, self.stored - len(self._held))
            self._held = b""
        if self._z is not None or (self.units == 0 and self.trailing_offset < 0):
            raise CodecError("the gzip stream is cut off", self.stored, truncated=True)

    def checkpoint(self) -> Checkpoint | None:
        if self._z is None or self._held:
            return None
        return Checkpoint(self.stored, self.content, self._z.copy())


class ZstdDecoder(Decoder):
    """RFC 8878, any number of frames.

    The frame and block headers are read here, so that the library is given whole blocks: each yields at most
    128 KiB, which bounds memory (its decompressobj has no cap of its own), every frame start becomes an access
    point, and truncation cannot pass unseen.
    """

    kind = Compression.ZSTD
    stored: int
    content: int
    _BATCH = 8

    def __init__(self, limits: Limits = DEFAULT, resume: Checkpoint | None = None) -> None:
        super().__init__()
        try:
            self._library, self._error = decompressor(limits.zstd_window_bytes)
        except ImportError as error:
            raise Unsupported(
                "this Python has no library for zstd", hint="install zstandard, or use Python 3.14"
            ) from error
        self._limits = limits
        self._z: Any = None
        self._held = b""
        self._skip = 0
        self._checksum = False
        self._last = False
        if resume is not None:
            self.stored, self.content = resume.stored, resume.content

    def feed(self, data: bytes) -> Iterator[bytes]:
        base = self.stored - len(self._held)
        self.stored += len(data)
        data, self._held = self._held + data, b""
        at, size = 0, len(data)
        batch_start, batch = 0, 0
        while True:
            if self._skip:
                take = min(self._skip, size - at)
                self._skip -= take
                at += take
                if self._skip:
                    break
            if self._z is None:
                read = self._frame(data, at, base)
                if read < 0:
                    break
                if self._z is not None:
                    yield from self._push(data[at : at + read], base + at)
                at += read
                batch_start, batch = at, 0
                continue
            if self._last:
                need = 4 if self._checksum else 0
                if size - at < need:
                    break
                yield from self._push(data[batch_start : at + need], base + batch_start)
                at += need
                if self._z is not None and not self._z.eof:
                    raise CodecError("a zstd frame does not end where its last block does", base + at)
                self._z = None
                batch_start, batch = at, 0
                continue
            read = self._block(data, at, base)
            if read < 0:
                break
            at += read
            batch += 1
            if batch >= self._BATCH and not self._last:
                yield from self._push(data[batch_start:at], base + batch_start)
                batch_start, batch = at, 0
        if self._z is not None and batch_start < at and not self._last:
            yield from self._push(data[batch_start:at], base + batch_start)
            batch_start = at
        self._held = data[batch_start if self._last and self._z is not None else at :]
        if self._last and self._z is not None and batch_start < at:
            # The last block waits for its checksum: it is parsed again together with it.
            self._last = False

    def _block(self, data: bytes, at: int, base: int) -> int:
        """Return the bytes of the block at `at`, its header included, -1 when more input is needed."""
        rest = len(data) - at
        if rest < 3:
            return -1
        header = int.from_bytes(data[at : at + 3], "little")
        kind, length = header >> 1 & 3, header >> 3
        if kind == 3 or (kind == 2 and length > 128 * 1024):
            raise CodecError("a zstd block has an invalid header", base + at)
        whole = 3 + (1 if kind == 1 else length)
        if rest < whole:
            return -1
        self._last = bool(header & 1)
        return whole

    def _push(self, data: bytes, offset: int) -> Iterator[bytes]:
        if not data:
            return
        try:
            out = self._z.decompress(data)
        except self._error as error:
            raise CodecError(f"damaged zstd data: {error}", offset) from error
        if out:
            self.content += len(out)
            yield out

    def _frame(self, data: bytes, at: int, base: int) -> int:
        """Start the frame at `at`; return the bytes of its header, -1 when more input is needed."""
        head = data[at : at + 18]
        if len(head) < 4:
            return -1
        if is_skippable(head):
            if len(head) < 8:
                return -1
            self.skippable += 1
            self._skip = int.from_bytes(head[4:8], "little")
            return 8
        if head[:4] != ZSTD_MAGIC:
            if not self.units and not self.skippable:
                raise CodecError("not a zstd stream", base + at)
            # Go's decoder, which every runtime uses, fails here; bytes after the frames are no padding in zstd.
            raise CodecError("bytes after the last zstd frame are no frame", base + at)
        if len(head) < 5:
            return -1
        descriptor = head[4]
        single = descriptor >> 5 & 1
        size = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3] + ((1 if single else 0), 2, 4, 8)[descriptor >> 6]
        if len(head) < size:
            return -1
        if not single:
            exponent, mantissa = head[5] >> 3, head[5] & 7
            window = (1 << (10 + exponent)) * (8 + mantissa) // 8
            if window > self._limits.zstd_window_bytes:
                raise LimitExceeded(
                    f"a zstd frame asks for a window of {plural(window, 'byte')}",
                    Location(),
                    "raise Limits.zstd_window_bytes if you trust the image",
                )
        self._checksum = bool(descriptor & 4)
        self._last = False
        self._unit(base + at)
        self._z = self._library.decompressobj()
        return size

    def finish(self) -> None:
        if self._z is not None or self._held or self._skip:
            raise CodecError("the zstd stream is cut off", self.stored, truncated=True)
        if not self.units and not self.skippable:
            raise CodecError("the zstd stream is cut off", self.stored, truncated=True)


class StreamDecoder(Decoder):
    """bzip2 and xz through the standard library, any number of streams."""

    stored: int
    content: int

    def __init__(self, kind: Compression, limits: Limits = DEFAULT) -> None:
        super().__init__()
        self.kind = kind
        self._limits = limits
        self._z: Any = None
        self._held = b""

    def _new(self) -> Any:
        if self.kind == Compression.BZIP2:
            import bz2  # start time

            return bz2.BZ2Decompressor()
        import lzma  # start time

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self._limits.xz_memory_bytes)

    def feed(self, data: bytes) -> Iterator[bytes]:
        magic = BZIP2_MAGIC if self.kind == Compression.BZIP2 else XZ_MAGIC
        base = self.stored - len(self._held)
        self.stored += len(data)
        if self.trailing_offset >= 0:
            self._trail(data, base)
            return
        data, self._held = self._held + data, b""
        end = base + len(data)
        waiting = False
        while data or waiting:
            if self._z is None:
                if self.units and self.kind == Compression.XZ:
                    # xz allows zero padding in multiples of four between streams.
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                if len(data) < len(magic):
                    self._held = data
                    return
                if not data.startswith(magic):
                    if not self.units:
                        raise CodecError(f"not a {self.kind} stream", end - len(data))
                    self._trail(data, end - len(data))
                    return
                self._unit(end - len(data))
                self._z = self._new()
            try:
                out = self._z.decompress(data, PIECE)
            except (OSError, EOFError, ValueError, MemoryError) as error:
                raise CodecError(f"damaged {self.kind} data: {error}", end - len(data)) from error
            except Exception as error:
                # lzma.LZMAError is no OSError and importing lzma only to name it would cost every start.
                if type(error).__name__ != "LZMAError":
                    raise
                raise CodecError(f"damaged {self.kind} data: {error}", end - len(data)) from error
            if out:
                self.content += len(out)
                yield out
            if self._z.eof:
                data, self._z, waiting = self._z.unused_data, None, False
            else:
                data, waiting = b"", not self._z.needs_input

    def finish(self) -> None:
        if self._held and self.units:
            self._trail(self._held, self.stored - len(self._held))
            self._held = b""
        if self._z is not None or self._held or not self.units:
            raise CodecError(f"the {self.kind} stream is cut off", self.stored, truncated=True)


def portable(point: Checkpoint, source: Source) -> Checkpoint | None:
    """Return a place at or soon after a checkpoint that needs nothing of this process, None where none is found."""
    if point.state is None or isinstance(point.state, BlockStart):
        return point
    try:
        found = find_block(point.state, source, point.stored)
    except ERRORS:
        return None
    return None if found is None else Checkpoint(found[0], point.content + found[1], found[2])


def make_decoder(kind: Compression, limits: Limits = DEFAULT, resume: Checkpoint | None = None) -> Decoder:
    """Return a decoder for a compression, at the start of the stream or at a checkpoint of gzip or zstd."""
    if kind == Compression.NONE:
        return Decoder()
    if kind == Compression.GZIP:
        return GzipDecoder(resume)
    if kind == Compression.ZSTD:
        return ZstdDecoder(limits, resume)
    return StreamDecoder(kind, limits)


def decompress_to_spool(source: Source, kind: Compression, limits: Limits, name: str) -> tuple[Source, int, str]:
    """Decompress a whole source into an unnamed temporary file, for archives that are compressed as a whole.

    Returns the content, the offset of stored bytes that follow the stream and belong to none, -1 without them, and why
    the stream breaks, "" where it does not.
    LimitExceeded past `Limits.spool_bytes` or `Limits.ratio`; Malformed when the stream is damaged at its start.
    A stream that breaks later is kept as far as it goes: its members may still be readable.
    """
    decoder = make_decoder(kind, limits)
    spool = Spool(limits, name)
    broken = ""
    try:
        for chunk in source.chunks():
            for piece in decoder.feed(chunk):
                spool.write(piece)
            check_ratio(decoder, limits, name)
        decoder.finish()
    except CodecError as error:
        from imagepeel.archive.mangled import converted  # start time

        happened = converted(source)
        if happened is not None:
            spool.discard()
            raise happened from error
        if spool.size < 512:
            spool.discard()
            raise Malformed(
                f"{name}: {error.message}", Location(archive_offset=error.offset), "the file is damaged: copy it again"
            ) from error
        broken = error.message
    except BaseException:
        spool.discard()
        raise
    return spool.finish(), decoder.trailing_offset, broken


def check_ratio(decoder: Decoder, limits: Limits, name: str) -> None:
    """LimitExceeded when content outgrows `Limits.ratio` times the stored bytes, past `Limits.ratio_floor`."""
    if decoder.content > limits.ratio_floor and decoder.content > limits.ratio * max(1, decoder.stored):
        raise LimitExceeded(
            f"{name} decompresses to more than {plural(limits.ratio, 'time')} its size",
            Location(),
            "this is a decompression bomb, or raise Limits.ratio if you trust it",
        )
