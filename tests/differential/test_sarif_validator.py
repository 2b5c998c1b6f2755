"""Microsoft's validator of SARIF, with its rules for code scanning, has nothing to warn of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Run = Callable[..., Any]
PACKED = Path(__file__).parents[2] / "demo/sarif/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
TOOL = shutil.which("Sarif.Multitool") or (str(PACKED) if PACKED.exists() else "")
pytestmark = [pytest.mark.judge, pytest.mark.skipif(not TOOL, reason="no Sarif.Multitool: make judges fetches it")]


def warnings(log: Path) -> set[str]:
    """The rules of the validator that a log breaks, notes left out."""
    words = ["validate", str(log), "--rule-kind", "Sarif;Ghas", "--output", f"{log}.out", "--log", "ForceOverwrite"]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    os.chmod(TOOL, 0o755)
    subprocess.run([TOOL, *words], capture_output=True, check=False, timeout=120, env=environment)
    (run,) = json.loads(Path(f"{log}.out").read_text())["runs"]
    return {result["ruleId"] for result in run["results"]}


def test_the_validator_takes_what_check_writes(tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("shop", "hello", "broken-entrypoint", "control-characters"):
        forge.write(forge.build(name), tmp_path / f"{name}.tar")
    (tmp_path / "imagepeel.toml").write_text(
        '[[suppress]]\nrule = "DELETED-SECRET"\nreason = "a key of the course"\nuntil = 2999-12-31\n'
        '[[suppress]]\nrule = "CRLF-SHEBANG"\nreason = "until the next release"\nuntil = 2001-12-31\n'
    )
    run_cli("check", "hello.tar", "--write-baseline", "known.json")
    several = ("shop.tar", "hello.tar", "absent.tar", "broken-entrypoint.tar", tmp_path / "control-characters.tar")
    run_cli("check", *several, "--baseline", "known.json", "--output", "sarif=a.sarif")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . .\nRUN rm .env\n")
    run_cli("check", "shop.tar", "--dockerfile", "Dockerfile", "--output", "sarif=b.sarif")
    assert warnings(tmp_path / "a.sarif") == warnings(tmp_path / "b.sarif") == set()
    log = json.loads((tmp_path / "a.sarif").read_text())
    for run in log["runs"]:
        for result in run["results"]:
            for location in result["locations"]:
                del location["physicalLocation"]["region"]
    (tmp_path / "worse.sarif").write_text(json.dumps(log))
    assert warnings(tmp_path / "worse.sarif") != set()
