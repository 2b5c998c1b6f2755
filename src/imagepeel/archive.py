"""The way in: open an image archive and get its images."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagepeel.limits import DEFAULT, Limits
from imagepeel.store.container import Container, open_container
from imagepeel.store.select import select
from imagepeel.store.source import Source, spool_stdin

if TYPE_CHECKING:
    from types import TracebackType

    from imagepeel.evidence import Anomaly
    from imagepeel.image import Image
    from imagepeel.layers.index_cache import IndexCache
    from imagepeel.layers.scan import LayerScan
    from imagepeel.store.detect import Rule
    from imagepeel.store.records import ImageRecord


class Archive:
    """An opened image archive: a tar, a compressed tar, a layout directory, or what came from standard input.

    Use it as a context manager; images of it read their bytes while it is open.
    """

    def __init__(
        self,
        container: Container,
        *,
        limits: Limits,
        verify: bool,
        progress: Callable[[int], None] | None,
        cache: IndexCache | None = None,
    ) -> None:
        self.container = container
        self.cache = cache
        """Where scans of layers are kept between runs, None for nowhere."""
        self.limits = limits
        self.verify = verify
        self.progress = progress
        self.scans: dict[Any, LayerScan] = {}
        """Results of layer scans by the place of the bytes: images of one archive share layers."""
        self.kept = 0
        """Bytes of content that these scans hold."""
        self._images: dict[int, Image] = {}

    def __repr__(self) -> str:
        return f"<Archive {self.name!r} {self.kind} {len(self.records)} images>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        from imagepeel.render.notebook import bundle

        return bundle(self)

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from imagepeel.render.terminal_objects import parts

        yield from parts(self)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.cache is not None and kind is None:
            for image in self._images.values():
                image.read_ahead()
        self.close()

    def close(self) -> None:
        """Close the file; images of this archive can no longer read bytes they have not read yet."""
        if self.cache is not None:
            self.cache.save()
        self.container.close()

    @property
    def name(self) -> str:
        """The path it was opened from, "-" for standard input."""
        return self.container.name

    @property
    def kind(self) -> str:
        """docker-archive, oci-layout, hybrid, dir, docker-v1, rootfs, layer, ..."""
        return self.container.kind

    @property
    def rule(self) -> Rule:
        """Which rule recognised it, with one plain sentence."""
        return self.container.rule

    @property
    def records(self) -> tuple[ImageRecord, ...]:
        """Everything stored like an image, attestations and artifacts too, in archive order."""
        return self.container.records

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """What was odd about the archive as a whole."""
        return self.container.anomalies

    def image(self, reference: str | None = None, *, platform: str | None = None) -> Image:
        """Return one image.

        Arguments: `reference` is a tag, a name, a digest or a unique start of one, or a number from 1 as `#2`;
        `platform` is `os/architecture[/variant]`.  Without either, the only image that can be meant.
        NotFound when nothing fits, Ambiguous with the candidates when several do, UsageError for a bad platform.
        """
        choice = select(self.records, reference, platform, indexes=self.container.indexes)
        return self._image(choice.record, choice.reason)

    def images(self) -> list[Image]:
        """Return every image for a container, complete or not, in archive order."""
        return [self._image(record, "") for record in self.container.images]

    def _image(self, record: ImageRecord, reason: str) -> Image:
        from imagepeel.image import Image

        known = self._images.get(record.number)
        if known is None:
            known = self._images[record.number] = Image(self, record, reason=reason)
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
    container = open_container(source, limits, blobs=blobs)
    return Archive(container, limits=limits, verify=verify, progress=progress, cache=_cache(cache))


def _cache(wanted: bool | str | os.PathLike[str] | IndexCache) -> IndexCache | None:
    if wanted is False:
        return None
    from imagepeel.layers.index_cache import IndexCache
    from imagepeel.store.cache_dir import CacheDir

    if isinstance(wanted, IndexCache):
        return wanted
    return IndexCache(CacheDir(None if wanted is True else wanted))
