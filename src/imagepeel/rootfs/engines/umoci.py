"""How umoci unpacks an image into one directory: the nearest to the words of the image-spec, our `spec` view.

Follows oci/layer/tar_extract.go `UnpackEntry` as it behaves (umoci f5d1219, after 0.6.0): whiteouts touch only what
lower layers brought, directories keep the times that entries gave them, parents that are no directory are replaced.
Image-spec layer.md, "Applying Changesets".
"""

from __future__ import annotations

from imagepeel.evidence import text
from imagepeel.formats.tar.header import DIRECTORY, HARDLINK
from imagepeel.formats.tar.table import Entry
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal, Refused, go_clean, run
from imagepeel.rootfs.tree.inode import PATH_MAX, Errno, Inode, Tree, show
from imagepeel.rootfs.tree.metadata import KIND, inode_at, owner, settable

Path = tuple[bytes, ...]
_IGNORED_XATTRS = frozenset((b"security.selinux",))


def unpack_layer(tree: Tree, layer: LayerEntries, *, lenient: bool = False) -> Refusal | None:
    """Apply one layer onto the merged `tree`; return why umoci would refuse it, None when it would not."""
    return run(layer, _Unpack(tree, layer.index).entry, lenient=lenient)


class _Unpack:
    def __init__(self, tree: Tree, layer: int) -> None:
        self.tree = tree
        self.layer = layer
        self.upper: set[Path] = set()

    def entry(self, entry: Entry) -> None:
        tree = self.tree
        name = tuple(go_clean(b"/" + entry.raw_name))
        if sum(map(len, name)) + len(name) >= PATH_MAX:
            raise Refused(f"unpack entry: {text(entry.raw_name)}: file name too long")
        if not name:
            if entry.type != DIRECTORY:
                what = "malicious tar entry -- refusing to change type of root directory"
                raise Refused(f"unpack entry: {text(entry.raw_name)}: {what}")
            self.metadata(entry, tree.root, ())
            return
        try:
            self.place(entry, name)
        except Errno as error:
            raise Refused(f"unpack entry: {text(b'/'.join(name))}: {error}") from error

    def place(self, entry: Entry, name: Path) -> None:
        tree = self.tree
        base = name[-1]
        parent = tree.resolve(name[:-1])
        before = self.state(parent)
        if base.startswith(PREFIX):
            if base == PREFIX:
                what = f"invalid whiteout with empty name: {show(name)}"
                raise Refused(f"unpack entry: {text(b'/'.join(name))}: {what}")
            if base != OPAQUE and base[4:] in (b".", b".."):
                self.whiteout_of_parent(name, parent)
                return
            self.whiteout(parent, base)
            self.restore(parent, before)
            return
        path = (*parent, base)
        tree.make_dirs(parent, replace=True)
        try:
            existing = tree.lstat(path)
        except Errno:
            existing = None
        is_dir = existing.kind == "dir" if existing is not None else entry.type == DIRECTORY
        if not (is_dir and entry.type == DIRECTORY):
            tree.remove_all(path)
            existing = None
        node = self.create(entry, path, existing)
        if entry.type != HARDLINK:
            self.metadata(entry, node, path)
        self.restore(parent, before)
        for depth in range(1, len(path) + 1):
            self.upper.add(path[:depth])

    def state(self, path: Path) -> tuple[int, int, int, tuple[int, int] | None] | None:
        """Remember the metadata of an existing parent, which umoci puts back after each entry."""
        try:
            node = self.tree.lstat(path)
        except Errno:
            return None
        return None if node is None else (node.mode, node.uid, node.gid, node.mtime)

    def restore(self, path: Path, before: tuple[int, int, int, tuple[int, int] | None] | None) -> None:
        node = self.tree.exists_dir(path)
        if before is not None and node is not None:
            node.mode, node.uid, node.gid, node.mtime = before

    def whiteout(self, parent: Path, base: bytes) -> None:
        tree = self.tree
        opaque = base == OPAQUE
        path = parent if opaque else (*parent, base[4:])
        try:
            node = tree.lstat(path)
        except Errno as error:
            if error.name == "ENOTDIR":
                return
            raise
        if node is None:
            return
        for here, _ in list(tree.walk(node, path)):
            if here not in self.upper and not (opaque and here == path):
                self.remove(here)

    def whiteout_of_parent(self, name: Path, parent: Path) -> None:
        """Apply `.wh..` or `.wh...`, which name the directory that they lie in, or that above it.

        What this layer brought stays; without its directory, putting back the owner of that ends the layer.
        """
        above = parent if name[-1] == PREFIX + b"." else parent[:-1]
        node = self.tree.exists_dir(above)
        if self.state(parent) is None or node is None:
            return
        if above not in self.upper or parent not in self.upper:
            call = f"restore chown metadata: {show(parent)}: lchown {show(parent)}: no such file or directory"
            raise Refused(f"unpack entry: {text(b'/'.join(name))}: restore parent directory: {call}")
        for here, _ in list(self.tree.walk(node, above)):
            if here not in self.upper:
                self.remove(here)

    def remove(self, path: Path) -> None:
        try:
            self.tree.remove_all(path)
        except Errno:
            return  # its parent went before it

    def create(self, entry: Entry, path: Path, existing: Inode | None) -> Inode:
        tree = self.tree
        kind = entry.type
        if kind == HARDLINK:
            name = tuple(go_clean(b"/" + entry.link))
            target = (*tree.resolve(name[:-1]), *name[-1:])
            try:
                return tree.link(target, path)
            except Errno as error:
                raise Refused(f"unpack entry: {text(b'/'.join(path))}: link: {error}") from error
        if kind not in KIND:
            raise Refused(f"unpack entry: {text(entry.raw_name)}: unknown typeflag '\\x{kind[0]:x}'")
        if existing is not None:
            existing.layer, existing.entry, existing.implied = self.layer, entry.index, False
            return existing
        node = inode_at(entry, self.layer, path)
        if node.device is not None:
            node.device = (node.device[0] & 0xFFFFFFFF, node.device[1] & 0xFFFFFFFF)
        tree.add(path, node, "create")
        return node

    def metadata(self, entry: Entry, node: Inode, path: Path) -> None:
        node.uid, node.gid = owner(entry.uid, node.uid), owner(entry.gid, node.gid)
        if node.kind != "symlink":
            node.mode = entry.mode
        node.mtime = _wrapped(entry.mtime)
        node.xattrs = {}
        for key, value in entry.xattrs.items():
            if key in _IGNORED_XATTRS or not value:
                continue  # an attribute without a value is never set
            if key.startswith(b"user.") and node.kind not in ("file", "dir"):
                raise Errno("EPERM", f"apply hdr metadata: restore xattr metadata: {show(path)}")
            if settable(key, node.kind) or key.startswith(b"trusted."):
                node.set_xattr(key, value)


def _wrapped(mtime: tuple[int, int]) -> tuple[int, int]:
    """Return the time as 64 bits of nanoseconds hold it: umoci neither bounds it nor notices the overflow."""
    nanoseconds = (mtime[0] * 1_000_000_000 + mtime[1] + (1 << 63)) % (1 << 64) - (1 << 63)
    return divmod(nanoseconds, 1_000_000_000)
