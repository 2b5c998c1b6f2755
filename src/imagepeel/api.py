"""The way in: open an image archive, get its images, and ask what they become."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from imagepeel.archive.detect import judge_head
from imagepeel.archive.opened import OpenArchive, open_as
from imagepeel.archive.select import select
from imagepeel.archive.source import Source, spool_stdin
from imagepeel.errors import Ambiguous, NotFound
from imagepeel.layers.pool import ScanPool
from imagepeel.limits import DEFAULT, Limits
from imagepeel.text import plural
from imagepeel.verbs import Image

if TYPE_CHECKING:
    from imagepeel.archive.kinds.kind import Detected
    from imagepeel.archive.members import Members
    from imagepeel.archive.records import ImageRecord
    from imagepeel.layers.index_cache import IndexCache
    from imagepeel.results.loadable import LoadableResult
    from imagepeel.results.why import WhyResult


class Archive(OpenArchive):
    """An opened image archive: a tar, a compressed tar, a layout directory, or what came from standard input.

    Use it as a context manager; images of it read their bytes while it is open, and reading later is a UsageError.
    `archive["shop:1.4"]` is one image, `len(archive)` and iteration are about those of `images()`.
    """

    def __init__(self, name: str, detected: Detected, limits: Limits, *, pool: ScanPool, named: str = "") -> None:
        super().__init__(name, detected, limits)
        self._pool = pool
        self._named = named
        self._images: dict[int, Image] = {}

    def __repr__(self) -> str:
        return f"<Archive {self.name!r} {self.kind} {plural(len(self.records), 'image')}>"

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

    @property
    def named(self) -> str:
        """The image that the word of the source chose, as in `oci-archive:FILE:TAG`; "" where it chose none."""
        return self._named

    def image(self, reference: str | None = None, *, platform: str | None = None) -> Image:
        """Return one image.

        Arguments: `reference` is a tag, a name, a digest or a unique start of one, or a number from 1 as `#2`;
        `platform` is `os/architecture[/variant]`.  Without either, the only image that can be meant.
        NotFound when nothing fits, Ambiguous with the candidates when several do, UsageError for a bad platform.
        """
        choice = select(self.records, reference or self._named or None, platform, indexes=self.indexes)
        return self._image(choice.record, choice.reason, asked=choice.asked)

    def images(self) -> list[Image]:
        """Return every image for a container, complete or not, in archive order."""
        return [self._image(record, "") for record in self.runnable]

    def loadable(self) -> LoadableResult:
        """Say who takes this archive, image by image in archive order; see `Image.loadable`.

        Of an archive without an image its artifacts are judged: some tools take them, too.  Layers are read for it.
        LimitExceeded on bombs.
        """
        from imagepeel.results.loadable import loadable_result  # start time

        delivered = self.delivered()
        for image in delivered:
            image.require_headers("the stores")
        return loadable_result(self, delivered)

    def delivered(self) -> list[Image]:
        """Return what programs that load are asked about: every image, or the artifacts where there is no image."""
        return self.images() or [self._image(record, "") for record in self.records]

    def __getitem__(self, reference: str) -> Image:
        """Return the image of a reference; arguments and errors are those of `image`."""
        if not isinstance(reference, str):
            raise TypeError(f"images have names, not indexes: archive['#1'] or archive.images()[0], not {reference!r}")
        return self.image(reference)

    def __len__(self) -> int:
        """Return the number of images for a container."""
        return len(self.runnable)

    def __bool__(self) -> bool:
        """An archive is there, also without an image for a container."""
        return True

    def __iter__(self) -> Iterator[Image]:
        """Yield every image for a container, complete or not, in archive order."""
        return iter(self.images())

    def __contains__(self, reference: object) -> bool:
        """Say whether a reference means an image, or whether an image is one of this archive."""
        if not isinstance(reference, str):
            return any(reference is image for image in self.images())
        try:
            self.image(reference)
        except NotFound:
            return False
        except Ambiguous:
            return True
        return True

    def _ipython_key_completions_(self) -> list[str]:
        return list(dict.fromkeys(name for image in self.images() for name in image.names))

    def _image(self, record: ImageRecord, reason: str, *, asked: bool = False) -> Image:
        known = self._images.get(record.number)
        if known is None:
            known = self._images[record.number] = Image(self, record, self._pool, reason=reason, asked=asked)
        return known


def why(text: str, *, engine: str = "") -> WhyResult:
    """Decode an error text, an exit code or a signal: who says it, about what, and all causes, likeliest first.

    Arguments: `text` is what somebody read, with whatever stands around it; `engine` is NAME[@VERSION] where it is
    known.  `recognised` of the result is false where nothing of it is known, which does not mean that nothing is wrong.
    UsageError for an unknown engine.
    Source: the words of `process.engines`, the kernel, loaders, shells and wrappers, as predictions have them.
    """
    from imagepeel.results.why import why_result  # start time

    return why_result(text, engine=engine)


def open(
    what: str | os.PathLike[str] | Source | IO[bytes],
    *,
    limits: Limits = DEFAULT,
    verify: bool = True,
    tables: bool = False,
    blobs: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
    cache: bool | str | os.PathLike[str] | IndexCache = False,
    unread: bool = False,
    plain_http: bool = False,
    ca: str | os.PathLike[str] | None = None,
) -> Archive:
    """Open an image archive, or an image where it is.

    Arguments: `what` is a path (tar, compressed tar, or directory), "-" for standard input, a file object that is
    open for reading bytes, which its owner closes after the archive, or a text that names a source and no file, such as
    `registry:HOST/NAME:TAG` (docs/reference/sources.md has all of them); `limits` bound what hostile input may cost;
    `verify=False` skips hashing for a quick look; with `tables=True` beside it a layer of a registry that has a table
    of contents (eStargz, zstd:chunked) is listed by it and not fetched, its files come when they are read, and what
    asks for the headers of the tar, such as `findings`, is a UsageError; `blobs` is a directory of shared blobs for
    layouts without their own; `progress` is called with counts of bytes read; `cache` keeps what a scan found for the
    next run: True in `$XDG_CACHE_HOME/imagepeel`, or a directory of your own; with `unread=True` an archive whose
    documents cannot be read or name no image is opened too, with one image of which nothing is known: `loadable` says
    who refuses it.
    Of a source: `plain_http` lets bytes and credentials go to another machine unencrypted, `ca` is a file of
    certificates that are trusted beside those of this machine.
    PathNotFound when there is no such file, NotAnImage or Unsupported when it is something else, Malformed when it is
    damaged beyond reading, LimitExceeded on bombs, UsageError for a file object that is closed or open as text.
    """
    source: str | os.PathLike[str] | Source | Members | IO[bytes] = what
    named, fetched = "", False
    if isinstance(what, str) and what == "-":
        source = spool_stdin(limits, progress=progress, judge=judge_head)
    elif isinstance(what, str) and not os.path.lexists(what):
        from imagepeel.sources.request import Request  # start time
        from imagepeel.sources.table import find  # start time

        trusted = os.fspath(ca) if ca is not None else ""
        request = Request(limits=limits, progress=progress, verify=verify, plain_http=plain_http, ca=trusted)
        given = find(what, request)
        source, named = given.what, given.reference
        fetched = not isinstance(source, str)

    def make(name: str, detected: Detected, limits: Limits) -> Archive:
        pool = ScanPool(limits, verify=verify, tables=tables, cache=_cache(cache), progress=progress)
        return Archive(name, detected, limits, pool=pool, named=named)

    opened = open_as(make, source, limits, blobs=blobs, unread=unread)
    opened.elsewhere = fetched
    return opened


def _cache(wanted: bool | str | os.PathLike[str] | IndexCache) -> IndexCache | None:
    if wanted is False:
        return None
    from imagepeel.archive.cache_dir import CacheDir  # start time
    from imagepeel.layers.index_cache import IndexCache  # start time

    if isinstance(wanted, IndexCache):
        return wanted
    return IndexCache(CacheDir(None if wanted is True else wanted))
