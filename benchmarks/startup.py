"""Count what starting costs, in instructions of a bare `python -c pass`, and print one table.

    python benchmarks/startup.py             # the table
    python benchmarks/startup.py --record    # the same, and benchmarks/instructions.json anew

Instructions do not depend on what else the machine does, so a ratio is the same on every run; valgrind (callgrind)
counts them, with hashes of strings fixed.  Each program runs once before, so that its bytecode is there.  The bounds
are promises of this project: the table says where one is broken.  What was recorded holds for the versions that stand
beside it; a test compares the same versions with it (tests/unit/cli/test_instructions.py).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RECORD = Path(__file__).parent / "instructions.json"
WHEELS = ("click", "msgspec", "typing_extensions", "zlib-ng")
"""What a small command loads beside the standard library; msgspec takes typing_extensions where it is installed."""

PROGRAMS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "python -c pass": (("-c", "pass"), None),
    "import imagepeel": (("-c", "import imagepeel"), 1.4),
    "imagepeel --help": (("-m", "imagepeel", "--help"), 5.5),
    "imagepeel --version": (("-m", "imagepeel", "--version"), None),
    "imagepeel process hello.tar": (("-m", "imagepeel", "process", "--no-cache", "hello.tar"), 10),
    "imagepeel explain hello.tar": (("-m", "imagepeel", "explain", "--no-cache", "hello.tar"), 13),
    "import click": (("-c", "import click"), None),
    "import msgspec": (("-c", "import msgspec"), None),
}
"""What is measured -> (the words behind `python`, the most that it may cost in units of the first)."""


def instructions(words: tuple[str, ...], folder: Path) -> int:
    """Return how many instructions Python needs with its bytecode at hand; `folder` has hello.tar."""
    # Nothing else of the environment: a variable that turns a tool on, as coverage has one, would be counted too.
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment = {**kept, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "LC_ALL": "C.UTF-8"}
    python = [sys.executable, *words]
    subprocess.run(python, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, *python], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or counted is None:
        raise RuntimeError(f"valgrind counted nothing:\n{done.stderr}")
    return int(counted[1])


def make_hello(folder: Path) -> None:
    """Write the image of `imagepeel forge hello` into a folder."""
    words = [sys.executable, "-m", "imagepeel", "forge", "hello", str(folder / "hello.tar")]
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def combination() -> dict[str, str]:
    """Return what the counts depend on: interpreter, libc, processor and the wheels that are loaded."""
    out = {"python": platform.python_version(), "libc": " ".join(platform.libc_ver()), "machine": platform.machine()}
    for name in WHEELS:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "absent"
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/instructions.json anew")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    counts: dict[str, int] = {}
    print(f"{'':<30}{'instructions':>14}{'ratio':>8}{'bound':>8}")
    with tempfile.TemporaryDirectory(prefix="imagepeel-bench-") as folder:
        make_hello(Path(folder))
        for name, (words, bound) in PROGRAMS.items():
            counts[name] = instructions(words, Path(folder))
            ratio = counts[name] / counts["python -c pass"]
            limit = "" if bound is None else f"{bound:>8.1f}" + ("" if ratio <= bound else "  over")
            print(f"{name:<30}{counts[name]:>14,}{ratio:>8.2f}{limit}", flush=True)
    if options.record:
        RECORD.write_text(json.dumps({"versions": combination(), "instructions": counts}, indent=2) + "\n")


if __name__ == "__main__":
    main()
