"""One cache directory under two processes at once, and with damaged files: the answers are those without a cache."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagepeel import forge
from imagepeel.layers.index_cache import _RACY

COMMANDS = (("layers",), ("ls", "-R"), ("process", "--json"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with two layers that are large enough to be kept."""
    chance = random.Random(3)
    layers = [
        forge.layer(
            *(forge.file(f"{k}/f{n}", b"") for n in range(300)), forge.file(f"{k}/noise", chance.randbytes(4_500_000))
        )
        for k in range(2)
    ]
    spec = forge.image(*layers, cmd=["/0/f1"])
    path = forge.write(spec, tmp_path_factory.mktemp("cache") / "image.tar", kind="oci-archive", compression="gzip")
    os.utime(path, (1, 1))
    # A file that was just changed is believed to be another one soon: what is kept of it waits that long.
    time.sleep(_RACY / 1e9)
    return path


def start(cache: Path, *words: str | Path) -> subprocess.Popen[bytes]:
    given = [sys.executable, "-m", "imagepeel", *map(str, words)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def ended(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, int]:
    return (*process.communicate(), process.returncode)


def test_two_processes_at_once(archive: Path, tmp_path: Path) -> None:
    truth = {words: ended(start(tmp_path, *words, archive, "--no-cache")) for words in COMMANDS}
    assert not list(tmp_path.iterdir())
    for words in COMMANDS:
        shutil.rmtree(tmp_path / "imagepeel", ignore_errors=True)
        both = [start(tmp_path, *words, archive), start(tmp_path, *words, archive)]
        if words == ("layers",):
            both.append(start(tmp_path, "cache", "clear"))
        assert [ended(one) for one in both[:2]] == [truth[words]] * 2
        assert all(one.wait() == 0 for one in both)
        for one in both[2:]:
            ended(one)
        assert ended(start(tmp_path, *words, archive)) == truth[words]
        assert not list((tmp_path / "imagepeel").glob(".new-*"))


def test_damaged_files(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagepeel.cli import cli
    from runner import runner

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place, kept = tmp_path / "imagepeel", tmp_path / "kept"

    def said(*words: str) -> tuple[int, str, str]:
        done = runner().invoke(cli, [*words, str(archive)])
        return done.exit_code, done.stdout, done.stderr

    truth = {words: said(*words, "--no-cache") for words in COMMANDS}
    for words in COMMANDS:
        assert said(*words) == truth[words]
    shutil.copytree(place, kept)
    assert {path.suffix for path in kept.iterdir()} >= {".index", ".stamp"}
    chance = random.Random(7)
    for number in range(int(os.environ.get("IMAGEPEEL_CACHE_FLIPS", "8"))):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(kept, place)
        for path in sorted(place.iterdir()):
            data = bytearray(path.read_bytes())
            if number % 3:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            else:
                del data[chance.randrange(len(data)) :]
            path.write_bytes(data)
        for words in COMMANDS:
            assert said(*words) == truth[words], (number, words)
