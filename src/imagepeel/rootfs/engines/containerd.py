"""How containerd unpacks a layer: alone into an upper directory, or onto the merged tree.

Follows pkg/archive/tar.go `applyNaive`, `createTarFile`, `mkparent`, `validateWhiteout`, tar_opts_linux.go
`OverlayConvertWhiteout` and core/diff/apply `apply` as they behave (containerd 301026e); judged by the recorded
results of that code in the conformance cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.evidence import text
from imagepeel.formats.tar.header import DIRECTORY, HARDLINK, PAX_GLOBAL, REGULAR
from imagepeel.formats.tar.table import Entry
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal, Refused, go_clean, run
from imagepeel.rootfs.tree.inode import PATH_MAX, Errno, Inode, Tree, show
from imagepeel.rootfs.tree.metadata import KIND, apply_metadata, bound_time, inode_at

Path = tuple[bytes, ...]


def unpack_layer(
    tree: Tree,
    layer: LayerEntries,
    *,
    overlay: bool,
    parents: Sequence[Tree] = (),
    lenient: bool = False,
    checks_devices: bool = True,
) -> Refusal | None:
    """Apply one layer to `tree` and return why containerd would refuse it, None when it would not.

    `overlay`: whiteouts become overlayfs marks and `parents` (topmost first, each layer alone) lend their
    attributes to implied directories.  Else whiteouts delete, which is right when `tree` is the merged tree
    (native, btrfs, zfs, devmapper and rootless snapshotters) or the first layer (a plain bind mount).
    `checks_devices`: numbers beyond 32 bits are refused, as from 2.4 on; before, they are cut.
    """
    return _Unpack(tree, layer.index, overlay, parents, checks_devices).run(layer, lenient)


class _Unpack:
    def __init__(self, tree: Tree, layer: int, overlay: bool, parents: Sequence[Tree], checks_devices: bool) -> None:
        self.checks_devices = checks_devices
        self.tree = tree
        self.layer = layer
        self.overlay = overlay
        self.parents = parents
        self.dirs: list[tuple[Path, tuple[int, int]]] = []
        self.unpacked: set[Path] = set()

    def run(self, layer: LayerEntries, lenient: bool) -> Refusal | None:
        refusal = run(layer, self.entry, lenient=lenient)
        if refusal is not None and not lenient:
            return refusal
        # Directory times come last, since creating files inside moves them.
        for path, mtime in self.dirs:
            try:
                node = self.tree.lstat(self.tree.resolve(path))
                if node is None:
                    raise Errno("ENOENT", "chtimes", at=path)
                node.mtime = mtime
            except Errno as error:
                if refusal is None:
                    refusal = Refusal.of(error, self.layer, len(layer.table), offset=0, path=show(path))
                if not lenient:
                    return refusal
        return refusal

    def entry(self, entry: Entry) -> None:
        tree = self.tree
        name = go_clean(entry.raw_name)
        if sum(map(len, name)) + len(name) >= PATH_MAX:
            raise Errno("ENAMETOOLONG", "failed to get root path: lstat", at=tuple(name))
        base = name[-1] if name else b""
        try:
            parent = tree.resolve(tuple(name[:-1]))
        except Errno as error:
            if error.name != "ELOOP":
                raise
            raise Refused("failed to get root path: too many links") from error
        if base in (b"", b".."):
            return  # resolves to the root itself: ignored, whatever its type
        path = (*parent, base)
        if parent:
            self.make_parent(parent)
        if base.startswith(PREFIX):
            if base != OPAQUE and base[4:] in (b"", b".", b".."):
                raise Refused(f"invalid whiteout name: {text(base)}: invalid archive")
            self.whiteout(entry, parent, base)
            return
        node = tree.lstat(path)
        if node is not None and not (node.kind == "dir" and entry.type == DIRECTORY):
            tree.remove_all(path)
            node = None
        self.create(entry, path, node)
        if entry.type == DIRECTORY:
            self.dirs.append((tuple(name), bound_time(entry.mtime)))
        self.unpacked.add(path)

    def make_parent(self, path: Path) -> None:
        for made, new in self.tree.make_dirs(path):
            self.inherit(made, new)

    def inherit(self, path: Path, new: Inode) -> None:
        """Copy what the topmost lower layer says of a directory to one that this layer only implies.

        Errno, which refuses the layer, where a lower layer has something else in the place of a directory above it:
        `mkparent` passes over what does not exist, and over no other answer of lstat(2).
        """
        for lower in self.parents:
            like = lower.lstat(lower.resolve(path))
            if like is not None:
                if like.kind == "dir":
                    new.mode, new.uid, new.gid, new.xattrs = like.mode, like.uid, like.gid, like.xattrs
                    new.layer, new.entry = like.layer, like.entry
                    # The copied time stays only until something is created inside, which moves it to "now".
                    new.mtime = None if new.children else like.mtime
                # A whiteout or file of that name hides deeper directories: nothing to copy from.
                return

    def whiteout(self, entry: Entry, parent: Path, base: bytes) -> None:
        tree = self.tree
        try:
            if self.overlay:
                if base == OPAQUE:
                    node = tree.lstat(parent)
                    if node is None:
                        raise Errno("ENOENT", "setxattr", at=parent)
                    node.opaque = True
                    return
                mark = Inode("char", 0, device=(0, 0), layer=self.layer, entry=entry.index)
                tree.add((*parent, base[4:]), mark, "mknod")
            elif base == OPAQUE:
                node = tree.lstat(parent)
                if node is None:
                    raise Errno("ENOENT", "lstat", at=parent)
                for path, _ in list(tree.walk(node, parent)):
                    if path != parent and path not in self.unpacked:
                        tree.remove_all(path)
            else:
                tree.remove_all((*parent, base[4:]))
        except Errno as error:
            made = error.error if error.name == "EEXIST" else str(error)  # mknod(2) names no path
            raise Refused(f'failed to convert whiteout file "{text(entry.path[1:])}": {made}') from error

    def create(self, entry: Entry, path: Path, existing: Inode | None) -> None:
        tree = self.tree
        kind = entry.type
        if kind == PAX_GLOBAL:
            return
        if kind == HARDLINK:
            name = go_clean(entry.link) if entry.link else []
            target = (*tree.resolve(tuple(name[:-1])), *(p for p in name[-1:] if p != b".."))
            node = tree.link(target, path)
        elif kind not in KIND:
            raise Refused(f"unhandled tar header type {kind[0]}")
        elif existing is not None:
            node = existing
            node.layer, node.entry, node.implied = self.layer, entry.index, False
        else:
            node = inode_at(entry, self.layer, path)
            if node.device is not None and not (0 <= node.device[0] < 1 << 32 and 0 <= node.device[1] < 1 << 32):
                major, minor = node.device
                node.device = (major & 0xFFFFFFFF, minor & 0xFFFFFFFF)
                if self.checks_devices:
                    raise Refused(
                        f'device number {major}:{minor} for "{text(entry.raw_name)}" out of range: invalid archive'
                    )
            tree.add(path, node, "open" if kind == REGULAR else "create")
        apply_metadata(node, entry)
