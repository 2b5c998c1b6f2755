"""Wheels on a stick: what the teacher's page says to prepare installs on a laptop without network, and is ready."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def _quiet(*words: str | Path, where: Path, offline: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONPATH", None)
    if offline:
        environment |= {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(
        list(map(str, words)), cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of wheels that goes on the stick: the project's own and all that it depends on."""
    top = tmp_path_factory.mktemp("stick")
    source = top / "source"
    for name in ("src", "docs/reference/imagepeel.1", "pyproject.toml", "README.md", "LICENSE"):
        part = ROOT / name
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, source / name)
    made = _quiet(sys.executable, "-m", "pip", "wheel", "--wheel-dir", top / "wheels", source, where=top)
    if made.returncode:
        pytest.skip(f"no wheels without a package index: {made.stderr.strip().splitlines()[-1][:200]}")
    return top / "wheels"


def test_a_laptop_without_network_gets_ready_from_the_stick(wheels: Path, tmp_path: Path) -> None:
    assert list(wheels.glob("imagepeel-*.whl"))
    venv.create(tmp_path / "laptop", symlinks=True)
    tools = tmp_path / "laptop" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", tools / "python"]
    done = _quiet(*pip, "install", "--no-index", "--find-links", wheels, "imagepeel", where=tmp_path, offline=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "laptop" / "share" / "man" / "man1" / "imagepeel.1").is_file()
    ready = _quiet(tools / "imagepeel", "workshop", "--ready", where=tmp_path)
    assert ready.returncode == 0, ready.stdout
    assert "imagepeel makes an image and predicts its start" in ready.stdout
    course = _quiet(tools / "imagepeel", "workshop", "course", where=tmp_path)
    assert course.returncode == 0, course.stderr
    assert (tmp_path / "course" / "README.md").is_file() and (tmp_path / "course" / "slides.html").is_file()
