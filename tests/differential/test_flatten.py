"""The flattened tar, held by GNU tar, bsdtar, our own scanner, extract, and the squashed layers of another project."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import imagepeel
import nasty
from disktree import differences, read_tree
from imagepeel import forge
from imagepeel.errors import LimitExceeded, Malformed, UsageError
from imagepeel.export.extract import materialize
from imagepeel.export.flatten import flatten, flatten_to
from imagepeel.limits import Limits
from imagepeel.rootfs.view import Rootfs

IMAGES = Path(__file__).parents[2].parent / "shared" / "images"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make devices and give files away")


def facts(rootfs: Rootfs, *, names: dict[int, bytes] | None = None) -> dict[bytes, tuple[object, ...]]:
    """A view as values; hardlinks as the first of their names."""
    first: dict[int, bytes] = {}
    out: dict[bytes, tuple[object, ...]] = {}
    for path, node in rootfs.walk():
        if path == b"/" or node.kind == "ghost":
            continue
        link = first.setdefault(node.ino, path) if node.nlink > 1 and node.kind != "dir" else path
        content = hashlib.sha256(b"".join(rootfs.open(node).chunks())).hexdigest() if node.kind == "file" else ""
        out[path] = (
            node.kind,
            node.mode if node.kind != "symlink" else 0,
            node.uid,
            node.gid,
            node.size,
            node.target,
            node.device,
            dict(node.xattrs),
            node.mtime or (0, 0),
            link,
            content,
        )
    return out


def flat(rootfs: Rootfs, **options: int) -> bytes:
    out = io.BytesIO()
    report = flatten(rootfs, out, epoch=options.get("epoch"))
    assert report.sha256 == hashlib.sha256(out.getvalue()).hexdigest()
    assert report.size == len(out.getvalue())
    return out.getvalue()


def reread(tar: bytes, tmp: Path) -> dict[bytes, tuple[object, ...]]:
    """The same tar as the only layer of an image."""
    target = tmp / "again.tar"
    forge.write(forge.image(forge.layer(tar=tar), names="flat:1"), target, kind="oci-archive")
    with imagepeel.open(target) as archive:
        image = archive.image()
        assert image.layers[0].error is None
        view = image.view("sequential")
        assert view.refusal is None
        return facts(view)


@pytest.fixture(scope="module")
def nasty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("nasty") / "nasty.tar"
    return forge.write(nasty.image(), target, kind="oci-archive", compression="zstd")


def test_our_own_reader_sees_the_same_tree(nasty_archive: Path, tmp_path: Path) -> None:
    with imagepeel.open(nasty_archive) as archive:
        rootfs = archive.image().rootfs
        expected = facts(rootfs)
        assert len(expected) > 3_800
        assert reread(flat(rootfs), tmp_path) == expected


def test_the_same_image_gives_the_same_bytes_whatever_carries_it(tmp_path: Path) -> None:
    spec = nasty.image()
    seen = set()
    for number, (kind, compression) in enumerate(
        [("docker-archive", "none"), ("oci-archive", "gzip"), ("oci-dir", "zstd"), ("oci-archive", "none")]
    ):
        target = tmp_path / str(number)
        forge.write(spec, target, kind=kind, compression=compression)
        with imagepeel.open(target) as archive:
            seen.add(flat(archive.image().rootfs))
    assert len(seen) == 1


def test_entries_are_sorted_and_the_root_is_left_out(nasty_archive: Path) -> None:
    with (
        imagepeel.open(nasty_archive) as archive,
        tarfile.open(fileobj=io.BytesIO(flat(archive.image().rootfs))) as tar,
    ):
        names = [member.name.encode("utf-8", "surrogateescape").split(b"/") for member in tar]
    assert names == sorted(names)
    assert all(name[0] not in (b"", b".") for name in names)


@pytest.mark.parametrize(("epoch", "expected"), [(None, 0), (1_234_567_890, 1_234_567_890)])
def test_the_time_of_what_nobody_described(tmp_path: Path, epoch: int | None, expected: int) -> None:
    forge.write(
        forge.image(forge.layer(forge.file("a/b", "x", mtime=77)), names="x:1"), tmp_path / "x.tar", kind="oci-archive"
    )
    out = io.BytesIO()
    with imagepeel.open(tmp_path / "x.tar") as archive:
        flatten(archive.image().rootfs, out, epoch=epoch)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        assert {member.name: member.mtime for member in tar} == {"a": expected, "a/b": 77}


@pytest.mark.judge
@pytest.mark.root
@root_only
@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_what_other_tools_unpack_is_what_extract_writes(nasty_archive: Path, tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on PATH")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with imagepeel.open(nasty_archive) as archive:
        rootfs = archive.image().rootfs
        flatten_to(rootfs, tmp_path / "flat.tar")
        materialize(rootfs, tmp_path / "ours", preserve=True)
        unknown = frozenset(path[1:] for path, node in rootfs.walk() if node.mtime is None)
    options = {
        "tar": ["--warning=no-timestamp", "--xattrs", "--xattrs-include=*", "--numeric-owner"],
        "bsdtar": ["--xattrs", "--numeric-owner"],
    }[tool]
    command = [tool, *options, "-xpf", str(tmp_path / "flat.tar"), "-C", str(theirs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")
    ours = read_tree(tmp_path / "ours")
    if tool == "bsdtar":
        # libarchive composes accents, so that this name becomes that of its neighbour.
        assert ours.pop(b"names/e\xcc\x81") is not None
        ours[b"names/\xc3\xa9"] = read_tree(theirs)[b"names/\xc3\xa9"]
    assert differences(ours, read_tree(theirs), unknown_time=unknown) == []


def test_numbers_that_do_not_fit_octal_fields(tmp_path: Path) -> None:
    entries = [
        forge.file("big-ids", "", 0o644, 4_000_000_000, 2_097_152),
        forge.file("late", mtime=(1 << 33) + 5),
        forge.file("nanoseconds", mtime=(5, 1)),
        forge.file(b"\xff" * 120, "no UTF-8 and too long for a field"),
        forge.file("ü" * 60, "UTF-8"),
        forge.symlink("l", b"\xfe" * 300),
        forge.file("p" * 100 + "/" + "n" * 90, "two fields"),
        forge.device("d", 1 << 20, 1 << 20),
    ]
    forge.write(forge.image(forge.layer(*entries), names="x:1"), tmp_path / "x.tar", kind="oci-archive")
    with imagepeel.open(tmp_path / "x.tar") as archive:
        rootfs = archive.image().rootfs
        assert reread(flat(rootfs), tmp_path) == facts(rootfs)


def test_a_layer_in_another_order_is_decompressed_a_bounded_number_of_times(tmp_path: Path) -> None:
    from imagepeel.archive import codec
    from imagepeel.layers import pool

    entries = [forge.file(f"{n * 7919 % 1000:04d}", os.urandom(700)) for n in range(1000)]
    made: list[int] = []
    plain = codec.make_decoder
    for compression in ("gzip", "zstd"):
        target = tmp_path / f"{compression}.tar"
        forge.write(
            forge.image(forge.layer(*entries), names="x:1"), target, kind="oci-archive", compression=compression
        )
        with imagepeel.open(target) as archive, pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "KEEP", 0)  # as if it were large
            rootfs = archive.image().rootfs
            patch.setattr(codec, "make_decoder", lambda *a: made.append(1) or plain(*a))
            made.clear()
            flat(rootfs)
            assert 0 < len(made) <= 4


def test_an_output_file_is_whole_or_not_there(tmp_path: Path) -> None:
    forge.write(forge.image(forge.layer(forge.file("a", "x")), names="x:1"), tmp_path / "x.tar", kind="oci-archive")
    output = tmp_path / "out" / "flat.tar"
    output.parent.mkdir()

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with imagepeel.open(tmp_path / "x.tar") as archive:
        rootfs = archive.image().rootfs
        with pytest.raises(KeyboardInterrupt):
            flatten_to(rootfs, output, progress=interrupt)
        assert os.listdir(output.parent) == []
        output.write_text("an older one")
        with pytest.raises(KeyboardInterrupt):
            flatten_to(rootfs, output, progress=interrupt)
        assert output.read_text() == "an older one"
        report = flatten_to(rootfs, output)
        assert os.listdir(output.parent) == ["flat.tar"]
        assert hashlib.sha256(output.read_bytes()).hexdigest() == report.sha256
        with pytest.raises(UsageError):
            flatten_to(rootfs, output.parent)
        with pytest.raises(LimitExceeded):
            flatten(rootfs, io.BytesIO(), limits=msgspec.structs.replace(Limits(), disk_bytes=0))


def test_a_refused_image_is_not_flattened_in_silence(tmp_path: Path) -> None:
    layers = [forge.layer(forge.file("a", "x")), forge.layer(forge.hardlink("b", "a"))]
    forge.write(forge.image(*layers, names="x:1"), tmp_path / "x.tar", kind="oci-archive")
    with imagepeel.open(tmp_path / "x.tar") as archive:
        image = archive.image()
        with pytest.raises(Malformed):
            flatten(image.rootfs, io.BytesIO())
        assert flatten(image.rootfs, io.BytesIO(), best_effort=True).best_effort
        assert flatten(image.view("spec"), io.BytesIO()).hardlinks == 1


# ---- squashed layers of sylabs/oci-tools ----------------------------------------------------------------------

GOLDEN = IMAGES / "sylabs+oci-tools"
REFUSED = {
    "hard-link-2": "its second layer links to a file of the first, which no rootful engine unpacks",
    "hard-link-delete-3": "the same",
    "hard-link-delete-4": "the same",
}
"""The runtime view refuses these: the spec view is what squashing corresponds to."""


def golden_cases() -> list[tuple[str, Path, Path]]:
    """(image, its folder, the tar); LayerSelector is not here, it squashes some layers only."""
    out = []
    for golden in sorted((GOLDEN / "pkg/mutate/testdata/TestSquash").glob("*/layer.golden")):
        words = golden.parent.name
        dashed = "".join(f"-{c.lower()}" if c.isupper() or c.isdigit() else c for c in words).strip("-")
        name = "hello-world-docker-v2-manifest" if words == "DockerManifest" else dashed
        source = GOLDEN / "test/images" / name
        if source.exists():
            out.append((name, source, golden))
    return out


def read_tar(data: bytes) -> dict[str, tuple[object, ...]]:
    """Path -> type, target, mode, content, and the first name of the same inode."""
    content: dict[str, tuple[object, ...]] = {}
    inode: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            name = os.path.normpath(member.name)
            if name == ".":
                continue
            if member.islnk():
                links.append((name, os.path.normpath(member.linkname)))
                continue
            file = tar.extractfile(member) if member.isreg() else None
            inode[name] = name
            content[name] = (
                member.type,
                member.linkname,
                member.mode & 0o7777,
                file.read() if file is not None else b"",
            )
    for name, target in links:
        inode[name] = inode.get(target, "dangling")
    content["dangling"] = ("dangling",)
    first: dict[str, str] = {}
    return {name: (*content[inode[name]], first.setdefault(inode[name], name)) for name in sorted(inode)}


@pytest.mark.shared
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the shared images are not beside the checkout")
def test_squashed_layers_that_another_project_expects(tmp_path: Path) -> None:
    cases = golden_cases()
    assert len(cases) == 13, [name for name, _, _ in cases]
    for name, source, golden in cases:
        with imagepeel.open(source) as archive:
            image = archive.images()[0]
            view = image.view("spec" if name in REFUSED else "runtime")
            ours = read_tar(flat(view))
        theirs = read_tar(golden.read_bytes())
        if name == "hard-link-delete-4":
            # Their tar keeps a link whose target is gone, so nothing can unpack it; the data was never removed.
            assert theirs["a/b/baz"][0] == "dangling"
            assert ours["a/b/baz"][3] == b"foo"
            del ours["a/b/baz"], theirs["a/b/baz"]
            ours = {path: facts[:4] for path, facts in ours.items()}
            theirs = {path: facts[:4] for path, facts in theirs.items()}
        assert ours == theirs, name
