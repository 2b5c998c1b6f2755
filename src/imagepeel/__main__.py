"""The `imagepeel` command, and `python -m imagepeel`."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

from imagepeel.errors import INTERRUPTED

MOST_NEW_OBJECTS = 100_000
"""Objects made before Python looks among them for unused cycles; it looks every 700 by default."""


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code.

    A command makes tens of thousands of objects when it loads, and they live until it ends: to look among them for
    cycles, again and again and once more at the end, would be a tenth of what a small image costs.
    """
    gc.set_threshold(MOST_NEW_OBJECTS)
    try:
        from imagepeel.cli import cli  # start time

        cli.main()
    except KeyboardInterrupt:
        # Before the command line is loaded, or behind it: what it did until then is whole.
        sys.stderr.write("interrupted\n")
        raise SystemExit(INTERRUPTED) from None
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
