"""What a layer changes in the tree below it: added, changed and removed paths, without unpacking anything again.

The overlay views keep each layer's own tree, so the difference of two stacks is a walk over what the upper layers
touch; only a directory that vanishes is walked in the tree below.  The rules are those of the merge itself
(`overlay`): Linux Documentation/filesystems/overlayfs.rst, "Merging", "whiteouts and opaque directories".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.errors import UsageError
from imagepeel.formats.tar.table import UNHASHED
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import Pile, pile
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.rootfs.tree.changes import LayerEntries
    from imagepeel.rootfs.view import Rootfs

ChangeKind = Literal["added", "changed", "removed", "opaque", "same"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One path that a layer touches.

    kind: "added"; "changed", with the names in `fields`; "removed" (everything below a removed directory has a
    change of its own); "opaque" for a directory whose lower content is hidden as a whole, by an opaque mark or by
    a removal and a new directory in between; "same" for what was written again without any difference.
    path: absolute bytes.  before, after: the nodes, None where there is none.
    fields: of type, content, target, device, mode, uid, gid, xattrs, mtime; "content?" when sizes agree and the
    bytes were not hashed by the scan.
    """

    kind: ChangeKind
    path: bytes
    before: Inode | None = None
    after: Inode | None = None
    fields: tuple[str, ...] = ()


def same_content(before: Inode, after: Inode, layers: Sequence[LayerEntries]) -> bool | None:
    """Say whether two regular files hold equal bytes, None when the scan took no checksums to tell.

    SHA-256 decides where the scan took it, else size and CRC-32.
    """
    if before.size != after.size:
        return False
    if not before.size or before is after or (before.layer, before.entry) == (after.layer, after.entry):
        return True
    if before.layer is None or after.layer is None or before.entry is None or after.entry is None:
        return None
    return same_bytes(layers[before.layer].table, before.entry, layers[after.layer].table, after.entry)


def same_bytes(one: EntryTable, i: int, two: EntryTable, j: int) -> bool | None:
    """Say whether two entries of one size hold equal bytes, None when the scan took no checksums to tell."""
    if one.digests is not None and two.digests is not None:
        first, second = one[i].sha256, two[j].sha256
        if first is not None and second is not None:
            return first == second
    if (one.flag_bits[i] | two.flag_bits[j]) & UNHASHED:
        return None
    return one.crcs[i] == two.crcs[j]


def changed_fields(before: Inode, after: Inode, layers: Sequence[LayerEntries]) -> tuple[str, ...]:
    """Return the names of what differs between two nodes, () when nothing does.

    A modification time that is the moment of unpacking on either side cannot be compared and never differs.
    """
    if before is after:
        return ()
    fields: list[str] = []
    if before.kind != after.kind:
        fields.append("type")
    elif before.kind == "file":
        equal = same_content(before, after, layers)
        if not equal:
            fields.append("content" if equal is False else "content?")
    elif before.kind == "symlink":
        if before.target != after.target:
            fields.append("target")
    elif before.device != after.device:
        fields.append("device")
    if before.mode != after.mode and "symlink" not in (before.kind, after.kind):
        fields.append("mode")
    if before.uid != after.uid:
        fields.append("uid")
    if before.gid != after.gid:
        fields.append("gid")
    if before.xattrs != after.xattrs:
        fields.append("xattrs")
    if before.mtime is not None and after.mtime is not None and before.mtime != after.mtime:
        fields.append("mtime")
    return tuple(fields)


def has_uppers(rootfs: Rootfs) -> bool:
    """Say whether the view keeps each layer's own tree, which exact provenance needs."""
    return len(rootfs.uppers) == len(rootfs.layers)


def need_uppers(rootfs: Rootfs) -> None:
    """Raise UsageError for a view that does not keep its layers apart, with the reason and the way out."""
    if has_uppers(rootfs):
        return
    refusal = rootfs.refusal
    if refusal is not None:
        raise UsageError(
            f"the {rootfs.name} view refuses this image ({refusal.reason}), so its layers have no trees to compare",
            hint="trace a path to see which entries of which layers name it",
        )
    raise UsageError(
        f"the {rootfs.name} view applies each layer onto the last and keeps no tree of a single layer",
        hint="use the runtime view",
    )


def layer_delta(rootfs: Rootfs, index: int) -> Iterator[Change]:
    """Yield what layer `index` (0-based) changes in the merge of the layers below it, depth first, names sorted.

    Linear in what the layer touches.  UsageError when the view keeps no layer trees or has no such layer.
    """
    return delta(rootfs, index, index + 1)


def delta(rootfs: Rootfs, start: int, stop: int) -> Iterator[Change]:
    """Yield the difference between the merge of the first `start` layers and that of the first `stop` layers.

    Depth first, names sorted by bytes.  UsageError when the view keeps no layer trees or the range is not ascending
    within the image.
    """
    need_uppers(rootfs)
    if not 0 <= start < stop <= len(rootfs.uppers):
        raise UsageError(
            f"there are no layers {start} to {stop - 1} in this order",
            hint=f"the image has {plural(len(rootfs.uppers), 'layer')}",
        )
    return _walk(rootfs, start, stop)


def _walk(rootfs: Rootfs, start: int, stop: int) -> Iterator[Change]:
    roots = tuple((i, rootfs.uppers[i].root) for i in reversed(range(stop)))
    # A stack instead of recursion: paths may be two thousand directories deep.
    stack = [directory_delta(b"", roots[stop - start :], roots, start, rootfs.layers)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, Change):
                yield item
            else:
                stack.append(directory_delta(*item, start, rootfs.layers))
                break
        else:
            stack.pop()


PathPair = tuple[bytes, Pile, Pile]
"""A path, and what it is in the lower and in the upper stack."""


def directory_delta(
    path: bytes, before: Pile, after: Pile, start: int, layers: Sequence[LayerEntries]
) -> Iterator[Change | PathPair]:
    """Yield the changes of one directory's names, and the directories below that may have changes of their own.

    `path` is that of the directory, b"" for the root; `before` and `after` are its piles in the two stacks, and `start`
    is the number of layers that both have.  What a directory below yields is asked for with its pair.
    """
    # Looked at once and let go: what both stacks share must be the same objects, and nothing is kept.
    listings = {id(node): node.peek() for _, node in (*before, *after)}
    old = [(layer, listings[id(node)]) for layer, node in before]
    new = [(layer, listings[id(node)]) for layer, node in after]
    names: set[bytes] = set()
    for layer, children in new:
        if layer >= start:
            names.update(children)
    if before and after[-len(before) :] != before:
        for _, children in old:
            names.update(children)
    for name in sorted(names):
        full = path + b"/" + name
        was, now = pile(old, name), pile(new, name)
        if was == now:
            continue
        if not now:
            yield Change(kind="removed", path=full, before=was[0][1])
            if was[0][1].kind == "dir":
                yield full, was, ()
            continue
        node = now[0][1]
        if not was:
            yield Change(kind="added", path=full, after=node)
            if node.kind == "dir":
                yield full, (), now
            continue
        first = was[0][1]
        fields = changed_fields(first, node, layers)
        both = first.kind == "dir" and node.kind == "dir"
        hidden = both and now[-len(was) :] != was
        if hidden:
            yield Change(kind="opaque", path=full, before=first, after=node, fields=fields)
        elif fields:
            yield Change(kind="changed", path=full, before=first, after=node, fields=fields)
        elif not node.implied:
            yield Change(kind="same", path=full, before=first, after=node)
        if first.kind == "dir" or node.kind == "dir":
            yield full, was if first.kind == "dir" else (), now if node.kind == "dir" else ()
