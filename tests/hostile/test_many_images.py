"""An index of very many images: whoever asks about one reads the documents of one, and of the first few beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from whole import VERBS as ASKED

import imagepeel
from imagepeel.archive.blobs import Blobs

LAYERS = 40
"""Of each image: past 10,000 of an archive, images are read when somebody asks for them."""
VERBS = ("process", "findings", "explain", "waste", "loadable", "views")


def layout(folder: Path, images: int) -> Path:
    """An OCI layout whose images have a manifest and a config each, and layers that are not there."""

    def put(value: Any) -> dict[str, Any]:
        data = json.dumps(value).encode()
        name = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / "sha256" / name).write_bytes(data)
        return {"digest": f"sha256:{name}", "size": len(data)}

    (folder / "blobs" / "sha256").mkdir(parents=True)
    absent = [f"sha256:{number:064x}" for number in range(LAYERS)]
    kind = "application/vnd.oci.image."
    listed = []
    for number in range(images):
        rootfs = {"type": "layers", "diff_ids": absent}
        config = put({"architecture": "amd64", "os": "linux", "config": {"Cmd": [f"/x{number}"]}, "rootfs": rootfs})
        config["mediaType"] = f"{kind}config.v1+json"
        layers = [{"mediaType": f"{kind}layer.v1.tar", "digest": one, "size": 10} for one in absent]
        document = {"schemaVersion": 2, "mediaType": f"{kind}manifest.v1+json", "config": config, "layers": layers}
        manifest = put(document)
        name = {"org.opencontainers.image.ref.name": f"t{number}"}
        listed.append({"mediaType": f"{kind}manifest.v1+json", "annotations": name, **manifest})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def configs_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many configs each verb reads of one image in the middle."""
    found: dict[str, int] = {}
    read = Blobs.config
    for verb in VERBS:
        count = 0

        def counted(self: Blobs, *given: Any) -> Any:
            nonlocal count
            count += 1
            return read(self, *given)

        with monkeypatch.context() as patch:
            patch.setattr(Blobs, "config", counted)
            with imagepeel.open(folder) as archive:
                ASKED[verb](archive.image("t60"))
        found[verb] = count
    return found


def test_one_image_of_many_reads_no_more_of_the_others_where_they_are_twice_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = configs_read(layout(tmp_path / "few", 300), monkeypatch)
    many = configs_read(layout(tmp_path / "many", 600), monkeypatch)
    assert many == few
    assert all(1 <= count < 300 for count in few.values()), few
