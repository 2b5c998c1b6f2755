"""The `/bin/sh` of images that imagepeel forges: no shell, but what `exec "$@"` in a script comes to.

It is told by its bytes.  It reads no script: it executes its second argument, without a search in PATH.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.process.wrappers.values import Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagepeel.rootfs.view import Rootfs

MOST_BYTES = 4096
"""Size of a file that can be that program."""


def stand_in(rootfs: Rootfs, final: bytes, argv: Sequence[str]) -> Wrapped | None:
    """Return what the forge's `sh` at a resolved path does with its arguments; None for any other program."""
    if len(argv) < 3 or argv[1].startswith("-") or "/" not in argv[2]:
        return None
    node = rootfs.resolve(final).node
    if node is None or not node.is_file or node.size > MOST_BYTES:
        return None
    from imagepeel.forge.programs import ARCHITECTURES, sh  # start time

    if rootfs.read(final, 0, node.size) not in {sh(architecture) for architecture in ARCHITECTURES}:
        return None
    why = "the forge's sh reads no script and becomes its second argument"
    return Wrapped(program="sh", family="imagepeel", kind="exec", argv=tuple(argv[2:]), lookup="execve", why=why)
