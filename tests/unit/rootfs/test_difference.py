"""What differs between two filesystems: against diff(1) on unpacked trees and against a naive comparison of walks."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel import open as open_archive
from imagepeel.errors import NotFound
from imagepeel.results.difference import config_difference, layers_difference, process_difference, shared_prefix
from imagepeel.rootfs.image_diff import Contents, difference, text_difference
from imagepeel.rootfs.view import Rootfs
from imagepeel.verbs import Image

NAMES = ("a", "b", "c", "d", "usr", "etc")


def random_layer(rng: random.Random, *, base: bool) -> Any:
    """A layer with everything that merging knows: files, directories, links, whiteouts, opaque marks."""
    entries: dict[str, Any] = {}
    for _ in range(rng.randrange(3, 14)):
        parts = [rng.choice(NAMES) for _ in range(rng.randrange(1, 4))]
        path = "/".join(parts)
        if any(path == known or (path.startswith(known + "/") and entries[known].kind != "dir") for known in entries):
            continue
        if any(known.startswith(path + "/") for known in entries):
            continue
        kind = rng.randrange(6 if base else 9)
        mode = rng.choice((0o644, 0o755))
        if kind < 3:
            entries[path] = forge.file(path, bytes([65 + rng.randrange(3)]) * rng.randrange(3), mode=mode)
        elif kind == 3:
            entries[path] = forge.symlink(path, rng.choice(("a", "/usr", "b/c")))
        elif kind < 6:
            entries[path] = forge.directory(path, mode=rng.choice((0o755, 0o700)), uid=rng.randrange(2))
        elif kind == 6:
            entries[path] = forge.opaque(path)
        else:
            entries[path] = forge.whiteout(path)
    return forge.layer(*entries.values())


def described(rootfs: Rootfs) -> dict[bytes, tuple[Any, ...]]:
    out: dict[bytes, tuple[Any, ...]] = {}
    for path, node in rootfs.walk():
        content = rootfs.read(node) if node.is_file else None
        mode = None if node.is_symlink or node.kind == "ghost" else node.mode
        out[path] = (node.kind, content, node.target, node.device, mode, node.uid, node.gid, dict(node.xattrs))
    return out


def naive(before: Rootfs, after: Rootfs) -> set[tuple[str, bytes]]:
    one, two = described(before), described(after)
    return (
        {("removed", path) for path in one.keys() - two.keys()}
        | {("added", path) for path in two.keys() - one.keys()}
        | {("changed", path) for path in one.keys() & two.keys() if one[path] != two[path]}
    )


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("view", ["runtime", "spec", "docker"])
def test_random_images_differ_as_their_walks_do_with_and_without_shared_layers(
    seed: int, view: str, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    common = [random_layer(rng, base=n == 0) for n in range(rng.randrange(0, 4))]
    paths = []
    for name in "ab":
        own = [random_layer(rng, base=not common and n == 0) for n in range(rng.randrange(1, 3))]
        paths.append(forge.write(forge.image(*common, *own), tmp_path / f"{name}.tar"))
    with open_archive(paths[0]) as one, open_archive(paths[1]) as two:
        first, second = one.image(), two.image()
        before, after = first.view(view), second.view(view)
        shared = shared_prefix(first, second)
        assert shared >= len(common)
        found = list(difference(before, after, shared=shared))
        assert {(change.kind, change.path) for change in found} == naive(before, after)
        order = [tuple(change.path.split(b"/")) for change in found]
        assert order == sorted(order)
        plain = list(difference(before, after, shared=0))
        assert [(c.kind, c.path, c.fields) for c in plain] == [(c.kind, c.path, c.fields) for c in found]


def test_what_only_shared_layers_describe_is_never_looked_at(tmp_path: Path) -> None:
    common = forge.layer(*[forge.file(f"usr/d{n}/f", b"x") for n in range(50)], forge.file("etc/a", b"1"))
    one = forge.write(forge.image(common, forge.layer(forge.file("etc/b", b"2"))), tmp_path / "1.tar")
    two = forge.write(forge.image(common, forge.layer(forge.file("etc/b", b"3"))), tmp_path / "2.tar")
    with open_archive(one) as first, open_archive(two) as second:
        before, after = first.image().rootfs, second.image().rootfs
        asked: list[str] = []
        from imagepeel.rootfs.engines.indexed import IndexedDirectory

        real = IndexedDirectory.make

        def make(self: IndexedDirectory) -> Any:
            asked.append(self.path.decode())
            return real(self)

        IndexedDirectory.make = make  # type: ignore[method-assign]
        try:
            (change,) = difference(before, after, shared=1)
        finally:
            IndexedDirectory.make = real  # type: ignore[method-assign]
        assert (change.kind, change.path, change.fields) == ("changed", b"/etc/b", ("content",))
        assert not [path for path in asked if path.startswith("usr")]


ONE = [
    forge.file("same", b"same"),
    forge.file("text", "one\ntwo\n"),
    forge.file("gone/deep/file", b"1"),
    forge.symlink("link", "same"),
    forge.file("becomes", b"file"),
    forge.directory("empty"),
]
TWO = [
    forge.file("same", b"same", mtime=5),
    forge.file("text", "one\nTWO\n"),
    forge.symlink("link", "text"),
    forge.directory("becomes"),
    forge.directory("empty"),
    forge.file("new", b"n"),
]


@pytest.mark.judge
def test_the_same_as_diff_says_about_unpacked_trees(tmp_path: Path) -> None:
    for name, entries in (("a", ONE), ("b", TWO)):
        (tmp_path / name).mkdir()
        subprocess.run(["tar", "-C", tmp_path / name, "-xf", "-"], input=forge.encode(entries), check=True)
    out = subprocess.run(
        ["env", "LC_ALL=C", "diff", "-rq", "--no-dereference", "a", "b"], cwd=tmp_path, capture_output=True, text=True
    )
    truth = set()
    for line in out.stdout.splitlines():
        words = [word.strip("'") for word in line.split()]  # diffutils 3.12 puts names in quotes
        if line.startswith("Only in"):
            side, _, folder = words[2].rstrip(":").partition("/")
            truth.add(("removed" if side == "a" else "added", f"/{folder}/{words[3]}".replace("//", "/")))
        else:
            name = next(word for word in words if word.startswith("a/"))
            truth.add(("changed", "/" + name.removeprefix("a/")))
    found = {(c.kind, c.path.decode()) for c in layered(tmp_path, ONE, TWO)}
    # diff(1) names a directory that one side lacks and nothing below it.
    assert {item for item in found if not item[1].startswith("/gone/")} == truth


def layered(tmp_path: Path, one: list[Any], two: list[Any], **options: Any) -> list[Any]:
    paths = [forge.write(forge.image(forge.layer(*e)), tmp_path / f"{n}.tar") for n, e in enumerate((one, two))]
    with open_archive(paths[0]) as first, open_archive(paths[1]) as second:
        return list(difference(first.image().rootfs, second.image().rootfs, **options))


def test_fields_name_what_differs(tmp_path: Path) -> None:
    one = [
        forge.file("f", b"abc", mode=0o644, uid=1, xattrs={"user.x": b"1"}),
        forge.device("dev", 1, 3),
        forge.symlink("l", "a"),
        forge.file("size", b"12"),
        forge.file("time", b"", mtime=1),
    ]
    two = [
        forge.file("f", b"abd", mode=0o600, uid=2, xattrs={"user.x": b"2"}),
        forge.device("dev", 1, 5),
        forge.symlink("l", "b"),
        forge.file("size", b"123"),
        forge.file("time", b"", mtime=2),
    ]
    found = {change.path: change.fields for change in layered(tmp_path, one, two)}
    assert found == {
        b"/f": ("content", "mode", "uid", "xattrs"),
        b"/dev": ("device",),
        b"/l": ("target",),
        b"/size": ("content",),
    }
    strict = {change.path: change.fields for change in layered(tmp_path, one, two, times=True)}
    assert strict == {**found, b"/time": ("mtime",)}


def test_a_path_limits_the_walk_and_links_in_it_are_followed(tmp_path: Path) -> None:
    one = [forge.file("usr/lib/x", b"1"), forge.symlink("lib", "usr/lib"), forge.file("other", b"1")]
    two = [forge.file("usr/lib/x", b"2"), forge.symlink("lib", "usr/lib"), forge.file("other", b"2")]
    assert [c.path for c in layered(tmp_path, one, two, top="/lib")] == [b"/usr/lib/x"]
    assert [c.path for c in layered(tmp_path, one, two, top="/lib/x")] == [b"/usr/lib/x"]
    (gone,) = layered(tmp_path, one, [forge.file("a", b"")], top="/lib/x")
    assert (gone.kind, gone.path) == ("removed", b"/usr/lib/x")
    with pytest.raises(NotFound):
        layered(tmp_path, one, two, top="/absent")


def colliding(size: int) -> tuple[bytes, bytes]:
    """Two different byte strings of one length and CRC-32: the CRC is linear, so equal corrections cancel."""
    import zlib

    one = bytes(size)
    target = zlib.crc32(one)
    # Search four bytes at the end of a different string, by Gaussian elimination over GF(2).
    base = b"\1" + bytes(size - 1)
    start = zlib.crc32(base) ^ target
    rows = []
    for bit in range(32):
        flip = bytearray(base)
        flip[size - 4 + bit // 8] ^= 1 << bit % 8
        rows.append((zlib.crc32(bytes(flip)) ^ zlib.crc32(base), 1 << bit))
    want, mask = start, 0
    for position in reversed(range(32)):
        pivot = next((row for row in rows if row[0] >> position & 1), None)
        if pivot is None:
            continue
        rows = [(v ^ pivot[0], m ^ pivot[1]) if v >> position & 1 else (v, m) for v, m in rows if (v, m) != pivot]
        if want >> position & 1:
            want, mask = want ^ pivot[0], mask ^ pivot[1]
    assert want == 0
    two = bytearray(base)
    for bit in range(32):
        if mask >> bit & 1:
            two[size - 4 + bit // 8] ^= 1 << bit % 8
    return one, bytes(two)


def test_files_that_share_a_crc_are_told_apart_unless_one_asks_for_less(tmp_path: Path) -> None:
    import zlib

    one, two = colliding(64)
    assert one != two and zlib.crc32(one) == zlib.crc32(two)
    paths = [forge.write(forge.image(forge.layer(forge.file("f", data))), tmp_path / f"{n}.tar")
             for n, data in enumerate((one, two))]  # fmt: skip
    with open_archive(paths[0]) as a, open_archive(paths[1]) as b:
        first, second = a.image(), b.image()
        before, after = first.rootfs, second.rootfs
        assert list(difference(before, after, same=Contents(before, after, exact=False))) == []
        assert [c.fields for c in difference(before, after)] == [("content",)]
        first.scan(digests=True)
        second.scan(digests=True)
        before, after = first.rootfs, second.rootfs
        quick = Contents(before, after, exact=False)
        assert [c.fields for c in difference(before, after, same=quick)] == [("content",)]


def test_sparse_files_are_compared_by_what_they_read_as(tmp_path: Path) -> None:
    size = 3_000_000
    data = b"x" * 512
    other = b"x" * 511 + b"y"
    one = [forge.sparse("f", ((0, data), (1_048_576, data)), size)]
    cut = [forge.sparse("f", ((0, data), (524_288, bytes(512)), (1_048_576, data)), size)]
    changed = [forge.sparse("f", ((0, data), (1_048_576, other)), size)]
    plain = [forge.file("f", data + bytes(1_048_576 - 512) + data + bytes(size - 1_048_576 - 512))]
    assert layered(tmp_path, one, cut) == []
    assert layered(tmp_path, one, plain) == []
    assert [c.fields for c in layered(tmp_path, one, changed)] == [("content",)]


def test_bytes_that_are_missing_are_said_to_be_unknown(tmp_path: Path) -> None:
    entries = [forge.sparse("f", ((0, b"x" * 512),), 4096)]
    paths = [forge.write(forge.image(forge.layer(*entries)), tmp_path / f"{n}.tar") for n in "ab"]
    with open_archive(paths[0]) as one, open_archive(paths[1]) as two:
        before, after = one.image().rootfs, two.image().rootfs
        after._open = None
        assert [c.fields for c in difference(before, after)] == [("content?",)]


@pytest.mark.judge
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\nb", "a\nb\n"),
        ("", "new\n"),
        ("gone", ""),
        ("\n".join(map(str, range(40))), "\n".join(str(n) if n != 20 else "x" for n in range(40))),
        ("form\x0cfeed\x1c and \u2028 stay in a line\n", "form\x0cfeed\x1c and \u2028 stay in their line\n"),
    ],
)
def test_text_differs_as_diff_u_says(old: str, new: str, tmp_path: Path) -> None:
    (tmp_path / "old").write_text(old, newline="")
    (tmp_path / "new").write_text(new, newline="")
    command = ["diff", "-u", "--label", "a/f", "--label", "b/f", "old", "new"]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True).stdout.decode()
    assert text_difference(old.encode(), new.encode(), "/f") == out.split("\n")[:-1]


@pytest.mark.parametrize("data", [b"\0", b"\xff", b"x" * 300_000, b"\n" * 20_000])
def test_what_is_no_small_text_has_no_text_difference(data: bytes) -> None:
    assert text_difference(data, b"a\n", "/f") is None
    assert text_difference(b"a\n", data, "/f") is None


# ---- what is not files ---------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> Callable[[Any, Any], tuple[Image, Image]]:
    def make(one: Any, two: Any) -> tuple[Image, Image]:
        paths = [forge.write(spec, tmp_path / f"{n}.tar") for n, spec in enumerate((one, two))]
        return open_archive(paths[0]).image(), open_archive(paths[1]).image()

    return make


def test_layers_are_matched_by_diff_id_wherever_they_are(pair: Callable[[Any, Any], tuple[Image, Image]]) -> None:
    a, b, c, d = (forge.layer(forge.file(name, name)) for name in "abcd")
    found = layers_difference(*pair(forge.image(a, b, c, a), forge.image(a, c, d)))
    assert found.prefix == 1
    assert [(match.first, match.second) for match in found.shared] == [(0, 0), (2, 1)]
    assert [match.first for match in found.only_first] == [1, 3]
    assert [match.second for match in found.only_second] == [2]


def test_config_and_process_name_every_value_that_differs(pair: Callable[[Any, Any], tuple[Image, Image]]) -> None:
    base = forge.layer(
        forge.file("etc/passwd", "root:x:0:0::/root:/\napp:x:7:8::/app:/\n"),
        forge.file("bin/a", b"#!/bin/b\n", mode=0o755),
    )
    one = forge.image(base, entrypoint=["/bin/a"], env={"A": "1", "PATH": "/bin"}, labels={"x/y": "1"})
    two = forge.image(base, entrypoint=["/bin/a", "-v"], env={"A": "2", "PATH": "/bin"}, user="app", workdir="/w")
    first, second = pair(one, two)
    config = {change.pointer: (change.kind, change.before, change.after) for change in config_difference(first, second)}
    config = {pointer: value for pointer, value in config.items() if not pointer.startswith("/history")}
    assert config == {
        "/config/Entrypoint": ("changed", ["/bin/a"], ["/bin/a", "-v"]),
        "/config/Env": ("changed", ["A=1", "PATH=/bin"], ["A=2", "PATH=/bin"]),
        "/config/Labels/x~1y": ("removed", "1", None),
        "/config/User": ("added", None, "app"),
        "/config/WorkingDir": ("added", None, "/w"),
    }
    process = {change.pointer: (change.before, change.after) for change in process_difference(first, second)}
    assert process["argv"] == (["/bin/a"], ["/bin/a", "-v"])
    assert process["env A"] == ("1", "2")
    assert process["env HOME"] == ("/root", "/app")
    assert (process["uid"], process["gid"], process["cwd"]) == ((0, 7), (0, 8), ("/", "/w"))
    assert "env PATH" not in process
    assert config_difference(first, first) == () and process_difference(first, first) == ()
