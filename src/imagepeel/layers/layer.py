"""One layer of an image: what the documents say of it beside what its bytes are."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.compression import Compression
from imagepeel.archive.records import LayerRecord, LayerState
from imagepeel.errors import MissingBlob
from imagepeel.evidence import Anomaly, Location, layer_label
from imagepeel.formats.tar.table import Entry, EntryTable
from imagepeel.layers.content import Content, EntryFile, LayerContent
from imagepeel.layers.layer_scan import HASHES, LayerScan
from imagepeel.oci.digest import algorithm_of, can_verify
from imagepeel.oci.media_types import classify
from imagepeel.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagepeel.layers.index_cache import SmallReads
    from imagepeel.limits import Limits


_CHUNK = 1 << 20
"""Bytes that are hashed at a time."""


class LayerCheck(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of a statement about a layer with its bytes.

    `ok` is None where it could not be compared (`why` says the reason).
    """

    what: Literal["digest", "size", "diff_id"]
    """Which statement: `digest` and `size` are about the stored bytes, `diff_id` about the decompressed ones."""
    stated: str
    """What the documents say; a size in decimal bytes."""
    actual: str
    """What the bytes are, in the same form; "" when unknown."""
    ok: bool | None
    """Whether both are equal; None when they could not be compared."""
    why: str = ""
    """Why they could not be compared, "" when they were."""


class Layer(Shown):
    """A layer of an image, base first; people see index 0 as `L1`.

    Asking for anything about its bytes (`facts` and all that follows from them: entries, sizes, digests that are
    computed, checks) scans all layers of its image, once.  `record`, `label`, `state`, `media_type`, `blob_size` and
    `location` come from the documents and cost nothing; `scanned` says whether the scan was made.

    Arguments: `record` is what the documents say of it, `steps` the indexes from 0 of the history steps that wrote it
    and `created_by` their words (() and "" when history does not tell).  `limits` bounds the reading, `scan_all` makes
    the scans of all layers and calls `attach`.
    """

    def __init__(
        self,
        record: LayerRecord,
        steps: tuple[int, ...],
        created_by: str,
        limits: Limits,
        scan_all: Callable[[], None],
    ) -> None:
        self.record: LayerRecord = record
        self.index: int = record.index
        self.steps = steps
        """Indexes of the history steps that wrote it together; () when history does not tell."""
        self.step: int | None = steps[0] if len(steps) == 1 else None
        """Index of the history step that made it, None when history does not tell of one."""
        self.created_by = created_by
        """The words of the step that made it, of several with ` + ` between; "" when history does not tell."""
        self._limits = limits
        self._scan_all = scan_all
        self._facts: LayerScan | None = None
        self._content: Content | None = None
        self._small_reads: SmallReads | None = None

    def __repr__(self) -> str:
        if self._facts is None:
            return f"<Layer {self.label} {self.state} {plural(self.record.size or 0, 'byte')} stored>"
        return (
            f"<Layer {self.label} {self.state} {plural(len(self.table), 'entry')}, {plural(self.content_size, 'byte')}>"
        )

    def __getstate__(self) -> dict[str, Any]:
        # A decoder in the middle of a stream cannot be copied; it is made again on the next read.
        return {**self.__dict__, "_content": None, "_small_reads": None}

    @property
    def label(self) -> str:
        """`L1` for the base layer."""
        return layer_label(self.index)

    @property
    def state(self) -> LayerState:
        """Whether its bytes can be read as a tar: as the record says, or TRUNCATED when its member is cut off."""
        return LayerState.TRUNCATED if self.record.truncated else self.record.state

    @property
    def readable(self) -> bool:
        """Whether there are bytes to read as a tar."""
        return self.record.state is LayerState.PRESENT

    @property
    def is_part(self) -> bool:
        """Whether it is a part of an artifact that is no file system, whose bytes are not read as a tar."""
        return self.record.state is LayerState.NO_LAYER

    @property
    def scanned(self) -> bool:
        """Whether its bytes were read already; asking reads nothing."""
        return self._facts is not None

    @property
    def facts(self) -> LayerScan | None:
        """What the one pass over its bytes found, None for a layer that is not there.

        Asking first scans all layers of the image, if that was not done yet.  LimitExceeded on bombs.
        """
        if self._facts is None and self.readable:
            self._scan_all()
        return self._facts

    def attach(self, facts: LayerScan, small_reads: SmallReads | None = None) -> None:
        """Give the layer the result of its scan, and the small reads of earlier runs where they are kept."""
        self._facts = facts
        self._small_reads = small_reads
        self._content = None

    def lack(self, why: str) -> None:
        """Take in that the bytes turned out not to be there when they were asked for; the record says so."""
        self.record = msgspec.structs.replace(
            self.record,
            state=LayerState.MISSING,
            detail=why,
            member="",
            size=None,
            name_digest=None,
            archive_offset=None,
            via=(),
            truncated=False,
            stored=None,
        )

    @property
    def table(self) -> EntryTable:
        """Its tar members in stream order, empty for a layer that is not there; asking scans the layers."""
        facts = self.facts
        return facts.table if facts is not None else EntryTable()

    @property
    def entries(self) -> EntryTable:
        """Its tar members in stream order; `layer.entries[3]` is made on demand and holds no copy of the table."""
        table = self.table
        table.reader = self._pread
        return table

    def __len__(self) -> int:
        return len(self.table)

    @property
    def by_table(self) -> bool:
        """Whether its table of contents is all that was read of it; False for a layer that is not there."""
        return self.facts is not None and self.facts.listed is not None

    @property
    def error(self) -> Anomaly | None:
        """Why the listing ends early, None when it is whole."""
        return self.facts.error if self.facts is not None else None

    @property
    def media_type(self) -> str:
        """What the manifest calls it, "" when nothing does."""
        return self.record.media_type

    @property
    def compression(self) -> Compression | Literal[""]:
        """How the bytes are compressed; "" for a layer that is not there."""
        return self.facts.compression if self.facts is not None else ""

    @property
    def digest(self) -> str | None:
        """Digest of the stored bytes: computed, or as stated where they are not here or were not hashed."""
        if self._facts is not None and self._facts.blob_digest is not None:
            return self._facts.blob_digest
        return self.record.digest or self.record.name_digest

    @property
    def diff_id(self) -> str | None:
        """Digest of the uncompressed layer: computed, or as the config states it."""
        if self._facts is not None and self._facts.diff_id is not None:
            return self._facts.diff_id
        return self.record.diff_id

    @property
    def blob_size(self) -> int:
        """Stored bytes: as found, else as the descriptor states."""
        return self.record.size if self.record.size is not None else (self.record.declared_size or 0)

    @property
    def content_size(self) -> int:
        """Decompressed bytes, 0 for a layer that is not there; of one `by_table` about as many."""
        return self.facts.content_size if self.facts is not None else 0

    @property
    def checks(self) -> tuple[LayerCheck, ...]:
        """Each statement about this layer against its bytes: digest, size, DiffID; () for a layer that is not there."""
        record, facts = self.record, self.facts
        if facts is None:
            return self._part_checks if self.is_part else ()
        out: list[LayerCheck] = []
        hashed = "" if facts.blob_digest is not None else "hashing was skipped"
        if record.digest is not None:
            out.append(_check("digest", record.digest, facts.blob_digest, hashed))
        if record.declared_size is not None:
            size = facts.blob_size
            out.append(_check("size", str(record.declared_size), str(size), ""))
        if record.diff_id is not None:
            why = hashed or ("the layer is damaged" if facts.diff_id is None else "")
            out.append(_check("diff_id", record.diff_id, facts.diff_id, why))
        return tuple(out)

    @cached_property
    def _part_checks(self) -> tuple[LayerCheck, ...]:
        """What is stated of a part of an artifact, against its bytes, which are hashed when somebody asks."""
        record = self.record
        out: list[LayerCheck] = []
        if record.digest is not None and can_verify(record.digest):
            hasher = hashlib.new(algorithm_of(record.digest))
            source = record.source()
            for start in range(0, source.size, _CHUNK):
                hasher.update(source.pread(start, min(_CHUNK, source.size - start)))
            out.append(_check("digest", record.digest, f"{algorithm_of(record.digest)}:{hasher.hexdigest()}", ""))
        if record.declared_size is not None:
            out.append(_check("size", str(record.declared_size), str(record.size), ""))
        return tuple(out)

    @property
    def verified(self) -> bool | None:
        """True when every statement that could be compared holds, False when one does not, None without any."""
        known = [check.ok for check in self.checks if check.ok is not None]
        hashed = any(check.ok is not None and check.what != "size" for check in self.checks)
        if not all(known):
            return False
        return True if hashed else None

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """What was odd about its bytes, then about what is said of them; () for a layer that is not there."""
        facts = self.facts
        if facts is None:
            return ()
        out = list(facts.anomalies)
        if facts.error is not None:
            out.append(facts.error)
        lie = self._media_type_lie(facts)
        if lie is not None:
            out.append(lie)
        return tuple(out)

    def _media_type_lie(self, facts: LayerScan) -> Anomaly | None:
        if not self.media_type or self.record.descriptor is None:
            return None
        media = classify(self.media_type)
        promised = media.compression or "none"
        if media.filesystem != "tar" or media.encrypted or promised == facts.compression:
            return None
        says = f"the media type {self.media_type} promises compression {promised}, the bytes have {facts.compression}"
        # containerd core/images/mediatypes.go DiffCompression: the plain OCI type is never decompressed.
        strict = promised == "none" and not media.docker
        effect = (
            ": containerd does not decompress this type and fails, Docker and podman look at the bytes"
            if strict
            else ": containerd, Docker and podman look at the bytes, umoci trusts the label"
        )
        return Anomaly(code="MEDIATYPE", message=says + effect, where=self.location)

    @property
    def location(self) -> Location:
        """Where the layer is; nothing is read for it."""
        record = self.record
        return Location(
            layer=self.index,
            step=self.step,
            member=record.member or None,
            blob=record.digest,
            archive_offset=record.archive_offset,
        )

    def require(self) -> LayerScan:
        """Return the facts of the pass over the bytes; asking first scans the layers.

        MissingBlob when the bytes are not in the archive; LimitExceeded on bombs.
        """
        facts = self.facts
        if facts is None:
            raise MissingBlob(
                f"the bytes of layer {self.label} are not in the archive ({self.state})",
                self.location,
                "save or copy the image again with all its layers",
            )
        return facts

    @property
    def content(self) -> Content:
        """Random access to the decompressed bytes, of a layer `by_table` to those of its files.

        MissingBlob when the layer's bytes are not in the archive.
        """
        facts = self.require()
        if self._content is None and facts.listed is not None:
            from imagepeel.layers.listed import ListedContent  # start time

            self._content = ListedContent(
                self.record.source(), facts.compression, facts.listed, self._limits, layer=self.index
            )
        elif self._content is None:
            self._content = LayerContent(
                self.record.source(),
                facts.compression,
                facts.access,
                self._limits,
                layer=self.index,
                small_reads=self._small_reads,
                whole=facts.whole,
                parts=facts.parts,
                inside=facts.inside,
            )
        return self._content

    def _pread(self, offset: int, count: int) -> bytes:
        return self.content.pread(offset, count)

    def open(self, entry: Entry | int) -> EntryFile:
        """Open the content of a regular member, also of one that a later layer removed.

        `entry` is one of `entries`, or its index from 0.

        MissingBlob when the layer's bytes are not in the archive; IndexError for an index past the end; TypeError for a
        path, which `layer / path` takes.
        """
        if isinstance(entry, str | bytes):
            raise TypeError("open takes an entry or its index; `layer / path` is the file at a path")
        return EntryFile(self.content, self.table[entry] if isinstance(entry, int) else entry)


def _check(what: Literal["digest", "size", "diff_id"], stated: str, actual: str | None, why: str) -> LayerCheck:
    if actual is None or why:
        return LayerCheck(what=what, stated=stated, actual=actual or "", ok=None, why=why)
    algorithm = stated.partition(":")[0]
    if what != "size" and algorithm not in HASHES:
        return LayerCheck(what=what, stated=stated, actual="", ok=None, why=f"{algorithm} cannot be computed here")
    return LayerCheck(what=what, stated=stated, actual=actual, ok=stated == actual)
