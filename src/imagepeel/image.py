"""One image of an archive: its documents, its layers, and the filesystems that they make."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.knowledge import Gap, ImagePart, Knowledge
from imagepeel.archive.records import ImageRecord, LayerRecord
from imagepeel.archive.select import others
from imagepeel.errors import LimitExceeded, UsageError
from imagepeel.evidence import Anomaly, Location
from imagepeel.history.pairing import pair_history, words_of
from imagepeel.layers.content import EntryFile
from imagepeel.layers.layer import Layer as StoredLayer
from imagepeel.limits import Limits
from imagepeel.oci.config import HistoryStep, ImageConfig
from imagepeel.oci.identity import chain_ids
from imagepeel.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from imagepeel.archive.opened import OpenArchive
    from imagepeel.archive.source import Progress
    from imagepeel.history.attested import Attestations, Disagreement, SourceLines
    from imagepeel.layers.pool import ScanPool
    from imagepeel.rootfs.engines.indexed import RegularLayers
    from imagepeel.rootfs.layer_events import LayerCounts
    from imagepeel.rootfs.path import Joinable, RootfsPath
    from imagepeel.rootfs.view import Rootfs


T = TypeVar("T")


def _attestations(image: LayeredImage) -> Attestations:
    from imagepeel.archive.records import RecordKind  # start time
    from imagepeel.history.attested import Attestations, attestations_of  # start time

    archive = image.archive
    stated = [record for record in archive.records if record.kind is RecordKind.ATTESTATION]
    if not stated:
        return Attestations()
    return attestations_of([archive.read_now(record) for record in stated], image.record, archive.limits)


class Layer(StoredLayer):
    """A layer of an image, base first: its bytes, what is said of them, and its files by path.

    `layer / "etc/passwd"` is the path as this layer alone has it, also where a later layer changes, hides or removes
    it.  `layer.entries` are its tar members in stream order.  Reading anything about its bytes scans all layers of the
    image, once.
    """

    def __init__(
        self, image: LayeredImage, record: LayerRecord, steps: tuple[int, ...], history: Sequence[HistoryStep]
    ) -> None:
        super().__init__(record, steps, words_of(history, steps), image.archive.limits, image.scan)
        self.history: HistoryStep | None = history[steps[0]] if len(steps) == 1 else None
        """The history step that made it, None when history does not tell of one."""
        self._image = image

    @property
    def not_examined(self) -> str:
        """The sentence that names the other images of the archive, "" without any."""
        return self._image.not_examined

    @property
    def rootfs(self) -> Rootfs:
        """The filesystem of this layer alone, without what its whiteouts remove.

        What cannot be unpacked alone is left out, as hardlinks to files of lower layers are.

        MissingBlob when the bytes of the layer are not in the archive; LimitExceeded on bombs.
        """
        return self._image.view_of_layer(self.index)

    def __truediv__(self, path: Joinable) -> RootfsPath:
        """Return a path of this layer alone; its methods read the layer's own bytes.  MissingBlob without them."""
        return self.rootfs / path


class LayeredImage(Shown):
    """An image for a container, or an exported filesystem, as the archive has it.

    Its bytes are read on first need, all layers in one pass each; `archive` must still be open then.  What can be asked
    of an image beyond its parts (process, findings, story) is `api.Image`.

    Arguments: `archive` is the open archive, `record` what its documents say of this image, `pool` scans its layers,
    `reason` says why this image was chosen where the archive holds several, and `asked` that somebody named it.

    LimitExceeded when the image has more than `Limits.layers` layers.
    """

    def __init__(
        self, archive: OpenArchive, record: ImageRecord, pool: ScanPool, *, reason: str = "", asked: bool = False
    ) -> None:
        self.archive = archive
        self._record = record
        self.reason = reason
        """Why this image was chosen, in words, when the archive holds several."""
        self.asked: bool = asked
        """Whether somebody named it."""
        self._limits: Limits = archive.limits
        self._pool = pool
        self._lock = threading.RLock()
        self._views: dict[str | int, Rootfs] = {}
        self._regular: RegularLayers | None = None
        self._derived: dict[Any, Any] = {}
        self._read_anew = 0
        self._scanned = False
        self._digests = False
        if len(record.layers) > self._limits.layers:
            raise LimitExceeded(
                f"the image has {plural(len(record.layers), 'layer')}",
                Location(pointer="/layers"),
                "raise Limits.layers if you trust the image",
            )
        self._layers: tuple[Layer, ...] | None = None

    @property
    def number(self) -> int:
        """Its number in the archive, from 1."""
        return self._record.number

    @property
    def record(self) -> ImageRecord:
        """What the documents say of it; the first look reads what was left for later when the archive was opened."""
        if self._record.later is not None:
            with self._lock:
                if self._record.later is not None:
                    self._record = self.archive.read_now(self._record)
        return self._record

    def __repr__(self) -> str:
        name = self.name or self.id or "(no name)"
        return f"<Image {name} {self.platform or 'platform unknown'} {plural(len(self.layers), 'layer')}>"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Base first; `layers[0]` is what people see as L1.

        They are made on first need: an archive may list a thousand images of which one is looked at.
        """
        if self._layers is None:
            with self._lock:
                if self._layers is None:
                    config = self.record.config
                    history = config.history or () if config is not None else ()
                    steps = pair_history(config, len(self.record.layers))
                    self._layers = tuple(
                        Layer(self, layer, wrote, history)
                        for layer, wrote in zip(self.record.layers, steps, strict=True)
                    )
        return self._layers

    @property
    def beside(self) -> tuple[ImageRecord, ...]:
        """The other images of the archive, which nothing here is about."""
        return others(self.archive.records, self.record)

    @property
    def not_examined(self) -> str:
        """The sentence that names them, "" without any."""
        from imagepeel.archive.select import not_examined  # start time

        beside = self.beside
        return f"{not_examined(self.record.number, [record.numbered for record in beside])}." if beside else ""

    def sibling(self, record: ImageRecord) -> LayeredImage:
        """Return another image of the same archive; layers that both have are scanned once."""
        return LayeredImage(self.archive, record, self._pool)

    # ---- paperwork ----------------------------------------------------------------------------------------

    @property
    def verify(self) -> bool:
        """Whether digests are computed and compared; False for a quick look."""
        return self._pool.verify

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the archive gives it, as written, without repetition."""
        return tuple(dict.fromkeys(name.text for name in self.record.names))

    @property
    def name(self) -> str:
        """Its first name, "" when it has none."""
        return self.names[0] if self.names else ""

    @property
    def config(self) -> ImageConfig:
        """The image config; an empty one where it is missing or was lost at export (`record.lost` says so)."""
        return self.record.config if self.record.config is not None else ImageConfig()

    @property
    def digest(self) -> str | None:
        """Digest of the manifest, None where the archive states none."""
        return self.record.digest

    @property
    def id(self) -> str | None:
        """ImageID: the digest of the config, which Docker calls the image id."""
        return self.record.image_id

    @property
    def os(self) -> str:
        """The operating system as Go names it, from the config, the index or the kind of archive; "" if none says."""
        stated = self.config.os or (self.record.platform.os if self.record.platform else "")
        return stated or self.archive.kind.os

    @property
    def architecture(self) -> str:
        """The machine as Go names it (amd64, arm64), from the config, else from the index; "" when neither says."""
        return self.config.architecture or (self.record.platform.architecture if self.record.platform else "")

    @property
    def platform(self) -> str:
        """os/architecture[/variant], from the config, else from the index; "" when neither says.

        The operating system alone where only the kind of the archive tells it: a bare Windows layer.
        """
        if self.config.platform:
            return self.config.platform
        platform = self.record.platform
        if platform is None:
            return self.archive.kind.os
        return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)

    @property
    def history(self) -> tuple[HistoryStep, ...]:
        """The build steps that the config lists, oldest first; () when it has none."""
        return self.config.history or ()

    @property
    def attestations(self) -> Attestations:
        """What the archive's attestations state of its Dockerfile, and which of them were not used; unsigned claims."""
        return self.derived(_attestations)

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """Where the history says another thing than the Dockerfile of an attestation."""
        from imagepeel.history.attested import disagreements  # start time

        attested = self.attestations.attested
        if attested is None:
            return ()
        return disagreements(attested, self.config, [layer.steps for layer in self.layers])

    def lines_of(self, layer: int) -> SourceLines | None:
        """Return the lines of the Dockerfile that made a layer (index from 0), None where no attestation says so."""
        attested = self.attestations.attested
        return attested.lines[layer] if attested is not None and layer < len(attested.lines) else None

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """ChainID of each layer, base first: the digest of the stack so far (image-spec config.md).

        () when a DiffID is unknown.
        """
        diff_ids = [layer.diff_id for layer in self.layers]
        known = [diff_id for diff_id in diff_ids if diff_id is not None]
        return tuple(chain_ids(known)) if len(known) == len(diff_ids) else ()

    @property
    def knowledge(self) -> Knowledge:
        """What is known of it, and what is missing or damaged; asking scans the layers."""
        known = self.record.knowledge
        told = {gap.layer for gap in known.gaps}
        found = [
            Gap(
                part=ImagePart.LAYER,
                what=f"what layer {layer.label} holds, changes and hides",
                why=f"{layer.label} is damaged: {layer.error.message}",
                layer=layer.index,
                damaged=True,
            )
            for layer in self.layers
            if layer.error is not None and layer.index not in told
        ]
        return msgspec.structs.replace(known, gaps=(*known.gaps, *found)) if found else known

    @property
    def complete(self) -> bool:
        """Whether the config and all layers are here and could be read to their end; asking scans the layers."""
        return self.knowledge.whole

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """Everything odd: documents first, then layers, base first; asking scans the layers."""
        found = list(self.record.anomalies)
        for layer in self.layers:
            found.extend(layer.anomalies)
        return tuple(dict.fromkeys(found))

    @property
    def unread(self) -> int:
        """Stored bytes of layers that were not read, on the word of tables of contents; asking scans the layers."""
        return sum(layer.facts.unread for layer in self.layers if layer.facts is not None)

    def require_headers(self, what: str) -> None:
        """UsageError where `what` is about the headers of a tar, and a table of contents stands for them.

        Asking scans the layers of an image that was opened with `tables=True`.
        """
        if self._pool.tables:
            known = ", ".join(layer.label for layer in self.layers if layer.by_table)
            if known:
                raise UsageError(
                    f"{what} ask for the headers of the tar, and of {known} the table of contents was read",
                    hint="open the image without tables=True",
                )

    # ---- the one pass -------------------------------------------------------------------------------------

    def scan(self, *, digests: bool = False, progress: Progress | None = None) -> None:
        """Read every layer that is here once: digests, sizes, index of entries.  Later calls cost nothing.

        Arguments: `digests` also takes the SHA-256 of every file, for which the layers are read again after a scan
        without it.  `progress` is called with counts of stored bytes as they are read.

        LimitExceeded on bombs.  A damaged layer raises nothing: its `error` says where the listing ends.
        """
        with self._lock:
            if self._scanned and (self._digests or not digests):
                return
            self._read_anew += self._pool.scan(self.layers, digests=digests, progress=progress)
            found = tuple(layer.record for layer in self.layers)
            if any(layer.state is not stated.state for layer, stated in zip(found, self.record.layers, strict=True)):
                self._record = self.archive.found(self.record, found)
            self._scanned = True
            self._digests = self._digests or digests
            self._views.clear()
            self._regular = None
            self._derived.clear()

    def derived(self, owner: Callable[[Self], T]) -> T:
        """Return the one `owner(self)` of this image: made when it is first asked for, kept from then on."""
        with self._lock:
            if owner not in self._derived:
                self._derived[owner] = owner(self)
            made: T = self._derived[owner]
            return made

    def keeping_reads(self) -> AbstractContextManager[None]:
        """Return a context in which the index cache keeps what is read, for the next run needs it as well."""
        return self._pool.keeping_reads()

    # ---- filesystems --------------------------------------------------------------------------------------

    @property
    def rootfs(self) -> Rootfs:
        """The filesystem that a container sees: the `runtime` view."""
        return self.view("runtime")

    def view(self, name: str = "runtime") -> Rootfs:
        """Return the filesystem of a named view; it is built on first use and kept.

        UsageError for an unknown name; LimitExceeded on bombs.
        """
        from imagepeel.layers.names import LayerNames  # start time
        from imagepeel.rootfs.engines.indexed import RegularLayers  # start time
        from imagepeel.rootfs.view import build  # start time

        with self._lock:
            known = self._views.get(name)
            if known is None:
                self.scan()
                self._regular = self._regular or RegularLayers(LayerNames(self.layers, self._pool.cache))
                known = self._views[name] = build(
                    self.layers,
                    name,
                    opener=self._open_entry,
                    steps=[layer.step for layer in self.layers],
                    limits=self._limits,
                    knowledge=self.knowledge,
                    regular=self._regular,
                )
            return known

    def layer_counts(self) -> tuple[LayerCounts, ...]:
        """Return what each layer adds, changes and removes, base first; () where a runtime refuses the image.

        LimitExceeded on bombs.
        """
        from imagepeel.rootfs.layer_events import LayerCounts  # start time
        from imagepeel.rootfs.provenance import has_uppers, layer_counts  # start time

        self.scan()
        scans = [layer.facts for layer in self.layers]
        cache = self._pool.cache
        whole = [scan for scan in scans if scan is not None] if cache is not None and self.complete else []
        if cache is not None and whole:
            known = cache.recall("counts", whole, tuple[LayerCounts, ...])
            if known is not None and [count.layer for count in known] == list(range(len(self.layers))):
                return known
        rootfs = self.rootfs
        counts = tuple(layer_counts(rootfs)) if has_uppers(rootfs) else ()
        if cache is not None and whole and counts:
            cache.remember("counts", whole, counts)
        return counts

    def view_at(self, index: int, name: str = "runtime") -> Rootfs:
        """Return the filesystem of a named view as it is after layer `index`, counted from 0; it is built on each call.

        UsageError for an unknown view or layer; LimitExceeded on bombs.
        """
        from imagepeel.rootfs.view import build  # start time

        if not 0 <= index < len(self.layers):
            raise UsageError(
                f"there is no layer with index {index}", hint=f"the image has {plural(len(self.layers), 'layer')}"
            )
        self.scan()
        layers = self.layers[: index + 1]
        return build(
            layers,
            name,
            opener=self._open_entry,
            steps=[layer.step for layer in layers],
            limits=self._limits,
            knowledge=self.knowledge.up_to(index),
        )

    def view_of_layer(self, index: int) -> Rootfs:
        """Return the filesystem of layer `index` alone, counted from 0; it is built on first use and kept.

        MissingBlob when the layer's bytes are not in the archive; IndexError when there is no such layer.
        """
        from imagepeel.rootfs.view import build_alone  # start time

        with self._lock:
            known = self._views.get(index)
            if known is None:
                self.scan()
                self.layers[index].require()
                known = self._views[index] = build_alone(
                    self.layers,
                    index,
                    opener=self._open_entry,
                    steps=[layer.step for layer in self.layers],
                    limits=self._limits,
                    knowledge=self.knowledge.of_layer(index),
                )
            return known

    def _open_entry(self, layer: int, entry: int) -> EntryFile:
        return self.layers[layer].open(entry)
