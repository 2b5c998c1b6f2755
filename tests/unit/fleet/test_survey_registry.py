"""A whole registry as a source: Debian's docker-registry, filled by skopeo, and registries that misbehave."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from fakeregistry import FakeRegistry
from imagepeel import forge
from imagepeel.sources import catalogue, http
from imagepeel.sources.catalogue import host_of
from webserver import Asked, serve

needs_registry = pytest.mark.skipif(
    shutil.which("docker-registry") is None or shutil.which("skopeo") is None, reason="docker-registry, skopeo"
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a registry with five tags in three repositories."""
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"localhost:{free.getsockname()[1]}"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: {host}\n"
        "log:\n  level: error\n  accesslog:\n    disabled: true\n"
    )
    running = subprocess.Popen(
        ["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        base = forge.layer(forge.file("etc/base", b"of all\n" * 2_000))
        for name, tags in (("team/web", ("1", "2")), ("team/db", ("1",)), ("tools", ("old", "new"))):
            for tag in tags:
                own = forge.layer(forge.file(f"srv/{name}", f"{name} {tag}"))
                spec = forge.image(base, own, entrypoint=["/srv/x"], names=f"x:{tag}")
                archive = forge.write(
                    spec, folder / f"{name.replace('/', '-')}-{tag}.tar", kind="oci-archive", compression="gzip"
                )
                _push(archive, f"docker://{host}/{name}:{tag}")
        yield host
    finally:
        running.terminate()
        running.wait()


def _copy(where: str, to: str) -> None:
    words = ["skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", where, to]
    subprocess.run(words, check=True, capture_output=True)


def _push(archive: Path, to: str) -> None:
    words = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci-archive:{archive}", to]
    for attempt in range(40):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert attempt < 39, done.stderr
        time.sleep(0.25)


@pytest.mark.judge
@needs_registry
def test_every_tag_that_a_registry_lists_is_surveyed(registry: str, tmp_path: Path) -> None:
    result = imagepeel.survey(f"registry:{registry}", out=tmp_path / "facts", workers=2, form="jsonl")
    sources = [
        json.loads(line)["source"]
        for part in (tmp_path / "facts" / "sources").iterdir()
        for line in part.read_text().splitlines()
    ]
    told = [
        f"registry:{registry}/{name}:{tag}"
        for name in ("team/db", "team/web", "tools")
        for tag in json.loads(
            subprocess.run(
                ["skopeo", "list-tags", "--tls-verify=false", f"docker://{registry}/{name}"],
                check=True, capture_output=True, text=True,
            ).stdout
        )["Tags"]
    ]  # fmt: skip
    assert sorted(sources) == sorted(told) and len(told) == 5
    assert (result.examined, result.failed) == (5, 0)
    assert (result.layers.uses, result.layers.distinct) == (10, 6)
    assert len(result.nodes) == 6 and result.nodes[0].above == 5

    said: list[str] = []
    again = imagepeel.survey(
        f"registry:{registry}",
        out=tmp_path / "facts", workers=2, form="jsonl", progress=lambda what, done, total: said.append(what),
    )  # fmt: skip
    assert again == result
    assert set(said) == {"documents"}, "digests say that nothing changed"


@pytest.mark.judge
@needs_registry
def test_a_list_in_pages_is_read_to_its_end(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PAGE", 1)
    assert len(imagepeel.lineage(f"registry:{registry}").nodes) == 6


def test_a_registry_that_lists_nothing_is_a_row(tmp_path: Path) -> None:
    def answer(asked: Asked) -> None:
        asked.give(404, b"{}")

    with serve(answer) as (host, _):
        result = imagepeel.survey(f"registry:{host}", out=tmp_path / "facts", workers=1, form="jsonl")
    assert (result.sources, result.failed, result.images) == (1, 1, 0)
    assert result.failures[0].source == f"registry:{host}" and "catalogue" in result.failures[0].error


def test_a_registry_that_turns_in_a_circle_is_left(tmp_path: Path) -> None:
    asked_for: list[str] = []

    def answer(asked: Asked) -> None:
        asked_for.append(asked.path)
        link = {"Link": '</v2/_catalog?n=1000&last=a>; rel="next"', "Content-Type": "application/json"}
        if asked.path.startswith("/v2/_catalog"):
            asked.give(200, b'{"repositories": ["a"]}', link)
        else:
            asked.give(200, b'{"name": "a", "tags": null}', {})

    with serve(answer) as (host, _):
        found = imagepeel.lineage(f"registry:{host}")
    assert [one.source for one in found.failed] == [f"registry:{host}"]
    assert "again and again" in found.failed[0].error and len(asked_for) < 10


@pytest.mark.parametrize(
    ("word", "host"),
    [
        ("registry:localhost:5000", "localhost:5000"),
        ("registry:registry.example.org", "registry.example.org"),
        ("registry:registry.example.org:443/", "registry.example.org:443"),
        ("registry:[::1]:5000", "[::1]:5000"),
        ("registry:nginx", ""),
        ("registry:nginx:1.25", ""),
        ("registry:registry.example.org/app", ""),
        ("docker:localhost:5000", ""),
    ],
)
def test_which_word_is_a_whole_registry(word: str, host: str) -> None:
    assert host_of(word) == host


def test_a_word_that_chooses_one_image_is_about_that_one(tmp_path: Path) -> None:
    def spec(name: str) -> Any:
        return forge.image(forge.layer(forge.file(name, name)), entrypoint=["/x"], names=f"{name}:1")

    archive = forge.write([spec("one"), spec("two")], tmp_path / "both.tar", kind="docker-archive")
    found = imagepeel.lineage([f"docker-archive:{archive}:two:1"])
    assert [image.name for node in found.nodes for image in node.images] == ["two:1"]
    assert imagepeel.lineage([archive]).images == 2


@pytest.mark.judge
@needs_registry
def test_a_second_run_asks_for_the_digest_of_each_tag_alone(registry: str, tmp_path: Path) -> None:
    """What a tag names now is another image, of which everything comes; of the others, no manifest and no config."""
    listed = tmp_path / "list"
    listed.write_text(f"registry:{registry}/team/web:1\nregistry:{registry}/team/db:1\n")

    def run() -> imagepeel.results.SurveyResult:
        with ThreadPoolExecutor(1) as executor:
            return imagepeel.survey(listed, out=tmp_path / "facts", form="jsonl", executor=executor)

    first = run()
    with pytest.MonkeyPatch.context() as patch:
        asked: list[tuple[str, str]] = []
        send = http.Http.send
        patch.setattr(
            http.Http, "send", lambda self, verb, url, *rest, **more: (
                asked.append((verb, url.rpartition("/v2/")[2])) or send(self, verb, url, *rest, **more)
            )
        )  # fmt: skip
        assert run() == first and first.examined == 2
        assert asked == [("HEAD", "team/web/manifests/1"), ("HEAD", "team/db/manifests/1")]
        asked.clear()
        _copy(f"docker://{registry}/team/db:1", f"oci:{tmp_path}/kept:1")
        _copy(f"docker://{registry}/team/web:2", f"docker://{registry}/team/db:1")
        try:
            other = run()
        finally:
            _copy(f"oci:{tmp_path}/kept:1", f"docker://{registry}/team/db:1")
    assert (other.examined, other.failed) == (2, 0)
    assert ("GET", "team/db/manifests/1") in asked and ("GET", "team/web/manifests/1") not in asked
    names = {row["path"] for row in _rows(tmp_path / "facts", "files")}
    assert "/srv/team/db" not in names and "/srv/team/web" in names


def test_an_index_is_the_same_by_its_own_digest_and_one_that_lacks_a_document_is_looked_at(tmp_path: Path) -> None:
    archive = forge.write(
        forge.image(forge.layer(forge.file("x", "y" * 3_000))), tmp_path / "a.tar", kind="oci-archive"
    )
    shop = FakeRegistry(archive)
    entry = {"mediaType": shop.types[shop.top], "digest": shop.top, "size": len(shop.blobs[shop.top]),
             "platform": {"os": "linux", "architecture": "amd64"}}  # fmt: skip
    shop.top = shop.put({"schemaVersion": 2, "manifests": [entry]}, "application/vnd.oci.image.index.v1+json")
    config = json.loads(shop.blobs[entry["digest"]])["config"]["digest"]
    kept = shop.blobs.pop(config)
    with serve(shop) as (host, web), ThreadPoolExecutor(1) as executor:

        def run() -> list[str]:
            web.asked.clear()
            imagepeel.survey(f"registry:{host}/shop:1", out=tmp_path / "facts", form="jsonl", executor=executor)
            return [f"{verb} {path.partition('/shop/')[2][:9]}" for verb, path, _ in web.asked if "/shop/" in path]

        run()
        assert "GET manifests" in run()
        shop.blobs[config] = kept
        assert "GET manifests" in run()
        assert _rows(tmp_path / "facts", "images")[0]["examined"] is True
        assert run() == ["HEAD manifests"]


@pytest.mark.judge
@needs_registry
def test_a_blob_that_the_registry_lost_is_a_layer_that_is_not_here(
    registry: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """The registry says 404 for it, as it says to skopeo, which copies nothing then; once it is back, a run sees it."""
    word = f"registry:{registry}/tools:new"
    with imagepeel.open(word) as archive:
        layers = archive.image().layers
        gone = str(layers[1].digest)
    configs = tmp_path_factory.getbasetemp().glob("registry*/config.yml")
    storage = next(config.parent / "data" for config in configs if f"addr: {registry}" in config.read_text())
    data = storage / "docker/registry/v2/blobs/sha256" / gone[7:9] / gone[7:] / "data"
    data.rename(tmp_path / "kept")
    try:
        copied = subprocess.run(
            ["skopeo", "copy", "--src-tls-verify=false", f"docker://{registry}/tools:new", f"oci:{tmp_path}/copy"],
            capture_output=True, text=True,
        )  # fmt: skip
        assert copied.returncode and "404" in copied.stderr
        lacking = imagepeel.survey(word, out=tmp_path / "facts", workers=1, form="jsonl")
        assert (lacking.sources, lacking.examined, lacking.failed) == (1, 1, 0)
        image = _rows(tmp_path / "facts", "images")[0]
        assert image["complete"] is False
        assert len(_rows(tmp_path / "facts", "layers")) == 1
    finally:
        (tmp_path / "kept").rename(data)
    whole = imagepeel.survey(word, out=tmp_path / "facts", workers=1, form="jsonl")
    assert (whole.examined, whole.failed) == (1, 0)
    assert _rows(tmp_path / "facts", "images")[0]["complete"] is True
    assert {row["layer"] for row in _rows(tmp_path / "facts", "layers")} == {str(layer.digest) for layer in layers}


def _rows(facts: Path, table: str) -> list[dict[str, Any]]:
    parts = sorted((facts / table).iterdir())
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]
