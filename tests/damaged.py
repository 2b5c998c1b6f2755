"""Archives with one thing damaged, each by its name, and the exit code that tells of it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagepeel import forge
from missing import blobs, without

Members = list[tuple[tarfile.TarInfo, bytes]]

GRAVEST = {
    "layer digest": 12,
    "config digest": 12,
    "manifest digest": 12,
    "layer size": 12,
    "DiffID": 12,
    "cut layer": 12,
    "config broken": 12,
    "manifest broken": 12,
    "cut archive": 11,
    "no manifest": 14,
    "no config": 14,
    "no layer": 0,
    "docker DiffID": 12,
    "docker cut layer": 12,
    "docker cut": 11,
    "docker no layer": 0,
    "bare cut": 11,
}
"""Each kind of damage and the code of `docs/reference/exit-codes.md`.

A layer that is cut, and a document that is no JSON any more, have another digest than is stated as well.
"""


def _read(path: Path) -> Members:
    with tarfile.open(path) as tar:
        return [(member, _content(tar, member)) for member in tar]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file is not None else b""


def _write(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def _changed(source: Path, target: Path, name: str, edit: Callable[[bytes], bytes]) -> Path:
    return _write(target, [(member, edit(data) if member.name == name else data) for member, data in _read(source)])


def _restated(source: Path, target: Path, *, config: Any = None, manifest: Any = None) -> Path:
    """Change the documents, and state their new digests."""
    names = blobs(source)
    members = {member.name: (member, data) for member, data in _read(source)}
    top = json.loads(members["index.json"][1])
    listed = json.loads(members[names["manifest"]][1])
    told = json.loads(members[names["config"]][1])
    for edit, document in ((config, told), (manifest, listed)):
        if edit is not None:
            edit(document)
    for descriptor, document, part in ((listed["config"], told, "config"), (top["manifests"][0], listed, "manifest")):
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        descriptor.update(digest=f"sha256:{digest}", size=len(data))
        member, _ = members.pop(names[part])
        member.name = f"blobs/sha256/{digest}"
        members[member.name] = (member, data)
    members["index.json"] = (members["index.json"][0], json.dumps(top).encode())
    return _write(target, list(members.values()))


def _wrong_size(manifest: Any) -> None:
    manifest["layers"][1]["size"] += 1


def _wrong_diff_id(config: Any) -> None:
    config["rootfs"]["diff_ids"][1] = "sha256:" + "0" * 64


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _another(data: bytes) -> bytes:
    assert b"root:x:0:0" in data
    return data.replace(b"root:x:0:0", b"root:y:0:0", 1)


def damaged(folder: Path) -> dict[str, Path]:
    """Write an image with each damage of `GRAVEST`, and the whole one as `whole`; the path of each by its name."""
    whole, docker = folder / "whole.tar", folder / "docker.tar"
    forge.write(forge.build("shop"), whole, kind="oci-archive", compression="none")
    forge.write(forge.build("shop"), docker, kind="docker-archive")
    part = blobs(whole)
    with tarfile.open(docker) as tar:
        documents = tar.getmember("manifest.json")
        layers = json.loads(_content(tar, documents))[0]["Layers"]
    with tarfile.open(whole) as tar:
        upper = tar.getmember(part["L2"])
    bare = {member.name: data for member, data in _read(docker)}[layers[0]]
    (folder / "cut.tar").write_bytes(whole.read_bytes()[: upper.offset_data + upper.size // 2])
    (folder / "save-cut.tar").write_bytes(docker.read_bytes()[: documents.offset])
    (folder / "bare.tar").write_bytes(bare[:1800])
    return {
        "whole": whole,
        "layer digest": _changed(whole, folder / "1.tar", part["L1"], _another),
        "config digest": _changed(whole, folder / "2.tar", part["config"], lambda data: data + b" "),
        "manifest digest": _changed(whole, folder / "3.tar", part["manifest"], lambda data: data + b" "),
        "layer size": _restated(whole, folder / "4.tar", manifest=_wrong_size),
        "DiffID": _restated(whole, folder / "5.tar", config=_wrong_diff_id),
        "cut layer": _changed(whole, folder / "6.tar", part["L2"], _half),
        "config broken": _changed(whole, folder / "7.tar", part["config"], _half),
        "manifest broken": _changed(whole, folder / "8.tar", part["manifest"], _half),
        "cut archive": folder / "cut.tar",
        "no manifest": without(whole, part["manifest"], folder / "9.tar"),
        "no config": without(whole, part["config"], folder / "10.tar"),
        "no layer": without(whole, part["L2"], folder / "11.tar"),
        "docker DiffID": _changed(docker, folder / "12.tar", layers[0], _another),
        "docker cut layer": _changed(docker, folder / "13.tar", layers[1], _half),
        "docker cut": folder / "save-cut.tar",
        "docker no layer": without(docker, layers[1], folder / "14.tar"),
        "bare cut": folder / "bare.tar",
    }
