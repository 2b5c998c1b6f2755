"""The index cache as the command line uses it: --no-cache, cache info, cache clear, and warnings."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagepeel import forge
from imagepeel.render.schemas import schema_of

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose one layer is large enough to be worth an index."""
    noise = random.Random(1).randbytes(5_000_000)
    spec = forge.image(forge.layer(forge.file("data/noise", noise), forge.file("etc/motd", "hi\n")), names="large:1")
    return forge.write(spec, tmp_path_factory.mktemp("cache") / "large.tar", kind="oci-archive", compression="gzip")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "imagepeel"


def never(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("a layer is scanned")


def test_a_second_command_scans_nothing_and_says_the_same(
    run_cli: Run, large: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = (
        ["layers", large],
        ["ls", "-R", large],
        ["process", large, "--json"],
        ["du", large],
        ["find", large, "m*"],
    )
    truth = [run_cli(*words, "--no-cache").stdout for words in commands]
    assert not home.exists()
    assert run_cli("layers", large).stdout == truth[0]
    assert list(home.glob("*.index"))
    monkeypatch.setattr("imagepeel.layers.scan.scan_layer", never)
    for words, expected in zip(commands, truth, strict=True):
        done = run_cli(*words)
        assert (done.exit_code, done.stdout, done.stderr) == (0, expected, "")
    assert run_cli("layers", large, "--no-cache").exit_code == 70


@pytest.mark.parametrize("fault", ["diff-id", "layer-bytes", "layer-size"])
def test_a_mismatch_is_told_from_the_cache_too(fault: str, run_cli: Run, tmp_path: Path, home: Path) -> None:
    layer = forge.layer(forge.file("noise", random.Random(2).randbytes(4_500_000)))
    path = tmp_path / "wrong.tar"
    forge.write(forge.image(layer), path, kind="oci-archive", compression="gzip")
    assert run_cli("layers", path).exit_code == 0 and list(home.glob("*.index"))
    spec = forge.image(layer, faults=[forge.Fault(kind=fault, layer=0)])
    forge.write(spec, path, kind="oci-archive", compression="gzip")
    truth = run_cli("layers", path, "--no-cache")
    assert truth.exit_code in (11, 12)
    for _ in range(2):
        done = run_cli("layers", path)
        assert (done.exit_code, done.stdout, done.stderr) == (truth.exit_code, truth.stdout, truth.stderr)


def test_info_and_clear(run_cli: Run, large: Path, home: Path) -> None:
    assert run_cli("cache", "info").stdout == f"{home}: 0 B of at most 1.07 GB\n"
    run_cli("layers", large)
    text = run_cli("cache", "info").stdout
    assert "1  indexes of layers" in text
    document = json.loads(run_cli("cache", "info", "--json").stdout)
    jsonschema.validate(document, schema_of("cache"))
    result = document["result"]
    assert result["index"] == 1 and result["problem"] == ""
    assert result["size"] == sum(path.stat().st_size for path in home.iterdir())
    assert result["files"] == len(list(home.iterdir()))
    (home / "mine.txt").write_text("kept")
    done = run_cli("cache", "clear")
    assert done.exit_code == 0 and done.stdout.startswith(f"removed {result['files']} files, ")
    assert [path.name for path in home.iterdir()] == ["mine.txt"]


def test_a_cache_that_others_can_write_to_is_ignored_with_a_warning(run_cli: Run, large: Path, home: Path) -> None:
    run_cli("layers", large)
    os.chmod(home, 0o777)
    done = run_cli("layers", large)
    assert done.exit_code == 0
    assert "others can write to it" in done.stderr
    assert run_cli("layers", large, "--no-cache").stderr == ""
    assert "It is not used" in run_cli("cache", "info").stdout
    cleared = run_cli("cache", "clear")
    assert cleared.stdout.startswith("removed 0 files") and "others can write" in cleared.stderr


def test_a_cache_that_cannot_be_written_is_passed_over_quietly(
    run_cli: Run, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    done = run_cli("layers", large)
    assert (done.exit_code, done.stderr) == (0, "")


def test_small_archives_leave_no_trace(run_cli: Run, home: Path, forge_archive: Callable[..., Path]) -> None:
    run_cli("process", forge_archive("shop"))
    assert not home.exists()
