"""Images that try to leave the directory they are extracted into: a canary tree around it must stay as it was."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import imagepeel
from disktree import Seen, read_tree
from imagepeel import forge
from imagepeel.errors import ImagepeelError, LimitExceeded, Malformed, MissingBlob, UsageError
from imagepeel.export import collisions, extract
from imagepeel.export.extract import MARKER, materialize
from imagepeel.export.handles import Handles, component, open_root
from imagepeel.export.writer import Writer
from imagepeel.limits import Limits

SECRET = b"the canary's secret"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make devices and give files away")


class Field:
    """A directory with a canary beside the place that images are extracted to."""

    def __init__(self, top: Path) -> None:
        self.top = top / "field"
        self.canary = self.top / "canary"
        (self.canary / "dir").mkdir(parents=True)
        (self.canary / "secret").write_bytes(SECRET)
        (self.canary / "dir" / "file").write_bytes(b"x")
        os.chmod(self.canary / "secret", 0o600)
        self.out = self.top / "work" / "out"
        self.out.parent.mkdir()
        self.before = self.snapshot()

    def snapshot(self) -> dict[bytes, Seen]:
        tree = read_tree(self.top)
        return {
            path: seen
            for path, seen in tree.items()
            if path not in (b"work", b"work/out") and not path.startswith(b"work/out/")
        }

    def check(self) -> None:
        assert self.snapshot() == self.before
        assert os.listdir(self.out.parent) in ([], ["out"])

    def tree(self) -> dict[bytes, Seen]:
        return read_tree(self.out) if self.out.exists() else {}


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    yield Field(tmp_path)
    # Thousands of levels and directories of mode 0: more than pytest's own cleaning copes with.
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path / "field")], capture_output=True, timeout=60)
    subprocess.run(["rm", "-rf", str(tmp_path / "field")], capture_output=True, timeout=60)


def opened(tmp: Path, *layers: forge.LayerSpec, limits: Limits | None = None) -> imagepeel.Archive:
    source = tmp / "hostile.tar"
    forge.write(forge.image(*layers, names="hostile:1"), source, kind="oci-archive")
    return imagepeel.open(source, **({"limits": limits} if limits else {}))


def layers_of(*groups: list[forge.Entry]) -> list[forge.LayerSpec]:
    return [forge.layer(*group) for group in groups]


def attacks(canary: Path) -> dict[str, list[forge.LayerSpec]]:
    """Every way out that image tools have shipped, by name; `canary` is the absolute path they aim at."""
    absolute = os.fsencode(canary)
    up = b"../" * 12
    out: dict[str, list[list[forge.Entry]]] = {
        "dotdot": [[forge.file(b"../canary/pwned", "x"), forge.file(b"../../canary/secret", "x")]],
        "dotdot inside": [
            [forge.file(b"a/../../../canary/pwned", "x"), forge.directory(b"a/../../../canary/dir", 0o777)]
        ],
        "absolute name": [
            [forge.file(absolute + b"/pwned", "x"), forge.file(b"/../" + up + absolute[1:] + b"/p", "x")]
        ],
        "link then file, one layer": [[forge.symlink("l", absolute), forge.file("l/pwned", "x")]],
        "link then file, relative": [[forge.symlink("l", up + absolute[1:]), forge.file("l/pwned", "x")]],
        "link then file, two layers": [[forge.symlink("l", absolute)], [forge.file("l/pwned", "x")]],
        "link then file, dots, two layers": [[forge.symlink("l", b"../../canary")], [forge.file("l/pwned", "x")]],
        "link then directory entry": [[forge.symlink("l", absolute)], [forge.directory("l", 0o777, 5, 5)]],
        "link chain": [
            [
                forge.directory("d"),
                forge.symlink("d/a", ".."),
                forge.symlink("d/b", "a/../.."),
                forge.file("d/b/p", "x"),
            ]
        ],
        "overwrite through link": [[forge.symlink("f", absolute + b"/secret"), forge.file("f", "overwritten")]],
        "overwrite through lower link": [[forge.symlink("f", absolute + b"/secret")], [forge.file("f", "overwritten")]],
        "hardlink out": [[forge.hardlink("h", up + absolute[1:] + b"/secret"), forge.file("h", "overwritten")]],
        "hardlink absolute": [[forge.hardlink("h", absolute + b"/secret", 0o4777)]],
        "hardlink to link": [
            [forge.symlink("l", absolute + b"/secret"), forge.hardlink("h", "l", 0o4777), forge.file("h", "x")]
        ],
        "hardlink through link": [[forge.symlink("l", absolute), forge.hardlink("h", "l/secret")]],
        "hardlink through lower link": [[forge.symlink("l", absolute)], [forge.hardlink("h", "l/secret")]],
        "root is a link": [[forge.symlink(".", absolute), forge.file("pwned", "x")]],
        "empty name is a link": [[forge.symlink("", absolute), forge.file("pwned", "x")]],
        "root is a file": [[forge.file(".", "x"), forge.file("./", "y")]],
        "entry named dotdot": [[forge.directory("..", 0o777), forge.file("a/..", "x"), forge.symlink("..", absolute)]],
        "whiteout of dot": [
            [forge.directory("d"), forge.file("d/f")],
            [forge.file("d/.wh..", ""), forge.file(".wh..", "")],
        ],
        "whiteout of dotdot": [[forge.directory("d")], [forge.file("d/.wh...", ""), forge.file(".wh...", "")]],
        "whiteout of nothing": [
            [forge.directory("d"), forge.file("d/f")],
            [forge.file("d/.wh.", ""), forge.file(".wh.", "")],
        ],
        "whiteout through link": [[forge.symlink("l", absolute)], [forge.file("l/.wh.secret", "")]],
        "opaque through link": [[forge.symlink("l", absolute)], [forge.file("l/.wh..wh..opq", "")]],
        "whiteout path": [[forge.file(b".wh.../../canary/secret", ""), forge.file(".wh.x/y", "x")]],
        "devices": [[forge.device("sda", 8, 0, block=True, mode=0o666), forge.device("mem", 1, 1, mode=0o666)]],
        "device through link": [[forge.symlink("l", absolute), forge.device("l/null", 1, 3)]],
        "fifo and write": [[forge.fifo("p"), forge.file("p/x", "x")], [forge.fifo("q"), forge.hardlink("r", "q")]],
        "set-uid": [
            [forge.file("su", "#!", 0o6755), forge.directory("d", 0o2777), forge.symlink("l", "su", mode=0o6777)]
        ],
        "owners": [[forge.file("a", "", 0o644, 1 << 32, (1 << 32) - 1), forge.file("b", "", 0o644, 2**21, 2**21)]],
        "attributes": [
            [
                forge.file(
                    "f", "", xattrs={"security.capability": struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0)}
                ),
                forge.directory("d", xattrs={"trusted.overlay.opaque": "y", "user.overlay.redirect": "/canary"}),
                forge.symlink("l", absolute + b"/secret", xattrs={"security.x": "x", "user.y": "y"}),
            ]
        ],
        "odd names": [
            [
                forge.file(name, "x")
                for name in (
                    b"-rf",
                    b"a\nb",
                    b"\x1b]0;x\x07",
                    b"\xff\xfe",
                    b"c:\\x",
                    b"..\\x",
                    b"...",
                    b" ",
                    b"~",
                    b"$(x)",
                )
            ]
        ],
        "marker as image name": [
            [forge.file(MARKER, "not ours"), forge.directory(MARKER + b"-2"), forge.file("f", "f")]
        ],
        "marker is a link": [[forge.symlink(MARKER, absolute + b"/secret"), forge.file("f", "f")]],
        "global header": [[forge.pax_global({"path": absolute + b"/pwned", "linkpath": "x"}), forge.file("f", "f")]],
        "loop": [[forge.symlink("a", "b"), forge.symlink("b", "a"), forge.file("a/x", "x")]],
        "deep": [[forge.file(b"/".join([b"d"] * 900) + b"/f", "deep")]],
        "deep with links": [[forge.symlink("l", "."), forge.file(b"l/" * 200 + b"f", "x")]],
        "long name": [[forge.file(b"n" * 255, "x"), forge.file(b"n" * 256, "x")]],
        "type dance": [
            [forge.directory("d", 0), forge.file("d/f", "x")],
            [forge.symlink("d", absolute)],
            [forge.file("d/secret", "x"), forge.directory("d", 0o700)],
        ],
        "hole": [[forge.sparse("s", ((1 << 28, b"end"),), (1 << 28) + 7)]],
        "hole beyond all disks": [[forge.sparse("s", (), (1 << 62) + 7)]],
        "times": [[forge.file("a", mtime=-(2**40)), forge.file("b", mtime=2**62), forge.directory("c", mtime=2**33)]],
    }
    return {name: layers_of(*groups) for name, groups in out.items()}


NAMES = tuple(attacks(Path("/canary")))


@pytest.mark.parametrize("view", ["runtime", "spec", "sequential"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_directory(field: Field, tmp_path: Path, name: str, view: str) -> None:
    with opened(tmp_path, *attacks(field.canary)[name]) as archive:
        try:
            report = materialize(archive.image().view(view), field.out, best_effort=True)
        except (ImagepeelError, OSError) as error:
            assert "somebody" not in str(error)
            report = None
    field.check()
    tree = field.tree()
    for path, seen in tree.items():
        assert seen.kind in ("file", "dir", "symlink", "fifo"), path
        assert seen.mode & 0o6000 == 0, path
        assert (seen.uid, seen.gid) == (os.geteuid(), os.getegid())
        assert seen.xattrs == ()
        if seen.kind == "file" and seen.size < 1 << 20:
            assert SECRET not in (field.out / os.fsdecode(path)).read_bytes()
    if report is not None:
        assert report.entries == len(tree)
        names = os.listdir(field.out)
        own = [n for n in archive.image().view(view).listdir("/") if n.startswith(MARKER)]
        assert [os.fsencode(n) for n in sorted(names) if os.fsencode(n).startswith(MARKER)] == own


@root_only
@pytest.mark.root
@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_directory_when_all_is_kept(field: Field, tmp_path: Path, name: str) -> None:
    with opened(tmp_path, *attacks(field.canary)[name]) as archive:
        try:
            materialize(archive.image().rootfs, field.out, best_effort=True, preserve=True)
        except (ImagepeelError, OSError) as error:
            assert "somebody" not in str(error)
    field.check()


def test_what_the_default_leaves_out_is_counted(field: Field, tmp_path: Path) -> None:
    entries = [
        forge.file("a", "", 0o4755, 12345, 1),
        forge.file("b", "", 0o644, 12345, 1, xattrs={"user.x": "1", "user.y": "2", "security.capability": "c"}),
        forge.device("n", 1, 3),
        forge.device("m", 1, 3, block=True),
        forge.symlink("l", "x", 12345, 1),
    ]
    with opened(tmp_path, forge.layer(*entries)) as archive:
        report = materialize(archive.image().rootfs, field.out)
    counts = {omission.what: omission.count for omission in report.omissions}
    assert counts == {
        "device nodes": 2,
        "owners and groups": 3,
        "set-uid and set-gid bits": 1,
        "user extended attributes": 2,
        "file capabilities": 1,
    }
    assert (report.files, report.symlinks, report.devices, report.entries) == (2, 1, 0, 3)


# ---- somebody changes the directory meanwhile -----------------------------------------------------------------


def swap(monkeypatch: pytest.MonkeyPatch, action: Callable[[], None]) -> None:
    """Run `action` once, right before the first file is written, with no directory held open."""
    plain = Writer._file
    done: list[bool] = []

    def file(self: Writer, item: object) -> None:
        if not done:
            done.append(True)
            self._handles.close()
            action()
        plain(self, item)  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "_file", file)


def test_a_directory_that_becomes_a_link_is_not_followed(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace() -> None:
        os.rmdir(field.out / "d" / "e")
        os.symlink(field.canary, field.out / "d" / "e")

    swap(monkeypatch, replace)
    with (
        opened(
            tmp_path, forge.layer(forge.directory("d"), forge.directory("d/e"), forge.file("d/e/f", "x"))
        ) as archive,
        pytest.raises(OSError, match="somebody else changed"),
    ):
        materialize(archive.image().rootfs, field.out)
    field.check()
    assert os.fsencode(MARKER) in [os.fsencode(n) for n in os.listdir(field.out)]


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "fifo", "file"])
def test_a_name_that_appears_is_not_written_to(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = field.out / "d" / "f"
    action = {
        "symlink": lambda: os.symlink(field.canary / "secret", place),
        "hardlink": lambda: os.link(field.canary / "secret", place),
        "fifo": lambda: os.mkfifo(place),
        "file": lambda: place.write_bytes(b"theirs"),
    }[kind]
    swap(monkeypatch, action)
    layer = forge.layer(forge.directory("d"), forge.file("d/f", "x"))
    with opened(tmp_path, layer) as archive, pytest.raises(OSError, match="somebody else writes"):
        materialize(archive.image().rootfs, field.out)
    if kind == "hardlink":
        os.unlink(place)
    assert field.snapshot() == field.before


def test_the_directory_itself_becomes_a_link(field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(target: str) -> int:
        os.rmdir(target)
        os.symlink(field.canary, target)
        return open_root(target)

    monkeypatch.setattr(extract, "open_root", late)
    with opened(tmp_path, forge.layer(forge.file("f", "x"))) as archive, pytest.raises(OSError):
        materialize(archive.image().rootfs, field.out)
    field.check()


def test_nobody_else_may_enter_while_it_is_written(field: Field, tmp_path: Path) -> None:
    modes: list[int] = []

    def look(_: int) -> None:
        modes.append(stat.S_IMODE(os.stat(field.out).st_mode))
        assert (field.out / os.fsdecode(MARKER)).exists()

    with opened(tmp_path, forge.layer(forge.directory("d", 0o777), forge.file("d/f", "x"))) as archive:
        materialize(archive.image().rootfs, field.out, progress=look)
    assert modes == [0o700]
    assert stat.S_IMODE(os.stat(field.out).st_mode) == 0o755
    assert os.listdir(field.out) == ["d"]


# ---- interruptions, refusals, budgets ---------------------------------------------------------------------------


def test_an_interruption_leaves_a_marked_directory(field: Field, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with opened(tmp_path, forge.layer(forge.file("a", "x"), forge.file("b", "y"))) as archive:
        rootfs = archive.image().rootfs
        with pytest.raises(KeyboardInterrupt):
            materialize(rootfs, field.out, progress=interrupt)
        assert sorted(os.listdir(field.out)) == [os.fsdecode(MARKER), "a"]
        with pytest.raises(UsageError, match="interrupted"):
            materialize(rootfs, field.out)
        shutil.rmtree(field.out)
        materialize(rootfs, field.out)
    assert sorted(os.listdir(field.out)) == ["a", "b"]


@pytest.mark.parametrize("call", ["unlink", "fchmod"])
def test_an_interruption_at_the_last_moment_leaves_a_marked_directory(
    call: str, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, write, calls = getattr(os, call), Writer.write, []

    def step(*given: object, **named: object) -> None:
        real(*given, **named)
        if not calls:
            calls.append(call)
            raise KeyboardInterrupt

    def then(*given: object) -> None:
        write(*given)  # type: ignore[arg-type]
        monkeypatch.setattr(os, call, step)

    monkeypatch.setattr(Writer, "write", then)
    layer = forge.layer(forge.directory(".", 0o555), forge.file("a", "x"))
    with opened(tmp_path, layer) as archive, pytest.raises(KeyboardInterrupt):
        materialize(archive.image().rootfs, field.out)
    assert calls and sorted(os.listdir(field.out)) == [os.fsdecode(MARKER), "a"]
    assert stat.S_IMODE(field.out.stat().st_mode) == 0o700


def test_an_interruption_leaves_no_probe_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.mkdir

    def mkdir(*given: object, **named: object) -> None:
        real(*given, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    (tmp_path / "marker").touch()
    root = open_root(tmp_path)
    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(KeyboardInterrupt):
        collisions.folds_names(root, b"marker")
    os.close(root)
    assert os.listdir(tmp_path) == ["marker"]


@pytest.mark.parametrize("name", ["_prepare", "open_root", "_marker_name", "_mark", "folds_names", "_check_space"])
def test_an_interruption_before_the_first_file_leaves_what_was_there(
    name: str, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(extract, name)

    def step(*given: object) -> None:
        real(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(extract, name, step)
    with opened(tmp_path, forge.layer(forge.file("a", "x"))) as archive:
        rootfs = archive.image().rootfs
        with pytest.raises(KeyboardInterrupt):
            materialize(rootfs, field.out)
        assert not field.out.exists()
        field.out.mkdir(mode=0o710)
        with pytest.raises(KeyboardInterrupt):
            materialize(rootfs, field.out)
        assert os.listdir(field.out) == [] and stat.S_IMODE(field.out.stat().st_mode) == 0o710
        monkeypatch.undo()
        materialize(rootfs, field.out)
    assert os.listdir(field.out) == ["a"]


def test_a_directory_in_use_is_refused(field: Field, tmp_path: Path) -> None:
    field.out.mkdir()
    (field.out / "mine").write_text("mine")
    os.symlink(field.canary, field.top / "link")
    with opened(tmp_path, forge.layer(forge.file("a", "x"))) as archive:
        for target in (field.out, field.top / "link", field.canary / "secret"):
            with pytest.raises(UsageError):
                materialize(archive.image().rootfs, target)
    assert os.listdir(field.out) == ["mine"]
    os.unlink(field.top / "link")
    assert field.snapshot() == field.before


def test_an_empty_directory_that_exists_is_used(field: Field, tmp_path: Path) -> None:
    field.out.mkdir(0o750)
    with opened(tmp_path, forge.layer(forge.file("a", "x"))) as archive:
        materialize(archive.image().rootfs, field.out)
    assert os.listdir(field.out) == ["a"]


def test_a_refused_image_needs_another_view_or_best_effort(field: Field, tmp_path: Path) -> None:
    layers = layers_of([forge.file("a", "x")], [forge.hardlink("b", "a"), forge.file("c", "y")])
    with opened(tmp_path, *layers) as archive:
        image = archive.image()
        assert image.rootfs.refusal is not None
        with pytest.raises(Malformed, match="refuses to unpack"):
            materialize(image.rootfs, field.out)
        assert not field.out.exists()
        assert materialize(image.view("spec"), field.out).best_effort is False
        assert sorted(os.listdir(field.out)) == ["a", "b", "c"]
        assert materialize(image.rootfs, field.top / "work" / "again", best_effort=True).best_effort is True


def test_a_missing_layer_needs_best_effort(field: Field, tmp_path: Path) -> None:
    spec = forge.image(forge.layer(forge.file("a", "x")), forge.layer(forge.file("b", "y"), missing=True), names="m:1")
    forge.write(spec, tmp_path / "m.tar", kind="oci-archive")
    with imagepeel.open(tmp_path / "m.tar") as archive:
        with pytest.raises(MissingBlob):
            materialize(archive.image().rootfs, field.out)
        assert not field.out.exists()
        assert materialize(archive.image().rootfs, field.out, best_effort=True).files == 1


def test_the_disk_budget_is_asked_before_anything_is_written(field: Field, tmp_path: Path) -> None:
    entries = [forge.file(f"f{n}", b"x" * 100) for n in range(11)]
    with opened(tmp_path, forge.layer(*entries), limits=msgspec.structs.replace(Limits(), disk_bytes=1000)) as archive:
        with pytest.raises(LimitExceeded):
            materialize(archive.image().rootfs, field.out)
        assert not field.out.exists()
        assert materialize(archive.image().rootfs, field.out, limits=Limits(disk_bytes=1100)).bytes == 1100


def test_an_archive_that_changes_after_it_was_verified(field: Field, tmp_path: Path) -> None:
    content = b"verified content"
    with opened(tmp_path, forge.layer(forge.file("f", content), compression="none")) as archive:
        rootfs = archive.image().rootfs
        source = tmp_path / "hostile.tar"
        data = source.read_bytes()
        with open(source, "r+b") as file:
            file.seek(data.index(content))
            file.write(b"EVIL")
        with pytest.raises(Malformed, match="not those that were verified"):
            materialize(rootfs, field.out)


def test_names_that_fall_together(field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        forge.file("etc/Hosts", "a"),
        forge.file("ETC/hosts", "b"),
        forge.file(b"caf\xc3\xa9"),
        forge.file(b"cafe\xcc\x81"),
    ]
    with opened(tmp_path, forge.layer(*entries)) as archive:
        rootfs = archive.image().rootfs
        with pytest.raises(UsageError, match="and 2 more"):
            materialize(rootfs, field.out, check_case=True)
        assert not field.out.exists()
        # What a filesystem without case looks like: the marker answers to its name in capitals.
        plain = collisions._there
        monkeypatch.setattr(collisions, "_there", lambda name, root: plain(name.lower(), root))
        with pytest.raises(UsageError, match="one name where case does not count"):
            materialize(rootfs, field.out)
        assert not field.out.exists()
        monkeypatch.undo()
        assert materialize(rootfs, field.out).files == 4


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_no_name_is_more_than_a_component(name: bytes) -> None:
    with pytest.raises(Malformed):
        component(name)


def test_few_descriptors_are_held_for_deep_paths(tmp_path: Path) -> None:
    path = "/".join(["d"] * 300)
    (tmp_path / path).mkdir(parents=True)
    top = open_root(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    with Handles(top) as handles:
        found = os.fstat(handles.directory(path.encode()))
        assert (found.st_dev, found.st_ino) == ((tmp_path / path).stat().st_dev, (tmp_path / path).stat().st_ino)
        assert len(os.listdir("/proc/self/fd")) - before < 64
        assert os.fstat(handles.directory(b"d/d")).st_ino == (tmp_path / "d/d").stat().st_ino
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(top)


def test_preserve_needs_root(field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with opened(tmp_path, forge.layer(forge.file("f"))) as archive, pytest.raises(UsageError, match="needs root"):
        materialize(archive.image().rootfs, field.out, preserve=True)


@pytest.mark.parametrize("pieces", [(), ((0, b"a"), ((1 << 62) - 2, b"b"))], ids=["one hole", "a far piece"])
def test_a_hole_that_the_filesystem_does_not_take_is_told_of_the_image(
    field: Field, tmp_path: Path, pieces: tuple[tuple[int, bytes], ...]
) -> None:
    told = "/s has 4,611,686,018,427,387,904 bytes with its holes"
    image = opened(tmp_path, *layers_of([forge.sparse("s", pieces, 1 << 62)]))
    with image as archive, pytest.raises(LimitExceeded, match=told) as caught:
        materialize(archive.image().rootfs, field.out)
    assert caught.value.where is not None and caught.value.where.layer == 0


@root_only
@pytest.mark.root
def test_a_person_without_root_gets_the_tree_with_its_locked_directories(tmp_path: Path) -> None:
    entries = [
        forge.directory("locked", 0, 5, 5),
        forge.file("locked/f", "x", 0, 5, 5),
        forge.directory("locked/d", 0o300),
    ]
    spec = forge.image(forge.layer(*entries, forge.device("null", 1, 3), forge.fifo("p", 0o4)), names="x:1")
    here = tmp_path / "open"
    here.mkdir()
    forge.write(spec, here / "x.tar", kind="oci-archive")
    for place in (here, *[p for p in tmp_path.parents if p.is_relative_to("/tmp")]):
        if stat.S_IMODE(place.stat().st_mode) & 0o5 != 0o5:
            os.chmod(place, stat.S_IMODE(place.stat().st_mode) | 0o5)
    os.chmod(tmp_path, 0o755)
    os.chmod(here, 0o777)
    with imagepeel.open(here / "x.tar") as archive:
        rootfs = archive.image().rootfs
        # Once as root, so that the child has nothing left to import: it may not be able to read the interpreter.
        materialize(rootfs, tmp_path / "as-root")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                code = 0 if materialize(rootfs, here / "out").entries == 4 else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    tree = read_tree(here / "out")
    assert {path: (seen.kind, seen.mode, seen.uid) for path, seen in tree.items()} == {
        b"locked": ("dir", 0, 65534),
        b"locked/f": ("file", 0, 65534),
        b"locked/d": ("dir", 0o300, 65534),
        b"p": ("fifo", 0o4, 65534),
    }
