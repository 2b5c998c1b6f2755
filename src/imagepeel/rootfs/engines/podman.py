"""How podman, CRI-O and buildah unpack a layer: containers/storage with its overlay driver.

Follows containers/storage pkg/archive `Unpack`, `createTarFileOrDir`, archive_linux.go `overlayWhiteoutConverter` and
drivers/overlay `create` as they behave (83cf574): Docker's extractor of before 2025 with changes of its own.
"""

from __future__ import annotations

from imagepeel.rootfs.engines.docker import UnpackRules
from imagepeel.rootfs.tree.inode import Inode

PODMAN = UnpackRules(
    skips_global=False,
    tolerates=("ENOTSUP",),
    ignores_xattrs=(b"security.selinux",),
    forgives_hidden=True,
    root_mode=0o555,
    applies_root=True,
)


def inherit_root(root: Inode, below: Inode | None) -> None:
    """Start a layer's own directory with the attributes of the layer below it: 0555 for the first one.

    The driver copies mode and owner when it creates a layer, so a `/` entry of any layer reaches the container.
    """
    root.mode = below.mode if below is not None else PODMAN.root_mode
    if below is not None:
        root.uid, root.gid = below.uid, below.gid
