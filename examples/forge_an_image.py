"""Make an image of one file, without Docker.

python examples/forge_an_image.py OUT
"""

import sys

from imagepeel import forge
from imagepeel.forge import programs


def main(out: str) -> None:
    hello = forge.file("hello", programs.hello(architecture=programs.machine()), 0o755)
    spec = forge.image(forge.layer(hello), entrypoint=["/hello"], names="mine:1", architecture=programs.machine())
    print(forge.write(spec, out))


if __name__ == "__main__":
    main(sys.argv[1])
