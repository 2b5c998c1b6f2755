"""What people type out of habit: find -name and -size as find(1) has them, help COMMAND, -V, a part of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Run = Callable[..., Any]
Make = Callable[..., Path]
SIZES = (0, 1, 511, 512, 513, 1023, 1024, 1025, 2048, 2049, 1 << 20, (1 << 20) + 1, 3 << 20)


@pytest.fixture(scope="module")
def sizes(forge_archive: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An image with files of many sizes, and the same tree, unpacked by GNU tar."""
    files = [forge.file(f"d/f{size}.bin", b"x" * size) for size in SIZES]
    names = [forge.file(f"d/{name}", b"") for name in ("a.conf", "b.CONF", "[x].conf", ".hidden.conf", "c.conf.d")]
    spec = forge.image(forge.layer(forge.directory("d"), *files, *names), names="s:1", entrypoint=["/d/a.conf"])
    archive = forge_archive(spec, name="sizes.tar")
    tree = tmp_path_factory.mktemp("tree")
    layer = subprocess.run(["tar", "-xOf", archive, "--wildcards", "*/layer.tar"], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(tree)], input=layer.stdout, check=True)
    return archive, tree


@pytest.mark.skipif(shutil.which("find") is None, reason="find is not installed")
@pytest.mark.parametrize(
    "asked",
    [
        ["-size", "+1k"], ["-size", "-2k"], ["-size", "1k"], ["-size", "+0c"], ["-size", "1024c"], ["-size", "-1M"],
        ["-size", "1M"], ["-size", "+1M"], ["-size", "-1G"], ["-size", "1G"], ["-size", "+511c", "-size", "-1k"],
        ["-name", "*.conf"], ["-name", "f1*"], ["-name", "?.conf"], ["-name", "[ab].conf"], ["-name", "*"],
        ["-name", "*.bin", "-size", "+1k"], ["-name", "f*", "-name", "*4*"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_find_answers_as_find_does(asked: list[str], sizes: tuple[Path, Path], run_cli: Run) -> None:
    archive, tree = sizes
    theirs = subprocess.run(["find", ".", "-type", "f", *asked], cwd=tree, capture_output=True, text=True, check=True)
    ours = run_cli("find", archive, "--type", "f", *asked).stdout
    assert sorted(ours.split()) == sorted(line.removeprefix(".") for line in theirs.stdout.split())


def test_the_largest_come_first(sizes: tuple[Path, Path], run_cli: Run) -> None:
    paths = run_cli("find", sizes[0], "--sort", "size", "-name", "*.bin").stdout.split()
    assert paths == [f"/d/f{size}.bin" for size in sorted(SIZES, reverse=True)]


@pytest.mark.parametrize("word", ["", "k", "1q", "+", "1.5M", "++1", "-1kk"])
def test_a_size_that_is_none(word: str, sizes: tuple[Path, Path], run_cli: Run) -> None:
    done = run_cli("find", sizes[0], f"--size={word}")
    assert done.exit_code == 2 and "is no size" in done.stderr


def test_a_name_is_no_path(sizes: tuple[Path, Path], run_cli: Run) -> None:
    done = run_cli("find", sizes[0], "-name", "d/a.conf")
    assert done.exit_code == 2 and "has a slash" in done.stderr and "matches whole paths" in done.stderr


@pytest.mark.parametrize("word", ["-V", "--version"])
def test_the_version_in_both_ways(word: str, run_cli: Run) -> None:
    assert run_cli(word).stdout.startswith("imagepeel ")


def test_help_is_a_word_too(run_cli: Run) -> None:
    assert run_cli("help", "find").stdout == run_cli("find", "--help").stdout
    assert run_cli("help").stdout == run_cli("--help").stdout
    assert run_cli("help", "nosuch").exit_code == 2


def test_a_directory_of_the_image_is_extracted_as_tar_does(
    forge_archive: Make, run_cli: Run, tmp_path: Path, sizes: tuple[Path, Path]
) -> None:
    archive, tree = sizes
    assert run_cli("extract", archive, tmp_path / "out", "/d").exit_code == 0
    assert sorted(os.listdir(tmp_path / "out")) == sorted(os.listdir(tree / "d"))
    for name in os.listdir(tree / "d"):
        assert (tmp_path / "out" / name).read_bytes() == (tree / "d" / name).read_bytes()
    done = run_cli("extract", archive, tmp_path / "one", "/d/a.conf")
    assert done.exit_code == 2 and "imagepeel cat" in done.stderr and not (tmp_path / "one").exists()
    done = run_cli("extract", archive, tmp_path / "none", "/nothing")
    assert done.exit_code == 14 and not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "environment", "coloured"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "0"}, False),
        ([], {"FORCE_COLOR": ""}, False),
        ([], {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
    ],
)
def test_who_decides_about_colour(
    words: list[str], environment: dict[str, str], coloured: bool, run_cli: Run, forge_archive: Make
) -> None:
    assert ("\x1b[" in run_cli("ls", forge_archive("shop"), *words, env=environment).stdout) is coloured


def test_tree_has_sizes_and_a_file_with_two_names_is_counted_once(run_cli: Run, forge_archive: Make) -> None:
    lines = run_cli("tree", forge_archive("shop"), "/srv/shop").stdout.splitlines()
    assert any(line.endswith("catalog.bin  300 kB  L6") for line in lines)
    assert sum("200 kB, counted once for 2 names" in line for line in lines) == 2
