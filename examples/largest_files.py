"""List the largest files below a directory of an image.

python examples/largest_files.py ARCHIVE [DIRECTORY]
"""

import sys

import imagepeel


def main(path: str, directory: str = "/") -> None:
    with imagepeel.open(path) as archive:
        usage = archive.image().du(directory, files=5)
    for file in usage.largest:
        print(f"{file.stored:>12}  {file.path}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
