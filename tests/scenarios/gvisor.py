"""Starts scenarios with gVisor's runsc of this machine (Debian 12's), as bundles.

    python tests/scenarios/gvisor.py SCENARIO ...     records observed_gvisor.json

A start takes seconds, so the record has a part of the corpus: what is looked up, entered and mounted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "process")]

import runtimes  # noqa: E402
from compare import short  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import WAITS, Scenario, waits  # noqa: E402

from imagepeel.errors import UsageError  # noqa: E402
from imagepeel.process.bundle import runtime_spec  # noqa: E402

FILE = HERE / "observed_gvisor.json"
ENGINE = "runsc@2022.12"
TIMEOUT = 120
KEPT = ("argv", "cwd", "exe")


def why_not() -> str:
    """Why runsc cannot run here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("runsc") is None:
        return "runsc is not installed"
    words = subprocess.run(["runsc", "--version"], capture_output=True, text=True, timeout=TIMEOUT).stdout
    return "" if "20221219" in words else "expected texts are those of runsc 0.0~20221219.0"


def start(scenario: Scenario) -> dict[str, Any]:
    """Run one scenario to its end: exit code, text, and what the program says of itself."""
    if waits(scenario):
        return {"refused": WAITS}
    try:
        spec, _ = runtime_spec(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(ENGINE))
    except UsageError as error:
        return {"refused": short(error.what.split(": ", 1)[1])}
    top = Path(tempfile.mkdtemp(prefix="imagepeel-runsc-"))
    name = "imagepeel-" + uuid.uuid4().hex[:12]
    runsc = ["runsc", "--root", str(top / "state"), "--network=none"]
    try:
        top.chmod(0o755)
        runtimes.unpack(scenario.image(), top / "rootfs")
        (top / "config.json").write_text(json.dumps(spec, ensure_ascii=False), "utf-8", "surrogateescape")
        done = subprocess.run(
            [*runsc, "run", "-bundle", str(top), name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        subprocess.run([*runsc, "delete", "-force", name], capture_output=True, timeout=TIMEOUT, check=False)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    found: dict[str, Any] = {
        "exit": done.returncode,
        "text": runtimes.own_words(done.stderr.decode("utf-8", "surrogateescape")).strip(),
    }
    report = runtimes.parse_report(done.stdout.decode("utf-8", "surrogateescape"))
    if report is not None:
        found["report"] = {key: report[key] for key in KEPT}
    return short(found)  # type: ignore[no-any-return]


def main() -> None:
    reason = why_not()
    if reason:
        raise SystemExit(reason)
    wanted = set(sys.argv[1:])
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known |= {scenario.id: start(scenario) for scenario in SCENARIOS if scenario.id in wanted}
    order = [scenario.id for scenario in SCENARIOS if scenario.id in known]
    lines = [f" {json.dumps(name)}: {json.dumps(known[name], sort_keys=True)}" for name in order]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(order)} scenarios in {FILE.name}")


if __name__ == "__main__":
    main()
