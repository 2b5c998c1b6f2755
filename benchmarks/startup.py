"""Count what starting costs, in instructions of a bare `python -c pass`, and print one table.

    python benchmarks/startup.py

Instructions do not depend on what else the machine does, so a ratio is the same on every run; valgrind (callgrind)
counts them, with hashes of strings fixed.  Each program runs once before, so that its bytecode is there.  The bounds
are promises of this project: the table says where one is broken.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

_HELP = "import sys; from imagepeel.__main__ import main; sys.argv = ['imagepeel', {words}]; main()"

PROGRAMS: dict[str, tuple[str, float | None]] = {
    "python -c pass": ("pass", None),
    "import imagepeel": ("import imagepeel", 1.4),
    "imagepeel --help": (_HELP.format(words="'--help'"), 5.5),
    "imagepeel --version": (_HELP.format(words="'--version'"), None),
    "imagepeel process --help": (_HELP.format(words="'process', '--help'"), None),
    "import click": ("import click", None),
    "import msgspec": ("import msgspec", None),
    "imagepeel.open": ("import imagepeel; imagepeel.open", None),
}
"""What is measured -> (the program, the most that it may cost in units of the first)."""


def instructions(program: str) -> int:
    """Return how many instructions Python needs to run `program` with its bytecode at hand."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    python = [sys.executable, "-c", program]
    subprocess.run(python, env=environment, stdout=subprocess.DEVNULL, check=True)
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    said = subprocess.run([*valgrind, *python], env=environment, capture_output=True, text=True, check=True).stderr
    counted = re.search(r"Collected : (\d+)", said)
    if counted is None:
        raise SystemExit(f"valgrind counted nothing:\n{said}")
    return int(counted[1])


def main() -> None:
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    bare = 0
    print(f"{'':<26}{'instructions':>14}{'ratio':>8}{'bound':>8}")
    for name, (program, bound) in PROGRAMS.items():
        count = instructions(program)
        bare = bare or count
        ratio = count / bare
        limit = "" if bound is None else f"{bound:>8.1f}" + ("" if ratio <= bound else "  over")
        print(f"{name:<26}{count:>14,}{ratio:>8.2f}{limit}")


if __name__ == "__main__":
    main()
