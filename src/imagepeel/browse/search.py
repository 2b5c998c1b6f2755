"""What is searched for in the tree, and the one walk that answers it: paths, sizes, and the sums of directories."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from imagepeel.browse.tree import FileRow
from imagepeel.errors import UsageError
from imagepeel.rootfs.search import Query, path_matcher
from imagepeel.rootfs.tree.overlay import Merged
from imagepeel.text import in_bytes

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode

MOST_FOUND = 5_000
"""Paths that a search lists; the number of all is said."""


def parse(words: str) -> Query:
    """Return the query of a search as people type it, with the meaning of `imagepeel find`.

    A word is a part of a name; with a slash or `*?[` it is the pattern itself; `>1M` and `<4k` bound the size of files.
    Of several patterns one must match.  UsageError for a size that is none.
    """
    patterns: list[str] = []
    larger = smaller = None
    for word in words.split():
        if word[0] in "<>":
            size = in_bytes(word[1:])
            if size is None:
                raise UsageError(f"{word} is no size", hint="write >10M or <4k")
            larger, smaller = (size, smaller) if word[0] == ">" else (larger, size)
        else:
            patterns.append(word if any(mark in word for mark in "*?[/") else f"*{word}*")
    return Query(patterns=tuple(patterns), larger=larger, smaller=smaller)


class Found(msgspec.Struct, frozen=True):
    """What a search found: the first paths in their tree, and how many there are."""

    rows: list[FileRow]
    total: int


class Index:
    """The paths of a tree with their sizes, in the order of the tree, and the bytes below each directory.

    A file with several names counts once in the sum of a directory, at the first of them.
    """

    def __init__(self, root: Merged) -> None:
        self.root = root
        self.paths: list[bytes] = []
        self._sizes = array("q")
        self._files = bytearray()
        self.sums: dict[bytes, int] = {}
        self.whole = False

    def build(self, stopped: Callable[[], bool]) -> bool:
        """Walk the tree once; False when `stopped` said so before the end."""
        seen: set[tuple[int | None, int | None]] = set()
        ahead = [(b"", iter(sorted(self.root.peek().items())))]
        own = [0]
        while ahead:
            path, children = ahead[-1]
            for name, child in children:
                here = path + b"/" + name
                node = child.top if isinstance(child, Merged) else child
                is_file = node.kind == "file"
                self.paths.append(here)
                self._sizes.append(node.size if is_file else 0)
                self._files.append(is_file)
                if is_file and not self._again(node, seen):
                    own[-1] += node.size
                if isinstance(child, Merged):
                    ahead.append((here, iter(sorted(child.peek().items()))))
                    own.append(0)
                    break
            else:
                ahead.pop()
                total = own.pop()
                self.sums[path] = total
                if own:
                    own[-1] += total
                if stopped():
                    return False
        self.whole = True
        return True

    @staticmethod
    def _again(node: Inode, seen: set[tuple[int | None, int | None]]) -> bool:
        if node.nlink < 2:
            return False
        key = (node.layer, node.entry)
        if key in seen:
            return True
        seen.add(key)
        return False

    def search(self, query: Query) -> Found:
        """Return what matches, parents before children.  UsageError for a bad pattern."""
        matches = path_matcher(query)
        bounded = query.larger is not None or query.smaller is not None
        hits: list[bytes] = []
        total = 0
        for at, path in enumerate(self.paths):
            if bounded and not self._fits(at, query):
                continue
            if matches is None or matches(path):
                total += 1
                if len(hits) < MOST_FOUND:
                    hits.append(path)
        return Found(self._rows(hits), total)

    def _fits(self, at: int, query: Query) -> bool:
        size = self._sizes[at]
        large = query.larger is None or size > query.larger
        return bool(self._files[at]) and large and (query.smaller is None or size < query.smaller)

    def _rows(self, hits: list[bytes]) -> list[FileRow]:
        """Return the rows of paths and of the directories above them, in the order of the tree."""
        directories: dict[bytes, Merged] = {b"": self.root}
        rows: list[FileRow] = []

        def put(path: bytes) -> None:
            above, _, name = path.rpartition(b"/")
            child = directories[above].child(name)
            if child is None:
                return
            merged = child if isinstance(child, Merged) else None
            if merged is not None:
                directories[path] = merged
            node = merged.top if merged is not None else child
            assert not isinstance(node, Merged)
            rows.append(FileRow(path, node, "", path.count(b"/") - 1, merged))

        for path in hits:
            missing = []
            above = path.rpartition(b"/")[0]
            while above not in directories:
                missing.append(above)
                above = above.rpartition(b"/")[0]
            for one in reversed(missing):
                put(one)
            if path not in directories:
                put(path)
        return rows
