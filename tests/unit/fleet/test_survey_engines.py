"""Sources of a survey that come whole to whoever opens them: images of an engine, and servers that give no parts."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.results import SurveyResult
from webserver import Asked, Web, serve


def app(folder: Path, layers: int, name: str = "app") -> bytes:
    made = [forge.layer(forge.file(f"srv/{number}", f"{name} {number}\n" * 5_000)) for number in range(layers)]
    path = folder / f"{name}.tar"
    return forge.write(forge.image(*made, entrypoint=["/srv/x"], names="app:1"), path).read_bytes()


def image_id(folder: Path, name: str = "app") -> str:
    """What docker calls the image: the digest of the config, of bytes that tarfile reads."""
    with tarfile.open(folder / f"{name}.tar") as tar:
        (entry,) = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        return "sha256:" + hashlib.sha256(tar.extractfile(entry["Config"]).read()).hexdigest()  # type: ignore[union-attr]


def survey(word: str, tmp_path: Path) -> SurveyResult:
    with ThreadPoolExecutor(2) as executor:
        return imagepeel.survey(word, out=tmp_path / "facts", form="jsonl", executor=executor)


def exports(web: Web) -> int:
    return sum("/images/get" in path for _, path, _ in web.asked)


def test_an_engine_saves_an_image_once_for_all_its_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for its documents, its image and all of its twenty layers."""
    body = app(tmp_path, 20)

    def engine(asked: Asked) -> None:
        asked.give(200, json.dumps({"Id": "sha256:" + "1" * 64}).encode() if asked.path.endswith("/json") else body)

    with serve(engine) as (host, web):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        result = survey("docker:app:1", tmp_path)
    assert (result.examined, result.failed, result.layers.distinct) == (1, 0, 20)
    assert exports(web) == 1
    parts = sorted((tmp_path / "facts" / "layers").iterdir())
    rows = [json.loads(line) for part in parts for line in part.read_text().splitlines()]
    assert len(rows) == 20 and len(parts) == 1


def test_an_image_that_has_its_id_still_is_not_saved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = {name: app(tmp_path, 3, name) for name in ("old", "new")}
    now = "old"

    def engine(asked: Asked) -> None:
        about = json.dumps({"Id": image_id(tmp_path, now)}).encode()
        asked.give(200, about if asked.path.endswith("/json") else bodies[now])

    with serve(engine) as (host, web):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        first = survey("docker:app:1", tmp_path)
        assert first.examined == 1 and exports(web) == 1
        web.asked.clear()
        assert survey("docker:app:1", tmp_path) == first
        assert [path.rpartition("/")[2] for _, path, _ in web.asked] == ["json"]
        now = "new"
        again = survey("docker:app:1", tmp_path)
    assert exports(web) == 1 and again.examined == 1
    rows = [json.loads(line) for part in (tmp_path / "facts" / "files").iterdir() for line in part.open()]
    sizes = {row["size"] for row in rows if row["kind"] == "file"}
    assert sizes == {len("new 0\n") * 5_000}


def test_what_comes_whole_has_the_rows_of_the_same_file(tmp_path: Path) -> None:
    """Two archives with a layer in common, of which the second finds the index of the first; one layer is damaged."""
    base = forge.layer(forge.file("etc/base", "of both\n" * 3_000))
    for name in ("a", "b"):
        own = forge.layer(forge.file(f"srv/{name}", f"{name}\n" * 3_000))
        forge.write(forge.image(base, own, entrypoint=["/srv/x"], names=f"{name}:1"), tmp_path / f"{name}.tar")
    broken = bytearray((tmp_path / "b.tar").read_bytes())
    broken[broken.index(b"b\nb\n")] ^= 1
    (tmp_path / "c.tar").write_bytes(broken)
    names = ("a.tar", "b.tar", "c.tar")
    with serve(lambda asked: asked.give(200, (tmp_path / asked.path[1:]).read_bytes())) as (host, _):
        rows = []
        for top in (f"http://{host}", str(tmp_path)):
            (tmp_path / "list").write_text("".join(f"{top}/{name}\n" for name in names))
            out = tmp_path / f"facts{len(rows)}"
            with ThreadPoolExecutor(1) as executor:
                imagepeel.survey(tmp_path / "list", out=out, form="jsonl", executor=executor)
            tables = {folder.name: folder for folder in out.iterdir() if folder.name != ".survey"}
            rows.append({
                name: sorted(line.replace(f"{top}/", "") for part in folder.iterdir() for line in part.open())
                for name, folder in tables.items()
            })  # fmt: skip
    assert rows[0] == rows[1] and len(rows[0]["layers"]) == 4 and len(rows[0]["images"]) == 3


def test_an_engine_that_is_gone_in_the_second_run_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = app(tmp_path, 1)
    about = json.dumps({"Id": image_id(tmp_path)}).encode()
    with serve(lambda asked: asked.give(200, about if asked.path.endswith("/json") else body)) as (host, _):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        assert survey("docker:app:1", tmp_path).examined == 1
    result = survey("docker:app:1", tmp_path)
    assert (result.examined, result.failed) == (0, 1)
    (row,) = [json.loads(line) for part in (tmp_path / "facts" / "sources").iterdir() for line in part.open()]
    assert row["code"] == "fetch-failed" and row["error"].startswith("docker does not listen")


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"ETag": '"1"'}, True),
        ({"ETag": 'W/"1"'}, False),
        ({"Last-Modified": "Fri, 27 Nov 2020 09:00:00 GMT"}, True),
        ({"Last-Modified": "Fri, 27 Nov 2099 09:00:00 GMT"}, False),
        ({"Last-Modified": "yesterday"}, False),
        ({"ETag": 'W/"1"', "Last-Modified": "Fri, 27 Nov 2020 09:00:00 GMT"}, True),
        ({}, False),
    ],
)
def test_what_a_server_says_of_the_version_saves_the_second_download(
    headers: dict[str, str], told: bool, tmp_path: Path
) -> None:
    """RFC 9110: a weak ETag is no proof, and a date is one only when its second is over."""
    body = app(tmp_path, 2)

    def server(asked: Asked) -> None:
        asked.give(200, body, headers)

    with serve(server) as (host, web):
        first = survey(f"http://{host}/app.tar", tmp_path)
        web.asked.clear()
        assert survey(f"http://{host}/app.tar", tmp_path) == first and first.examined == 1
    assert sum(verb == "GET" for verb, _, _ in web.asked) == (0 if told else 1)


def _other_tag(asked: Asked, body: bytes) -> None:
    asked.give(200, body, {"ETag": '"2"'})


def _other_size(asked: Asked, body: bytes) -> None:
    asked.give(200, body + bytes(512), {"Last-Modified": "Fri, 27 Nov 2020 09:00:00 GMT"})


def _no_head(asked: Asked, body: bytes) -> None:
    asked.give(405 if asked.command == "HEAD" else 200, body, {"ETag": '"1"'})


@pytest.mark.parametrize("then", [_other_tag, _other_size, _no_head])
def test_what_changed_or_cannot_be_asked_comes_again(then: Callable[[Asked, bytes], None], tmp_path: Path) -> None:
    body = app(tmp_path, 2)
    headers = {"Last-Modified": "Fri, 27 Nov 2020 09:00:00 GMT"} if then is _other_size else {"ETag": '"1"'}
    changed = False

    def server(asked: Asked) -> None:
        then(asked, body) if changed else asked.give(200, body, headers)

    with serve(server) as (host, web):
        assert survey(f"http://{host}/app.tar", tmp_path).examined == 1
        changed = True
        web.asked.clear()
        assert survey(f"http://{host}/app.tar", tmp_path).examined == 1
    assert any(verb == "GET" for verb, _, _ in web.asked)
