"""Open one small image a hundred times in one process, hash and scan it, and predict its start.

python benchmarks/library.py ARCHIVE
"""

from __future__ import annotations

import sys

import imagepeel

TIMES = 100


def main() -> None:
    for _ in range(TIMES):
        with imagepeel.open(sys.argv[1], cache=False) as archive:
            image = archive.image()
            image.scan()
            image.process()


if __name__ == "__main__":
    main()
