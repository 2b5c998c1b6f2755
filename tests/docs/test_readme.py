"""What the README shows is what happens: its commands run and print those lines, its Python runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imagepeel import forge

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.relative_to(ROOT)}#{number}", match[2])
        for page in PAGES
        for number, match in enumerate(FENCE.finditer(page.read_text()))
        if match[1] == language
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images that the pages talk about."""
    path = tmp_path_factory.mktemp("pages")
    for name in ("shop", "hello", "broken-entrypoint", "no-loader", "resurrect", "linkshadow"):
        forge.write(forge.build(name), path / f"{name}.tar")
    return path


CONSOLE = blocks("console")
PYTHON = blocks("python")


@pytest.mark.parametrize(("where", "block"), CONSOLE, ids=[where for where, _ in CONSOLE])
def test_console_blocks_show_what_is_printed(where: str, block: str, folder: Path) -> None:
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert parts[0].strip() == "", "a console block starts with a command"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PATH": path}
    for command, shown in zip(parts[1::2], parts[2::2], strict=True):
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True)
        printed = (done.stdout + done.stderr).splitlines()
        at = 0
        # A block that is meant to end otherwise says so: `; echo $?`, or `|| true`.
        assert done.returncode == 0, f"{where}: {command} ends with {done.returncode}: {done.stderr}"
        for line in shown.rstrip("\n").splitlines():
            if line.strip() == "...":
                continue
            assert line in printed[at:], f"{where}: {command} does not print {line!r} (after line {at})"
            at += printed[at:].index(line) + 1


@pytest.mark.parametrize(("where", "block"), PYTHON, ids=[where for where, _ in PYTHON])
def test_python_blocks_run(where: str, block: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in re.findall(r"print\(.*\)\s+# (.*)$", block, flags=re.MULTILINE):
        assert line in done.stdout, f"{where} does not print {line!r} but {done.stdout!r}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
