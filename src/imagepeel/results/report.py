"""What `report --json` writes: what the page of a report draws, and nothing that its text says already.

Paths are rows without field names, since an image has a hundred thousand of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.predict import predict
from imagepeel.process.spec.failure import Judge
from imagepeel.process.spec.values import Verdict
from imagepeel.results.du import DuResult, du_result
from imagepeel.results.head import ImageHead, image_head, octal, readable
from imagepeel.results.layers import LayersResult, layers_result
from imagepeel.results.process import ProcessResult, process_result
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.layer_events import events
from imagepeel.rootfs.tree.inode import NodeKind

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

MOST_PATHS = 60_000
"""Paths that a report lists; of a larger image the largest files, and the sums of all others."""
MOST_STARTS = 40
"""Layers after which a start is predicted: the last ones."""

PathChange = Literal["added", "replaced", "removed"]


class PathStep(msgspec.Struct, frozen=True, array_like=True):
    """What one layer does to a path: `[layer, what, kind, size, mode, owner, target, inode]`; a removal has two."""

    layer: int
    """Index from 0."""
    what: PathChange
    kind: NodeKind | None = None
    size: int = 0
    """Bytes that the layer stores for it."""
    mode: str = ""
    """Permission bits as four octal digits."""
    owner: str = ""
    """`uid:gid`."""
    target: str = ""
    """Of a symbolic link."""
    inode: int = 0
    """The same number for all names of one file, whose bytes count once; 0 for a file with one name."""


class PathRow(msgspec.Struct, frozen=True, array_like=True):
    """One path: `[parent, name, steps]`; `parent` is the number of the row of its directory, -1 for the root."""

    parent: int
    name: str
    steps: tuple[PathStep, ...]


class RestStep(msgspec.Struct, frozen=True, array_like=True):
    """What one layer does to the paths of a directory that have no row: by how much their number and bytes change."""

    layer: int
    """Index from 0."""
    paths: int
    """Paths that come, less those that go."""
    size: int
    """Bytes that come, less those that go."""


class RestRow(msgspec.Struct, frozen=True, array_like=True):
    """What has no row below a directory: `[parent, steps]`."""

    parent: int
    steps: tuple[RestStep, ...]


class StartAfter(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What would start if the image ended with a layer."""

    layer: int
    """Index from 0."""
    verdict: Verdict
    execve: str
    """The first request to the kernel, "" where there is none."""
    pid1: str
    """Process 1 as one types it, "" where it is not known."""


class ReportResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel report --json`: what the page lets people move and search.

    `paths` has a row for each path that any layer ships, parents first; `rest` sums up those without a row.  `exact`
    is false where a runtime refuses the image: then each path stands at the layer that has it.
    """

    image: ImageHead
    layers: LayersResult
    process: ProcessResult | None
    """What starts; null for an artifact."""
    judges: dict[Judge, str]
    """Who each judge is, in words."""
    bytes: DuResult
    starts: tuple[StartAfter, ...]
    """After each layer, base first; [] where a layer is not known."""
    exact: bool
    paths: tuple[PathRow, ...]
    rest: tuple[RestRow, ...]


def report_result(image: LayeredImage) -> ReportResult:
    """Return what the page of an image draws; its layers are read if they were not.  LimitExceeded on bombs."""
    rootfs = image.rootfs
    lives = _lives(rootfs)
    paths, rest = _rows(lives)
    artifact = bool(image.knowledge.artifact)
    return ReportResult(
        image=image_head(image),
        layers=layers_result(image),
        process=None if artifact else process_result(image, predict_image(image), receipts=True),
        judges={judge: judge.words for judge in Judge},
        bytes=du_result(image, rootfs, depth=2, files=20),
        starts=() if artifact else tuple(_starts(image)),
        exact=has_uppers(rootfs),
        paths=paths,
        rest=rest,
    )


def _starts(image: LayeredImage) -> list[StartAfter]:
    """Predict the start after each layer; what is above a layer that is missing is not known and not guessed."""
    if not image.knowledge.whole:
        return []
    out = []
    for layer in range(max(0, len(image.layers) - MOST_STARTS), len(image.layers)):
        found = predict(image.view_at(layer), image.config, architecture=image.architecture or None)
        pid1 = found.pid1
        out.append(
            StartAfter(
                layer=layer,
                verdict=found.verdict,
                execve=found.execve,
                pid1=" ".join(pid1.argv) if pid1 is not None and found.verdict.runs else "",
            )
        )
    return out


Lives = dict[bytes, list[PathStep]]
"""Path -> what layers do to it, parents before children."""


def _lives(rootfs: Rootfs) -> Lives:
    lives: Lives = {}
    inodes: dict[tuple[int, int], int] = {}
    if has_uppers(rootfs):
        for event in events(rootfs):
            if event.what != "kept":
                lives.setdefault(event.path, []).append(_step(rootfs, event.layer, event.what, event.after, inodes))
    else:
        for path, node in rootfs.walk():
            if path != b"/":
                lives[path] = [_step(rootfs, node.layer or 0, "added", node, inodes)]
    return lives


def _step(
    rootfs: Rootfs, layer: int, what: PathChange, node: Inode | None, inodes: dict[tuple[int, int], int]
) -> PathStep:
    if node is None:
        return PathStep(layer, what)
    size = _stored(rootfs, node) if node.kind == "file" else 0
    target = readable(node.target)[0] if node.kind == "symlink" else ""
    inode = 0
    if size and node.nlink > 1 and node.layer is not None and node.entry is not None:
        inode = inodes.setdefault((node.layer, node.entry), len(inodes) + 1)
    return PathStep(layer, what, node.kind, size, octal(node.mode), f"{node.uid}:{node.gid}", target, inode)


def _stored(rootfs: Rootfs, node: Inode) -> int:
    """Return the bytes that the tar stores for a file: a sparse one is larger than that."""
    if node.layer is None or node.entry is None:
        return node.size
    table = rootfs.layers[node.layer].table
    return table[node.entry].stored_size if node.entry in table.extras else node.size


def _rows(lives: Lives) -> tuple[tuple[PathRow, ...], tuple[RestRow, ...]]:
    """Return a row a path, and the sums of what has none: of a large image the small files and the deep directories."""
    listed = _listed(lives)
    number: dict[bytes, int] = {b"": -1}
    rows: list[PathRow] = []
    rest: dict[int, dict[int, list[int]]] = {}
    counted: set[int] = set()
    for path, steps in lives.items():
        above, _, name = path.rpartition(b"/")
        while above not in number:
            above = above.rpartition(b"/")[0]
        parent = number[above]
        if path in listed:
            number[path] = len(rows)
            rows.append(PathRow(parent, readable(name)[0], tuple(steps)))
            continue
        sums = rest.setdefault(parent, {})
        there = size = 0
        for step in steps:
            now = 0 if step.what == "removed" else 1
            bytes_now = 0 if step.inode in counted else step.size
            if step.inode:
                counted.add(step.inode)
            row = sums.setdefault(step.layer, [0, 0])
            row[0] += now - there
            row[1] += bytes_now - size
            there, size = now, bytes_now
    return tuple(rows), tuple(
        RestRow(parent, tuple(RestStep(layer, *sums) for layer, sums in sorted(layers.items())))
        for parent, layers in sorted(rest.items())
    )


def _listed(lives: Lives) -> set[bytes]:
    """Return the paths that get a row: all, or directories from the top down, then the largest files."""
    if len(lives) <= MOST_PATHS:
        return set(lives)
    directories = [path for path, steps in lives.items() if any(step.kind == "dir" for step in steps)]
    directories.sort(key=lambda path: path.count(b"/"))
    listed = set(directories[: MOST_PATHS // 2])
    files = [path for path in lives.keys() - listed if path.rpartition(b"/")[0] in listed or path.count(b"/") == 1]
    files.sort(key=lambda path: (-max(step.size for step in lives[path]), path))
    return listed | set(files[: MOST_PATHS - len(listed)])
