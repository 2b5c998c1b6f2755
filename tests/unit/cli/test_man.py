"""The page of the manual, as groff and man show it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel.cli import COMMANDS
from imagepeel.cli.man import page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "imagepeel.1"
Run = Callable[..., Any]
needs_groff = pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")


def shown() -> str:
    """Return the page as a terminal without bold shows it, in lines that are never broken."""
    words = ["groff", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-P-o", "-rLL=2000n", "-rHY=0", "-ww", str(PAGE)]
    done = subprocess.run(words, capture_output=True, check=True)
    assert done.stderr == b""
    return re.sub(r"\x1b\[\d*m", "", done.stdout.decode())


def test_the_page_is_that_of_the_commands() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run: python -m imagepeel.cli.man > docs/reference/imagepeel.1"


@needs_groff
def test_groff_finds_nothing_wrong_and_shows_every_option(run_cli: Run) -> None:
    text = shown()
    for name in COMMANDS:
        help_page = run_cli(name, "--help", env={"COLUMNS": "200"}).stdout
        options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", help_page, re.MULTILINE)) - {"--help"}
        assert options or name in ("cache", "schema")
        for option in options:
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), (name, option)
    for word in ("`imagepeel FILE`", "/etc/passwd", "'#2'"):
        assert word in text
