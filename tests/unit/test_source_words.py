"""What a word means that stands where an archive is expected."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel.sources.request import Request
from imagepeel.sources.table import find
from imagepeel.sources.words import parse

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("word", "kind", "rest"),
    [
        ("registry:localhost:5000/a:1", "registry", "localhost:5000/a:1"),
        ("docker://alpine@sha256:" + "0" * 64, "registry", "alpine@sha256:" + "0" * 64),
        ("docker:nginx:latest", "docker", "nginx:latest"),
        ("docker-daemon:nginx:latest", "docker", "nginx:latest"),
        ("docker-archive:a.tar", "file", "a.tar"),
        ("oci-archive:a.tar:1", "file", "a.tar:1"),
        ("oci:dir", "file", "dir"),
        ("podman:x", "podman", "x"),
        ("https://host/a.tar", "web", "host/a.tar"),
        ("s3://bucket/a.tar", "objects", "bucket/a.tar"),
    ],
)
def test_the_prefixes_of_skopeo_and_syft(word: str, kind: str, rest: str) -> None:
    found = parse(word)
    assert found is not None and (found.kind, found.rest, str(found)) == (kind, rest, word)


@pytest.mark.parametrize(
    "text", ["nginx:latest", "docker: Error response from daemon: no such file", "docker:", "", "a.tar", "dockerd:x"]
)
def test_a_text_is_no_source(text: str) -> None:
    assert parse(text) is None


def test_a_file_wins_over_a_prefix(forge_archive: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("registry:nowhere.invalid").write_bytes(forge_archive("shop").read_bytes())
    with imagepeel.open("registry:nowhere.invalid") as archive:
        assert archive.image().names


@pytest.mark.parametrize(
    "word", ["docker-archive:shop.tar", "docker-archive:shop.tar:shop:1.4", "oci-archive:shop.tar@0", "file:shop.tar"]
)
def test_a_word_for_a_file_opens_it(
    word: str, forge_archive: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.tar").write_bytes(forge_archive("shop").read_bytes())
    with imagepeel.open(word) as archive:
        assert (archive.name, archive.image().names) == ("shop.tar", ("shop:1.4",))


def test_the_image_that_a_word_chooses_must_be_there(
    forge_archive: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.tar").write_bytes(forge_archive("shop").read_bytes())
    with (
        imagepeel.open("docker-archive:shop.tar:other:2") as archive,
        pytest.raises(imagepeel.NotFound, match="other:2"),
    ):
        archive.image()


@pytest.mark.parametrize(
    ("word", "tools"),
    [
        ("containers-storage:localhost/x:1", ("podman save", "buildah push")),
        ("containerd:docker.io/library/x:1", ("ctr images export", "nerdctl save")),
        ("singularity:x.sif", ("skopeo copy sif:x.sif docker-archive:image.tar",)),
    ],
)
def test_a_store_is_answered_with_its_own_tools(word: str, tools: tuple[str, ...]) -> None:
    with pytest.raises(imagepeel.UsageError) as caught:
        find(word, Request())
    for tool in tools:
        assert tool in caught.value.hint


def test_a_bare_name_is_answered_with_the_lines_to_type() -> None:
    with pytest.raises(imagepeel.PathNotFound) as caught:
        find("nginx:latest", Request())
    for line in ("imagepeel explain docker:nginx:latest", "registry:nginx:latest", "docker save nginx:latest |"):
        assert line in caught.value.hint


def test_nothing_of_sources_is_loaded_for_a_file(forge_archive: Make) -> None:
    """Commands about files start as fast as before there were sources, and no code with a network is near."""
    code = (
        "import sys; from imagepeel.cli import cli\n"
        f"try: cli.main(['ls', {str(forge_archive('shop'))!r}])\n"
        "except SystemExit: pass\n"
        "near = ('imagepeel.sources', 'http', 'ssl', 'socket', 'subprocess')\n"
        "print([name for name in sys.modules if name.startswith(near)], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout and done.stderr == "[]\n"
