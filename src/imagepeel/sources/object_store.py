"""Archives in object stores, through fsspec and the package for the store.

What the store asks for (credentials, region, another endpoint) is found as that package finds it; nothing of it is read
or kept here.
"""

from __future__ import annotations

import hashlib
import io
from typing import IO, Any

from imagepeel.archive.source import VOUCHED
from imagepeel.errors import FetchFailed, ImagepeelError, NotFound, Unsupported, UsageError
from imagepeel.limits import Limits, MiB
from imagepeel.receipts.copying import copying
from imagepeel.sources.fetched import Fetched, Run, changed
from imagepeel.sources.request import Given, Request
from imagepeel.sources.words import Word

_LONGEST = 16 * MiB
"""Bytes of one request: fsspec hands them over together."""
_PACKAGES = {"s3": "imagepeel[s3]", "gs": "gcsfs", "gcs": "gcsfs"}
_AZURE = "adlfs"
_MOST_SHOWN = 300


def objects(word: Word, request: Request) -> Given:
    """Return the archive under a key of a bucket.

    Unsupported when the package for the store is not installed, NotFound when there is no such key or bucket,
    FetchFailed when the store is not reached, refuses or breaks off.
    """
    name = str(word)
    protocol = word.prefix.partition(":")[0]
    if "::" in name:
        raise UsageError(f"{name} is a chain of addresses", hint="give the address of the object alone")
    try:
        import fsspec  # start time

        store, path = fsspec.core.url_to_fs(name)
    except ImportError as error:
        package = _PACKAGES.get(protocol, _AZURE)
        raise Unsupported(
            f"{protocol}:// is read by a package that is not installed: {error}",
            hint=f"pip install '{package}'" if "[" in package else f"pip install 'imagepeel[fsspec]' {package}",
        ) from error
    except Exception as error:
        raise _said(error, name) from error
    try:
        about = store.info(path)
        if about.get("type") == "directory" or not isinstance(about.get("size"), int):
            raise NotFound(f"{name} is a folder of objects, not an archive", hint="give the key of one object")
        # The cache of a store's file holds one place, and layers are read at several.
        file = store.open(path, "rb", cache_type="none")
    except ImagepeelError:
        raise
    except Exception as error:
        raise _said(error, name) from error
    return Given(what=_Object(name, file, about, request.limits))


class _Object(Fetched):
    """An object of a store, whose `file` asks it for the bytes of each read."""

    def __init__(self, name: str, file: IO[bytes], about: dict[str, Any], limits: Limits) -> None:
        tag = about.get("ETag") or about.get("etag")
        words = f"{name}\n{tag}"
        stamp = f"{VOUCHED}:{hashlib.sha256(words.encode()).hexdigest()}" if tag else None
        super().__init__(name, about["size"], self._part, limits, stamp=stamp, longest=_LONGEST)
        self._object = file

    def _part(self, offset: int, end: int) -> Run:
        try:
            self._object.seek(offset)
            return io.BytesIO(self._object.read(end - offset))
        except Exception as error:
            raise _said(error, self.name) from error

    def close(self) -> None:
        super().close()
        self._object.close()


def _said(error: Exception, name: str) -> ImagepeelError:
    """Return the error for what a store's package raised: each package has its own classes."""
    kind = type(error).__name__
    words = " ".join(str(error).split())[:_MOST_SHOWN]
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{name} is not there: {words}", hint="check the bucket and the key")
    if kind == "FileExpired":
        return changed(name)
    if isinstance(error, PermissionError):
        return FetchFailed(f"the store does not give {name} to this user: {words}", hint=_login(name))
    if "Credential" in kind or "Auth" in kind or "Credential" in words:
        return FetchFailed(f"there are no credentials for {name}: {words}", hint=_login(name))
    return FetchFailed(f"cannot read {name}: {words or kind}", hint="try again, or copy the object to a file first")


def _login(name: str) -> str:
    words = "log in as the store's own tools do (for s3: aws configure, AWS_PROFILE, AWS_ACCESS_KEY_ID)"
    line = copying(name)
    return f"{words}, or copy it first: {line}" if line else words
