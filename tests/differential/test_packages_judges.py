"""Packages held against the tools that keep the databases: dpkg-query, rpm, apk, pip's importlib.metadata, npm."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import imagepeel
from layered import Layered

pytestmark = pytest.mark.judge
Package = imagepeel.results.Package


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not on this machine: {', '.join(missing)}")


def run(*words: str | Path, **more: Any) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def packages_of(archive: Path) -> imagepeel.results.PackagesResult:
    with imagepeel.open(archive) as opened:
        return opened.image().packages()


def installed(found: imagepeel.results.PackagesResult, family: str) -> list[Package]:
    return [one for one in found.packages if one.family == family and one.installed]


def size_of(root: Path, paths: Iterator[str] | list[str]) -> int:
    """Bytes of the regular files at some paths of a tree, each inode once; only directories of links are followed."""
    seen: dict[int, int] = {}
    for path in paths:
        full = root / path.lstrip("/")
        if full.is_file() and not full.is_symlink():
            info = full.lstat()
            seen[info.st_ino] = info.st_size
    return sum(seen.values())


# ---- dpkg -----------------------------------------------------------------------------------------------------


def deb(folder: Path, name: str, version: str, files: dict[str, str], **fields: str) -> Path:
    tree = folder / f"{name}-{version}"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)
    control = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "A <a@b>", **fields}
    words = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in control.items())
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(words + "Description: one\n two\n .\n three: four\n")
    if "etc/x.conf" in files:
        (tree / "DEBIAN/conffiles").write_text("/etc/x.conf\n")
    run("dpkg-deb", "--root-owner-group", "-b", tree, folder / f"{name}_{version}.deb")
    return folder / f"{name}_{version}.deb"


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tree that dpkg filled, upgraded and emptied in four steps, and the image of these steps."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg is not on this machine")
    folder = tmp_path_factory.mktemp("debian")
    root = folder / "root"
    for path in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "usr/lib", "usr/bin", "etc"):
        (root / path).mkdir(parents=True)
    for link in ("lib", "bin"):
        (root / link).symlink_to(f"usr/{link}")
    for file in ("status", "available"):
        (root / "var/lib/dpkg" / file).touch()
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n')
    dpkg = ("dpkg", "--root", root, "--force-not-root", "--force-bad-path", "--log=/dev/null")
    image = Layered(root)
    image.commit("ADD base")
    one = deb(folder, "one", "1.0-1", {"lib/one.so": "1" * 1000, "usr/bin/tool": "one", "etc/x.conf": "a=b\n"})
    two = deb(folder, "two", "2:3.1~rc1-2", {"usr/share/two/data": "2" * 5000}, Multi_Arch="same", Source="twosrc (9)")
    gone = deb(folder, "gone", "7", {"usr/share/gone": "g" * 700, "usr/share/gone2": "h" * 77}, Architecture="all")
    run(*dpkg, "-i", one, two, gone)
    image.commit("RUN install")
    newer = deb(folder, "one", "1.1-1", {"lib/one.so": "3" * 1200, "usr/bin/tool": "one", "etc/x.conf": "a=b\n"})
    run(*dpkg, "-i", newer)
    image.commit("RUN upgrade")
    divert = ("dpkg-divert", "--root", root, "--no-rename", "--package", "three", "--divert", "/usr/bin/tool.one")
    run(*divert, "--add", "/usr/bin/tool")
    (root / "usr/bin/tool").rename(root / "usr/bin/tool.one")
    run(*dpkg, "-i", deb(folder, "three", "3", {"usr/bin/tool": "three" * 100}))
    run(*dpkg, "-r", "gone")
    (root / "usr/local").mkdir()
    (root / "usr/local/own").write_text("o" * 123)
    image.commit("RUN remove")
    local = ("dpkg-divert", "--root", root, "--no-rename", "--local", "--divert", "/usr/share/two/moved")
    run(*local, "--add", "/usr/share/two/data")
    (root / "usr/share/two/data").rename(root / "usr/share/two/moved")
    image.commit("RUN divert, which leaves the status as it is")
    return root, image.write(folder / "debian.tar")


@needs("dpkg-query")
def test_dpkg_query_names_the_same_packages(debian: tuple[Path, Path]) -> None:
    root, archive = debian
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${db:Status-Status}\n"
    told = run("dpkg-query", "--root", root, "-W", "-f", form).splitlines()
    found = {
        (one.name, one.version, one.arch, one.source or one.name, one.state or "installed")
        for one in installed(packages_of(archive), "dpkg")
    }
    assert found == {tuple(line.split("\t")) for line in told if line.endswith("\tinstalled")}
    assert len(found) == 3


@needs("dpkg-query")
def test_the_bytes_are_those_of_the_files_that_dpkg_lists(debian: tuple[Path, Path]) -> None:
    root, archive = debian
    found = installed(packages_of(archive), "dpkg")
    for one in found:
        listed = [line for line in run("dpkg", "--root", root, "-L", one.name).splitlines() if line.startswith("/")]
        paths = [path for path in listed if path != "/."]
        diverted = {"/usr/share/two/data": "/usr/share/two/moved"}
        if one.name == "one":
            diverted["/usr/bin/tool"] = "/usr/bin/tool.one"
        assert one.content == size_of(root, [diverted.get(path, path) for path in paths]), one.name
        assert one.files == len(paths)
        assert one.absent == 0


def test_what_each_step_of_dpkg_did_is_told(debian: tuple[Path, Path]) -> None:
    root, archive = debian
    found = packages_of(archive)
    told = {one.name: [(e.what, e.layer, e.before, e.version) for e in one.events] for one in found.packages}
    assert told == {
        "one": [("installed", 1, "", "1.0-1"), ("changed", 2, "1.0-1", "1.1-1")],
        "two": [("installed", 1, "", "2:3.1~rc1-2")],
        "three": [("installed", 3, "", "3")],
        "gone": [("installed", 1, "", "7"), ("removed", 3, "7", "")],
    }
    hidden = {one.name: one.hidden for one in found.packages}
    # The first one.so; dpkg writes the same tool and settings again, and moves the tool away in the last step.
    assert hidden["one"] >= 1000 and hidden["gone"] == 777 and hidden["two"] == 5000
    own = {file.path for file in found.largest_unclaimed}
    assert "/usr/local/own" in own and "/usr/lib/one.so" not in own
    everything = sum(one.stat().st_size for one in root.rglob("*") if one.is_file() and not one.is_symlink())
    assert found.claimed + found.unclaimed == everything
    assert {one.purl for one in found.packages} >= {
        "pkg:deb/debian/one@1.1-1?arch=amd64&distro=debian-12",
        "pkg:deb/debian/two@2:3.1~rc1-2?arch=amd64&distro=debian-12",
    }


# ---- rpm ------------------------------------------------------------------------------------------------------

SPEC = """Name: {name}
Version: {version}
Release: 1{more}
Summary: one
License: MIT
BuildArch: noarch
{fields}
%description
text
%install
mkdir -p %{{buildroot}}/usr/share/{name}
head -c {size} /dev/zero > %{{buildroot}}/usr/share/{name}/data
ln %{{buildroot}}/usr/share/{name}/data %{{buildroot}}/usr/share/{name}/again
%files
/usr/share/{name}
"""


def rpm_package(folder: Path, name: str, version: str, size: int, *, fields: str = "", more: str = "") -> Path:
    spec = folder / f"{name}-{version}.spec"
    spec.write_text(SPEC.format(name=name, version=version, size=size, fields=fields, more=more))
    run("rpmbuild", "-bb", "--define", f"_topdir {folder}/build", "--define", "_db_backend sqlite", spec)
    (built,) = (folder / "build/RPMS/noarch").glob(f"{name}-{version}-*.rpm")
    return built


@pytest.fixture(scope="module")
def rpms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    if shutil.which("rpmbuild") is None:
        pytest.skip("rpmbuild is not on this machine")
    folder = tmp_path_factory.mktemp("rpms")
    many = "\n".join(f"Provides: many({number:05})" for number in range(4000))
    return [
        rpm_package(folder, "alpha", "1.0", 1000),
        rpm_package(folder, "beta", "2.0", 5000, fields="Epoch: 3"),
        rpm_package(folder, "gamma", "1", 70, fields=many),
        rpm_package(folder, "alpha", "1.5", 1100),
    ]


def rpm_image(folder: Path, rpms: list[Path]) -> tuple[Path, Path, tuple[str, ...]]:
    root = folder / "root"
    (root / "var/lib/rpm").mkdir(parents=True)
    defined = ("--root", str(root), "--define", "_db_backend sqlite", "--define", "_dbpath /var/lib/rpm")
    add = ("rpm", *defined, "--nodeps", "--noscripts", "--ignoresize")
    image = Layered(root)
    run(*add, "-i", *rpms[:3])
    image.commit("RUN dnf install")
    run(*add, "-U", rpms[3])
    run(*add, "-e", "gamma")
    image.commit("RUN dnf update")
    return root, image.write(folder / "rpm.tar"), defined


def assert_rpm_agrees(root: Path, archive: Path, defined: tuple[str, ...]) -> None:
    form = r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{EPOCHNUM}\t%{SOURCERPM}\n"
    told = {tuple(line.split("\t")) for line in run("rpm", *defined, "-qa", "--qf", form).splitlines()}
    found = packages_of(archive)
    mine = installed(found, "rpm")
    assert {(one.name, one.version, one.arch, one.epoch or "0", one.source) for one in mine} == told
    assert not found.doubts
    listed: dict[str, list[str]] = {}
    for line in run("rpm", *defined, "-qa", "--qf", r"[%{=NAME}\t%{FILENAMES}\n]").splitlines():
        name, _, path = line.partition("\t")
        listed.setdefault(name, []).append(path)
    for one in mine:
        paths = listed[one.name]
        assert one.files == len(paths)
        assert one.content == size_of(root, paths)


@needs("rpm", "rpmbuild")
def test_rpm_names_the_same_packages(rpms: list[Path], tmp_path: Path) -> None:
    root, archive, defined = rpm_image(tmp_path, rpms)
    assert_rpm_agrees(root, archive, defined)
    told = {one.name: [(e.what, e.layer) for e in one.events] for one in packages_of(archive).packages}
    assert told == {
        "alpha": [("installed", 0), ("changed", 1)],
        "beta": [("installed", 0)],
        "gamma": [("installed", 0), ("removed", 1)],
    }
    assert {one.name: one.hidden for one in packages_of(archive).packages} == {"alpha": 1000, "beta": 0, "gamma": 70}


@needs("rpm", "rpmbuild", "db5.3_load")
def test_rpm_reads_the_same_from_berkeley_db(rpms: list[Path], tmp_path: Path) -> None:
    """A hash that Berkeley DB itself wrote, with the headers that rpm wrote: small, and over several pages."""
    root, _, defined = rpm_image(tmp_path, rpms)
    database = root / "var/lib/rpm"
    headers = headers_in(database / "rpmdb.sqlite")
    assert len(headers) == 2
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=4096", "HEADER=END"]
    for number, header in enumerate([b"\x09\0\0\0", *headers]):
        lines += [f" {number.to_bytes(4, 'little').hex()}", f" {header.hex()}"]
    for file in database.iterdir():
        file.unlink()
    run("db5.3_load", database / "Packages", input="\n".join([*lines, "DATA=END", ""]))
    image = Layered(root)
    image.commit("ADD bdb")
    archive = image.write(tmp_path / "bdb.tar")
    assert_rpm_agrees(root, archive, (*defined[:2], "--define", "_db_backend bdb_ro", *defined[4:]))


def headers_in(path: Path) -> list[bytes]:
    """The headers of an rpmdb.sqlite as SQLite itself reads them."""
    import sqlite3

    with sqlite3.connect(path) as database:
        return [blob for (blob,) in database.execute("select blob from Packages order by hnum")]


# ---- pip and npm ----------------------------------------------------------------------------------------------


def test_importlib_metadata_finds_the_same_projects(tmp_path: Path) -> None:
    """Projects of this Python, copied with their lists of files."""
    source, target = Path(sysconfig.get_path("purelib")), tmp_path / "root/usr/lib/python3/site-packages"
    target.mkdir(parents=True)
    wanted = {"click", "msgspec", "pytest", "pluggy", "rich"}
    for one in importlib.metadata.distributions(path=[str(source)]):
        if one.metadata["Name"].lower() in wanted:
            for file in one.files or ():
                place = source / file
                if ".." not in file.parts and place.is_file():
                    (target / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(place, target / file)
    (target / "old-2.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 2\n")
    (target / "older.egg-info").mkdir()
    (target / "older.egg-info/PKG-INFO").write_text("Metadata-Version: 1.0\nName: older\nVersion: 0.1\n\nName: no\n")
    image = Layered(tmp_path / "root")
    image.commit("RUN pip install")
    found = installed(packages_of(image.write(tmp_path / "pip.tar")), "pip")
    told = list(importlib.metadata.distributions(path=[str(target)]))
    assert {(one.name, one.version) for one in found} == {(one.metadata["Name"], one.version) for one in told}
    assert len(found) >= 5
    sizes = {
        one.metadata["Name"]: size_of(
            tmp_path, [str((target / file).relative_to(tmp_path)) for file in one.files or ()]
        )
        for one in told
        if one.metadata["Name"].lower() in wanted
    }
    assert {one.name: one.content for one in found if one.name in sizes} == sizes


@needs("npm")
def test_npm_lists_the_same_packages(tmp_path: Path) -> None:
    root = tmp_path / "root"
    tree = {
        "app/package.json": {"name": "app", "version": "1.0.0", "dependencies": {"a": "1.0.0", "@s/b": "2.0.0"}},
        "app/node_modules/a/package.json": {"name": "a", "version": "1.0.0", "dependencies": {"c": "3.0.0"}},
        "app/node_modules/a/lib/package.json": {"type": "module"},
        "app/node_modules/a/node_modules/c/package.json": {"name": "c", "version": "3.0.0"},
        "app/node_modules/@s/b/package.json": {"name": "@s/b", "version": "2.0.0", "dependencies": {"c": "4.0.0"}},
        "app/node_modules/c/package.json": {"name": "c", "version": "4.0.0"},
    }
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(json.dumps(content))
    (root / "app/node_modules/a/index.js").write_text("x" * 321)
    (root / "app/node_modules/a/node_modules/c/index.js").write_text("y" * 5)
    told = json.loads(run("npm", "ls", "--all", "--json", "--offline", "--prefix", root / "app", cwd=root / "app"))

    def listed(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name, one in node.get("dependencies", {}).items():
            yield name, one["version"]
            yield from listed(one)

    image = Layered(root)
    image.commit("RUN npm install")
    found = installed(packages_of(image.write(tmp_path / "npm.tar")), "npm")
    assert {(one.name, one.version) for one in found} == set(listed(told))
    a = next(one for one in found if one.name == "a")
    assert a.content == 321 + sum(
        (root / f"app/node_modules/a/{n}").stat().st_size for n in ("package.json", "lib/package.json")
    )
    assert {one.purl for one in found} == {
        "pkg:npm/a@1.0.0",
        "pkg:npm/%40s/b@2.0.0",
        "pkg:npm/c@3.0.0",
        "pkg:npm/c@4.0.0",
    }


# ---- apk of real images ---------------------------------------------------------------------------------------

ALPINE = "aquasecurity+trivy/pkg/fanal/test/testdata/alpine-310.tar.gz"
DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
APKO = "chainguard-dev+apko/internal/cli/testdata"
WITH_APK = (
    ("GoogleContainerTools+kaniko/integration/tar.tar", 1),
    (ALPINE, 1),
    ("aquasecurity+trivy/pkg/fanal/test/testdata/alpine-311.tar.gz", 1),
    *((f"{APKO}/{name}", number) for name in ("base_image", "golden", "top_image") for number in (1, 2)),
)
"""The real images that have a database of apk, each as its archive and its number there."""


def unpacked(image: imagepeel.Image, folder: Path) -> Path:
    """The layers unpacked by GNU tar, one onto the other, without what later layers remove."""
    folder.mkdir()
    for layer in image.layers:
        source = layer.record.source()
        blob = folder.parent / "layer"
        blob.write_bytes(source.pread(0, source.size))
        with tarfile.open(blob) as listed:
            for member in listed:
                above, _, last = member.name.rpartition("/")
                place = folder / above / last.removeprefix(".wh.")
                if last.startswith(".wh.") or not member.isdir():
                    if place.is_dir() and not place.is_symlink():
                        shutil.rmtree(place)
                    else:
                        place.unlink(missing_ok=True)
        run("tar", "-xf", blob, "-C", folder, "--exclude=.wh.*", "--exclude=dev", "--keep-directory-symlink")
    return folder


@pytest.mark.shared
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root")
@pytest.mark.parametrize(("archive", "number"), WITH_APK)
def test_apk_itself_names_the_same_packages(archive: str, number: int, shared_root: Path, tmp_path: Path) -> None:
    """The apk of an Alpine image, in its own root, is given the database of each image."""
    images = shared_root / "images"
    with imagepeel.open(images / ALPINE) as opened:
        alpine = unpacked(opened.image(), tmp_path / "alpine")
    with imagepeel.open(images / archive) as opened:
        image = opened.image(f"#{number}")
        root = unpacked(image, tmp_path / "root")
        found = installed(image.packages(), "apk")
    database = next(root / path for path in DATABASES if (root / path).is_file())
    (alpine / "x/lib/apk/db").mkdir(parents=True)
    (alpine / "x/etc/apk").mkdir(parents=True)
    shutil.copy(database, alpine / "x/lib/apk/db/installed")
    for other in ("etc/apk/world", "lib/apk/db/scripts.tar", "lib/apk/db/triggers", "etc/apk/arch"):
        (alpine / "x" / other).touch()
    (alpine / "x/etc/apk/arch").write_text(found[0].arch)
    asked = ("chroot", alpine, "/sbin/apk", "--root", "/x", "info")
    assert sorted(f"{one.name}-{one.version}" for one in found) == sorted(run(*asked, "-v").split())
    for one in found:
        paths = [line for line in run(*asked, "-qL", one.name).splitlines() if line]
        assert one.files == len(paths), one.name
        assert one.content == size_of(root, paths), one.name
