"""List the paths in which two images differ; exit code 1 where they do, 3 where that cannot be known.

python examples/compare_images.py ARCHIVE OTHER
"""

import sys

import imagepeel


def main(path: str, other: str) -> int:
    with imagepeel.open(path) as one, imagepeel.open(other) as two:
        result = one.image().diff(two.image())
    for change in result.paths:
        print(change.kind, change.path)
    return 3 if result.different is None else int(result.different)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
