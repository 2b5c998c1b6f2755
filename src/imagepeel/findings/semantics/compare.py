"""Where the views of one image disagree, path by path, and the notes that say why.

`notes` is the list for people and rules; `compare` walks the trees of several views side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.evidence import Anomaly, Location, text
from imagepeel.findings.semantics.codes import ALL, CODES, ViewNote
from imagepeel.findings.semantics.entries import Notes, lint
from imagepeel.findings.semantics.order import order_notes
from imagepeel.findings.semantics.stack import stack_notes
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import Merged, Plain
from imagepeel.rootfs.view import Rootfs, build

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

ViewOf = Callable[[str], Rootfs]
MOST = 1000
"""Differences that are listed; all are counted."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one view shows at a path, as far as views can differ: no time of directories, no link count."""

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: str = ""
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[str, str], ...] = ()
    mtime: tuple[int, int] | None = None
    layer: int | None = None
    entry: int | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One path that not all compared views show alike.

    shown: view -> its facts, None where the view has no such path.  codes: the notes that explain it, best first.
    """

    path: str
    shown: dict[str, Facts | None]
    codes: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Views side by side.  refusals: why a view's engines refuse the image; such views are not compared by path.

    differences: sorted by path, the first `MOST`; total: how many there are.  notes: see `notes`.
    """

    views: tuple[str, ...]
    refusals: dict[str, Refusal]
    differences: tuple[Difference, ...]
    total: int
    notes: tuple[ViewNote, ...]

    @property
    def agree(self) -> bool:
        """Whether all views show the same filesystem and none is refused alone."""
        return not self.total and (not self.refusals or len(self.refusals) == len(self.views))


# ---- notes ------------------------------------------------------------------------------------------------------


def notes(image: LayeredImage, *, deep: bool = True) -> tuple[ViewNote, ...]:
    """Return every note that an image earns, in the order of `CODES`, base layer first.

    `deep=False` leaves out ROOTLESS, which needs the whole sequential tree.
    """
    from imagepeel.findings.semantics.toc import toc_notes

    found = list(notes_of(image.layers, image.view, deep=deep))
    tables = toc_notes(image)
    # A table of contents after the end of the tar is not just any hidden bytes.
    known = {(note.where.layer, note.where.layer_offset) for note in tables if note.where.layer_offset is not None}
    found = [n for n in found if n.code != "HIDDENTAIL" or (n.where.layer, n.where.layer_offset) not in known]
    return _sorted([*found, *tables])


def notes_of(layers: Sequence[LayerEntries], view: ViewOf | None = None, *, deep: bool = True) -> tuple[ViewNote, ...]:
    """Return the notes that layers earn, base first.  `view` gives views that are already built."""
    made: dict[str, Rootfs] = {}

    def own(name: str) -> Rootfs:
        if name not in made:
            made[name] = build(layers, name)
        return made[name]

    view = view or own
    runtime = view("runtime")
    collected: dict[int, Notes] = {}

    def of(index: int) -> Notes:
        known = collected.get(index)
        if known is None:
            known = collected[index] = Notes(layers[index], getattr(layers[index], "step", None))
        return known

    found: list[ViewNote] = []
    exact = has_uppers(runtime)
    for layer in layers:
        anomalies: tuple[Anomaly, ...] = tuple(getattr(layer, "anomalies", ()))
        found.extend(lint(layer, anomalies, getattr(layer, "step", None)))
        if not (exact and isinstance(runtime.uppers[layer.index].root, IndexedDirectory)):
            order_notes(layer, layers[: layer.index], of(layer.index))
    if exact:
        stack_notes(runtime, of)
    for group in collected.values():
        found.extend(group.done())
    if deep:
        rootless = _rootless(runtime, view("sequential"))
        if rootless is not None:
            found.append(rootless)
    return _sorted(found)


def _sorted(found: Sequence[ViewNote]) -> tuple[ViewNote, ...]:
    order = {code: i for i, code in enumerate(CODES)}
    return tuple(
        sorted(
            found,
            key=lambda n: (order.get(n.code, len(order)), n.where.layer or 0, n.where.entry or 0, n.where.path or ""),
        )
    )


def _rootless(runtime: Rootfs, sequential: Rootfs) -> ViewNote | None:
    one, two = runtime.refusal, sequential.refusal
    if one is not None and two is not None:
        return None
    if (one is None) != (two is None):
        refusal = one if one is not None else two
        assert refusal is not None
        no, yes = ("rootful", "rootless") if one is not None else ("rootless", "rootful")
        return ViewNote(
            code="ROOTLESS",
            message=f"{no} engines refuse this image, {yes} ones unpack it: {refusal.reason}",
            where=Location(layer=refusal.layer, entry=refusal.entry, path=refusal.path, layer_offset=refusal.offset),
            views=("sequential",),
        )
    count = 0
    first = ""
    for path, shown in side_by_side((runtime, sequential)):
        count += 1
        first = first or text(path)
        del shown
    if not count:
        return None
    word = "path" if count == 1 else "paths"
    return ViewNote(
        code="ROOTLESS",
        message=f"engines that unpack each layer onto the last (rootless containerd, vfs, btrfs, zfs) show {count} "
        f"{word} otherwise than overlayfs",
        where=Location(path=first),
        views=("sequential",),
        touches=(first,),
        more=count - 1,
    )


# ---- side by side -----------------------------------------------------------------------------------------------


def side_by_side(views: Sequence[Rootfs]) -> Iterator[tuple[bytes, tuple[Facts | None, ...]]]:
    """Yield every path that the views do not show alike, depth first, names sorted.

    Everything below a directory that only some have is yielded too.  The mode of the root itself is not compared
    where it is the engine's own default (0555 with podman).
    """
    roots: list[Merged | Inode | None] = [view.root for view in views]
    top = tuple(_facts(root, whole=False) for root in roots)
    defaults = {"podman": 0o555}
    plain = [
        msgspec.structs.replace(f, mode=0o755) if f is not None and defaults.get(v.view) == f.mode else f
        for f, v in zip(top, views, strict=True)
    ]
    if any(facts != plain[0] for facts in plain):
        yield b"/", top
    stack: list[tuple[bytes, list[Merged | Inode | None]]] = [(b"", roots)]
    while stack:
        path, here = stack.pop()
        children = [node.peek() if isinstance(node, Merged) else {} for node in here]
        names: set[bytes] = set().union(*children)
        below: list[tuple[bytes, list[Merged | Inode | None]]] = []
        for name in sorted(names):
            full = path + b"/" + name
            nodes = [each.get(name) for each in children]
            first = nodes[0]
            if not all(_equal(first, other) for other in nodes[1:]):
                yield full, tuple(_facts(node) for node in nodes)
            if any(isinstance(node, Merged) for node in nodes) and not _as_packed(nodes):
                below.append((full, nodes))
        stack.extend(reversed(below))


def _as_packed(nodes: Sequence[Merged | Inode | None]) -> bool:
    """Whether all views show a directory just as one layer packed it: then all below it is alike."""
    packed: set[tuple[int, bytes]] = set()
    for node in nodes:
        directory = node.stack[0] if isinstance(node, Merged) and len(node.stack) == 1 else None
        if (
            not isinstance(directory, IndexedDirectory)
            or directory.indexed.has_whiteouts
            or directory.indexed.has_device_whiteouts
        ):
            return False
        if directory.indexed.parents:  # directories without an entry borrow their attributes with some engines only
            return False
        if isinstance(node, Plain) and directory.touched:
            return False
        packed.add((directory.indexed.index, directory.path))
    return len(packed) == 1


def _equal(one: Merged | Inode | None, two: Merged | Inode | None) -> bool:
    if one is two:
        return True
    if one is None or two is None or isinstance(one, Merged) != isinstance(two, Merged):
        return False
    a, b = (one.top if isinstance(one, Merged) else one), (two.top if isinstance(two, Merged) else two)
    if a.kind != b.kind or a.kind == "ghost":
        return a.kind == b.kind
    if (a.mode, a.uid, a.gid, a.target, a.device) != (b.mode, b.uid, b.gid, b.target, b.device) or a.xattrs != b.xattrs:
        return False
    return a.kind == "dir" or (a.mtime == b.mtime and (a.layer, a.entry) == (b.layer, b.entry))


def _facts(found: Merged | Inode | None, *, whole: bool = True) -> Facts | None:
    if found is None:
        return None
    node = found.top if isinstance(found, Merged) else found
    if node.kind == "ghost":
        return Facts(kind="ghost")
    return Facts(
        kind=node.kind,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        size=node.size if node.kind == "file" else 0,
        target=text(node.target),
        device=node.device,
        xattrs=tuple(sorted((text(key), value.hex()) for key, value in node.xattrs.items())),
        mtime=None if node.kind == "dir" else node.mtime,
        layer=node.layer if whole else None,
        entry=node.entry if whole else None,
    )


def compare(image: LayeredImage, views: Sequence[str] = ALL) -> Comparison:
    """Compare views of an image path by path and explain each difference by the notes.

    UsageError for a view that does not exist.
    """
    return compare_layers(image.layers, views, image.view, notes(image))


def compare_layers(
    layers: Sequence[LayerEntries],
    views: Sequence[str] = ALL,
    view: ViewOf | None = None,
    reasons: tuple[ViewNote, ...] | None = None,
) -> Comparison:
    """Compare views of layers, base first; see `compare`."""
    made: dict[str, Rootfs] = {}

    def own(name: str) -> Rootfs:
        if name not in made:
            made[name] = view(name) if view is not None else build(layers, name)
        return made[name]

    trees = [own(name) for name in views]
    if reasons is None:
        reasons = notes_of(layers, own)
    refusals = {name: tree.refusal for name, tree in zip(views, trees, strict=True) if tree.refusal is not None}
    whole = [(name, tree) for name, tree in zip(views, trees, strict=True) if tree.refusal is None]
    explain = _Explain(reasons)
    listed: list[Difference] = []
    total = 0
    if len(whole) > 1:
        for path, shown in side_by_side([tree for _, tree in whole]):
            total += 1
            if len(listed) < MOST:
                by_view = {name: facts for (name, _), facts in zip(whole, shown, strict=True)}
                listed.append(Difference(path=text(path), shown=by_view, codes=explain.codes(text(path), by_view)))
    return Comparison(views=tuple(views), refusals=refusals, differences=tuple(listed), total=total, notes=reasons)


class _Explain:
    """Finds the notes that speak of a path: those about itself, then about the nearest directory above it."""

    def __init__(self, reasons: Sequence[ViewNote]) -> None:
        self._by_path: dict[str, list[ViewNote]] = {}
        for note in reasons:
            if note.views and note.code != "ROOTLESS":
                for path in note.touches:
                    self._by_path.setdefault(path, []).append(note)

    def codes(self, path: str, shown: dict[str, Any]) -> tuple[str, ...]:
        here = path
        groups = list(shown.values())
        odd = {name for name, facts in shown.items() if groups.count(facts) * 2 <= len(groups)}
        while True:
            fit = [note for note in self._by_path.get(here, ()) if odd.intersection(note.views) or not odd]
            if fit:
                return tuple(dict.fromkeys(note.code for note in fit))
            if here in ("", "/"):
                return ()
            here = here.rpartition("/")[0] or "/"


__all__ = [
    "ALL",
    "CODES",
    "Comparison",
    "Difference",
    "Facts",
    "ViewNote",
    "compare",
    "compare_layers",
    "notes",
    "notes_of",
]
