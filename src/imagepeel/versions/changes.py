"""What differs between two versions of a path beside the lines of a text: metadata, sizes, what an ELF file needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import text
from imagepeel.versions.content import Content, ElfBrief
from imagepeel.versions.patch import Side

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode

Changed = Literal[
    "type", "target", "device", "mode", "uid", "gid", "xattr", "size", "digest", "content", "encoding",
    "line ends", "interpreter", "needed", "soname", "rpath", "runpath", "build-id",
]  # fmt: skip
"""What of a version can differ."""


class Difference(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs; `before` or `after` is "" where there is none, as of a library that is needed anew."""

    what: Changed
    before: str
    after: str


def differences(before: Side, after: Side) -> tuple[Difference, ...]:
    """Return what differs between two versions of a path, without the lines of texts and without their times."""
    return tuple(found for found in _differences(before, after) if found.before != found.after)


def _differences(before: Side, after: Side) -> Iterator[Difference]:
    one, two = before.node, after.node
    yield Difference(what="type", before=one.kind, after=two.kind)
    if one.kind == two.kind == "symlink":
        yield Difference(what="target", before=text(one.target), after=text(two.target))
    if one.kind == two.kind and one.device is not None and two.device is not None:
        yield Difference(what="device", before=_device(one), after=_device(two))
    if "symlink" not in (one.kind, two.kind):
        yield Difference(what="mode", before=f"{one.mode & 0o7777:04o}", after=f"{two.mode & 0o7777:04o}")
    yield Difference(what="uid", before=str(one.uid), after=str(two.uid))
    yield Difference(what="gid", before=str(one.gid), after=str(two.gid))
    yield from _xattrs(one, two)
    if before.read is not None and after.read is not None:
        yield from _contents(before.read.content, after.read.content)


def _device(node: Inode) -> str:
    return "{}:{}".format(*node.device) if node.device is not None else ""


def _xattrs(one: Inode, two: Inode) -> Iterator[Difference]:
    for name in sorted({*one.xattrs, *two.xattrs}):
        old, new = one.xattrs.get(name), two.xattrs.get(name)
        if old != new:
            sides = (f"{text(name)}={value.hex()}" if value is not None else "" for value in (old, new))
            yield Difference(what="xattr", before=next(sides), after=next(sides))


def _contents(one: Content, two: Content) -> Iterator[Difference]:
    yield Difference(what="content", before=one.kind, after=two.kind)
    if one.kind == two.kind == "text":
        yield Difference(what="encoding", before=_plain(one), after=_plain(two))
        yield Difference(what="line ends", before=one.line_ends, after=two.line_ends)
        return
    yield Difference(what="size", before=str(one.size), after=str(two.size))
    if one.digest and two.digest:
        yield Difference(what="digest", before=one.digest, after=two.digest)
    if one.elf is not None and two.elf is not None:
        yield from _elves(one.elf, two.elf)


def _plain(content: Content) -> str:
    """Return the encoding; ASCII is UTF-8 too."""
    return "utf-8" if content.encoding == "ascii" else content.encoding


def _elves(one: ElfBrief, two: ElfBrief) -> Iterator[Difference]:
    yield Difference(what="interpreter", before=one.interpreter, after=two.interpreter)
    old, new = dict.fromkeys(one.needed), dict.fromkeys(two.needed)
    yield from (Difference(what="needed", before=name, after="") for name in old if name not in new)
    yield from (Difference(what="needed", before="", after=name) for name in new if name not in old)
    yield Difference(what="soname", before=one.soname, after=two.soname)
    yield Difference(what="rpath", before=one.rpath, after=two.rpath)
    yield Difference(what="runpath", before=one.runpath, after=two.runpath)
    yield Difference(what="build-id", before=one.build_id, after=two.build_id)
