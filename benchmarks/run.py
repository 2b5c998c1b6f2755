"""Measure imagepeel beside its peers in one run, and print one table: median, range, bar and verdict.

    python benchmarks/build.py /tmp/bench && python benchmarks/run.py /tmp/bench [--rounds 5]

Writes FOLDER/results.json, too.  Each round runs every command once, in turn, so that a machine whose speed drifts
favours none; a ratio is taken inside one round.  CPU is user plus system time of all processes of a command, memory the
largest single process.  Single seconds mean little on a shared machine.  A goal whose input or peer is absent is shown
as not measured, one that is missed as missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import library
import startup

PYTHON = shlex.quote(sys.executable)
HERE = Path(__file__).parent


class Goal(NamedTuple):
    """One line of the table: what a command may cost in units of another one, or alone."""

    what: str
    ours: str
    """A shell command."""
    peer: str
    """What it is held against; of a cost alone, its unit."""
    theirs: str
    """A shell command; "" where our cost counts alone."""
    bar: float
    needs: tuple[str, ...] = ()
    """Programs that have to be installed."""
    inputs: tuple[str, ...] = ()
    """Files of the folder that have to be there."""
    wall: bool = False
    """Whether our seconds on the clock are compared, with what the programs of the other take one after the other."""


class Cost(NamedTuple):
    """What one run of a command cost."""

    cpu: float
    """Seconds."""
    wall: float
    """Seconds."""
    memory: float
    """MiB of the largest process."""


def goals(folder: Path, scratch: Path) -> list[Goal]:
    """Return what is measured on the inputs of a folder."""
    imagepeel = f"{PYTHON} -m imagepeel"

    def ours(command: str, *arguments: str) -> str:
        # Everything is read anew, except where the second look is what is measured.
        return " ".join((imagepeel, command, "--no-cache", *arguments))

    def at(name: str) -> str:
        return shlex.quote(str(folder / name))

    big, pg, empty = at("big.oci.tar"), at("pg.oci.tar"), at("empty.oci.tar")
    # The second look finds what the warm-up left in a cache of its own.
    second = f"XDG_CACHE_HOME={scratch}/cache {imagepeel}"
    pipeline = "igzip -dc {} | openssl dgst -sha256"
    blobs = f"for blob in {at('pg-layers')}/*; do {pipeline.format('$blob')}; done"
    unpack = (
        f"rm -rf {scratch}/b {scratch}/l && mkdir -p {scratch}/l && tar -C {scratch}/l -xf {{}} && "
        f"umoci unpack --image {scratch}/l:bench {scratch}/b"
    )
    wide, every = at("wide.oci.tar"), f"for blob in {at('wide-layers')}/*; do {{}}; done"
    both = every.format(pipeline.format("$blob") + "; openssl dgst -sha256 $blob")
    named = folder / "deepest"
    deep = shlex.quote(named.read_text().strip()) if named.exists() else ""
    bare = f"{PYTHON} {HERE / 'bare.py'}"
    many = f"{PYTHON} {HERE / 'library.py'} {at('small.oci.tar')}"
    many_plain = f"{PYTHON} {HERE / 'library.py'} {at('plain.oci.tar')}"
    on_wide = ("wide.oci.tar",)
    on_big, on_pg, on_empty = ("big.oci.tar",), ("pg.oci.tar",), ("empty.oci.tar",)
    return [
        Goal("layers, one gzip layer", ours("layers", big), "igzip, openssl", pipeline.format(at("big.tar.gz")), 1.1,
             ("igzip", "openssl"), on_big),
        Goal("layers, one gzip layer", ours("layers", big), "zlib-ng and SHA-256 alone", f"{bare} {at('big.tar.gz')}",
             1.15, (), on_big),
        Goal("du, one gzip layer", ours("du", big), "umoci unpack", unpack.format(big), 0.1, ("umoci",), on_big),
        Goal("layers, five gzip layers", ours("layers", wide), "igzip, openssl, openssl of the blobs", both, 1,
             ("igzip", "openssl"), on_wide),
        Goal("layers, five gzip layers, wall", ours("layers", wide), "the same one after the other", both, 0.65,
             ("igzip", "openssl"), on_wide, wall=True),
        Goal("explain, five gzip layers", ours("explain", wide), "layers", ours("layers", wide), 1.05, (), on_wide),
        Goal("layers, five gzip layers", ours("layers", wide), "bsdtar -tvf",
             every.format("bsdtar -tvf $blob"), 1.1, ("bsdtar",), on_wide),
        Goal("layers, five gzip layers", ours("layers", wide), "umoci unpack", unpack.format(wide), 0.1,
             ("umoci",), on_wide),
        Goal("layers, five gzip layers", ours("layers", wide), "zlib-ng and SHA-256 alone",
             f"{bare} {at('wide-layers')}/*", 1.15, (), on_wide),
        Goal("layers, postgres", ours("layers", pg), "igzip, openssl", blobs, 1.1, ("igzip", "openssl"), on_pg),
        Goal("layers, postgres", ours("layers", pg), "zlib-ng and SHA-256 alone", f"{bare} {at('pg-layers')}/*", 1.25,
             (), on_pg),
        Goal("explain, postgres", ours("explain", pg), "layers", ours("layers", pg), 1.25, (), on_pg),
        Goal("wtf, postgres", ours("wtf", pg), "layers", ours("layers", pg), 1.2, (), on_pg),
        Goal("explain, postgres", ours("explain", pg), "MiB", "", 60, (), on_pg),
        Goal("layers, 1,000,000 empty files", ours("layers", empty), "bsdtar -tvf", f"bsdtar -tvf {at('empty.tar')}", 1,
             ("bsdtar",), on_empty),
        Goal("find, 1,000,000 empty files", ours("find", empty, "'**/file-number-7*'"), "layers",
             ours("layers", empty), 1.15, (), on_empty),
        Goal("explain, 1,000,000 empty files", ours("explain", empty), "layers", ours("layers", empty), 1.15, (),
             on_empty),
        Goal("layers, 1,000,000 empty files", ours("layers", empty), "MiB", "", 110, (), on_empty),
        Goal("wtf, 1,000,000 empty files", ours("wtf", empty), "MiB", "", 110, (), on_empty),
        Goal("second look, layers", f"{second} layers {big}", "CPU s", "", 0.15, (), on_big),
        Goal("second look, cat of the last small file", f"{second} cat {big} {deep}", "CPU s", "", 0.1, (),
             (*on_big, "deepest")),
        Goal("small plain images in one process", many_plain, "ms an image", "", 9, (), ("plain.oci.tar",)),
        Goal("small gzip images in one process", many, "zlib-ng and SHA-256 alone",
             f"{bare} --times {library.TIMES} {at('small.tar.gz')}", 1.4, (), ("small.oci.tar",)),
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Return the environment of an installed program: compiled modules are kept, here outside the source tree."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "imagepeel-bench-pyc"),
        **env,
    }


def measure(command: str) -> Cost:
    """Run a command, in a shell where it takes one, and return what it cost.

    RuntimeError with its last words when it fails.
    """
    words_of, settings = shlex.split(command), environment()
    while "=" in words_of[0]:
        name, _, value = words_of.pop(0).partition("=")
        settings[name] = value
    if set("|&;<>$*()") & set(command):
        words_of = ["bash", "-c", f"set -o pipefail; {command}"]
    with tempfile.TemporaryFile() as words:
        start = time.monotonic()
        process = subprocess.Popen(words_of, stdout=subprocess.DEVNULL, stderr=words, env=settings)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        if process.returncode:
            words.seek(0)
            raise RuntimeError(f"{command}: exit {process.returncode}: {words.read()[-500:].decode(errors='replace')}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


UNITS: dict[str, Callable[[Cost], float]] = {
    "MiB": lambda cost: cost.memory,
    "CPU s": lambda cost: cost.cpu,
    "ms an image": lambda cost: 1000 * cost.cpu / library.TIMES,
}


def _seconds(goal: Goal, cost: Cost) -> float:
    return cost.wall if goal.wall else cost.cpu


def absent(goal: Goal, folder: Path) -> str:
    """Return what a goal needs and is not here, "" when all is."""
    programs = [name for name in goal.needs if shutil.which(name) is None]
    return ", ".join(programs + [name for name in goal.inputs if not (folder / name).exists()])


def row(goal: Goal, values: list[float]) -> dict[str, object]:
    """Return a line of the table as JSON."""
    median = statistics.median(values)
    return {
        "what": goal.what,
        "beside": goal.peer,
        "median": round(median, 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
        "bar": goal.bar,
        "verdict": "met" if median <= goal.bar else "missed",
    }


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| what | beside, or unit | median | range | bar | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for found in rows:
        span = f"{found['least']} to {found['most']}" if "least" in found else ""
        lines.append(
            f"| {found['what']} | {found['beside']} | {found.get('median', '')} | {span} | {found['bar']} | "
            f"{found['verdict']} |"
        )
    return "\n".join(lines)


def in_instructions(folder: Path) -> list[dict[str, object]]:
    """Return what starts cost, which needs no rounds: instructions are the same each time."""
    if shutil.which("valgrind") is None:
        return []
    startup.make_hello(folder)
    bare = startup.instructions(startup.PROGRAMS["python -c pass"][0], folder)
    rows = []
    for name, (words, bar) in startup.PROGRAMS.items():
        if bar is not None:
            ratio = startup.instructions(words, folder) / bare
            rows.append(row(Goal(name, "", "instructions of python -c pass", "", bar), [ratio]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="measure only goals whose text contains this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagepeel-bench-") as name:
        chosen = [goal for goal in goals(options.folder, Path(name)) if options.only in f"{goal.what} {goal.peer}"]
        here = [goal for goal in chosen if not absent(goal, options.folder)]
        commands = list(dict.fromkeys(words for goal in here for words in (goal.theirs, goal.ours) if words))
        rounds: list[dict[str, Cost]] = []
        for number in range(options.rounds + 1):
            costs = {words: measure(words) for words in commands}
            if number:
                # The first compiles modules, fills the cache and brings the inputs into memory.
                rounds.append(costs)
        rows = []
        for goal in chosen:
            if goal not in here:
                lacks = f"not measured: no {absent(goal, options.folder)}"
                rows.append(
                    {
                        "what": goal.what,
                        "beside": goal.peer,
                        "bar": goal.bar,
                        "verdict": lacks,
                    }
                )
            elif goal.theirs:
                rows.append(
                    row(
                        goal,
                        [_seconds(goal, costs[goal.ours]) / costs[goal.theirs].cpu for costs in rounds],
                    )
                )
            else:
                rows.append(row(goal, [UNITS[goal.peer](costs[goal.ours]) for costs in rounds]))
        if not options.only:
            rows += in_instructions(Path(name))
    load = os.getloadavg()[0]
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, load {load:.0f} at the end",
        "rounds": options.rounds,
        "versions": startup.combination(),
    }
    print(table(rows))
    print(f"\n{about['date']}, {about['machine']}, {options.rounds} rounds, {about['versions']}")
    (options.folder / "results.json").write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
