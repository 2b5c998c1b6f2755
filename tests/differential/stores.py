"""Loads archives into the stores of this machine: dockerd 20.10, podman 4.3, ctr 1.6, skopeo 1.9 and buildah 1.28.

    python tests/differential/stores.py             records observed_loads.json
    python tests/differential/stores.py WORD ...    records the archives whose names have one of the words
    python tests/differential/stores.py --new       records those that are not in it

Each has storage of its own in a temporary directory, and no network; ctr uses the containerd below dockerd.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from load_archives import ARCHIVES, write  # noqa: E402

from dockerd import TIMEOUT, Dockerd, lacks  # noqa: E402

FILE = HERE / "observed_loads.json"
VERSIONS = {"dockerd": "20.10", "podman": "4.3", "ctr": "1.6", "skopeo": "1.9", "buildah": "1.28"}
_SPOOL = f"(?:/var/tmp|{re.escape(tempfile.gettempdir())})"
_PLACES = r"snapshots/\d+/fs|tmpmounts/containerd-mount\d+|overlay2/[0-9a-f]{64}/diff|overlay/[0-9a-f]{64}/diff"
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
                self._listing(self.docker),
            ),
            "podman@4.3": (
                self._run([*self.podman, "load", "-q", "-i", str(path)]),
                self._listing(self.podman),
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
        found = (re.match(r"(.*?) +application/\S+ (sha256:\S+)", row) for row in rows)
        return "\n".join(f"{row[1]} {row[2]}" for row in found if row)

    def _clean(self) -> None:
        ids = self._run([*self.docker, "images", "-aq"])[1].split()
        if ids:
            self._run([*self.docker, "rmi", "-f", *sorted(set(ids))])
        listed = subprocess.run([*self.ctr, "images", "ls", "-q"], capture_output=True, timeout=TIMEOUT, text=True)
        for name in listed.stdout.splitlines():
            self._run([*self.ctr, "images", "rm", "--sync", "--", name])
        self._run([*self.podman, "rmi", "-af"])
        shutil.rmtree(self.top / "copy", ignore_errors=True)

    def _listing(self, command: list[str]) -> str:
        """What a tool lists; an error is none."""
        code, text = self._run([*command, "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"])
        return text if code == 0 else ""

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
            rf"{re.escape(str(self.top))}/data/tmp/docker-import-\d+|{_SPOOL}/(?:oci|docker-tar)\d+", "<tmp>", text
        )
        text = re.sub(rf"{re.escape(str(self.top))}\S*?/(?:{_PLACES})", "<store>", text)
        text = re.sub(rf"{_SPOOL}/storage\d+/", "<tmp>/", text)
        text = text.replace(f"{self.top}/data/", "/var/lib/docker/")
        text = text.replace(f"{str(self.top).replace('/', '%2F')}%2Fs", "%2Fvar%2Frun%2Fdocker.sock")
        text = re.sub(r"\n+goroutine .*", "", text, flags=re.DOTALL)
        text = re.sub(r'(Get \\?"[^"]*": ).*?(: failed fetching)', r"\1<error>\2", text)
        # Which of the two comes depends on what the machine has met before, not on the archive.
        text = re.sub(r"trying to reuse blob sha256:[0-9a-f]{64} at destination: ", "writing blob: ", text)
        text = re.sub(r"import-\d{4}-\d\d-\d\d", "import-<date>", text)
        text = re.sub(r'time="[^"]*" level=(?:info|warning|error) .*\n?', "", text)
        text = re.sub(r'time="[^"]*" ', "", text)
        text = re.sub(r"unpacking .*?\.\.\.(?:done\n)?", "", text)
        return text.strip()


def observe(names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Load archives with every tool, and yield what was seen of each."""
    stores = Stores()
    try:
        for name in names:
            yield name, stores.load(name)
    finally:
        stores.close()


def main() -> None:
    reason = why_not()
    if reason:
        raise SystemExit(reason)
    found = json.loads(FILE.read_text())
    words = sys.argv[1:] or [""]
    wanted = [
        name for name in ARCHIVES if (name not in found if words == ["--new"] else any(word in name for word in words))
    ]
    for name, seen in observe(wanted):
        found[name] = seen
        lines = [
            f" {json.dumps(name)}: {json.dumps(found[name], sort_keys=True)}" for name in ARCHIVES if name in found
        ]
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(wanted)} archives recorded in {FILE.name}")


if __name__ == "__main__":
    main()
