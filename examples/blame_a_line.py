"""Say which layer brought each line of a file, and how the file changed from layer to layer.

python examples/blame_a_line.py ARCHIVE PATH
"""

import sys

import imagepeel


def main(archive_path: str, path: str) -> None:
    with imagepeel.open(archive_path) as archive:
        image = archive.image()
        blamed = image.blame(path)
        versions = image.log(path, patch=True).versions
    for line in blamed.lines:
        print(line.label, blamed.versions[line.version].created[:10], line.text)
    for version in versions:
        print(version.label, version.kind, f"+{version.added} -{version.removed}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
