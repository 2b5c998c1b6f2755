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


pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not list(READY.glob("msgspec-*.whl")), reason="make pyodide prepares it"),
]


@pytest.fixture(scope="module")
def shown() -> dict[str, list[int]]:
    """For each notebook and cell that ran, the length of the HTML that it shows."""
    found = util.find_spec("jinja2")
    assert found is not None and found.origin is not None
    site = Path(found.origin).parents[1]
    words = ["node", str(Path(__file__).parent / "notebook_cells.mjs"), str(READY), str(ROOT / "src"), str(site)]
    done = subprocess.run([*words, *map(str, NOTEBOOKS)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == len(NOTEBOOKS) >= 4
    return told


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_of_the_notebooks_run_in_pyodide(shown: dict[str, list[int]], path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    told = shown[str(path)]
    if len(told) < len(cells):
        assert "pandas" in path.name and len(told) >= 2, "the cells before the first that needs pandas"
        assert "pandas" in "".join(cells[len(told)]["source"])
        pytest.skip(f"no wheel of pandas for Pyodide in {READY}: {len(told)} of {len(cells)} cells ran")
    assert len(told) == len(cells) and ("pandas" in path.name or sum(one > 0 for one in told) >= 4)
