"""HTTP of the sources against a server that misbehaves: each fault ends with one plain error, in bounded time."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from imagepeel.errors import FetchFailed, LimitExceeded, NotFound, UsageError
from imagepeel.sources import http
from imagepeel.sources.http import Http, is_loopback, refused
from imagepeel.sources.request import Request
from imagepeel.sources.words import shown
from webserver import Asked, make_authority, serve


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BACKOFF", 0.01)
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_authority(tmp_path_factory.mktemp("authority"))


def get(url: str, headers: dict[str, str] | None = None, **given: object) -> bytes:
    with Http(Request(**given)) as client:  # type: ignore[arg-type]
        return client.send("GET", url, headers).read(1000)


def test_a_body_comes_whole_and_one_connection_serves_all_requests() -> None:
    ports = set()

    def answer(asked: Asked) -> None:
        ports.add(asked.client_address[1])
        asked.give(200, b"body")

    with serve(answer) as (host, _), Http(Request()) as client:
        assert [client.send("GET", f"http://{host}/{n}").read(10) for n in range(3)] == [b"body"] * 3
    assert len(ports) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_what_may_pass_is_asked_again(status: int) -> None:
    def answer(asked: Asked) -> None:
        if len(web.asked) < 3:
            asked.give(status, headers={"Retry-After": "0"})
        else:
            asked.give(200, b"at last")

    with serve(answer) as (host, web):
        assert get(f"http://{host}/") == b"at last"
        assert len(web.asked) == 3


@pytest.mark.parametrize(("status", "asked_times"), [(429, 4), (503, 4), (500, 1), (404, 1)])
def test_asking_again_is_bounded(status: int, asked_times: int) -> None:
    with serve(lambda asked: asked.give(status)) as (host, web), Http(Request()) as client:
        assert client.send("GET", f"http://{host}/").status == status
        assert len(web.asked) == asked_times


def test_a_long_wait_is_said_and_not_waited() -> None:
    with (
        serve(lambda asked: asked.give(429, headers={"Retry-After": "86400"})) as (host, web),
        Http(Request()) as client,
    ):
        error = refused(client.send("GET", f"http://{host}/"), "x")
        assert len(web.asked) == 1 and "86400 seconds" in error.what


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, FetchFailed, "does not give"),
        (403, FetchFailed, "does not give"),
        (404, NotFound, "has no"),
        (429, FetchFailed, "no more requests"),
        (500, FetchFailed, "failed to give"),
        (418, FetchFailed, "did not give"),
    ],
)
def test_each_refusal_has_its_words(status: int, kind: type[Exception], words: str) -> None:
    with serve(lambda asked: asked.give(status)) as (host, _), Http(Request()) as client:
        error = refused(client.send("GET", f"http://{host}/", again=False), "manifest x", login="host")
    assert isinstance(error, kind) and words in error.what and "manifest x" in error.what + "manifest x"


def test_a_connection_that_breaks_before_the_answer_is_tried_again() -> None:
    def answer(asked: Asked) -> None:
        if len(web.asked) == 1:
            asked.connection.shutdown(socket.SHUT_RDWR)
            asked.close_connection = True
        else:
            asked.give(200, b"x")

    with serve(answer) as (host, web):
        assert get(f"http://{host}/") == b"x"


def test_a_cut_body_is_an_error() -> None:
    with (
        serve(lambda asked: asked.give(200, b"half", stated=8)) as (host, _),
        pytest.raises(FetchFailed, match="broke off after 4 bytes of 8"),
    ):
        get(f"http://{host}/a")


def test_a_large_body_is_not_read() -> None:
    with (
        serve(lambda asked: asked.give(200, b"x" * 5000)) as (host, _),
        pytest.raises(LimitExceeded, match="more than 1,000 bytes"),
    ):
        get(f"http://{host}/a")


def test_a_large_body_of_no_stated_size_is_cut_off() -> None:
    def answer(asked: Asked) -> None:
        asked.send_response(200)
        asked.send_header("Connection", "close")
        asked.end_headers()
        while True:
            asked.wfile.write(b"x" * 4096)

    with serve(answer) as (host, _), pytest.raises(LimitExceeded):
        get(f"http://{host}/a")


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ", 0.2)
    given_up = threading.Event()
    with serve(lambda asked: given_up.wait(30)) as (host, web):
        with pytest.raises(FetchFailed, match="does not answer in time"):
            get(f"http://{host}/")
        given_up.set()
        assert len(web.asked) == 1


def test_a_header_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD", 0.3)

    def answer(asked: Asked) -> None:
        asked.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(100):
            asked.wfile.write(b"X-%d: 1\r\n" % n)
            time.sleep(0.05)

    with serve(answer) as (host, _), pytest.raises(FetchFailed, match="does not answer in time"):
        get(f"http://{host}/")


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PACE_WINDOW", 0.2)

    def answer(asked: Asked) -> None:
        asked.send_response(200)
        asked.send_header("Content-Length", "900")
        asked.end_headers()
        for _ in range(900):
            asked.wfile.write(b"x")
            asked.wfile.flush()
            time.sleep(0.02)

    with serve(answer) as (host, _), pytest.raises(FetchFailed, match="too slowly"):
        get(f"http://{host}/")


def test_a_circle_of_redirects_ends() -> None:
    def answer(asked: Asked) -> None:
        asked.give(302, headers={"Location": "/b" if asked.path == "/a" else "/a"})

    with serve(answer) as (host, web), pytest.raises(FetchFailed, match="in a circle"):
        get(f"http://{host}/a")
    assert len(web.asked) == 2


def test_a_chain_of_redirects_ends() -> None:
    with (
        serve(lambda asked: asked.give(302, headers={"Location": asked.path + "a"})) as (host, web),
        pytest.raises(FetchFailed, match="in a circle"),
    ):
        get(f"http://{host}/a")
    assert len(web.asked) == 11


def test_credentials_do_not_follow_a_redirect_to_another_place() -> None:
    def answer(asked: Asked) -> None:
        asked.give(200, b"blob")

    with serve(answer) as (other, there):
        hops = {"/a": f"http://{other}/b", "/c": "/d"}

        def redirect(asked: Asked) -> None:
            to = hops.get(asked.path)
            asked.give(307, headers={"Location": to}) if to else asked.give(200, b"here")

        with serve(redirect) as (host, here):
            assert get(f"http://{host}/a", {"Authorization": "Bearer secret"}) == b"blob"
            assert get(f"http://{host}/c", {"Authorization": "Bearer secret"}) == b"here"
        assert [headers.get("Authorization") for _, _, headers in there.asked] == [None]
        assert [headers.get("Authorization") for _, _, headers in here.asked] == ["Bearer secret"] * 3


def test_credentials_do_not_come_back_with_a_redirect_home() -> None:
    def away(asked: Asked) -> None:
        asked.give(307, headers={"Location": f"http://{home}/end"})

    def start(asked: Asked) -> None:
        asked.give(307, headers={"Location": f"http://{other}/x"}) if asked.path == "/a" else asked.give(200, b"end")

    with serve(away) as (other, _), serve(start) as (home, web):
        assert get(f"http://{home}/a", {"Authorization": "Bearer secret"}) == b"end"
    assert "Authorization" not in web.asked[-1][2]


def test_a_name_in_a_redirect_is_not_sent() -> None:
    def answer(asked: Asked) -> None:
        asked.give(302, headers={"Location": f"http://user:pw@{host}/b"}) if asked.path == "/a" else asked.give(200)

    with serve(answer) as (host, web):
        get(f"http://{host}/a")
    assert "Authorization" not in web.asked[-1][2]


def test_another_machine_is_not_asked_without_encryption() -> None:
    with pytest.raises(FetchFailed, match="without encryption") as caught:
        get("http://registry.invalid/")
    assert "--plain-http" in caught.value.hint


def test_a_redirect_does_not_lead_out_of_encryption(authority: tuple[Path, Path]) -> None:
    with (
        serve(lambda asked: asked.give(302, headers={"Location": "http://127.0.0.1:9/"}), authority[1]) as (host, _),
        pytest.raises(FetchFailed, match="not encrypted"),
    ):
        get(f"https://{host}/", ca=str(authority[0]))


def test_a_private_authority_is_trusted_when_it_is_named(authority: tuple[Path, Path]) -> None:
    with serve(lambda asked: asked.give(200, b"x"), authority[1]) as (host, _):
        assert get(f"https://{host}/", ca=str(authority[0])) == b"x"
        with pytest.raises(FetchFailed, match="not trusted") as caught:
            get(f"https://{host}/")
        assert "--ca" in caught.value.hint


def test_a_file_without_certificates_is_a_wrong_option(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("nothing")
    for name in ("ca", "absent"):
        with pytest.raises(UsageError, match="cannot read certificates"):
            get("https://localhost:1/", ca=str(tmp_path / name))


def test_who_answers_in_tls_is_seen(authority: tuple[Path, Path]) -> None:
    with (
        serve(lambda asked: asked.give(200), authority[1]) as (safe, _),
        serve(lambda asked: asked.give(200)) as (open_, _),
        Http(Request()) as client,
    ):
        assert client.speaks_tls(safe) and not client.speaks_tls(open_)


def test_nobody_there_is_said_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(FetchFailed, match="refused"):
            get(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    with pytest.raises(FetchFailed, match="not known"):
        get("https://registry.invalid/")


def test_a_server_of_another_protocol_is_said() -> None:
    def answer(asked: Asked) -> None:
        asked.wfile.write(b"220 smtp ready\r\n")
        asked.close_connection = True

    with serve(answer) as (host, _), pytest.raises(FetchFailed, match="does not speak HTTP"):
        get(f"http://{host}/")


@pytest.mark.parametrize("url", ["ftp://x/", "http:///a", "https://h:99999/", "https://h\n/", "https://[::1"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(FetchFailed, match="is no address"):
        get(url)


def test_secrets_of_an_address_are_not_shown() -> None:
    assert shown("https://u:p@h:1/a/b?X-Amz-Signature=abc#x") == "https://h:1/a/b"


def test_a_name_in_the_address_is_sent_to_that_place_alone() -> None:
    with (
        serve(lambda asked: asked.give(200)) as (other, there),
        serve(lambda asked: asked.give(302, headers={"Location": f"http://{other}/"})) as (host, web),
    ):
        get(f"http://user:p%40ss@{host}/")
    assert web.asked[0][2]["Authorization"] == "Basic dXNlcjpwQHNz" and "@" not in web.asked[0][2]["Host"]
    assert "Authorization" not in there.asked[0][2]


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        *((host, True) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1")),
        *((host, False) for host in ("127.0.0.1.evil.example", "localhost.example", "10.0.0.1", "0.0.0.0")),
    ],
)
def test_what_this_machine_is(host: str, is_here: bool) -> None:
    assert is_loopback(host) is is_here
