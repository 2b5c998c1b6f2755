"""The recipes of CONTRIBUTING.md, followed to the letter on a copy of the tree.

A recipe is a section whose blocks carry a comment that says what to do with them:

    <!-- new: PATH -->                    the block becomes that file
    <!-- into: PATH, below: TEXT -->      the block goes below the first line that holds TEXT
    <!-- run -->                          each `$ ` line is run; the lines below it stand in its output, in order
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
_BLOCK = re.compile(r"<!-- (new|into|run)(?:: (.*?))? -->\n+```\w*\n(.*?)\n```\n", re.DOTALL)
RECIPES = {
    title.strip(): body
    for title, body in re.findall(r"^### (Add .*?)\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
}


def copy_of_the_tree(folder: Path) -> Path:
    tree = folder / "imagepeel"
    tree.mkdir()
    for name in ("src", "tests", "docs", "examples", "benchmarks"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile"):
        shutil.copy(ROOT / name, tree / name)
    return tree


def insert(path: Path, below: str, block: str) -> None:
    lines = path.read_text().split("\n")
    at = next((number for number, line in enumerate(lines) if below in line), None)
    assert at is not None, f"{path.name} has no line with {below!r}"
    path.write_text("\n".join([*lines[: at + 1], block, *lines[at + 1 :]]))


def run(tree: Path, block: str) -> None:
    environment = dict(os.environ, PYTHONPATH=str(tree / "src"), COLUMNS="100")
    environment["PATH"] = f"{tree / 'bin'}{os.pathsep}{environment['PATH']}"
    for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = piece.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        at = 0
        for line in filter(None, map(str.strip, expected.splitlines())):
            at = done.stdout.find(line, at)
            assert at >= 0, f"{command} does not print {line!r}:\n{done.stdout[-3000:]}"


def test_there_are_four_recipes() -> None:
    assert list(RECIPES) == ["Add a rule", "Add an engine", "Add an archive kind", "Add a command"]


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_works_as_written(title: str, tmp_path: Path) -> None:
    blocks = _BLOCK.findall(RECIPES[title])
    assert {what for what, _, _ in blocks} >= {"into", "run"}, "a recipe adds a line to a registry and shows the result"
    tree = copy_of_the_tree(tmp_path)
    (tree / "bin").mkdir()
    for name, code in (("python", 'exec {python} "$@"'), ("imagepeel", 'exec {python} -m imagepeel "$@"')):
        script = tree / "bin" / name
        script.write_text("#!/bin/sh\n" + code.format(python=sys.executable) + "\n")
        script.chmod(0o755)
    for what, where, block in blocks:
        if what == "run":
            run(tree, block)
        elif what == "new":
            assert not (tree / where).exists(), f"{where} is there already"
            (tree / where).parent.mkdir(parents=True, exist_ok=True)
            (tree / where).write_text(block + "\n")
        else:
            path, _, below = where.partition(", below: ")
            insert(tree / path, below, block)
