"""What the README shows is what happens: its commands run and print those lines, its Python runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from imagepeel import forge
from imagepeel.cli import cli

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


def indented(page: Path) -> list[str]:
    """The commands of a page that stand indented, without the remark beside them; the usage of cli.md is none."""
    text = re.sub(r"^```console.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^ {4}(?:\$ )?(imagepeel .*)$", text, flags=re.MULTILINE)
    commands = [re.split(r" {3,}", line)[0] for line in found if "COMMAND" not in line and "[OPTIONS]" not in line]
    # One needs a terminal, the other goes on until all images start.
    return [command for command in commands if not re.match("imagepeel (browse|peel|workshop watch)", command)]


INDENTED = [page for page in PAGES if page.parent.name != "rules" and indented(page)]


@pytest.mark.parametrize("page", INDENTED, ids=lambda page: page.name)
def test_indented_commands_end_well(page: Path, tmp_path: Path) -> None:
    """Where the image is anybody's, as on the page of all commands, what it lacks is no fault of the page."""
    for name, image in {"image": "shop", "old": "hello", "new": "shop", "a": "hello", "b": "shop"}.items():
        forge.write(forge.build(image), tmp_path / f"{name}.tar")
    shutil.copy(ROOT / "examples" / "recipe.json", tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "GITHUB_STEP_SUMMARY": "summary.md", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for command in indented(page):
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        said = f"{command} ends with {done.returncode}: {done.stderr}"
        if page.name == "cli.md":
            assert " --help" not in done.stderr and "Traceback" not in done.stderr, said
        else:
            assert done.returncode in ((0, 1) if "imagepeel check" in command else (0,)), said


def test_the_recipe_and_the_settings_of_the_pages_are_taken(tmp_path: Path) -> None:
    (recipe,) = [text for where, text in blocks("json") if where.startswith("docs/reference/forge.md")]
    (settings,) = [text for where, text in blocks("toml") if where.startswith("docs/reference/check.md")]
    (tmp_path / "recipe.json").write_text(recipe)
    (tmp_path / "settings.toml").write_text(settings)
    run = [sys.executable, "-m", "imagepeel"]
    for words in (
        ["forge", "--from", "recipe.json", "lesson.tar"],
        ["check", "lesson.tar", "--fail-on", "none", "--write-baseline", "known.json"],
        ["check", "lesson.tar", "--config", "settings.toml"],
    ):
        done = subprocess.run([*run, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout


ELSEWHERE = "docs/how-to/open-images-where-they-are.md"
"""The page whose images lie where no test can go; those of its commands that are ours exist."""


def test_no_block_is_left_out() -> None:
    """Each language is run by a test, but for drawings, examples of JSON and what lies elsewhere."""
    languages = {match[1] for page in PAGES for match in FENCE.finditer(page.read_text())}
    assert languages <= {"console", "python", "json", "toml", "yaml", "groovy", "text"}
    assert {where.partition("#")[0] for where, _ in blocks("groovy")} == {"docs/how-to/gate-in-jenkins.md"}
    assert {where.partition("#")[0] for where, _ in blocks("text")} == {"docs/explanation/architecture.md", ELSEWHERE}
    assert {where.partition("#")[0] for where, _ in blocks("json")} == {
        "docs/reference/forge.md",
        "docs/reference/json.md",
    }


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_commands_about_images_that_lie_elsewhere_exist() -> None:
    lines = [line for where, block in blocks("text") if where.startswith(ELSEWHERE) for line in block.splitlines()]
    called = [re.split(r"\bimagepeel ", re.split(r" {2,}", line)[0])[1] for line in lines if "imagepeel " in line]
    assert len(called) > 10
    for call in called:
        name, *words = shlex.split(call)
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, call
        known = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, call
        named = [word for word in words if not word.startswith("-")]
        assert any(":" in word for word in named), call
