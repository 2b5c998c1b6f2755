"""The scans of an archive: each layer is read once, on as many threads as pay, and what was found is kept.

Images of one archive share layers, so one pool serves all of them; it also asks the index cache before it reads and
fills it afterwards.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from imagepeel.archive.source import Progress
from imagepeel.errors import ImagepeelError, MissingBlob
from imagepeel.layers.layer import Layer
from imagepeel.layers.layer_scan import HASHES, LayerScan
from imagepeel.limits import Limits

if TYPE_CHECKING:
    from imagepeel.layers.index_cache import IndexCache

READ_AHEAD = 32 * 1024 * 1024
"""Stored bytes that have to be scanned anew before reading ahead for the next run is worth its tenth of a second."""
KEEP = 8 * 1024 * 1024
"""Bytes of content up to which a compressed layer stays in memory, and twice as much for all of an archive."""
_PARTS = 16 * 1024 * 1024
"""Bytes that loaders read of programs and libraries, of all layers together; a layer has its share by stored bytes."""
_INLINE = 8 * 1024 * 1024
"""Stored bytes below which threads cost more than they bring."""


class ScanPool:
    """The scans of one opened archive.

    Arguments: `limits` bound what one scan may cost; `verify` says whether digests are computed; `tables` whether,
    where they are not, a layer that comes in parts is listed by its table of contents; `cache` is asked before a layer
    is read, None for no cache; `progress` gets counts of stored bytes as they are read.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        verify: bool = True,
        tables: bool = False,
        cache: IndexCache | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.limits = limits
        self.verify = verify
        self.tables = tables
        self.cache = cache
        self.progress = progress
        self._scans: dict[Any, LayerScan] = {}
        self._kept = 0

    def scan(self, layers: Sequence[Layer], *, digests: bool = False, progress: Progress | None = None) -> int:
        """Read every layer that is here once and attach what was found to it.

        A layer whose bytes turn out not to be there, as a registry says when it is asked for them, is a missing one.
        `digests` also takes the SHA-256 of every file.  Returns the stored bytes that were read anew for the cache.
        LimitExceeded on bombs.
        """
        todo: dict[Any, list[Layer]] = {}
        for layer in layers:
            if layer.readable and layer.record.stored is not None:
                todo.setdefault(layer.record.stored.key, []).append(layer)
        groups = sorted(todo.values(), key=lambda group: -group[0].blob_size)
        points = max(8, 256 // max(1, len(groups)))
        total = sum(group[0].blob_size for group in groups)
        anew: list[int] = []

        def work(group: list[Layer]) -> None:
            parts = _PARTS * group[0].blob_size // total if total else 0
            try:
                scan, cached_anew = self._one(group[0], digests, (points, parts), progress or self.progress)
            except MissingBlob as error:
                for layer in group:
                    layer.lack(error.what)
                return
            if cached_anew:
                anew.append(scan.blob_size)
                # The first run of an image may read any of its files, more than the cache should keep.  So it keeps
                # those of a prediction alone, and `read_ahead` reads what else later runs need when it ends.
                if self.cache is not None and self.reads_ahead(sum(anew)):
                    self.cache.budget.paused = True
            stored = group[0].record.stored
            far = stored is not None and stored.members is not None and stored.members.slow
            small_reads = self.cache.small_reads(scan, far=far) if self.cache is not None else None
            for layer in group:
                layer.attach(scan, small_reads)

        _in_parallel(groups, work, total)
        return sum(anew)

    def _one(
        self, layer: Layer, digests: bool, share: tuple[int, int], progress: Progress | None
    ) -> tuple[LayerScan, bool]:
        """Return the scan of a layer, and whether it was made now and went into the cache.

        `share` is how many access points and how many bytes of parts it may keep.
        """
        record = layer.record
        key = (record.stored.key if record.stored is not None else None, digests)
        known = self._scans.get(key)
        if known is not None:
            return known, False
        anew = False
        source = record.source()
        try:
            if self.cache is not None:
                known = self.cache.find(
                    record, source, self.limits, digests=digests, verify=self.verify, progress=progress
                )
            if known is None:
                from imagepeel.layers.scan import scan_layer  # start time

                stamp = source.stamp() if self.cache is not None else None
                known = scan_layer(
                    source,
                    self.limits,
                    layer=layer.index,
                    verify=self.verify,
                    algorithm=_algorithm(record.digest),
                    diff_algorithm=_algorithm(record.diff_id),
                    digests=digests,
                    access_points=share[0],
                    keep=min(KEEP, 2 * KEEP - self._kept),
                    keep_parts=share[1],
                    progress=progress,
                    notes=record.annotations,
                    by_table=self.tables,
                )
                anew = self.cache is not None and self.cache.keep(source, stamp, known, self.limits)
        finally:
            source.close()
        self._scans[key] = known
        self._kept += known.whole.size if known.whole is not None else 0
        return known, anew

    @contextmanager
    def keeping_reads(self) -> Iterator[None]:
        """While it lasts, the cache keeps what is read, also in the first run of an image."""
        budget = self.cache.budget if self.cache is not None else None
        paused = budget is not None and budget.paused
        if budget is not None:
            budget.paused = False
        try:
            yield
        finally:
            if budget is not None:
                budget.paused = paused

    def reads_ahead(self, anew: int) -> bool:
        """Whether so many stored bytes were read anew for the cache that the next run should find more in it."""
        return self.cache is not None and anew >= READ_AHEAD

    def close(self) -> None:
        """Store what the cache wants to keep of this run, and give back the content that was kept in memory."""
        for scan in self._scans.values():
            if scan.whole is not None:
                scan.whole.close()
        if self.cache is not None:
            self.cache.save()


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

    def loop(caught: type[BaseException]) -> None:
        try:
            while not stop.is_set():
                with lock:
                    if not todo:
                        return
                    group = todo.pop()
                work(group)
        except caught as error:
            errors.append(error)
            stop.set()

    # This thread works, too: one that only waits would cost another thread, and what that leaves in its own memory.
    threads = [
        threading.Thread(target=loop, args=(BaseException,), daemon=True, name=f"imagepeel-layer-{n}")
        for n in range(1, workers)
    ]
    try:
        # No more threads, or none at all (WebAssembly): those that were started work, and so does this one.
        with suppress(RuntimeError):
            for thread in threads:
                thread.start()
        loop(Exception)
        for thread in threads:
            # A bounded wait, so that an interrupt from the keyboard is seen at once.
            while thread.is_alive():
                thread.join(0.1)
    except BaseException:
        stop.set()
        raise
    if errors:
        raise next((e for e in errors if isinstance(e, ImagepeelError)), errors[0])
