"""How two versions of a path differ, as a patch that git and GNU patch read: headers, and hunks of text.

The extended headers (`new file mode`, `old mode`) are those of git-diff(1), which GNU patch since 2.7 follows too.
What a patch cannot say has no headers of one: binaries, directories, devices, owners.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from imagepeel.evidence import text
from imagepeel.versions.content import Read
from imagepeel.versions.lines import Hunk, Matches, Work, hunks, matches
from imagepeel.versions.shown import Shown

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode

_NAMED = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_EMPTY_FILE, _NOTHING = "e69de29", "0000000"
"""What git calls a file without content, and no file."""
_NO_NEWLINE = "\\ No newline at end of file"


class Side(NamedTuple):
    """One of two versions: what is there, and what it holds where it is a regular file."""

    node: Inode
    read: Read | None


class Patch(NamedTuple):
    """Lines without newlines, secrets masked; whether something may be older than it looks; what is counted.

    added and removed count lines.  whole: False where there were too many lines to show.
    """

    lines: list[str]
    added: int = 0
    removed: int = 0
    exact: bool = True
    whole: bool = True


EMPTY = Patch([])


def patch(path: bytes, before: Side | None, after: Side | None, work: Work, room: int) -> Patch:
    """Return what makes one version of a path of the other, `EMPTY` where no patch can say it.

    Arguments: `path` is absolute; `before` or `after` is None for nothing there; `work` is what may be spent;
    `room` is how many lines may be shown.
    """
    if before is not None and after is not None and before.node.kind != after.node.kind:
        gone = patch(path, before, None, work, room)
        new = patch(path, None, after, work, room - len(gone.lines))
        return Patch(gone.lines + new.lines, new.added, gone.removed, True, gone.whole and new.whole)
    if not all(side is None or _sayable(side) for side in (before, after)):
        return EMPTY
    old, new_lines = _lines(before), _lines(after)
    found = matches(old, new_lines, work)
    names = [_quoted(side + path) for side in (b"a", b"b")]
    head = [f"diff --git {names[0]} {names[1]}", *_modes(before, after)]
    changes = list(hunks(found, len(old), len(new_lines)))
    if not changes:
        if before is None or after is None:
            # Without it, patch asks whether a file without content is to be removed.
            head.append(f"index {_EMPTY_FILE}..{_NOTHING}" if after is None else f"index {_NOTHING}..{_EMPTY_FILE}")
        return Patch(head if len(head) > 1 else [])
    one, two = (_ends(name) for name in names)
    head += [f"--- {one if before is not None else '/dev/null'}", f"+++ {two if after is not None else '/dev/null'}"]
    removed, added = _counts(found, len(old), len(new_lines))
    size = sum(end - start + 1 for hunk in changes for _, start, end in hunk.runs)
    if size > room:
        return Patch([], added, removed, found.exact, whole=False)
    shown = Shown(old, _margin(before)), Shown(new_lines, _margin(after))
    lines = [line for hunk in changes for line in _hunk(hunk, (old, new_lines), shown)]
    return Patch(head + lines, added, removed, found.exact)


def _sayable(side: Side) -> bool:
    if side.node.kind == "symlink":
        return True
    return side.read is not None and side.read.content.kind == "text"


def _lines(side: Side | None) -> list[bytes]:
    if side is None:
        return []
    return side.read.lines if side.read is not None else [side.node.target]


def _margin(side: Side | None) -> int:
    return side.read.margin if side is not None and side.read is not None else 0


def _modes(before: Side | None, after: Side | None) -> Iterator[str]:
    if before is None or after is None:
        side, word = (after, "new") if after is not None else (before, "deleted")
        if side is not None:
            yield f"{word} file mode {_mode(side.node)}"
    elif _mode(before.node) != _mode(after.node):
        yield f"old mode {_mode(before.node)}"
        yield f"new mode {_mode(after.node)}"
    elif after.node.kind == "symlink" and before.node.target != after.node.target:
        # The mode of this line is the only one that says that the text is that of a link.
        yield f"index {_git_id(before.node.target)}..{_git_id(after.node.target)} 120000"


def _git_id(target: bytes) -> str:
    """Return the first digits of the name that git gives to a link (git-hash-object(1))."""
    return hashlib.sha1(b"blob %d\0" % len(target) + target, usedforsecurity=False).hexdigest()[:7]


def _mode(node: Inode) -> str:
    return "120000" if node.kind == "symlink" else f"10{node.mode & 0o7777:04o}"


def _quoted(path: bytes) -> str:
    """Return a name as git quotes it where it has to."""
    shown = text(path)
    if shown.isprintable() and not set(shown) & set('"\\'):
        return shown
    return '"' + "".join(_NAMED.get(byte) or _byte(byte) for byte in path) + '"'


def _byte(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def _ends(name: str) -> str:
    """Return a name for a line where a tab ends it, which a name with a blank needs."""
    return name + "\t" if " " in name and not name.startswith('"') else name


def _counts(found: Matches, old: int, new: int) -> tuple[int, int]:
    same = sum(count for _, _, count in found.runs)
    return old - same, new - same


def _hunk(hunk: Hunk, texts: tuple[list[bytes], list[bytes]], shown: tuple[Shown, Shown]) -> Iterator[str]:
    yield hunk.head
    parts = shown[0].part(*hunk.old), shown[1].part(*hunk.new)
    starts = hunk.old[0], hunk.new[0]
    for sign, start, end in hunk.runs:
        side = sign == "+"
        first = starts[side]
        for at in range(start, end):
            yield sign + parts[side][at - first]
            if not texts[side][at].endswith(b"\n"):
                yield _NO_NEWLINE
