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
    ours = f"{PYTHON} -m imagepeel"
    blob, image, many = (shlex.quote(str(folder / n)) for n in ("big.tar.gz", "big.oci.tar", "many.oci.tar"))
    many_layer = shlex.quote(str(folder / "many.tar"))
    pipeline = f"igzip -dc {blob} | openssl dgst -sha256"
    layout = tempfile.mkdtemp(prefix="imagepeel-bench-")
    unpack = (
        f"rm -rf {layout}/b && mkdir -p {layout}/l && tar -C {layout}/l -xf {image} && "
        f"umoci unpack --image {layout}/l:bench {layout}/b"
    )
    return [
        ("all digests, DiffIDs and the full index", f"{ours} layers {image}", "igzip | openssl", pipeline),
        ("explain, the whole story", f"{ours} explain {image}", "igzip | openssl", pipeline),
        ("list a gzip layer", f"{ours} layers {image}", "bsdtar -tvf", f"bsdtar -tvf {blob}"),
        ("list a gzip layer", f"{ours} layers {image}", "tarfile program", f"{PYTHON} {HERE / 'naive.py'} {blob}"),
        ("see the filesystem", f"{ours} du {image}", "umoci unpack", unpack),
        ("300,000 entries, index", f"{ours} layers {many}", "bsdtar -tvf", f"bsdtar -tvf {many_layer}"),
        ("300,000 entries, find", f"{ours} find {many} '**/file-number-7*'", "layers", f"{ours} layers {many}"),
    ]


def measure(command: str) -> tuple[float, float, int]:
    """Run a shell command; return (CPU seconds, wall seconds, peak KiB of the largest process)."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True)
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
    if options.json:
        print(json.dumps({"machine": os.uname().machine, "comparisons": rows, "peak_kib": memory}, indent=2))
    else:
        for name, peak in memory.items():
            print(f"peak memory of layers {name}: {peak / 1024:.0f} MiB")


def peak_memory(folder: Path) -> dict[str, int]:
    """Return the peak memory in KiB of `layers` on each archive."""
    out = {}
    for name in ("big.oci.tar", "many.oci.tar"):
        # A process of its own for each, since RUSAGE_CHILDREN keeps the largest of all that ever ran.
        program = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        command = [sys.executable, "-c", program, sys.executable, "-m", "imagepeel", "layers", str(folder / name)]
        out[name] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return out


if __name__ == "__main__":
    main()
