"""How Docker's overlay2 driver unpacks a layer alone, and the rules that podman's extractor shares with it.

Follows moby/go-archive `Unpack`, `createTarFile` and `overlayWhiteoutConverter` as they behave: v0.3.3 for Docker from
29.7.2 on, v0.1.0 for Docker 28 to 29.6 (0.2.0, since 29.2, has the same rules; 0.3 confines itself with os.Root).
containers/storage descends from the same code; what it does otherwise stands in `podman`.  Judged by recorded results
of that code in the conformance cases.
"""

from __future__ import annotations

import posixpath

import msgspec

from imagepeel.evidence import text
from imagepeel.formats.tar.header import DIRECTORY, HARDLINK, PAX_GLOBAL, REGULAR
from imagepeel.formats.tar.table import Entry, EntryTable
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal, Refused, go_clean, run
from imagepeel.rootfs.tree.inode import PATH_MAX, Errno, Inode, Tree, show
from imagepeel.rootfs.tree.metadata import KIND, bound_time, inode_at, owner, xattr_errno
from imagepeel.tables import ErrnoName

Path = tuple[bytes, ...]
_LINKS = 40


class UnpackRules(msgspec.Struct, frozen=True, kw_only=True):
    """Where the extractors of this family differ.

    scoped: names and link targets may not leave the root and directories are made through dangling links (os.Root),
    else a chroot lets the kernel clamp `..` at the root.  skips_global: a PAX global header touches nothing.
    checks_devices: device numbers beyond 32 bits are refused, else cut.  follows_xattrs: attributes of a symlink go to
    what it points at.  tolerates: errnos of setxattr that are no reason to stop.  ignores_xattrs: names never set.
    forgives_hidden: a whiteout below a path that the layer already whited out is skipped.  root_mode: of `/`.
    """

    scoped: bool = False
    skips_global: bool = True
    checks_devices: bool = False
    follows_xattrs: bool = False
    tolerates: tuple[ErrnoName, ...] = ("EPERM",)
    ignores_xattrs: tuple[bytes, ...] = ()
    forgives_hidden: bool = False
    root_mode: int = 0o755
    applies_root: bool = False


DOCKER29 = UnpackRules(scoped=True, checks_devices=True, follows_xattrs=True)
DOCKER28 = UnpackRules()
DOCKER20 = UnpackRules(tolerates=("EPERM", "ENOTSUP"))


def _call(entry: Entry) -> str:
    """The call that makes an entry."""
    return "open" if entry.type == REGULAR else "mkdir" if entry.type == DIRECTORY else "create"


def unpack_layer(tree: Tree, layer: LayerEntries, rules: UnpackRules, *, lenient: bool = False) -> Refusal | None:
    """Unpack one layer alone into `tree` and return why the engine would refuse it, None when it would not.

    Overlay attributes that the layer itself carries (trusted.overlay.*) are in the nodes; see `overlay_attributes`.
    """
    return _Unpack(tree, layer.index, rules).run(layer, lenient)


def agrees_with_containerd(table: EntryTable, rules: UnpackRules) -> bool:
    """Say whether names and attributes of a layer are such that these rules agree with containerd's on them."""
    if any(b".." in name for name in table.raw_names.values()):
        return False
    if rules.applies_root and any(_reaches_root(Entry(table, i).raw_name) for i in table.roots()):
        return False
    for i in table.extras:
        entry = Entry(table, i)
        kind = KIND.get(entry.type)
        for key in entry.xattrs:
            other = key in rules.ignores_xattrs or key.startswith(b"trusted.") or kind == "symlink"
            if other or xattr_errno(key, kind):
                return False
    return True


def _reaches_root(raw_name: bytes) -> bool:
    """Say whether an entry for the root sets the layer's own directory: `./` is left alone, `/` and `..` reach it."""
    return posixpath.normpath(raw_name) != b"."


class _Unpack:
    def __init__(self, tree: Tree, layer: int, rules: UnpackRules) -> None:
        self.tree = tree
        self.layer = layer
        self.rules = rules
        self.dirs: list[tuple[Path, tuple[int, int]]] = []

    def run(self, layer: LayerEntries, lenient: bool) -> Refusal | None:
        refusal = run(layer, self.entry, lenient=lenient)
        if refusal is not None and not lenient:
            return refusal
        for name, mtime in self.dirs:
            try:
                node = self.tree.lstat(self.follow(name))
                if node is None:
                    raise Errno("ENOENT", f"chtimes {show(name)}")
                node.mtime = mtime
            except (Errno, Refused) as error:
                where = Refusal.of(error, self.layer, len(layer.table), offset=0, path=show(name))
                refusal = refusal or where
                if not lenient:
                    return refusal
        return refusal

    # ---- names --------------------------------------------------------------------------------------------

    def name(self, raw: bytes, what: str) -> Path:
        """Return the components of a member's or link's name inside the root.  Refused where the rules say so."""
        if not self.rules.scoped:
            return tuple(go_clean(b"/" + raw))
        name = tuple(go_clean(raw.lstrip(b"/")))
        if name[:1] == (b"..",):
            raise Refused(f'invalid {what} "{text(raw)}"')
        return name

    def follow(self, path: Path, *, last: bool = True) -> Path:
        """Return `path` with links followed inside the root, in its last component only if `last`.

        What does not exist is kept.  Refused when a relative link climbs over the root under os.Root; Errno ELOOP.
        """
        todo = list(reversed(path if last else path[:-1]))
        done: list[bytes] = []
        nodes: list[Inode | None] = [self.tree.root]  # what stands at each of `done`, so that a path costs its length
        links = 0
        while todo:
            part = todo.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if not done and self.rules.scoped:
                    raise Refused(f"statat {text(b'/'.join(path))}: path escapes from parent")
                del done[-1:], nodes[len(done) + 1 :]
                continue
            above = nodes[-1]
            child = None if above is None or above.children is None else above.children.get(part)
            if child is not None and child.kind == "symlink":
                links += 1
                if links > _LINKS:
                    raise Errno("ELOOP", show(path))
                if child.target.startswith(b"/"):
                    done.clear()
                    del nodes[1:]
                todo.extend(reversed(child.target.split(b"/")))
                continue
            done.append(part)
            nodes.append(child)
        return (*done, *path[-1:]) if not last else tuple(done)

    def parents(self, name: Path) -> Path:
        """Make the directories that a member needs and return the real path of its directory."""
        parent = name[:-1]
        if not parent:
            return ()
        if self.rules.scoped:
            real = self.follow(parent)
            for depth in range(1, len(real) + 1):
                self.directory(real[:depth])
            return real
        # The kernel's view: lstat of the parent finds a dangling link and is content, and the open fails later.
        try:
            there = self.tree.lstat(self.follow(parent, last=False))
        except Errno:
            return self.follow(parent)
        if there is None:
            made: Path | None = None
            for depth in range(1, len(parent) + 1):
                if made is not None:  # nothing stands below a directory that was made a moment ago
                    made = (*made, parent[depth - 1])
                    self.directory(made)
                    continue
                real = self.follow(parent[:depth])
                if self.tree.lstat(real) is None:
                    if self.tree.lstat(self.follow(parent[:depth], last=False)) is not None:
                        raise Errno("EEXIST", f"mkdir {show(parent[:depth])}", cause="below-link")
                    self.directory(real)
                    made = real
        return self.follow(parent)

    def directory(self, path: Path) -> None:
        node = self.tree.lstat(path)
        if node is None:
            # Docker makes them 0755 for root whatever the layers below say (ImpliedDirectoryMode).
            self.tree.add(path, Inode("dir", implied=True, layer=None), "mkdir")

    # ---- entries ------------------------------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        rules, tree = self.rules, self.tree
        if entry.type == PAX_GLOBAL and rules.skips_global:
            return
        name = self.name(entry.raw_name, "entry name")
        if not name:
            # Podman's mounts show the layer's own directory.
            if rules.applies_root and entry.type == DIRECTORY and _reaches_root(entry.raw_name):
                self.metadata(entry, tree.root, ())
            return
        base = name[-1]
        if rules.scoped and base.startswith(PREFIX) and base != OPAQUE and base[4:] in (b"", b".", b".."):
            raise Refused(f'invalid whiteout entry "{text(b"/".join(name))}"')
        if not rules.scoped and sum(map(len, name)) + len(name) >= PATH_MAX:
            raise Errno("ENAMETOOLONG", _call(entry), at=name)
        try:
            parent = self.parents(name)
        except Errno as error:
            if error.name != "ELOOP" or rules.scoped:
                raise
            raise Errno("ELOOP", _call(entry), at=name) from error
        path = (*parent, base)
        try:
            node = tree.lstat(path)
        except Errno:
            node = None
        if node is not None and not (node.kind == "dir" and entry.type == DIRECTORY):
            tree.remove_all(path)
            node = None
        if base.startswith(PREFIX):
            self.whiteout(entry, parent, base)
            return
        self.create(entry, name, path, node)
        if entry.type == DIRECTORY:
            self.dirs.append((name, bound_time(entry.mtime)))

    def whiteout(self, entry: Entry, parent: Path, base: bytes) -> None:
        tree = self.tree
        above = tree.lstat(parent)
        if self.rules.scoped and above is not None and above.is_whiteout:
            raise Refused(f"openat {text(b'/'.join(parent))}: no such device or address")
        if base == OPAQUE:
            node = tree.lstat(parent)
            if node is None:
                raise Errno("ENOENT", f"setxattr {show(parent)}")
            node.opaque = True
            return
        hidden = base[4:]
        named = text(b"/".join((*parent, hidden)))
        call = f"failed to mknod('{named}', S_IFCHR, 0)"
        mark = Inode("char", 0, device=(0, 0), layer=self.layer, entry=entry.index)
        try:
            if hidden in (b"", b".", b".."):
                raise Errno("EEXIST")
            tree.add((*parent, hidden), mark, "mknod")
        except Errno as error:
            if error.name == "ENOTDIR" and self.rules.forgives_hidden:
                return
            raise Errno(error.name, call, cause="whiteout", paths=(named,)) from error

    def create(self, entry: Entry, name: Path, path: Path, existing: Inode | None) -> None:
        tree, kind = self.tree, entry.type
        if kind == PAX_GLOBAL:
            return
        if kind == HARDLINK:
            target = self.name(entry.link, "hardlink target")
            if not target and self.rules.scoped:
                raise Refused(f'invalid hardlink target "{text(entry.link)}"')
            node = tree.link(self.follow(target, last=False), path)
        elif kind not in KIND:
            raise Refused(f"unhandled tar header type {kind[0]}")
        elif existing is not None:
            node = existing
            node.layer, node.entry, node.implied = self.layer, entry.index, False
        else:
            node = inode_at(entry, self.layer, path)
            if node.device is not None:
                major, minor = node.device
                if self.rules.checks_devices and not (0 <= major < 1 << 32 and 0 <= minor < 1 << 32):
                    raise Refused(
                        f'device number {major}:{minor} for "{text(entry.raw_name)}" out of range: invalid archive'
                    )
                node.device = (major & 0xFFFFFFFF, minor & 0xFFFFFFFF)
            try:
                tree.add(path, node, _call(entry))
            except Errno as error:
                if self.rules.scoped:
                    raise
                raise Errno(error.name, _call(entry), at=name) from error  # the call has the name as it is written
        self.metadata(entry, node, path)

    def metadata(self, entry: Entry, node: Inode, path: Path) -> None:
        meta = entry.meta
        node.uid, node.gid = owner(meta.uid, node.uid), owner(meta.gid, node.gid)
        if entry.index in entry.table.extras:
            self.set_xattrs(entry, node, path)
        if node.kind != "symlink":
            node.mode = meta.mode & 0o7777
        node.mtime = bound_time(entry.mtime)

    def set_xattrs(self, entry: Entry, node: Inode, path: Path) -> None:
        where = path
        for key, value in entry.xattrs.items():
            if key in self.rules.ignores_xattrs:
                continue
            if node.kind == "symlink" and self.rules.follows_xattrs:
                where = self.follow(path)
                found = self.tree.lstat(where)
                if found is None:
                    raise Refused(f'lsetxattr {show(where)}: xattr "{text(key)}": no such file or directory')
                node = found
            errno = xattr_errno(key, node.kind)
            if not errno:
                node.set_xattr(key, value)
            elif errno not in self.rules.tolerates:
                raise Errno(errno, f'lsetxattr {show(where)}: xattr "{text(key)}"')
