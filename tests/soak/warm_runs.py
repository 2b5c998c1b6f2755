"""Run `imagepeel layers` many times over one image whose layers the index cache holds; any end but 0 fails.

    python tests/soak/warm_runs.py RUNS

The image has six layers of 12,000 entries, so that a warm run decodes several indexes at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imagepeel import forge


def main(runs: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.tar")
        layers = [forge.layer(*(forge.file(f"{k}/f{n}", b"") for n in range(12_000))) for k in range(6)]
        forge.write(forge.image(*layers), image)
        command = [sys.executable, "-m", "imagepeel", "layers", str(image)]
        environment = dict(os.environ, XDG_CACHE_HOME=str(Path(folder, "cache")))
        first = subprocess.run(command, env=environment, capture_output=True, check=True).stdout

        def once(_: int) -> int:
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            return done.returncode if done.returncode or done.stdout == first else 1000

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ended = Counter(pool.map(once, range(runs)))
    print(f"{ended.pop(0, 0)} of {runs} warm runs ended well" + "".join(f", {n} with {rc}" for rc, n in ended.items()))
    return 1 if ended else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
