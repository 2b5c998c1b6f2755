"""What a start costs stays what was recorded: instructions, which no other work on a machine changes."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
DRIFT = 0.03
"""What a count may differ: paths and the environment are of other lengths elsewhere."""


@pytest.fixture(scope="module")
def startup() -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARKS / "startup.py"))


@pytest.fixture(scope="module")
def folder(startup: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the image, where bytecode stays from program to program."""
    made = tmp_path_factory.mktemp("instructions")
    startup["make_hello"](made)
    return made


@pytest.mark.parametrize("program", ["import imagepeel", "imagepeel --help", "imagepeel process hello.tar"])
def test_a_start_costs_what_was_recorded(startup: dict[str, Any], program: str, folder: Path) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    recorded = json.loads((BENCHMARKS / "instructions.json").read_text())
    here = startup["combination"]()
    others = [f"{name} {here[name]}" for name, version in recorded["versions"].items() if here.get(name) != version]
    if others:
        pytest.skip(f"recorded with other versions than {', '.join(others)}")
    words, _ = startup["PROGRAMS"][program]
    counted = startup["instructions"](words, folder)
    was = recorded["instructions"][program]
    assert abs(counted - was) <= DRIFT * was, f"{counted:,} instructions, recorded {was:,}: see benchmarks/README.md"


def test_a_static_program_loads_no_shell_no_loader_and_no_wrapper(folder: Path) -> None:
    words = ["-X", "importtime", "-m", "imagepeel", "process", "--no-cache", "hello.tar"]
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "imagepeel.process.simulate" in loaded
    needless = ("formats.shell", "process.shell.walk", "process.shell.tools", "process.scripts", "process.shelling")
    needless += ("process.wrapping", "process.loader", "process.wrappers.demands")
    assert not [name for name in loaded if name.startswith(tuple(f"imagepeel.{one}" for one in needless))]
