"""The kinds of archives: one module each, and one line each in `KINDS`.

To add a kind, write a module here with a `Kind` value (`kind.py` says what each field is for) and add it to `KINDS`.
Its place there matters: the first kind that recognises an archive has it.  Opening, `imagepeel images`, the story, the
receipts and the table in `docs/reference/archive-kinds.md` take all that they need from the value.
"""

from __future__ import annotations

from imagepeel.archive.kinds import (
    cut_save,
    dir,
    docker_archive,
    docker_v1,
    hybrid,
    layer,
    oci_layout,
    rootfs,
    tar,
    windows_layer,
)
from imagepeel.archive.kinds.kind import Kind

KINDS: tuple[Kind, ...] = (
    hybrid.KIND,
    oci_layout.KIND,
    dir.KIND,
    docker_archive.KIND,
    cut_save.KIND,
    docker_v1.KIND,
    windows_layer.KIND,
    layer.KIND,
    rootfs.KIND,
    tar.KIND,
)
"""Every kind, in the order in which they are asked whether an archive is theirs."""

DOCUMENTS = frozenset(name for kind in KINDS for name in kind.roles)
"""The names of all documents that a kind reads."""
