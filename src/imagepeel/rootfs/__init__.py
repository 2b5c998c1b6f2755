"""The filesystem that a runtime will see: inodes, layer uppers, the overlay merge, path resolution, views.

`inode` and `resolve` know trees, `containerd` and `umoci` play extractors through, `columns` skips that for regular
layers, `overlay` merges as the kernel does, `view` joins them into a `Rootfs`.
"""

from imagepeel.rootfs.changes import Refusal
from imagepeel.rootfs.inode import Inode, Node
from imagepeel.rootfs.resolve import Hop, Resolution
from imagepeel.rootfs.view import VIEWS, Rootfs, build

__all__ = ["VIEWS", "Hop", "Inode", "Node", "Refusal", "Resolution", "Rootfs", "build"]
