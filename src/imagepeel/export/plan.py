"""What is to be written, known before the first byte is: the tree in groups that each have their own best order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import MissingBlob
from imagepeel.evidence import Name, text
from imagepeel.export.report import Omissions

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

Item = tuple[bytes, "Inode"]


class Plan:
    """The names of a tree.  Paths are relative to the root, without a leading slash.

    directories: parents first.  files: sorted by (layer, entry), the order of their bytes in the image, so that each
    layer is decompressed once.  links: (new name, name that exists by then).  others: symlinks, fifos, devices.
    """

    def __init__(self, root: Inode) -> None:
        self.root = root
        self.top: set[bytes] = set()
        """Names in the root directory."""
        self.directories: list[Item] = []
        self.files: list[Item] = []
        self.links: list[tuple[bytes, bytes]] = []
        self.others: list[Item] = []
        self.bytes = 0
        """Content that takes space: holes of sparse files are left out."""
        self.symlinks = 0
        self.devices = 0
        self.fifos = 0

    def paths(self) -> list[bytes]:
        """Return every name that will be created."""
        items = (self.directories, self.files, self.others)
        return [path for group in items for path, _ in group] + [path for path, _ in self.links]


def make_plan(rootfs: Rootfs, omissions: Omissions, *, preserve: bool, top: Name = b"/") -> Plan:
    """Walk a view once from the directory `top` and sort what is there; links on the way to it are followed.

    What has no place on disk is noted in `omissions`.  NotFound when there is no such directory.
    """
    rootfs.merged(top)
    walk = rootfs.walk(top)
    base, root = next(walk)
    plan = Plan(root)
    first: dict[int, bytes] = {}
    for absolute, node in walk:
        path, kind = absolute[len(base.rstrip(b"/")) + 1 :], node.kind
        if b"/" not in path:
            plan.top.add(path)
        if kind == "dir":
            plan.directories.append((path, node))
            continue
        if kind == "ghost":
            omissions.add("ghost names (listed by overlayfs, but not there)", text(absolute))
            continue
        if kind in ("char", "block") and not preserve:
            omissions.add("device nodes", text(absolute))
            continue
        if node.nlink > 1:
            # A link count may include names that a later layer hides: only equal inodes are links.
            known = first.setdefault(node.ino, path)
            if known is not path:
                plan.links.append((path, known))
                continue
        if kind == "file":
            if node.layer is None or node.entry is None:
                raise MissingBlob("the bytes of a file are not in this archive", rootfs.location(node))
            plan.files.append((path, node))
            plan.bytes += stored_bytes(rootfs, node)
            continue
        plan.others.append((path, node))
        if kind == "symlink":
            plan.symlinks += 1
        elif kind == "fifo":
            plan.fifos += 1
        else:
            plan.devices += 1
    plan.files.sort(key=_place)
    return plan


def _place(item: Item) -> tuple[int, int]:
    node = item[1]
    assert node.layer is not None and node.entry is not None
    return node.layer, node.entry


def regions(rootfs: Rootfs, node: Inode) -> tuple[tuple[int, int], ...] | None:
    """Return the (offset, length) pieces of a sparse file that have content, None for an ordinary file."""
    assert node.layer is not None and node.entry is not None
    extra = rootfs.layers[node.layer].table.extras.get(node.entry)
    return None if extra is None or extra.sparse is None else tuple(extra.sparse)


def stored_bytes(rootfs: Rootfs, node: Inode) -> int:
    """Return how many bytes of a file are content and not hole."""
    pieces = regions(rootfs, node)
    return node.size if pieces is None else sum(length for _, length in pieces)
