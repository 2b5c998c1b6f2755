"""List the packages of an image with the layer that brought each; what a later layer removed is marked.

python examples/list_packages.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        found = archive.image().packages()
    for package in found.packages:
        mark = " " if package.installed else "-"
        print(f"{mark} L{package.layer + 1} {package.purl} {package.content + package.hidden} bytes")
    if not found.packages:
        print("no package database that we know was found")


if __name__ == "__main__":
    main(sys.argv[1])
