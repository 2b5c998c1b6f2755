"""pyright knows the type of every exported symbol, down to the attributes of what public names return."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge, results

PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
PYRIGHT = shutil.which("pyright", path=PATH)

pytestmark = [
    pytest.mark.judge,
    pytest.mark.skipif(PYRIGHT is None, reason="pyright is not on this machine: pip install pyright[nodejs]"),
]


@pytest.fixture(scope="module")
def symbols() -> dict[str, dict[str, Any]]:
    """What pyright says of each exported symbol, by name."""
    source = str(Path(imagepeel.__file__).parents[1])
    run = subprocess.run(
        [str(PYRIGHT), "--verifytypes", "imagepeel", "--ignoreexternal", "--outputjson"],
        env={**os.environ, "PYTHONPATH": source, "PATH": PATH, "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
    )
    if not run.stdout.startswith("{"):
        pytest.skip(f"pyright does not start here: {run.stderr.strip()[-200:]}")
    found = json.loads(run.stdout)["typeCompleteness"]["symbols"]
    return {each["name"]: each for each in found if each["isExported"]}


def test_pyright_knows_the_type_of_every_public_name(symbols: dict[str, dict[str, Any]]) -> None:
    public = [f"imagepeel.{name}" for name in imagepeel.__all__ if name not in ("forge", "results", "__version__")]
    public += [f"imagepeel.forge.{name}" for name in forge.__all__]
    public += [f"imagepeel.results.{name}" for name in results.__all__]
    assert [name for name in public if name not in symbols or not symbols[name]["isTypeKnown"]] == []


def test_pyright_finds_no_exported_symbol_without_type(symbols: dict[str, dict[str, Any]]) -> None:
    """All that is exported is annotated, the internal packages included: completeness is 100 %.

    Widgets inherit names from Textual whose types pyright does not find complete; mypy checks that folder as any other.
    """
    assert symbols
    ours = {name: each for name, each in symbols.items() if not name.startswith("imagepeel.browse.")}
    assert [name for name, each in ours.items() if not each["isTypeKnown"]] == []
