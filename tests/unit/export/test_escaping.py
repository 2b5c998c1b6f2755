"""Symbolic links that lead out of an extracted directory: listed, and left out on request."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.export.escaping import leaves
from imagepeel.forge.specimens import holding

Make = Callable[..., Path]
Run = Callable[..., Any]

LINKS = {
    b"absolute": b"/etc/passwd",
    b"up": b"../x",
    b"a/b/up": b"../../../x",
    b"a/b/inside": b"../../x",
    b"a/b/round": b"../../a/../a/b",
    b"back": b"a/../../x",
    b"dots": b"./././..",
    b"plain": b"etc",
    b"here": b".",
    b"by-another": b"absolute/x",
    b"a/far": b"near/../../../x",
    b"a/near": b"b",
    b"loop": b"loop",
    b"left": b"right/x",
    b"right": b"left/x",
    b"slashes": b"a//b///..",
    b"empty": b"",
}
OUT = {b"absolute", b"up", b"a/b/up", b"back", b"dots", b"by-another", b"a/far"}


@pytest.mark.parametrize("path", sorted(LINKS))
def test_a_link_is_followed_as_linux_would(path: bytes) -> None:
    assert leaves(path, LINKS) is (path in OUT)


@pytest.mark.parametrize("path", sorted(LINKS))
def test_the_kernel_says_the_same(path: bytes, tmp_path: Path) -> None:
    """In a directory three levels down, a link leaves the tree where `realpath` ends outside of it."""
    root = tmp_path / "one" / "two" / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "etc").mkdir()
    for name, target in LINKS.items():
        if target and not os.path.lexists(os.fsencode(root) + b"/" + name):
            os.symlink(target, os.fsencode(root) + b"/" + name)
    if not LINKS[path] or path in (b"loop", b"left", b"right"):
        return
    ends = os.path.realpath(os.fsencode(root) + b"/" + path)
    assert (not (ends + b"/").startswith(os.fsencode(root) + b"/")) is (path in OUT)


def linked() -> forge.ImageSpec:
    return holding(
        forge.symlink("out", "/etc"), forge.symlink("up", "../../.."), forge.symlink("in", "bin"),
        forge.hardlink("out-too", "out"), forge.symlink("through", "out/passwd"),
    )  # fmt: skip


def test_extract_lists_them(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    archive = forge_archive(linked(), name="links.tar")
    told = run_cli("extract", archive, tmp_path / "kept").stdout
    assert "4 symbolic links lead out of the directory on this machine" in told
    for line in ("/out -> /etc", "/out-too -> /etc", "/through -> out/passwd", "/up -> ../../.."):
        assert f"  {line}\n" in told
    assert (tmp_path / "kept" / "out").is_symlink()
    report = json.loads(run_cli("extract", archive, tmp_path / "again", "--json").stdout)["result"]
    assert report["escaping_links"] == 4
    assert report["escaping"][0] == {"path": "/out", "target": "/etc"}


def test_they_are_left_out_on_request(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    archive = forge_archive(linked(), name="links.tar")
    done = run_cli("extract", archive, tmp_path / "out", "--no-escaping-links")
    assert done.exit_code == 0
    assert "4  symbolic links that lead out of the directory, such as /out" in done.stdout
    assert "cp -P" not in done.stdout
    assert not any(os.path.lexists(tmp_path / "out" / name) for name in ("out", "up", "out-too", "through"))
    assert (tmp_path / "out" / "in").is_symlink() and (tmp_path / "out" / "bin" / "hello").is_file()


def test_an_image_without_such_links_says_nothing(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    assert "lead out" not in run_cli("extract", forge_archive("hello"), tmp_path / "out").stdout
