"""Images that an engine of this machine holds, asked of the socket of docker or podman.

The engine writes what its own `save` writes; the bytes go into an unnamed temporary file, bounded by
`Limits.spool_bytes`, and are gone when the archive is closed.  Nothing is pulled: an image that the engine does not
have is an error.

Source: the Docker Engine API (`GET /images/{name}/json`, `GET /images/get`) and podman's
(`GET /libpod/images/{name}/json`, `GET /libpod/images/{name}/get`).
"""

from __future__ import annotations

import errno
import http.client
import os
from collections.abc import Mapping
from typing import IO, Any, NamedTuple, cast
from urllib.parse import quote

import msgspec

from imagepeel._lazy import late
from imagepeel.archive.detect import judge_head
from imagepeel.archive.source import FileSource, spool_stream
from imagepeel.errors import FetchFailed, ImagepeelError, NotFound, UsageError
from imagepeel.limits import Limits
from imagepeel.serialization import from_json
from imagepeel.sources.engine_address import Address, docker_addresses, podman_addresses
from imagepeel.sources.request import Given, Request, Version
from imagepeel.sources.words import Word

ANSWER_SECONDS = 30.0
"""Seconds that an engine may take to say what it knows of an image: it answers from its memory."""
EXPORT_SECONDS = 900.0
"""Seconds between two pieces of an export: before the first of them engines write the whole image to their disk."""
_MOST_WORDS = 64 * 1024
"""Bytes of an error's body that are read."""
_MOST_SHOWN = 500
_NAME = late(r"[A-Za-z0-9\[][A-Za-z0-9._:/@+\[\]-]{0,1023}")
_ID = late(r"sha256:[0-9a-f]{1,64}|[0-9a-f]{64}")


class EngineApi(NamedTuple):
    """How to ask one engine, and what to tell who cannot reach it.

    `variable` is the environment variable with its address, `about` and `export` the paths of its API, with `{}` for
    the name; `start` says how to make it listen, `denied` who may connect, `save` and `pull` are its own commands.
    """

    name: str
    variable: str
    about: str
    export: str
    start: str
    denied: str
    save: str
    pull: str


DOCKER = EngineApi(
    name="docker",
    variable="DOCKER_HOST",
    about="/images/{}/json",
    export="/images/get?names={}",
    start="start it (systemctl start docker), or set DOCKER_HOST to where it listens",
    denied="join the group docker and log in again, or run docker save {} | imagepeel explain - as who may",
    save="docker save {} -o image.tar",
    pull="docker pull {}",
)
PODMAN = EngineApi(
    name="podman",
    variable="CONTAINER_HOST",
    about="/v1.0.0/libpod/images/{}/json",
    export="/v1.0.0/libpod/images/{}/get?format=docker-archive",
    start="start it (systemctl --user start podman.socket, or podman system service -t 0), "
    "or save the image: podman save {} -o image.tar",
    denied="use the socket of your own user, or save the image: podman save {} -o image.tar",
    save="podman save {} -o image.tar",
    pull="podman pull {}",
)


def docker(word: Word, request: Request) -> Given:
    """Return what docker saves of the image that a word names; arguments and errors are those of `spool_image`."""
    return Given(what=spool_image(DOCKER, word, request))


def podman(word: Word, request: Request) -> Given:
    """The same of podman."""
    return Given(what=spool_image(PODMAN, word, request))


def spool_image(
    engine: EngineApi, word: Word, request: Request, environment: Mapping[str, str] = os.environ
) -> FileSource:
    """Return what the engine saves of one image, as a source that owns an unnamed temporary file.

    Arguments: `word` has the image as the engine takes it: a name, with a tag or a digest, or an ID or its start;
    `environment` has the variables by which the engine's own commands find it.
    UsageError for what is no name of an image, NotFound when the engine does not have it, FetchFailed when nothing
    listens, when the socket is not for this user or when what answers does not do so as the engine does, LimitExceeded
    past a bound.
    Source: `docker save` and `podman save`, whose files are the same byte for byte.
    """
    peer = _peer(engine, word, request, environment)
    name, _ = peer.what_to_save()
    try:
        answer = peer.ask(engine.export.format(quote(name, safe="")), EXPORT_SECONDS)
        body = cast(IO[bytes], _Body(answer, peer))
        return spool_stream(body, request.limits, name=str(word), progress=request.progress, judge=judge_head)
    except _NoSuchImage as absent:  # it was removed meanwhile
        raise peer.absent(absent.what) from absent
    finally:
        peer.close()


def engine_version(word: Word, request: Request) -> Version:
    """Return the ID of the image that would be saved: the digest of its config, which has the digests of its layers.

    Some stores name an image by another document, so that who relies on it compares; errors are those of `spool_image`.
    """
    _, found = _peer(DOCKER if word.kind == "docker" else PODMAN, word, request, os.environ).what_to_save()
    return Version(stamp=found, digest=True)


def _peer(engine: EngineApi, word: Word, request: Request, environment: Mapping[str, str]) -> _Peer:
    image = word.rest
    if not _NAME.fullmatch(image) or ".." in image:
        raise UsageError(
            f"{image} is no name of an image", hint=f"write it as {engine.name} does: {engine.name}:NAME:TAG"
        )
    find = docker_addresses if engine is DOCKER else podman_addresses
    return _Peer(engine, image, find(environment, plain_http=request.plain_http), request.limits)


class _Peer:
    """One engine that is asked about one image."""

    def __init__(self, engine: EngineApi, image: str, addresses: list[Address], limits: Limits) -> None:
        self._engine = engine
        self._image = image
        self._addresses = addresses
        self._limits = limits
        self._open: list[http.client.HTTPConnection] = []
        self._words = ""
        self._seconds = ANSWER_SECONDS

    def what_to_save(self) -> tuple[str, str]:
        """Return the name or ID under which exactly the image that was named is saved, and its ID; else NotFound."""
        last = self._image.rpartition("/")[2]
        # docker save of a name without a tag writes all tags, where docker run means latest.
        if self._engine is DOCKER and "@" not in last and ":" not in last:
            found = self._about(f"{self._image}:latest")
            if found is not None:
                return f"{self._image}:latest", found
        found = self._about(self._image)
        if found is None:
            raise self.absent(self._words)
        named = ":" in last and "@" not in last and not _ID.fullmatch(self._image)
        return self._image if named or self._engine is not DOCKER else found, found

    def _about(self, name: str) -> str | None:
        """Return the ID of the image that the engine has under a name, None when it has none."""
        try:
            answer = self.ask(self._engine.about.format(quote(name, safe="")), ANSWER_SECONDS)
            body = _Body(answer, self).all(self._limits.json_bytes)
        except _NoSuchImage as absent:
            self._words = absent.what
            return None
        finally:
            self.close()
        try:
            known = from_json(body, dict[str, Any])
        except (msgspec.MsgspecError, ValueError):
            known = {}
        found = known.get("Id")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise self.garbage("its answer about the image has no ID")
        return found if ":" in found else f"sha256:{found}"

    def absent(self, words: str) -> ImagepeelError:
        """Return the error for an image that the engine does not have, in its words."""
        engine = self._engine
        return NotFound(
            f"{engine.name} has no image {self._image}: {words}",
            hint=f"see {engine.name} images; fetch it with {engine.pull.format(self._image)}",
        )

    def ask(self, path: str, seconds: float) -> http.client.HTTPResponse:
        """Return the answer to GET, a good one.  _NoSuchImage for 404 in the engine's words."""
        connection = self._connect()
        self._seconds = seconds
        try:
            connection.request("GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "imagepeel"})
            if connection.sock is not None:
                connection.sock.settimeout(seconds)
            answer = connection.getresponse()
        except TimeoutError as error:
            raise self.silent() from error
        except OSError as error:
            raise self._untrusted(self._addresses[0], error) or self.cut(error) from error
        except http.client.HTTPException as error:
            raise self.garbage("what it says is no HTTP") from error
        if answer.status == 200:
            return answer
        words, said = self._words_of(answer)
        if answer.status == 404 and words:
            raise _NoSuchImage(words)
        if answer.status == 404:
            raise self.garbage("it does not know the question (404)")
        raise FetchFailed(
            f"{self._where()} answers {answer.status}: {words or said or answer.reason}",
            hint=f"ask it for the reason (journalctl -u {self._engine.name}), or save the image yourself: "
            f"{self._engine.save.format(self._image)}",
        )

    def _connect(self) -> http.client.HTTPConnection:
        """Return a connection to the first address where something listens."""
        refused: list[tuple[Address, OSError]] = []
        for address in self._addresses:
            connection = address.connection()
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                refused.append((address, error))
                continue
            self._addresses = [address]
            self._open.append(connection)
            return connection
        raise self._unreachable(refused)

    def _unreachable(self, refused: list[tuple[Address, OSError]]) -> ImagepeelError:
        engine = self._engine
        for address, error in refused:
            if untrusted := self._untrusted(address, error):
                return untrusted
            if error.errno in (errno.EACCES, errno.EPERM):
                return FetchFailed(
                    f"{engine.name}'s socket {address.shown} is not for this user: {error.strerror}",
                    hint=engine.denied.format(self._image),
                )
        tried = "; ".join(f"{address.shown}: {error.strerror or error}" for address, error in refused)
        return FetchFailed(f"{engine.name} does not listen: {tried}", hint=engine.start.format(self._image))

    def _untrusted(self, address: Address, error: OSError) -> ImagepeelError | None:
        """Return the error for a side of TLS that does not trust the other one, None for any other error."""
        reason = getattr(error, "reason", None)  # ssl.SSLError
        if address.tls is None or not isinstance(reason, str):
            return None
        folder, name = address.tls.folder, self._engine.name
        why = getattr(error, "verify_message", None)
        if why:
            return FetchFailed(
                f"{name} at {address.shown} has a certificate that is not trusted: {why}",
                hint=f"ca.pem in {folder} is to be that of the authority which signed it",
            )
        return FetchFailed(
            f"{name} at {address.shown} ends the TLS connection: {reason.replace('_', ' ').lower()}",
            hint=f"cert.pem and key.pem in {folder} are to be those of a client that it trusts",
        )

    def _words_of(self, answer: http.client.HTTPResponse) -> tuple[str, str]:
        """Return what the engine says of an error in its own form, and a line of plain text instead; "" for neither."""
        try:
            body = answer.read(_MOST_WORDS)
        except (OSError, http.client.HTTPException):
            return "", ""
        try:
            words = from_json(body, dict[str, Any]).get("message")
        except (msgspec.MsgspecError, ValueError):
            line = body.decode("ascii", "replace").strip()
            return "", line if line.isascii() and line.isprintable() and "<" not in line and len(line) < 200 else ""
        return (words.strip()[:_MOST_SHOWN] if isinstance(words, str) else ""), ""

    def _where(self) -> str:
        return f"{self._engine.name} at {self._addresses[0].shown}"

    def silent(self) -> ImagepeelError:
        return FetchFailed(
            f"{self._where()} has not answered for {self._seconds:.0f} seconds",
            hint=f"restart it, or save the image yourself: {self._engine.save.format(self._image)}",
        )

    def garbage(self, what: str) -> ImagepeelError:
        return FetchFailed(
            f"{self._where()} does not answer as {self._engine.name} does: {what}",
            hint=f"set {self._engine.variable} to where {self._engine.name} listens, or save the image yourself: "
            f"{self._engine.save.format(self._image)}",
        )

    def cut(self, error: OSError | None = None) -> ImagepeelError:
        why = f": {error.strerror or error}" if error is not None else ""
        return FetchFailed(
            f"{self._where()} broke off before the image was complete{why}",
            hint=f"try again, or save the image yourself: {self._engine.save.format(self._image)}",
        )

    def close(self) -> None:
        """Close the connections."""
        for connection in self._open:
            connection.close()
        self._open.clear()


class _NoSuchImage(Exception):
    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class _Body:
    """The body of an answer as a stream that says when it was cut off."""

    def __init__(self, answer: http.client.HTTPResponse, peer: _Peer) -> None:
        self._answer = answer
        self._peer = peer
        self._left: int | None = answer.length

    def read(self, count: int) -> bytes:
        try:
            piece = self._answer.read1(count)
        except TimeoutError as error:
            raise self._peer.silent() from error
        except OSError as error:
            raise self._peer.cut(error) from error
        except http.client.HTTPException as error:
            raise self._peer.cut() from error
        if self._left is not None:
            self._left -= len(piece)
            if not piece and self._left > 0:
                raise self._peer.cut()
        return piece

    def all(self, most: int) -> bytes:
        """Return all of it, Malformed when that is more than `most` bytes."""
        parts: list[bytes] = []
        while piece := self.read(most + 1):
            parts.append(piece)
            if sum(map(len, parts)) > most:
                raise self._peer.garbage(f"its answer about the image has more than {most:,} bytes")
        return b"".join(parts)
