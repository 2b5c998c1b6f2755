"""Loads archives into the stores of this machine: dockerd 20.10, podman 4.3, ctr 1.6, skopeo 1.9 and buildah 1.28.

    python tests/differential/stores.py     records observed_loads.json

Each has storage of its own in a temporary directory, and no network; ctr uses the containerd below dockerd.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from load_archives import ARCHIVES, write  # noqa: E402

from dockerd import TIMEOUT, Dockerd, lacks  # noqa: E402

FILE = HERE / "observed_loads.json"
VERSIONS = {"dockerd": "20.10", "podman": "4.3", "ctr": "1.6", "skopeo": "1.9", "buildah": "1.28"}
TOOLS = ("docker@20.10", "podman@4.3", "containerd@1.6", "skopeo@1.9", "buildah@1.28")


def why_not() -> str:
    """Why the stores cannot be used here; empty when they can."""
    return lacks(VERSIONS)


class Stores(Dockerd):
    """The five programs with storage of their own; `close` ends what was started and removes everything."""

    def __init__(self) -> None:
        super().__init__()
        kept = ["--root", f"{self.top}/containers", "--runroot", f"{self.top}/run", "--storage-driver", "overlay"]
        self.podman, self.buildah = ["podman", *kept], ["buildah", *kept]

    def _run(self, command: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False, text=True,
            errors="replace", env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).strip()

    def load(self, name: str) -> dict[str, Any]:
        """Load one archive with every tool: exit code, what is printed on failure, names and IDs of the images."""
        path = write(name, self.top)
        kind = "oci-archive" if name.startswith("layout") else "docker-archive"
        found = {
            "docker@20.10": (
                self._run([*self.docker, "load", "-q", "-i", str(path)]),
                self._run([*self.docker, "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"])[1],
            ),
            "podman@4.3": (
                self._run([*self.podman, "load", "-q", "-i", str(path)]),
                self._run([*self.podman, "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"])[1],
            ),
            "containerd@1.6": (self._run([*self.ctr, "images", "import", str(path)]), self._ctr_images()),
            "skopeo@1.9": (
                self._run(["skopeo", "--insecure-policy", "copy", "-q", f"{kind}:{path}", f"dir:{self.top}/copy"]), ""
            ),
            "buildah@1.28": (self._pull(kind, path), ""),
        }  # fmt: skip
        result = {tool: self._observed(path, *what) for tool, what in found.items()}
        self._clean()
        return result

    def _pull(self, kind: str, path: Path) -> tuple[int, str]:
        self._run([*self.podman, "rmi", "-af"])
        return self._run([*self.buildah, "pull", "-q", f"{kind}:{path}"])

    def _ctr_images(self) -> str:
        rows = self._run([*self.ctr, "images", "ls"])[1].splitlines()[1:]
        return "\n".join(f"{row.split()[0]} {row.split()[2]}" for row in rows if "sha256:" in row)

    def _clean(self) -> None:
        ids = self._run([*self.docker, "images", "-aq"])[1].split()
        if ids:
            self._run([*self.docker, "rmi", "-f", *sorted(set(ids))])
        names = self._run([*self.ctr, "images", "ls", "-q"])[1].splitlines()
        if names:
            self._run([*self.ctr, "images", "rm", "--sync", *names])
        self._run([*self.podman, "rmi", "-af"])
        shutil.rmtree(self.top / "copy", ignore_errors=True)

    def _observed(self, path: Path, done: tuple[int, str], images: str) -> dict[str, Any]:
        code, text = done
        found: dict[str, Any] = {"exit": code}
        if code:
            found["text"] = self.plain(text, path)
        rows = [self.plain(row, path) for row in images.splitlines() if row]
        if rows:
            found["images"] = sorted(rows)
        return found

    def plain(self, text: str, path: Path) -> str:
        """A text with the placeholders that imagepeel uses for what depends on the machine, without its logger."""
        text = text.replace(str(path), "<file>")
        text = re.sub(
            rf"{re.escape(str(self.top))}/data/tmp/docker-import-\d+|/var/tmp/(?:oci|docker-tar)\d+", "<tmp>", text
        )
        text = re.sub(rf"{re.escape(str(self.top))}\S*/snapshots/\d+/fs", "<store>", text)
        text = re.sub(r"import-\d{4}-\d\d-\d\d", "import-<date>", text)
        text = re.sub(r'time="[^"]*" level=(?:info|warning|error) .*\n?', "", text)
        text = re.sub(r'time="[^"]*" ', "", text)
        text = re.sub(r"unpacking .*?\.\.\.(?:done\n)?", "", text)
        text = re.sub(r'untarring file \\?"<tmp>\\?"', "untarring file", text)
        return text.strip()


def observe(names: list[str]) -> dict[str, dict[str, Any]]:
    """Load archives with every tool."""
    stores = Stores()
    try:
        return {name: stores.load(name) for name in names}
    finally:
        stores.close()


def main() -> None:
    reason = why_not()
    if reason:
        raise SystemExit(reason)
    found = observe(list(ARCHIVES))
    lines = [f" {json.dumps(name)}: {json.dumps(found[name], sort_keys=True)}" for name in ARCHIVES]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(found)} archives in {FILE.name}")


if __name__ == "__main__":
    main()
