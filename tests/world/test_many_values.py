"""Documents that name very much: they are refused before they are decoded, or cost no more than their bytes."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import imagepeel
from imagepeel.archive import blobs
from imagepeel.errors import LimitExceeded
from imagepeel.image import Layer
from imagepeel.oci.json_document import parse_json


def archive(*members: tuple[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    file.seek(0)
    return file


@pytest.mark.parametrize("item", [b'"a"', b"[]", b"{}", b"1", b'"\\\\\\""'])
def test_too_many_values_are_refused_before_they_are_made(item: bytes) -> None:
    data = b"[" + b",".join([item] * 2_500_000) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="more than 1000000 values"):
            parse_json(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 << 20  # the values alone would be 150 to 400 MB


@pytest.mark.parametrize("text", ['a"b', "[{", "\\", 'x\\"[', "é,"])
def test_what_stands_in_strings_is_no_value(text: str) -> None:
    """The document is longer than one piece, and strings lie across every boundary."""
    value = [text * 7] * 30_000
    assert parse_json(json.dumps(value).encode())[0] == value


def test_images_that_share_layers_share_their_records(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    whole = blobs.Blobs.layer

    def counted(self: blobs.Blobs, *words: object, **given: object) -> object:
        made.append(words)
        return whole(self, *words, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(blobs.Blobs, "layer", counted)
    listed = [{"Config": "c", "RepoTags": [f"a:{n}"], "Layers": [f"l{k % 7}" for k in range(400)]} for n in range(50)]
    config = {"rootfs": {"diff_ids": ["sha256:" + "0" * 64] * 400}}
    file = archive(
        ("manifest.json", json.dumps(listed).encode()),
        ("c", json.dumps(config).encode()),
        *((f"l{k}", bytes(1024)) for k in range(7)),
    )
    with imagepeel.open(file) as opened:
        assert [len(record.layers) for record in opened.records] == [400] * 50
        assert opened.records[0].layers[9].member == opened.records[49].layers[9].member == "l2"
    assert len(made) == 400


def test_layers_of_images_that_nobody_looks_at_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Layer] = []
    whole = Layer.__init__

    def counted(self: Layer, *given: Any) -> None:
        made.append(self)
        whole(self, *given)

    monkeypatch.setattr(Layer, "__init__", counted)
    names = [f"l{n}.tar" for n in range(10)]
    listed = [{"Config": "c.json", "RepoTags": [f"a:{n}"], "Layers": names} for n in range(30)]
    config = {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64] * 10}}
    file = archive(("manifest.json", json.dumps(listed).encode()), ("c.json", json.dumps(config).encode()))
    with imagepeel.open(file) as opened:
        assert len(opened.images()) == 30
        assert len({id(image.record.layers) for image in opened.images()}) == 1
        assert not made
        assert [layer.index for layer in opened.image("a:3").layers] == list(range(10))
    assert len(made) == 10
