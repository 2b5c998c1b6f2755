"""docker: and podman: against a daemon that is not one, with the faults that real ones do not show on demand.

`tests/differential/test_engine_sockets.py` asks the real ones.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagepeel.errors import FetchFailed, LimitExceeded, NotAnImage, NotFound, Unsupported, UsageError
from imagepeel.limits import Limits
from imagepeel.sources import engine_socket
from imagepeel.sources.engine_address import Tls, docker_addresses, podman_addresses
from imagepeel.sources.engine_socket import DOCKER, PODMAN, spool_image
from imagepeel.sources.request import Request
from imagepeel.sources.words import parse

ID = "sha256:" + "1" * 64


@contextmanager
def daemon(answer: Callable[[str], bytes | None], place: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Listen in `place`, send what `answer` says for the path of each request (None: nothing, ever) and hang up."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = os.path.relpath(place / "s")  # a socket's path has room for 107 bytes
    listener.bind(path)
    listener.listen()
    asked: list[bytes] = []
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            request = b""
            while b"\r\n\r\n" not in request and (more := peer.recv(65536)):
                request += more
            asked.append(request)
            said = answer(request.split(b" ")[1].decode()) if request else b""
            if said is None:
                held.append(peer)
                continue
            try:
                peer.sendall(said)
            except OSError:
                pass  # it has heard enough
            peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}", asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for one in held:
            one.close()


def says(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def known(body: bytes) -> Callable[[str], bytes | None]:
    """An engine that knows the image under each name and answers the export with `body`."""

    def answer(path: str) -> bytes:
        return says(json.dumps({"Id": ID}).encode()) if path.endswith("/json") else body

    return answer


def word(text: str):
    found = parse(text)
    assert found is not None
    return found


def ask(text: str, address: str, **request):
    engine = PODMAN if text.startswith("podman:") else DOCKER
    return spool_image(engine, word(text), Request(**request), {engine.variable: address})


@pytest.fixture
def tar(forge_archive) -> bytes:
    return forge_archive("hello").read_bytes()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for temporary files that nothing may be left in."""
    import tempfile

    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert os.listdir(place) == []


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_the_bytes_are_those_that_the_engine_sends(engine: str, tar: bytes, tmp_path: Path) -> None:
    counted: list[int] = []
    with daemon(known(says(tar)), tmp_path) as (address, _):
        source = ask(f"{engine}:shop:1.4", address, progress=counted.append)
    assert source.pread(0, source.size) == tar
    assert source.name == f"{engine}:shop:1.4" and sum(counted) == len(tar)
    source.close()


def test_a_body_in_chunks_is_taken_together(tar: bytes, tmp_path: Path) -> None:
    half = len(tar) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (tar[:half], tar[half:], b""))
    with daemon(known(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks), tmp_path) as (address, _):
        assert ask("docker:shop:1.4", address).pread(0, 1 << 30) == tar


@pytest.mark.parametrize(
    ("image", "paths"),
    [
        ("shop:1.4", ["/images/shop%3A1.4/json", "/images/get?names=shop%3A1.4"]),
        # docker save of a name alone writes all its tags.
        ("shop", ["/images/shop%3Alatest/json", "/images/get?names=shop%3Alatest"]),
        ("h:5000/a/b", ["/images/h%3A5000%2Fa%2Fb%3Alatest/json", "/images/get?names=h%3A5000%2Fa%2Fb%3Alatest"]),
        (ID, [f"/images/sha256%3A{'1' * 64}/json", f"/images/get?names=sha256%3A{'1' * 64}"]),
        (f"a@{ID}", [f"/images/a%40sha256%3A{'1' * 64}/json", f"/images/get?names=sha256%3A{'1' * 64}"]),
    ],
)
def test_docker_is_asked_for_exactly_that_image(image: str, paths: list[str], tar: bytes, tmp_path: Path) -> None:
    with daemon(known(says(tar)), tmp_path) as (address, asked):
        ask(f"docker:{image}", address).close()
    assert [one.split(b" ")[1].decode() for one in asked] == paths


def test_an_id_that_is_no_name_is_saved_by_its_id(tar: bytes, tmp_path: Path) -> None:
    def answer(path: str) -> bytes:
        if "latest" in path:
            return says(b'{"message": "No such image: 1111:latest"}', "404 Not Found")
        return says(json.dumps({"Id": ID}).encode()) if path.endswith("/json") else says(tar)

    with daemon(answer, tmp_path) as (address, asked):
        ask("docker:1111", address).close()
    assert asked[-1].split(b" ")[1].decode() == f"/images/get?names=sha256%3A{'1' * 64}"


@pytest.mark.parametrize(
    "image",
    [
        "a/../../containers/json",
        "..",
        "a b",
        "a%2f..",
        "a\r\nX: y",
        "a?names=b",
        "a#b",
        "-a",
        "ä",
        "a\x00b",
        "a" * 2000,
    ],
)
def test_what_is_no_name_is_never_sent(image: str, tmp_path: Path) -> None:
    with daemon(known(says(b"")), tmp_path) as (address, asked), pytest.raises(UsageError) as raised:
        from imagepeel.sources.words import Word

        spool_image(DOCKER, Word("docker:", "docker", image), Request(), {"DOCKER_HOST": address})
    assert "is no name of an image" in raised.value.what and not asked


def test_no_socket_says_how_to_start_the_engine(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed) as raised:
        ask("docker:shop", f"unix://{tmp_path}/none")
    assert raised.value.what == f"docker does not listen: unix://{tmp_path}/none: No such file or directory"
    assert "systemctl start docker" in raised.value.hint
    with pytest.raises(FetchFailed) as raised:
        ask("podman:shop", f"unix://{tmp_path}/none")
    for way in ("systemctl --user start podman.socket", "podman system service", "podman save shop -o image.tar"):
        assert way in raised.value.hint


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(os.path.relpath(tmp_path / "s"))
    left.close()
    with pytest.raises(FetchFailed, match=r"docker does not listen: .*: Connection refused"):
        ask("docker:shop", f"unix://{tmp_path}/s")


def test_a_socket_of_others_names_the_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def connect(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("imagepeel.sources.engine_address._UnixConnection.connect", connect)
    with pytest.raises(FetchFailed) as raised:
        ask("docker:shop", f"unix://{tmp_path}/s")
    assert "is not for this user: Permission denied" in raised.value.what and "group docker" in raised.value.hint


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_image_that_is_not_there_is_told_in_the_engines_words(engine: str, tmp_path: Path) -> None:
    said = says(b'{"message": "No such image: shop:1.4"}', "404 Not Found")
    with daemon(lambda _: said, tmp_path) as (address, _), pytest.raises(NotFound) as raised:
        ask(f"{engine}:shop:1.4", address)
    assert raised.value.what == f"{engine} has no image shop:1.4: No such image: shop:1.4"
    assert f"{engine} pull shop:1.4" in raised.value.hint


def test_an_image_that_goes_between_two_questions(tmp_path: Path) -> None:
    gone = says(b'{"message": "No such image: shop:1.4"}', "404 Not Found")
    with daemon(known(gone), tmp_path) as (address, _), pytest.raises(NotFound, match="docker has no image shop"):
        ask("docker:shop:1.4", address)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (says(b'{"message": "disk full"}', "500 Internal Server Error"), "answers 500: disk full"),
        (says(b"<html>", "500 Internal Server Error"), "answers 500: Internal Server Error"),
        (says(b"x" * 200_000, "503 Gone away"), "answers 503: Gone away"),
        (says(b"404 page not found", "404 Not Found"), "does not know the question"),
        (says(b"", "301 Moved\r\nLocation: http://evil.example/"), "answers 301: Moved"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what it says is no HTTP"),
        (b"\xff\xfe\x00" * 40_000, "what it says is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "what it says is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", "what it says is no HTTP"),
        (b"", "broke off before the image was complete"),
        (says(b'{"Id": 5}'), "its answer about the image has no ID"),
        (says(b'{"Id": "sha256:../../x"}'), "its answer about the image has no ID"),
        (says(b"[]"), "its answer about the image has no ID"),
        (says(b"{" * 100_000), "its answer about the image has no ID"),
        (says(b'{"Id"', length=1000), "broke off before the image was complete"),
    ],
)
def test_what_a_daemon_can_say_wrongly(said: bytes, words: str, tmp_path: Path) -> None:
    with daemon(lambda _: said, tmp_path) as (address, _), pytest.raises(FetchFailed) as raised:
        ask("docker:shop:1.4", address)
    assert words in raised.value.what and address in raised.value.what
    assert "docker save shop:1.4" in raised.value.hint


def test_an_answer_about_an_image_has_an_end(tmp_path: Path) -> None:
    limits = Limits(json_bytes=1000)
    with (
        daemon(lambda _: says(b" " * 2000), tmp_path) as (address, _),
        pytest.raises(FetchFailed, match="more than 1,000"),
    ):
        ask("docker:shop:1.4", address, limits=limits)


@pytest.mark.parametrize(
    "cut",
    [
        lambda tar: says(tar[:5000], length=len(tar)),
        lambda tar: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s" % (len(tar), tar[:5000]),
        lambda tar: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\nzz" % (5000, tar[:5000]),
    ],
    ids=["length", "chunk", "garbage"],
)
def test_an_export_that_breaks_off(cut: Callable[[bytes], bytes], tar: bytes, tmp_path: Path) -> None:
    with daemon(known(cut(tar)), tmp_path) as (address, _), pytest.raises(FetchFailed, match="broke off"):
        ask("docker:shop:1.4", address)


def test_a_daemon_that_never_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine_socket, "ANSWER_SECONDS", 0.2)
    with (
        daemon(lambda _: None, tmp_path) as (address, _),
        pytest.raises(FetchFailed, match="has not answered for 0 sec"),
    ):
        ask("docker:shop:1.4", address)


def test_an_export_is_bounded(tar: bytes, tmp_path: Path) -> None:
    with daemon(known(says(tar)), tmp_path) as (address, _), pytest.raises(LimitExceeded, match="larger than 9,000"):
        ask("docker:shop:1.4", address, limits=Limits(spool_bytes=9000))


def test_an_export_that_is_no_tar_is_refused_while_it_comes(tmp_path: Path) -> None:
    with daemon(known(says(b"no tar at all\n" * 100_000)), tmp_path) as (address, _), pytest.raises(NotAnImage):
        ask("docker:shop:1.4", address)


# ---- where engines listen ------------------------------------------------------------------------------------


def test_docker_is_found_as_docker_finds_it(tmp_path: Path) -> None:
    places = docker_addresses({"XDG_RUNTIME_DIR": "/run/user/7", "HOME": str(tmp_path)})
    assert [one.path for one in places] == ["/var/run/docker.sock", "/run/user/7/docker.sock"]
    # The name of a context's folder is the SHA-256 of its name: docker/cli, cli/context/store.
    meta = tmp_path / ".docker/contexts/meta/fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text('{"Name":"desktop-linux","Endpoints":{"docker":{"Host":"unix:///d.sock"}}}')
    config = tmp_path / ".docker/config.json"
    config.write_text('{"currentContext": "desktop-linux"}')
    assert [one.path for one in docker_addresses({"HOME": str(tmp_path)})] == ["/d.sock"]
    default = docker_addresses({"HOME": str(tmp_path), "DOCKER_CONTEXT": "default"})
    assert [one.path for one in default] == ["/var/run/docker.sock"]
    named = docker_addresses({"HOME": str(tmp_path), "DOCKER_HOST": "unix:///h.sock"})
    assert [one.path for one in named] == ["/h.sock"]
    with pytest.raises(NotFound, match="docker has no context other"):
        docker_addresses({"HOME": str(tmp_path), "DOCKER_CONTEXT": "other"})
    for broken in ("[]", "{", '{"currentContext": 5}', ""):
        config.write_text(broken)
        assert [one.path for one in docker_addresses({"HOME": str(tmp_path)})] == ["/var/run/docker.sock"]


def test_podman_is_found_as_podman_finds_it() -> None:
    places = podman_addresses({"XDG_RUNTIME_DIR": "/run/user/7"})
    assert [one.path for one in places] == ["/run/user/7/podman/podman.sock", "/run/podman/podman.sock"]
    assert podman_addresses({"CONTAINER_HOST": "unix:///h"})[0].path == "/h"


def test_addresses_of_other_machines() -> None:
    there = docker_addresses({"DOCKER_HOST": "tcp://127.0.0.1:99"})[0]
    assert (there.host, there.port, there.tls) == ("127.0.0.1", 99, None)
    with pytest.raises(UsageError, match="another machine without TLS"):
        docker_addresses({"DOCKER_HOST": "tcp://10.0.0.1:2375"})
    assert docker_addresses({"DOCKER_HOST": "tcp://10.0.0.1"}, plain_http=True)[0].port == 2375
    secure = docker_addresses({"DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"})[0]
    assert (secure.host, secure.port, secure.tls) == ("h", 2376, Tls("/c"))
    unchecked = {"DOCKER_HOST": "tcp://h", "DOCKER_TLS": "1", "DOCKER_CERT_PATH": "/c"}
    with pytest.raises(UsageError, match="another machine whose certificate nobody checks"):
        docker_addresses(unchecked)
    assert docker_addresses(unchecked, plain_http=True)[0].tls == Tls("/c", verify=False)
    with pytest.raises(Unsupported) as raised:
        docker_addresses({"DOCKER_HOST": "ssh://me@host"})
    assert "ssh HOST docker save IMAGE | imagepeel explain -" in raised.value.hint
    for bad in ("/var/run/docker.sock", "tcp://h:x", "tcp://[::1"):
        with pytest.raises(UsageError):
            docker_addresses({"DOCKER_HOST": bad})
