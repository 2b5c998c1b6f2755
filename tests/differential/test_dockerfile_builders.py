"""One Dockerfile built by real builders; what we read back from the history is compared with it line by line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel.history.attested import SourceLines
from imagepeel.history.dockerfile import Instruction, facts_of, rebuild_dockerfile
from imagepeel.history.placed import lines_of_steps

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
ARG VERSION=1.2
ENV GREETING="hello world" A=b
LABEL org.x="a b" plain=c
RUN ["/bin/busybox", "ln", "-s", "/bin/busybox", "/bin/sh"]
WORKDIR /srv
RUN echo "$VERSION" > version
SHELL ["/bin/sh", "-e", "-c"]
RUN echo done > done
EXPOSE 80 443/udp
VOLUME ["/data"]
USER 1:2
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s CMD true
ENTRYPOINT ["/bin/sh"]
CMD ["a", "b c"]
"""
MADE_BY = {"COPY": "bin/busybox", "ln": "bin/sh", "version": "srv/version", "done": "srv/done"}
"""A word of the line that made a file, and the file."""

pytestmark = [
    pytest.mark.judge,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="builders need root"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="busybox-static is not installed"),
]
CLIENT = next((c for c in ("/usr/bin/docker", shutil.which("docker")) if c and os.path.exists(c)), None)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A daemon of its own, with its own store, that touches no network."""
    if shutil.which("dockerd") is None or CLIENT is None:
        pytest.skip("dockerd or docker is not on PATH")
    top = tmp_path_factory.mktemp("dockerd")
    flags = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false", "--ip-masq=false"]
    places = ["--data-root", f"{top}/d", "--exec-root", f"{top}/e", "-p", f"{top}/p", "-H", f"unix://{top}/s"]
    with open(top / "log", "wb") as log:
        daemon = subprocess.Popen(["dockerd", *places, *flags, "--storage-driver=vfs"], stdout=log, stderr=log)
    client = [CLIENT, "-H", f"unix://{top}/s"]
    try:
        for _ in range(60):
            if subprocess.run([*client, "version"], capture_output=True).returncode == 0:
                break
            if daemon.poll() is not None:
                pytest.skip("dockerd does not run here: " + (top / "log").read_text()[-300:])
            time.sleep(0.5)
        else:
            pytest.skip("dockerd did not come up within 30 s")
        yield client
    finally:
        subprocess.run([*client, "image", "rm", "-f", "x:classic", "x:buildkit"], capture_output=True, timeout=60)
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
        # What a daemon leaves mounted, pytest could not remove.
        subprocess.run(["umount", f"{top}/e/netns/default"], capture_output=True, timeout=20)
        shutil.rmtree(top, ignore_errors=True)


def lines_of(archive: Path) -> list[Instruction]:
    """The rebuilt Dockerfile, after every line that claims a layer was checked against the files in that layer."""
    with imagepeel.open(archive) as opened:
        image = opened.image()
        dockerfile = rebuild_dockerfile(image.config, facts_of(image.layers))
        assert [note for note in dockerfile.notes if "the config has" in note] == []
        for line in dockerfile.instructions:
            words = re.findall(r"\w+", f"{line.keyword} {line.text}")
            made = [path for word, path in MADE_BY.items() if word in words and (word != "done" or "echo" in words)]
            if line.keyword in ("RUN", "COPY") and line.layer is not None:
                (path,) = made
                assert path.encode() in {e.path[1:] for e in image.layers[line.layer].entries}, line
        claimed = [line.layer for line in dockerfile.instructions if line.layer is not None]
        assert sorted(claimed) == list(range(len(image.layers)))
        told = [line for line in dockerfile.instructions if line.step is not None]
        # At which line an instruction stands is said of the right one, and of most.
        placed = lines_of_steps(DOCKERFILE, image.config.history or ())
        found = [placed[line.step] for line in told if line.step is not None]
        right = [SourceLines(first=number, last=number) for number in range(2, len(told) + 2)]
        assert all(one in (None, stated) for one, stated in zip(found, right, strict=True))
        assert sum(one is not None for one in found) >= 12
        return told


def same(ours: str, theirs: str) -> bool:
    """Whether two texts of an instruction are one: lists by their words, ports by their set."""
    if theirs.startswith("["):
        return bool(json.loads(ours) == json.loads(theirs))
    ports = [{word.removesuffix("/tcp") for word in text.split()} for text in (ours, theirs)]
    return ours == theirs or (theirs[0].isdigit() and ports[0] == ports[1])


def compare(lines: list[Instruction], *, not_recorded: dict[str, str]) -> None:
    expected = [line.split(" ", 1) for line in DOCKERFILE.splitlines()[1:]]
    assert [line.keyword for line in lines] == [keyword for keyword, _ in expected]
    for line, (keyword, text) in zip(lines, expected, strict=True):
        wanted = not_recorded.get(f"{keyword} {text}", text)
        if wanted.endswith("..."):
            assert line.text.startswith(wanted[:-3]) and line.confidence == "likely"
        else:
            assert same(line.text, wanted), (line.text, wanted)
        if keyword == "RUN":
            assert line.arguments == ("VERSION=1.2",)
    exact = [line for line in lines if line.confidence == "exact"]
    assert len(exact) >= 12


EXEC = 'RUN ["/bin/busybox", "ln", "-s", "/bin/busybox", "/bin/sh"]'
COPY = "COPY busybox /bin/busybox"


@pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not on PATH")
@pytest.mark.parametrize("layers", [True, False], ids=["layers", "one-layer"])
@pytest.mark.parametrize("form", ["docker", "oci"])
def test_buildah(tmp_path: Path, context: Path, layers: bool, form: str) -> None:
    store = ["--root", f"{tmp_path}/store", "--runroot", f"{tmp_path}/run", "--storage-driver", "vfs"]
    chroot = ["--isolation", "chroot", "--network", "host"]
    many = ["--layers"] if layers else []
    build = ["buildah", *store, "bud", *chroot, *many, "--format", form, "-q", "-t", "x:1", str(context)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    push = ["buildah", *store, "push", "-q", "x:1", f"oci:{tmp_path}/oci:1"]
    subprocess.run(push, check=True, capture_output=True, timeout=120)
    lines = lines_of(tmp_path / "oci")
    compare(lines, not_recorded={COPY: "file:...", "ARG VERSION=1.2": "VERSION"})
    made = [line.layer for line in lines if line.keyword in ("RUN", "COPY")]
    assert made == ([0, 1, 2, 3] if layers else [None] * 4)


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_docker(tmp_path: Path, context: Path, dockerd: list[str], builder: str) -> None:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"}
    build = [*dockerd, "build", "--network", "host", "-q", "-t", f"x:{builder}", str(context)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode == 0, done.stderr
    subprocess.run([*dockerd, "save", "-o", f"{tmp_path}/x.tar", f"x:{builder}"], check=True, timeout=60)
    lines = lines_of(tmp_path / "x.tar")
    not_recorded = {EXEC: "/bin/busybox ln -s /bin/busybox /bin/sh..."}
    if builder == "classic":
        not_recorded[COPY] = "file:..."
    compare(lines, not_recorded=not_recorded)
    assert {line.origin for line in lines} == {builder}
    assert [line.layer for line in lines if line.keyword in ("RUN", "COPY", "WORKDIR")] == [0, 1, 2, 3, 4]
