"""Say of every image archive in a folder which process it becomes, one line each.

python examples/audit_folder.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import imagepeel


def main(folder: str) -> None:
    for path in sorted(Path(folder).iterdir()):
        try:
            with imagepeel.open(path) as archive:
                for image in archive.images():
                    prediction = image.process()
                    name = image.name or image.id or "(no name)"
                    print(f"{path.name}: {name}: {prediction.verdict.kind} {list(prediction.argv)}")
        except imagepeel.ImagepeelError as error:
            print(f"{path.name}: {error.code}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
