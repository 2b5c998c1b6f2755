"""Sources of a survey that lie, hang or come as a stream: each costs its own row, and no more requests than it must."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.sources import http
from webserver import Asked, serve


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No index of another test, and no waiting."""
    monkeypatch.setattr(http, "BACKOFF", 0.01)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def survey(tmp_path: Path, *sources: str | Path) -> imagepeel.results.SurveyResult:
    with ThreadPoolExecutor(2) as executor:
        return imagepeel.survey(list(sources), out=tmp_path / "facts", form="jsonl", executor=executor)


def app(name: str, layers: int = 1) -> forge.ImageSpec:
    made = [forge.layer(forge.file(f"srv/{number}", f"{name} {number}\n" * 5_000)) for number in range(layers)]
    return forge.image(*made, entrypoint=["/srv/x"], names=f"{name}:1")


@pytest.mark.parametrize(
    "tags",
    [b"\xff\0", b"", b"[]", b'{"tags": 5}', b'{"tags": {"a": 1}}', b"[" * 100_000, b'{"tags": ["1", null]}'],
    ids=["bytes", "nothing", "list", "number", "object", "deep", "null-in-list"],
)
def test_a_list_of_tags_that_is_garbage_is_a_row(tags: bytes, tmp_path: Path) -> None:
    def answer(asked: Asked) -> None:
        asked.give(200, b'{"repositories": ["a"]}' if "_catalog" in asked.path else tags)

    forge.write(app("good"), tmp_path / "good.tar")
    with serve(answer) as (host, web):
        result = survey(tmp_path, f"registry:{host}", tmp_path / "good.tar")
    assert (result.sources, result.examined, result.failed) == (2, 1, 1)
    assert result.failures[0].source == f"registry:{host}" and "the tags of a" in result.failures[0].error
    assert len(web.asked) < 10


def test_tags_that_are_no_tags_lead_nowhere_else(tmp_path: Path) -> None:
    names = ["../../etc", "a b", "\x1b[31m", "1?x=/../", "", "\n", "x" * 5_000]

    def answer(asked: Asked) -> None:
        listed = "_catalog" in asked.path
        asked.give(200, json.dumps({"repositories": ["a"]} if listed else {"tags": names}).encode())

    with serve(answer) as (host, web):
        result = survey(tmp_path, f"registry:{host}")
    assert (result.sources, result.examined, result.failed) == (len(names), 0, len(names))
    assert {path.partition("?")[0] for _, path, _ in web.asked} <= {"/v2/", "/v2/_catalog", "/v2/a/tags/list"}


def test_a_registry_that_never_answers_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ", 0.2)
    end = threading.Event()
    forge.write(app("good"), tmp_path / "good.tar")
    with serve(lambda asked: end.wait(20) and None) as (host, _):
        try:
            result = survey(tmp_path, f"registry:{host}", f"registry:{host}/a:1", tmp_path / "good.tar")
        finally:
            end.set()
    assert (result.sources, result.examined, result.failed) == (3, 1, 2)
    assert {one.source for one in result.failures} == {f"registry:{host}", f"registry:{host}/a:1"}


def test_a_directory_that_may_not_be_read_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "fleet" / "shut").mkdir(parents=True)
    forge.write(app("good"), tmp_path / "fleet" / "good.tar")
    (tmp_path / "fleet" / "shut").chmod(0)
    if os.access(tmp_path / "fleet" / "shut", os.R_OK):
        pytest.skip("root reads every directory")
    try:
        result = survey(tmp_path, tmp_path / "fleet")
    finally:
        (tmp_path / "fleet" / "shut").chmod(0o700)
    assert (result.examined, result.failed) == (1, 1) and "shut" in result.failures[0].error


class Elements(HTMLParser):
    """What a parser of HTML finds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts = 0
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.scripts += tag in ("script", "img")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_name_of_a_source_is_text_on_the_page(tmp_path: Path, run_cli: Any) -> None:
    folder = tmp_path / "fleet"
    folder.mkdir()
    plain = folder / "plain.tar"
    plain.write_bytes(b"")
    words = ["survey", folder, "--format", "jsonl", "--workers", "1"]
    assert run_cli(*words, "--out", tmp_path / "one", "--html", tmp_path / "one.html", "--strict").exit_code == 1
    plain.rename(folder / "a\n<script>alert(1)<img src=x>\x1b]0;title\x07\x1b[31m\u202e.tar")
    done = run_cli(*words, "--out", tmp_path / "two", "--html", tmp_path / "two.html", "--strict")
    assert done.exit_code == 1 and "\x1b" not in done.stdout + done.stderr and "\u202e" not in done.stdout
    told, page = Elements((tmp_path / "one.html").read_text()), Elements((tmp_path / "two.html").read_text())
    assert page.scripts == told.scripts and "<script>alert(1)" in page.text
    assert not {"\x1b", "\x07", "\u202e"} & set(page.text)


@pytest.mark.parametrize("layers", [3, 20])
def test_a_stream_without_ranges_comes_a_few_times_whatever_its_layers(layers: int, tmp_path: Path) -> None:
    body = forge.write(app("big", layers), tmp_path / "big.tar").read_bytes()
    with serve(lambda asked: asked.give(200, body)) as (host, web):
        result = survey(tmp_path, f"http://{host}/big.tar")
    assert (result.examined, result.failed, result.layers.distinct) == (1, 0, layers)
    assert sum(verb == "GET" for verb, _, _ in web.asked) == 1


def test_a_second_run_about_an_engine_reads_no_layer_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ID that is not the digest of the config proves nothing: it comes again, once."""
    body = forge.write(app("app", 6), tmp_path / "app.tar").read_bytes()

    def engine(asked: Asked) -> None:
        asked.give(200, json.dumps({"Id": "sha256:" + "1" * 64}).encode() if asked.path.endswith("/json") else body)

    with serve(engine) as (host, web):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        first = survey(tmp_path, "docker:app:1")
        web.asked.clear()
        again = survey(tmp_path, "docker:app:1")
    assert again == first and first.examined == 1
    assert sum("/images/get" in path for _, path, _ in web.asked) == 1
