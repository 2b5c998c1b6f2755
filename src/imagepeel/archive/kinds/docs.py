"""The page `docs/reference/archive-kinds.md`, made of the registry.

`python -m imagepeel.archive.kinds.docs > docs/reference/archive-kinds.md` writes it anew.
"""

from __future__ import annotations

import sys

from imagepeel.archive.kinds import KINDS

_INTRO = """# Kinds of archives

This page is made from the registry: `python -m imagepeel.archive.kinds.docs > docs/reference/archive-kinds.md`.

The content of an archive decides what it is; its name and extension never do.  The kinds are asked in this order, and
the first that recognises an archive has it.  Each may be a tar, plain or compressed (gzip, zstd, bzip2, xz; up to
twice), and those with documents a directory too.  The image may lie one level down, in a directory of the archive.

| kind | what it is | recognised by | written by |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    rows = (f"| `{kind.name}` | {kind.label} | {kind.told_by} | {kind.written_by} |\n" for kind in KINDS)
    return _INTRO + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
