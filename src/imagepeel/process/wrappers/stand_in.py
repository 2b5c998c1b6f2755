"""The `/bin/sh` of images that imagepeel forges: no shell, but what `exec "$@"` in a script comes to.

It is told by its bytes.  It reads no script: it executes its second argument, without a search in PATH.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from imagepeel.process.wrappers.values import Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagepeel.rootfs.view import Rootfs

PROGRAMS = {
    408: "f33b85a59e7faabe230f64834d2ebea864bb272e731be208a275e2840ed985f5",
    403: "1daee862ea5ac3c4fa40c02f587d101b4e3f3782438b7d1632b846208484de79",
}
"""Size and SHA-256 of that program for amd64 and arm64; a test makes them anew."""


def stand_in(rootfs: Rootfs, final: bytes, argv: Sequence[str]) -> Wrapped | None:
    """Return what the forge's `sh` at a resolved path does with its arguments; None for any other program."""
    if len(argv) < 3 or argv[1].startswith("-") or "/" not in argv[2]:
        return None
    node = rootfs.resolve(final).node
    if node is None or not node.is_file or node.size not in PROGRAMS:
        return None
    if hashlib.sha256(rootfs.read(final, 0, node.size)).hexdigest() != PROGRAMS[node.size]:
        return None
    why = "the forge's sh reads no script and becomes its second argument"
    return Wrapped(program="sh", family="imagepeel", kind="exec", argv=tuple(argv[2:]), lookup="execve", why=why)
