"""Archives on web servers: parts of them where the server gives parts and says which version they are of, else whole.

Source: RFC 9110, 13.1.5 (If-Range), 14.2 to 14.4 (Range, Content-Range) and 15.3.7 (206).
"""

from __future__ import annotations

import hashlib
from email.utils import mktime_tz, parsedate_tz
from typing import IO, cast

from imagepeel._lazy import late
from imagepeel.archive.detect import judge_head
from imagepeel.archive.source import VOUCHED, Source, spool_stream
from imagepeel.errors import FetchFailed, ImagepeelError, LimitExceeded
from imagepeel.limits import Limits
from imagepeel.receipts.copying import copying
from imagepeel.sources.fetched import BLOCK, Fetched, Run, changed
from imagepeel.sources.http import CHUNK, Answer, Http, origin, refused, split
from imagepeel.sources.request import Given, Request, Version
from imagepeel.sources.words import Word, shown
from imagepeel.text import plural

_RANGE = late(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_AS_IT_IS = ("", "identity", "gzip", "x-gzip", "zstd")
"""Encodings that leave a file which is opened all the same: servers also say so of a file that is compressed itself."""
_GONE = (401, 403, 404, 410)


def web(word: Word, request: Request) -> Given:
    """Return the archive behind an address of http or https.

    NotFound when the server has none there, FetchFailed when it is not reached, refuses, breaks off or changes the file
    meanwhile, LimitExceeded past a bound.
    """
    url = str(word)
    http = Http(request)
    try:
        return Given(what=_open(http, url, request))
    except BaseException:
        http.close()
        raise


def web_version(word: Word, request: Request) -> Version | None:
    """Return what the server says of the file's version; None where it says nothing that can be relied on.

    Source: RFC 9110, 8.8.2.2 (when a date is strong) and 8.8.3 (ETag).
    """
    url = str(word)
    with Http(request) as http:
        try:
            answer = http.send("HEAD", url, again=False)
        except ImagepeelError:
            return None  # who opens it asks in another way, with patience, and says what is wrong
        answer.close()
    found = _reliable(answer) if answer.status == 200 else ""
    return Version(stamp=_stamp(url, found)) if found else None


def _reliable(answer: Answer) -> str:
    """Return the strong ETag, else the date of the last change with the size; "" where both are weak or absent."""
    tag = answer.headers.get("ETag", "").strip()
    if _is_strong(tag):
        return tag
    changed, now = (parsedate_tz(answer.headers.get(name, "")) for name in ("Last-Modified", "Date"))
    if changed is None or now is None or answer.size is None or mktime_tz(now) - mktime_tz(changed) < 1:
        return ""  # within its second a file may change once more
    return f"{mktime_tz(changed)} {answer.size}"


def _stamp(url: str, version: str) -> str:
    """Return the stamp of a version of this address; who asks is no part of it."""
    place = split(url)
    words = f"{place.hostname}:{place.port} {place.path}?{place.query}\n{version}"
    return f"{VOUCHED}:{hashlib.sha256(words.encode()).hexdigest()}"


def _open(http: Http, url: str, request: Request) -> Source:
    answer = _asked(http, url, {"Range": f"bytes=0-{BLOCK - 1}"})
    if answer.status == 206:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        # Parts of a file that may be another one by now fit nothing, so that a version is asked for with each.
        if found and _version(answer) and int(found[1]) == 0 and int(found[2]) + 1 == min(BLOCK, int(found[3])):
            return _WebFile(http, url, answer, int(found[3]), request.limits)
    if answer.status in (206, 416):
        answer.close()
        answer = _asked(http, url, {})
    if answer.status != 200:
        answer.close()
        raise FetchFailed(f"{shown(url)} is answered with HTTP {answer.status} and no file")
    if answer.size is not None and answer.size > request.limits.spool_bytes:
        answer.close()
        most = plural(request.limits.spool_bytes, "byte")
        hint = "raise Limits.spool_bytes if you trust the archive"
        raise LimitExceeded(f"{shown(url)} is larger than {most}", hint=hint)
    stream = cast(IO[bytes], Body(answer, None))
    try:
        return spool_stream(stream, request.limits, name=shown(url), progress=request.progress, judge=judge_head)
    finally:
        answer.close()
        http.close()


def _asked(http: Http, url: str, headers: dict[str, str]) -> Answer:
    """Return an answer that may have bytes of the file.  NotFound or FetchFailed for one that has not."""
    answer = http.send("GET", url, headers)
    if answer.status >= 300 and answer.status not in (412, 416):
        if answer.status in (401, 403):
            answer.close()
            raise FetchFailed(
                f"{split(answer.url).hostname} does not give {shown(url)} to this user (HTTP {answer.status})",
                hint="a name and password go into the address: https://NAME:PASSWORD@HOST/...; "
                f"for anything else fetch it first: {copying(shown(url))}",
            )
        raise refused(answer, split(url).path or "/")
    encoding = answer.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _AS_IT_IS:
        answer.close()
        raise FetchFailed(
            f"{shown(url)} comes in the encoding {encoding[:20]}, which nobody asked for",
            hint="fetch it first: curl -fL --compressed -o image.tar ADDRESS",
        )
    return answer


def _version(answer: Answer) -> str:
    """Return what If-Range takes: the strong ETag, else the date of the last change; "" for neither."""
    tag = answer.headers.get("ETag", "").strip()
    return tag if _is_strong(tag) else answer.headers.get("Last-Modified", "").strip()


def _is_strong(tag: str) -> bool:
    return len(tag) > 2 and tag.startswith('"') and tag.endswith('"') and tag.isprintable()


def _with_login(there: str, url: str) -> str:
    """Return an address that `url` led to, with the name and password of that where both are of one server."""
    if origin(there) != origin(url):
        return there
    return split(there)._replace(netloc=split(url).netloc).geturl()


class _WebFile(Fetched):
    """A file of a server that gives parts."""

    def __init__(self, http: Http, url: str, first: Answer, size: int, limits: Limits) -> None:
        version = _version(first)
        stamp = _stamp(url, version) if _is_strong(version) else None
        super().__init__(shown(url), size, self._part, limits, stamp=stamp)
        self._http = http
        self._url = url
        self._here = _with_login(first.url, url)
        """Where a redirect led to: that server has this version."""
        self._version = version
        self.begin(Body(first, min(BLOCK, size)), min(BLOCK, size))

    def close(self) -> None:
        super().close()
        self._http.close()

    def _part(self, offset: int, end: int) -> Run:
        headers = {"Range": f"bytes={offset}-{end - 1}", "If-Range": self._version}
        answer = self._http.send("GET", self._here, headers)
        if answer.status in _GONE and self._here != self._url:
            # Signed addresses are valid for minutes.
            answer.close()
            answer = self._http.send("GET", self._url, headers)
            self._here = _with_login(answer.url, self._url)
        if answer.status in (200, 412, 416) or (answer.status == 206 and _version(answer) not in ("", self._version)):
            answer.close()
            raise changed(self.name)
        if answer.status != 206:
            raise refused(answer, split(self._url).path)
        found = answer.headers.get("Content-Range", "")
        if found != f"bytes {offset}-{end - 1}/{self.size}":
            answer.close()
            other = _RANGE.fullmatch(found)
            if other and int(other[3]) != self.size:
                raise changed(self.name)
            raise FetchFailed(
                f"{self.name} comes with other bytes than were asked for ({found[:60] or 'no Content-Range'})",
                hint=f"the server is wrong; fetch the archive first: {copying(self.name)}",
            )
        return Body(answer, end - offset)


class Body:
    """The body of an answer, read in pieces; `size` bytes of it, all when that is None."""

    def __init__(self, answer: Answer, size: int | None) -> None:
        self._answer = answer
        self._pieces = answer.pieces(CHUNK)
        self._left = size
        self._piece = memoryview(b"")

    def read(self, count: int) -> bytes:
        if self._left == 0:
            return b""
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        data = bytes(self._piece[:count])
        self._piece = self._piece[count:]
        if self._left is not None:
            self._left -= len(data)
            if self._left == 0 and not self._piece:
                next(self._pieces, None)  # the end of the body, with which the connection is free
        return data

    def close(self) -> None:
        self._answer.close()
