"""Waste that adds up.  The cases are those in which a well-known tool's figures are wrong, with the true figures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.errors import UsageError
from imagepeel.findings.waste import CAUSES, UNREACHABLE, VISIBLE, Waste, apportion

MB = 1_000_000


def noise(name: str, size: int) -> bytes:
    return (name.encode() + bytes(range(256))) * (size // (256 + len(name)) + 1)


def content(name: str, size: int) -> bytes:
    return noise(name, size)[:size]


def waste_of(*layers: forge.LayerSpec, kind: str = "oci-archive", base: int | str = 0) -> Waste:
    spec = forge.image(*layers, entrypoint=["/x"])
    with imagepeel.open(MemorySource(forge.to_bytes(spec, kind), "image.tar")) as archive:
        waste = archive.image().waste(base=base)
    check_sums(waste)
    return waste


def check_sums(waste: Waste) -> None:
    for layer in waste.layers:
        assert set(layer.content) == set(layer.stored) == set(CAUSES)
        assert sum(layer.content.values()) == layer.content_size
        assert sum(layer.stored.values()) == layer.blob_size
        assert min(layer.content.values()) >= 0 and min(layer.stored.values()) >= 0
    assert waste.visible + waste.unreachable == waste.files
    assert waste.files + waste.content("headers") == waste.shipped


def test_one_layer_wastes_nothing() -> None:
    waste = waste_of(forge.layer(forge.file("a", content("a", MB))))
    assert (waste.visible, waste.unreachable, waste.efficiency) == (MB, 0, 1.0)
    assert waste.items == ()


def test_an_image_without_files_is_efficient() -> None:
    assert waste_of(forge.layer(forge.directory("d"))).efficiency == 1.0


def test_a_removed_directory_counts_all_its_files() -> None:
    files = [forge.file(f"d/f{n}", content(f"f{n}", MB // 2)) for n in range(4)]
    waste = waste_of(forge.layer(forge.directory("d"), *files), forge.layer(forge.whiteout("d")))
    assert waste.content("removed") == 2 * MB and waste.efficiency == 0.0
    assert [(item.path, item.by) for item in waste.items] == [(f"/d/f{n}", 1) for n in range(4)]


def test_an_opaque_directory_counts_what_it_hides() -> None:
    waste = waste_of(
        forge.layer(forge.directory("d"), forge.file("d/old", content("old", MB))),
        forge.layer(forge.directory("d"), forge.opaque("d"), forge.file("d/new", content("new", 500_000))),
    )
    assert (waste.content("removed"), waste.visible) == (MB, 500_000)
    assert waste.efficiency == pytest.approx(1 / 3)


def test_removing_one_file_wastes_that_file_once() -> None:
    waste = waste_of(
        forge.layer(forge.file("keep", content("keep", MB)), forge.file("gone", content("gone", MB))),
        forge.layer(forge.whiteout("gone")),
    )
    assert (waste.unreachable, waste.efficiency) == (MB, 0.5)


def test_chmod_ships_a_file_again_and_wastes_one_copy_of_it() -> None:
    waste = waste_of(
        forge.layer(forge.file("f", content("f", MB))), forge.layer(forge.file("f", content("f", MB), 0o755))
    )
    assert waste.content("metadata") == MB and waste.visible == MB and waste.efficiency == 0.5
    assert waste.items[0].detail == "mode 0644 became 0755"


def test_the_same_again_is_a_rewrite_and_other_content_an_overwrite() -> None:
    waste = waste_of(
        forge.layer(forge.file("same", content("s", 1000)), forge.file("other", content("one", 2000))),
        forge.layer(forge.file("same", content("s", 1000)), forge.file("other", content("two", 3000))),
    )
    assert (waste.content("rewritten"), waste.content("overwritten"), waste.visible) == (1000, 2000, 4000)


def test_hardlinks_are_counted_once_and_survive_their_first_name() -> None:
    base = forge.layer(forge.file("a", content("a", MB)), forge.hardlink("b", "a"), forge.hardlink("c", "a"))
    assert waste_of(base).visible == MB
    kept = waste_of(base, forge.layer(forge.whiteout("a")))
    assert (kept.visible, kept.unreachable) == (MB, 0)
    gone = waste_of(base, forge.layer(*(forge.whiteout(name) for name in "abc")))
    assert (gone.visible, gone.unreachable) == (0, MB)


def test_equal_files_under_two_paths_and_leftovers_of_building() -> None:
    waste = waste_of(
        forge.layer(
            forge.file("one", content("x", 4000)),
            forge.file("two", content("x", 4000)),
            forge.file("var/lib/apt/lists/deb.debian.org_dists_x_Packages", content("p", 9000)),
            forge.file("var/lib/apt/lists/lock", b""),
        )
    )
    assert (waste.content("identical"), waste.content("debris"), waste.content("used")) == (4000, 9000, 4000)
    assert waste.visible == 17_000 and waste.efficiency == 1.0
    assert waste.items[0].detail == "package lists of apt"


def test_a_member_that_comes_twice_in_a_layer() -> None:
    waste = waste_of(forge.layer(forge.file("f", content("1", 700)), forge.file("f", content("2", 900))))
    assert (waste.content("repeated"), waste.visible) == (700, 900)


def test_base_layers_are_told_from_own_layers() -> None:
    layers = (
        forge.layer(forge.file("a", content("a", 1000)), created_by="ADD rootfs.tar /"),
        forge.layer(forge.whiteout("a"), forge.file("b", content("b", 300)), created_by="RUN mine"),
        forge.layer(forge.whiteout("b"), created_by="RUN more"),
    )
    for base in (1, "RUN mine"):
        waste = waste_of(*layers, base=base)
        assert waste.base == 1
        assert waste.content("removed") == 1300 and waste.content("removed", own=True) == 300
    with pytest.raises(UsageError):
        waste_of(*layers, base="no such step")
    with pytest.raises(UsageError):
        waste_of(*layers, base=9)


@pytest.mark.parametrize("kind", ("docker-archive", "oci-archive"))
def test_the_teaching_image_adds_up(kind: str) -> None:
    with imagepeel.open(MemorySource(forge.to_bytes(forge.build("shop"), kind), "shop.tar")) as archive:
        waste = archive.image().waste()
    check_sums(waste)
    assert waste.content("metadata") > 500_000 and waste.content("removed") == 160_080


@given(st.dictionaries(st.sampled_from(CAUSES), st.integers(0, 1 << 40), min_size=1), st.integers(0, 1 << 40))
def test_shares_add_up_and_are_fair(parts: dict[str, int], total: int) -> None:
    parts = {**dict.fromkeys(CAUSES, 0), **parts}
    shares = apportion(parts, total)
    assert sum(shares.values()) == total
    whole = sum(parts.values())
    for name, value in parts.items():
        if whole:
            assert abs(shares[name] * whole - value * total) < whole


paths = st.sampled_from(["a", "b", "d/x", "d/y", "e/f/g"])
modes = st.sampled_from([0o644, 0o755])
files = st.builds(lambda path, n, mode: forge.file(path, b"%d" % n * (n * 37), mode), paths, st.integers(0, 9), modes)
whiteouts = st.builds(forge.whiteout, st.sampled_from(["a", "b", "d/x", "e"]))
steps = st.lists(st.one_of(files, whiteouts), max_size=5, unique_by=lambda entry: entry.path.replace(b".wh.", b""))


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4))
def test_every_byte_has_exactly_one_cause(layers: list[list[forge.Entry]]) -> None:
    spec = forge.image(*(forge.layer(*entries) for entries in layers), entrypoint=["/x"])
    with imagepeel.open(MemorySource(forge.to_bytes(spec, "oci-archive"), "image.tar")) as archive:
        image = archive.image()
        if image.rootfs.refusal is not None:
            return
        waste = image.waste()
        check_sums(waste)
        seen = {(node.layer, node.entry): node.size for _, node in image.rootfs.walk() if node.is_file}
    assert waste.visible == sum(seen.values())
    assert {item.cause for item in waste.items} <= set(VISIBLE) | set(UNREACHABLE)


def test_a_refused_image_names_no_layer_for_what_it_does_not_show() -> None:
    source = MemorySource(forge.to_bytes(forge.build("link-below")), "x.tar")
    with imagepeel.open(source) as archive:
        image = archive.image()
        assert image.rootfs.refusal is not None
        waste = image.waste()
        shown = {(node.layer, node.entry): node.size for _, node in image.rootfs.walk() if node.kind == "file"}
    check_sums(waste)
    assert waste.visible == sum(shown.values())
    assert {item.cause for item in waste.items} & set(UNREACHABLE) <= {"unattributed"}
    assert all(item.by is None for item in waste.items)
