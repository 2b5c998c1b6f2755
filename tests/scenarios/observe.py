"""Record what the runtimes of this machine really do with every scenario: `observed.json` beside this file.

    python tests/scenarios/observe.py [SCENARIO ...]

Run it as root with Debian 12's runc and crun.  Nothing of imagepeel's prediction goes into the file but the bundle.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "process")]

import runtimes  # noqa: E402
from compare import short  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import Scenario  # noqa: E402

from imagepeel.errors import UsageError  # noqa: E402
from imagepeel.process.bundle import runtime_spec  # noqa: E402

FILE = HERE / "observed.json"


def observe(scenario: Scenario, runtime: str) -> dict[str, Any]:
    """Start one scenario for real and keep what matters."""
    try:
        spec, _ = runtime_spec(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(runtime))
    except UsageError as error:
        return {"refused": short(error.what.split(": ", 1)[1])}
    bundle = Path(tempfile.mkdtemp(prefix="imagepeel-bundle-"))
    try:
        bundle.chmod(0o755)
        runtimes.unpack(scenario.image(), bundle / "rootfs")
        found = runtimes.start(runtime, bundle, spec)
        found["text"] = found["text"].replace(str(bundle / "rootfs"), "<mount>")
    finally:
        shutil.rmtree(bundle, ignore_errors=True)
    report = runtimes.parse_report(found["stdout"])
    kept: dict[str, Any] = {"exit": found["exit"], "text": found["text"]}
    if found["timed_out"]:
        kept["timed_out"] = True
    if report is not None:
        kept["report"] = report
    return short(kept)  # type: ignore[no-any-return]


def observe_all(scenarios: list[Scenario]) -> dict[str, dict[str, Any]]:
    jobs = [(scenario, runtime) for scenario in scenarios for runtime in runtimes.RUNTIMES if not scenario.missing()]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: observe(*job), jobs))
    found: dict[str, dict[str, Any]] = {}
    for (scenario, runtime), result in zip(jobs, results, strict=True):
        found.setdefault(scenario.id, {})[runtime] = result
    return found


def main() -> None:
    reason = runtimes.why_not()
    if reason:
        raise SystemExit(reason)
    wanted = set(sys.argv[1:])
    known = json.loads(FILE.read_text()) if FILE.exists() and wanted else {}
    known |= observe_all([scenario for scenario in SCENARIOS if not wanted or scenario.id in wanted])
    order = [scenario.id for scenario in SCENARIOS if scenario.id in known]
    lines = [f" {json.dumps(name)}: {json.dumps(known[name], sort_keys=True)}" for name in order]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(order)} scenarios in {FILE.name}")


if __name__ == "__main__":
    main()
