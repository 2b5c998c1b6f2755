"""The scenario corpus against real runtimes: every bundle is started by runc and crun, and nothing may differ.

Also: the same images through the whole reader, and our bundle against the one umoci writes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "unit" / "process")]

import runtimes  # noqa: E402
import userland  # noqa: E402
from compare import expectation, reality, short  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import BASE, RUNTIMES, Scenario, absent  # noqa: E402
from observe import observe_all  # noqa: E402

from imagepeel.forge import programs  # noqa: E402
from imagepeel.process.bundle import runtime_spec  # noqa: E402
from imagepeel.process.predict import predict  # noqa: E402
from imagepeel.process.spec.failure import Stage  # noqa: E402
from imagepeel.process.spec.options import ProcessOptions  # noqa: E402
from imagepeel.process.spec.process_spec import ProcessSpec  # noqa: E402
from imagepeel.process.spec.trace import execve  # noqa: E402
from imagepeel.process.spec.values import Prediction  # noqa: E402
from sampling import sample  # noqa: E402

RECORDED = json.loads((HERE.parent / "scenarios" / "observed.json").read_text())
RACES = dict.fromkeys(
    ["wrapper-setsid", "list-bash-process-output"],
    "whether the child says its lines before the container ends with its parent is a race",
)
STARTED = 120
"""Scenarios that each run starts on runc and crun."""
READ = 400
"""Scenarios that each run writes as an archive, which it reads; predictions alone are made of all."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`started`, `read` and `watched` are a sample of the corpus."""
    for name, things, most in (("started", SCENARIOS, STARTED), ("read", SCENARIOS, READ), ("watched", WATCHED, 40)):
        if name in metafunc.fixturenames:
            chosen = sample(metafunc.config, things, most)
            metafunc.parametrize(name, chosen, ids=[scenario.id for scenario in chosen])


@pytest.fixture(scope="module")
def real_starts(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """A sample of the scenarios started once, two at a time; what is not as recorded a second time.

    Programs of one container can lose a race on a loaded machine; a runtime that has changed does so both times.
    """
    reason = runtimes.why_not()
    if reason:
        pytest.skip(reason)
    chosen = sample(request.config, SCENARIOS, STARTED)
    found = observe_all(chosen)
    again = [one for one in chosen if one.id in found and _ended(found[one.id]) != _ended(RECORDED[one.id])]
    return found | observe_all(again)


def _ended(seen: dict[str, Any]) -> dict[str, Any]:
    """What each runtime did; how much a start had written that never ends is a question of time."""
    return {
        runtime: {key: value for key, value in one.items() if key not in ("text", "stdout")}
        if one.get("timed_out")
        else one
        for runtime, one in seen.items()
    }


@pytest.mark.judge
@pytest.mark.root
def test_the_runtimes_do_what_was_predicted(started: Scenario, real_starts: dict[str, dict[str, Any]]) -> None:
    if started.missing() or started.id in RACES:
        pytest.skip(started.missing() or RACES[started.id])
    for runtime in RUNTIMES:
        prediction = predict(FakeRootfs(started.entries), started.wanted(), started.start_options(runtime))
        assert reality(real_starts[started.id][runtime], prediction) == []


@pytest.mark.judge
@pytest.mark.root
def test_the_record_is_still_what_these_runtimes_do(real_starts: dict[str, dict[str, Any]]) -> None:
    changed = [
        name for name in real_starts if name not in RACES and _ended(real_starts[name]) != _ended(RECORDED[name])
    ]
    assert changed == []


@pytest.mark.judge
def test_the_whole_reader_predicts_the_same(read: Scenario, tmp_path: Path) -> None:
    if read.missing():
        pytest.skip(read.missing())
    path = tmp_path / "image.tar"
    forge.write(read.image(), path, kind="docker-archive")
    with imagepeel.open(path) as archive:
        image = archive.image()
        for runtime in RUNTIMES:
            prediction = predict(image.rootfs, image.config, read.start_options(runtime))
            assert expectation(read, runtime, prediction) == []
            assert reality(RECORDED[read.id][runtime], prediction) == []


UMOCI = [
    scenario
    for scenario in SCENARIOS
    if scenario.expect["runc@1.1"] == "RUNS"
    and not scenario.options
    and scenario.id.startswith(("argv-", "env-", "cwd-", "user-", "passwd-", "group-"))
]
# umoci takes ids with its own parser, in its own process: these are its differences, not ours.
UMOCI_DIFFERS = {
    "argv-empty-entrypoint-string": "umoci keeps the empty string as argv[0]; every engine drops it",
    "env-no-equals-unsets": "umoci refuses an entry without =",
    "env-no-equals-path": "umoci refuses an entry without =",
    "env-empty-entry": "umoci refuses an entry without =",
    "passwd-absolute-link": "umoci looks for the link's target on the host",
}


@pytest.mark.judge
@pytest.mark.parametrize("scenario", UMOCI, ids=lambda scenario: scenario.id)
def test_the_bundle_means_what_umoci_generates(scenario: Scenario, tmp_path: Path) -> None:
    if shutil.which("umoci") is None or os.geteuid() != 0:
        pytest.skip("needs umoci and root: without root umoci leaves the groups out")
    if UMOCI_DIFFERS.get(scenario.id):
        pytest.skip(UMOCI_DIFFERS[scenario.id])
    forge.write(scenario.image(), tmp_path / "layout", kind="oci-dir")
    command = ["umoci", "unpack", "--image", "layout:1", "bundle"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    theirs = json.loads((tmp_path / "bundle" / "config.json").read_text())["process"]
    options = scenario.start_options("docker@20.10")
    spec, _ = runtime_spec(FakeRootfs(scenario.entries), scenario.wanted(), options)
    ours = spec["process"]
    assert ours["args"] == theirs["args"]
    assert ours["cwd"] == theirs["cwd"]
    assert (ours["user"]["uid"], ours["user"]["gid"]) == (theirs["user"]["uid"], theirs["user"]["gid"])
    supplementary = set(ours["user"]["additionalGids"]) - {ours["user"]["gid"]}
    assert supplementary == set(theirs["user"].get("additionalGids") or ()) - {ours["user"]["gid"]}
    own = {"HOSTNAME", "TERM", "HOME"}  # what each adds by itself
    assert _mapping(ours["env"], own) == _mapping(theirs["env"], own)


def _mapping(entries: list[str], without: set[str]) -> dict[str, str]:
    pairs = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    return {name: short(value) for name, value in pairs.items() if name not in without}


# Calls that belong to no step of the trace, by scenario.
UNWATCHED = {
    "wrapper-setsid": "the child of setsid dies with the container, sooner or later",
    "chain-env-script-env": "this busybox runs its own env inside the shell",
    "script-user-zero": "the script asks id by a command substitution",
}
PREFIXES = ("chain-", "gosu", "tini", "env-program", "env-shebang", "wrapper-", "script-", "nesting")
NAMED_ALONE = {"shebang-crlf", "elf-loader-missing", "path-link", "tail-bash-simple", "tail-busybox-simple"}
WATCHED = [
    scenario
    for scenario in SCENARIOS
    if (scenario.id.startswith(PREFIXES) or scenario.id in NAMED_ALONE) and scenario.id not in UNWATCHED
]


@pytest.mark.judge
@pytest.mark.root
def test_every_execve_of_the_chain_was_predicted(watched: Scenario, tmp_path: Path) -> None:
    scenario = watched
    reason = runtimes.why_not() or scenario.missing() or ("" if shutil.which("strace") else "strace is not installed")
    if reason:
        pytest.skip(reason)
    tmp_path.chmod(0o755)
    spec, prediction = runtime_spec(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options("runc@1.1"))
    runtimes.unpack(scenario.image(), tmp_path / "rootfs")
    seen = runtimes.watch(tmp_path, spec)
    assert seen, "nothing was seen"
    predicted = [step.call for step in prediction.steps if step.rule == "S7" and step.call]
    # A wrapper or a shell looks for its command, and in the end may have found none.
    looks = bool(prediction.wrapped) or any(step.rule == Stage.PROGRAM for step in prediction.steps)
    for _, path, argv, errno in seen:
        if errno and looks:
            continue  # the walk through PATH: each miss is one call that fails
        call = execve(path, argv, 0).rsplit(", ", 1)[0]
        assert any(step.startswith(call + ", ") for step in predicted), (path, argv, errno, predicted)
    started = [path for _, path, _, errno in seen if not errno]
    if prediction.verdict.kind == "RUNS":
        assert len(started) == 1 + len(prediction.wrapped)
        one = [argv for first, _, argv, errno in seen if first and not errno][-1]
        assert prediction.pid1 is not None
        assert one[-1:] == list(prediction.pid1.argv[-1:])


WAIT = forge.file("bin/wait", programs.wait(), 0o755)
DEAF = forge.file("bin/deaf", programs.wait(hears_sigterm=False), 0o755)
STOPS: dict[str, tuple[tuple[forge.Entry, ...], list[str], bool]] = {
    "dash-waits": (userland.DASH, ["/bin/sh", "-c", "wait; /bin/wait"], False),
    "dash-child": (userland.DASH, ["/bin/sh", "-c", "/bin/wait"], False),
    "dash-exec": (userland.DASH, ["/bin/sh", "-c", "exec /bin/wait"], True),
    "bash-tail": (userland.BASH, ["/bin/bash", "-c", "/bin/wait"], True),
    "bash-not-last": (userland.BASH, ["/bin/bash", "-c", "/bin/wait; true"], False),
    "busybox-tail": (userland.BUSYBOX, ["/bin/sh", "-c", "/bin/wait"], True),
    "busybox-pipe": (userland.BUSYBOX, ["/bin/sh", "-c", "/bin/wait | cat"], False),
    "tini": (userland.TINI, ["tini", "--", "/bin/wait"], True),
    "tini-deaf-program": (userland.TINI, ["tini", "--", "/bin/deaf"], True),
    "program": ((), ["/bin/wait"], True),
    "deaf-program": ((), ["/bin/deaf"], False),
    "sleep": (userland.BUSYBOX, ["sleep", "60"], False),
}


@pytest.fixture(scope="module")
def signalled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Prediction, bool]]:
    """What was predicted of each, and whether it ended at the signal: four at a time, since they only wait."""

    if reason := runtimes.why_not():
        pytest.skip(reason)

    def stop(name: str) -> tuple[Prediction, bool]:
        entries, argv, ends = STOPS[name]
        tree, folder = (*BASE, WAIT, DEAF, *entries), tmp_path_factory.mktemp(name)
        folder.chmod(0o755)
        wanted = ProcessSpec(entrypoint=tuple(argv), architecture="amd64")
        spec, prediction = runtime_spec(FakeRootfs(tree), wanted, ProcessOptions(engine="runc@1.1"))
        runtimes.unpack(forge.image(forge.layer(*tree)), folder / "rootfs")
        return prediction, runtimes.stops(folder, spec, 8.0 if ends else 1.5)

    there = [name for name, (entries, *_) in STOPS.items() if not any(absent(entry.data) for entry in entries)]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(there, pool.map(stop, there), strict=True))


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.parametrize("name", STOPS)
def test_process_one_hears_the_signal_as_predicted(name: str, signalled: dict[str, tuple[Prediction, bool]]) -> None:
    entries, argv, ends = STOPS[name]
    reason = next((f"{p} is absent" for e in entries if (p := absent(e.data))), "")
    if reason:
        pytest.skip(reason)
    prediction, ended = signalled[name]
    assert ended is ends
    one = prediction.pid1
    assert one is not None
    said = {"yes": {True}, "no": {False}, "unknown": {True, False}}[one.hears_sigterm]
    assert ends in said
    if argv[0] in {"/bin/sh", "/bin/bash", "tini", "sleep"} and one.path not in {"/bin/wait", "/bin/deaf"}:
        assert one.hears_sigterm != "unknown"


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_command_line_writes_a_bundle_that_starts(runtime: str, tmp_path: Path) -> None:
    reason = runtimes.why_not()
    if reason:
        pytest.skip(reason)
    scenario = next(scenario for scenario in SCENARIOS if scenario.id == "user-04-app")
    forge.write(scenario.image(), tmp_path / "image.tar", kind="oci-archive", compression="zstd")
    bundle = tmp_path / "bundle"
    command = [sys.executable, "-m", "imagepeel", "bundle", "image.tar", str(bundle), "--rootfs", "--engine", runtime]
    done = subprocess.run(
        [*command, "--", "more", "words"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    for directory in (tmp_path, *tmp_path.parents):
        if str(directory).startswith("/tmp/pytest"):
            directory.chmod(0o755)
    found = runtimes.start(runtime, bundle, json.loads((bundle / "config.json").read_text()))
    report = runtimes.parse_report(found["stdout"])
    assert report is not None, found
    assert report["argv"] == ["/bin/report", "more", "words"]
    assert (report["uid"], report["gid"], report["groups"]) == (1234, 1234, [1234, 5555, 6666])
