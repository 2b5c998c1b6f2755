"""Starts scenarios on whole engines of this machine: dockerd 20.10, podman 4.3 and ctr 1.6 of Debian 12.

    python tests/scenarios/engines.py [SCENARIO ...]     records observed_engines.json

dockerd gets a data root of its own in a temporary directory and no network; ctr uses the containerd below it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import runtimes  # noqa: E402
from compare import engine_text, short  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from model import WAITS, Scenario, waits  # noqa: E402

from dockerd import TIMEOUT, Dockerd, lacks  # noqa: E402
from imagepeel import forge  # noqa: E402

FILE = HERE / "observed_engines.json"
ENGINES = ("docker@20.10", "podman@4.3", "containerd@1.6")
_ID = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b")


def why_not() -> str:
    """Why the engines cannot run here; empty when they can."""
    return lacks({"dockerd": "20.10", "podman": "4.3", "ctr": "1.6", "runc": "1.1"})


class Engines(Dockerd):
    """The three engines with storage of their own; `close` ends what was started and removes everything."""

    @staticmethod
    def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    def start(self, scenario: Scenario, engine: str) -> dict[str, Any]:
        """Run one scenario on one engine: exit code, text, the container's recorded exit code, report."""
        if waits(scenario):
            return {"refused": WAITS}
        name = "s-" + re.sub(r"[^a-z0-9]+", "-", scenario.id.lower()).strip("-")
        reference = f"localhost/{name}:1"
        spec = scenario.image(reference)
        archive = self.top / f"{name}-{engine.partition('@')[0]}.tar"
        forge.write(spec, archive, kind="docker-archive")
        try:
            if engine.startswith("docker"):
                return self._docker(scenario, archive, reference, name)
            if engine.startswith("podman"):
                return self._podman(scenario, archive, reference, name)
            return self._ctr(scenario, archive, reference, name)
        finally:
            archive.unlink()

    @staticmethod
    def _flags(scenario: Scenario, *, ctr: bool = False) -> tuple[list[str], list[str]]:
        given = scenario.options
        flags = []
        for value in given.get("env", ()):
            flags += ["--env", value]
        if "user" in given:
            flags += ["--user", given["user"]]
        if "workdir" in given:
            flags += ["--cwd" if ctr else "--workdir", given["workdir"]]
        for value in given.get("cap_drop", ()):
            flags += ["--cap-drop", f"CAP_{value.upper()}" if ctr else value]
        for value in given.get("cap_add", ()):
            flags += ["--cap-add", f"CAP_{value.upper()}" if ctr else value]
        if given.get("read_only"):
            flags += ["--read-only"]
        if given.get("no_new_privileges") and not ctr:
            flags += ["--security-opt", "no-new-privileges"]
        arguments = list(given.get("args", ()))
        if "entrypoint" in given:
            flags += ["--entrypoint", given["entrypoint"][0]]
        return flags, arguments

    @staticmethod
    def _result(done: subprocess.CompletedProcess[bytes], state: int | None) -> dict[str, Any]:
        out = done.stdout.decode("utf-8", "surrogateescape")
        found: dict[str, Any] = {
            "exit": done.returncode,
            "text": engine_text(_ID.sub("ID", runtimes.own_words(done.stderr.decode("utf-8", "surrogateescape")))),
        }
        if state is not None:
            found["state"] = state
        report = runtimes.parse_report(out)
        if report is not None:
            report["env"] = sorted(_ID.sub("ID", entry) for entry in report["env"])
            found["report"] = report
        return short(found)  # type: ignore[no-any-return]

    def _docker(self, scenario: Scenario, archive: Path, reference: str, name: str) -> dict[str, Any]:
        docker = self.docker
        loaded = self._run([*docker, "load", "-q", "-i", str(archive)])
        if loaded.returncode:
            return {"refused": loaded.stderr.decode(errors="replace").strip()}
        flags, arguments = self._flags(scenario)
        done = self._run([*docker, "run", "--name", name, "--network", "none", *flags, reference, *arguments])
        inspected = self._run([*docker, "inspect", "-f", "{{.State.ExitCode}}", name])
        state = int(inspected.stdout) if inspected.returncode == 0 else None
        self._run([*docker, "rm", "-f", "-v", name])
        self._run([*docker, "rmi", "-f", reference])
        return self._result(done, state)

    def _podman(self, scenario: Scenario, archive: Path, reference: str, name: str) -> dict[str, Any]:
        podman = [
            "podman", "--root", f"{self.top}/podman", "--runroot", f"{self.top}/podman-run", "--cgroup-manager",
            "cgroupfs", "--runtime", "runc", "--storage-driver", "overlay",
        ]  # fmt: skip
        loaded = self._run([*podman, "load", "-q", "-i", str(archive)])
        if loaded.returncode:
            return {"refused": loaded.stderr.decode(errors="replace").strip()}
        flags, arguments = self._flags(scenario)
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        done = self._run([*podman, "run", "--name", name, "--network", "none", *limits, *flags, reference, *arguments])
        self._run([*podman, "rm", "-f", "-v", "-t", "0", name])
        self._run([*podman, "rmi", "-f", reference])
        return self._result(done, None)

    def _ctr(self, scenario: Scenario, archive: Path, reference: str, name: str) -> dict[str, Any]:
        ctr = self.ctr
        if {"entrypoint", "user"} & set(scenario.options) or "ALL" in scenario.options.get("cap_drop", ()):
            return {"refused": "ctr has no option for entrypoint or user and no capability called ALL"}
        if scenario.options.get("no_new_privileges") is False or not scenario.options.get("args", True):
            return {"refused": "ctr cannot be told that"}
        loaded = self._run([*ctr, "images", "import", str(archive)])
        if loaded.returncode:
            return {"refused": loaded.stderr.decode(errors="replace").strip()}
        flags, arguments = self._flags(scenario, ctr=True)
        try:
            done = self._run([*ctr, "run", "--rm", *flags, reference, name, *arguments])
        except subprocess.TimeoutExpired as waiting:
            if not (waiting.stderr or b"").endswith(b"Password: "):
                raise
            return {"refused": "ctr never ends the standard input of a container: who asks for a password waits"}
        finally:
            self._run([*ctr, "tasks", "delete", "--force", name])
            self._run([*ctr, "containers", "delete", name])
            self._run([*ctr, "images", "rm", "--sync", reference])
        return self._result(done, None)


def observe_all(scenarios: list[Scenario]) -> dict[str, dict[str, Any]]:
    """Start every scenario on every engine, two at a time."""
    engines = Engines()
    try:
        with ThreadPoolExecutor(2) as pool:
            jobs = [(scenario, engine) for scenario in scenarios for engine in ENGINES if not scenario.missing()]
            results = list(pool.map(lambda job: engines.start(*job), jobs))
    finally:
        engines.close()
    found: dict[str, dict[str, Any]] = {}
    for (scenario, engine), result in zip(jobs, results, strict=True):
        found.setdefault(scenario.id, {})[engine] = result
    return found


def main() -> None:
    reason = why_not()
    if reason:
        raise SystemExit(reason)
    wanted = set(sys.argv[1:])
    known = json.loads(FILE.read_text()) if FILE.exists() and wanted else {}
    chosen = [scenario for scenario in SCENARIOS if not wanted or scenario.id in wanted]
    known |= observe_all(chosen)
    order = [scenario.id for scenario in SCENARIOS if scenario.id in known]
    lines = [f" {json.dumps(name)}: {json.dumps(known[name], sort_keys=True)}" for name in order]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(order)} scenarios in {FILE.name}")


if __name__ == "__main__":
    main()
