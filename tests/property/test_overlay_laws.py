"""Laws of the overlay: our merge against a plain model, and deltas, counts and sums against the merge.

The model keeps one flat dictionary of the merged tree and lays one layer after the other over it, straight from the
words of the kernel's overlayfs documentation; it shares no code with the lazy merge.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imagepeel.formats.tar.table import EntryTable
from imagepeel.rootfs.layer_events import layer_counts, lost_files, shipped
from imagepeel.rootfs.provenance import delta, history_of, layer_delta
from imagepeel.rootfs.tree.inode import Inode, Tree
from imagepeel.rootfs.tree.overlay import Merged, merge
from imagepeel.rootfs.view import Rootfs
from stacks import random_tree


class PlainLayer:
    """A layer of which only the number matters."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.table = EntryTable()
        self.error = None


class Model:
    """The merged tree as path -> node, and for each directory how many layers stand behind it."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[bytes, ...], Inode] = {}
        self.behind: dict[tuple[bytes, ...], int] = {(): 2}
        self.ghosts: dict[tuple[bytes, ...], set[tuple[bytes, ...]]] = {}

    def _hide(self, path: tuple[bytes, ...]) -> None:
        for known in [p for p in self.nodes if p[: len(path)] == path]:
            del self.nodes[known]
        for known in [p for p in self.behind if p[: len(path)] == path and p]:
            del self.behind[known]
            self.ghosts.pop(known, None)

    def lay(self, tree: Tree) -> None:
        """Lay one more layer over the tree."""
        for path, node in tree.walk(tree.root, ()):
            if not path:
                continue
            if node.kind != "dir":
                self._hide(path)
                if node.is_whiteout:
                    self.ghosts.setdefault(path[:-1], set()).add(path)
                else:
                    self.nodes[path] = node
                continue
            before = self.nodes.get(path)
            if before is None or before.kind != "dir" or node.opaque:
                self._hide(path)
            self.nodes[path] = node
            self.behind[path] = self.behind.get(path, 0) + 1

    def shown(self) -> dict[tuple[bytes, ...], Any]:
        """What a walk sees: nodes, and whiteouts in directories that one layer alone makes."""
        out: dict[tuple[bytes, ...], Any] = dict(self.nodes)
        for directory, names in self.ghosts.items():
            if self.behind.get(directory) == 1:
                for path in names:
                    out.setdefault(path, "ghost")
        return out


def walk(root: Merged) -> dict[tuple[bytes, ...], Any]:
    out: dict[tuple[bytes, ...], Any] = {}
    stack: list[tuple[tuple[bytes, ...], Merged]] = [((), root)]
    while stack:
        prefix, here = stack.pop()
        for name, child in here.children.items():
            node = child.top if isinstance(child, Merged) else child
            out[(*prefix, name)] = "ghost" if node.kind == "ghost" else node
            if isinstance(child, Merged):
                stack.append(((*prefix, name), child))
    return out


def rootfs_of(trees: list[Tree]) -> Rootfs:
    for tree in trees:
        for _, node in tree.walk(tree.root, ()):
            node.layer = node.entry = None  # there are no tars behind these trees
    return Rootfs(
        merge([tree.root for tree in trees]),
        view="runtime",
        layers=[PlainLayer(i) for i in range(len(trees))],
        uppers=trees,
    )


stacks = st.builds(
    lambda rng, count: [random_tree(rng, base=i == 0) for i in range(count)],
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Overlay(RuleBasedStateMachine):
    """Put layers on a stack one by one; the lazy merge always shows what the model shows."""

    def __init__(self) -> None:
        super().__init__()
        self.trees: list[Tree] = []
        self.model = Model()

    @rule(rng=st.randoms(use_true_random=False), depth=st.integers(1, 3))
    def add_layer(self, rng: Any, depth: int) -> None:
        tree = random_tree(rng, base=not self.trees, depth=depth)
        self.trees.append(tree)
        self.model.lay(tree)

    @rule()
    def add_empty_layer(self) -> None:
        self.trees.append(Tree())
        self.model.lay(self.trees[-1])

    @invariant()
    def merge_is_the_model(self) -> None:
        if self.trees:
            assert walk(merge([tree.root for tree in self.trees])) == self.model.shown()


TestOverlay = Overlay.TestCase
TestOverlay.settings = settings(max_examples=40, stateful_step_count=8, deadline=None)


@few
@given(stacks)
def test_deltas_lead_from_one_merge_to_the_next(trees: list[Tree]) -> None:
    """Applying the changes of each layer to the tree below it gives the tree with that layer."""
    rootfs = rootfs_of(trees)
    tree: dict[bytes, Inode] = {}
    for index in range(len(trees)):
        for change in layer_delta(rootfs, index):
            if change.kind == "removed":
                assert tree.pop(change.path) is change.before
                continue
            assert (change.before is None) == (change.kind == "added")
            assert tree.get(change.path) is change.before
            assert bool(change.fields) == (change.kind == "changed") or change.kind in ("opaque", "added")
            assert change.after is not None
            tree[change.path] = change.after
        merged = walk(merge([upper.root for upper in trees[: index + 1]]))
        expected = {b"/" + b"/".join(path): node for path, node in merged.items() if node != "ghost"}
        assert tree.keys() == expected.keys()
        assert all(tree[path] is node or node.implied for path, node in expected.items())


@few
@given(stacks, st.data())
def test_a_delta_over_several_layers_is_the_sum_of_its_ends(trees: list[Tree], data: st.DataObject) -> None:
    rootfs = rootfs_of(trees)
    start = data.draw(st.integers(0, len(trees) - 1))
    stop = data.draw(st.integers(start + 1, len(trees)))

    def tree(count: int) -> set[bytes]:
        merged = walk(merge([upper.root for upper in trees[:count]]))
        return {b"/" + b"/".join(path) for path, node in merged.items() if node != "ghost"}

    below, above = tree(start), tree(stop)
    changes = list(delta(rootfs, start, stop))
    assert {c.path for c in changes if c.kind == "added"} == above - below
    assert {c.path for c in changes if c.kind == "removed"} == below - above
    assert len({c.path for c in changes}) == len(changes)
    assert [c.path for c in changes] == sorted((c.path for c in changes), key=lambda p: p.split(b"/"))


@few
@given(stacks)
def test_counts_are_those_of_the_deltas(trees: list[Tree]) -> None:
    rootfs = rootfs_of(trees)
    for index, counts in enumerate(layer_counts(rootfs)):
        changes = [change.kind for change in layer_delta(rootfs, index)]
        assert counts.added == changes.count("added")
        assert counts.removed == changes.count("removed")
        assert counts.changed + counts.same == len(changes) - counts.added - counts.removed


@few
@given(stacks)
def test_the_life_of_each_path_ends_as_the_tree_shows(trees: list[Tree]) -> None:
    rootfs = rootfs_of(trees)
    merged = {path: node for path, node in walk(rootfs.root).items() if node != "ghost"}
    everywhere = {path for tree in trees for path, _ in tree.walk(tree.root, ()) if path}
    for path in everywhere:
        parent = rootfs.resolve(b"/" + b"/".join(path[:-1]), follow=True)
        if parent.hops:
            continue  # a link on the way leads elsewhere
        life = history_of(rootfs, b"/" + b"/".join(path), follow=False).life
        assert life.present == (path in merged)
        present = False
        for event in life.events:
            assert present == (event.kind not in ("added", "implied")) or (event.kind == "implied" and present)
            present = event.kind != "removed"
        assert present == life.present
        if life.present:
            assert life.events[-1].node is merged[path]
            assert life.events[-1].hidden_by is None


def test_sums_without_entries_are_zero() -> None:
    rootfs = rootfs_of([Tree(), Tree()])
    assert shipped(rootfs).shipped == 0
    assert not lost_files(rootfs)
