"""An archive whose documents nobody can read: who refuses it and how, and how `loadable` ends."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel.errors import Malformed

RunCli = Callable[..., Any]


def save(path: Path, manifest: bytes, config: bytes = b"{}") -> Path:
    """Write a docker save with these bytes for its manifest.json."""
    with tarfile.open(path, "w") as tar:
        for name, data in (("c.json", config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("manifest", "docker", "podman"),
    [
        (b"hello", "invalid character 'h' looking for beginning of value", "invalid character 'h' looking for"),
        (b"", "EOF", "decoding tar manifest.json: unexpected end of JSON input"),
        (b'[{"Config"', "unexpected EOF", "decoding tar manifest.json: unexpected end of JSON input"),
        (b'{"Layers": []}', "json: cannot unmarshal object into Go value of type []tarexport.manifestItem",
         "json: cannot unmarshal object into Go value of type []tarfile.ManifestItem"),
        (b"[]", "", ""),
        (b"null", "", ""),
    ],
)  # fmt: skip
def test_each_tool_says_its_words_and_the_command_fails(
    tmp_path: Path, run_cli: RunCli, manifest: bytes, docker: str, podman: str
) -> None:
    path = save(tmp_path / "image.tar", manifest)
    done = run_cli("loadable", path, "--json")
    assert done.exit_code == 11
    result = json.loads(done.stdout)["result"]
    assert result["unread"]
    (image,) = result["images"]
    answers = {answer["tool"]: answer for answer in image["answers"]}
    assert {answer["outcome"] for answer in image["answers"]} == {"refuses"}
    assert answers["docker@20.10"].get("text", "") == docker
    assert podman in answers["podman@4.3"].get("text", "")
    assert run_cli("check", path).exit_code == 11


def test_docker_from_28_on_refuses_null(tmp_path: Path) -> None:
    with imagepeel.open(save(tmp_path / "image.tar", b"null"), unread=True) as archive:
        found = {answer.label: answer.text for answer in archive.images()[0].loadable()}
    words = "invalid manifest, manifest cannot be null (but can be [])"  # moby image/tarexport/load.go
    assert [label for label, text in found.items() if text == words] == [
        "docker@28 (own store)", "docker@29 (own store)", "docker@29.7 (own store)",
    ]  # fmt: skip


def test_it_is_opened_only_when_that_was_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "image.tar", b"hello")
    with pytest.raises(Malformed):
        imagepeel.open(path)
    with imagepeel.open(path, unread=True) as archive:
        assert archive.unread is not None and not archive.images()[0].complete


def test_many_images_are_each_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image is loaded behind the others: without memory the work doubled with every image."""
    from imagepeel.loading.docker import DockerOwn

    calls: list[int] = []
    judge = DockerOwn.judge
    monkeypatch.setattr(DockerOwn, "judge", lambda tool, one: calls.append(1) or judge(tool, one))
    items = [{"Config": "c.json", "RepoTags": [f"t:{i}"], "Layers": []} for i in range(24)]
    config = b'{"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}'
    with imagepeel.open(save(tmp_path / "image.tar", json.dumps(items).encode(), config)) as archive:
        assert archive.images()[-1].loadable()[0].names == ("t:23",)
    assert len(calls) <= 5 * 24  # the versions of Docker, each once an image
