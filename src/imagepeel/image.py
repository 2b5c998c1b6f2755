"""One image of an archive, as people hold it: documents, layers, filesystems, and the process it becomes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imagepeel.errors import ImagepeelError, LimitExceeded
from imagepeel.evidence import Anomaly, Location
from imagepeel.layers.content import EntryFile
from imagepeel.layers.history import pair_history
from imagepeel.layers.layer import Layer
from imagepeel.layers.scan import HASHES, LayerScan, scan_layer
from imagepeel.limits import Limits
from imagepeel.oci.config import HistoryStep, ImageConfig
from imagepeel.oci.identity import chain_ids
from imagepeel.store.records import ImageRecord

if TYPE_CHECKING:
    from imagepeel.archive import Archive
    from imagepeel.explain.document import Story
    from imagepeel.findings import Findings
    from imagepeel.findings.waste import Waste
    from imagepeel.process import Prediction
    from imagepeel.rootfs.fold import LayerCounts
    from imagepeel.rootfs.view import Rootfs

Progress = Callable[[int], None]
READ_AHEAD = 32 * 1024 * 1024
"""Stored bytes that have to be scanned anew before reading ahead for the next run is worth its tenth of a second."""
KEEP = 8 * 1024 * 1024
"""Bytes of content up to which a compressed layer stays in memory, and twice as much for all of an archive."""
_SMALL = 8 * 1024
_FEW = 500
_INLINE = 8 * 1024 * 1024
"""Stored bytes below which threads cost more than they bring."""


class Image:
    """An image for a container (or an exported filesystem, which is one without its paperwork).

    Its bytes are read on first need, all layers in one pass each; `archive` must still be open then.
    """

    def __init__(self, archive: Archive, record: ImageRecord, *, reason: str = "") -> None:
        self.archive = archive
        self.record = record
        self.reason = reason
        """Why this image was chosen, in words, when the archive holds several."""
        self._limits: Limits = archive.limits
        self._lock = threading.RLock()
        self._views: dict[str, Rootfs] = {}
        self._read_anew = 0
        self._scanned = False
        self._digests = False
        if len(record.layers) > self._limits.layers:
            raise LimitExceeded(
                f"the image has {len(record.layers)} layers",
                Location(pointer="/layers"),
                "raise Limits.layers if you trust the image",
            )
        steps = pair_history(record.config, len(record.layers))
        history = record.config.history or () if record.config is not None else ()
        self.layers: tuple[Layer, ...] = tuple(
            Layer(layer, step, history[step] if step is not None else None, self._limits, self.scan)
            for layer, step in zip(record.layers, steps, strict=True)
        )
        """Base first; `layers[0]` is what people see as L1."""

    def __repr__(self) -> str:
        name = self.name or self.id or "(no name)"
        return f"<Image {name} {self.platform or 'platform unknown'} {len(self.layers)} layers>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        from imagepeel.render.notebook import bundle

        return bundle(self)

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from imagepeel.render.terminal_objects import parts

        yield from parts(self)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    # ---- paperwork ----------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Every name the archive gives it, as written, without repetition."""
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
        return self.config.os or (self.record.platform.os if self.record.platform else "")

    @property
    def architecture(self) -> str:
        return self.config.architecture or (self.record.platform.architecture if self.record.platform else "")

    @property
    def platform(self) -> str:
        """os/architecture[/variant], from the config, else from the index; "" when neither says."""
        if self.config.platform:
            return self.config.platform
        platform = self.record.platform
        if platform is None:
            return ""
        return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)

    @property
    def history(self) -> tuple[HistoryStep, ...]:
        """The build steps that the config lists, () when it has none."""
        return self.config.history or ()

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """ChainID of each layer: the digest of the stack so far (image-spec config.md); () when one is unknown."""
        diff_ids = [layer.diff_id for layer in self.layers]
        known = [diff_id for diff_id in diff_ids if diff_id is not None]
        return tuple(chain_ids(known)) if len(known) == len(diff_ids) else ()

    @property
    def complete(self) -> bool:
        """Whether the config and all layers are here and could be read to their end."""
        return self.record.complete and all(layer.error is None for layer in self.layers)

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """Everything odd: documents first, then layers, base first."""
        found = list(self.record.anomalies)
        for layer in self.layers:
            found.extend(layer.anomalies)
        return tuple(dict.fromkeys(found))

    # ---- the one pass -------------------------------------------------------------------------------------

    def scan(self, *, digests: bool = False, progress: Progress | None = None) -> None:
        """Read every layer that is here once: digests, sizes, index of entries.  Later calls cost nothing.

        `digests` also takes the SHA-256 of every file, which a scan without them has to repeat.  `progress` gets
        counts of stored bytes as they are read.  LimitExceeded on bombs.
        """
        with self._lock:
            if self._scanned and (self._digests or not digests):
                return
            todo: dict[Any, list[Layer]] = {}
            for layer in self.layers:
                if layer.readable and layer.record.handle is not None:
                    todo.setdefault(layer.record.handle.key, []).append(layer)
            groups = sorted(todo.values(), key=lambda group: -group[0].blob_size)
            report = progress or self.archive.progress
            points = max(8, 256 // max(1, len(groups)))

            def work(group: list[Layer]) -> None:
                scan = self._scan_one(group[0], digests, points, report)
                cache = self.archive.cache
                heads = cache.heads(scan) if cache is not None else None
                for layer in group:
                    layer.attach(scan, heads)

            _in_parallel(groups, work, sum(group[0].blob_size for group in groups))
            self._scanned = True
            self._digests = self._digests or digests
            self._views.clear()

    def _scan_one(self, layer: Layer, digests: bool, points: int, progress: Progress | None) -> LayerScan:
        record = layer.record
        key = (record.handle.key if record.handle is not None else None, digests)
        known = self.archive.scans.get(key)
        if known is not None:
            return known
        cache = self.archive.cache
        source = record.source()
        try:
            if cache is not None:
                known = cache.find(
                    record, source, self._limits, digests=digests, verify=self.archive.verify, progress=progress
                )
            if known is None:
                stamp = source.stamp() if cache is not None else None
                known = scan_layer(
                    source,
                    self._limits,
                    layer=layer.index,
                    verify=self.archive.verify,
                    algorithm=_algorithm(record.digest),
                    diff_algorithm=_algorithm(record.diff_id),
                    digests=digests,
                    access_points=points,
                    keep=min(KEEP, 2 * KEEP - self.archive.kept),
                    progress=progress,
                )
                if cache is not None and cache.keep(source, stamp, known, self._limits):
                    self._read_anew += known.blob_size
                    # A first run may read anything; what is kept of it is chosen at its end, by read_ahead.
                    cache.budget.paused = cache.budget.paused or self._read_anew >= READ_AHEAD
        finally:
            source.close()
        self.archive.scans[key] = known
        self.archive.kept += len(known.whole or b"")
        return known

    def read_ahead(self) -> None:
        """Read what the next run will probably want while the first pass makes reading cheap.

        The files that decide about the process, and small files below /etc.  Only when much was scanned that the
        index cache keeps; nothing is raised.
        """
        if self._read_anew < READ_AHEAD or self.archive.cache is None:
            return
        self._read_anew = 0
        self.archive.cache.budget.paused = False
        try:
            self.process()
            rootfs = self.rootfs
            if rootfs.resolve("/etc").node is None:
                return
            small = [node for _, node in rootfs.walk("/etc") if node.is_file and 0 < node.size <= _SMALL]
            small.sort(key=lambda node: (node.layer or 0, node.entry or 0))
            for node in small[:_FEW]:
                rootfs.read(node)
        except Exception:
            # The result of this run is out already: what goes wrong here is found out by the run that asks for it.
            return

    # ---- filesystems --------------------------------------------------------------------------------------

    @property
    def rootfs(self) -> Rootfs:
        """The filesystem that a container sees: the `runtime` view."""
        return self.view("runtime")

    def view(self, name: str = "runtime") -> Rootfs:
        """Return the filesystem of a named view, built on first use.  UsageError for an unknown name."""
        from imagepeel.rootfs.view import build

        with self._lock:
            known = self._views.get(name)
            if known is None:
                self.scan()
                known = self._views[name] = build(
                    self.layers,
                    name,
                    opener=self._open_entry,
                    steps=[layer.step for layer in self.layers],
                    limits=self._limits,
                    complete=all(layer.readable and layer.error is None for layer in self.layers),
                )
            return known

    def layer_counts(self) -> tuple[LayerCounts, ...]:
        """Return what each layer adds, changes and removes, base first; () where a runtime refuses the image."""
        from imagepeel.rootfs.fold import LayerCounts
        from imagepeel.rootfs.provenance import has_uppers, layer_counts

        self.scan()
        scans = [layer.scan for layer in self.layers]
        cache = self.archive.cache
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
        """Return the filesystem as it is after layer `index` (0-based).  UsageError for an unknown view or layer."""
        from imagepeel.errors import UsageError
        from imagepeel.rootfs.view import build

        if not 0 <= index < len(self.layers):
            raise UsageError(f"there is no layer with index {index}", hint=f"the image has {len(self.layers)} layers")
        self.scan()
        layers = self.layers[: index + 1]
        return build(
            layers,
            name,
            opener=self._open_entry,
            steps=[layer.step for layer in layers],
            limits=self._limits,
            complete=all(layer.readable and layer.error is None for layer in layers),
        )

    def _open_entry(self, layer: int, entry: int) -> EntryFile:
        return self.layers[layer].open(entry)

    # ---- what it becomes ----------------------------------------------------------------------------------

    def process(self, **options: Any) -> Prediction:
        """Predict the process that an engine starts from this image.

        Arguments are the fields of `imagepeel.process.Options` (`engine="podman"`, `args=["ls"]`, `user="app"`, ...);
        lists are taken for tuples.  UsageError for an unknown engine.
        """
        from imagepeel.process import Options, predict

        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return predict(self.rootfs, self.config, Options(**given), architecture=self.architecture)

    def findings(self, *, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> Findings:
        """Say what will surprise people about this image, worst first.

        `select` and `ignore` name rules by id, code or lesson.  UsageError for a name that is none of these.
        """
        from imagepeel.explain.proof import with_receipts
        from imagepeel.findings import examine, select_rules

        return with_receipts(examine(self, select_rules(select, ignore)), self)

    def waste(self, *, base: int | str = 0) -> Waste:
        """Account for every byte of the layers by cause: seen, unreachable, headers; the sums are exact.

        `base` is how many layers belong to the base image, or text of the history step that is the first of one's
        own.  UsageError when no step has that text.
        """
        from imagepeel.findings.waste import account

        return account(self, base=base)

    def operations(self) -> Story:
        """Return The Container Operator's Manual for this image: strengths, weaknesses, friends, headcount, and the
        question whether it should run in production, each answer with its proof.
        """
        from imagepeel.explain.manual import operate_image

        return operate_image(self)

    def explain(self) -> Story:
        """Return the story of this image as a document: sections of claims, each with evidence and receipt."""
        from imagepeel.explain import explain_image

        return explain_image(self)


def _algorithm(digest: str | None) -> str:
    algorithm = (digest or "").partition(":")[0]
    return algorithm if algorithm in HASHES else "sha256"


def _in_parallel(groups: Sequence[list[Layer]], work: Callable[[list[Layer]], None], total: int) -> None:
    """Run `work` on each group, on as many threads as cores when that pays; the first error wins.

    Inflating and hashing release the interpreter lock, and each layer is worked on by one thread only.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, len(groups))
    if workers < 2 or total < _INLINE:
        for group in groups:
            work(group)
        return
    todo = list(reversed(groups))
    errors: list[BaseException] = []
    lock = threading.Lock()
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            with lock:
                if not todo:
                    return
                group = todo.pop()
            try:
                work(group)
            except BaseException as error:
                errors.append(error)
                stop.set()

    threads = [threading.Thread(target=loop, daemon=True, name=f"imagepeel-layer-{n}") for n in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            # A bounded wait, so that an interrupt from the keyboard is seen at once.
            while thread.is_alive():
                thread.join(0.1)
    except BaseException:
        stop.set()
        raise
    if errors:
        raise next((e for e in errors if isinstance(e, ImagepeelError)), errors[0])
