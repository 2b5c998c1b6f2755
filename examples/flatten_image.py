"""Write the filesystem of an image as one tar, the same bytes each time.

python examples/flatten_image.py ARCHIVE OUT
"""

import sys

import imagepeel


def main(path: str, out: str) -> None:
    with imagepeel.open(path) as archive:
        report = archive.image().flatten(out)
    print(report.sha256, out)


if __name__ == "__main__":
    main(*sys.argv[1:3])
