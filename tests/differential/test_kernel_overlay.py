"""Our merge against the kernel's: layer trees are written to disk, mounted with real overlayfs, and compared.

The trees come from our own memory, never from extracting a tar; the mounts live in a private mount namespace.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

from recorded import PRESENT, RESULTS, load

from imagepeel.rootfs.engines import docker
from imagepeel.rootfs.tree.inode import Tree
from imagepeel.rootfs.tree.overlay import merge
from imagepeel.rootfs.tree.overlay_attributes import obey_overlay_attributes
from imagepeel.rootfs.view import build
from stacks import listing, random_tree, write_tree

pytestmark = [pytest.mark.root, pytest.mark.judge]
MOUNTED = Path(__file__).with_name("mounted.py")

Mount = Callable[[list[list[Tree]]], list[dict[bytes, dict[str, Any]]]]


def _can_mount(folder: Path) -> str:
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "mounting needs root"
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "unshare or mount is not installed"
    for name in ("lower", "upper", "work", "merged"):
        (folder / name).mkdir(parents=True)
    options = ",".join(f"{key}dir={folder / key}" for key in ("lower", "upper", "work"))
    done = subprocess.run(
        ["unshare", "-m", "mount", "-t", "overlay", "overlay", "-o", options, str(folder / "merged")],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else f"overlayfs cannot be mounted here: {done.stderr.strip()}"


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """Return a function: stacks of layer trees (base first) -> what the kernel shows of each."""
    why_not = _can_mount(tmp_path_factory.mktemp("probe"))
    if why_not:
        pytest.skip(why_not)

    def run(stacks: list[list[Tree]]) -> list[dict[bytes, dict[str, Any]]]:
        # Short paths: the option string of a mount holds one page.
        root = tmp_path_factory.mktemp("o")
        jobs = []
        for s, trees in enumerate(stacks):
            folders = []
            for i, tree in enumerate(trees):
                folder = root / f"{s}.{i}"
                write_tree(tree, folder)
                folders.append(str(folder))
            jobs.append((folders[::-1], str(root / f"{s}")))
        done = subprocess.run(
            ["unshare", "-m", "--propagation", "private", sys.executable, str(MOUNTED)],
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        shutil.rmtree(root, ignore_errors=True)
        return [
            {bytes.fromhex(path): facts for path, facts in json.loads(line).items()}
            for line in done.stdout.splitlines()
        ]

    yield run


def _same(kernel: dict[bytes, dict[str, Any]], ours: dict[bytes, dict[str, Any]]) -> list[str]:
    """Where kernel and we differ; a time that we call "now" is not compared."""
    out = [
        f"{path!r} only {'in the kernel' if path in kernel else 'ours'}" for path in sorted(kernel.keys() ^ ours.keys())
    ]
    for path in sorted(kernel.keys() & ours.keys()):
        one, two = dict(kernel[path]), dict(ours[path])
        if two.get("mtime", 0) is None:
            one["mtime"] = None
        if one != two:
            keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
            out.append(f"{path!r}: " + ", ".join(f"{k} {one.get(k)!r} kernel {two.get(k)!r} ours" for k in keys))
    return out


def test_random_stacks_merge_as_the_kernel_merges_them(mount: Mount) -> None:
    rng = random.Random(20260)
    stacks = [[random_tree(rng, base=i == 0) for i in range(rng.randint(1, 5))] for _ in range(150)]
    ghosts = 0
    for trees, kernel in zip(stacks, mount(stacks), strict=True):
        ours = listing(merge([tree.root for tree in trees]))
        wrong = _same(kernel, ours)
        assert not wrong, "\n".join(wrong)
        ghosts += sum(facts["kind"] == "ghost" for facts in kernel.values())
    assert ghosts > 20, "the stacks should be nasty enough to show whiteouts"


@pytest.mark.shared
@pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout")
def test_recorded_cases_merge_as_the_kernel_merges_them(mount: Mount) -> None:
    cases, stacks = [], []
    for case in sorted(RESULTS):
        rootfs = build(load(case), "runtime")
        if rootfs.refusal is None and not case.startswith(("N18", "T20")):
            cases.append((case, rootfs))
            stacks.append(list(rootfs.uppers))
    assert len(cases) > 100
    for (case, rootfs), kernel in zip(cases, mount(stacks), strict=True):
        ours = listing(rootfs.root)
        for facts in ours.values():
            # ext4 keeps times of 34 bits of seconds; what it cannot hold is not what is judged here.
            if facts.get("mtime") is not None and not 0 <= facts["mtime"] < 1 << 62:
                facts["mtime"] = None
        wrong = _same(kernel, ours)
        assert not wrong, "\n".join([case, *wrong])


@pytest.mark.shared
@pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout")
def test_overlay_marks_inside_a_layer_act_as_in_the_kernel(mount: Mount) -> None:
    """trusted.overlay.* that Docker and podman unpack: redirect, whiteout and opaque do what our model says."""
    cases = [case for case in sorted(RESULTS) if case.startswith(("W27", "X39", "X40"))]
    assert len(cases) >= 2
    raw: list[list[Tree]] = []
    for case in cases:
        trees = []
        for layer in load(case):
            tree = Tree()
            assert docker.unpack_layer(tree, layer, docker.DOCKER29) is None
            trees.append(tree)
        raw.append(trees)
    for case, kernel in zip(cases, mount(raw), strict=True):
        wrong = _same(kernel, listing(build(load(case), "docker").root))
        assert not wrong, "\n".join([case, *wrong])


def test_marks_of_random_places_act_as_in_the_kernel(mount: Mount) -> None:
    """opaque=y, empty files with `whiteout`, and redirects, absolute and relative, anywhere in random stacks."""
    rng = random.Random(4711)
    stacks = []
    for _ in range(80):
        trees = [random_tree(rng, base=i == 0) for i in range(rng.randint(2, 4))]
        for i, tree in enumerate(trees):
            tree.root.opaque = False
            # xattrs make no difference in the lowest layer, and a redirect needs something below.
            for path, node in tree.walk(tree.root, ()):
                if not path or not i:
                    continue
                dice = rng.random()
                if node.kind == "dir" and dice < 0.2:
                    node.opaque = False
                    node.set_xattr(b"trusted.overlay.opaque", b"y")
                elif node.kind == "dir" and dice < 0.4 and len(path) == 1 and not node.opaque:
                    target = rng.choice((b"a", b"b", b"c", b"/a", b"/b", b"/a/b"))
                    node.set_xattr(b"trusted.overlay.redirect", target)
                elif node.kind == "file" and dice < 0.1 and node.nlink == 1:
                    node.size, node.xattrs = 0, {b"trusted.overlay.whiteout": b"y"}
                elif node.kind == "file" and dice < 0.15 and node.nlink == 1:
                    node.xattrs = {b"trusted.overlay.metacopy": b""}
        stacks.append(trees)
    kernels = mount(stacks)
    for trees, kernel in zip(stacks, kernels, strict=True):
        lower: list[Tree] = []
        for tree in trees:
            obey_overlay_attributes(tree, lower)
            lower.append(tree)
        ours = listing(merge([tree.root for tree in trees]))
        wrong = _same(kernel, ours)
        assert not wrong, "\n".join(wrong)
