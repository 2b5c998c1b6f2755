"""What is there in place of what is missing (users D2, D4): names that differ in their case or their directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.forge import programs

PROGRAM = programs.report()


@pytest.mark.parametrize(
    ("there", "command", "words"),
    [
        ("app/Run", "/app/run", "/app/Run is there, and upper and lower case differ"),
        ("App/run", "/app/run", "/App/run is there, and upper and lower case differ"),
        ("usr/local/bin/entrypoint.sh", "/entrypoint.sh", "/usr/local/bin/entrypoint.sh is there"),
        ("opt/app/bin/server", "server", "/opt/app/bin/server is there"),
        ("app/bin/run", "bin/run", "/app/bin/run is there"),
        ("app/Run.d/x", "/app/run.d", ""),
        ("app/other", "/app/run", ""),
    ],
)
def test_what_is_there_instead_is_named(
    there: str, command: str, words: str, tmp_path: Path, run_cli: Callable[..., Any]
) -> None:
    path = tmp_path / "image.tar"
    layer = forge.layer(forge.file(there, PROGRAM, 0o755), forge.directory("srv"))
    forge.write(forge.image(layer, names="demo:1", cmd=[command], workdir="/srv"), path)
    told = " ".join(run_cli("process", path).stdout.split())
    assert "no such file or directory" in told or "executable file not found" in told
    assert (words in told) if words else " is there" not in told
    fix = told.partition(" fix ")[2].partition(" more ")[0]
    assert not words or f"/{there}" in fix
