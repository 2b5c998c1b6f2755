"""Archives with a part taken out, and the commands that must not take it for nothing."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

READERS: tuple[tuple[str, ...], ...] = (
    ("images",),
    ("layers",),
    ("ls", "-R"),
    ("tree",),
    ("find",),
    ("du",),
    ("waste",),
    ("packages",),
    ("views",),
    ("dockerfile",),
    ("process",),
    ("process", "--matrix"),
    ("operate",),
    ("explain",),
    ("wtf",),
)
"""Commands that need nothing but an archive, by the words in front of it."""


def blobs(archive: Path) -> dict[str, str]:
    """Return the blobs of an OCI archive of one image: what each is (manifest, config, L1, ...) to its member."""
    with tarfile.open(archive) as tar:
        names = tar.getnames()

        def document(name: str) -> dict[str, object]:
            file = tar.extractfile(name)
            assert file is not None
            loaded: dict[str, object] = json.load(file)
            return loaded

        def member(descriptor: dict[str, str]) -> str:
            return "blobs/" + descriptor["digest"].replace(":", "/")

        index = document("index.json")
        manifest = member(index["manifests"][0])  # type: ignore[index]
        listed = document(manifest)
        found = {"manifest": manifest, "config": member(listed["config"])}  # type: ignore[arg-type]
        for number, layer in enumerate(listed["layers"], 1):  # type: ignore[arg-type, var-annotated]
            found[f"L{number}"] = member(layer)
        assert set(found.values()) <= set(names)
        return found


def without(archive: Path, member: str, target: Path) -> Path:
    """Write a copy of a tar that lacks one member."""
    with tarfile.open(archive) as source, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as copy:
        for entry in source:
            if entry.name != member:
                data = source.extractfile(entry).read() if entry.isfile() else b""  # type: ignore[union-attr]
                copy.addfile(entry, io.BytesIO(data))
    return target
