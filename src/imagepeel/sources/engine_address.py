"""Where docker and podman listen, found as their own commands find it.

Source: docker(1) for DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH; podman(1) and
podman-system-service(1) for CONTAINER_HOST and the places of the socket.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from imagepeel.errors import FetchFailed, NotFound, Unsupported, UsageError
from imagepeel.serialization import from_json
from imagepeel.sources.http import is_loopback

CONNECT_SECONDS = 10.0
_MOST_SETTINGS = 1 << 20
_PORTS = {"docker": 2375, "podman": 8888}


class Address(NamedTuple):
    """Where an engine listens: a path, or a host and port; `shown` is how the user may write it.

    `certificates` is the directory with those for TLS, "" without it.
    """

    shown: str
    path: str = ""
    host: str = ""
    port: int = 0
    certificates: str = ""

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection that is not yet made.  FetchFailed when the certificates cannot be used."""
        if self.path:
            return _UnixConnection(self.path)
        if not self.certificates:
            return http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_SECONDS)
        import ssl  # start time

        folder = self.certificates
        try:
            context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
            context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
        except OSError as error:
            raise FetchFailed(
                f"cannot use the certificates in {folder}: {error.strerror or error}",
                hint="DOCKER_CERT_PATH names a directory with ca.pem, cert.pem and key.pem",
            ) from error
        return http.client.HTTPSConnection(self.host, self.port, timeout=CONNECT_SECONDS, context=context)


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
    if host:
        return [_parsed("docker", "DOCKER_HOST", host, environment, plain_http)]
    folder = environment.get("DOCKER_CONFIG") or os.path.join(_home(environment), ".docker")
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
        return [_parsed("docker", f"the context {context}", host, environment, plain_http)]
    places = ["/var/run/docker.sock"]
    if runtime := environment.get("XDG_RUNTIME_DIR", ""):
        places.append(os.path.join(runtime, "docker.sock"))
    return [Address(shown=place, path=place) for place in places]


def podman_addresses(environment: Mapping[str, str], *, plain_http: bool = False) -> list[Address]:
    """The same of podman; its connections to other machines (`podman system connection`) are not read."""
    host = environment.get("CONTAINER_HOST", "")
    if host:
        return [_parsed("podman", "CONTAINER_HOST", host, environment, plain_http)]
    places = ["/run/podman/podman.sock"]
    if runtime := environment.get("XDG_RUNTIME_DIR", ""):
        places.insert(0, os.path.join(runtime, "podman", "podman.sock"))
    return [Address(shown=place, path=place) for place in places]


def _parsed(engine: str, source: str, written: str, environment: Mapping[str, str], plain_http: bool) -> Address:
    scheme, found, rest = written.partition("://")
    if not found:
        raise UsageError(f"{source} is {written}", hint="write unix:///PATH or tcp://HOST:PORT")
    if scheme == "unix":
        return Address(shown=written, path=rest)
    if scheme not in ("tcp", "http", "https"):
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
    secure = scheme == "https" or (engine == "docker" and bool(environment.get("DOCKER_TLS_VERIFY")))
    if secure:
        folder = environment.get("DOCKER_CERT_PATH") or environment.get("DOCKER_CONFIG")
        folder = folder or os.path.join(_home(environment), ".docker")
        return Address(shown=written, host=host, port=port or 2376, certificates=folder)
    if not (plain_http or is_loopback(host)):
        raise UsageError(
            f"{source} is {written}, another machine without TLS",
            hint="anybody on the way could change the image; --plain-http allows it",
        )
    return Address(shown=written, host=host, port=port or _PORTS[engine])


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


def _text(document: Any, *keys: str) -> str:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""
