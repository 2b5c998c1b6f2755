"""Where docker and podman listen, found as their own commands find it.

Source: docker(1) for DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH;
docker/cli, cli/context, for the files of a context; podman(1) and podman-system-service(1) for CONTAINER_HOST and the
places of the socket.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from imagepeel.errors import FetchFailed, NotFound, Unsupported, UsageError
from imagepeel.serialization import from_json
from imagepeel.sources.http import is_loopback

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 10.0
_MOST_SETTINGS = 1 << 20
_FILES = ("ca.pem", "cert.pem", "key.pem")
_SECURE_PORT = 2376
_PORTS = {"docker": 2375, "podman": 8888}


class Tls(NamedTuple):
    """How an engine is spoken to in TLS, by the files `ca.pem`, `cert.pem` and `key.pem` of `folder`.

    `of_context` says that the folder is one that docker keeps for a context: then `ca.pem` may be absent, and alone
    counts where it is there.  Without `verify` nobody checks who answers.
    """

    folder: str
    of_context: bool = False
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """Return what a connection is made with.  FetchFailed when the certificates cannot be used."""
        import ssl  # start time

        authority, certificate, key = (os.path.join(self.folder, name) for name in _FILES)
        try:
            if self.of_context and not os.path.exists(authority):
                context = ssl.create_default_context()
            else:
                context = ssl.create_default_context(cafile=authority)
            if not self.of_context:
                context.load_default_certs()
            if os.path.exists(certificate) or os.path.exists(key):
                # A key with a password would ask for it on the terminal, and docker takes none.
                context.load_cert_chain(certificate, key, password="")
        except OSError as error:
            raise FetchFailed(
                f"cannot use the certificates in {self.folder}: {error.strerror or error}",
                hint="see docker context inspect"
                if self.of_context
                else "DOCKER_CERT_PATH names a directory with ca.pem, cert.pem and key.pem",
            ) from error
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


class Address(NamedTuple):
    """Where an engine listens: a path, or a host and port; `shown` is how the user may write it."""

    shown: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: Tls | None = None

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection that is not yet made.  FetchFailed when the certificates cannot be used."""
        if self.path:
            return _UnixConnection(self.path)
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_SECONDS)
        trust = self.tls.context()
        return http.client.HTTPSConnection(self.host, self.port, timeout=CONNECT_SECONDS, context=trust)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the filesystem."""

    def __init__(self, path: str) -> None:
        # The name stands in the header Host, which nobody reads there.
        super().__init__("localhost", timeout=CONNECT_SECONDS)
        self._socket = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(self._socket)


def docker_addresses(environment: Mapping[str, str], *, plain_http: bool = False) -> list[Address]:
    """Return where docker may listen, the first choice first: one place when the user has named it.

    UsageError for an address that is none, Unsupported for one over ssh or a pipe, NotFound for an unknown context.
    """
    host = environment.get("DOCKER_HOST", "")
    folder = environment.get("DOCKER_CONFIG") or os.path.join(_home(environment), ".docker")
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    tls = Tls(environment.get("DOCKER_CERT_PATH") or folder, verify=verify)
    wanted = verify or bool(environment.get("DOCKER_TLS"))
    if host:
        return [_parsed("docker", "DOCKER_HOST", host, tls if wanted else None, plain_http)]
    context = environment.get("DOCKER_CONTEXT") or _text(
        _settings(os.path.join(folder, "config.json")), "currentContext"
    )
    if context and context != "default":
        name = hashlib.sha256(context.encode("utf-8", "surrogateescape")).hexdigest()
        meta = _settings(os.path.join(folder, "contexts", "meta", name, "meta.json"))
        host = _text(meta, "Endpoints", "docker", "Host")
        if not host:
            raise NotFound(
                f"docker has no context {context}",
                hint="see docker context ls; choose another one with DOCKER_CONTEXT, or set DOCKER_HOST",
            )
        # What the environment says of TLS is about the default context.
        kept = os.path.join(folder, "contexts", "tls", name, "docker")
        skip = _at(meta, "Endpoints", "docker", "SkipTLSVerify") is True
        secured = skip or any(os.path.exists(os.path.join(kept, file)) for file in _FILES)
        tls = Tls(kept, of_context=True, verify=not skip)
        return [_parsed("docker", f"the context {context}", host, tls if secured else None, plain_http)]
    if wanted:
        return [_parsed("docker", "DOCKER_HOST", f"tcp://localhost:{_SECURE_PORT}", tls, plain_http)]
    places = ["/var/run/docker.sock"]
    if runtime := environment.get("XDG_RUNTIME_DIR", ""):
        places.append(os.path.join(runtime, "docker.sock"))
    return [Address(shown=place, path=place) for place in places]


def podman_addresses(environment: Mapping[str, str], *, plain_http: bool = False) -> list[Address]:
    """The same of podman; its connections to other machines (`podman system connection`) are not read."""
    host = environment.get("CONTAINER_HOST", "")
    if host:
        return [_parsed("podman", "CONTAINER_HOST", host, None, plain_http)]
    places = ["/run/podman/podman.sock"]
    if runtime := environment.get("XDG_RUNTIME_DIR", ""):
        places.insert(0, os.path.join(runtime, "podman", "podman.sock"))
    return [Address(shown=place, path=place) for place in places]


def _parsed(engine: str, source: str, written: str, tls: Tls | None, plain_http: bool) -> Address:
    scheme, found, rest = written.partition("://")
    if not found:
        raise UsageError(f"{source} is {written}", hint="write unix:///PATH or tcp://HOST:PORT")
    if scheme == "unix":
        return Address(shown=written, path=rest)
    if scheme != "tcp":
        raise Unsupported(
            f"{source} is {written}, and only unix:// and tcp:// are spoken",
            hint=f"on that machine: {engine} save IMAGE | imagepeel explain -"
            if scheme != "ssh"
            else f"ssh HOST {engine} save IMAGE | imagepeel explain -",
        )
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "localhost", parts.port
    except ValueError as error:
        raise UsageError(f"{source} is {written}: {error}", hint="write tcp://HOST:PORT") from error
    if (tls is None or not tls.verify) and not (plain_http or is_loopback(host)):
        lacks = "without TLS" if tls is None else "whose certificate nobody checks"
        raise UsageError(
            f"{source} is {written}, another machine {lacks}",
            hint="anybody on the way could change the image; --plain-http allows it",
        )
    return Address(shown=written, host=host, port=port or (_PORTS[engine] if tls is None else _SECURE_PORT), tls=tls)


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or os.path.expanduser("~")


def _settings(path: str) -> dict[str, Any]:
    """Return the JSON object of a file, empty when there is none or it is something else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        try:
            data = os.read(fd, _MOST_SETTINGS)
        finally:
            os.close(fd)
        return from_json(data, dict[str, Any])
    except (OSError, msgspec.MsgspecError, ValueError):
        return {}


def _at(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _text(document: Any, *keys: str) -> str:
    found = _at(document, *keys)
    return found if isinstance(found, str) else ""
