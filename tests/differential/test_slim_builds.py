"""The lines of a plan, built by a real builder: the image is smaller by what each step said, to the byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import imagepeel
from imagepeel.findings.slim import Slim, SlimStep

COPY = "COPY data /srv"
CHOWN = "RUN /bin/busybox chown 7:8 /srv/a /srv/b"
MAKE = "RUN head -c 60000 /dev/urandom > /big.bin"
REMOVE = "RUN rm /big.bin"
LISTS = "RUN mkdir -p /var/lib/apt/lists && head -c 9000 /dev/zero > /var/lib/apt/lists/x"
TWINS = "RUN mkdir /opt && head -c 5000 /srv/a > /opt/one && cp /opt/one /opt/two"
SECRET = "RUN rm /srv/.env"
DOCKERFILE = (
    "FROM scratch", "COPY busybox /bin/busybox", 'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
    COPY, CHOWN, MAKE, REMOVE, LISTS, TWINS, SECRET, 'CMD ["/bin/sh"]',
)  # fmt: skip
INSTEAD = {
    "own": (COPY, CHOWN),
    "join": (MAKE, REMOVE),
    "clean": (LISTS,),
    "link": (TWINS,),
    "exclude": (COPY, SECRET),
}
"""Which lines of the Dockerfile the lines of a step take the place of."""

pytestmark = [
    pytest.mark.judge,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="builders need root"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="busybox-static is not installed"),
    pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not on PATH"),
]


class Builder:
    def __init__(self, top: Path) -> None:
        self.top = top
        self.store = ["--root", f"{top}/store", "--runroot", f"{top}/run", "--storage-driver", "vfs"]
        self.context = top / "context"
        (self.context / "data").mkdir(parents=True)
        shutil.copy("/bin/busybox", self.context / "busybox")
        for name, size in (("a", 50_000), ("b", 30_000), (".env", 700)):
            (self.context / "data" / name).write_bytes(os.urandom(size))
        self.built = 0

    def build(self, lines: tuple[str, ...], ignored: tuple[str, ...] = ()) -> Path:
        self.built += 1
        out = self.top / f"oci{self.built}"
        (self.context / "Dockerfile").write_text("\n".join(lines) + "\n")
        (self.context / ".dockerignore").write_text("\n".join(ignored) + "\n")
        flags = ["--isolation", "chroot", "--network", "host", "--layers", "-q", "-t", "x:1"]
        for words in (["bud", *flags, str(self.context)], ["push", "-q", "x:1", f"oci:{out}:1"]):
            done = subprocess.run(["buildah", *self.store, *words], capture_output=True, text=True, timeout=180)
            assert done.returncode == 0, done.stderr
        return out


def shipped(layout: Path) -> int:
    """Bytes of file content in all layers, as Python's tarfile sees them."""
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    total = 0
    for layer in manifest["layers"]:
        with tarfile.open(layout / "blobs" / layer["digest"].replace(":", "/")) as tar:
            total += sum(member.size for member in tar.getmembers() if member.isreg())
    return total


def planned(layout: Path) -> Slim:
    with imagepeel.open(layout) as archive:
        return archive.image().slim(base=2)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("slim"))


@pytest.fixture(scope="module")
def before(builder: Builder) -> Path:
    return builder.build(DOCKERFILE)


def changed(step: SlimStep) -> tuple[str, ...]:
    """The Dockerfile with the lines of a step; buildah keeps a digest where the source of a COPY stood."""
    lines = [line.replace("SOURCE", "data") for line in step.dockerfile if not line.startswith("#")]
    first, *rest = INSTEAD[step.way]
    out: list[str] = []
    for line in DOCKERFILE:
        if line == first:
            out += lines
        elif line not in rest:
            out.append(line)
    return tuple(out)


@pytest.mark.parametrize("way", ["own", "join", "clean", "link"])
def test_a_step_saves_what_it_says(way: str, builder: Builder, before: Path) -> None:
    (step,) = [step for step in planned(before).steps if step.way == way]
    after = builder.build(changed(step))
    assert shipped(before) - shipped(after) == step.content
    left = [each for each in planned(after).steps if each.way == way]
    assert not left


def test_what_is_not_copied_is_not_shipped(builder: Builder, before: Path) -> None:
    """buildah of Debian has no --exclude: .dockerignore leaves the same file out."""
    (step,) = [step for step in planned(before).steps if step.way == "exclude"]
    assert step.dockerfile[-1] == "COPY --exclude=.env SOURCE /srv"
    lines = tuple(line for line in DOCKERFILE if line != SECRET)
    after = builder.build(lines, ignored=("data/.env",))
    assert shipped(before) - shipped(after) == step.content == 700
