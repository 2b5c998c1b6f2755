"""One filesystem of an image: the tree that a family of runtimes makes of its layers.

Layers are not untarred on top of each other, so an image has several: see `docs/explanation/views.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from imagepeel._display import Shown
from imagepeel.archive.knowledge import WHOLE, ImagePart, Knowledge
from imagepeel.errors import IsADirectory, LimitExceeded, MissingBlob, NotADirectory, NotFound, PathNotFound, UsageError
from imagepeel.evidence import Location, Name, layer_label, raw, text
from imagepeel.formats.tar.table import WHITEOUT
from imagepeel.limits import DEFAULT, Limits
from imagepeel.rootfs.engines import containerd, docker, podman, tar_split, umoci
from imagepeel.rootfs.engines.indexed import RegularLayers, indexed_upper
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal
from imagepeel.rootfs.tree.inode import Inode, Tree
from imagepeel.rootfs.tree.name_pattern import NamePattern
from imagepeel.rootfs.tree.overlay import Merged, Plain, merge
from imagepeel.rootfs.tree.overlay_attributes import obey_overlay_attributes
from imagepeel.rootfs.tree.resolve import Resolution, resolve
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.layers.content import EntryFile
    from imagepeel.rootfs.path import Joinable, RootfsPath

VERSIONS: dict[ViewName, str] = {
    "runtime": "containerd 2.4.0-beta (301026e)",
    "containerd@2.3": "containerd 2.3, 2.2 and 1.7",
    "spec": "umoci after 0.6.0 (f5d1219)",
    "sequential": "containerd 2.4.0-beta (301026e)",
    "docker": "Docker 29.7.2 and later (go-archive 0.3.3)",
    "docker@28": "Docker 28 to 29.6 (go-archive 0.1.0, 0.2.0)",
    "docker@20.10": "Docker 20.10.24",
    "podman": "containers/storage 83cf574",
}
"""Whose code each view plays through; some views are not among those that are compared by default."""

_ENGINES: dict[str, docker.UnpackRules] = {
    "docker": docker.DOCKER29,
    "docker@29.7": docker.DOCKER29,
    "docker@29": docker.DOCKER28,
    "docker@28": docker.DOCKER28,
    "docker@20.10": docker.DOCKER20,
    "podman": podman.PODMAN,
}

T = TypeVar("T")

_MOST_RESOLVED = 4096
"""Paths whose resolution is remembered: a prediction asks for the same few dozen again and again."""

OpenEntry = Callable[[int, int], "EntryFile"]


class Rootfs(Shown):
    """The merged tree of one view.  Paths are bytes or str, absolute, inside the image.

    `refusal` is where the runtimes of this view would refuse to unpack the image; the tree is then the best effort
    of the spec's rules without the refused entries, and `label` says so.  `layer` is the index of the one layer that
    this is the filesystem of, with "" for `view`, and None for a whole image.  `knowledge` is what is known of the
    image, and `complete` False when a layer could not be read.  `uppers` holds each layer's own tree (runtime view
    only), base first.
    """

    def __init__(
        self,
        root: Merged,
        *,
        view: ViewName | Literal[""],
        layers: Sequence[LayerEntries],
        layer: int | None = None,
        uppers: Sequence[Tree] = (),
        refusal: Refusal | None = None,
        opener: OpenEntry | None = None,
        steps: Sequence[int | None] = (),
        limits: Limits = DEFAULT,
        knowledge: Knowledge = WHOLE,
        kin: dict[Any, Any] | None = None,
        covers: frozenset[bytes] = frozenset(),
    ) -> None:
        self.view: ViewName | Literal[""] = view
        self.layer = layer
        self.layers = layers
        self.uppers: tuple[Tree, ...] = tuple(uppers)
        self.refusal = refusal
        self.knowledge = knowledge
        self.complete: bool = knowledge.layers
        self._derived: dict[Callable[[Rootfs], Any], Any] = {}
        self._kin: dict[Any, Any] = {} if kin is None else kin
        self.covers = covers
        """Canonical paths that have something else in their place, as below a mount."""
        self._root = root
        self._below: dict[int, Merged] = {}
        self._open = opener
        self._steps = steps
        self._limits = limits
        self._resolved: dict[tuple[Name, Name, bool], Resolution] = {}
        # Nodes that are made from entries carry the entry's number; all others are numbered when they are met.
        self._next_ino = 1 + sum(len(layer.table) for layer in layers)

    def __repr__(self) -> str:
        return f"<Rootfs {self.label}>"

    @property
    def name(self) -> str:
        """The view's name, or that of the one layer: `L2` for the second."""
        return self.view if self.layer is None else layer_label(self.layer)

    @property
    def label(self) -> str:
        """The name, and what is wrong with the tree where something is."""
        notes = []
        if self.refusal is not None:
            notes.append("best effort: the runtime refuses this image")
        if not self.complete:
            notes.append("incomplete: a layer could not be read")
        return self.name + (f" ({'; '.join(notes)})" if notes else "")

    @property
    def limits(self) -> Limits:
        """The bounds that the archive was opened with."""
        return self._limits

    @property
    def root(self) -> Merged:
        """The merged root directory, for code that walks the stack of layers itself."""
        return self._root

    def below(self, layer: int) -> Merged:
        """Return the merged root of the layers below `layer` (0-based), of a view that keeps each layer's own tree."""
        known = self._below.get(layer)
        if known is None:
            known = self._below[layer] = merge([upper.root for upper in self.uppers[:layer]])
        return known

    def derived(self, owner: Callable[[Rootfs], T]) -> T:
        """Return the one `owner(self)` of this filesystem: made when it is first asked for, kept from then on.

        `owner` is the class or function that what is derived belongs to, such as `layer_events.Fates`.
        """
        if owner not in self._derived:
            self._derived[owner] = owner(self)
        made: T = self._derived[owner]
        return made

    def common(self, owner: Callable[[], T]) -> T:
        """Return the one `owner()` of all filesystems of the image that hold the same files.

        Those are views whose engines unpack its layers alike, and what is `covered` of them; so they may differ in what
        is known of directories that no entry describes, `/` among them, and in all that `covers` hide.
        """
        if owner not in self._kin:
            self._kin[owner] = owner()
        made: T = self._kin[owner]
        return made

    def covered(self, places: Mapping[bytes, Inode]) -> Rootfs:
        """Return this filesystem with other directories in place of what is at some canonical paths.

        What an opaque one of them covers is not seen any more, as below a mount.  Layers and provenance stay, and
        what this filesystem has in `common` with others.
        """
        top = _copy(self._root.top)
        for path, directory in places.items():
            here, real = top, self._root
            *above, name = path.strip(b"/").split(b"/")
            for part in above:
                real = _inner(real, part)
                below = here.child(part) or _copy(real.top)
                here.children, here = {**(here.children or {}), part: below}, below
            here.children = {**(here.children or {}), name: directory}
        return Rootfs(
            Merged((top, *self._root.stack)),
            view=self.view,
            layers=self.layers,
            uppers=self.uppers,
            refusal=self.refusal,
            opener=self._open,
            steps=self._steps,
            limits=self._limits,
            knowledge=self.knowledge,
            kin=self._kin,
            covers=self.covers | places.keys(),
        )

    # ---- looking up ---------------------------------------------------------------------------------------

    def resolve(self, path: Name, *, cwd: Name = b"/", follow: bool = True) -> Resolution:
        """Follow a path inside the image; never raises for what is not there.

        Source: path_resolution(7); at most `Limits.symlink_hops` links.
        """
        key = (path, cwd, follow)
        known = self._resolved.get(key)
        if known is not None:
            return known
        found, merged = resolve(self._root, path, cwd, follow=follow, most=self._limits.symlink_hops)
        if found.node is not None:
            self._number(merged if merged is not None else found.node)
            if merged is not None:
                found.node.ino = merged.ino
        if len(self._resolved) >= _MOST_RESOLVED:
            self._resolved.clear()
        self._resolved[key] = found
        return found

    def lookup(self, path: Name, *, follow: bool = True) -> Inode:
        """Return the node at `path`.  NotFound with the first component that is missing."""
        found = self.resolve(path, follow=follow)
        if found.node is None:
            raise self._absent(path, found)
        return found.node

    def merged(self, path: Name) -> Merged:
        """Return the merged directory at `path`.  NotFound when there is none."""
        found, merged = resolve(self._root, path, b"/", follow=True, most=self._limits.symlink_hops)
        if merged is None:
            if found.node is not None:
                raise NotADirectory(
                    f"{text(raw(path))} is not a directory",
                    Location(path=text(found.path)),
                    "leave out the part after the file name",
                )
            raise self._absent(path, found)
        return merged

    def _absent(self, path: Name, found: Resolution) -> NotFound:
        shown, why = text(raw(path)), found.errno
        where = Location(path=text(found.missing))
        if why == "ELOOP":
            return PathNotFound(f"{shown} leads through too many symbolic links", where, "look at the links with trace")
        if why == "ENOTDIR":
            what = f"{shown} does not exist: {text(found.missing)} is not a directory"
            return NotADirectory(what, where, "check the path")
        hint = "list its directory with ls; ls --layer N shows what one layer had"
        if not self.complete:
            what = (
                f"{shown} is not in the layers that are here: {self.knowledge.why(ImagePart.MANIFEST, ImagePart.LAYER)}"
            )
            return PathNotFound(what, where, "copy the image again with all its layers")
        if found.missing and text(found.missing) != shown:
            return PathNotFound(f"{shown} does not exist: {text(found.missing)} is missing", where, hint)
        return PathNotFound(f"{shown} does not exist in the {self.view} view", where, hint)

    def listdir(self, path: Name) -> list[bytes]:
        """Return the names in a directory, sorted by bytes.  NotFound when it is none."""
        return list(self.names(path))

    def names(self, path: Name) -> Iterator[bytes]:
        """Yield the names in a directory, sorted by bytes; of very many, some at a time.  NotFound when it is none."""
        return (name for name, _ in self.merged(path).in_order())

    def scandir(self, path: Name) -> list[tuple[bytes, Inode]]:
        """Return (name, node) of a directory, sorted by name; links are not followed."""
        return [(name, self._node(child)) for name, child in sorted(self.merged(path).peek().items())]

    def walk(
        self, top: Name = b"/", wanted: Callable[[bytes], object] | None = None, *, by_name: bool = False
    ) -> Iterator[tuple[bytes, Inode]]:
        """Yield (absolute path, node) of `top` and all below it, depth first, names sorted by bytes.

        Links are not followed; directories merged on the way are not kept, so memory stays flat.  `wanted` leaves out
        the paths of which it says no, and saves making their nodes; with `by_name` it is asked about their last part.
        """
        found, merged = resolve(self._root, top, b"/", follow=True, most=self._limits.symlink_hops)
        if found.node is None:
            raise self._absent(top, found)
        base = found.path
        if wanted is None or wanted(base.rpartition(b"/")[2] if by_name else base):
            yield base, self._node(merged if merged is not None else found.node)
        if merged is None:
            return
        above = b"" if base == b"/" else base
        wants = wanted.matches if isinstance(wanted, NamePattern) else wanted
        stack = [(above, _in_order(merged, None if by_name else above, wanted))]
        while stack:
            prefix, names = stack[-1]
            for name, child in names:
                path = prefix + b"/" + name
                if wants is None or wants(name if by_name else path):
                    yield path, self._node(child) if isinstance(child, Merged) or not child.ino else child
                if isinstance(child, Merged):
                    stack.append((path, _in_order(child, None if by_name else path, wanted)))
                    break
            else:
                stack.pop()

    def _node(self, found: Merged | Inode) -> Inode:
        self._number(found)
        if isinstance(found, Merged):
            found.top.ino = found.ino
            return found.top
        return found

    def _number(self, found: Merged | Inode) -> None:
        if not found.ino and isinstance(found, Merged):
            found.ino = found.top.ino
        if not found.ino:
            found.ino = self._next_ino
            self._next_ino += 1

    # ---- content ------------------------------------------------------------------------------------------

    def open(self, what: Name | Inode) -> EntryFile:
        """Open a regular file for reading (binary, seekable).  NotFound when it is none, MissingBlob without bytes."""
        node = what if isinstance(what, Inode) else self.lookup(what)
        shown = "the node" if isinstance(what, Inode) else text(raw(what))
        if node.kind == "dir":
            raise IsADirectory(f"{shown} is a directory, not a regular file", self.location(what), "list it instead")
        if node.kind != "file":
            raise NotFound(f"{shown} is a {node.kind}, not a regular file", hint="only regular files have content")
        if self._open is None or node.layer is None or node.entry is None:
            raise MissingBlob(f"the bytes of {shown} are not in this archive", self.location(node))
        return self._open(node.layer, node.entry)

    def read(self, what: Name | Inode, offset: int = 0, count: int = -1) -> bytes:
        """Return bytes of a regular file.

        `count=-1` reads to the end, at most `Limits.file_bytes` (LimitExceeded beyond it; use `open` then).
        """
        file = self.open(what)
        if count < 0:
            count = max(0, file.size - offset)
            if count > self._limits.file_bytes:
                raise LimitExceeded(
                    f"a file of {plural(file.size, 'byte')} is too large to read whole",
                    hint="read it in parts, or raise Limits.file_bytes",
                )
        return file.pread(offset, count)

    def location(self, what: Name | Inode) -> Location:
        """Return where a node comes from: layer, entry, offset of its header in the layer, history step, path."""
        path = None
        if isinstance(what, Inode):
            node = what
        else:
            found = self.resolve(what, follow=False)
            path = text(found.path)
            if found.node is None:
                return Location(path=path)
            node = found.node
        if node.layer is None or node.entry is None:
            return Location(layer=node.layer, path=path)
        entry = self.layers[node.layer].table[node.entry]
        return self.entry_location(node.layer, node.entry, path if path is not None else entry.path)

    def entry_location(self, layer: int, entry: int | None, path: Name) -> Location:
        """Return the place of what a tar member brings, or of what a layer implies without a member (`entry` None)."""
        return Location(
            layer=layer,
            step=self._steps[layer] if layer < len(self._steps) else None,
            entry=entry,
            layer_offset=self.layers[layer].table[entry].header_offset if entry is not None else None,
            path=text(raw(path)),
        )

    # ---- as a path ----------------------------------------------------------------------------------------

    def __truediv__(self, name: Joinable) -> RootfsPath:
        return self._top() / name

    def glob(self, pattern: str) -> Iterator[RootfsPath]:
        """Yield the paths of the whole filesystem that match a shell pattern from the root; see `RootfsPath.glob`."""
        return self._top().glob(pattern)

    def to_dicts(self, *, recursive: bool = False) -> list[dict[str, Any]]:
        """Return one flat dictionary a member of the root directory, or of everything; see `RootfsPath.to_dicts`."""
        return self._top().to_dicts(recursive=recursive)

    def _top(self) -> RootfsPath:
        from imagepeel.rootfs.path import RootfsPath  # start time

        return RootfsPath(self, "/")


def _in_order(
    directory: Merged, path: bytes | None, wanted: Callable[[bytes], object] | None
) -> Iterator[tuple[bytes, Merged | Inode]]:
    """Return the children of a directory in the order of a walk, and not all that are left out.

    `path` is that of the directory, None where `wanted` is asked about names.
    """
    if wanted is None or path is None:
        return directory.in_order(wanted)
    prefix = path + b"/"
    return directory.in_order(lambda name: wanted(prefix + name))


def _inner(directory: Merged, name: bytes) -> Merged:
    child = directory.child(name)
    return child if isinstance(child, Merged) else Merged((Inode("dir"),))


def _copy(node: Inode) -> Inode:
    """A directory with the attributes of another and no children of its own."""
    return Inode("dir", node.mode, node.uid, node.gid, mtime=node.mtime, layer=node.layer, entry=node.entry)


def build(
    layers: Sequence[LayerEntries],
    view: str = "runtime",
    *,
    opener: OpenEntry | None = None,
    steps: Sequence[int | None] = (),
    limits: Limits = DEFAULT,
    knowledge: Knowledge = WHOLE,
    regular: RegularLayers | None = None,
) -> Rootfs:
    """Return the filesystem that `view` makes of `layers` (base first; `layers[i].index == i`).

    Views of one image that are given the same `regular` share the columns of its regular layers, and `Rootfs.common`.

    UsageError for a view that does not exist.
    """
    name = known_view(view)
    uppers: list[Tree] = []
    refusal: Refusal | None = None
    root: Merged
    regular = regular or RegularLayers()
    if name in ("runtime", "containerd@2.3"):
        refusal = _unpack_alone(layers, uppers, regular, checks_devices=name == "runtime")
        root = merge([upper.root for upper in uppers])
    elif name in _ENGINES:
        refusal = _unpack_by_engine(layers, uppers, regular, _ENGINES[name])
        root = merge([upper.root for upper in uppers])
        if _ENGINES[name].applies_root:
            podman.inherit_root(root.top, uppers[-1].root if uppers else None)
    else:
        # The first layer lies alone in every view; only what other layers do to it is played.
        base = indexed_upper(layers[0], ()) if layers and name == "sequential" else None
        tree = base or Tree()
        refusal = _apply(tree, layers[1:] if base else layers, name, lenient=False)
        if refusal is not None and knowledge.settled is not None and refusal.layer >= knowledge.settled:
            # Something below is missing, and it may have what this layer needs.
            refusal, tree = None, Tree()
            _apply(tree, layers, name, lenient=True)
        root = Plain((tree.root,))
    if refusal is not None:
        uppers = []
        tree = Tree()
        _apply(tree, layers, "spec", lenient=True)
        root = Plain((tree.root,))
    return Rootfs(
        root,
        view=name,
        layers=layers,
        uppers=uppers,
        refusal=refusal,
        opener=opener,
        steps=steps,
        limits=limits,
        knowledge=knowledge,
        kin=regular.kin(uppers) if len(uppers) == len(layers) else None,
    )


def known_view(view: str) -> ViewName:
    """The view of a name that somebody wrote.  UsageError when there is none."""
    if view not in VERSIONS and view not in _ENGINES:
        raise UsageError(f"there is no view {view!r}", hint=f"choose one with --view: {', '.join(VERSIONS)}")
    return cast(ViewName, view)


def build_alone(
    layers: Sequence[LayerEntries],
    index: int,
    *,
    opener: OpenEntry,
    steps: Sequence[int | None],
    limits: Limits,
    knowledge: Knowledge = WHOLE,
) -> Rootfs:
    """Return the filesystem of one layer by itself, as if it were the only one of the image.

    `layers` are those of the image, base first, and `index` which of them; `knowledge` is about that layer.  Whiteouts
    then remove nothing and show as nothing.  A hardlink to a file of a lower layer is left out, as is all else that
    cannot be unpacked.
    """
    layer = layers[index]
    whiteouts = any(flag & WHITEOUT for flag in set(layer.table.flag_bits))
    tree = indexed_upper(layer, ()) if not whiteouts else None
    if tree is None:
        tree = Tree()
        containerd.unpack_layer(tree, layer, overlay=False, lenient=True)
    return Rootfs(
        Plain((tree.root,)),
        view="",
        layer=index,
        layers=layers,
        opener=opener,
        steps=steps,
        limits=limits,
        knowledge=knowledge,
    )


def _unpack_alone(
    layers: Sequence[LayerEntries], uppers: list[Tree], regular: RegularLayers, *, checks_devices: bool
) -> Refusal | None:
    first_ino = 1
    for layer in layers:
        parents = uppers[::-1]
        upper = regular.upper(layer, parents, first_ino)
        first_ino += len(layer.table)
        if upper is None:
            upper = Tree()
            refusal = containerd.unpack_layer(
                upper, layer, overlay=layer.index > 0, parents=parents, checks_devices=checks_devices
            )
            if refusal is not None:
                return refusal
        uppers.append(upper)
    return None


def _unpack_by_engine(
    layers: Sequence[LayerEntries], uppers: list[Tree], regular: RegularLayers, rules: docker.UnpackRules
) -> Refusal | None:
    first_ino = 1
    for layer in layers:
        # These engines copy nothing to implied directories, so a regular layer needs nothing from the ones below.
        upper = regular.upper(layer, (), first_ino) if docker.agrees_with_containerd(layer.table, rules) else None
        first_ino += len(layer.table)
        played = upper is None
        if upper is None:
            upper = Tree()
        if rules.applies_root:
            podman.inherit_root(upper.root, uppers[-1].root if uppers else None)
        if played:
            refusal = tar_split.refuse(layer, docker.unpack_layer(upper, layer, rules))
            if refusal is not None:
                return refusal
            obey_overlay_attributes(upper, uppers)
        uppers.append(upper)
    return None


def _apply(tree: Tree, layers: Sequence[LayerEntries], view: ViewName, *, lenient: bool) -> Refusal | None:
    first: Refusal | None = None
    for layer in layers:
        if view == "sequential":
            refusal = containerd.unpack_layer(tree, layer, overlay=False, lenient=lenient)
        else:
            refusal = umoci.unpack_layer(tree, layer, lenient=lenient)
        if refusal is not None:
            first = first or refusal
            if not lenient:
                break
    return first
