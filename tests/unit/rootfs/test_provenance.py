"""The life of a path, deltas and sums on forged images whose story is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.rootfs.provenance import delta, history_of, layer_counts, layer_delta, lost_files, shipped
from imagepeel.verbs import Image


@contextlib.contextmanager
def image(tmp_path: Path, *layers: forge.LayerSpec) -> Iterator[Image]:
    path = forge.write(forge.image(*layers), tmp_path / "image.tar", kind="oci-archive", compression="gzip")
    with imagepeel.open(path) as archive:
        yield archive.image()


def story(found: Image, path: str, view: str = "runtime") -> list[tuple[object, ...]]:
    life = history_of(found.view(view), path).life
    return [(e.kind, e.layer, e.where.entry, e.fields, e.by, e.hidden_by) for e in life.events]


def test_every_kind_of_event(tmp_path: Path) -> None:
    with image(
        tmp_path,
        forge.layer(forge.directory("d", mtime=5), forge.file("d/f", "one", mtime=5)),
        forge.layer(forge.file("d/f", "one", mode=0o600, mtime=5)),
        forge.layer(forge.directory("d", mtime=5), forge.file("d/f", "two", mode=0o600, mtime=6)),
        forge.layer(forge.directory("d", mtime=5), forge.opaque("d")),
        forge.layer(forge.file("d/f", "three", mtime=7)),
        forge.layer(forge.whiteout("d/f")),
    ) as found:
        assert story(found, "/d/f") == [
            ("added", 0, 1, (), "", 1),
            ("changed", 1, 0, ("mode",), "", 2),
            ("changed", 2, 1, ("content", "mtime"), "", 3),
            ("removed", 3, 1, (), "opaque", None),
            ("added", 4, 0, (), "", 5),
            ("removed", 5, 0, (), "whiteout", None),
        ]
        assert [(k, layer) for k, layer, *_ in story(found, "/d")] == [
            ("added", 0),
            ("implied", 1),
            ("same", 2),
            ("opaque", 3),
            ("implied", 4),
            ("implied", 5),
        ]


def test_a_parent_that_becomes_a_file_removes_what_was_below(tmp_path: Path) -> None:
    with image(tmp_path, forge.layer(forge.file("d/f", "x")), forge.layer(forge.file("d", "now a file"))) as found:
        event = history_of(found.rootfs, "/d/f").life.events[-1]
        assert (event.kind, event.by, event.by_path, event.where.entry) == ("removed", "replaced", b"/d", 0)


def test_links_are_followed_hop_by_hop_with_a_life_each(tmp_path: Path) -> None:
    base = forge.layer(
        forge.file("usr/bin/dash", "x"), forge.symlink("bin", "usr/bin"), forge.symlink("usr/bin/sh", "dash")
    )
    with image(tmp_path, base, forge.layer(forge.file("usr/bin/dash", "y"))) as found:
        history = history_of(found.rootfs, "/bin/sh")
        assert [(life.path, life.target) for life in history.links] == [
            (b"/bin", b"usr/bin"),
            (b"/usr/bin/sh", b"dash"),
        ]
        assert history.life.path == b"/usr/bin/dash"
        assert [event.layer for event in history.life.events] == [0, 1]
        stopped = history_of(found.rootfs, "/bin/sh", follow=False)
        assert stopped.life.path == b"/usr/bin/sh" and stopped.life.present


def test_offsets_and_steps_are_those_of_the_tar_and_the_history(tmp_path: Path) -> None:
    with image(
        tmp_path,
        forge.layer(forge.file("a", "x"), created_by="ONE"),
        forge.layer(forge.file("first", "0123"), forge.file("a", "y"), created_by="TWO"),
    ) as found:
        added, changed = history_of(found.rootfs, "/a").life.events
        assert (added.where.layer_offset, changed.where.layer_offset) == (0, 1024)
        assert found.history[changed.where.step or 0].created_by == "TWO"


def test_a_path_of_a_refused_image_is_told_from_its_entries(tmp_path: Path) -> None:
    with image(
        tmp_path,
        forge.layer(forge.file("a", "x"), forge.file("b", "x")),
        forge.layer(forge.hardlink("c", "b"), forge.whiteout("a")),
    ) as found:
        history = history_of(found.rootfs, "/a")
        assert not history.exact and "refuses" in history.note
        assert [(event.kind, event.layer) for event in history.life.events] == [("added", 0), ("removed", 1)]
        with pytest.raises(UsageError, match="refuses this image"):
            list(layer_delta(found.rootfs, 1))
        assert not shipped(found.rootfs).exact


def test_a_view_without_layer_trees_says_so(tmp_path: Path) -> None:
    with image(tmp_path, forge.layer(forge.file("a", "x")), forge.layer(forge.file("a", "y"))) as found:
        assert story(found, "/a", "spec") == [("added", 0, 0, (), "", None), ("changed", 1, 0, (), "", None)]
        with pytest.raises(UsageError, match="keeps no tree"):
            list(layer_delta(found.view("spec"), 0))
        with pytest.raises(UsageError, match="in this order"):
            list(delta(found.rootfs, 1, 1))


def test_sums_of_a_known_story(tmp_path: Path) -> None:
    with image(
        tmp_path,
        forge.layer(forge.file("keep", "k" * 10), forge.file("old", "o" * 20), forge.file("log", "l" * 40)),
        forge.layer(forge.file("keep", "k" * 10, mode=0o755), forge.whiteout("log"), forge.file("new", "n" * 5)),
        forge.layer(forge.file("old", "O" * 7), forge.hardlink("twin", "old"), forge.file("new", "m" * 3)),
    ) as found:
        sums = shipped(found.rootfs)
        assert [(s.shipped, s.visible, s.shadowed, s.removed) for s in sums.layers] == [
            (70, 0, 30, 40),
            (15, 10, 5, 0),
            (10, 10, 0, 0),
        ]
        assert (sums.shipped, sums.visible, sums.unreachable) == (95, 20, 75)
        counts = layer_counts(found.rootfs)
        assert [(c.added, c.changed, c.removed) for c in counts] == [(3, 0, 0), (1, 1, 1), (1, 2, 0)]
        assert (counts[1].bytes_added, counts[1].bytes_repeated, counts[1].bytes_removed) == (5, 10, 40)
        assert counts[2].bytes_changed == 10
        assert [(lost.path, lost.layer, lost.size, lost.fate, lost.by) for lost in lost_files(found.rootfs)] == [
            (b"/log", 0, 40, "removed", 1),
            (b"/old", 0, 20, "shadowed", 2),
            (b"/keep", 0, 10, "shadowed", 1),
            (b"/new", 1, 5, "shadowed", 2),
        ]


def test_the_delta_of_several_layers(tmp_path: Path) -> None:
    with image(
        tmp_path,
        forge.layer(forge.file("a", "1"), forge.file("b", "1"), forge.directory("d"), forge.file("d/x", "1")),
        forge.layer(forge.file("c", "1"), forge.whiteout("b")),
        forge.layer(forge.whiteout("c"), forge.file("a", "2"), forge.whiteout("d")),
    ) as found:
        changes = [(change.kind, change.path, change.fields) for change in delta(found.rootfs, 1, 3)]
        assert changes == [
            ("changed", b"/a", ("content",)),
            ("removed", b"/b", ()),
            ("removed", b"/d", ()),
            ("removed", b"/d/x", ()),
        ]


def test_bytes_that_were_not_hashed_are_not_called_equal(tmp_path: Path) -> None:
    spec = forge.image(forge.layer(forge.file("a", "1" * 200_000)), forge.layer(forge.file("a", "2" * 200_000)))
    path = forge.write(spec, tmp_path / "plain.tar", kind="docker-archive")
    with imagepeel.open(path, verify=False) as archive:
        (change,) = layer_delta(archive.image().rootfs, 1)
        assert change.fields == ("content?",)
    with imagepeel.open(path) as archive:
        (change,) = layer_delta(archive.image().rootfs, 1)
        assert change.fields == ("content",)


def test_very_deep_directories_need_no_recursion(tmp_path: Path) -> None:
    deep = "/".join("d" for _ in range(1900))
    with image(tmp_path, forge.layer(forge.file(deep, "x")), forge.layer(forge.whiteout("d"))) as found:
        assert sum(1 for change in layer_delta(found.rootfs, 1) if change.kind == "removed") == 1900
        assert layer_counts(found.rootfs)[1].removed == 1900
        assert shipped(found.rootfs).removed == 1
