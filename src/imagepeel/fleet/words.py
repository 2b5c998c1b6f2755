"""The words that name many sources: a folder, a list, a source of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec

from imagepeel.archive.compression import Compression, sniff_compression
from imagepeel.archive.detect import is_image_directory
from imagepeel.archive.sniff import HEAD, is_tar
from imagepeel.errors import ImagepeelError, LimitExceeded, NotFound, UsageError
from imagepeel.fleet.reading import Reading
from imagepeel.sources.catalogue import host_of
from imagepeel.sources.words import spoken

MOST = 20_000_000
"""Sources of one survey."""
_LINE = 64 * 1024
_NAMES = (".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".oci")


class Unlisted(msgspec.Struct, frozen=True):
    """A word whose sources could not be listed to the end: why, and how many came before."""

    word: str
    error: Exception
    count: int

    def __hash__(self) -> int:
        return hash(self.word)


class Walk:
    """The sources that words name, in a stable order; `passed_over` counts files in folders that look like no archive.

    A folder that is an image is one source; any other folder is walked for archives and for folders that are images.
    Links are not followed.  A file of text is a list of sources, one a line; `registry:HOST` is each tag that a
    registry lists; everything else is a source itself.
    """

    def __init__(self, words: Iterable[str | os.PathLike[str]], reading: Reading) -> None:
        self._words = [os.fspath(word) for word in words]
        self._reading = reading
        self.passed_over: int = 0

    def __iter__(self) -> Iterator[str | Unlisted]:
        """Yield each source once, and each word whose sources nobody would list, or that has those past `MOST`."""
        seen: set[int] = set()
        for word in self._words:
            for source in self._of(word, lists=True):
                mark = hash(source)
                if mark in seen:
                    continue
                seen.add(mark)
                if len(seen) > MOST:
                    # A registry that lists names without end costs itself, and not what was seen before.
                    past = LimitExceeded(f"there are more than {MOST:,} sources", hint="survey them in parts")
                    yield Unlisted(spoken(word), past, 0)
                    break
                yield source

    def _of(self, word: str, *, lists: bool) -> Iterator[str | Unlisted]:
        host = host_of(word)
        if os.path.isdir(word):
            yield from [word] if self._is_image(word) else self._folder(word)
        elif host and not os.path.lexists(word):
            yield from self._registry(word, host)
        elif lists and is_list(word):
            with open(word, "rb") as file:
                for line in iter(lambda: file.readline(_LINE), b""):
                    named = line.strip()
                    if named and not named.startswith(b"#"):
                        yield from self._of(os.fsdecode(named), lists=False)
        elif spoken(word) != word:
            what = "an address with a login or a query is a secret that the tables would hold"
            hint = "list addresses without, or copy the archive first"
            yield Unlisted(spoken(word), UsageError(what, hint=hint), 0)
        else:
            yield word

    def _registry(self, word: str, host: str) -> Iterator[str | Unlisted]:
        from imagepeel.sources.catalogue import images_of  # start time

        count = 0
        try:
            for source in images_of(host, self._reading.request):
                count += 1
                yield source
        except (ImagepeelError, OSError) as error:
            yield Unlisted(word, error, count)

    def _is_image(self, folder: str) -> bool:
        try:
            return is_image_directory(folder, self._reading.limits)
        except NotFound:
            return False  # to list it says why

    def _folder(self, folder: str) -> Iterator[str]:
        todo = [folder]
        while todo:
            here = todo.pop()
            below: list[str] = []
            try:
                entries = sorted(os.scandir(here), key=lambda entry: os.fsencode(entry.name))
            except OSError:
                yield here  # it cannot be read: a source whose row says so
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if self._is_image(entry.path):
                        yield entry.path
                    else:
                        below.append(entry.path)
                elif _may_be_archive(entry):
                    yield entry.path
                else:
                    self.passed_over += 1
            todo += reversed(below)


def _may_be_archive(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry of a folder is an archive or called like one: a pipe of such a name is a row."""
    if entry.is_symlink():
        return False
    return looks_like_archive(entry.path) if entry.is_file() else entry.name.lower().endswith(_NAMES)


def looks_like_archive(path: str) -> bool:
    """Say whether a file is a tar or compressed by its first bytes, or is called like one."""
    if path.lower().endswith(_NAMES):
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return True  # nobody knows: a source whose row says so
    return sniff_compression(head[:64]) is not Compression.NONE or (len(head) > 0 and is_tar(head))


def is_list(path: str) -> bool:
    """Say whether a file is a text with one source a line: no archive, no JSON, no bytes that are no text."""
    if not os.path.isfile(path) or path.lower().endswith(_NAMES):
        return False
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if b"\0" in head or head.lstrip()[:1] in (b"{", b"[", b"<"):
        return False
    return sniff_compression(head[:64]) is Compression.NONE and bool(head.strip())
