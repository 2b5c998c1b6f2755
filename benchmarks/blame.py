"""What blame and log cost: a text of 1 MiB that each of 125 layers changes in a few lines, in many, and all over.

    python benchmarks/blame.py [--layers 125]

Prints one JSON object a text: CPU seconds to scan the layers, and of `blame` and `log` with patches after that.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import imagepeel
from imagepeel import forge

SIZE = 1 << 20
CHANGED = {"3 lines a layer": 3, "60 lines a layer": 60, "shuffled by each layer": 0}


def write(path: Path, layers: int, changed: int) -> None:
    chance = random.Random(3)
    lines = [b"server_name host%d.example.org; # a line of a configuration\n" % number for number in range(17_500)]
    made = []
    for version in range(layers):
        for _ in range(changed):
            lines[chance.randrange(len(lines))] = b"line %d of version %d\n" % (chance.randrange(10**9), version)
        if not changed:
            chance.shuffle(lines)
        made.append(forge.layer(forge.file("etc/x.conf", b"".join(lines)[:SIZE])))
    forge.write(forge.image(*made, names="blame:1"), path, kind="oci-archive", compression="none")


def measure(path: Path) -> dict[str, float | int | bool]:
    with imagepeel.open(path, cache=False) as archive:
        image = archive.image()
        times = [time.process_time()]
        image.scan()
        times.append(time.process_time())
        blamed = image.blame("/etc/x.conf")
        times.append(time.process_time())
        image.log("/etc/x.conf", patch=True)
        times.append(time.process_time())
    scan, blame, log = (round(end - start, 2) for start, end in pairwise(times))
    return {"scan_s": scan, "blame_s": blame, "log_s": log, "lines": len(blamed.lines), "exact": blamed.exact}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=125)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, changed in CHANGED.items():
            path = Path(folder) / "blame.tar"
            write(path, asked.layers, changed)
            print(json.dumps({"text": what, "layers": asked.layers, **measure(path)}), flush=True)


if __name__ == "__main__":
    main()
