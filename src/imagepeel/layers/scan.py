"""One pass over one layer: digest of the stored bytes, DiffID of the content, index of the tar, access points.

Nothing is written to disk; memory grows with entries, never with bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.codec import CodecError, check_ratio, make_decoder
from imagepeel.archive.compression import Compression, sniff_compression
from imagepeel.archive.source import CHUNK, Source
from imagepeel.errors import LimitExceeded
from imagepeel.evidence import Anomaly, Location, layer_label
from imagepeel.formats.tar.header import BLOCK
from imagepeel.formats.tar.scanner import TarScanner
from imagepeel.formats.tar.table import EntryTable
from imagepeel.layers.kept import Keeper
from imagepeel.layers.layer_scan import HASHES, SPACING, LayerScan
from imagepeel.limits import Limits
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.layers.toc import Stretch

_NEAR_PROGRAMS = 2
"""How much closer together they are among programs and libraries: whoever asks which process starts reads those."""

_PROGRAMS = frozenset((b"bin", b"sbin", b"lib", b"lib64"))
"""Directories of programs and libraries; and those of an architecture, such as `lib/x86_64-linux-gnu`."""


def scan_layer(
    source: Source,
    limits: Limits,
    *,
    layer: int | None = None,
    verify: bool = True,
    algorithm: str = "sha256",
    diff_algorithm: str = "sha256",
    digests: bool = False,
    access_points: int = 64,
    keep: int = 0,
    keep_parts: int = 0,
    progress: Callable[[int], None] | None = None,
    notes: Mapping[str, str] | None = None,
    by_table: bool = False,
) -> LayerScan:
    """Read a layer blob once and return what it is.

    `verify=False` skips hashing and, for a plain tar, the content itself; of a compressed one that comes in parts also
    content whose place its table of contents tells, about which `notes`, the annotations, may say more.  With
    `by_table` that table is all that is read then, where it says enough.
    `digests` also takes the SHA-256 of every file.  `access_points` bounds the copies of decoder state that stay in
    memory (41 to 63 KiB each).
    Compressed content of at most `keep` bytes stays in memory as it is: reading it again would inflate it again; of
    larger content stay `keep_parts` bytes that loaders read of programs and libraries.
    `progress` is called with counts of stored bytes.  LimitExceeded on bombs; a damaged stream is recorded.
    """
    kind = sniff_compression(source.pread(0, 16))
    scanner = TarScanner(limits, layer=layer, digests=digests)
    if kind is Compression.NONE and not verify and not digests:
        return _skim(source, scanner)
    if source.in_parts and not verify and not digests:
        found = _in_parts(source, notes or {}, limits, layer, by_table=by_table)
        if found is not None:
            return found
    decoder = make_decoder(kind, limits)
    blob_hash: Any = HASHES.get(algorithm, hashlib.sha256)() if verify else None
    # A plain layer's blob is its content: one hash serves both, unless they differ in algorithm.
    same = kind is Compression.NONE and algorithm == diff_algorithm
    diff_hash: Any = None if same or not verify else HASHES.get(diff_algorithm, hashlib.sha256)()
    access = _AccessPoints(access_points)
    keeper = Keeper(keep, keep_parts) if kind is not Compression.NONE else None
    error: Anomaly | None = None
    chunks = _chunks(source, blob_hash, progress)
    name = f"layer {layer_label(layer)}" if layer is not None else source.name
    try:
        for chunk in chunks:
            for piece in decoder.feed(chunk):
                if diff_hash is not None:
                    diff_hash.update(piece)
                scanner.feed(piece)
                if keeper is not None:
                    keeper.feed(piece)
            if kind is not Compression.NONE:
                if decoder.content > limits.layer_bytes:
                    raise LimitExceeded(
                        f"{name} is larger than {plural(limits.layer_bytes, 'byte')}",
                        Location(layer=layer),
                        "raise Limits.layer_bytes if you trust the image",
                    )
                check_ratio(decoder, limits, name)
                if access.wanted(decoder.content, scanner.table):
                    access.add(decoder.checkpoint())
        decoder.finish()
    except CodecError as damage:
        error = Anomaly(
            code="stream-damaged",
            message=f"{damage.message} at byte {damage.offset} of the stored layer",
            where=Location(layer=layer),
            fatal=True,
        )
        # The blob's own digest still tells whether the file was damaged or built that way.
        for _ in chunks:
            pass
    table = scanner.finish()
    blob_digest = f"{algorithm}:{blob_hash.hexdigest()}" if blob_hash is not None else None
    diff_id = None
    if verify and error is None:
        diff_id = blob_digest if same else f"{diff_algorithm}:{diff_hash.hexdigest()}"
    anomalies = list(scanner.anomalies)
    if decoder.trailing:
        anomalies.append(
            Anomaly(
                code="stream-tail",
                message=f"{plural(decoder.trailing, 'byte')} after the compressed data: {_who_minds(kind)}",
                where=Location(layer=layer),
            )
        )
    whole, parts = keeper.finish(complete=error is None) if keeper is not None else (None, ())
    points = [p for p in decoder.unit_starts if p.content] + access.points
    return LayerScan(
        compression=kind,
        blob_size=source.size,
        blob_digest=blob_digest,
        content_size=decoder.content,
        diff_id=diff_id,
        table=table,
        tail=scanner.tail,
        units=decoder.units,
        skippable=decoder.skippable,
        anomalies=tuple(anomalies),
        error=error or scanner.error,
        access=tuple(sorted(points, key=lambda p: p.content)),
        whole=whole,
        parts=parts,
    )


def _chunks(source: Source, blob_hash: Any, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    """Yield the stored bytes of a layer, each chunk hashed and counted before it is handed out."""
    for chunk in source.once(step=CHUNK):
        if blob_hash is not None:
            blob_hash.update(chunk)
        if progress is not None:
            progress(len(chunk))
        yield chunk


def _skim(source: Source, scanner: TarScanner) -> LayerScan:
    """Read only the headers of a plain tar."""
    at = 0
    while at < source.size:
        window = source.pread(at, 16 * 1024)
        if not window:
            break
        scanner.feed(window)
        at += len(window)
        gap = scanner.gap
        if gap > BLOCK and at < source.size:
            gap = min(gap, source.size - at)
            scanner.skip(gap)
            at += gap
    table = scanner.finish()
    return LayerScan(
        compression=Compression.NONE,
        blob_size=source.size,
        blob_digest=None,
        content_size=source.size,
        diff_id=None,
        table=table,
        tail=scanner.tail,
        units=0,
        skippable=0,
        anomalies=tuple(scanner.anomalies),
        error=scanner.error,
        access=(),
    )


def _in_parts(
    source: Source, notes: Mapping[str, str], limits: Limits, layer: int | None, *, by_table: bool
) -> LayerScan | None:
    """Return what a compressed layer is by its table of contents, None where it has none or that does not fit."""
    from imagepeel.layers.listed import listed_by  # start time
    from imagepeel.layers.toc import find_toc, stretches  # start time

    kind = sniff_compression(source.pread(0, 16))
    toc = find_toc(source, kind, notes, limits)
    if toc is None:
        return None
    listed = listed_by(source, kind, toc, limits, layer) if by_table else None
    if listed is None:
        places = stretches(toc)
        return _between(source, kind, places, limits, layer) if places else None
    return LayerScan(
        compression=kind,
        blob_size=source.size,
        blob_digest=None,
        content_size=listed.size,
        diff_id=None,
        table=listed.table,
        tail=None,
        units=0,
        skippable=0,
        anomalies=(),
        error=None,
        access=(),
        unread=listed.unread,
        listed=listed,
    )


def _between(
    source: Source, kind: Compression, places: Sequence[Stretch], limits: Limits, layer: int | None
) -> LayerScan | None:
    """Read a compressed layer without the stretches of content that its table tells of; None where they do not fit."""
    scanner = TarScanner(limits, layer=layer)
    access: list[Checkpoint] = []
    at = content = unread = units = skippable = 0
    for place in (*places, None):
        end = source.size if place is None else place.start
        if at < end:
            decoder = make_decoder(kind, limits)
            try:
                for chunk in source.chunks(at, end - at):
                    for piece in decoder.feed(chunk):
                        scanner.feed(piece)
                    if content + decoder.content > limits.layer_bytes:
                        return None
                    check_ratio(decoder, limits, source.name)
                decoder.finish()
            except CodecError:
                return None
            if decoder.trailing:
                return None
            units, skippable = units + decoder.units, skippable + decoder.skippable
            content += decoder.content
        if place is None:
            break
        if place.content > scanner.gap or content + place.content > limits.layer_bytes:
            return None
        scanner.skip(place.content)
        access.append(Checkpoint(place.start, content, None))
        content, at, unread = content + place.content, place.end, unread + place.end - place.start
        access.append(Checkpoint(place.end, content, None))
    table = scanner.finish()
    if scanner.error is not None:
        return None
    return LayerScan(
        compression=kind,
        blob_size=source.size,
        blob_digest=None,
        content_size=content,
        diff_id=None,
        table=table,
        tail=scanner.tail,
        units=units,
        skippable=skippable,
        anomalies=tuple(scanner.anomalies),
        error=None,
        access=tuple(access),
        unread=unread,
    )


class _AccessPoints:
    """A bounded set of checkpoints: when it is full, every other one goes and the spacing doubles."""

    def __init__(self, most: int) -> None:
        self.most = max(2, most)
        self.spacing = SPACING
        self.points: list[Checkpoint] = []
        self.last = 0
        self._entries = 0
        self._programs: tuple[int, bool] = (0, False)

    def wanted(self, content: int, table: EntryTable) -> bool:
        """Say whether a point belongs here: after the spacing, or a part of it where a program or library began."""
        distance = content - self.last
        if distance >= self.spacing:
            return True
        entries = len(table)
        if distance * _NEAR_PROGRAMS < self.spacing or entries == self._entries:
            return False
        self._entries = entries
        number = table.dir_id(entries - 1)
        if number != self._programs[0]:
            above, _, name = table.dirs[number].rpartition(b"/")
            of_machine = b"-linux-" in name and above.rpartition(b"/")[2] == b"lib"
            self._programs = number, name in _PROGRAMS or of_machine
        return self._programs[1]

    def add(self, point: Checkpoint | None) -> None:
        if point is None:
            return
        if len(self.points) >= self.most:
            del self.points[::2]
            self.spacing *= 2
            if point.content - (self.points[-1].content if self.points else 0) < self.spacing:
                self.last = self.points[-1].content if self.points else 0
                return
        self.points.append(point)
        self.last = point.content


def _who_minds(kind: Compression) -> str:
    """Say what runtimes make of bytes after a stream (containerd pkg/archive/compression, moby pkg/archive)."""
    if kind is Compression.GZIP:
        return "runtimes with igzip or pigz installed accept them, others refuse the layer"
    if kind is Compression.BZIP2:
        return "Docker and podman refuse them, and containerd does not read bzip2 at all"
    return "runtimes refuse the layer"
