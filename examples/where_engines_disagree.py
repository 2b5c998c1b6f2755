"""List the paths that not all engines show alike.

python examples/where_engines_disagree.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        result = archive.image().views()
    for difference in result.differences:
        print(difference.path, ", ".join(difference.codes))
    print(f"{result.total} paths differ")


if __name__ == "__main__":
    main(sys.argv[1])
