"""What a script has made, changed or removed so far, as far as each of its commands is known to have done it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from imagepeel.rootfs.tree.inode import Inode, Node

Made = Mapping[str, Node | None]
"""By path without links: what stands there now, None where it was removed."""


def altered(node: Node, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> Node:
    """A file or directory that keeps everything but what is given."""
    return Inode(
        node.kind,
        node.mode if mode is None else mode,
        node.uid if uid is None else uid,
        node.gid if gid is None else gid,
        size=node.size,
    )


def within(made: Made, place: str) -> bool:
    """Whether a path is one of them or lies below one."""
    return any(place == top or place.startswith(f"{top}/") for top in made)


def names_in(made: Made, place: str, before: set[str]) -> set[str]:
    """The names in a directory that had these before."""
    for path, node in made.items():
        directory, name = posixpath.split(path)
        if directory == place:
            before = before | {name} if node is not None else before - {name}
    return before


def made_program(made: Made, name: str) -> bool:
    """Whether a program of this name may be one of the files that were made."""
    last = posixpath.basename(name)
    return any(node is not None and not node.is_dir and posixpath.basename(path) == last for path, node in made.items())
