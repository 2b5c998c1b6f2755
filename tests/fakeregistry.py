"""A registry for tests that serves the blobs of an OCI archive, and fails where a test wants it to."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webserver import Asked

Fault = Callable[[Asked], bool]
"""Answers a request itself and returns True, or leaves it to the registry."""


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class FakeRegistry:
    """Serves one repository, `shop`.  `top` is the digest of the manifest that the tag `1` names."""

    def __init__(self, archive: Path) -> None:
        with tarfile.open(archive) as tar:
            files = {m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]
        self.blobs = {digest_of(data): data for name, data in files.items() if name.startswith("blobs/")}
        self.types: dict[str, str] = {}
        index = json.loads(files["index.json"])
        self.top: str = index["manifests"][0]["digest"]
        self.types[self.top] = index["manifests"][0]["mediaType"]
        self.ranges = True
        self.fault: Fault = lambda asked: False

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest behind the tag, parsed."""
        return json.loads(self.blobs[self.top])

    def layer(self, number: int) -> str:
        """The digest of a layer, counted from 0; negative ones from the top."""
        return self.manifest["layers"][number]["digest"]

    def put(self, document: Any, media_type: str = "application/vnd.oci.image.manifest.v1+json") -> str:
        """Add a document and return its digest."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.blobs[digest_of(data)] = data
        self.types[digest_of(data)] = media_type
        return digest_of(data)

    def __call__(self, asked: Asked) -> None:
        if self.fault(asked):
            return
        _, version, name, kind, last = asked.path.split("/")
        assert (version, name) == ("v2", "shop"), asked.path
        digest = self.top if last == "1" else last
        data = self.blobs.get(digest)
        if data is None:
            asked.give(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        elif kind == "manifests":
            asked.give(200, data, {"Content-Type": self.types[digest], "Docker-Content-Digest": digest})
        else:
            if "Range" in asked.headers and self.ranges:
                first, _, last = asked.headers["Range"].removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last or len(data)), len(data) - 1)
                asked.give(206, data[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{len(data)}"})
            else:
                asked.give(200, data)
