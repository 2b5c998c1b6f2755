"""Random reads of a compressed layer: after the first pass, and in a later process that took the index from the cache.

    python benchmarks/reads.py ARCHIVE [--reads 60]

Prints one JSON object: CPU seconds to get ready, and milliseconds of CPU of 16 KiB reads at random files, in random
order.  A process that took the index from the cache has no access points inside a gzip member: its first read
inflates up to there and leaves points behind, which is told apart as `first`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def measure(archive: str, reads: int, cache: str, warm: bool) -> dict[str, Any]:
    import imagepeel

    start = time.process_time()
    with imagepeel.open(archive, cache=cache or False) as opened:
        image = opened.image()
        image.scan()
        ready = time.process_time() - start
        files = [
            (layer, entry) for layer in image.layers for entry in layer.entries if entry.kind == "file" and entry.size
        ]
        # Other files in the second process: those of the first were kept.
        random.Random(8 if warm else 7).shuffle(files)
        picked = files[:reads]
        if warm:
            # The last file of the largest layer: everything before it is inflated once.
            largest = max(image.layers, key=lambda layer: layer.content_size)
            last = max((item for item in files if item[0] is largest), key=lambda item: item[1].data_offset)
            picked = [last, *picked]
        times = []
        for layer, entry in picked:
            before = time.process_time()
            layer.open(entry).pread(0, 16 * 1024)
            times.append(1000 * (time.process_time() - before))
    out = {"ready_s": round(ready, 3)}
    if warm:
        out["first_ms"] = round(times.pop(0), 1)
    out["median_ms"], out["max_ms"] = round(statistics.median(times), 2), round(max(times), 2)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("--reads", type=int, default=60)
    parser.add_argument("--cache", default="", help=argparse.SUPPRESS)
    parser.add_argument("--warm", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cache:
        print(json.dumps(measure(options.archive, options.reads, options.cache, options.warm)))
        return
    with tempfile.TemporaryDirectory(prefix="imagepeel-bench-") as folder:
        # A file that changed within the last two seconds is not believed to be unchanged.
        time.sleep(max(0.0, Path(options.archive).stat().st_mtime + 3 - time.time()))
        out = {}
        for name, words in (("first_pass", []), ("from_cache", ["--warm"])):
            command = [
                sys.executable,
                __file__,
                options.archive,
                "--reads",
                str(options.reads),
                "--cache",
                folder,
                *words,
            ]
            out[name] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
