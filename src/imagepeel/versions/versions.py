"""The versions of one path, base layer first, and which of them brought each line (`blame`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from imagepeel.archive.knowledge import ImagePart
from imagepeel.rootfs.provenance import history_of
from imagepeel.rootfs.tree.metadata import KIND, apply_metadata, new_inode
from imagepeel.versions.content import Hashing, Read, read
from imagepeel.versions.lines import Work, matches
from imagepeel.versions.shown import Shown

if TYPE_CHECKING:
    from imagepeel.evidence import Name
    from imagepeel.rootfs.provenance import PathEvent, PathHistory
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

MOST_GONE = 10_000
"""Deleted lines of one path that are told."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer makes of a path.

    event: what it does.  before, after: what is at the path below this layer and with it, None for nothing.
    unseen: layers between the version before and this one that are not here whole, as indexes from 0: each may have a
    version of its own.
    """

    event: PathEvent
    before: Inode | None
    after: Inode | None
    unseen: tuple[int, ...] = ()


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """All versions of the path that another one leads to.

    unseen_after: layers above the last version that are not here whole.
    """

    history: PathHistory
    versions: tuple[Version, ...]
    unseen_after: tuple[int, ...] = ()


def versions_of(rootfs: Rootfs, path: Name, *, follow: bool = True) -> Versions:
    """Return the versions of a path over all layers that are here, links on the way followed as the view has them.

    Renames are not guessed.  Of a view that keeps no layer trees the versions are the entries that name the path.
    """
    history = history_of(rootfs, path, follow=follow)
    unseen = unseen_layers(rootfs)
    out: list[Version] = []
    state: Inode | None = None
    last = -1
    for event in history.life.events:
        node = event.node or _of_entry(rootfs, event)
        out.append(
            Version(
                event=event,
                before=state,
                after=node,
                unseen=tuple(layer for layer in unseen if last < layer <= event.layer),
            )
        )
        state, last = node, event.layer
    after = tuple(layer for layer in unseen if layer > last)
    return Versions(history=history, versions=tuple(out), unseen_after=after)


def _of_entry(rootfs: Rootfs, event: PathEvent) -> Inode | None:
    """Return what an entry puts at its path where the view has no tree of its layer; of a hardlink nobody can tell."""
    if event.kind == "removed" or event.where.entry is None:
        return None
    entry = rootfs.layers[event.layer].table[event.where.entry]
    if entry.type not in KIND:
        return None
    node = new_inode(entry, event.layer)
    apply_metadata(node, entry)
    return node


def unseen_layers(rootfs: Rootfs) -> tuple[int, ...]:
    """Return the layers, as indexes from 0, of which not every entry was seen: they are missing or damaged."""
    gaps = (gap.layer for gap in rootfs.knowledge.gaps if gap.part is ImagePart.LAYER)
    return tuple(sorted({layer for layer in gaps if layer is not None}))


class Contents:
    """The contents of the versions of a path: the lines of the last ones that were asked for are kept."""

    def __init__(self, rootfs: Rootfs) -> None:
        self._rootfs = rootfs
        self._hashing = Hashing()
        self._known: dict[tuple[int | None, int | None], Read] = {}
        self._brief: dict[tuple[int | None, int | None], Read] = {}

    def brief(self, node: Inode | None) -> Read | None:
        """Return the same as `of`, without lines where they are not at hand."""
        if node is None:
            return None
        return self._brief.get((node.layer, node.entry)) or self.of(node)

    def of(self, node: Inode | None) -> Read | None:
        """Return what a node holds, None for what is no regular file."""
        if node is None or node.kind != "file":
            return None
        key = node.layer, node.entry
        known = self._known.get(key)
        if known is None:
            while len(self._known) > 1:
                del self._known[next(iter(self._known))]
            known = self._known[key] = read(self._rootfs, node, self._hashing)
            self._brief[key] = Read(content=known.content, lines=[])
        return known


class Gone(NamedTuple):
    """A line of an earlier version that the last one lacks: its number there, who brought it, and who deleted it.

    The numbers of versions count from 0; `last` is the last version that has it, in which it is line `number`.  `line`
    has no newline, and its secrets are masked.
    """

    line: str
    brought: int
    last: int
    number: int


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """Which version brought each line of the last text at a path.

    shown: the version whose lines these are, None where no version is text.  origins: of each of its lines, the version
    that brought it; the lines have no newlines, and their secrets are masked.  gone: lines that earlier versions have
    and this one lacks, as far as `MOST_GONE`; gone_count: how many there are.  exact: False where a comparison was cut
    short, so that lines may be older than is said.
    """

    shown: int | None
    lines: tuple[str, ...] = ()
    origins: tuple[int, ...] = ()
    gone: tuple[Gone, ...] = ()
    gone_count: int = 0
    exact: bool = True


class _Text(NamedTuple):
    version: int
    lines: list[bytes]
    origins: list[int]
    margin: int


class _Gone:
    """The deleted lines, as far as they are told, and how many there are."""

    def __init__(self) -> None:
        self.lines: list[Gone] = []
        self.count = 0

    def add(self, text: _Text, gaps: list[tuple[int, int]]) -> None:
        shown = Shown(text.lines, text.margin)
        for start, end in gaps:
            some = min(end, start + max(0, MOST_GONE - len(self.lines)))
            if start < some:
                self.lines += (
                    Gone(line, text.origins[at], text.version, at + 1)
                    for at, line in enumerate(shown.part(start, some), start)
                )
            self.count += end - start


def blame(contents: Contents, found: Versions) -> Blame:
    """Return which version brought each line of the last version that is a text.

    A version that is no text, and a removal, end what came before: lines that come back are brought anew.
    """
    work, gone = Work(), _Gone()
    shown: _Text | None = None
    lives = exact = True
    for number, version in enumerate(found.versions):
        if version.after is None:
            lives = False
            continue
        content = contents.of(version.after)
        if content is None or content.content.kind != "text" or not lives or shown is None:
            if shown is not None:
                gone.add(shown, [(0, len(shown.lines))])
            lines = content.lines if content is not None else []
            text = content is not None and content.content.kind == "text"
            shown = (
                _Text(number, lines, [number] * len(lines), content.margin) if text and content is not None else None
            )
            lives = True
            continue
        same = matches(shown.lines, content.lines, work)
        exact = exact and same.exact
        origins = [number] * len(content.lines)
        at, gaps = 0, []
        for old, new, count in same.runs:
            origins[new : new + count] = shown.origins[old : old + count]
            gaps.append((at, old))
            at = old + count
        gone.add(shown, [*gaps, (at, len(shown.lines))])
        shown = _Text(number, content.lines, origins, content.margin)
    return Blame(
        shown=shown.version if shown is not None else None,
        lines=tuple(Shown(shown.lines, shown.margin).part(0, len(shown.lines))) if shown is not None else (),
        origins=tuple(shown.origins) if shown is not None else (),
        gone=tuple(gone.lines),
        gone_count=gone.count,
        exact=exact,
    )
