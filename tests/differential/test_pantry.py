"""The teaching image of packages, read by the programs whose databases it has: dpkg, Python's importlib, npm."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel

Make = Callable[..., Path]
SITE = "usr/local/lib/python3.11/site-packages"


@pytest.fixture(scope="module")
def tree(forge_archive: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six layers, each unpacked over the ones below by GNU tar, which the whiteouts are taken from by hand."""
    archive, top = forge_archive("pantry"), tmp_path_factory.mktemp("pantry")
    manifest = subprocess.run(["tar", "-xOf", archive, "manifest.json"], capture_output=True, check=True).stdout
    for member in json.loads(manifest)[0]["Layers"]:
        layer = subprocess.run(["tar", "-xOf", archive, member], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(top)], input=layer.stdout, check=True)
    for mark in list(top.rglob(".wh.*")):
        mark.with_name(mark.name.removeprefix(".wh.")).unlink()
        mark.unlink()
    return top


def ours(archive: Path, kind: str) -> dict[str, str]:
    with imagepeel.open(archive) as opened:
        found = opened.image().packages()
    return {one.name: one.version for one in found.packages if one.family == kind and one.installed}


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="dpkg is not installed")
def test_dpkg_reads_the_same(tree: Path, forge_archive: Make) -> None:
    query = ["dpkg-query", "--admindir", str(tree / "var/lib/dpkg")]
    words = [*query, "-W", "-f", "${Package} ${Version}\n"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert dict(line.split() for line in told.splitlines()) == ours(forge_archive("pantry"), "dpkg")
    listed = subprocess.run([*query, "-L", "curl"], capture_output=True, text=True)
    assert "/usr/bin/curl" in listed.stdout.splitlines() and (tree / "usr/bin/curl").is_file()
    sums = subprocess.run(["md5sum", "-c", "var/lib/dpkg/info/curl.md5sums"], cwd=tree, capture_output=True)
    assert sums.returncode == 0, sums.stderr


def test_python_reads_the_same(tree: Path, forge_archive: Make) -> None:
    code = (
        "import importlib.metadata as m, json, sys, base64, hashlib\n"
        "found = list(m.distributions(path=[sys.argv[1]]))\n"
        "for file in found[0].files:\n"
        "    data = file.read_binary()\n"
        "    if file.hash is not None:\n"
        "        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()\n"
        "        assert (file.hash.value, file.size) == (digest, len(data)), file\n"
        "print(json.dumps({one.name: one.version for one in found}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tree / SITE)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ours(forge_archive("pantry"), "pip") == {"requests": "2.31.0"}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_reads_the_same(tree: Path, forge_archive: Make) -> None:
    done = subprocess.run(["npm", "ls", "--json"], cwd=tree / "app", capture_output=True, text=True, check=True)
    told = {name: one["version"] for name, one in json.loads(done.stdout)["dependencies"].items()}
    assert told == ours(forge_archive("pantry"), "npm") == {"left-pad": "1.3.0"}
