"""What all rules together cost beside the scan that they stand on, in processor time.

    python benchmarks/rules.py ARCHIVE [ARCHIVE ...]

The start is predicted on five engines whatever the size of the image; that part is the same for every image and
weighs in small ones only.
"""

from __future__ import annotations

import sys
import time

import imagepeel
from imagepeel.findings import examine


def main(archives: list[str]) -> None:
    for name in archives:
        with imagepeel.open(name) as archive:
            image = archive.images()[0]
            started = time.process_time()
            image.scan()
            scanned = time.process_time()
            entries = sum(len(layer.entries) for layer in image.layers)
            prepared = time.process_time() if image.rootfs.refusal is None else scanned
            found = examine(image)
            done = time.process_time()
        scan, rules = scanned - started, done - prepared
        print(f"{name}: {entries:,} entries, {len(found)} findings")
        print(f"    scan {scan:.2f} s, rules {rules:.2f} s, ratio {rules / scan:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
