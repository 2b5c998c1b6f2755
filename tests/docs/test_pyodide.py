"""The notebooks run in WebAssembly as well, as JupyterLite runs them: their cells, in Pyodide, in node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READY = Path(os.environ.get("IMAGEPEEL_PYODIDE", ROOT / "demo" / "pyodide"))
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not list(READY.glob("msgspec-*.whl")), reason="make pyodide prepares it")
def test_the_cells_of_the_notebooks_run_in_pyodide() -> None:
    found = util.find_spec("jinja2")
    assert found is not None and found.origin is not None
    site = Path(found.origin).parents[1]
    words = ["node", str(Path(__file__).parent / "notebook_cells.mjs"), str(READY), str(ROOT / "src"), str(site)]
    done = subprocess.run([*words, *map(str, NOTEBOOKS)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert len(shown) == len(NOTEBOOKS) >= 4
    for path in NOTEBOOKS:
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        told = shown[str(path)]
        if "pandas" in path.name:
            assert len(told) >= 2, "the cells before the first that needs pandas"
        else:
            assert len(told) == len(cells) and sum(one > 0 for one in told) >= 4, path.name
