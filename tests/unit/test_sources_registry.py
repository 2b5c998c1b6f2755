"""Images of a registry that fails or lies: each fault is one plain error, and what is fine is read once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from fakeregistry import FakeRegistry, digest_of
from imagepeel.sources import http
from imagepeel.sources.image_name import parse_name
from webserver import Asked, Web, make_authority, serve

Make = Callable[..., Path]
LOGIN = "Basic " + base64.b64encode(b"ada:secret").decode()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No logins of this machine, and no waiting."""
    monkeypatch.setattr(http, "BACKOFF", 0.01)
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def shop(forge_archive: Make) -> FakeRegistry:
    return FakeRegistry(forge_archive("shop", kind="oci-archive"))


@pytest.fixture
def place(shop: FakeRegistry) -> Iterator[tuple[str, Web]]:
    with serve(shop) as (host, web):
        yield f"registry:{host}/shop:1", web


def log_in(tmp_path: Path, host: str, **more: Any) -> None:
    (tmp_path / "docker").mkdir(exist_ok=True)
    entry = {"auth": base64.b64encode(b"ada:secret").decode()}
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {host: entry}, **more}))


def paths(web: Web) -> list[str]:
    """What was asked for: `manifests` or `blobs`, and the start of the digest."""
    return [path.removeprefix("/v2/shop/")[:19] for _, path, _ in web.asked]


# ---- reading --------------------------------------------------------------------------------------------------------


def test_the_filesystem_is_that_of_the_file(place: tuple[str, Web], forge_archive: Make, run_cli: Any) -> None:
    here = run_cli("ls", "-R", "--json", str(forge_archive("shop", kind="oci-archive")))
    there = run_cli("ls", "-R", "--json", place[0])
    assert there.exit_code == 0 and there.stdout.splitlines()[1:] == here.stdout.splitlines()[1:]
    assert len(there.stdout.splitlines()) > 10


def test_the_documents_alone_fetch_no_layer(place: tuple[str, Web]) -> None:
    with imagepeel.open(place[0]) as archive:
        assert archive.image().config.cmd
    assert [one.partition("/")[0] for one in paths(place[1])] == ["manifests", "blobs"]


def test_layers_that_nobody_asked_for_are_not_said_to_be_there(
    place: tuple[str, Web], shop: FakeRegistry, run_cli: Any
) -> None:
    """The registry has lost one, which only a reader of layers meets."""
    lost = shop.manifest["layers"][1]["digest"]
    shop.fault = lambda asked: asked.path.endswith(lost) and not asked.give(404, b"{}")
    found = json.loads(run_cli("images", "--json", place[0]).stdout)["result"]["images"][0]
    assert found["complete"] is None and found["missing"] == [] and found["layers"] == len(shop.manifest["layers"])
    told = run_cli("images", place[0])
    assert told.exit_code == 0 and "not asked" in told.stdout and " yes" not in told.stdout
    shop.blobs.pop(shop.manifest["config"]["digest"])
    gone = json.loads(run_cli("images", "--json", place[0]).stdout)["result"]["images"][0]
    assert gone["complete"] is False and gone["missing"], "what is known to be missing is said"


def test_each_layer_is_fetched_once_however_often_it_is_read(place: tuple[str, Web], shop: FakeRegistry) -> None:
    with imagepeel.open(place[0]) as archive:
        image = archive.image()
        image.scan()
        image.scan(digests=True)
        for layer in image.layers:
            for number, entry in enumerate(layer.entries):
                if entry.kind == "file":
                    layer.open(number).read()
        assert all(layer.verified for layer in image.layers)
    asked = paths(place[1])
    assert len(asked) == len(set(asked)) == 2 + len({layer["digest"] for layer in shop.manifest["layers"]})


def test_the_story_says_where_the_image_is(place: tuple[str, Web], run_cli: Any) -> None:
    told = run_cli("explain", place[0]).stdout
    assert "1  It is an image in a registry" in told and f"{place[0]} is, copied as it lies there" in told


@pytest.mark.parametrize("command", ["layers", "explain", "process"])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_second_run_fetches_documents_only(command: str, compression: str, forge_archive: Make, run_cli: Any) -> None:
    registry = FakeRegistry(forge_archive("shop", kind="oci-archive", compression=compression))
    with serve(registry) as (host, web):
        first = run_cli(command, f"registry:{host}/shop:1")
        assert first.exit_code == 0 and len(web.asked) > 5
        web.asked.clear()
        again = run_cli(command, f"registry:{host}/shop:1")
        assert again.stdout == first.stdout
        assert paths(web) == ["manifests/1", "blobs/" + registry.manifest["config"]["digest"][:13]]


def test_a_broken_connection_is_taken_up_where_it_broke(place: tuple[str, Web], shop: FakeRegistry) -> None:
    large = max(shop.manifest["layers"], key=lambda layer: layer["size"])
    data = shop.blobs[large["digest"]]

    def cut(asked: Asked) -> bool:
        if not asked.path.endswith(large["digest"]) or "Range" in asked.headers:
            return False
        asked.give(200, data[:100_000], stated=len(data))
        return True

    shop.fault = cut
    with imagepeel.open(place[0]) as archive:
        assert all(layer.verified for layer in archive.image().layers)
    ranges = [headers["Range"] for _, _, headers in place[1].asked if "Range" in headers]
    assert ranges == ["bytes=100000-"]


def test_a_registry_without_ranges_is_read_again_from_the_start(place: tuple[str, Web], shop: FakeRegistry) -> None:
    digest, seen = shop.layer(0), []

    def cut(asked: Asked) -> bool:
        if not asked.path.endswith(digest) or seen:
            return False
        seen.append(1)
        asked.give(200, shop.blobs[digest][:5000], stated=len(shop.blobs[digest]))
        return True

    shop.fault, shop.ranges = cut, False
    with imagepeel.open(place[0]) as archive:
        assert all(layer.verified for layer in archive.image().layers)


# ---- one image of several -------------------------------------------------------------------------------------------


def two_platforms(shop: FakeRegistry) -> str:
    """Put an index of the image for two platforms behind the tag; return the digest of the second manifest."""
    other = {**shop.manifest, "annotations": {"a": "b"}}
    second = shop.put(other)
    listed = [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": len(shop.blobs[digest]),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for digest, architecture in ((shop.top, "amd64"), (second, "riscv64"))
    ]
    kind = "application/vnd.oci.image.index.v1+json"
    shop.top = shop.put({"schemaVersion": 2, "mediaType": kind, "manifests": listed}, kind)
    return second


def test_a_platform_is_picked_before_anything_else_is_fetched(shop: FakeRegistry, run_cli: Any) -> None:
    second = two_platforms(shop)
    with serve(shop) as (host, web):
        done = run_cli("process", "--platform", "linux/riscv64", f"registry:{host}/shop:1")
        assert done.exit_code == 0 and "not #1 (linux/amd64)" in done.stdout
        assert [one for one in paths(web) if one.startswith("manifests")] == ["manifests/1", f"manifests/{second[:9]}"]


def test_all_platforms_are_listed_by_the_index_alone(shop: FakeRegistry, run_cli: Any) -> None:
    two_platforms(shop)
    with serve(shop) as (host, web):
        done = run_cli("images", f"registry:{host}/shop:1")
        assert done.exit_code == 0 and "amd64" in done.stdout and "riscv64" in done.stdout
        assert paths(web) == ["manifests/1"]
        assert done.stdout.count(" not asked ") == 2 and "missing" not in done.stdout


def test_the_image_of_one_platform_does_not_hide_the_others(shop: FakeRegistry) -> None:
    two_platforms(shop)
    with serve(shop) as (host, _), imagepeel.open(f"registry:{host}/shop:1") as archive:
        assert archive.image(platform="linux/riscv64").config.cmd
        assert len(archive.images()) == 2 and archive.image("#1").record.platform.architecture == "amd64"


# ---- a registry that lies -------------------------------------------------------------------------------------------


def test_another_manifest_than_the_digest_says(shop: FakeRegistry) -> None:
    shop.blobs[shop.top] += b" "
    with serve(shop) as (host, _), pytest.raises(imagepeel.DigestMismatch, match="sends another manifest"):
        imagepeel.open(f"docker://{host}/shop@{shop.top}")


def test_a_layer_with_other_bytes_is_a_mismatch_beside_the_result(
    place: tuple[str, Web], shop: FakeRegistry, run_cli: Any
) -> None:
    digest = shop.layer(0)
    shop.blobs[digest] = shop.blobs[digest][:-1] + bytes([shop.blobs[digest][-1] ^ 1])
    done = run_cli("layers", place[0])
    assert done.exit_code == 12 and digest in done.stderr and "L2" in done.stdout


def test_bytes_of_a_known_layer_are_checked_again(
    shop: FakeRegistry, run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of the cache is right, and the registry sends something else for a file that is read later."""
    with serve(shop) as (host, _):
        assert run_cli("layers", f"registry:{host}/shop:1").exit_code == 0
        for number in range(len(shop.manifest["layers"])):
            digest = shop.layer(number)
            shop.blobs[digest] = b"\0" * len(shop.blobs[digest])
        done = run_cli("cat", f"registry:{host}/shop:1", "/usr/local/bin/entrypoint.sh")
    assert done.exit_code == 12 and done.stdout == "" and "sends other bytes" in done.stderr


@pytest.mark.parametrize("more", [-1, 1])
def test_a_layer_of_another_size(more: int, place: tuple[str, Web], shop: FakeRegistry) -> None:
    digest = shop.layer(0)
    data = shop.blobs[digest]
    shop.blobs[digest] = data[:more] if more < 0 else data + b"\0"
    with imagepeel.open(place[0]) as archive, pytest.raises(imagepeel.DigestMismatch, match="are stated"):
        archive.image().scan()


def test_a_layer_that_never_ends_costs_its_stated_size(place: tuple[str, Web], shop: FakeRegistry) -> None:
    digest, sent = shop.layer(0), []

    def endless(asked: Asked) -> bool:
        if not asked.path.endswith(digest):
            return False
        asked.send_response(200)
        asked.send_header("Connection", "close")
        asked.end_headers()
        while True:
            sent.append(asked.wfile.write(b"\0" * 65536))

    shop.fault = endless
    with imagepeel.open(place[0]) as archive, pytest.raises(imagepeel.DigestMismatch, match="sends at least"):
        archive.image().scan()


def test_a_config_with_other_bytes(place: tuple[str, Web], shop: FakeRegistry, run_cli: Any) -> None:
    digest = shop.manifest["config"]["digest"]
    shop.blobs[digest] = shop.blobs[digest].replace(b"shop", b"evil")
    done = run_cli("process", place[0])
    assert done.exit_code == 12 and "config" in done.stderr


def test_a_huge_manifest_is_not_read(shop: FakeRegistry, run_cli: Any) -> None:
    def huge(asked: Asked) -> bool:
        asked.give(200, b"{" + b" " * (5 << 20), {"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
        return True

    shop.fault = huge
    with serve(shop) as (host, _):
        done = run_cli("images", "--limits", "strict", f"registry:{host}/shop:1")
    assert done.exit_code == 13 and done.stdout == ""


def test_a_list_of_very_many_manifests_ends(shop: FakeRegistry) -> None:
    kind = "application/vnd.oci.image.index.v1+json"
    one = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2}
    listed = [{**one, "digest": digest_of(b"%d" % n)} for n in range(5_000)]
    shop.top = shop.put({"schemaVersion": 2, "mediaType": kind, "manifests": listed}, kind)
    with serve(shop) as (host, web):
        with imagepeel.open(f"registry:{host}/shop:1", limits=imagepeel.Limits(documents=50)) as archive:
            assert any(anomaly.code == "document-limit" for anomaly in archive.anomalies)
        assert len(web.asked) <= 51


def test_a_foreign_layer_is_never_fetched_from_its_urls(shop: FakeRegistry) -> None:
    with serve(lambda asked: asked.give(200, b"")) as (elsewhere, other):
        manifest = shop.manifest
        kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        manifest["layers"][0] |= {"mediaType": kind, "urls": [f"http://{elsewhere}/layer"]}
        shop.top = shop.put(manifest)
        with serve(shop) as (host, web), imagepeel.open(f"registry:{host}/shop:1") as archive:
            image = archive.image()
            image.scan()
            assert image.layers[0].state == "foreign"
    assert not other.asked and not any(shop.layer(0)[:13] in path for path in paths(web))


@pytest.mark.parametrize("data", [b"", b"not json", b"[]", b'{"manifests": 5}'])
def test_a_manifest_that_is_none(data: bytes, shop: FakeRegistry, run_cli: Any) -> None:
    shop.top = shop.put(data)
    with serve(shop) as (host, _):
        done = run_cli("explain", f"registry:{host}/shop:1")
    assert done.exit_code in (11, 14) and "internal" not in done.stderr


def test_what_the_registry_does_not_have(place: tuple[str, Web], shop: FakeRegistry, run_cli: Any) -> None:
    assert run_cli("images", place[0].removesuffix("1") + "2").exit_code == 14


@pytest.mark.parametrize("options", [[], ["--no-verify"]], ids=["whole", "in-parts"])
@pytest.mark.parametrize("command", ["layers", "tree", "process", "check", "waste", "explain"])
def test_a_layer_that_the_registry_lacks_is_missing_as_in_a_layout(
    command: str, options: list[str], place: tuple[str, Web], shop: FakeRegistry, tmp_path: Path, run_cli: Any
) -> None:
    """As in the layout that a copy of everything else is, in which a missing layer has been a state all along."""
    gone, layout = shop.layer(1), tmp_path / "shop:1"
    (layout / "blobs" / "sha256").mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    top = {"mediaType": shop.types[shop.top], "digest": shop.top, "size": len(shop.blobs[shop.top])}
    top["annotations"] = {"org.opencontainers.image.ref.name": place[0].removeprefix("registry:")}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    del shop.blobs[gone]
    for digest, data in shop.blobs.items():
        (layout / "blobs" / "sha256" / digest[7:]).write_bytes(data)
    here, there = run_cli(command, *options, str(layout)), run_cli(command, *options, place[0])
    assert there.exit_code == here.exit_code
    assert "layer L2 is not here (missing)" in there.stdout + there.stderr or "L2" in here.stderr + here.stdout
    assert gone not in "".join(line for line in there.stdout.splitlines() if "read on the way" in line)
    if command != "explain":  # which says where the image is
        assert there.stdout.replace(place[0], "IMAGE") == here.stdout.replace(str(layout), "IMAGE")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_layer_that_is_refused_is_not_a_missing_one(
    status: int, place: tuple[str, Web], shop: FakeRegistry, run_cli: Any
) -> None:
    gone = shop.layer(1)

    def refuse(asked: Asked) -> bool:
        if not asked.path.endswith(gone):
            return False
        asked.give(status, b"", {"Retry-After": "0"})
        return True

    shop.fault = refuse
    done = run_cli("layers", place[0])
    assert done.exit_code == 16 and str(status) in done.stderr and done.stdout == ""


def test_a_config_that_the_registry_lacks_is_missing(place: tuple[str, Web], shop: FakeRegistry) -> None:
    del shop.blobs[shop.manifest["config"]["digest"]]
    with imagepeel.open(place[0]) as archive:
        image = archive.image()
        assert image.record.missing == ("config",) and image.record.config_state == "missing"
        assert [layer.readable for layer in image.layers] == [True] * len(shop.manifest["layers"])


def test_a_second_read_of_a_blob_that_was_lost_on_the_way_asks_again(
    place: tuple[str, Web], shop: FakeRegistry
) -> None:
    asked_for: list[str] = []

    def refuse(asked: Asked) -> bool:
        if not asked.path.endswith(shop.layer(1)) or len(asked_for) > 0:
            return False
        asked_for.append(asked.path)
        asked.give(403)
        return True

    shop.fault = refuse
    with imagepeel.open(place[0]) as archive:
        image = archive.image()
        with pytest.raises(imagepeel.FetchFailed):
            image.scan()
        image.scan()
        assert image.layers[1].digest == shop.layer(1) and len(image.layers[1].entries)


@pytest.mark.parametrize(("status", "code"), [(401, 16), (403, 16), (404, 14), (429, 16), (500, 16), (503, 16)])
def test_each_refusal_is_said_on_one_screen(status: int, code: int, shop: FakeRegistry, run_cli: Any) -> None:
    def refuse(asked: Asked) -> bool:
        asked.give(status, b"<html>" * 100, {"Retry-After": "0"})
        return True

    shop.fault = refuse
    with serve(shop) as (host, _):
        done = run_cli("explain", f"registry:{host}/shop:1")
    assert done.exit_code == code and done.stdout == "" and len(done.stderr.splitlines()) <= 6
    assert str(status) in done.stderr and "html" not in done.stderr


def test_an_image_of_schema_1_is_said(shop: FakeRegistry, run_cli: Any) -> None:
    shop.types[shop.top] = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    with serve(shop) as (host, _):
        done = run_cli("explain", f"registry:{host}/shop:1")
    assert done.exit_code == 10 and "schema 1" in done.stderr


# ---- logins ---------------------------------------------------------------------------------------------------------


def guarded(shop: FakeRegistry, challenge: str, authorization: str) -> None:
    def guard(asked: Asked) -> bool:
        if asked.headers.get("Authorization") == authorization:
            return False
        asked.give(401, headers={"WWW-Authenticate": challenge})
        return True

    shop.fault = guard


def test_a_login_of_docker_is_used(place: tuple[str, Web], shop: FakeRegistry, tmp_path: Path, run_cli: Any) -> None:
    guarded(shop, 'Basic realm="x"', LOGIN)
    denied = run_cli("images", place[0])
    assert denied.exit_code == 16 and "docker login 127.0.0.1" in denied.stderr
    log_in(tmp_path, place[0].removeprefix("registry:").partition("/")[0])
    assert run_cli("images", place[0]).exit_code == 0


def token_server(body: dict[str, Any], seen: list[Asked]) -> Callable[[Asked], None]:
    def answer(asked: Asked) -> None:
        seen.append(asked)
        asked.give(200, json.dumps(body).encode())

    return answer


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_a_token_is_fetched_for_this_repository_and_kept(
    key: str, place: tuple[str, Web], shop: FakeRegistry, tmp_path: Path, run_cli: Any
) -> None:
    seen: list[Asked] = []
    with serve(token_server({key: "t0k3n"}, seen)) as (realm, tokens):
        challenge = f'Bearer realm="http://{realm}/token?a=b",service="reg",scope="repository:shop:pull,push"'
        guarded(shop, challenge, "Bearer t0k3n")
        log_in(tmp_path, place[0].removeprefix("registry:").partition("/")[0])
        assert run_cli("layers", place[0]).exit_code == 0
    ((_, path, headers),) = tokens.asked
    assert path == "/token?a=b&service=reg&scope=repository%3Ashop%3Apull" and headers["Authorization"] == LOGIN


def test_without_a_login_a_token_is_fetched_without_one(place: tuple[str, Web], shop: FakeRegistry) -> None:
    with serve(token_server({"token": "t"}, [])) as (realm, tokens):
        guarded(shop, f'Bearer realm="http://{realm}/t"', "Bearer t")
        imagepeel.open(place[0]).close()
    assert "Authorization" not in tokens.asked[0][2]


def test_an_identity_token_buys_a_token(place: tuple[str, Web], shop: FakeRegistry, tmp_path: Path) -> None:
    seen: list[Asked] = []
    host = place[0].removeprefix("registry:").partition("/")[0]
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {host: {"identitytoken": "id/1"}}}))
    with serve(token_server({"access_token": "t"}, seen)) as (realm, _):
        guarded(shop, f'Bearer realm="http://{realm}/t",service="s"', "Bearer t")
        imagepeel.open(place[0]).close()
    assert seen[0].command == "POST" and b"refresh_token=id%2F1" in seen[0].body


@pytest.mark.parametrize(
    ("registry", "realm", "own"),
    [
        ("registry-1.docker.io", "https://auth.docker.io/token", True),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("ghcr.io", "https://ghcr.io/token", True),
        ("127.0.0.1:5000", "http://127.0.0.1:5001/token", True),
        ("registry.example.com", "https://evil.example.net/token", False),
        ("ghcr.io", "https://evil.io/token", False),
        ("registry.example.com", "https://evilexample.com/token", False),
        ("10.0.0.1", "https://10.0.0.2/", False),
        ("[::1]:5000", "https://evil.example/", False),
    ],
)
def test_whose_token_server_gets_the_login(registry: str, realm: str, own: bool) -> None:
    from imagepeel.sources.registry import _own

    assert _own(registry, realm) is own


def test_a_realm_elsewhere_does_not_get_the_login(shop: FakeRegistry, tmp_path: Path) -> None:
    """The registry is asked as 127.0.0.1, and names a token server on another host of this machine."""
    with serve(token_server({"token": "t"}, [])) as (realm, tokens), serve(shop) as (host, _):
        port = realm.rpartition(":")[2]
        guarded(shop, f'Bearer realm="http://localhost:{port}/t"', "Bearer t")
        log_in(tmp_path, host)
        imagepeel.open(f"registry:{host}/shop:1").close()
    assert "Authorization" not in tokens.asked[0][2]


@pytest.mark.parametrize(
    ("realm", "words"),
    [("http://auth.example/t", "without encryption"), ("ftp://x/", "no address"), ("", "no address")],
)
def test_a_realm_that_nobody_should_ask(realm: str, words: str, place: tuple[str, Web], shop: FakeRegistry) -> None:
    guarded(shop, f'Bearer realm="{realm}"', "x")
    with pytest.raises(imagepeel.FetchFailed, match=words):
        imagepeel.open(place[0])


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "a\r\nX: y"}, {"token": "x" * 100_000}])
def test_a_token_that_is_none(body: dict[str, Any], place: tuple[str, Web], shop: FakeRegistry) -> None:
    with serve(token_server(body, [])) as (realm, _):
        guarded(shop, f'Bearer realm="http://{realm}/t"', "x")
        with pytest.raises(imagepeel.FetchFailed, match="gives no token"):
            imagepeel.open(place[0])


def test_a_registry_with_tls_sends_nobody_to_a_server_without(shop: FakeRegistry, tmp_path: Path) -> None:
    authority, certificate = make_authority(tmp_path)
    with serve(token_server({"token": "t"}, [])) as (realm, tokens), serve(shop, certificate) as (host, _):
        guarded(shop, f'Bearer realm="http://{realm}/t"', "Bearer t")
        with pytest.raises(imagepeel.FetchFailed, match="not encrypted"):
            imagepeel.open(f"registry:{host}/shop:1", ca=authority)
    assert not tokens.asked


def test_a_login_does_not_follow_a_blob_to_another_host(
    place: tuple[str, Web], shop: FakeRegistry, tmp_path: Path, run_cli: Any
) -> None:
    def storage(asked: Asked) -> None:
        asked.give(200, shop.blobs[asked.path.rpartition("/")[2]])

    with serve(storage) as (elsewhere, store):
        guarded(shop, 'Basic realm="x"', LOGIN)
        guard = shop.fault

        def away(asked: Asked) -> bool:
            if guard(asked):
                return True
            if "/blobs/" not in asked.path:
                return False
            asked.give(307, headers={"Location": f"http://{elsewhere}/{asked.path.rpartition('/')[2]}"})
            return True

        shop.fault = away
        log_in(tmp_path, place[0].removeprefix("registry:").partition("/")[0])
        assert run_cli("layers", place[0]).exit_code == 0
    assert len(store.asked) > 5 and not any("Authorization" in headers for _, _, headers in store.asked)


def test_secrets_stand_in_no_error(place: tuple[str, Web], shop: FakeRegistry, tmp_path: Path, run_cli: Any) -> None:
    def signed(asked: Asked) -> bool:
        asked.give(302, headers={"Location": f"{asked.path}?X-Amz-Signature=s3cr3t"})
        return True

    shop.fault = signed
    log_in(tmp_path, place[0].removeprefix("registry:").partition("/")[0])
    done = run_cli("images", place[0])
    assert done.exit_code == 16 and "circle" in done.stderr
    assert "s3cr3t" not in done.stderr and "secret" not in done.stderr


def test_tls_with_an_authority_of_its_own(shop: FakeRegistry, tmp_path: Path, run_cli: Any) -> None:
    authority, certificate = make_authority(tmp_path)
    with serve(shop, certificate) as (host, _):
        done = run_cli("images", f"registry:{host}/shop:1")
        assert done.exit_code == 16 and "not trusted" in done.stderr and "--ca FILE" in done.stderr
        assert run_cli("images", "--ca", str(authority), f"registry:{host}/shop:1").exit_code == 0
        for words in (["lineage"], ["survey", "--out", str(tmp_path / "facts"), "--workers", "1", "--format", "jsonl"]):
            assert run_cli(*words, "--strict", f"registry:{host}/shop:1").exit_code == 1
            assert run_cli(*words, "--strict", "--ca", str(authority), f"registry:{host}/shop:1").exit_code == 0


# ---- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "whole", "address"),
    [
        ("nginx", "docker.io/library/nginx:latest", "registry-1.docker.io"),
        ("grafana/loki:2", "docker.io/grafana/loki:2", "registry-1.docker.io"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1", "registry-1.docker.io"),
        ("localhost/a", "localhost/a:latest", "localhost"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x", "localhost:5000"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io"),
        ("a:1@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64, "registry-1.docker.io"),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, whole: str, address: str) -> None:
    assert (str(parse_name(text)), parse_name(text).address) == (whole, address)


@pytest.mark.parametrize(
    "text", ["", "A", "a/B", "a:", "a@sha256:12", "a//b", "host.example/", "host:99999999/a", "../a"]
)
@pytest.mark.parametrize("after", ["", "?", " b"])
def test_what_is_no_name(text: str, after: str) -> None:
    with pytest.raises(imagepeel.UsageError, match="no name of an image"):
        parse_name(text + after)


@pytest.mark.parametrize("text", ["a/../b", "a:x/y", "h.x/?a", "a b", "a@", "-x.y/a", "h.x/a%2e"])
def test_what_would_lead_elsewhere_is_no_name(text: str) -> None:
    with pytest.raises(imagepeel.UsageError, match="no name of an image"):
        parse_name(text)


# ---- parts ----------------------------------------------------------------------------------------------------------


def sent(web: Web) -> int:
    """How many bytes of blobs were asked for by ranges; all of the others count as a thousand times as many."""
    asked = [headers.get("Range", "bytes=0-999999999") for _, path, headers in web.asked if "/blobs/" in path]
    return sum(int(end) - int(start) + 1 for start, end in (one.removeprefix("bytes=").split("-") for one in asked[1:]))


@pytest.fixture
def large(tmp_path: Path) -> FakeRegistry:
    """An uncompressed image of a layer with eight megabytes in one file, and two small ones around it."""
    from imagepeel import forge

    layer = forge.layer(
        forge.file("first", "1"), forge.file("big", b"\1" * (8 << 20)), forge.file("last", "the last one")
    )
    spec = forge.image(layer, cmd=["/first"])
    return FakeRegistry(forge.write(spec, tmp_path / "large.tar", kind="oci-archive", compression="none"))


def test_without_digests_only_the_parts_come_that_are_read(large: FakeRegistry, run_cli: Any) -> None:
    with serve(large) as (host, web):
        listed = run_cli("ls", "-R", "--no-verify", f"registry:{host}/shop:1")
        assert listed.exit_code == 0 and "last" in listed.stdout
        assert sent(web) < 1 << 20
        assert "no digest was computed" in listed.stderr and f"registry:{host}/shop:1" in listed.stderr
        read = run_cli("cat", "--no-verify", f"registry:{host}/shop:1", "/last")
        assert read.stdout == "the last one" and "no digest was computed" in read.stderr


def test_with_digests_the_layer_comes_whole_and_nothing_is_left_to_say(large: FakeRegistry, run_cli: Any) -> None:
    with serve(large) as (host, web):
        done = run_cli("cat", f"registry:{host}/shop:1", "/last")
        assert (done.stdout, done.stderr) == ("the last one", "")
        assert not any("Range" in headers for _, _, headers in web.asked)


def test_a_registry_that_gives_no_parts_is_read_whole(large: FakeRegistry, run_cli: Any) -> None:
    large.ranges = False
    with serve(large) as (host, _):
        assert run_cli("cat", "--no-verify", f"registry:{host}/shop:1", "/last").stdout == "the last one"


def test_other_parts_than_were_asked_for_are_an_error(large: FakeRegistry, run_cli: Any) -> None:
    def shifted(asked: Asked) -> bool:
        if "Range" not in asked.headers:
            return False
        asked.give(206, b"\0" * 65536, {"Content-Range": "bytes 1-65536/99999999"})
        return True

    large.fault = shifted
    with serve(large) as (host, _):
        done = run_cli("ls", "--no-verify", f"registry:{host}/shop:1")
    assert done.exit_code == 16 and "other bytes than were asked for" in done.stderr
