"""Makes an image of what happens to a directory: each step's changes become a layer, as a builder commits them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

State = dict[str, tuple[object, ...]]


class Layered:
    """A directory whose steps are committed as layers; `write` makes a docker-archive of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._before: State = {}
        self._layers: list[bytes] = []
        self._steps: list[str] = []

    def commit(self, step: str) -> None:
        """Add a layer of what was changed since the last one."""
        now = self._state()
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(set(self._before) - set(now)):
                if os.path.dirname(path) in now or not os.path.dirname(path):
                    folder, _, name = path.rpartition("/")
                    tar.addfile(tarfile.TarInfo(f"{folder}/.wh.{name}" if folder else f".wh.{name}"))
            for path, state in sorted(now.items()):
                if self._before.get(path) != state:
                    tar.add(self.root / path, path, recursive=False)
        self._before = now
        self._layers.append(out.getvalue())
        self._steps.append(step)

    def _state(self) -> State:
        out: State = {}
        for folder, directories, files in os.walk(self.root):
            for name in (*directories, *files):
                path = Path(folder, name)
                info = path.lstat()
                relative = str(path.relative_to(self.root))
                if path.is_dir() and not path.is_symlink():
                    out[relative] = (info.st_mode,)
                else:
                    link = os.readlink(path) if path.is_symlink() else ""
                    out[relative] = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ino, link)
        return out

    def write(self, target: Path) -> Path:
        """Write the archive and return its path."""
        digests = [hashlib.sha256(layer).hexdigest() for layer in self._layers]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "history": [{"created_by": step} for step in self._steps],
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            }
        ).encode()
        name = hashlib.sha256(config).hexdigest() + ".json"
        listed = [f"{digest}/layer.tar" for digest in digests]
        manifest = json.dumps([{"Config": name, "RepoTags": ["packages:1"], "Layers": listed}]).encode()
        members = {name: config, "manifest.json": manifest, **dict(zip(listed, self._layers, strict=True))}
        with tarfile.open(target, "w") as tar:
            for path, data in members.items():
                info = tarfile.TarInfo(path)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return target
