"""The spec view against `umoci unpack` on real images: every path, type, mode, owner, size, link, content and xattr."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

import imagepeel
from imagepeel.verbs import Image

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / ".." / "shared" / "images"
UMOCI, SKOPEO = shutil.which("umoci"), shutil.which("skopeo")
pytestmark = [
    pytest.mark.judge,
    pytest.mark.root,
    pytest.mark.shared,
    pytest.mark.skipif(not IMAGES.is_dir(), reason="the shared images are not beside this checkout"),
    pytest.mark.skipif(UMOCI is None or SKOPEO is None, reason="umoci and skopeo are not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="umoci keeps owners and devices only as root"),
]
KINDS = {"f": stat.S_ISREG, "d": stat.S_ISDIR, "l": stat.S_ISLNK}


def candidates() -> list[tuple[str, str]]:
    """Return (path below the shared images, skopeo transport) of intact images that skopeo reads."""
    found = []
    if not IMAGES.is_dir():
        return []
    for line in (IMAGES / "index.tsv").read_text().splitlines()[1:]:
        path, _, kind, _, _, _, _, notes = (line.split("\t") + [""] * 8)[:8]
        if "BROKEN" in kind or not kind.startswith("image"):
            continue
        for transport in ("docker-archive", "oci-archive", "oci"):
            if f"skopeo-{transport}=ok" in notes and "pre-decompressed" not in notes:
                found.append((path, transport))
    return found


def facts_of_tree(root: Path) -> dict[bytes, tuple[object, ...]]:
    out: dict[bytes, tuple[object, ...]] = {}
    top = os.fsencode(root)
    for folder, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(folder, name)
            real = os.lstat(path)
            kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFCHR: "char",
                    stat.S_IFBLK: "block", stat.S_IFIFO: "fifo"}[stat.S_IFMT(real.st_mode)]  # fmt: skip
            content: object = None
            if kind == "file":
                with open(path, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            elif kind == "symlink":
                content = os.readlink(path)
            elif kind in ("char", "block"):
                content = (os.major(real.st_rdev), os.minor(real.st_rdev))
            xattrs = {
                name: os.getxattr(path, name, follow_symlinks=False)
                for name in os.listxattr(path, follow_symlinks=False)
            }
            mode = None if kind == "symlink" else stat.S_IMODE(real.st_mode)
            out[path[len(top) :]] = (
                kind,
                mode,
                real.st_uid,
                real.st_gid,
                content,
                sorted(xattrs.items()),
                int(real.st_mtime),
            )
    return out


def facts_of_view(image: Image) -> dict[bytes, tuple[object, ...]]:
    out: dict[bytes, tuple[object, ...]] = {}
    rootfs = image.view("spec")
    assert rootfs.refusal is None
    for path, node in rootfs.walk():
        if path == b"/":
            continue
        content: object = None
        if node.kind == "file":
            content = hashlib.sha256(rootfs.open(node).read()).hexdigest()
        elif node.kind == "symlink":
            content = node.target
        elif node.kind in ("char", "block"):
            content = node.device
        mode = None if node.kind == "symlink" else node.mode
        xattrs = sorted((key.decode(), value) for key, value in node.xattrs.items())
        when = None if node.mtime is None or not 0 <= node.mtime[0] < 1 << 33 else node.mtime[0]
        out[path] = (node.kind, mode, node.uid, node.gid, content, xattrs, when)
    return out


@pytest.mark.parametrize(("name", "transport"), candidates(), ids=[name for name, _ in candidates()])
def test_the_spec_view_is_what_umoci_unpacks(name: str, transport: str, tmp_path: Path) -> None:
    path = IMAGES / name
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    copy = ["skopeo", "--insecure-policy", "copy", "-q", f"{transport}:{path}", f"oci:{layout}:x"]
    if subprocess.run(copy, capture_output=True).returncode:
        pytest.skip("this skopeo does not copy it")
    if subprocess.run(["umoci", "unpack", "--image", f"{layout}:x", str(bundle)], capture_output=True).returncode:
        pytest.skip("this umoci does not unpack it")
    with imagepeel.open(layout) as archive:
        ours = facts_of_view(archive.image())
    theirs = facts_of_tree(bundle / "rootfs")
    assert sorted(ours) == sorted(theirs)
    for place, fact in ours.items():
        expected = theirs[place] if fact[-1] is not None else (*theirs[place][:-1], None)
        assert fact == expected, place
