"""The Containerfile: built by buildah without network, started, and explained by the imagepeel that is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge

ROOT = Path(__file__).parents[2]
PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="buildah with chroot isolation needs root"),
    pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not on PATH"),
    pytest.mark.skipif(not PYTHON.exists() or not Path("/usr/bin/dash").exists(), reason="no Debian with this Python"),
]


def run(*words: str | Path, where: Path | None = None) -> str:
    done = subprocess.run(list(map(str, words)), cwd=where, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def base(folder: Path) -> Path:
    """A root directory with the Python of this machine, its libraries and a shell: what `FROM python` brings."""
    library = Path(f"/usr/lib/python3.{sys.version_info.minor}")
    left = {"dist-packages", "test", "__pycache__", "idlelib"}
    files = {PYTHON, Path("/usr/bin/dash"), Path("/etc/ssl/certs/ca-certificates.crt")}
    files |= {path for path in library.rglob("*") if path.is_file() and not left & set(path.parts)}
    files |= set(Path("/usr/share/python-wheels").glob("*.whl"))
    listed = run("dpkg", "-L", "libc6").split()
    files |= {Path(path) for path in listed if ".so" in path and Path(path).is_file()}
    for program in (PYTHON, Path("/usr/bin/dash"), *library.glob("lib-dynload/*.so")):
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout.split()
        files |= {Path(path) for path in needed if path.startswith("/")}
    made = folder / "base.tar"
    with tarfile.open(made, "w", dereference=True) as tar:
        for name in ("mkdir", "chown"):
            tar.add(f"/usr/bin/{name}", f"usr/bin/{name}")
            files |= {Path(p) for p in run("ldd", f"/usr/bin/{name}").split() if p.startswith("/")}
        for path in sorted(files):
            tar.add(path.resolve(), str(path).lstrip("/"), recursive=False)
        for name, target in (("usr/bin/sh", "dash"), ("usr/bin/python3", PYTHON.name), ("bin", "usr/bin")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        folder_of_all = tarfile.TarInfo("tmp")
        folder_of_all.type, folder_of_all.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder_of_all)
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], Path]]:
    """The command of buildah with its store, and the image as an archive."""
    top = tmp_path_factory.mktemp("own")
    wheels = top / "wheels"
    project = imagepeel_needs()
    pip = [sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels), "--only-binary", ":all:", *project]
    if subprocess.run(pip, capture_output=True, timeout=300, check=False).returncode:
        pytest.skip("no wheels without a package index")
    store = ["--root", str(top / "root"), "--runroot", str(top / "run"), "--storage-driver", "vfs"]
    buildah = ["buildah", *store]
    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "add", "-q", container, base(top), "/")
    run(*buildah, "config", "--env", "PATH=/usr/bin:/bin", container)
    run(*buildah, "commit", "-q", container, "localhost/base:1")
    given = {"BASE": "localhost/base:1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    flags = ["--isolation", "chroot", "--network", "host", "-v", f"{wheels}:/wheels:ro", "-t", "imagepeel:1"]
    run(*buildah, "bud", "--layers=false", *flags, *arguments, ROOT)
    archive = top / "share" / "imagepeel.tar"
    archive.parent.mkdir()
    run(*buildah, "push", "-q", "imagepeel:1", f"docker-archive:{archive}:imagepeel:1")
    yield buildah, archive
    shutil.rmtree(top, ignore_errors=True)


def imagepeel_needs() -> list[str]:
    """What the image installs, as pip names it, and what builds the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["deploy"]
    return [*project["project"]["dependencies"], *extra, *project["build-system"]["requires"]]


def test_imagepeel_finds_nothing_in_its_own_image(built: tuple[list[str], Path]) -> None:
    _, archive = built
    with imagepeel.open(archive) as opened:
        image = opened.image()
        assert [f"{one.rule}: {one.message}" for one in image.findings() if one.severity != "info"] == []
        assert image.config is not None and image.config.user == "65532:65532"
        assert not (image.rootfs / "src").exists() and not list((image.rootfs / "opt/imagepeel").rglob("pip"))
    run(sys.executable, "-m", "imagepeel", "process", archive, "--exit-code")


def test_what_is_in_the_image_tells_of_it_what_this_checkout_tells(built: tuple[list[str], Path]) -> None:
    buildah, archive = built
    forge.write(forge.build("shop"), archive.parent / "shop.tar")
    archive.parent.chmod(0o755)
    container = run(*buildah, "from", "imagepeel:1").strip()
    flags = ["--isolation", "chroot", "-v", f"{archive.parent}:/work:ro"]
    for words in (["process", "imagepeel.tar", "--json"], ["check", "shop.tar", "imagepeel.tar", "--json"]):
        inside = run(*buildah, "run", *flags, container, "--", "/opt/imagepeel/bin/imagepeel", *words)
        outside = run(sys.executable, "-m", "imagepeel", *words, where=archive.parent)
        assert json.loads(inside)["result"] == json.loads(outside)["result"]
    who = run(*buildah, "run", *flags, container, "--", "python3", "-c", "import os; print(os.getuid(), os.getgid())")
    assert who.split() == ["65532", "65532"]
