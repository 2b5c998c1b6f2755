"""Archives behind https:// and http://, in parts and whole, and each way in which a server can be wrong."""

from __future__ import annotations

import gzip
import os
import random
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import imagepeel
from estargz import convert
from imagepeel import forge
from imagepeel.errors import FetchFailed, ImagepeelError, LimitExceeded, NotAnImage, NotFound, UsageError
from imagepeel.limits import Limits
from imagepeel.sources import fetched, http
from imagepeel.sources.fetched import Fetched
from webserver import Asked, Web, make_authority, serve

MODIFIED = "Thu, 26 Nov 2026 10:00:00 GMT"


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No waiting, no proxy, and a directory for temporary files that nothing may be left in."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr(http, "BACKOFF", 0.01)
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
    assert os.listdir(place) == []


@pytest.fixture(scope="module")
def shop(forge_archive) -> bytes:
    return forge_archive("shop").read_bytes()


def parts(data: bytes | Callable[[], bytes], tag: str | Callable[[], str] = '"v1"', **headers: str):
    """Answer as a server that gives parts; `tag` is the version."""

    def answer(asked: Asked) -> None:
        body = data if isinstance(data, bytes) else data()
        version = tag if isinstance(tag, str) else tag()
        said = {"Accept-Ranges": "bytes", **headers, **({"ETag": version} if version else {})}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("Range", ""))
        if wanted is None or asked.headers.get("If-Range", version) not in (version, headers.get("Last-Modified")):
            asked.give(200, body, said)
        elif int(wanted[1]) >= len(body):
            asked.give(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        else:
            first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
            said["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            asked.give(206, body[first : last + 1], said)

    return answer


def whole(data: bytes, **headers: str):
    return lambda asked: asked.give(200, data, headers)


def config(archive: imagepeel.Archive) -> object:
    (image,) = archive.images()
    return image.config.raw


def test_parts_give_what_the_file_gives(shop: bytes, forge_archive) -> None:
    with serve(parts(shop)) as (host, web), imagepeel.open(f"http://{host}/shop.tar") as archive:
        (image,) = archive.images()
        image.scan()
        found = [(layer.diff_id, len(layer.table), [check.ok for check in layer.checks]) for layer in image.layers]
        assert archive.name == f"http://{host}/shop.tar"
    with imagepeel.open(forge_archive("shop")) as there:
        (same,) = there.images()
        same.scan()
        assert found == [(one.diff_id, len(one.table), [check.ok for check in one.checks]) for one in same.layers]
    assert len(web.asked) < 12, "a pass over all layers is few requests"
    assert all(headers["Accept-Encoding"] == "identity" for _, _, headers in web.asked)


def test_one_pass_over_a_large_archive_is_a_few_answers(large: bytes) -> None:
    with serve(parts(large)) as (host, web), imagepeel.open(f"http://{host}/large.tar") as archive:
        (image,) = archive.images()
        image.scan()
        assert all(check.ok for layer in image.layers for check in layer.checks)
    assert len(web.asked) <= 12
    fetched_bytes = sum(last - first + 1 for first, last in asked_for(web))
    assert fetched_bytes <= len(large) + fetched.BLOCK, "no byte is fetched twice"


def asked_for(web: Web) -> list[tuple[int, int]]:
    """First and last byte of each part that was asked for."""
    spans = [re.fullmatch(r"bytes=(\d+)-(\d+)", headers["Range"]) for _, _, headers in web.asked]
    return [(int(one[1]), int(one[2])) for one in spans if one]


def test_reading_on_past_what_is_here_already_stays_long(large: bytes) -> None:
    """Opening left single blocks here and there: they end a run, and the next one is as long."""
    with serve(parts(large)) as (host, web), imagepeel.open(f"http://{host}/large.tar") as archive:
        source = archive.file
        assert source is not None
        for place in (2_000_000, 9_000_000, 9_600_000, 17_000_000):
            source.pread(place, 10)
        assert b"".join(source.chunks()) == large
        assert len(web.asked) < 20
        assert sum(last - first + 1 for first, last in asked_for(web)) <= len(large) + fetched.BLOCK


def test_jumps_in_all_directions_give_the_same_bytes(large: bytes) -> None:
    drawn = random.Random(7)
    with serve(parts(large)) as (host, web), imagepeel.open(f"http://{host}/large.tar") as archive:
        source = archive.file
        assert source is not None
        for _ in range(300):
            place = drawn.randrange(len(large))
            count = drawn.choice((1, 512, 65_536, 300_000, 3_000_000))
            assert source.pread(place, count) == large[place : place + count]
        assert sum(last - first + 1 for first, last in asked_for(web)) < 1.5 * len(large)


def test_one_file_of_an_uncompressed_archive_takes_its_headers_and_itself(large: bytes) -> None:
    with serve(parts(large)) as (host, web), imagepeel.open(f"http://{host}/large.tar", verify=False) as archive:
        (image,) = archive.images()
        assert (image.view("runtime") / "small").read_bytes() == b"what is wanted\n"
        assert isinstance(archive.file, Fetched)
        kept = os.fstat(archive.file._file.fileno()).st_size
    assert kept < 2_000_000 and len(web.asked) < 12


def test_a_layer_with_a_table_of_contents_stays_on_the_server(tmp_path: Path) -> None:
    """Its table comes, and the member of the file that is read; of an eStargz layer with small files alone."""
    noise = [forge.file(f"srv/{number}", os.urandom(3000)) for number in range(1000)]
    layout = forge.write(
        forge.image(forge.layer(*noise, forge.file("etc/last", "the last"))), tmp_path / "it", "oci-dir"
    )
    convert(layout)
    subprocess.run(["tar", "-C", layout, "-cf", tmp_path / "it.tar", "."], check=True)
    data = (tmp_path / "it.tar").read_bytes()
    assert len(data) > 3_000_000
    with (
        serve(parts(data)) as (host, web),
        imagepeel.open(f"http://{host}/it.tar", verify=False, tables=True) as archive,
    ):
        image = archive.image()
        assert (image.rootfs / "etc/last").read_text() == "the last" and image.unread > 3_000_000
        names = {path.name for path in (image.rootfs / "srv").iterdir()}
        assert names == {str(number) for number in range(1000)}
        assert sum(last + 1 - first for first, last in asked_for(web)) < 1_000_000


def test_a_server_without_parts_is_asked_once(shop: bytes) -> None:
    counted: list[int] = []
    with serve(whole(shop)) as (host, web):
        with imagepeel.open(f"http://{host}/shop.tar", progress=counted.append) as archive:
            assert config(archive)
        assert len(web.asked) == 1 and sum(counted) >= len(shop)


@pytest.mark.parametrize("tag", ["", 'W/"weak"', "bare"])
def test_parts_of_no_known_version_are_not_put_together(tag: str, shop: bytes) -> None:
    with serve(parts(shop, tag)) as (host, web), imagepeel.open(f"http://{host}/shop.tar") as archive:
        assert config(archive)
        # The first request was for a part, the second for all.
        assert ["Range" in headers for _, _, headers in web.asked] == [True, False]


def test_the_date_of_the_last_change_is_a_version(shop: bytes) -> None:
    with (
        serve(parts(shop, "", **{"Last-Modified": MODIFIED})) as (host, web),
        imagepeel.open(f"http://{host}/shop.tar") as archive,
    ):
        archive.images()[0].scan()
        assert archive.file is not None and archive.file.stamp() is None, "two changes fit into one second"
    assert all(headers["If-Range"] == MODIFIED for _, _, headers in web.asked[1:])


def test_a_compressed_archive(shop: bytes) -> None:
    with serve(parts(gzip.compress(shop))) as (host, _), imagepeel.open(f"http://{host}/shop.tar.gz") as archive:
        assert config(archive) and archive.wrapping == ("gzip",)


@pytest.mark.parametrize("answer", [parts, whole])
def test_a_file_that_its_server_calls_encoded_is_opened_as_it_is(answer, shop: bytes) -> None:
    packed = gzip.compress(shop)
    with (
        serve(answer(packed, **{"Content-Encoding": "gzip"})) as (host, _),
        imagepeel.open(f"http://{host}/shop.tar.gz") as archive,
    ):
        assert config(archive)


def test_an_encoding_that_nobody_asked_for(shop: bytes) -> None:
    with (
        serve(whole(shop, **{"Content-Encoding": "br"})) as (host, _),
        pytest.raises(FetchFailed, match="comes in the encoding br, which nobody asked for"),
    ):
        imagepeel.open(f"http://{host}/shop.tar")


# ---- a file that changes -------------------------------------------------------------------------------------


def changing(before: bytes, after: bytes, tags: tuple[str, str], **headers: str):
    """The second version from the second request on."""
    count = [0]

    def data() -> bytes:
        count[0] += 1
        return before if count[0] == 1 else after

    return parts(data, lambda: tags[0] if count[0] == 1 else tags[1], **headers)


@pytest.mark.parametrize(
    ("tags", "longer"),
    [(('"1"', '"2"'), False), (('"1"', '"2"'), True), (('"1"', '"1"'), True)],
    ids=["version", "version and size", "size alone"],
)
def test_a_file_that_changes_while_it_is_read(tags: tuple[str, str], longer: bool, shop: bytes) -> None:
    after = shop + b"\0" * 512 if longer else shop
    with (
        serve(changing(shop, after, tags)) as (host, _),
        pytest.raises(FetchFailed) as raised,
        imagepeel.open(f"http://{host}/shop.tar") as archive,
    ):
        archive.images()[0].scan()
    assert raised.value.what == f"http://{host}/shop.tar changed while it was read"


def test_a_server_that_ignores_if_range_is_found_out_by_its_etag(shop: bytes) -> None:
    def answer(asked: Asked) -> None:
        del asked.headers["If-Range"]
        changing_answer(asked)

    changing_answer = changing(shop, shop, ('"1"', '"2"'))
    with (
        serve(answer) as (host, _),
        pytest.raises(FetchFailed, match="changed while it was read"),
        imagepeel.open(f"http://{host}/shop.tar") as archive,
    ):
        archive.images()[0].scan()


def test_bytes_that_were_read_once_are_not_asked_for_again(shop: bytes) -> None:
    """What was checked against a digest is what is read later, whatever the server has then."""
    with serve(parts(shop)) as (host, web), imagepeel.open(f"http://{host}/shop.tar") as archive:
        source = archive.file
        assert source is not None
        everything = source.pread(0, source.size)
        asked = len(web.asked)
        web.answer = parts(b"\0" * len(shop))
        assert everything == shop == b"".join(source.chunks(step=777)) and len(web.asked) == asked


# ---- what a server can say wrongly ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, NotFound, "has no /x.tar (HTTP 404)"),
        (410, NotFound, "has no /x.tar (HTTP 410)"),
        (401, FetchFailed, "does not give http://127.0.0.1:PORT/x.tar to this user (HTTP 401)"),
        (403, FetchFailed, "does not give http://127.0.0.1:PORT/x.tar to this user (HTTP 403)"),
        (429, FetchFailed, "takes no more requests for now (HTTP 429)"),
        (500, FetchFailed, "failed to give /x.tar (HTTP 500)"),
        (503, FetchFailed, "failed to give /x.tar (HTTP 503)"),
        (418, FetchFailed, "did not give /x.tar (HTTP 418)"),
        (204, FetchFailed, "answered with HTTP 204 and no file"),
        (304, FetchFailed, "did not give /x.tar (HTTP 304)"),
    ],
)
def test_a_server_that_refuses(status: int, error: type[ImagepeelError], words: str) -> None:
    with (
        serve(lambda asked: asked.give(status, b"" if status in (204, 304) else b"<html>no")) as (host, _),
        pytest.raises(error) as raised,
    ):
        imagepeel.open(f"http://{host}/x.tar")
    assert words.replace("PORT", host.partition(":")[2]) in raised.value.what and raised.value.hint is not None


def test_a_body_that_breaks_off(shop: bytes) -> None:
    def answer(asked: Asked) -> None:
        asked.give(200, shop[:9000], stated=len(shop))

    with serve(answer) as (host, _), pytest.raises(FetchFailed, match=r"broke off after 9,000 bytes of [\d,]+"):
        imagepeel.open(f"http://{host}/shop.tar")


def test_parts_that_break_off_are_asked_for_again(shop: bytes) -> None:
    whole_part = parts(shop)
    cuts = [0]

    def answer(asked: Asked) -> None:
        if len(web.asked) in (2, 3):
            cuts[0] += 1
            give = asked.give
            asked.give = lambda status, body, said: give(status, body[:1000], said, stated=len(body))  # type: ignore
        whole_part(asked)

    with serve(answer) as (host, web), imagepeel.open(f"http://{host}/shop.tar") as archive:
        source = archive.file
        assert source is not None and source.pread(0, source.size) == shop
    assert cuts[0] == 2


def test_parts_that_always_break_off_end_in_an_error(shop: bytes) -> None:
    whole_part = parts(shop)

    def answer(asked: Asked) -> None:
        if len(web.asked) > 1:
            give = asked.give
            asked.give = lambda status, body, said: give(status, body[:1000], said, stated=len(body))  # type: ignore
        whole_part(asked)

    with (
        serve(answer) as (host, web),
        pytest.raises(FetchFailed, match="broke off after 1,000 bytes"),
        imagepeel.open(f"http://{host}/shop.tar") as archive,
    ):
        archive.images()[0].scan()
    assert len(web.asked) < 10


@pytest.mark.parametrize("ranges", [True, False], ids=["parts", "whole"])
def test_a_server_that_falls_silent(ranges: bool, shop: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ", 0.3)
    over = threading.Event()
    good = parts(shop)

    def answer(asked: Asked) -> None:
        if ranges and len(web.asked) == 1:
            good(asked)
            return
        asked.send_response(206 if ranges else 200)
        first, last = re.findall(r"\d+", asked.headers["Range"])
        asked.send_header("ETag", '"v1"')
        asked.send_header("Content-Range", f"bytes {first}-{last}/{len(shop)}")
        asked.send_header("Content-Length", str(int(last) + 1 - int(first) if ranges else len(shop)))
        asked.end_headers()
        asked.wfile.write(shop[:100])
        asked.wfile.flush()
        over.wait(20)

    with serve(answer) as (host, web), pytest.raises(FetchFailed, match="does not answer in time after 100 bytes"):
        try:
            with imagepeel.open(f"http://{host}/shop.tar") as archive:
                archive.images()[0].scan()
        finally:
            over.set()


@pytest.mark.parametrize(
    "claim",
    ["bytes 0-99/{size}", "bytes {first}-{last}/*", "", "bytes x", "items {first}-{last}/{size}", "bytes 5-1/{size}"],
)
def test_other_bytes_than_were_asked_for(claim: str, shop: bytes) -> None:
    good = parts(shop)

    def answer(asked: Asked) -> None:
        if len(web.asked) > 1:
            give = asked.give

            def lie(status: int, body: bytes, said: dict[str, str]) -> None:
                first, last = re.findall(r"\d+", said["Content-Range"])[:2]
                stated = claim.format(first=first, last=last, size=len(shop))
                give(status, body, {**said, "Content-Range": stated})

            asked.give = lie  # type: ignore[method-assign]
        good(asked)

    with (
        serve(answer) as (host, web),
        pytest.raises(FetchFailed, match="comes with other bytes than were asked for"),
        imagepeel.open(f"http://{host}/shop.tar") as archive,
    ):
        archive.images()[0].scan()


@pytest.mark.parametrize(
    "claim", ["bytes 5-9/10", "bytes 0-65535/*", "bytes 0-65535/70000000000000000000000", "junk", ""]
)
def test_a_first_part_that_is_none_leaves_the_file_to_be_read_whole(claim: str, shop: bytes) -> None:
    def answer(asked: Asked) -> None:
        if "Range" in asked.headers:
            asked.give(206, shop[:65536], {"ETag": '"1"', "Content-Range": claim})
        else:
            asked.give(200, shop)

    with serve(answer) as (host, _), imagepeel.open(f"http://{host}/shop.tar") as archive:
        assert config(archive)


def test_a_size_that_nobody_has_costs_nothing(shop: bytes) -> None:
    """A tar says itself where it ends; what a server states of its size reserves no memory and no disk."""

    def answer(asked: Asked) -> None:
        first, last = map(int, re.findall(r"\d+", asked.headers["Range"]))
        data = shop[first : last + 1].ljust(last + 1 - first, b"\0")
        asked.give(206, data, {"ETag": '"1"', "Content-Range": f"bytes {first}-{last}/{10**17}"})

    with serve(answer) as (host, web), imagepeel.open(f"http://{host}/shop.tar") as archive:
        assert config(archive)
        assert len(web.asked) < 20


def test_an_empty_file(shop: bytes) -> None:
    with serve(parts(b"")) as (host, _), pytest.raises(NotAnImage):
        imagepeel.open(f"http://{host}/x.tar")


def test_a_page_instead_of_an_archive() -> None:
    with serve(whole(b"<!doctype html>" + b"<p>log in" * 20_000)) as (host, _), pytest.raises(NotAnImage):
        imagepeel.open(f"http://{host}/x.tar")


def test_a_file_that_is_too_large(shop: bytes) -> None:
    limits = Limits(spool_bytes=100_000)
    with serve(whole(shop)) as (host, _), pytest.raises(LimitExceeded, match="is larger than 100,000 bytes"):
        imagepeel.open(f"http://{host}/x.tar", limits=limits)
    with (
        serve(parts(shop)) as (host, _),
        pytest.raises(LimitExceeded, match="more than 100,000 bytes of"),
        imagepeel.open(f"http://{host}/x.tar", limits=limits) as archive,
    ):
        archive.images()[0].scan()


# ---- redirects and credentials -------------------------------------------------------------------------------


def test_a_redirect_is_followed_and_parts_come_from_where_it_led(shop: bytes) -> None:
    with serve(parts(shop)) as (store, there):
        with (
            serve(lambda asked: asked.give(302, b"", {"Location": f"http://{store}/blob?sig=1"})) as (host, here),
            imagepeel.open(f"http://{host}/shop.tar") as archive,
        ):
            archive.images()[0].scan()
            assert archive.name == f"http://{host}/shop.tar"
        assert len(here.asked) == 1 and len(there.asked) > 1


def test_an_address_that_is_valid_for_a_moment_is_asked_for_anew(shop: bytes) -> None:
    good = parts(shop)

    def store_answer(asked: Asked) -> None:
        if asked.path.endswith("sig=1") and len(there.asked) > 1:
            asked.give(403, b"expired")
        else:
            good(asked)

    with serve(store_answer) as (store, there):

        def moved(asked: Asked) -> None:
            asked.give(302, b"", {"Location": f"http://{store}/blob?sig={len(here.asked)}"})

        with serve(moved) as (host, here), imagepeel.open(f"http://{host}/shop.tar") as archive:
            archive.images()[0].scan()
        assert len(here.asked) == 2


def test_a_redirect_in_a_circle() -> None:
    with (
        serve(lambda asked: asked.give(302, b"", {"Location": asked.path + "x"})) as (host, _),
        pytest.raises(FetchFailed, match="redirected in a circle"),
    ):
        imagepeel.open(f"http://{host}/x.tar")


def test_a_password_goes_to_its_host_alone_and_is_shown_nowhere(shop: bytes) -> None:
    with (
        serve(parts(shop)) as (store, there),
        serve(lambda asked: asked.give(302, b"", {"Location": f"http://{store}/blob"})) as (host, here),
        imagepeel.open(f"http://me:sesame@{host}/shop.tar?sig=geheim") as archive,
    ):
        archive.images()[0].scan()
        assert archive.name == f"http://{host}/shop.tar"
    assert here.asked[0][2]["Authorization"] == "Basic bWU6c2VzYW1l"  # RFC 7617: base64 of me:sesame
    assert not [headers for _, _, headers in there.asked if "Authorization" in headers]


def test_a_password_goes_along_with_each_part(shop: bytes) -> None:
    good = parts(shop)

    def answer(asked: Asked) -> None:
        if asked.headers.get("Authorization") != "Basic bWU6c2VzYW1l":
            asked.give(401, b"", {"WWW-Authenticate": "Basic"})
        else:
            good(asked)

    with serve(answer) as (host, web):
        with imagepeel.open(f"http://me:sesame@{host}/shop.tar") as archive:
            archive.images()[0].scan()
        assert all("Authorization" in headers for _, _, headers in web.asked), "none is asked for twice"
        for wrong in ("me:other@", ""):
            with pytest.raises(FetchFailed, match="HTTP 401") as raised:
                imagepeel.open(f"http://{wrong}{host}/shop.tar")
            assert "other" not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize("command", ["images", "layers", "check"])
def test_no_command_says_a_password_however_short(command: str, shop: bytes, run_cli) -> None:
    with serve(parts(shop)) as (host, web):
        for name in ("shop.tar", "none.tar"):
            if name == "none.tar":
                web.answer = lambda asked: asked.give(404)
            done = run_cli(command, f"http://me:pw@{host}/{name}?k=geheim")
            assert f"http://{host}/{name}" in done.stdout + done.stderr
            assert "me:pw" not in done.stdout + done.stderr and "geheim" not in done.stdout + done.stderr


def test_no_table_of_a_survey_has_a_password(shop: bytes, tmp_path: Path) -> None:
    out = tmp_path / "facts"
    with serve(parts(shop)) as (host, web):
        imagepeel.survey(
            [f"http://me:sesame@{host}/shop.tar", f"http://{host}/shop.tar?sig=sesame"], out=out, workers=1
        )
        assert not web.asked
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 2 and not [path for path in written if b"sesame" in path.read_bytes()]


def test_another_machine_is_not_asked_without_encryption() -> None:
    with pytest.raises(FetchFailed, match="would be read without encryption") as raised:
        imagepeel.open("http://198.51.100.1/x.tar")
    assert "--plain-http" in raised.value.hint


def test_encryption_with_an_authority_of_ones_own(shop: bytes, tmp_path: Path) -> None:
    authority, certificate = make_authority(tmp_path)
    with serve(parts(shop), certificate) as (host, _):
        with imagepeel.open(f"https://{host}/shop.tar", ca=authority) as archive:
            archive.images()[0].scan()
        with pytest.raises(FetchFailed, match="is not trusted"):
            imagepeel.open(f"https://{host}/shop.tar")


# ---- the cache -----------------------------------------------------------------------------------------------


def test_a_second_run_fetches_no_layer_of_the_same_version(large: bytes, tmp_path: Path) -> None:
    tag = '"v1"'
    with serve(parts(large, lambda: tag)) as (host, _):

        def run() -> tuple[int, str | None]:
            with imagepeel.open(f"http://{host}/large.tar", cache=str(tmp_path / "cache")) as archive:
                (image,) = archive.images()
                image.scan()
                assert isinstance(archive.file, Fetched)
                return os.fstat(archive.file._file.fileno()).st_size, image.layers[0].diff_id

        first, second = run(), run()
        assert first[1] == second[1] and first[0] >= len(large) and second[0] < 1_000_000
        tag = '"v2"'
        assert run()[0] >= len(large), "of another version nothing is known"


def test_reading_after_close_is_an_error(shop: bytes) -> None:
    with serve(parts(shop)) as (host, _):
        with imagepeel.open(f"http://{host}/shop.tar") as archive:
            source = archive.file
        assert source is not None
        with pytest.raises(UsageError, match="is closed"):
            source.pread(0, 1)
