"""A web server for tests whose every answer the test writes, and which remembers what it was asked."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Asked(BaseHTTPRequestHandler):
    """One request: `answer` is what the test writes, and has what `BaseHTTPRequestHandler` has."""

    protocol_version = "HTTP/1.1"
    server: Web

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers.items())))
        self.server.answer(self)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _any

    def give(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, stated: int = -1) -> None:
        """Answer with a body; `stated` is its length as the header says it, where that is a lie."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if stated < 0 else stated))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if stated >= 0:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Web(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[Asked], None]) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.answer = answer
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that hang up are what some tests are about


@contextmanager
def serve(answer: Callable[[Asked], None], certificate: Path | None = None) -> Iterator[tuple[str, Web]]:
    """Serve on a free port of 127.0.0.1; yields `127.0.0.1:PORT` (`localhost:PORT` with TLS) and the server.

    `certificate` is a PEM file with certificate and key.
    """
    web = Web(answer)
    host = "127.0.0.1"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        web.socket = context.wrap_socket(web.socket, server_side=True, do_handshake_on_connect=False)
        host = "localhost"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{host}:{web.server_address[1]}", web
    finally:
        web.shutdown()
        web.server_close()


def make_authority(folder: Path) -> tuple[Path, Path]:
    """Make an authority and a certificate for localhost with openssl; return (authority, certificate with key)."""
    ca, key, pem, request = (folder / name for name in ("ca.pem", "key.pem", "server.pem", "server.csr"))
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    fast = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    lines = [
        [
            "req",
            "-x509",
            *fast,
            "-keyout",
            folder / "ca.key",
            "-out",
            ca,
            "-days",
            "30",
            "-subj",
            "/CN=test authority",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ],
        ["req", *fast, "-keyout", key, "-out", request, "-subj", "/CN=localhost"],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "30"],
    ]
    lines[-1] += ["-extfile", names, "-out", pem]
    for line in lines:
        subprocess.run(["openssl", *map(str, line)], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(pem.read_bytes() + key.read_bytes())
    return ca, both
