"""Say which layers added, changed, hid or removed a path.

python examples/life_of_a_path.py ARCHIVE PATH
"""

import sys

import imagepeel


def main(archive_path: str, path: str) -> None:
    with imagepeel.open(archive_path) as archive:
        result = archive.image().trace(path)
    for life in result.lives:
        for event in life.events:
            print(f"{life.path}: {event.kind} by {event.label}: {event.created_by}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
