"""The rows of browse are the merged tree, their marks what layers do, and searching finds what find(1) finds."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.browse import tree as browse_tree
from imagepeel.browse.search import MOST_FOUND, Index, parse
from imagepeel.browse.tree import FileTree
from imagepeel.errors import UsageError

Make = Callable[..., Path]
Compare = Callable[..., Any]

KINDS = (b"a", b"b", b"c")


def random_image(rng: random.Random) -> forge.ImageSpec:
    """A few layers of files, directories, links, whiteouts and opaque marks over few names, so that they meet."""
    layers = []
    for number in range(rng.randint(1, 4)):
        entries: dict[str, Any] = {}
        for _ in range(rng.randint(1, 9)):
            parts = [rng.choice(("a", "b", "c")) for _ in range(rng.randint(1, 3))]
            path = "/".join(parts)
            above = ["/".join(parts[:end]) for end in range(1, len(parts))]
            if any(entries.get(one, "dir") != "dir" for one in above) or path in entries:
                continue
            for one in above:
                entries.setdefault(one, "dir")
            kind = rng.choice(("file", "file", "dir", "link", "gone") if number else ("file", "dir", "link"))
            if any(one.startswith(f"{path}/") for one in entries):
                kind = "dir"
            entries[path] = kind
        made = []
        for path, kind in sorted(entries.items()):
            above, _, name = path.rpartition("/")
            if kind == "file":
                made.append(forge.file(path, "x" * rng.randint(0, 9)))
            elif kind == "dir":
                made.append(forge.directory(path))
                if number and rng.random() < 0.2:
                    made.append(forge.file(f"{path}/.wh..wh..opq", ""))
            elif kind == "link":
                made.append(forge.symlink(path, "nowhere"))
            else:
                made.append(forge.file(f"{above}/.wh.{name}".lstrip("/"), ""))
        layers.append(forge.layer(*made))
    return forge.image(*layers, names="random:1")


def on_disk(image: imagepeel.Image, layers: int, target: Path) -> dict[bytes, tuple[Any, ...]]:
    """What GNU tar and rm make of the first layers, by the words of the specification: path -> what is there."""
    target.mkdir()
    for layer in image.layers[:layers]:
        hidden, opaque = [], []
        for entry in layer.entries:
            above, _, name = entry.path.rpartition(b"/")
            if name == b".wh..wh..opq":
                opaque.append(above)
            elif name.startswith(b".wh."):
                hidden.append(above + b"/" + name.removeprefix(b".wh."))
        root = bytes(target)
        for path in hidden:
            remove(Path((root + path).decode()))
        for path in opaque:
            place = Path((root + path).decode())
            for child in list(place.iterdir()) if place.is_dir() and not place.is_symlink() else []:
                remove(child)
        tar = target.parent / f"{target.name}.tar"
        with tar.open("wb") as out:
            size = layer.content_size
            out.write(layer.content.pread(0, size))
        for entry in layer.entries:
            place = Path((root + entry.path).decode())
            if (place.is_dir() and not place.is_symlink()) != (entry.kind == "dir"):
                remove(place)
        command = ["tar", "-xf", tar, "-C", target, "--exclude=.wh.*", "--no-same-owner", "--overwrite"]
        subprocess.run(command, check=True, capture_output=True)
    found: dict[bytes, tuple[Any, ...]] = {}
    for one in sorted(target.rglob("*")):
        path = b"/" + bytes(one.relative_to(target))
        if one.is_symlink():
            found[path] = ("symlink", one.readlink())
        else:
            found[path] = ("dir",) if one.is_dir() else ("file", one.read_bytes())
    return found


def remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif place.parent.is_dir():
        place.unlink(missing_ok=True)


def opened(tree: FileTree) -> FileTree:
    at = 0
    while at < len(tree.rows):
        tree.open(at)
        at += 1
    return tree


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs GNU tar")
@pytest.mark.parametrize("seed", range(40))
def test_rows_and_marks_are_what_tar_makes_of_the_layers(seed: int, tmp_path: Path) -> None:
    path = forge.write(random_image(random.Random(seed)), tmp_path / "image.tar")
    with imagepeel.open(path) as archive:
        image = archive.image()
        for layer in range(len(image.layers)):
            tree = opened(FileTree(image.rootfs, layer))
            # overlayfs lists a whiteout that nothing lies under, and nobody can open it: tar has no such names.
            rows = {row.path: row for row in tree.rows if row.node.kind != "ghost"}
            assert len({row.path for row in tree.rows}) == len(tree.rows)
            before = on_disk(image, layer, tmp_path / f"{layer}-before")
            after = on_disk(image, layer + 1, tmp_path / f"{layer}-after")
            assert {path for path, row in rows.items() if row.mark != "D"} == set(after)
            for one, row in rows.items():
                if one not in after:
                    assert row.mark == "D" and one in before
                elif one not in before:
                    assert row.mark == "A", one
                elif before[one] != after[one]:
                    assert row.mark == "M", one
                else:
                    assert row.mark in ("", "S", ".", "M"), one  # times and modes are not compared here
            # What lies below a directory that became something else has no row: nothing can be opened there.
            flat = {one for one, what in after.items() if what[0] != "dir"}
            gone = {one for one in before if one not in after and not any(one.startswith(two + b"/") for two in flat)}
            assert gone == {one for one, row in rows.items() if row.mark == "D"}


def test_a_directory_says_that_something_below_it_was_touched(forge_archive: Make) -> None:
    spec = forge.image(
        forge.layer(forge.directory("d"), forge.file("d/f", "1"), forge.directory("e"), forge.file("e/g", "")),
        forge.layer(forge.directory("d"), forge.file("d/f", "2"), forge.directory("e")),
        names="touched:1",
    )
    with imagepeel.open(forge_archive(spec, name="touched.tar")) as archive:
        tree = FileTree(archive.image().rootfs, 1)
        assert [(row.path, row.mark) for row in tree.rows] == [(b"/d", "."), (b"/e", "S")]
        tree.open(0)
        assert [(row.path, row.mark) for row in tree.rows] == [(b"/d", "."), (b"/d/f", "M"), (b"/e", "S")]


@pytest.mark.parametrize("seed", range(20))
def test_opening_and_closing_in_any_order_ends_in_the_same_rows(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = forge.write(random_image(rng), tmp_path / "image.tar")
    with imagepeel.open(path) as archive:
        tree = FileTree(archive.image().rootfs, rng.choice((None, 0)))
        for _ in range(30):
            if tree.rows:
                at = rng.randrange(len(tree.rows))
                depth = tree.rows[at].depth
                above = tree.parent(at)
                assert above == at if not depth else tree.rows[above].depth == depth - 1
                rng.choice((tree.open, tree.close, tree.open_all))(at)
        rows = list(tree.rows)
        tree.reload()
        assert [(row.path, row.mark, row.depth) for row in tree.rows] == [
            (row.path, row.mark, row.depth) for row in rows
        ]
        for row in rows:
            at, whole = tree.jump(row.path)
            assert whole and at is not None and tree.rows[at].path == row.path


def test_a_path_that_is_not_there_leads_to_the_nearest_one(forge_archive: Make) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        tree = FileTree(archive.image().rootfs)
        at, whole = tree.jump(b"/etc/nothing/here")
        assert not whole and at is not None and tree.rows[at].path == b"/etc"
        assert tree.jump(b"/nothing") == (None, False)


def test_opening_everything_stops_and_says_so(forge_archive: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse_tree, "MOST_ROWS", 10)
    spec = forge.image(forge.layer(*(forge.file(f"d/{number}", "") for number in range(50))), names="many:1")
    with imagepeel.open(forge_archive(spec, name="fifty.tar")) as archive:
        tree = FileTree(archive.image().rootfs)
        tree.open_all(0)
        assert tree.cut and len(tree.rows) == 11


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("s", ["-name", "*s*"]),
        ("*.sh", ["-name", "*.sh"]),
        (">100", ["-type", "f", "-size", "+100c"]),
        ("<100", ["-type", "f", "-size", "-100c"]),
        (">99 <4k e", ["-type", "f", "-size", "+99c", "-size", "-4096c", "-name", "*e*"]),
        ("/etc/*", ["-path", "./etc/*"]),
    ],
)
def test_searching_finds_what_find_does(words: str, options: list[str], forge_archive: Make, tmp_path: Path) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        image.extract(tmp_path / "tree")
        done = subprocess.run(
            ["find", ".", "-mindepth", "1", *options, "-print0"], cwd=tmp_path / "tree", capture_output=True, check=True
        )
        index = Index(image.rootfs.root)
        assert index.build(lambda: False)
        found = index.search(parse(words))
        expected = {path[1:] for path in done.stdout.split(b"\0") if path}
        rows = {row.path for row in found.rows}
        above = {path.rsplit(b"/", n)[0] for path in expected for n in range(1, path.count(b"/"))}
        assert expected and found.total == len(expected) and rows == expected | above
        assert [row.path for row in found.rows] == sorted(rows, key=lambda path: path.split(b"/"))


def test_sums_of_directories_are_those_of_du(forge_archive: Make, tmp_path: Path) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        image.extract(tmp_path / "tree")
        index = Index(image.rootfs.root)
        index.build(lambda: False)
        for path, count in index.sums.items():
            place = (tmp_path / "tree").joinpath(path.decode().lstrip("/"))
            done = subprocess.run(["find", place, "-type", "f", "-printf", "%i %s\n"], capture_output=True, text=True)
            assert count == sum(int(line.split()[1]) for line in set(done.stdout.splitlines()))


def test_a_search_lists_a_bounded_number_and_counts_all(forge_archive: Make) -> None:
    spec = forge.image(forge.layer(*(forge.file(f"f{number}", "") for number in range(MOST_FOUND + 7))), names="more:1")
    with imagepeel.open(forge_archive(spec, name="more.tar")) as archive:
        index = Index(archive.image().rootfs.root)
        index.build(lambda: False)
        found = index.search(parse("f"))
        assert len(found.rows) == MOST_FOUND and found.total == MOST_FOUND + 7


def test_a_walk_that_nobody_wants_any_more_stops(forge_archive: Make) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        index = Index(archive.image().rootfs.root)
        assert not index.build(lambda: True) and not index.whole


@pytest.mark.parametrize("words", [">x", "<", ">1Q"])
def test_a_size_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="no size"):
        parse(words)
