"""Unpack the filesystem that a container would see, and say what was left out.

python examples/unpack.py ARCHIVE DIRECTORY
"""

import sys

import imagepeel


def main(path: str, directory: str) -> None:
    with imagepeel.open(path) as archive:
        print(archive.image().extract(directory))


if __name__ == "__main__":
    main(*sys.argv[1:3])
