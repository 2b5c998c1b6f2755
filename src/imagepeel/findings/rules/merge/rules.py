"""What the kernel makes of the layers: whiteouts and links whose outcome surprises, or differs between engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, text
from imagepeel.findings.finding import Finding
from imagepeel.findings.names import Hit, upwards
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.rules.entries.rules import global_header, overlay_marks
from imagepeel.findings.semantics.compare import notes
from imagepeel.formats.tar.header import DIRECTORY
from imagepeel.formats.tar.whiteouts import AUFS_PREFIX, PREFIX, Mark, hidden_path, opaque_mark_of, parse
from imagepeel.rootfs.unreachable import losses
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.rootfs.tree.inode import Inode

_IN_DETAIL = 49
"""Shadowed links that are looked at one by one; a hostile image has more, and each costs the size of its target."""


def _explicit(subject: Subject, layer: int) -> frozenset[bytes]:
    """Directories that have an entry of their own in a layer, absolute."""
    key = f"explicit {layer}"
    known: frozenset[bytes] | None = subject.cache.get(key)
    if known is None:
        table = subject.layers[layer].table
        kinds = {number for number, meta in enumerate(table.metas) if meta.type == DIRECTORY}
        metas = table.meta_ids
        known = frozenset(b"/" + table.path(i) for i, number in enumerate(metas) if number in kinds)
        subject.cache[key] = known
    return known


def _implied(subject: Subject, layer: int) -> frozenset[bytes]:
    """Directories that exist in a layer only because something stands in them, absolute."""
    key = f"implied {layer}"
    known: frozenset[bytes] | None = subject.cache.get(key)
    if known is not None:
        return known
    out: set[bytes] = set()
    explicit = _explicit(subject, layer)
    table = subject.layers[layer].table
    for directory in table.dirs:
        path = b"/" + directory
        while len(path) > 1 and path not in out:
            if path not in explicit:
                out.add(path)
            path = path.rpartition(b"/")[0] or b"/"
    subject.cache[key] = made = frozenset(out)
    return made


@rule(
    "LINK-SHADOWED",
    "A layer replaces a symbolic link by a directory and hides what it led to",
    "medium",
    "strengths",
    "tooling",
    """Rootful engines unpack each layer alone and merge them by path: an entry `lib/x` over a link `lib` gives a
    directory with x alone, and everything behind the link is unreachable by that name.  Rootless engines apply layers
    one after the other and write through the link.  One image, two filesystems.""",
    "write the file below the link's target (usr/lib/x), and do not pack entries for linked directories",
    codes="W47, LINKSHADOW",
    sources="bazel-contrib/rules_oci#857, bazeldnf#15, distroless#1393",
)
def link_shadowed(rule: Rule, subject: Subject) -> Iterator[Finding]:
    links = [item for item in losses(subject.rootfs).buried if item[2].kind == "symlink"]
    makers = _makers(subject, links[:_IN_DETAIL])
    names: dict[bytes, set[bytes]] = {}
    for layer, path, before in links[:_IN_DETAIL]:
        # What the link led to in the final tree: names that were reachable and are not any more.
        target = before.target if before.target.startswith(b"/") else path.rpartition(b"/")[0] + b"/" + before.target
        if target not in names:
            names[target] = _names(subject, target)
        gone = sorted(names[target] - _names(subject, path))
        described = path in _explicit(subject, layer)
        link = f"layer L{layer + 1} makes a directory of the link {text(path)} -> {text(before.target)}"
        places = [makers[layer, path], subject.at(before.layer or 0, before.entry or 0)]
        if gone:
            yield rule.found(
                f"{link}: {plural(len(gone), 'name')} can no longer be reached by it, such as "
                f"{text(path)}/{text(gone[0])}",
                *places,
                details=[] if described else ["rootless engines write through the link and keep all names"],
            )
        elif not described:
            yield rule.found(
                f"{link}; rootless engines write through the link instead, into {text(before.target)}",
                *places,
                severity="low",
            )
    left = links[_IN_DETAIL:]
    if left:
        yield rule.found(
            f"{plural(len(left), 'more link')} become directories, such as {text(left[0][1])}",
            *[subject.at(before.layer or 0, before.entry or 0) for _, _, before in left[:5]],
            severity="low",
        )


def _makers(subject: Subject, links: list[tuple[int, bytes, Inode]]) -> dict[tuple[int, bytes], Location]:
    """The entries that make directories of links, by layer and path: the directory's own, or the first one below."""
    places: dict[tuple[int, bytes], Location] = {}
    for layer in {layer for layer, _, _ in links}:
        table = subject.layers[layer].table
        wanted = {path[1:] for at, path, _ in links if at == layer}
        beside = {path.rpartition(b"/")[0] for path in wanted}
        parents = {number for number, directory in enumerate(table.dirs) if directory in beside}
        inside = {number: above for number, at in enumerate(table.dirs) if (above := wanted.intersection(upwards(at)))}
        for index, number in enumerate(table.dir_ids):
            made = inside.get(number, set())
            if number in parents and (path := table.path(index)) in wanted:
                made = {path, *made}
            for path in made:
                if (layer, b"/" + path) not in places:
                    places[layer, b"/" + path] = subject.at(layer, index)
        for path in wanted:
            nowhere = Location(layer=layer, step=subject.layers[layer].step, path="/" + text(path))
            places.setdefault((layer, b"/" + path), nowhere)
    return places


def _names(subject: Subject, path: bytes) -> set[bytes]:
    try:
        return set(subject.rootfs.listdir(path))
    except ImagepeelError:
        return set()


@rule(
    "FILE-BECOMES-DIRECTORY",
    "A layer puts files below what was a file",
    "medium",
    "strengths",
    "deployments",
    """A layer holds `f/x` and no entry for `f`, and below it `f` is a file.  Rootful engines unpack the layer alone and
    get a directory; rootless ones and those without overlayfs unpack it onto the layers below and stop: not a
    directory.""",
    "pack an entry for the directory itself",
    codes="FILETODIR",
    sources="containerd pkg/archive/tar.go",
)
def file_becomes_directory(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer, path, before in losses(subject.rootfs).buried:
        if before.kind != "symlink" and path not in _explicit(subject, layer):
            yield rule.found(
                f"{text(path)} is a {before.kind} in L{(before.layer or 0) + 1} and a directory from L{layer + 1} on: "
                "rootless engines refuse the layer",
                subject.at(before.layer or 0, before.entry or 0),
                Location(layer=layer, step=subject.layers[layer].step),
                profiles=("podman rootless",),
            )


@rule(
    "PARENT-NOT-DESCRIBED",
    "A directory has other attributes with Docker than with containerd",
    "low",
    "strengths",
    "tooling",
    """A layer holds a file and no entry for its directory.  containerd copies owner, mode and attributes from the
    directory below; Docker's own store and podman make it 0755 root:root.  /tmp then loses its 1777, and a private
    directory opens.""",
    "pack the parent directories too, with their attributes",
    codes="W48, IMPLIEDATTR",
    sources="image-spec#737, image-spec#970, moby#44106, containerd#3017",
)
def parent_not_described(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.rootfs.refusal is not None:
        return
    hits = []
    described: set[bytes] = set()
    links: set[bytes] = set()
    for layer in subject.layers:
        for path in sorted(_implied(subject, layer.index)) if layer.index else ():
            # Only what a lower layer describes, or a link of it leads to, has attributes to lend.
            if path not in described and links.isdisjoint(upwards(path[1:])):
                continue
            node = subject.node(path, follow=False)
            if node is None or not node.is_dir or not node.implied:
                continue
            if (node.mode, node.uid, node.gid) != (0o755, 0, 0) or node.xattrs:
                hits.append((layer.index, path, node))
        described |= _explicit(subject, layer.index)
        links.update(map(layer.table.path, layer.table.links))
    told: dict[bytes, tuple[int, int, int, int]] = {}
    for layer_index, path, node in hits:
        told[path] = (layer_index, node.mode, node.uid, node.gid)
    if told:
        shown = [f"{text(p)} ({m:04o} {u}:{g} there, 0755 0:0 here)" for p, (_, m, u, g) in sorted(told.items())]
        path, (layer_index, *_rest) = next(iter(sorted(told.items())))
        yield rule.found(
            f"Docker's overlay2 and podman reset {plural(len(told), 'directory')} that containerd keeps: "
            f"{listed(shown, 3)}",
            subject.place(path),
            profiles=("docker@28", "podman@5.8"),
            details=[f"{text(p)}: layer L{at[0] + 1} has no entry for it" for p, at in sorted(told.items())[:20]],
        )


@rule(
    "RESURRECTED",
    "Removed files come back",
    "medium",
    "headcount",
    "infosec",
    """One layer removes a directory and makes it again.  In an overlay the new directory lies over the old one and
    merges with it: what was removed is visible again.  Engines that apply layers one after the other, and the
    specification, keep it removed.""",
    "write an opaque whiteout into the new directory, as overlay-based builders do",
    codes="RESURRECT",
    sources="image-spec layer.md, overlayfs.rst",
)
def resurrected(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.rootfs.refusal is not None:
        return
    made: dict[int, frozenset[bytes]] = {}
    for hit in subject.names.whiteouts:
        if _is(hit, Mark.OPAQUE) or hit.layer == 0:
            continue
        if hit.layer not in made:
            made[hit.layer] = _explicit(subject, hit.layer) | _implied(subject, hit.layer)
        gone = hidden_path(hit.path)
        if gone not in made[hit.layer]:
            continue
        node = subject.node(gone, follow=False)
        if node is None or not node.is_dir or node.opaque:
            continue
        back = []
        try:
            for path, child in subject.rootfs.walk(gone):
                if child.layer is not None and child.layer < hit.layer and not child.is_dir and path != gone:
                    back.append((path, child))
                if len(back) >= 1000:
                    break
        except ImagepeelError:
            continue
        if back:
            path, child = back[0]
            yield rule.found(
                f"layer L{hit.layer + 1} removes {text(gone)} and makes it again: {plural(len(back), 'old file')} "
                f"{'is' if len(back) == 1 else 'are'} visible, such as {text(path)} of L{(child.layer or 0) + 1}",
                subject.place(hit),
                subject.at(child.layer or 0, child.entry or 0),
            )


@rule(
    "ROOT-OPAQUE",
    "A layer wants to hide everything below it, and overlay engines ignore that",
    "medium",
    "strengths",
    "tooling",
    """An opaque whiteout in the root of a layer says "nothing of the layers below".  The kernel cannot make the root
    of an overlay opaque, so containerd, Docker and podman show everything; engines without overlay, and the
    specification, wipe it.""",
    "squash the image, or remove paths one by one",
    codes="ROOTOPQ",
    sources="image-spec layer.md Opaque Whiteout",
)
def root_opaque(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for hit in subject.names.whiteouts:
        if hit.path == opaque_mark_of(b"/") and hit.layer:
            yield rule.found(
                f"layer L{hit.layer + 1} has an opaque whiteout in its root: overlay engines keep all lower files, "
                "others show none",
                subject.place(hit),
            )


@rule(
    "GHOST-NAME",
    "A name is listed and does not exist",
    "low",
    "strengths",
    "kernel",
    """A whiteout in a directory that no lower layer shares, or beside an opaque mark, has nothing to hide.  The kernel
    then lists the name and answers "no such file" for it: ls prints question marks, backup tools stop.""",
    "leave out whiteouts for what is not there",
    codes="GHOST",
    sources="overlayfs.rst, whiteouts and opaque directories",
)
def ghost_name(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.rootfs.refusal is not None:
        return
    ghosts: list[Hit] = []
    by_parent: dict[bytes, list[Hit]] = {}
    removing = losses(subject.rootfs).whiteouts
    for hit in subject.names.whiteouts:
        # A whiteout that took something away stands in a directory that a lower layer shares.
        if not _is(hit, Mark.OPAQUE) and (hit.layer, hidden_path(hit.path)) not in removing:
            by_parent.setdefault(hit.path.rpartition(b"/")[0], []).append(hit)
    for parent, hits in by_parent.items():
        try:
            merged = subject.rootfs.merged(parent or b"/")
        except ImagepeelError:
            continue
        if len(merged.stack) != 1:
            continue  # the kernel merges it with a lower directory and leaves whiteouts out
        children = merged.children
        for hit in hits:
            child = children.get(hidden_path(hit.path).rpartition(b"/")[2])
            if child is not None and getattr(child, "kind", "") == "ghost":
                ghosts.append(hit)
    if ghosts:
        shown = [text(hidden_path(hit.path)) for hit in ghosts]
        yield rule.found(
            f"{listed(shown, 4)} {'is' if len(ghosts) == 1 else 'are'} listed by ls and cannot be opened: a whiteout "
            "hides nothing there",
            *[subject.place(hit) for hit in ghosts[:10]],
        )


@rule(
    "WHITEOUT-NAMES",
    "A directory is named like a whiteout",
    "medium",
    "headcount",
    "infosec",
    """The specification reserves names that start with `.wh.` for whiteouts.  A directory of that name really appears
    with overlay engines, and is taken for a removal, or left out, by others.""",
    "rename it",
    codes="WHNAME",
    sources="image-spec layer.md Whiteouts",
)
def whiteout_names(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        named = {
            number: directory
            for number, directory in enumerate(layer.table.dirs)
            if PREFIX in directory and any(map(_like_a_whiteout, directory.split(b"/")))
        }
        first: dict[int, int] = {}
        for index, number in enumerate(layer.table.dir_ids if named else ()):
            if number in named:
                first.setdefault(number, index)
        for number, index in first.items():
            yield rule.found(
                f"layer L{layer.index + 1} has files below /{text(named[number])}, a whiteout by its name",
                subject.at(layer.index, index),
            )


def _is(hit: Hit, *marks: Mark) -> bool:
    whiteout = parse(hit.path.rpartition(b"/")[2])
    return whiteout is not None and whiteout.mark in marks


def _like_a_whiteout(part: bytes) -> bool:
    return part.startswith(PREFIX) and not part.startswith(AUFS_PREFIX)


@rule(
    "AUFS-LEFTOVER",
    "Bookkeeping of an old storage driver is in a layer",
    "low",
    "strengths",
    "tooling",
    """`.wh..wh.plnk`, `.wh..wh.aufs` and `.wh..wh.orph` belong to AUFS, which Docker used long ago.  Today's engines
    disagree: some skip them, some show them as files.""",
    "build the image again",
    codes="AUFS",
    sources="moby#15517",
)
def aufs(rule: Rule, subject: Subject) -> Iterator[Finding]:
    hits = [hit for hit in subject.names.whiteouts if _is(hit, Mark.AUFS)]
    if hits:
        yield rule.found(
            f"{plural(len(hits), 'entry', 'entries')} of AUFS: {listed([text(hit.path) for hit in hits], 3)}",
            *[subject.place(hit) for hit in hits[:10]],
        )


@rule(
    "BASE-WHITEOUT",
    "The base layer removes something",
    "low",
    "strengths",
    "tooling",
    """There is nothing below the base layer.  containerd applies such a whiteout to the layer itself and may delete a
    file of it, Docker and podman refuse or leave a name behind that cannot be opened.""",
    "flatten the layers when cutting an image apart",
    codes="BASEWHITEOUT",
    sources="image-spec layer.md Whiteouts",
)
def base_whiteout(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.image.record.kind == "layer":
        return
    hits = [hit for hit in subject.names.whiteouts if hit.layer == 0 and not _is(hit, Mark.OPAQUE, Mark.AUFS)]
    if hits:
        yield rule.found(
            f"the base layer holds {plural(len(hits), 'whiteout')}: {listed([text(hit.path) for hit in hits], 3)}",
            *[subject.place(hit) for hit in hits[:10]],
        )


@rule(
    "ROOTLESS-DIFFERS",
    "Rootless engines show another filesystem, or refuse the image",
    "medium",
    "strengths",
    "deployments",
    """Rootful engines unpack each layer alone and let the kernel merge them.  Rootless containerd, and stores without
    overlayfs (vfs, btrfs, zfs), unpack each layer onto the last.  What a layer does to links and directories of another
    one then comes out differently: a test with one engine says nothing about the other.""",
    "see `imagepeel views` for the paths, and build the layers so that they do not depend on it",
    codes="ROOTLESS",
    sources="containerd pkg/archive/tar.go, overlayfs.rst",
)
def rootless_differs(rule: Rule, subject: Subject) -> Iterator[Finding]:
    # The second filesystem costs as much as the first: it is built where another rule saw a reason only.
    if subject.rootfs.refusal is None and not any(cause.results(subject) for cause in _CAUSES):
        return
    if not subject.image.record.complete:
        return
    for note in notes(subject.image):
        if note.code == "ROOTLESS":
            where = note.where
            if where.layer is None:
                where = subject.place(where.path or "/")
            if where.layer is None:  # a path of the other filesystem only: the top layer made the difference
                last = subject.layers[-1]
                where = Location(layer=last.index, step=last.step, path=note.where.path)
            yield rule.found(note.message, where, profiles=("podman rootless",))


_CAUSES = (
    link_shadowed,
    file_becomes_directory,
    resurrected,
    root_opaque,
    ghost_name,
    whiteout_names,
    aufs,
    base_whiteout,
    overlay_marks,
    global_header,
)
RULES: tuple[Rule, ...] = (
    link_shadowed,
    file_becomes_directory,
    parent_not_described,
    resurrected,
    root_opaque,
    ghost_name,
    whiteout_names,
    aufs,
    base_whiteout,
    rootless_differs,
)
