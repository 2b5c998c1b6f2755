"""pyright knows the type of every public name, down to the attributes of what it returns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge, results


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright is not on this machine: pip install pyright")
def test_pyright_knows_the_type_of_every_public_name() -> None:
    source = str(Path(imagepeel.__file__).parents[1])
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    run = subprocess.run(
        ["pyright", "--verifytypes", "imagepeel", "--ignoreexternal", "--outputjson"],
        env={**os.environ, "PYTHONPATH": source, "PATH": path, "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
    )
    if not run.stdout.startswith("{"):
        pytest.skip(f"pyright does not start here: {run.stderr.strip()[-200:]}")
    known = {each["name"]: each["isTypeKnown"] for each in json.loads(run.stdout)["typeCompleteness"]["symbols"]}
    public = [f"imagepeel.{name}" for name in imagepeel.__all__ if name not in ("forge", "results", "__version__")]
    public += [f"imagepeel.forge.{name}" for name in forge.__all__]
    public += [f"imagepeel.results.{name}" for name in results.__all__]
    assert [name for name in public if not known.get(name, False)] == []
