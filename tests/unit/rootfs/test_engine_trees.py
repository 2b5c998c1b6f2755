"""What engines make of layers that are not among the recorded cases; expectations are read off the layer reference."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.findings.semantics.side_by_side import side_by_side
from imagepeel.formats.tar.scanner import scan
from imagepeel.rootfs.engines.names import VIEWS
from imagepeel.rootfs.view import Rootfs, build

ENGINES = ("runtime", "docker", "docker@28", "podman")


@pytest.fixture
def views(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Return a function: layers -> view -> its filesystem."""
    opened = []

    def make(*layers: forge.LayerSpec) -> dict[str, Rootfs]:
        path = forge.write(forge.image(*layers), tmp_path / f"{len(opened)}.tar")
        archive = imagepeel.open(path)
        opened.append(archive)
        image = archive.image()
        return {name: image.view(name) for name in (*VIEWS, "docker@28")}

    yield make
    for archive in opened:
        archive.close()


def refusing(found: dict[str, Rootfs]) -> set[str]:
    return {name for name in ENGINES if found[name].refusal is not None}


def mode(rootfs: Rootfs, path: str) -> tuple[int, int, int]:
    node = rootfs.lookup(path)
    return node.mode, node.uid, node.gid


def test_the_root_is_what_each_engine_makes_of_it(views) -> None:  # type: ignore[no-untyped-def]
    plain = views(forge.layer(forge.file("f", "x")))
    assert {name: mode(plain[name], "/")[0] for name in ENGINES} == {
        "runtime": 0o755,
        "docker": 0o755,
        "docker@28": 0o755,
        "podman": 0o555,
    }
    slash = views(forge.layer(forge.directory("/", mode=0o700, uid=9, gid=9)), forge.layer(forge.file("f", "x")))
    assert mode(slash["podman"], "/") == (0o700, 9, 9)
    assert mode(slash["spec"], "/") == (0o700, 9, 9)
    assert {mode(slash[name], "/") for name in ENGINES[:3]} == {(0o755, 0, 0)}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x"])
def test_names_that_climb_are_clamped_or_refused_by_docker_29(views, name: str) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file(name, "x"), forge.file("f", "y")))
    assert refusing(found) == {"docker"}
    assert f'invalid entry name "{name}"' in found["docker"].refusal.reason
    for view in ("runtime", "docker@28", "podman", "spec", "sequential"):
        assert found[view].read("/x") == b"x"


def test_an_entry_named_dot_dot_is_the_root(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("..", "x"), forge.file("f", "y")))
    assert refusing(found) == {"docker"}
    assert found["runtime"].listdir("/") == found["podman"].listdir("/") == [b"f"]


@pytest.mark.parametrize("name", [".wh..", ".wh...", ".wh.", "d/.wh..", "d/.wh..."])
def test_whiteouts_of_nothing_are_refused_by_all(views, name: str) -> None:  # type: ignore[no-untyped-def]
    base = forge.layer(forge.directory("d"), forge.file("d/f", "x"))
    found = views(base, forge.layer(forge.file(name, "")))
    assert refusing(found) == set(ENGINES)
    assert all(found[view].refusal.layer == 1 for view in ENGINES)


def test_an_opaque_mark_below_a_whiteout_is_refused(views) -> None:  # type: ignore[no-untyped-def]
    base = forge.layer(forge.directory("d"), forge.file("d/old", "x"))
    found = views(base, forge.layer(forge.whiteout("d"), forge.opaque("d"), forge.file("d/new", "y")))
    assert refusing(found) == set(ENGINES)
    assert found["spec"].refusal is None and found["spec"].listdir("/d") == [b"new"]


def test_links_that_never_end_are_refused(views) -> None:  # type: ignore[no-untyped-def]
    loop = forge.layer(forge.symlink("a", "b"), forge.symlink("b", "a"), forge.file("a/f", "x"))
    assert refusing(views(loop)) == set(ENGINES)


def test_a_dangling_link_in_the_same_layer(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.symlink("lib", "usr/lib"), forge.file("lib/f", "x")))
    assert refusing(found) == {"docker@28", "podman"}
    assert found["runtime"].read("/usr/lib/f") == found["docker"].read("/usr/lib/f") == b"x"


def test_a_link_in_the_same_layer_is_followed_by_all(views) -> None:  # type: ignore[no-untyped-def]
    for target in ("usr/lib", "/usr/lib"):
        found = views(forge.layer(forge.directory("usr/lib"), forge.symlink("lib", target), forge.file("lib/f", "x")))
        assert not refusing(found)
        assert {found[view].read("/usr/lib/f") for view in ENGINES} == {b"x"}


def test_a_packed_opaque_attribute_hides_with_docker_and_podman(views) -> None:  # type: ignore[no-untyped-def]
    base = forge.layer(forge.directory("d"), forge.file("d/old", "x"))
    top = forge.layer(forge.directory("d", xattrs={"trusted.overlay.opaque": "y"}), forge.file("d/new", "y"))
    found = views(base, top)
    assert found["runtime"].listdir("/d") == [b"new", b"old"]
    for view in ENGINES[1:]:
        assert found[view].listdir("/d") == [b"new"]
        assert not found[view].lookup("/d").xattrs, "the mount hides the mark itself"
    assert found["spec"].lookup("/d").xattrs == {b"trusted.overlay.opaque": b"y"}


def test_a_packed_metacopy_makes_a_file_unreadable(views) -> None:  # type: ignore[no-untyped-def]
    base = forge.layer(forge.file("f", "x"))
    found = views(base, forge.layer(forge.file("f", "", xattrs={"trusted.overlay.metacopy": ""})))
    assert found["docker"].resolve("/f").errno == "ENOENT" and b"f" in found["docker"].listdir("/")
    assert found["runtime"].read("/f") == b""


@pytest.mark.parametrize(
    ("uid", "shown"), [((1 << 32) - 2, (1 << 32) - 2), (1 << 32, 0), ((1 << 32) - 1, 0), ((1 << 32) + 7, 7)]
)
def test_owners_wrap_as_chown_does(views, uid: int, shown: int) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("f", "x", uid=uid)))
    assert {found[view].lookup("/f").uid for view in ENGINES} == {shown}


def test_a_hardlink_header_changes_the_shared_inode(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("a", "x", mode=0o644), forge.hardlink("b", "a", mode=0o4755, uid=5)))
    for view in ENGINES:
        assert mode(found[view], "/a") == mode(found[view], "/b") == (0o4755, 5, 0)
    assert mode(found["spec"], "/a") == (0o644, 0, 0)


def test_absolute_hardlinks_are_inside_the_image(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("d/a", "x"), forge.hardlink("b", "/d/a")))
    assert not refusing(found)
    assert all(found[view].lookup("/b").nlink == 2 for view in ENGINES)


def test_an_attribute_without_namespace_stops_docker_only(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("f", "x", xattrs={"plain": "v", "user.k": "v"})))
    assert refusing(found) == {"docker", "docker@28"}
    assert found["podman"].lookup("/f").xattrs == {b"user.k": b"v"}


def test_a_whiteout_in_the_first_layer(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("f", "x"), forge.file("g", "y"), forge.whiteout("f")))
    assert refusing(found) == {"docker", "docker@28", "podman"}
    assert found["runtime"].listdir("/") == [b"g"]


def test_a_refused_image_still_shows_the_best_effort(views) -> None:  # type: ignore[no-untyped-def]
    found = views(forge.layer(forge.file("a", "x")), forge.layer(forge.hardlink("b", "a"), forge.file("c", "z")))
    assert refusing(found) == set(ENGINES)
    for view in ENGINES:
        assert "best effort" in found[view].label
        assert found[view].listdir("/") == [b"a", b"b", b"c"]


def test_borrowed_attributes_differ_also_where_one_layer_alone_is_left(views) -> None:  # type: ignore[no-untyped-def]
    """containerd 1.6 gives d/e, which the last layer does not describe, the mode of the hidden d/e of the first."""
    found = views(
        forge.layer(forge.directory("d"), forge.directory("d/e", 0o700)),
        forge.layer(forge.directory("d"), forge.opaque("d")),
        forge.layer(forge.file("d/e/f", "1")),
    )
    assert found["runtime"].lookup("/d/e").mode == 0o700
    assert found["docker"].lookup("/d/e").mode == 0o755
    differing = [path for path, _ in side_by_side((found["runtime"], found["docker"]))]
    assert differing == [b"/d/e"]


LOWER = {
    "removed": (
        [forge.layer(forge.directory("d"), forge.directory("d/e", 0o700)), forge.layer(forge.whiteout("d"))],
        "lstat /d/e: not a directory",
    ),
    "file": ([forge.layer(forge.file("d", "1"))], "lstat /d/e: not a directory"),
    "link to a file": ([forge.layer(forge.file("real"), forge.symlink("d", "real"))], "lstat /real/e: not a directory"),
    "link to nothing": ([forge.layer(forge.symlink("d", "nowhere"))], ""),
    "link through a file": (
        [forge.layer(forge.file("real"), forge.symlink("d", "real/x"))],
        "lstat /real/x: not a directory",
    ),
    "link in its place": (
        [forge.layer(forge.file("real"), forge.directory("d"), forge.symlink("d/e", "../real/x"))],
        "lstat /real/x: not a directory",
    ),
}


@pytest.mark.parametrize("name", LOWER)
def test_directories_are_not_implied_below_what_was_a_file(views, name: str) -> None:  # type: ignore[no-untyped-def]
    """As containerd 1.6 refuses them: it asks all lower layers about d/e, and takes only "does not exist" for no."""
    lower, reason = LOWER[name]
    found = views(*lower, forge.layer(forge.file("d/e/f", "1")))
    refusal = found["runtime"].refusal
    assert (refusal.reason if refusal is not None else "") == reason
    assert found["docker"].refusal is None


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_a_device_number_beyond_32_bits_is_refused_of_either_kind(kind: bytes) -> None:
    """As containerd 2.4 refuses it: handleTarTypeBlockCharFifo asks for both kinds, and so does Docker 29.7."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("d")
        info.type, info.devmajor = kind, 1 << 33
        tar.addfile(info)

    class OneLayer:
        index, table, error = 0, scan(file.getvalue()).table, None

    for view in ("runtime", "sequential", "docker"):
        refusal = build([OneLayer()], view).refusal
        assert refusal is not None and refusal.reason.startswith('device number 8589934592:0 for "d" out of range')
