"""Images that an engine holds as sources of a survey: the engine writes the whole image for each question."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from webserver import Asked, serve


def test_an_engine_saves_an_image_once_for_all_its_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for its documents, once for all layers and once for the image, and not once for each of twenty layers."""
    layers = [forge.layer(forge.file(f"srv/{number}", f"{number}\n" * 5_000)) for number in range(20)]
    tar = forge.write(forge.image(*layers, entrypoint=["/srv/x"], names="app:1"), tmp_path / "app.tar")
    body = tar.read_bytes()

    def engine(asked: Asked) -> None:
        asked.give(200, json.dumps({"Id": "sha256:" + "1" * 64}).encode() if asked.path.endswith("/json") else body)

    with serve(engine) as (host, web):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        with ThreadPoolExecutor(2) as executor:
            result = imagepeel.survey("docker:app:1", out=tmp_path / "facts", form="jsonl", executor=executor)
    assert (result.examined, result.failed, result.layers.distinct) == (1, 0, 20)
    assert sum("/images/get" in path for _, path, _ in web.asked) == 3
    parts = sorted((tmp_path / "facts" / "layers").iterdir())
    rows = [json.loads(line) for part in parts for line in part.read_text().splitlines()]
    assert len(rows) == 20 and len(parts) == 1
