"""A blob of a registry as a source of bytes: fetched when somebody reads it, once, and kept in a temporary file."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

from imagepeel.archive.source import CHUNK, Source, Spool, closed
from imagepeel.errors import DigestMismatch, FetchFailed, ImagepeelError, LimitExceeded
from imagepeel.limits import Limits
from imagepeel.oci.digest import Digest, algorithm_of, can_verify, short
from imagepeel.sources import http
from imagepeel.sources.registry import Registry
from imagepeel.text import plural

_SNIFFED = 64
"""Bytes at the start by which people tell a compression: they are given before the rest is here."""

_PROGRESS = 1 << 20
"""Bytes of a blob with which a connection that broke counts as a good one."""


class RemoteBlob(Source):
    """The bytes that a registry has under a digest.

    `once` hands them out as they come, for a reader who checks the digest itself.  Any other read waits until all of
    them are here and were checked, so that nobody sees bytes under a digest that is not theirs: DigestMismatch.  A
    connection that breaks is taken up where it broke.
    """

    def __init__(self, registry: Registry, digest: Digest, size: int, limits: Limits, *, verify: bool) -> None:
        self.name: str = str(digest)
        self.size: int = size
        self.digest: Digest = digest
        self._registry = registry
        self._limits = limits
        self._lock = threading.RLock()
        self._spool: Spool | None = None
        self._pieces: Iterator[bytes] | None = None
        self._hash: Any = hashlib.new(algorithm_of(digest)) if verify and can_verify(digest) else None
        self._whole = False
        self._told = self._closed = False
        self.promised: Digest | None = digest if self._hash is not None else None

    def once(self, *, step: int = CHUNK) -> Iterator[bytes]:
        at = 0
        while at < self.size:
            with self._lock:
                # Another read may have fetched more than this one has handed out.
                piece = self._kept(at, min(step, self._came - at)) if at < self._came else self._next(step)
            at += len(piece)
            yield piece
        with self._lock:
            self._finish()
            self._told = True

    def pread(self, offset: int, count: int) -> bytes:
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        with self._lock:
            if offset + count <= _SNIFFED:
                while self._came < offset + count:
                    self._next(CHUNK)
            elif not self._told:
                self._finish()
                self._require()
            return self._kept(offset, count)

    def release(self) -> None:
        """Let go of the temporary file and of the connection: `close` does not, since each reader closes its source."""
        with self._lock:
            self._closed = True
            self._pieces = None
            if self._spool is not None:
                self._spool.discard()

    @property
    def _came(self) -> int:
        return self._spool.size if self._spool is not None else 0

    def _kept(self, offset: int, count: int) -> bytes:
        if self._closed or self._spool is None:
            raise closed(self.name)
        return self._spool.read_back(offset, count)

    def _finish(self) -> None:
        """Fetch what is not here yet, and see that nothing comes behind it.  DigestMismatch for another size."""
        while not self._whole:
            self._next(CHUNK)

    def _require(self) -> None:
        found = f"{algorithm_of(self.digest)}:{self._hash.hexdigest()}" if self._hash is not None else self.digest
        if found != self.digest:
            raise DigestMismatch(
                f"{self._registry.name.host} sends other bytes for {short(self.digest)}: their digest is {found}",
                hint="do not trust the registry (--no-verify looks at them anyway)",
            )
        self._told = True

    def _next(self, step: int) -> bytes:
        """Return the next piece of the blob, which is kept; b"" at the end."""
        if self._closed:
            raise closed(self.name)
        if self._spool is None:
            if self.size > self._limits.spool_bytes:
                raise LimitExceeded(
                    f"{short(self.digest)} has {plural(self.size, 'byte')}, too many to keep",
                    hint="raise Limits.spool_bytes if you trust the registry",
                )
            self._spool = Spool(self._limits, short(self.digest))
        if self._pieces is None:
            self._pieces = self._fetch(step)
        try:
            piece = next(self._pieces, b"")
        except ImagepeelError:
            self._pieces = None  # the next read asks again, and does not take this for the end
            raise
        if not piece:
            self._whole = True
            if self._came < self.size:
                raise self._wrong_size(self._came)
            return b""
        if self._came + len(piece) > self.size:
            self._pieces = None
            raise self._wrong_size(self._came + len(piece), "at least ")
        self._spool.write(piece)
        if self._hash is not None:
            self._hash.update(piece)
        return piece

    def _wrong_size(self, size: int, least: str = "") -> DigestMismatch:
        return DigestMismatch(
            f"{self._registry.name.host} sends {least}{plural(size, 'byte')} for {short(self.digest)}, of which "
            f"{self.size:,} are stated",
            hint="do not trust the registry; or push the image again",
        )

    def _fetch(self, step: int) -> Iterator[bytes]:
        """Yield the bytes from the registry; where a connection breaks, from the next one, some times."""
        broken = 0
        while True:
            before = self._came
            answer = self._registry.blob(self.digest, before)
            skip = before if answer.status == 200 else 0
            if not skip and not answer.headers.get("Content-Range", "bytes 0-").startswith(f"bytes {before}-"):
                answer.close()
                raise FetchFailed(f"{self._registry.name.host} sends another part of {short(self.digest)}")
            try:
                for piece in answer.pieces(step):
                    if len(piece) > skip:
                        yield piece[skip:]
                    skip = max(0, skip - len(piece))
                return
            except FetchFailed:
                broken = 0 if self._came - before >= _PROGRESS else broken + 1
                if broken >= http.ATTEMPTS:
                    raise
            finally:
                answer.close()
