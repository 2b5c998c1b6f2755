"""HTTP for all sources: time limits, bounds, redirects, retries, and whom credentials go to.

On `http.client` of the standard library: `docs/explanation/dependencies.md` says why.  Nothing here interprets bodies.

    with Http(request) as http:
        answer = http.send("GET", "https://host/image.tar", {"Range": "bytes=0-511"})
        data = answer.read(512)
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from imagepeel._version import __version__
from imagepeel.errors import FetchFailed, LimitExceeded, NotFound, UsageError
from imagepeel.sources.request import Request
from imagepeel.sources.words import shown
from imagepeel.text import plural

CONNECT, READ = 10.0, 30.0
"""Seconds for a connection, and for the next bytes of an answer."""
HEAD = 60.0
"""Seconds for all of a request up to the end of the header of its answer: a server may send that byte by byte."""
PACE_WINDOW, PACE_BYTES = 30.0, 4096
"""In so many seconds so many bytes of a body must come, or the server is too slow."""
ATTEMPTS = 4
"""How often what is safe to repeat is sent."""
BACKOFF = 0.5
"""Seconds before the second attempt; each further wait is twice as long."""
MOST_WAIT = 60.0
"""Seconds that `Retry-After` may ask for at one time; an error says what a server asks for beyond that."""
REDIRECTS = 10
CHUNK = 256 * 1024
_AGAIN = frozenset((429, 502, 503, 504))
_MOVED = frozenset((301, 302, 303, 307, 308))
_IDLE = 4
"""Connections to one place that are kept for the next request."""


class Answer:
    """The answer to one request: `status`, `headers`, `url` where it came from, and the body, once."""

    def __init__(
        self, home: Http, url: str, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ):
        self.url: str = url
        self.status: int = response.status
        self.headers: http.client.HTTPMessage = response.headers
        self._http = home
        self._connection: http.client.HTTPConnection | None = connection
        self._response = response
        self._came = 0

    @property
    def size(self) -> int | None:
        """Bytes of the body as the server states them, None where it does not."""
        stated = self.headers.get("Content-Length", "")
        return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 19 else None

    def pieces(self, step: int = CHUNK) -> Iterator[bytes]:
        """Yield the body as it comes.  FetchFailed when it breaks off or is too slow."""
        since, before = time.monotonic(), 0
        while True:
            try:
                piece = self._response.read1(step)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise _broken(self.url, error, self._came) from error
            if not piece:
                break
            self._came += len(piece)
            now = time.monotonic()
            if now - since > PACE_WINDOW:
                if self._came - before < PACE_BYTES:
                    self.close()
                    raise FetchFailed(f"{shown(self.url)} sends too slowly", hint="try again later")
                since, before = now, self._came
            yield piece
        if self.size is not None and self._came < self.size and self._response.length != 0:
            self.close()
            raise FetchFailed(
                f"{shown(self.url)} broke off after {plural(self._came, 'byte')} of {self.size:,}", hint="try again"
            )
        self._give_back()

    def read(self, cap: int) -> bytes:
        """Return the whole body.  LimitExceeded past `cap` bytes, FetchFailed when it breaks off."""
        if self.size is not None and self.size > cap:
            self.close()
            raise _too_large(self.url, cap)
        parts: list[bytes] = []
        for piece in self.pieces(min(CHUNK, cap + 1)):
            parts.append(piece)
            if self._came > cap:
                self.close()
                raise _too_large(self.url, cap)
        return b"".join(parts)

    def drop(self) -> None:
        """Be done with a body that nobody reads; the connection stays for the next request where that is cheap."""
        if self.size is None or self.size > CHUNK:
            self.close()
            return
        try:
            for _ in self.pieces():
                pass
        except FetchFailed:
            pass

    def close(self) -> None:
        """Let go of the rest of the body."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _give_back(self) -> None:
        stays = not self._response.will_close
        self._response.close()
        if self._connection is not None and stays:
            self._http.keep(self.url, self._connection)
            self._connection = None
        self.close()


class Http:
    """Sends requests as a `Request` allows it.  Several threads may use one; each answer belongs to one of them."""

    def __init__(self, request: Request) -> None:
        self.plain_http: bool = request.plain_http
        self._ca = request.ca
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            kept, self._idle = self._idle, {}
        for connection in (one for some in kept.values() for one in some):
            connection.close()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        again: bool = True,
    ) -> Answer:
        """Return the answer of whatever status, redirects followed.

        Arguments: `headers` go along; `Authorization` among them only to the scheme, host and port of `url`, and
        never again once a redirect led elsewhere.  A name and password in `url` are sent to that place alone.  With
        `again`, what failed on the way, or was answered with 429, 502, 503 or 504, is repeated after a while.
        FetchFailed when there is no answer, when a redirect leads in a circle or out of encryption, or when `url`
        itself would send bytes unencrypted to another machine.
        """
        sent = {"User-Agent": f"imagepeel/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        place = split(url)
        if place.username is not None:
            pair = f"{unquote(place.username)}:{unquote(place.password or '')}"
            sent.setdefault("Authorization", "Basic " + base64.b64encode(pair.encode()).decode("ascii"))
            url = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()
        seen: set[str] = set()
        while True:
            self._require_tls(url)
            answer = self._patient(method, url, sent, body) if again else self._once(method, url, sent, body)
            target = answer.headers.get("Location", "")
            if answer.status not in _MOVED or not target or method not in ("GET", "HEAD"):
                return answer
            answer.drop()
            seen.add(url)
            after = urljoin(url, target)
            if after in seen or len(seen) > REDIRECTS:
                raise FetchFailed(f"{shown(url)} is redirected in a circle", hint="it is the server that is wrong")
            there = split(after)
            if there.scheme != "https" and split(url).scheme == "https" and not self.plain_http:
                raise FetchFailed(f"{shown(url)} redirects to {shown(after)}, which is not encrypted")
            if origin(after) != origin(url):
                sent.pop("Authorization", None)
            # A name in front of the host would be sent as credentials that nobody here gave.
            url = there._replace(netloc=there.netloc.rpartition("@")[2], fragment="").geturl()

    def speaks_tls(self, host: str) -> bool:
        """Whether the other end of `host[:port]` answers in TLS; a certificate that is not trusted does, too.

        FetchFailed when nothing answers.
        """
        url = f"https://{host}/"
        connection = self._connection(split(url))
        try:
            connection.connect()
        except ssl.SSLCertVerificationError:
            return True
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            return False
        except OSError as error:
            raise _broken(url, error, 0) from error
        self.keep(url, connection)
        return True

    def keep(self, url: str, connection: http.client.HTTPConnection) -> None:
        """Keep an idle connection for the next request to the same place."""
        with self._lock:
            kept = self._idle.setdefault(origin(url), [])
            if len(kept) < _IDLE:
                kept.append(connection)
                return
        connection.close()

    def _patient(self, method: str, url: str, sent: Mapping[str, str], body: bytes | None) -> Answer:
        wait = BACKOFF
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                answer = self._once(method, url, sent, body)
            except _Lost as lost:
                if last or not lost.passing:
                    raise lost.failed from lost.__cause__
            else:
                asked = _seconds(answer.headers.get("Retry-After", ""))
                if answer.status not in _AGAIN or last or (asked is not None and asked > MOST_WAIT):
                    return answer
                answer.drop()
                wait = max(wait, asked or 0)
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def _once(self, method: str, url: str, sent: Mapping[str, str], body: bytes | None) -> Answer:
        """Send one request; one on a connection that lay idle is repeated on a new one, since it may be closed."""
        place = split(url)
        target = quote(place.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{place.query}" if place.query else "")
        with self._lock:
            kept = self._idle.get(origin(url)) or []
            idle = kept.pop() if kept else None
        for connection in (idle, self._connection(place)):
            if connection is None:
                continue
            cut = threading.Event()
            late = threading.Timer(HEAD, _cut, [connection, cut])
            late.daemon = True
            late.start()
            try:
                connection.request(method, self._target(place, target), body=body, headers=dict(sent))
                response = connection.getresponse()
                if cut.is_set():
                    raise TimeoutError  # a header that was cut off is taken for a whole one
                return Answer(self, url, connection, response)
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                if cut.is_set():
                    raise _Lost(_broken(url, TimeoutError(), 0), passing=False) from error
                if connection is not idle:
                    raise _Lost(_broken(url, error, 0), passing=_passes(error)) from error
            finally:
                late.cancel()
        raise AssertionError("there is always a new connection")

    def _target(self, place: SplitResult, target: str) -> str:
        return f"http://{place.netloc}{target}" if place.scheme == "http" and _proxy(place) else target

    def _connection(self, place: SplitResult) -> http.client.HTTPConnection:
        host, port = place.hostname or "", _port(place)
        proxy = _proxy(place)
        at = split(proxy if "//" in proxy else f"http://{proxy}") if proxy else None
        near = (at.hostname or "", _port(at)) if at is not None else (host, port)
        made: http.client.HTTPConnection
        if place.scheme == "https":
            made = http.client.HTTPSConnection(*near, timeout=CONNECT, context=self._trust())
            if at is not None:
                made.set_tunnel(host, port)
        else:
            made = http.client.HTTPConnection(*near, timeout=CONNECT)
        # The time for a connection is not that for an answer, and each read has its own.
        connect = made.connect

        def then_wait() -> None:
            connect()
            made.sock.settimeout(READ)

        made.connect = then_wait  # type: ignore[method-assign]
        return made

    def _trust(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                context = ssl.create_default_context()
                if self._ca:
                    try:
                        context.load_verify_locations(self._ca)
                    except (OSError, ssl.SSLError) as error:
                        why = getattr(error, "reason", None) or error.strerror or "it holds no certificates"
                        raise UsageError(
                            f"cannot read certificates of {self._ca}: {why}", hint="give a PEM file"
                        ) from None
                self._context = context
            return self._context

    def _require_tls(self, url: str) -> None:
        place = split(url)
        if place.scheme == "https" or self.plain_http or is_loopback(place.hostname or ""):
            return
        raise FetchFailed(
            f"{shown(url)} would be read without encryption", hint="give --plain-http if that is what you want"
        )


class _Lost(Exception):
    """No answer came; `passing` where another attempt may have more luck."""

    def __init__(self, failed: FetchFailed, *, passing: bool) -> None:
        super().__init__(str(failed))
        self.failed = failed
        self.passing = passing


def split(url: str) -> SplitResult:
    """Return the parts of an address.  FetchFailed when it is none of http or https."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError as error:
        raise FetchFailed(f"{shown(url)} is no address: {error}") from None
    if place.scheme not in ("http", "https") or not place.hostname or port == 0 or not url.isprintable():
        raise FetchFailed(f"{shown(url)} is no address of http or https")
    return place


def origin(url: str) -> str:
    """Return scheme, host and port: what has to be the same for credentials to go along."""
    place = split(url)
    return f"{place.scheme}://{(place.hostname or '').lower()}:{_port(place)}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address; names are not looked up for it."""
    host = host.strip("[]").lower().rstrip(".")
    if host == "localhost" or host == "::1":
        return True
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isascii() and part.isdigit() for part in parts)


def refused(answer: Answer, what: str, *, login: str = "") -> FetchFailed | NotFound:
    """Return the error for an answer that is no success; the answer is closed.

    Arguments: `what` is what was asked for; `login` is the host that a login would be for, where there is one.
    """
    status, where = answer.status, split(answer.url).hostname or ""
    asked = answer.headers.get("Retry-After", "")
    answer.drop()
    if status in (404, 410):
        return NotFound(f"{where} has no {what} (HTTP {status})", hint="check the name, and what it has")
    if status in (401, 403):
        hint = f"log in: docker login {login} or podman login {login}" if login else "check what the server asks for"
        return FetchFailed(f"{where} does not give {what} to this user (HTTP {status})", hint=hint)
    if status == 429:
        wait = f"; it says to wait {asked} seconds" if asked.isascii() and asked.isdigit() else ""
        return FetchFailed(
            f"{where} takes no more requests for now (HTTP 429){wait}", hint="try again later, or log in"
        )
    if status >= 500:
        return FetchFailed(f"{where} failed to give {what} (HTTP {status})", hint="try again later: it is the server's")
    return FetchFailed(f"{where} did not give {what} (HTTP {status})")


def _port(place: SplitResult) -> int:
    return place.port or (443 if place.scheme == "https" else 80)


def _proxy(place: SplitResult) -> str:
    """Return the proxy that the environment names for a place, "" for none; this machine is reached without."""
    host = place.hostname or ""
    names = (f"{place.scheme}_proxy", f"{place.scheme.upper()}_PROXY") if place.scheme == "https" else ("http_proxy",)
    given = next((os.environ[name] for name in (*names, "all_proxy", "ALL_PROXY") if os.environ.get(name)), "")
    if not given or is_loopback(host):
        return ""
    for rule in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
        rule = rule.strip().lstrip(".").lower()
        if rule == "*" or (rule and (host == rule or host.endswith("." + rule))):
            return ""
    return given


def _cut(connection: http.client.HTTPConnection, cut: threading.Event) -> None:
    cut.set()
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _passes(error: BaseException) -> bool:
    """Whether an error may be gone at once: not a wrong name or certificate, a refusal, or a server that is slow."""
    lasting = ssl.SSLError | socket.gaierror | ConnectionRefusedError | TimeoutError | PermissionError | ValueError
    return not isinstance(error, lasting)


def _broken(url: str, error: BaseException, came: int) -> FetchFailed:
    """Return the error for a connection that failed, with what to do."""
    where = split(url).netloc.rpartition("@")[2]
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchFailed(
            f"the certificate of {where} is not trusted: {error.verify_message}",
            hint="give the certificate of its authority with --ca FILE",
        )
    if isinstance(error, ssl.SSLError):
        why = (error.reason or "handshake failed").replace("_", " ").lower()
        return FetchFailed(f"no encrypted connection to {where}: {why}", hint="--plain-http talks without encryption")
    if isinstance(error, socket.gaierror):
        return FetchFailed(f"{where} is not known: {error.strerror}", hint="check the name, and the network")
    after = f" after {plural(came, 'byte')}" if came else ""
    if isinstance(error, TimeoutError):
        return FetchFailed(f"{where} does not answer in time{after}", hint="try again later")
    if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
        return FetchFailed(f"the connection to {where} failed{after}: {error.strerror or type(error).__name__}")
    return FetchFailed(f"{where} does not speak HTTP as it should{after}: {type(error).__name__}")


def _too_large(url: str, cap: int) -> LimitExceeded:
    return LimitExceeded(
        f"{shown(url)} has more than {plural(cap, 'byte')}", hint="raise Limits.json_bytes if you trust the server"
    )
