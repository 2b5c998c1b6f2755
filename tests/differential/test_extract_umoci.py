"""What extract writes, path by path against `umoci unpack`: real images, forged ones, and what buildah builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import imagepeel
import nasty
from disktree import differences, read_tree
from imagepeel import forge
from imagepeel.errors import ImagepeelError
from imagepeel.export.extract import materialize
from imagepeel.verbs import Image

IMAGES = Path(__file__).parents[2].parent / "shared" / "images"
pytestmark = [
    pytest.mark.judge,
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="umoci unpacks owners as root only"),
    pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not on PATH"),
]
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not on PATH")
needs_buildah = pytest.mark.skipif(
    shutil.which("buildah") is None or not Path("/bin/busybox").exists(), reason="buildah or busybox is not here"
)


def umoci(layout: Path, target: Path) -> Path | str:
    """Unpack a layout and return the rootfs, or umoci's last words."""
    done = subprocess.run(
        ["umoci", "unpack", "--image", str(layout), str(target)], capture_output=True, text=True, timeout=120
    )
    return target / "rootfs" if done.returncode == 0 else done.stderr.strip()[-300:]


def unknown_times(image: Image, view: str) -> frozenset[bytes]:
    return frozenset(path[1:] for path, node in image.view(view).walk() if node.mtime is None)


def compare(image: Image, theirs: Path, tmp: Path, views: tuple[str, ...] = ("runtime", "spec")) -> int:
    """Assert that our trees are theirs and return how many names were compared."""
    expected = read_tree(theirs)
    for view in views:
        report = materialize(image.view(view), tmp / view, preserve=True)
        ours = read_tree(tmp / view)
        assert report.entries == len(ours)
        assert differences(ours, expected, unknown_time=unknown_times(image, view)) == []
        assert report.omissions == ()
    return len(expected)


def real_archives() -> Iterator[Path]:
    for line in (IMAGES / "index.tsv").read_text().splitlines()[1:]:
        fields = line.split("\t")
        if fields[2].startswith("image"):
            yield IMAGES / fields[0]


def relaid(image: Image, layout: Path) -> None:
    """Write the layers of an image as an OCI layout of plain tars, which every umoci reads."""
    tars = [layer.content.pread(0, layer.content_size) for layer in image.layers]
    forge.write(forge.image(*[forge.layer(tar=tar) for tar in tars], names="x:1"), layout, kind="oci-dir")


@pytest.mark.shared
@pytest.mark.skipif(not IMAGES.is_dir(), reason="the shared images are not beside the checkout")
def test_every_real_image(tmp_path: Path) -> None:
    seen: set[tuple[str | None, ...]] = set()
    names = trees = 0
    for source in real_archives():
        try:
            archive = imagepeel.open(source)
        except ImagepeelError:
            continue
        with archive:
            for image in archive.images():
                if not image.layers or not image.complete:
                    continue
                stack = tuple(layer.diff_id for layer in image.layers)
                if stack in seen:
                    continue
                seen.add(stack)
                work = tmp_path / str(len(seen))
                work.mkdir()
                relaid(image, work / "oci")
                theirs = umoci(Path(f"{work / 'oci'}:1"), work / "umoci")
                if isinstance(theirs, str):
                    assert image.view("spec").refusal is not None, (source, theirs)
                    continue
                assert image.view("spec").refusal is None, source
                views = ("spec",) if image.rootfs.refusal is not None else ("runtime", "spec")
                names += compare(image, theirs, work, views)
                trees += 1
                shutil.rmtree(work)
    assert trees >= 50
    assert names >= 1_500


@needs_skopeo
@pytest.mark.parametrize("name", ["hello", "shop"])
def test_images_that_skopeo_converts(tmp_path: Path, name: str) -> None:
    source = tmp_path / "image.tar"
    forge.write(forge.build(name), source, kind="docker-archive", compression="gzip")
    layout = f"{tmp_path / 'oci'}:1"
    skopeo = ["skopeo", "--insecure-policy", "copy", "--quiet", f"docker-archive:{source}", f"oci:{layout}"]
    subprocess.run(skopeo, check=True, capture_output=True, timeout=120)
    theirs = umoci(Path(layout), tmp_path / "umoci")
    assert isinstance(theirs, Path), theirs
    with imagepeel.open(source) as archive:
        assert compare(archive.image(), theirs, tmp_path) >= len(archive.image().layers)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_thousands_of_nasty_entries(tmp_path: Path, compression: str) -> None:
    spec = nasty.image()
    forge.write(spec, tmp_path / "image.tar", kind="oci-archive", compression=compression)
    forge.write(spec, tmp_path / "oci", kind="oci-dir")
    theirs = umoci(Path(f"{tmp_path / 'oci'}:1"), tmp_path / "umoci")
    assert isinstance(theirs, Path), theirs
    with imagepeel.open(tmp_path / "image.tar") as archive:
        assert compare(archive.image(), theirs, tmp_path) > 3_800
    blocks = os.stat(tmp_path / "runtime" / "sparse" / "pax-1.0").st_blocks
    assert blocks * 512 < 1 << 20, "the holes of a sparse file must be holes again"


DOCKERFILE = """\
FROM scratch
ADD base.tar /
ADD busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "B=/bin/busybox; cd /whited && $B rm 1 2 3 && $B rm -r sub; \
$B rm -r /opaque && $B mkdir -m 0711 /opaque && echo new > /opaque/new; \
$B rm /types/file-to-dir && $B mkdir /types/file-to-dir && echo x > /types/file-to-dir/y; \
$B rm -r /types/dir-to-file && echo x > /types/dir-to-file; \
$B rm -r /types/dir-to-symlink && $B ln -s nowhere /types/dir-to-symlink; \
$B ln /links/a /links/z; $B rm /links/b; echo more > /links/c; \
$B chmod 4711 /modes/0640; $B chown 12:34 /modes/0750; $B mv /implied/sub /implied/moved"]
ADD more.tar /
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox rm -rf /twice /odd /deep"]
"""


@needs_buildah
@pytest.mark.parametrize("driver", ["overlay", "vfs"])
def test_a_nasty_image_of_buildah(tmp_path: Path, driver: str) -> None:
    store = ["--root", str(tmp_path / "store"), "--runroot", str(tmp_path / "run"), "--storage-driver", driver]
    context = tmp_path / "context"
    context.mkdir()
    # buildah 1.28 follows a link when it makes a hardlink to it.
    base = [entry for entry in nasty.base(2 if driver == "overlay" else 8) if entry.path != b"links/s2"]
    (context / "base.tar").write_bytes(forge.encode(base))
    more = [*[forge.file(f"more/{n}", f"{n}", n) for n in range(500)], forge.directory("types/dir-to-file2")]
    (context / "more.tar").write_bytes(forge.encode(more))
    shutil.copy("/bin/busybox", context / "busybox")
    (context / "Dockerfile").write_text(DOCKERFILE)

    def buildah(*words: str) -> str:
        done = subprocess.run(["buildah", *store, *words], capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    try:
        chroot = ("--isolation", "chroot", "--network", "host")
        buildah("bud", *chroot, "--layers", "--format", "oci", "-t", "nasty:1", str(context))
        buildah("push", "--quiet", "nasty:1", f"oci:{tmp_path / 'oci'}:1")
        container = buildah("from", "nasty:1").strip()
        mounted = Path(buildah("mount", container).strip())
        theirs = umoci(Path(f"{tmp_path / 'oci'}:1"), tmp_path / "umoci")
        assert isinstance(theirs, Path), theirs
        with imagepeel.open(tmp_path / "oci") as archive:
            image = archive.image()
            assert len(image.layers) == 5
            assert compare(image, theirs, tmp_path) > (3_000 if driver == "overlay" else 1_500)
            # The tree that the engine itself mounts; it marks directories with attributes of its own.
            # Copies of the vfs driver make two pipes of one with two names.
            seen = {
                path: one._replace(
                    xattrs=tuple(x for x in one.xattrs if "overlay" not in x[0]),
                    links=b"links/p" if path == b"links/p2" else one.links,
                )
                for path, one in read_tree(mounted).items()
            }
            found = differences(read_tree(tmp_path / "runtime"), seen, unknown_time=unknown_times(image, "runtime"))
            assert found == []
    finally:
        subprocess.run(["buildah", *store, "umount", "--all"], capture_output=True, timeout=60)
        subprocess.run(["buildah", *store, "rm", "--all"], capture_output=True, timeout=60)
        subprocess.run(["umount", str(tmp_path / "store" / "overlay")], capture_output=True, timeout=60)
