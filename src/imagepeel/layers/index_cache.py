"""Scans of layers kept between runs, so that a second look at a large archive inflates and hashes nothing.

An index is found by the digest of the stored bytes.  Which digest an archive's bytes have is believed only for a file
that is the same as when it was hashed (device, inode, size, modification and change time); any other file is hashed
again before an index of a layer is used.  `docs/explanation/cache.md` tells what is trusted and why.
"""

from __future__ import annotations

import hashlib
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from imagepeel._lazy import late
from imagepeel.archive.cache_dir import CacheDir
from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.compression import Compression, sniff_compression
from imagepeel.archive.records import LayerRecord
from imagepeel.archive.source import VOUCHED, Source
from imagepeel.layers.index_codec import VERSION, BadIndex, Windows, decode, decode_windows, encode
from imagepeel.layers.layer_scan import HASHES, LayerScan
from imagepeel.limits import KiB, Limits, MiB
from imagepeel.serialization import from_json, from_msgpack, to_json, to_msgpack

LEAST = 4 * MiB
"""Stored bytes of a layer below which reading it again costs less than a file in the cache is worth."""
SMALL_READS = 4 * MiB
"""Bytes of small reads that are kept for all layers of an archive together."""
_SMALL = 256 * KiB
"""Reads of this size and more copy whole files out; the next run has other ones in mind."""
_SPACING = 12 * MiB
"""Least distance in bytes of content of access points that are kept: each takes some ten milliseconds to find."""
_RACY = 2_000_000_000
"""Nanoseconds for which a file must have been left alone: changes within one tick of its clock show no difference."""
_DIGEST = late(r"sha(256|384|512):[0-9a-f]{64,128}")
_MAGIC = b"imagepeel-heads\n"
_FACTS = b"imagepeel-facts\n"
T = TypeVar("T")


class _Stamp(msgspec.Struct, frozen=True, kw_only=True):
    stamp: str
    digest: str
    size: int


class Budget:
    """What the small reads of an archive share: `left` bytes that may still be kept; nothing is while `paused`."""

    def __init__(self, left: int = SMALL_READS) -> None:
        self.left = left
        self.paused = False


class SmallReads:
    """Small pieces of one layer's content, by offset: what earlier reads asked for.

    Pieces never overlap or touch.  `budget` is shared by all layers.
    """

    def __init__(self, budget: Budget, pieces: list[tuple[int, bytes]] | None = None) -> None:
        self._lock = threading.Lock()
        self._budget = budget
        self._starts = [at for at, _ in pieces or ()]
        self._data = [data for _, data in pieces or ()]
        self.changed: bool = False

    def get(self, offset: int, count: int) -> bytes | None:
        """Return the bytes when all of them are here."""
        with self._lock:
            index = bisect_right(self._starts, offset) - 1
            if index < 0:
                return None
            begin, data = self._starts[index], self._data[index]
            if offset + count > begin + len(data):
                return None
            return data[offset - begin : offset - begin + count]

    def put(self, offset: int, data: bytes) -> None:
        """Keep a small piece while the budget lasts; what it overlaps or touches becomes one piece with it."""
        if not data or len(data) >= _SMALL or self._budget.paused:
            return
        with self._lock:
            end = offset + len(data)
            first = bisect_right(self._starts, offset) - 1
            if first < 0 or self._starts[first] + len(self._data[first]) < offset:
                first += 1
            last = first
            while last < len(self._starts) and self._starts[last] <= end:
                last += 1
            joined = bytearray(data)
            begin = offset
            held = sum(map(len, self._data[first:last]))
            if first < last:
                if self._starts[first] < offset:
                    joined[:0] = self._data[first][: offset - self._starts[first]]
                    begin = self._starts[first]
                tail_at, tail = self._starts[last - 1], self._data[last - 1]
                if tail_at + len(tail) > end:
                    joined += tail[end - tail_at :]
            if len(joined) - held > self._budget.left:
                return
            self._budget.left -= len(joined) - held
            self._starts[first:last] = [begin]
            self._data[first:last] = [bytes(joined)]
            self.changed = True

    def pieces(self) -> list[tuple[int, bytes]]:
        """Return all pieces, ascending."""
        with self._lock:
            return list(zip(self._starts, self._data, strict=True))


class IndexCache:
    """The scans and the small reads of earlier runs.

    `least` are the stored bytes of the smallest layer that is kept.  `problem` says why the cache is not used, "" when
    it is.  Every failure to read or write it means only that a layer is scanned.
    """

    def __init__(self, folder: CacheDir | None = None, *, least: int = LEAST) -> None:
        self.folder: CacheDir = folder or CacheDir()
        self.least = least
        self.budget: Budget = Budget()
        self._small_reads: dict[str, tuple[SmallReads, int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Images survive pickling; what was read in this process stays here.
        return {**self.__dict__, "_small_reads": {}}

    @property
    def problem(self) -> str:
        return self.folder.problem

    def find(
        self,
        record: LayerRecord,
        source: Source,
        limits: Limits,
        *,
        digests: bool = False,
        verify: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> LayerScan | None:
        """Return the scan of these stored bytes, None when it has to be made.

        `digests` asks for one with the SHA-256 of every file.  Bytes whose file is not known to be unchanged are
        hashed (not inflated) before an index is believed; without `verify` they are not read, and nothing is found.
        """
        if source.promised is not None:
            # To fetch bytes again costs more than any index, and they are checked whenever somebody gets them.
            return self._load(source.promised, source.size, record, limits, digests)
        if source.size < self.least:
            return None
        stamp = source.stamp()
        if stamp is not None:
            known = self._stamped(stamp, source.size)
            if known is not None:
                scan = self._load(known, source.size, record, limits, digests)
                if scan is not None:
                    if progress is not None:
                        progress(source.size)
                    return scan
        if not verify:
            return None
        for digest in self._candidates(record, source):
            scan = self._load(digest, source.size, record, limits, digests)
            if scan is None:
                continue
            if _digest_of(source, digest.partition(":")[0]) != digest:
                return None
            if progress is not None:
                progress(source.size)
            self._remember(stamp, scan)
            return scan
        return None

    def of(self, digest: str, limits: Limits) -> LayerScan | None:
        """Return the scan that was made of bytes with this digest, with the SHA-256 of every file; None without one.

        It says what such bytes are, and not that anybody has them.
        """
        return self._decoded(digest, None, limits, True)

    def keep(self, source: Source, stamp: str | None, scan: LayerScan, limits: Limits) -> bool:
        """Store a scan that was just made under `limits`, and say whether that worked.

        `stamp` is that of the source before it was read.
        """
        if scan.blob_digest is None or scan.blob_size != source.size:
            return False
        if source.promised is None and source.size < self.least:
            return False
        try:
            pieces = encode(msgspec.structs.replace(scan, access=_portable(scan, source)), limits)
        except ValueError:
            return False
        if not self.folder.write(_name(scan.blob_digest, "index"), *pieces):
            return False
        if stamp == source.stamp():
            self._remember(stamp, scan)
        return True

    def small_reads(self, scan: LayerScan, *, far: bool = False) -> SmallReads | None:
        """Return the small reads of a layer, to be filled; None for one that is not kept.

        `far` says that its bytes are not on this machine, so that any read of them costs more than one of the cache.
        """
        digest = scan.blob_digest
        if digest is None or scan.error is not None:
            return None
        if not far and (scan.blob_size < self.least or scan.compression is Compression.NONE):
            return None
        known = self._small_reads.get(digest)
        if known is None:
            pieces = self._load_small_reads(digest, scan.content_size)
            self.budget.left -= sum(len(data) for _, data in pieces)
            known = self._small_reads[digest] = (SmallReads(self.budget, pieces), scan.content_size)
        return known[0]

    def recall(self, what: str, scans: Sequence[LayerScan], kind: type[T]) -> T | None:
        """Return what `remember` stored about exactly this stack of layers, None when there is nothing of that type."""
        name = _stack_name(what, scans)
        data = self.folder.read(name) if name else None
        if data is None:
            return None
        body = data[len(_FACTS) + 32 :]
        try:
            if not data.startswith(_FACTS) or hashlib.sha256(body).digest() != data[len(_FACTS) : len(_FACTS) + 32]:
                raise ValueError("the checksum is wrong")
            return from_msgpack(body, kind)
        except (msgspec.MsgspecError, ValueError):
            self.folder.remove(name)
            return None

    def remember(self, what: str, scans: Sequence[LayerScan], value: object) -> None:
        """Store a value of plain fields that follows from these layers alone."""
        name = _stack_name(what, scans)
        if name and any(scan.blob_size >= self.least for scan in scans):
            body = to_msgpack(value)
            self.folder.write(name, _FACTS, hashlib.sha256(body).digest(), body)

    def save(self) -> None:
        """Store the small reads of this run."""
        for digest, (reads, _) in self._small_reads.items():
            if reads.changed:
                body = to_msgpack(reads.pieces())
                self.folder.write(_name(digest, "heads"), _MAGIC, hashlib.sha256(body).digest(), body)
                reads.changed = False

    # ---- inside -------------------------------------------------------------------------------------------

    def _stamped(self, stamp: str, size: int) -> str | None:
        data = self.folder.read(_stamp_name(stamp))
        if data is None:
            return None
        try:
            known = from_json(data, _Stamp)
        except (msgspec.MsgspecError, ValueError):
            self.folder.remove(_stamp_name(stamp))
            return None
        return known.digest if known.stamp == stamp and known.size == size else None

    def _remember(self, stamp: str | None, scan: LayerScan) -> None:
        if stamp is None or scan.blob_digest is None:
            return
        times = stamp.split(":")[3:5]
        now = time.time_ns()
        vouched = stamp.startswith(f"{VOUCHED}:")
        if not vouched and (len(times) < 2 or any(now - int(moment) < _RACY for moment in times)):
            return
        value = _Stamp(stamp=stamp, digest=scan.blob_digest, size=scan.blob_size)
        self.folder.write(_stamp_name(stamp), to_json(value))

    def _candidates(self, record: LayerRecord, source: Source) -> list[str]:
        names: list[str | None] = [record.digest, record.name_digest]
        if record.diff_id is not None and sniff_compression(source.pread(0, 16)) is Compression.NONE:
            names.append(record.diff_id)
        return list(dict.fromkeys(name for name in names if name is not None and _DIGEST.fullmatch(name)))

    def _decoded(self, digest: str, size: int | None, limits: Limits, digests: bool) -> LayerScan | None:
        if not _DIGEST.fullmatch(digest):
            return None
        file = self.folder.open(_name(digest, "index"))
        if file is None:
            return None
        try:
            with file:
                scan, windows = decode(file, limits)
            if scan.blob_digest != digest or size not in (None, scan.blob_size):
                raise BadIndex("the index is that of another layer")
        except BadIndex:
            self.folder.remove(_name(digest, "index"))
            return None
        except OSError:
            return None
        if digests and scan.table.digests is None:
            return None
        return scan if windows is None else msgspec.structs.replace(scan, inside=partial(self._inside, digest, windows))

    def _inside(self, digest: str, windows: Windows) -> tuple[Checkpoint, ...]:
        """Return the access points of a layer that are inside its gzip members, none when they cannot be had."""
        file = self.folder.open(_name(digest, "index"))
        if file is None:
            return ()
        try:
            with file:
                return decode_windows(file, windows)
        except BadIndex:
            self.folder.remove(_name(digest, "index"))
        except OSError:
            pass
        return ()

    def _load(self, digest: str, size: int, record: LayerRecord, limits: Limits, digests: bool) -> LayerScan | None:
        scan = self._decoded(digest, size, limits, digests)
        if scan is None:
            return None
        # A statement in another algorithm needs a digest in it: such a layer is scanned.
        if not _same_algorithm(record.digest, scan.blob_digest) or not _same_algorithm(record.diff_id, scan.diff_id):
            return None
        # The layer may have another place in the image that the index was made of.
        here = tuple(
            msgspec.structs.replace(odd, where=msgspec.structs.replace(odd.where, layer=record.index))
            for odd in scan.anomalies
        )
        return msgspec.structs.replace(scan, anomalies=here)

    def _load_small_reads(self, digest: str, content_size: int) -> list[tuple[int, bytes]]:
        data = self.folder.read(_name(digest, "heads"))
        if data is None:
            return []
        body = data[len(_MAGIC) + 32 :]
        try:
            if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != data[len(_MAGIC) : len(_MAGIC) + 32]:
                raise ValueError("the checksum is wrong")
            pieces = from_msgpack(body, list[tuple[int, bytes]])
            end = -1
            for at, piece in pieces:
                if at <= end or not piece or at + len(piece) > content_size:
                    raise ValueError("pieces overlap or lie outside")
                end = at + len(piece)
            if sum(len(piece) for _, piece in pieces) > SMALL_READS:
                raise ValueError("too much")
        except (msgspec.MsgspecError, ValueError):
            self.folder.remove(_name(digest, "heads"))
            return []
        return pieces


def _name(digest: str, kind: str) -> str:
    return f"layer-{digest.replace(':', '-')[:100]}.{kind}"


def _stack_name(what: str, scans: Sequence[LayerScan]) -> str:
    """Return the name for facts about a stack, "" when a digest in it is not known."""
    words = [what, str(VERSION)]
    for scan in scans:
        if scan.blob_digest is None or scan.error is not None:
            return ""
        words += [scan.blob_digest, str(scan.blob_size)]
    return f"stack-{hashlib.sha256(' '.join(words).encode()).hexdigest()}.facts"


def _portable(scan: LayerScan, source: Source) -> tuple[Checkpoint, ...]:
    """Return access points that need nothing of this process, those inside a gzip member at least `_SPACING` apart."""
    from imagepeel.archive.codec import portable  # start time

    out: list[Checkpoint] = []
    for point in scan.access:
        if point.state is None:
            out.append(point)
        elif point.content - (out[-1].content if out else 0) >= _SPACING:
            found = portable(point, source)
            if found is not None:
                out.append(found)
    return tuple(sorted(out, key=lambda point: point.content))


def _stamp_name(stamp: str) -> str:
    return f"file-{hashlib.sha256(stamp.encode()).hexdigest()}.stamp"


def _same_algorithm(stated: str | None, found: str | None) -> bool:
    algorithm = (stated or "").partition(":")[0]
    return algorithm not in HASHES or (found or "").partition(":")[0] == algorithm


def _digest_of(source: Source, algorithm: str) -> str:
    state: Any = HASHES[algorithm]()
    for chunk in source.chunks():
        state.update(chunk)
    return f"{algorithm}:{state.hexdigest()}"
