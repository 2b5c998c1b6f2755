"""Print the Dockerfile of an image as far as its history tells it.

python examples/rebuild_dockerfile.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        print(archive.image().dockerfile())


if __name__ == "__main__":
    main(sys.argv[1])
