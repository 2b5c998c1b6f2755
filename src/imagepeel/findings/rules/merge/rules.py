"""What the kernel makes of the layers: whiteouts and links whose outcome surprises, or differs between engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, layer_label, raw, text
from imagepeel.findings.finding import Finding
from imagepeel.findings.names import upwards
from imagepeel.findings.rule import Rule, by_notes, rule
from imagepeel.findings.semantics.codes import Degree
from imagepeel.findings.semantics.stack import before, names_behind
from imagepeel.process.engines.registry import DOCKER, PODMAN
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_MOST_WALKED = 1000


@rule(
    "LINK-SHADOWED",
    "A layer replaces a symbolic link by a directory and hides what it led to",
    "medium",
    "strengths",
    "tooling",
    why="""Rootful engines unpack each layer alone and merge them by path: an entry `lib/x` over a link `lib` gives a
    directory with x alone, and everything behind the link is unreachable by that name.  Rootless engines apply layers
    one after the other and write through the link.  One image, two filesystems.""",
    fix="write the file below the link's target (usr/lib/x), and do not pack entries for linked directories",
    codes="W47",
    of="LINKSHADOW",
    lesser={Degree.NOTHING_LOST: "low"},
    sources="bazel-contrib/rules_oci#857, bazeldnf#15, distroless#1393",
)
def link_shadowed(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in subject.surprises.of("LINKSHADOW"):
        layer = noted.layer or 0
        makers = _makers(subject, layer, [raw(note.where.path or "")[1:] for note in noted.notes])
        for note in noted.notes:
            path = raw(note.where.path or "")
            link = before(subject.rootfs, layer, path[1:])
            assert link is not None
            gone = names_behind(subject.rootfs, path, link)
            message = f"layer {layer_label(layer)} makes a directory of the link {text(path)} -> {text(link.target)}"
            if gone:
                message += f": {plural(len(gone), 'name')} can no longer be reached by it, such as {text(path)}/"
                message += text(gone[0])
            elif note.views:
                message += f"; rootless engines write through the link instead, into {text(link.target)}"
            yield rule.report(
                message,
                makers.get(path[1:], note.where),
                subject.at(link.layer or 0, link.entry or 0),
                severity=rule.severity_of(noted),
                details=["rootless engines write through the link and keep all names"] if gone and note.views else [],
            )
        if noted.more:
            yield rule.report(
                f"{plural(noted.more, 'more link')} of layer {layer_label(layer)} become directories",
                noted.notes[-1].where,
                severity="low",
            )


def _makers(subject: Subject, layer: int, paths: list[bytes]) -> dict[bytes, Location]:
    """The entries that make directories: the directory's own, or the first one below; in one pass over a layer."""
    table = subject.layers[layer].table
    wanted = frozenset(paths)
    beside = {path.rpartition(b"/")[0] for path in wanted}
    parents = {number for number, directory in enumerate(table.dirs) if directory in beside}
    inside = {number: above for number, at in enumerate(table.dirs) if (above := wanted.intersection(upwards(at)))}
    places: dict[bytes, Location] = {}
    for index, number in enumerate(table.dir_ids):
        made = inside.get(number, frozenset())
        if number in parents and (path := table.path(index)) in wanted:
            made |= {path}
        for path in made:
            if path not in places:
                places[path] = subject.at(layer, index)
    return places


FILE_BECOMES_DIRECTORY = rule(
    "FILE-BECOMES-DIRECTORY",
    "A layer puts files below what was a file",
    "medium",
    "strengths",
    "deployments",
    why="""A layer holds `f/x` and no entry for `f`, and below it `f` is a file.  Rootful engines unpack the layer alone
    and get a directory; rootless ones and those without overlayfs unpack it onto the layers below and stop: not a
    directory.""",
    fix="pack an entry for the directory itself",
    of="FILETODIR",
    sources="containerd pkg/archive/tar.go",
)(by_notes("podman rootless"))

PARENT_NOT_DESCRIBED = rule(
    "PARENT-NOT-DESCRIBED",
    "A directory has other attributes with Docker than with containerd",
    "low",
    "strengths",
    "tooling",
    why="""A layer holds a file and no entry for its directory.  containerd copies owner, mode and attributes from the
    directory below; Docker's own store and podman make it 0755 root:root.  /tmp then loses its 1777, and a private
    directory opens.""",
    fix="pack the parent directories too, with their attributes",
    codes="W48",
    of="IMPLIEDATTR",
    sources="image-spec#737, image-spec#970, moby#44106, containerd#3017",
)(by_notes(DOCKER, PODMAN))


@rule(
    "RESURRECTED",
    "Removed files come back",
    "medium",
    "headcount",
    "infosec",
    why="""One layer removes a directory and makes it again.  In an overlay the new directory lies over the old one and
    merges with it: what was removed is visible again.  Engines that apply layers one after the other, and the
    specification, keep it removed.""",
    fix="write an opaque whiteout into the new directory, as overlay-based builders do",
    of="RESURRECT",
    sources="image-spec layer.md, overlayfs.rst",
)
def resurrected(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in subject.surprises.of("RESURRECT"):
        for number, note in enumerate(noted.notes):
            layer, directory = noted.layer or 0, note.touches[0]
            back = _old_files(subject, directory, layer)
            if not back:
                message = f"layer {layer_label(layer)}: {note.message}"
            else:
                node = subject.place(back[0])
                message = (
                    f"layer {layer_label(layer)} removes {directory} and makes it again: "
                    f"{plural(len(back), 'old file')} "
                    f"{'is' if len(back) == 1 else 'are'} visible, "
                    f"such as {text(back[0])} of {layer_label(node.layer or 0)}"
                )
            left = (
                [f"layer {layer_label(layer)} makes {noted.more:,} more removed directories again"]
                if noted.more
                else []
            )
            yield rule.report(
                message,
                note.where,
                *[subject.place(path) for path in back[:1]],
                details=left if number == len(noted.notes) - 1 else [],
            )


def _old_files(subject: Subject, directory: str, layer: int) -> list[bytes]:
    """Return the paths below a directory, at most 1,000, that show what is no directory of a lower layer."""
    back: list[bytes] = []
    try:
        for path, node in subject.rootfs.walk(directory):
            if node.layer is not None and node.layer < layer and not node.is_dir:
                back.append(path)
                if len(back) >= _MOST_WALKED:
                    break
    except ImagepeelError:
        return back
    return back


ROOT_OPAQUE = rule(
    "ROOT-OPAQUE",
    "A layer wants to hide everything below it, and overlay engines ignore that",
    "medium",
    "strengths",
    "tooling",
    why="""An opaque whiteout in the root of a layer says "nothing of the layers below".  The kernel cannot make the
    root of an overlay opaque, so containerd, Docker and podman show everything; engines without overlay, and the
    specification, wipe it.""",
    fix="squash the image, or remove paths one by one",
    of="ROOTOPQ",
    sources="image-spec layer.md Opaque Whiteout",
)(by_notes())

GHOST_NAME = rule(
    "GHOST-NAME",
    "A name is listed and does not exist",
    "low",
    "strengths",
    "kernel",
    why="""A whiteout in a directory that no lower layer shares, or beside an opaque mark, has nothing to hide.  The
    kernel then lists the name and answers "no such file" for it: ls prints question marks, backup tools stop.""",
    fix="leave out whiteouts for what is not there",
    of="GHOST",
    sources="overlayfs.rst, whiteouts and opaque directories",
)(by_notes())


@rule(
    "WHITEOUT-NAMES",
    "A directory is named like a whiteout",
    "medium",
    "headcount",
    "infosec",
    why="""The specification reserves names that start with `.wh.` for whiteouts.  A directory of that name really
    appears with overlay engines, and is taken for a removal, or left out, by others.""",
    fix="rename it",
    of="WHNAME",
    sources="image-spec layer.md Whiteouts",
)
def whiteout_names(rule: Rule, subject: Subject) -> Iterator[Finding]:
    return (rule.noted(subject, noted) for noted in subject.surprises.of("WHNAME") if noted.degree != Degree.NAMELESS)


AUFS_LEFTOVER = rule(
    "AUFS-LEFTOVER",
    "Bookkeeping of an old storage driver is in a layer",
    "low",
    "strengths",
    "tooling",
    why="""`.wh..wh.plnk`, `.wh..wh.aufs` and `.wh..wh.orph` belong to AUFS, which Docker used long ago.  Today's
    engines disagree: some skip them, some show them as files.""",
    fix="build the image again",
    of="AUFS",
    sources="moby#15517",
)(by_notes())

BASE_WHITEOUT = rule(
    "BASE-WHITEOUT",
    "The base layer removes something",
    "low",
    "strengths",
    "tooling",
    why="""There is nothing below the base layer.  containerd applies such a whiteout to the layer itself and may delete
    a file of it, Docker and podman refuse or leave a name behind that cannot be opened.""",
    fix="flatten the layers when cutting an image apart",
    of="BASEWHITEOUT",
    sources="image-spec layer.md Whiteouts",
)(by_notes())

ROOTLESS_DIFFERS = rule(
    "ROOTLESS-DIFFERS",
    "Rootless engines show another filesystem, or refuse the image",
    "medium",
    "strengths",
    "deployments",
    why="""Rootful engines unpack each layer alone and let the kernel merge them.  Rootless containerd, and stores
    without overlayfs (vfs, btrfs, zfs), unpack each layer onto the last.  What a layer does to links and directories of
    another one then comes out differently: a test with one engine says nothing about the other.""",
    fix="see `imagepeel views` for the paths, and build the layers so that they do not depend on it",
    of="ROOTLESS",
    sources="containerd pkg/archive/tar.go, overlayfs.rst",
)(by_notes("podman rootless"))

RULES: tuple[Rule, ...] = (
    link_shadowed,
    FILE_BECOMES_DIRECTORY,
    PARENT_NOT_DESCRIBED,
    resurrected,
    ROOT_OPAQUE,
    GHOST_NAME,
    whiteout_names,
    AUFS_LEFTOVER,
    BASE_WHITEOUT,
    ROOTLESS_DIFFERS,
)
