"""Say which programs take an archive, under which name and ID.

python examples/who_loads_it.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        for image in archive:
            for answer in image.loadable():
                print(f"{answer.label}: {answer.outcome} {', '.join(answer.names)} {answer.id or answer.text}")


if __name__ == "__main__":
    main(sys.argv[1])
