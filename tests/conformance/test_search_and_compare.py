"""find, du, diff and the index cache on recorded layer cases and real archives: laws that hold on all of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from recorded import PRESENT, RESULTS, load

from imagepeel.api import open as open_archive
from imagepeel.archive.cache_dir import CacheDir
from imagepeel.errors import ImagepeelError
from imagepeel.layers.index_cache import IndexCache
from imagepeel.layers.index_codec import decode, encode
from imagepeel.limits import DEFAULT
from imagepeel.rootfs.image_diff import difference
from imagepeel.rootfs.layer_events import shipped
from imagepeel.rootfs.search import Query, search, search_hidden
from imagepeel.rootfs.usage import usage
from imagepeel.rootfs.view import Rootfs, build
from imagepeel.verbs import Image

IMAGES = Path(__file__).resolve().parents[3] / "shared" / "images"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout"),
]
VIEWS = ("runtime", "spec", "docker")


class Piece:
    """The bytes of one member, as a view opens them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def pread(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + count]


def view_of(layers: list[Any], view: str) -> Rootfs:
    return build(layers, view, opener=lambda layer, entry: Piece(layers[layer].read(entry)))  # type: ignore[arg-type, return-value]


def described(rootfs: Rootfs) -> dict[bytes, tuple[Any, ...]]:
    out = {}
    for path, node in rootfs.walk():
        content = rootfs.read(node) if node.kind == "file" else None
        mode = None if node.kind in ("symlink", "ghost") else node.mode
        out[path] = (node.kind, content, node.target, node.device, mode, node.uid, node.gid, dict(node.xattrs))
    return out


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("case", sorted(RESULTS))
def test_layers_differ_as_their_walks_do(case: str, view: str) -> None:
    layers = load(case)
    for cut in range(1, len(layers)):
        before, after = view_of(layers[:cut], view), view_of(layers, view)
        one, two = described(before), described(after)
        truth = {("removed", path) for path in one.keys() - two.keys()}
        truth |= {("added", path) for path in two.keys() - one.keys()}
        truth |= {("changed", path) for path in one.keys() & two.keys() if one[path] != two[path]}
        for shared in (0, cut):
            assert {(c.kind, c.path) for c in difference(before, after, shared=shared)} == truth


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("case", sorted(RESULTS))
def test_sums_add_up_and_nothing_that_is_hidden_is_shown(case: str, view: str) -> None:
    rootfs = view_of(load(case), view)
    found, sums = usage(rootfs, depth=None), shipped(rootfs)
    assert found.total.stored == sum(layer.visible for layer in sums.layers)
    assert {layer.layer: layer.visible for layer in sums.layers if layer.visible} == {
        layer: count for layer, count in found.by_layer.items() if count}  # fmt: skip
    shown = {path: (node.layer, node.entry) for path, node in rootfs.walk()}
    assert len(shown) == sum(1 for _ in search(rootfs, Query()))
    if len(rootfs.uppers) == len(rootfs.layers):
        for hidden in search_hidden(rootfs, Query()):
            same = shown.get(hidden.path)
            assert same is None or same != (hidden.node.layer, hidden.node.entry) or hidden.node.kind == "dir"


def archives() -> list[Path]:
    rows = (IMAGES / "index.tsv").read_text(encoding="utf-8").splitlines()[1:] if PRESENT else []
    return [IMAGES / row.split("\t")[0] for row in rows if not row.split("\t")[2].startswith("golden")]


def facts(image: Image) -> Any:
    rootfs = image.rootfs
    return (
        [(layer.digest, layer.diff_id, layer.verified, layer.anomalies, len(layer)) for layer in image.layers],
        [(path, node.kind, node.mode, node.size, node.mtime, node.layer, node.entry) for path, node in rootfs.walk()],
        image.layer_counts(),
    )


@pytest.mark.parametrize("path", archives(), ids=lambda path: str(path)[-70:])
def test_real_archives_answer_the_same_from_the_cache_and_do_not_differ_from_themselves(
    path: Path, tmp_path: Path
) -> None:
    try:
        with open_archive(path) as archive:
            image = archive.image()
            truth = facts(image)
            for layer in image.layers:
                if layer.facts is not None and layer.facts.error is None:
                    again, _ = decode(io.BytesIO(b"".join(encode(layer.facts, DEFAULT))), DEFAULT)
                    for one, two in zip(layer.facts.table, again.table, strict=True):
                        for name in ("path", "raw_name", "meta", "size", "mtime", "link", "pax", "sparse", "crc32"):
                            assert getattr(one, name) == getattr(two, name)
            assert list(difference(image.rootfs, image.view_at(len(image.layers) - 1))) == []
            found = usage(image.rootfs)
            assert found.total.stored == shipped(image.rootfs).visible
    except ImagepeelError as error:
        pytest.skip(f"no readable image: {error.code}")
    for _ in range(2):
        with open_archive(path, cache=IndexCache(CacheDir(tmp_path / "cache"), least=0)) as archive:
            assert facts(archive.image()) == truth
