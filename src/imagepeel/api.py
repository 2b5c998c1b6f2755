"""The way in: open an image archive, get its images, and ask what they become."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imagepeel.archive.opened import OpenArchive, open_as
from imagepeel.archive.select import select
from imagepeel.archive.source import Source, spool_stdin
from imagepeel.image import LayeredImage
from imagepeel.layers.pool import ScanPool
from imagepeel.limits import DEFAULT, Limits

if TYPE_CHECKING:
    from imagepeel.archive.kinds.kind import Detected
    from imagepeel.archive.records import ImageRecord
    from imagepeel.findings.report import Findings
    from imagepeel.findings.waste import Waste
    from imagepeel.layers.index_cache import IndexCache
    from imagepeel.present.document import Story
    from imagepeel.process.spec.values import Prediction

_SMALL = 8 * 1024
_FEW = 500


class Image(LayeredImage):
    """An image for a container (or an exported filesystem, which is one without its paperwork).

    Its bytes are read on first need, all layers in one pass each; `archive` must still be open then.  What answers
    a question is imported when it is asked (start time).
    """

    def process(self, **options: Any) -> Prediction:
        """Predict the process that an engine starts from this image.

        Arguments are the fields of `imagepeel.ProcessOptions` (`engine="podman"`, `args=["ls"]`, `user="app"`, ...);
        lists are taken for tuples.  UsageError for an unknown engine.
        """
        from imagepeel.process.predict import predict_image
        from imagepeel.process.spec.options import ProcessOptions

        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return predict_image(self, ProcessOptions(**given))

    def findings(self, *, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> Findings:
        """Say what will surprise people about this image, worst first.

        `select` and `ignore` name rules by id, code or lesson.  UsageError for a name that is none of these.
        """
        from imagepeel.findings.catalogue import select_rules
        from imagepeel.findings.examine import examine
        from imagepeel.receipts.proof import with_receipts

        return with_receipts(examine(self, select_rules(select, ignore)), self)

    def waste(self, *, base: int | str = 0) -> Waste:
        """Account for every byte of the layers by cause: seen, unreachable, headers; the sums are exact.

        `base` is how many layers belong to the base image, or text of the history step that is the first of one's
        own.  UsageError when no step has that text.
        """
        from imagepeel.findings.waste import account

        return account(self, base=base)

    def operators_manual(self) -> Story:
        """Return The Container Operator's Manual for this image: strengths, weaknesses, friends, headcount, and the
        question whether it should run in production, each answer with its proof.
        """
        from imagepeel.present.manual.manual import operate_image

        return operate_image(self)

    def operations(self) -> Story:
        """The earlier name of `operators_manual`."""
        return self.operators_manual()

    def explain(self) -> Story:
        """Return the story of this image as a document: sections of claims, each with evidence and receipt."""
        from imagepeel.present.story.chapters import explain_image

        return explain_image(self)

    def read_ahead(self) -> None:
        """Read what the next run will probably want while the first pass makes reading cheap.

        The files that decide about the process, and small files below /etc.  Only when much was scanned that the
        index cache keeps; nothing is raised.
        """
        cache = self._pool.cache
        if cache is None or not self._pool.reads_ahead(self._read_anew):
            return
        self._read_anew = 0
        cache.budget.paused = False
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


class Archive(OpenArchive):
    """An opened image archive: a tar, a compressed tar, a layout directory, or what came from standard input.

    Use it as a context manager; images of it read their bytes while it is open.
    """

    def __init__(self, name: str, detected: Detected, limits: Limits, *, pool: ScanPool) -> None:
        super().__init__(name, detected, limits)
        self._pool = pool
        self._images: dict[int, Image] = {}

    def __repr__(self) -> str:
        return f"<Archive {self.name!r} {self.kind} {len(self.records)} images>"

    def __exit__(self, *exc: object) -> None:
        if exc[:1] in ((), (None,)):
            for image in self._images.values():
                image.read_ahead()
        self.close()

    def close(self) -> None:
        """Close the file; images of this archive can no longer read bytes they have not read yet."""
        self._pool.close()
        super().close()

    @property
    def cache(self) -> IndexCache | None:
        """Where scans of layers are kept between runs, None for nowhere."""
        return self._pool.cache

    def image(self, reference: str | None = None, *, platform: str | None = None) -> Image:
        """Return one image.

        Arguments: `reference` is a tag, a name, a digest or a unique start of one, or a number from 1 as `#2`;
        `platform` is `os/architecture[/variant]`.  Without either, the only image that can be meant.
        NotFound when nothing fits, Ambiguous with the candidates when several do, UsageError for a bad platform.
        """
        choice = select(self.records, reference, platform, indexes=self.indexes)
        return self._image(choice.record, choice.reason)

    def images(self) -> list[Image]:
        """Return every image for a container, complete or not, in archive order."""
        return [self._image(record, "") for record in self.runnable]

    def _image(self, record: ImageRecord, reason: str) -> Image:
        known = self._images.get(record.number)
        if known is None:
            known = self._images[record.number] = Image(self, record, self._pool, reason=reason)
        return known


def open(
    what: str | os.PathLike[str] | Source,
    *,
    limits: Limits = DEFAULT,
    verify: bool = True,
    blobs: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
    cache: bool | str | os.PathLike[str] | IndexCache = False,
) -> Archive:
    """Open an image archive.

    Arguments: `what` is a path (tar, compressed tar, or directory), "-" for standard input, or a source of bytes;
    `limits` bound what hostile input may cost; `verify=False` skips hashing for a quick look; `blobs` is a
    directory of shared blobs for layouts without their own; `progress` is called with counts of bytes read;
    `cache` keeps what a scan found for the next run: True in `$XDG_CACHE_HOME/imagepeel`, or a directory of your own.
    NotFound when there is no such file, NotAnImage or Unsupported when it is something else, Malformed when it is
    damaged beyond reading, LimitExceeded on bombs.
    """
    source: str | os.PathLike[str] | Source = what
    if isinstance(what, str) and what == "-":
        source = spool_stdin(limits, progress=progress)

    def make(name: str, detected: Detected, limits: Limits) -> Archive:
        pool = ScanPool(limits, verify=verify, cache=_cache(cache), progress=progress)
        return Archive(name, detected, limits, pool=pool)

    return open_as(make, source, limits, blobs=blobs)


def _cache(wanted: bool | str | os.PathLike[str] | IndexCache) -> IndexCache | None:
    if wanted is False:
        return None
    from imagepeel.archive.cache_dir import CacheDir  # start time
    from imagepeel.layers.index_cache import IndexCache  # start time

    if isinstance(wanted, IndexCache):
        return wanted
    return IndexCache(CacheDir(None if wanted is True else wanted))
