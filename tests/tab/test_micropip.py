"""micropip installs the wheel of imagepeel in Pyodide: its markers leave out what WebAssembly does not have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READY = Path(os.environ.get("IMAGEPEEL_PYODIDE", ROOT / "demo" / "pyodide"))


def pure_markupsafe(folder: Path) -> None:
    """Pack markupsafe without its C part: its index has no wheel for WebAssembly, and it works without."""
    spec = find_spec("markupsafe")
    assert spec is not None and spec.origin is not None
    with zipfile.ZipFile(folder / "markupsafe-3.0-py3-none-any.whl", "w") as wheel:
        for name in ("__init__.py", "_native.py"):
            wheel.write(Path(spec.origin).parent / name, f"markupsafe/{name}")
        about = "markupsafe-3.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: MarkupSafe\nVersion: 3.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not list(READY.glob("wheels/micropip-*.whl")), reason="make pyodide prepares it")
def test_the_wheel_is_installed_by_name(tmp_path: Path) -> None:
    for wheel in (*READY.glob("wheels/*.whl"), *READY.glob("msgspec-*.whl")):
        shutil.copy(wheel, tmp_path)
    pure_markupsafe(tmp_path)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        tmp_path,
        ROOT,
    ]
    subprocess.run(build, check=True)
    words = ["node", Path(__file__).parent / "micropip.mjs", READY, tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    program, layers, installed = json.loads(done.stdout.splitlines()[-1])
    assert (program, layers) == ("/srv/shop/bin/serve", 8)
    assert {"imagepeel", "msgspec", "jinja2"} <= set(installed) and not {"zlib-ng", "zstandard"} & set(installed)
