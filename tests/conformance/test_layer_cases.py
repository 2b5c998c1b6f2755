"""The filesystem of each view against what the real extractors made of 155 tiny images."""

from __future__ import annotations

import pytest
from recorded import PRESENT, RESULTS, differences, flatten, load, path_comes_twice

from imagepeel.rootfs.engines import containerd
from imagepeel.rootfs.engines.indexed import indexed_upper
from imagepeel.rootfs.engines.tar_split import SENTENCE
from imagepeel.rootfs.tree.inode import Tree
from imagepeel.rootfs.tree.overlay import merge
from imagepeel.rootfs.view import build

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout"),
]

JUDGES = {
    "runtime": "containerd-overlay",
    "sequential": "containerd-sequential",
    "spec": "umoci-dir",
    "docker": "docker29-overlay2",
    "docker@28": "docker28-overlay2",
    "podman": "containers-storage-overlay",
}

DEVIATIONS: dict[tuple[str, str], str] = {}
"""(view, case) -> why we knowingly differ.  Empty is the aim."""

STORES = ("docker", "docker@28", "podman")
"""Views of stores that check a layer with tar-split while it is unpacked; the recorded extractors ran without it."""

OTHER_WORDS = {("spec", "W17b_wh_empty_sub"): "the message ends in the extractor's own path"}
"""Refusals that agree and are worded otherwise."""


def test_all_cases_are_there() -> None:
    if not PRESENT:
        pytest.skip("../shared/conformance/layers is not beside the checkout")
    assert len(RESULTS) == 155


@pytest.mark.parametrize("view", JUDGES)
@pytest.mark.parametrize("case", sorted(RESULTS))
def test_view_is_what_the_extractor_made(view: str, case: str) -> None:
    recorded = RESULTS[case][JUDGES[view]]
    layers = load(case)
    rootfs = build(layers, view)
    if view in STORES and rootfs.refusal is not None and rootfs.refusal.reason == SENTENCE:
        # What a store adds to its extractor is judged by loads into real stores (test_stores.py).
        assert path_comes_twice(layers[rootfs.refusal.layer])
        return
    if "ERROR" in recorded:
        said = recorded["ERROR"].replace(")", "").rpartition(": ")[2]
        if rootfs.refusal is None:
            wrong = [f"refused with {recorded['ERROR']!r}, not by us"]
        elif said not in rootfs.refusal.reason and (view, case) not in OTHER_WORDS:
            wrong = [f"refused with {recorded['ERROR']!r}, by us with {rootfs.refusal.reason!r}"]
        else:
            wrong = []
    elif rootfs.refusal is not None:
        wrong = [f"refused by us only: {rootfs.refusal.reason}"]
    else:
        wrong = differences(recorded, rootfs.root, layers)
    known = DEVIATIONS.get((view, case))
    if known is not None:
        assert wrong, f"no longer deviates, take it out of the table: {known}"
        return
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_lazy_layers_equal_the_play_through(case: str) -> None:
    """Layers that are made from columns on demand have the tree that unpacking entry by entry gives."""
    layers = load(case)
    lazy: list[Tree] = []
    played: list[Tree] = []
    for layer in layers:
        tree = Tree()
        if containerd.unpack_layer(tree, layer, overlay=layer.index > 0, parents=played[::-1]) is not None:
            assert indexed_upper(layer, lazy[::-1]) is None, "a layer that is refused must not look regular"
            return
        played.append(tree)
        lazy.append(indexed_upper(layer, lazy[::-1]) or tree)
    one, two = flatten(merge([t.root for t in lazy])), flatten(merge([t.root for t in played]))
    assert one.keys() == two.keys()
    for path, node in one.items():
        other = two[path]
        for field in ("kind", "mode", "uid", "gid", "size", "mtime", "target", "device", "xattrs", "nlink", "layer"):
            assert getattr(node, field) == getattr(other, field), (path, field)
        assert (node.entry, node.implied) == (other.entry, other.implied), path
