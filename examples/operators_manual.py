"""Print The Container Operator's Manual of an image.

python examples/operators_manual.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        print(archive.image().operators_manual())


if __name__ == "__main__":
    main(sys.argv[1])
