"""Volumes and a read-only root filesystem: what is proved, and what depends on what a volume holds.

Expected values: `docker run -v` and `--read-only` as Docker documents them; the exact words of a write that fails are
those of the scenarios `read-only-*`, which runtimes really started.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.forge import programs
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction
from imagepeel.process.spec.volume import parse_volume

BUSYBOX = Path("/usr/bin/busybox")
pytestmark = pytest.mark.skipif(not BUSYBOX.exists(), reason="there is no busybox here")

TREE = (
    forge.directory("bin"),
    forge.file("bin/busybox", BUSYBOX.read_bytes() if BUSYBOX.exists() else b"", 0o755),
    forge.symlink("bin/sh", "busybox"),
    forge.file("bin/app", programs.hello(), 0o755),
    forge.file("etc/passwd", "app:x:1234:1234::/home/app:/bin/sh\n"),
    forge.directory("data"),
    forge.directory("own", 0o755, 1234, 1234),
)


def start(text: str, *entries: forge.Entry, wanted: dict[str, object] | None = None, **options: object) -> Prediction:
    config = ProcessSpec(architecture="amd64", entrypoint=("/bin/sh", "-c", text), **(wanted or {}))  # type: ignore[arg-type]
    return predict(FakeRootfs((*TREE, *entries)), config, ProcessOptions(engine="docker@28", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "path", "source", "read_only"),
    [
        ("/data", "/data", "", False),
        ("db:/data/", "/data", "db", False),
        ("/srv/x:/data:ro", "/data", "/srv/x", True),
        ("/data:ro", "/data", "", True),
    ],
)
def test_volumes_are_read_as_docker_reads_them(given: str, path: str, source: str, read_only: bool) -> None:
    found = parse_volume(given)
    assert (found.path, found.source, found.read_only) == (path, source, read_only)


@pytest.mark.parametrize("given", ["", "data", "db:", ":/data", "db:data", "db:/", "a:/b:ro:x"])
def test_what_docker_refuses_is_no_volume(given: str) -> None:
    with pytest.raises(UsageError):
        parse_volume(given)


def test_a_new_volume_that_the_user_cannot_write_leaves_it_open() -> None:
    wanted = {"user": "app", "volumes": ("/data",)}
    verdict = start("echo x > /data/f && exec app", wanted=wanted).verdict
    assert verdict.kind == "DEPENDS"
    assert verdict.depends == (
        "the volume /data lets uid 1234 write /data/f: a new one belongs to 0:0 with mode 0755, and it does not",
    )
    assert start("echo x > /own/f && exec app", wanted={"user": "app", "volumes": ("/own",)}).verdict.kind == "RUNS"
    assert start("echo x > /data/f && exec app", wanted={"volumes": ("/data",)}).verdict.kind == "RUNS"
    named = start("echo x > /data/f && exec app", wanted={"user": "app"}, volumes=("db:/data",)).verdict
    assert (named.kind, named.depends[0][:13]) == ("DEPENDS", "the volume db")


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("set -e; touch /data/f; exec app", "/data/f"),
        ("set -e; mkdir -p /data/a/b; exec app", "/data/a/b"),
        ("set -e; cp /etc/passwd /data/p; exec app", "/data/p"),
        ("set -e; mkdir -p /data; exec app", ""),
        ("touch /data/f; exec app", ""),
        ("set -e; touch /data/f || true; exec app", ""),
        ("set -e; cp /data/f /own/f; exec app", ""),
    ],
)
def test_programs_write_into_a_volume_as_redirections_do(line: str, asked: str) -> None:
    """users D, row 9: VOLUME of root, USER app and a script that writes there was RUNS."""
    found = start(line, wanted={"user": "app", "volumes": ("/data", "/own")}).verdict
    assert found.kind == ("DEPENDS" if asked else "RUNS")
    assert [f"write {asked}:" in each for each in found.depends] == ([True] if asked else [])


def test_a_program_below_a_volume_is_what_the_volume_holds() -> None:
    tool = forge.file("opt/tool", programs.hello(), 0o755)
    config = ProcessSpec(architecture="amd64", entrypoint=("/opt/tool",))
    tree = FakeRootfs((*TREE, tool))
    named = predict(tree, config, ProcessOptions(volumes=("tools:/opt",))).verdict
    assert (named.kind, named.depends) == (
        "DEPENDS", ("the volume at /opt is new, or still holds what this image has there",),
    )  # fmt: skip
    assert predict(tree, config, ProcessOptions(volumes=("/srv:/opt",))).verdict.kind == "UNKNOWN"
    assert predict(tree, config, ProcessOptions(volumes=("x:/else",))).verdict.kind == "RUNS"


def test_a_server_on_a_read_only_filesystem_needs_a_volume() -> None:
    nginx = (forge.file("usr/sbin/nginx", programs.hello(), 0o755), forge.directory("var/lib/nginx"))
    config = ProcessSpec(architecture="amd64", entrypoint=("nginx", "-g", "daemon off;"))
    tree = FakeRootfs((*TREE, *nginx))
    found = predict(tree, config, ProcessOptions(read_only=True)).verdict
    assert found.depends == ("nginx does not write to /var/lib/nginx: the root filesystem is read-only",)
    mounted = predict(tree, config, ProcessOptions(read_only=True, volumes=("n:/var/lib/nginx",))).verdict
    assert mounted.kind == "RUNS"
    assert predict(tree, config, ProcessOptions()).verdict.kind == "RUNS"
