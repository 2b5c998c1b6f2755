"""Documents that name very much: they are refused before they are decoded, or cost no more than their bytes."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import imagepeel
from effort import steps
from imagepeel.archive import blobs
from imagepeel.errors import LimitExceeded
from imagepeel.image import Layer
from imagepeel.limits import Limits
from imagepeel.oci.json_document import parse_json
from imagepeel.present.loadable import loadable_document
from imagepeel.results.images import images_result


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


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def manifests(images: int, layers: int, *, listed: bool = False, laid_out: bool = True) -> io.BytesIO:
    """Images that share nothing: each has its own config, and layers of its own, which are not there."""
    blobs: dict[str, bytes] = {}
    index, items = [], []

    def put(value: object) -> dict[str, Any]:
        data = json.dumps(value).encode()
        blobs[digest(data)[7:]] = data
        return {"digest": digest(data), "size": len(data)}

    for n in range(images):
        names = [digest(b"%d %d" % (n, k)) for k in range(layers)]
        config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": names}}
        state = {"mediaType": "application/vnd.oci.image.config.v1+json", **put(config)}
        parts = [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": name, "size": 1024} for name in names
        ]
        manifest = {"schemaVersion": 2, "config": state, "layers": parts}
        media = {"mediaType": "application/vnd.oci.image.manifest.v1+json"}
        index.append({**media, **put(manifest), "annotations": {"org.opencontainers.image.ref.name": f"v{n}"}})
        places = [f"blobs/sha256/{name[7:]}" for name in names]
        items.append({"Config": f"blobs/sha256/{state['digest'][7:]}", "RepoTags": [f"a:v{n}"], "Layers": places})
    documents = [("manifest.json", json.dumps(items).encode())] if listed else []
    if laid_out:
        documents.append(("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'))
        documents.append(("index.json", json.dumps({"schemaVersion": 2, "manifests": index}).encode()))
    return archive(*documents, *((f"blobs/sha256/{name}", data) for name, data in blobs.items()))


FORMS = {
    "OCI layout": {},
    "docker save": {"listed": True, "laid_out": False},
    "both": {"listed": True},
}


@pytest.mark.parametrize("form", FORMS)
def test_what_waits_is_read_when_it_is_asked_for(form: str) -> None:
    """Images of 30 layers, of which 4 are read before one is asked for; each answers the same as when all are."""
    data = manifests(9, 30, **FORMS[form])
    with imagepeel.open(data) as whole, imagepeel.open(data, limits=Limits(archive_layers=100)) as opened:
        assert all(record.later is None for record in whole.records)
        waiting = [record.number for record in opened.records if record.later is not None]
        assert waiting == [5, 6, 7, 8, 9]
        assert [record.kind for record in opened.records] == ["image"] * 9
        assert [record.tags for record in opened.records] == [record.tags for record in whole.records]
        assert not [one for one in opened.anomalies if one.code == "TWO-IMAGES"]
        assert [one.code for one in opened.anomalies].count("document-limit") == 1
        rows = images_result(opened).images
        assert [row.layers for row in rows] == [30] * 4 + [None] * 5
        assert [(row.complete, row.missing) for row in rows[4:]] == [(None, ())] * 5
        assert not opened.records[8].complete and not images_result(opened).unreferenced
        for asked in ("#8", "v5", opened.records[6].names[0].text):
            mine, other = opened.image(asked), whole.image(asked)
            assert mine.layers[29].record.diff_id == other.layers[29].record.diff_id
            # Of images that were not read yet it says less.
            configs = [msgspec.structs.replace(one.config, not_examined="") for one in (mine, other)]
            assert mine.record == other.record and configs[0] == configs[1]
        assert [record.number for record in opened.records if record.later is not None] == [5, 9]
        assert len(opened.image("#8").beside) == 8


@pytest.mark.parametrize("form", FORMS)
def test_more_images_cost_little_more(form: str) -> None:
    """Behind the layers that are looked up, an image costs some calls of functions, however many layers it has."""
    few, many, long = (manifests(*size, **FORMS[form]) for size in ((20, 100), (80, 100), (20, 300)))
    opened = partial(imagepeel.open, limits=Limits(archive_layers=200))
    base = steps(opened, few, limit=200_000)
    assert steps(opened, many, limit=200_000) - base < 60 * 900
    assert steps(opened, long, limit=200_000) - base < 60_000


def test_an_index_that_is_called_a_manifest_is_followed_however_many_layers_came_before() -> None:
    inner = json.dumps({"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
                                       "digest": "sha256:" + "a" * 64, "size": 2}]}).encode()  # fmt: skip
    outer = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(inner), "size": len(inner)}
    file = archive(
        ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        ("index.json", json.dumps({"manifests": [outer]}).encode()),
        (f"blobs/sha256/{digest(inner)[7:]}", inner),
    )
    with imagepeel.open(file, limits=Limits(archive_layers=0)) as opened:
        assert [record.digest for record in opened.records] == ["sha256:" + "a" * 64]


def test_tools_are_asked_about_the_first_images_of_very_many() -> None:
    data = manifests(12, 300)
    with imagepeel.open(data) as opened:
        result = opened.loadable()
        assert [one.image.number for one in result.images] == [1, 2, 3, 4, 5, 6]
        assert [name.partition(" ")[0] for name in result.images[0].image.not_examined] == [
            f"#{number}" for number in range(7, 13)
        ]
        assert "6 of 12 images were examined" in repr(loadable_document(result))
