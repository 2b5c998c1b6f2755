"""A release is one command: it builds, looks, installs, and refuses what should not go out."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def _git(*words: str | Path, where: Path) -> None:
    mine = ["-c", "user.name=release test", "-c", "user.email=release@localhost"]
    subprocess.run(["git", *mine, *map(str, words)], cwd=where, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    where = tmp_path_factory.mktemp("release") / "clone"
    _git("clone", "-q", "--shared", ROOT, where, where=ROOT)
    return where


def _release(clone: Path, out: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHON"] = sys.executable
    words = ["bash", str(clone / ".ci" / "release.sh"), str(out)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_what_is_released(clone: Path, tmp_path: Path) -> None:
    done = _release(clone, tmp_path / "dist")
    if "No matching distribution found for build" in done.stderr:
        pytest.skip("no build without a package index")
    assert done.returncode == 0, done.stderr
    assert "twine upload" in done.stdout
    names = sorted(path.name for path in (tmp_path / "dist").iterdir())
    wheel, sdist = (next(name for name in names if name.endswith(end)) for end in (".whl", ".tar.gz"))
    assert names == ["SHA256SUMS", wheel, sdist]
    sums = {hashlib.sha256((tmp_path / "dist" / name).read_bytes()).hexdigest() for name in (wheel, sdist)}
    assert {line.split()[0] for line in (tmp_path / "dist" / "SHA256SUMS").read_text().splitlines()} == sums
    with tarfile.open(tmp_path / "dist" / sdist) as source:
        assert any(name.endswith("/tests/conftest.py") for name in source.getnames())
    with zipfile.ZipFile(tmp_path / "dist" / wheel) as packed:
        assert not [name for name in packed.namelist() if name.startswith("tests")]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("echo x >> README.md", "commit or remove"),
        ("echo x > stray.txt", "commit or remove"),
        ("sed -i s/0/9/ src/imagepeel/_version.py && git commit -qam spoiled", "CHANGELOG.md has no section for"),
        ("mkdir -p dist", "exists"),
    ],
)
def test_what_is_refused(spoil: str, says: str, clone: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "clone"
    _git("clone", "-q", "--shared", clone, spoiled, where=clone)
    _git("config", "user.name", "release test", where=spoiled)
    _git("config", "user.email", "release@localhost", where=spoiled)
    subprocess.run(["bash", "-c", spoil], cwd=spoiled, check=True)
    done = _release(spoiled, spoiled / "dist")
    assert done.returncode == 1 and says in done.stderr
    assert not list(spoiled.glob("dist/*"))
