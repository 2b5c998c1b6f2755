"""Measure imagepeel beside its peers, in one run, and print ratios of CPU time.

    python benchmarks/build.py /tmp/bench && python benchmarks/run.py /tmp/bench [--rounds 5] [--json]

The commands of a comparison run in turn (A B A B ...), so that a machine whose speed drifts does not favour one.
CPU is user plus system time of all processes of a command, memory the largest single process.  Quote the median
ratio; single seconds mean little on a shared machine.  A peer that is not installed is left out and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYTHON = shlex.quote(sys.executable)
HERE = Path(__file__).parent


def comparisons(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return (what, our command, name of the peer, its command)."""
    imagepeel = f"{PYTHON} -m imagepeel"

    def ours(command: str, *arguments: str) -> str:
        # Everything is read anew, except where the second look is what is measured.
        return " ".join((imagepeel, command, "--no-cache", *arguments))

    blob, image, many = (shlex.quote(str(folder / n)) for n in ("big.tar.gz", "big.oci.tar", "many.oci.tar"))
    many_layer = shlex.quote(str(folder / "many.tar"))
    pipeline = f"igzip -dc {blob} | openssl dgst -sha256"
    layout = tempfile.mkdtemp(prefix="imagepeel-bench-")
    unpack = (
        f"rm -rf {layout}/b && mkdir -p {layout}/l && tar -C {layout}/l -xf {image} && "
        f"umoci unpack --image {layout}/l:bench {layout}/b"
    )
    # The second look finds what one run before the measurement left in a cache of its own.
    second = f"XDG_CACHE_HOME={layout}/cache {imagepeel}"
    return [
        ("all digests, DiffIDs and the full index", ours("layers", image), "igzip | openssl", pipeline),
        ("explain, the whole story", ours("explain", image), "igzip | openssl", pipeline),
        ("list a gzip layer", ours("layers", image), "bsdtar -tvf", f"bsdtar -tvf {blob}"),
        ("list a gzip layer", ours("layers", image), "tarfile program", f"{PYTHON} {HERE / 'naive.py'} {blob}"),
        ("see the filesystem", ours("du", image), "umoci unpack", unpack),
        ("300,000 entries, index", ours("layers", many), "bsdtar -tvf", f"bsdtar -tvf {many_layer}"),
        *(
            (f"300,000 entries, {words[0]}", ours(words[0], many, *words[1:]), "layers", ours("layers", many))
            for words in (
                ("find", "'**/file-number-7*'"),
                ("du",),
                ("ls", "-R"),
                ("trace", "/opt/data/package-7/module-350/file-number-17500.txt"),
            )
        ),
        ("second look, layers", f"{second} layers {image}", "first look", ours("layers", image)),
        ("second look, process", f"{second} process {image}", "first look", ours("process", image)),
        ("second look, layers", f"{second} layers {image}", "imagepeel version", f"{imagepeel} version"),
    ]


def environment() -> dict[str, str]:
    """Return the environment of an installed program: compiled modules are kept, here outside the source tree."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "imagepeel-bench-pyc"), **env}


def measure(command: str) -> tuple[float, float, int]:
    """Run a shell command; return (CPU seconds, wall seconds, peak KiB of the largest process)."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - start, after.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="measure only comparisons whose text contains this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for what, ours, peer, theirs in comparisons(options.folder):
        if options.only not in f"{what} {peer}":
            continue
        if what.startswith("second look"):
            measure(ours)
        tool = theirs.split()[0]
        needed = ("igzip", "openssl") if "igzip" in theirs else ("umoci",) if "umoci" in theirs else (tool,)
        absent = [name for name in needed if shutil.which(shlex.split(name)[0]) is None]
        if absent:
            print(f"{what} / {peer}: {', '.join(absent)} is not installed", file=sys.stderr)
            continue
        pairs = [(measure(ours), measure(theirs)) for _ in range(options.rounds)]
        ratios = sorted(mine[0] / other[0] for mine, other in pairs)
        row = {
            "what": what,
            "peer": peer,
            "cpu_ratio_median": round(statistics.median(ratios), 3),
            "cpu_ratio_min": round(ratios[0], 3),
            "cpu_ratio_max": round(ratios[-1], 3),
            "cpu_ours": round(statistics.median(mine[0] for mine, _ in pairs), 2),
            "cpu_peer": round(statistics.median(other[0] for _, other in pairs), 2),
            "wall_ratio_median": round(statistics.median(mine[1] / other[1] for mine, other in pairs), 3),
        }
        rows.append(row)
        if not options.json:
            print(
                f"{what:42} / {peer:16} CPU {row['cpu_ratio_median']:6.3f}  ({row['cpu_ratio_min']:.3f} to "
                f"{row['cpu_ratio_max']:.3f})   {row['cpu_ours']:7.2f} s / {row['cpu_peer']:7.2f} s",
                flush=True,
            )
    memory = peak_memory(options.folder)
    reads = random_reads(options.folder)
    if options.json:
        found = {"machine": os.uname().machine, "comparisons": rows, "peak_kib": memory, "random_reads": reads}
        print(json.dumps(found, indent=2))
    else:
        for name, peak in memory.items():
            print(f"peak memory of layers {name}: {peak / 1024:.0f} MiB")
        for when, row in reads.items():
            first = f", the very first {row['first_ms']} ms" if "first_ms" in row else ""
            print(
                f"random reads of 16 KiB, {when.replace('_', ' ')}: ready after {row['ready_s']} s, "
                f"median {row['median_ms']} ms, worst {row['max_ms']} ms{first}"
            )


def random_reads(folder: Path) -> dict[str, dict[str, float]]:
    """Return what `reads.py` measures on the gzip layer."""
    command = [sys.executable, str(HERE / "reads.py"), str(folder / "big.oci.tar")]
    done = subprocess.run(command, capture_output=True, check=True)
    out: dict[str, dict[str, float]] = json.loads(done.stdout)
    return out


def peak_memory(folder: Path) -> dict[str, int]:
    """Return the peak memory in KiB of `layers` on each archive."""
    out = {}
    for name in ("big.oci.tar", "many.oci.tar"):
        # A process of its own for each, since RUSAGE_CHILDREN keeps the largest of all that ever ran.
        program = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        ours = [sys.executable, "-m", "imagepeel", "layers", "--no-cache", str(folder / name)]
        command = [sys.executable, "-c", program, *ours]
        out[name] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return out


if __name__ == "__main__":
    main()
