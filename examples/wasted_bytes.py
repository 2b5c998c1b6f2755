"""Say how many bytes of an image nobody can ever see.

python examples/wasted_bytes.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        waste = archive.image().waste()
    print(f"{waste.unreachable} of {waste.files} bytes of files are unreachable")


if __name__ == "__main__":
    main(sys.argv[1])
