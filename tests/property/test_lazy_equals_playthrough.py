"""Layers made from columns on demand equal layers played through entry by entry, for containerd, Docker and podman.

The tars are written by Python's tarfile.  Sequential application is compared with a plain dictionary model.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections import Counter
from typing import Any
from unittest import mock

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from imagepeel.findings.semantics.side_by_side import side_by_side
from imagepeel.formats.tar.scanner import scan
from imagepeel.formats.tar.whiteouts import hidden_path
from imagepeel.rootfs.engines import containerd, docker, indexed, podman, regular
from imagepeel.rootfs.engines.indexed import IndexedDirectory, indexed_upper
from imagepeel.rootfs.layer_diff import layer_delta
from imagepeel.rootfs.layer_events import layer_counts, lost_files, shipped
from imagepeel.rootfs.search import Query, search
from imagepeel.rootfs.tree import overlay
from imagepeel.rootfs.tree.inode import MANY, Inode, Tree
from imagepeel.rootfs.tree.overlay import Plain
from imagepeel.rootfs.unreachable import losses
from imagepeel.rootfs.usage import kinds
from imagepeel.rootfs.view import Rootfs, build

NAMES = ("a", "b", "c.py", "Etc", "é")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


class TarLayer:
    """A layer of bytes."""

    def __init__(self, index: int, data: bytes) -> None:
        scanned = scan(data)
        self.index = index
        self.table = scanned.table
        self.error = scanned.error


@st.composite
def entries(draw: st.DrawFn, *, wild: bool, rooted: bool = False) -> list[tarfile.TarInfo]:
    """Members of one layer; tame ones never name a path twice nor use a file as a directory."""
    out: list[tarfile.TarInfo] = []
    taken: dict[str, str] = {}
    for _ in range(draw(st.integers(0, 8))):
        path = draw(paths)
        kind = draw(st.sampled_from(("file", "file", "file", "dir", "dir", "link", "hard", "whiteout", "opaque")))
        parents = ["/".join(path.split("/")[:i]) for i in range(1, path.count("/") + 1)]
        if not wild and (any(taken.get(p, "dir") != "dir" for p in parents) or path in taken):
            continue
        if kind == "whiteout":
            name = f"{path.rpartition('/')[0]}/.wh.{path.rpartition('/')[2]}".lstrip("/")
        elif kind == "opaque":
            name = f"{path}/.wh..wh..opq"
            parents.append(path)
        else:
            name = path
        info = tarfile.TarInfo(draw(st.sampled_from(("", "", "./"))) + name)
        info.mode = draw(st.sampled_from((0o644, 0o755, 0o4755, 0o700)))
        info.uid, info.gid = draw(st.sampled_from(((0, 0), (0, 0), (1000, 7))))
        info.mtime = draw(st.integers(0, 2_000_000_000))
        if kind == "dir":
            info.type = tarfile.DIRTYPE
        elif kind == "link":
            info.type, info.linkname = tarfile.SYMTYPE, draw(st.sampled_from(("a", "../b", "/Etc", "nowhere")))
        elif kind == "hard":
            files = [p for p, k in taken.items() if k == "file"]
            if not files and not wild:
                continue
            info.type = tarfile.LNKTYPE
            info.linkname = (
                draw(st.sampled_from(files)) if files and not (wild and draw(st.booleans())) else draw(paths)
            )
        else:
            info.size = draw(st.integers(0, 3)) if kind == "file" else 0
        if kind == "file" and draw(st.integers(0, 5)) == 0:
            key = draw(st.sampled_from(("user.k", "security.x", "trusted.t", "security.selinux")))
            info.pax_headers = {f"SCHILY.xattr.{key}": "v"}
        for parent in parents:
            taken.setdefault(parent, "dir")
        taken[path] = kind
        out.append(info)
    if draw(st.integers(0, 3)) == 0 and rooted:
        root = tarfile.TarInfo(draw(st.sampled_from((".", "./", "/", "a/.."))))
        root.type, root.mode, root.uid = tarfile.DIRTYPE, draw(st.sampled_from((0o755, 0o1777))), 7
        out.insert(draw(st.integers(0, len(out))), root)
    return out


def pack(members: list[tarfile.TarInfo]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return file.getvalue()


def layers_of(stack: list[list[tarfile.TarInfo]]) -> list[TarLayer]:
    return [TarLayer(i, pack(members)) for i, members in enumerate(stack)]


def facts(tree: Tree) -> dict[tuple[bytes, ...], Any]:
    """Everything about every path, and which paths are one inode."""
    out: dict[tuple[bytes, ...], Any] = {}
    first: dict[int, tuple[bytes, ...]] = {}
    for path, node in tree.walk(tree.root, ()):
        if not path:
            continue
        same = first.setdefault(id(node), path) if node.kind != "dir" else path
        marks = (
            () if node.is_whiteout else (node.mode, node.uid, node.gid, node.size, node.mtime, node.target, node.nlink)
        )
        out[path] = (node.kind, *marks, dict(node.xattrs), node.opaque, node.layer, node.entry, node.implied, same)
    return out


STACKS = st.lists(entries(wild=False, rooted=True) | entries(wild=True, rooted=True), min_size=1, max_size=3)
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(STACKS)
def test_containerd_layers(stack: list[list[tarfile.TarInfo]]) -> None:
    lazy: list[Tree] = []
    played: list[Tree] = []
    for layer in layers_of(stack):
        tree = Tree()
        refusal = containerd.unpack_layer(tree, layer, overlay=layer.index > 0, parents=played[::-1])
        columns = indexed_upper(layer, lazy[::-1])
        if refusal is not None:
            assert columns is None
            return
        if columns is not None:
            assert facts(columns) == facts(tree)
        played.append(tree)
        lazy.append(columns or tree)


@many
@given(STACKS, st.sampled_from((docker.DOCKER29, docker.DOCKER28, podman.PODMAN)))
def test_docker_and_podman_layers(stack: list[list[tarfile.TarInfo]], rules: docker.UnpackRules) -> None:
    for layer in layers_of(stack):
        tree = Tree()
        refusal = docker.unpack_layer(tree, layer, rules)
        columns = indexed_upper(layer, ()) if docker.agrees_with_containerd(layer.table, rules) else None
        if refusal is not None:
            assert columns is None
            return
        if columns is not None:
            assert facts(columns) == facts(tree)
            roots = (columns.root, tree.root)
            assert len({(root.mode, root.uid, root.gid) for root in roots}) == 1


def test_tame_layers_are_lazy() -> None:
    """The strategy above really reaches the lazy path."""
    info = tarfile.TarInfo("a/b")
    upper = indexed_upper(layers_of([[info]])[0], ())
    assert upper is not None and isinstance(upper.root, IndexedDirectory)


@many
@given(st.lists(entries(wild=False), min_size=1, max_size=3))
def test_sequential_is_a_plain_fold(stack: list[list[tarfile.TarInfo]]) -> None:
    """Without links for parents, each layer onto the last is what a dictionary of paths gives."""
    model: dict[str, str] = {"": "dir"}
    for members in stack:
        own: set[str] = set()

        def drop(path: str, keep: set[str] = own, itself: bool = True) -> None:
            for known in [p for p in model if p.startswith(path + "/") or (itself and p == path)]:
                if known not in keep:
                    del model[known]

        for info in members:
            path = info.name.removeprefix("./")
            directory, _, name = path.rpartition("/")
            parents = [path[:i] for i, letter in enumerate(path) if letter == "/"]
            # Links and files of lower layers in the place of a directory make engines write through or refuse.
            assume(all(model.get(parent, "dir") == "dir" for parent in parents))
            for parent in parents:
                model.setdefault(parent, "dir")
            if name == ".wh..wh..opq":
                drop(directory, own, False)
            elif name.startswith(".wh."):
                drop(f"{directory}/{name[4:]}".lstrip("/"), set())
            else:
                kind = {"5": "dir", "2": "symlink"}.get(info.type.decode(), "file")
                if info.islnk():
                    assume(model.get(info.linkname) in ("file", "symlink"))
                    kind = model[info.linkname]
                if not (kind == "dir" and model.get(path) == "dir"):
                    drop(path, set())
                model[path] = kind
                own.add(path)
    rootfs = build(layers_of(stack), "sequential")
    assert rootfs.refusal is None
    found = {path.decode().strip("/"): node.kind for path, node in rootfs.walk()}
    assert found == model


@many
@given(STACKS)
def test_a_base_layer_is_not_played_again_and_differs_in_nothing(stack: list[list[tarfile.TarInfo]]) -> None:
    layers = layers_of(stack)
    rootfs, runtime = build(layers, "sequential"), build(layers, "runtime")
    tree = Tree()
    for layer in layers:
        if containerd.unpack_layer(tree, layer, overlay=False) is not None:
            assert rootfs.refusal is not None
            return
    assert rootfs.refusal is None
    played = Rootfs(Plain((tree.root,)), view="sequential", layers=layers)
    if runtime.refusal is None:
        assert list(side_by_side((runtime, rootfs))) == list(side_by_side((runtime, played)))
    assert facts(Tree(rootfs.root.top)) == facts(tree)


@many
@given(STACKS)
def test_shipped_bytes_add_up(stack: list[list[tarfile.TarInfo]]) -> None:
    """shipped = visible + unreachable, visible is what a walk sees, and the lost files are what is missing."""
    layers = layers_of(stack)
    rootfs = build(layers, "runtime")
    sums = shipped(rootfs)
    in_tars = sum(info.size for members in stack for info in members if info.isreg())
    assert sums.shipped == in_tars
    seen: dict[int, Inode] = {id(node): node for _, node in rootfs.walk() if node.kind == "file"}
    assert sums.visible == sum(node.size for node in {(n.layer, n.entry): n for n in seen.values()}.values())
    assert sums.shipped == sums.visible + sums.shadowed + sums.removed + sums.overwritten
    if rootfs.refusal is None:
        assert sums.exact
        assert sum(lost.size for lost in lost_files(rootfs)) == sums.unreachable


@many
@given(STACKS, st.sampled_from(("runtime", "sequential", "podman")))
def test_kinds_of_columns_are_those_of_a_walk(stack: list[list[tarfile.TarInfo]], view: str) -> None:
    rootfs = build(layers_of(stack), view)
    assert kinds(rootfs) == Counter(node.kind for _, node in rootfs.walk())


@many
@given(STACKS, st.sampled_from(("runtime", "sequential", "podman")), st.sampled_from((*NAMES, "*c*", "a/*", "/a", "*")))
def test_a_search_for_names_finds_what_a_walk_finds(stack: list[list[tarfile.TarInfo]], view: str, name: str) -> None:
    layers = layers_of(stack)
    pattern = re.compile(compiled(name))
    found = [(path, shown(node)) for path, node in search(build(layers, view), Query(patterns=(name,)))]
    walked = build(layers, view)
    assert found == [(path, shown(node)) for path, node in walked.walk() if pattern.fullmatch(path.decode())]


def compiled(pattern: str) -> str:
    """A shell pattern of this test as a regular expression over absolute paths."""
    above = "/" if "/" in pattern else "/(?:.*/)?"
    return above + re.escape(pattern.strip("/")).replace(r"\*", "[^/]*")


@many
@given(STACKS)
def test_counts_of_columns_are_those_of_the_deltas(stack: list[list[tarfile.TarInfo]]) -> None:
    rootfs = build(layers_of(stack), "runtime")
    if rootfs.refusal is not None:
        return
    for counts in layer_counts(rootfs):
        changes = list(layer_delta(rootfs, counts.layer))
        kinds = [change.kind for change in changes]
        assert (counts.added, counts.removed) == (kinds.count("added"), kinds.count("removed"))
        assert counts.changed + counts.same == len(kinds) - counts.added - counts.removed
        files = [c.after for c in changes if c.kind == "added" and c.after is not None and c.after.kind == "file"]
        known = {(node.layer, node.entry): node.size for node in files}
        also = {(c.after.layer, c.after.entry) for c in changes if c.after and c.before}
        assert counts.bytes_added == sum(known.values()) or also & known.keys()


@many
@given(STACKS)
def test_losses_of_columns_are_those_of_the_deltas(stack: list[list[tarfile.TarInfo]]) -> None:
    rootfs = build(layers_of(stack), "runtime")
    lost = losses(rootfs)
    if rootfs.refusal is not None:
        assert not (lost.removed or lost.repeated or any(map(any, lost.marks)) or lost.whiteouts or lost.buried)
        return
    names: Counter[tuple[int | None, int | None]] = Counter()
    removed, repeated, buried, gone = set(), set(), set(), set()
    for layer in range(1, len(stack)):
        for change in layer_delta(rootfs, layer):
            before, after = change.before, change.after
            if before is None:
                continue
            if after is None:
                gone.add((layer, change.path))
            if before.kind == "file" and before.size and (after is None or after.kind != "file"):
                key = (before.layer, before.entry)
                names[key] += 1
                if names[key] == before.nlink:
                    removed.add((layer, *key))
            if after is None:
                continue
            if after.kind == "dir" != before.kind:
                buried.add((layer, change.path, before.layer, before.entry))
            # All content is of one letter, so equal sizes are equal bytes.
            if before.kind == after.kind == "file" and before.size == after.size > 0 and after.layer == layer:
                fields = tuple(field for field in change.fields if field != "mtime")
                repeated.add((layer, after.entry, fields))
    assert len(lost.removed) == len(removed) and {msgspec.structs.astuple(item) for item in lost.removed} == removed
    # A file of several names repeats whatever stood under the first of them that is compared.
    assert {(item.layer, item.entry) for item in lost.repeated} == {item[:2] for item in repeated}
    assert len(lost.repeated) == len({(item.layer, item.entry) for item in lost.repeated})
    assert {(item.layer, item.entry, item.fields) for item in lost.repeated} <= repeated
    assert {(layer, path, node.layer, node.entry) for layer, path, node in lost.buried} == buried
    taken = lost.whiteouts | {
        (layer.index, b"/" + hidden_path(layer.table.path(i)))
        for layer, marks in zip(rootfs.layers, lost.marks, strict=True)
        for i, mark in enumerate(marks)
        if mark
    }
    assert taken <= gone
    for layer, path in taken:
        directory, _, name = path.rpartition(b"/")
        found = rootfs.resolve(directory or b"/")
        left = dict(rootfs.scandir(found.path)).get(name) if found.path == (directory or b"/") and found.node else None
        assert left is None or left.kind != "ghost" or left.layer != layer


@many
@given(STACKS)
def test_a_layer_is_regular_whether_its_directories_count_as_large_or_not(stack: list[list[tarfile.TarInfo]]) -> None:
    for layer in layers_of(stack):
        small = indexed_upper(layer, ())
        with mock.patch.object(regular, "MANY", 1):
            large = indexed_upper(layer, ())
        assert (large is None) == (small is None)
        if large is not None and small is not None:
            assert facts(large) == facts(small)


@many
@given(
    STACKS,
    st.sampled_from(("runtime", "sequential", "podman")),
    st.sampled_from(((1, 3), (1, 1_000), (MANY, 0))),
    st.randoms(use_true_random=False),
)
def test_names_that_are_looked_up_alone_are_those_of_a_walk(
    stack: list[list[tarfile.TarInfo]], view: str, large: tuple[int, int], rng: Any
) -> None:
    with mock.patch.object(indexed, "MANY", large[0]), mock.patch.object(indexed, "_LOOKS", large[1]):
        look_up_alone(stack, view, rng)


@many
@given(
    STACKS,
    st.sampled_from(("runtime", "sequential", "podman")),
    st.sampled_from(((1, 1), (1, 2), (3, 2))),
    st.randoms(use_true_random=False),
)
def test_a_directory_walked_in_parts_has_what_it_has_at_once(
    stack: list[list[tarfile.TarInfo]], view: str, large: tuple[int, int], rng: Any
) -> None:
    layers = layers_of(stack)
    expected = [(path, *shown(node)) for path, node in build(layers, view).walk()]
    asked, fresh = build(layers, view), build(layers, view)
    for path, *_ in expected:
        if rng.random() < 0.3:
            asked.resolve(path, follow=False)  # that node is kept
    wanted = {item[0] for item in expected if rng.random() < 0.5}
    with mock.patch.object(overlay, "MANY", large[0]), mock.patch.object(overlay, "PART", large[1]):
        assert [(path, *shown(node)) for path, node in fresh.walk()] == expected
        assert [(path, *shown(node)) for path, node in asked.walk()] == expected
        chosen = [(path, *shown(node)) for path, node in fresh.walk(wanted=wanted.__contains__)]
    assert chosen == [item for item in expected if item[0] in wanted]


def look_up_alone(stack: list[list[tarfile.TarInfo]], view: str, rng: Any) -> None:
    layers = layers_of(stack)
    walked, asked = build(layers, view), build(layers, view)
    expected = [(path, *shown(node)) for path, node in walked.walk()]
    some = [item for item in expected if rng.random() < 0.7]
    rng.shuffle(some)
    for path, *facts_ in some:
        node = asked.resolve(path, follow=False).node
        # A path through a name that is listed and not there leads nowhere, and so does that name.
        assert node is None if facts_[0] == "ghost" else node is not None and list(shown(node)) == facts_
        assert asked.resolve(path + b"-", follow=False).node is None
    assert [(path, *shown(node)) for path, node in asked.walk()] == expected
    numbers = {path: node.ino for path, node in asked.walk()}
    assert all(asked.lookup(path, follow=False).ino == numbers[path] for path, kind, *_ in some if kind != "ghost")


def shown(node: Inode) -> tuple[Any, ...]:
    return node.kind, node.mode, node.uid, node.gid, node.size, node.mtime, node.target, node.layer, node.entry
