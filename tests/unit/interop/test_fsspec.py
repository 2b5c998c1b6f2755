"""The fsspec filesystem: its listing is the rootfs, chained URLs open it, and pandas reads through it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

fsspec = pytest.importorskip("fsspec", reason="the extra fsspec is not installed")

import imagepeel  # noqa: E402
from imagepeel import forge  # noqa: E402
from imagepeel.errors import Unsupported  # noqa: E402
from imagepeel.interop.fsspec import ImagepeelFileSystem  # noqa: E402


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    base = forge.layer(
        forge.directory("etc"),
        forge.file("etc/os-release", "ID=x\n", 0o640, 1, 2, mtime=(77, 500_000_000)),
        forge.file("etc/table.csv", "a,b\n1,2\n3,4\n"),
        forge.symlink("etc/link", "os-release"),
        forge.symlink("etc/dangling", "nowhere"),
        forge.symlink("loop", "."),
        forge.file(b"odd-\xff", "raw"),
        forge.file("gone", "x"),
        forge.directory("empty"),
        forge.fifo("pipe"),
    )
    top = forge.layer(forge.whiteout("gone"), forge.file("usr/lib/a.so", b"\x7fELF" * 1000))
    return forge.write(forge.image(base, top, names="x:1"), tmp_path / "x.tar", kind="oci-archive", compression="gzip")


@pytest.fixture
def fs(archive: Path) -> ImagepeelFileSystem:
    return ImagepeelFileSystem(str(archive))


def test_listing_is_the_rootfs(fs: ImagepeelFileSystem) -> None:
    assert fs.ls("", detail=False) == ["empty", "etc", "loop", "odd-\udcff", "pipe", "usr"]
    assert fs.ls("/etc/", detail=False) == ["etc/dangling", "etc/link", "etc/os-release", "etc/table.csv"]
    assert fs.ls("etc/os-release", detail=False) == ["etc/os-release"]
    walked = {path[1:].decode("utf-8", "surrogateescape") for path, node in fs.rootfs.walk() if node.kind != "dir"}
    assert set(fs.find("")) == walked
    assert fs.glob("**/*.so") == ["usr/lib/a.so"]
    assert fs.glob("etc/*.csv") == ["etc/table.csv"]
    assert [root for root, _, _ in fs.walk("")] == ["", "empty", "etc", "usr", "usr/lib"]
    assert fs.du("usr") == 4000


def test_info(fs: ImagepeelFileSystem) -> None:
    facts = fs.info("imagepeel:///etc/os-release")
    assert (facts["name"], facts["type"], facts["size"], facts["mode"]) == ("etc/os-release", "file", 5, 0o640)
    assert (facts["uid"], facts["gid"], facts["mtime"], facts["layer"]) == (1, 2, 77.5, 0)
    link = fs.info("etc/link")
    assert (link["type"], link["size"], link["islink"], link["destination"]) == ("file", 5, True, "os-release")
    assert fs.info("etc/dangling")["type"] == "link"
    assert fs.info("pipe")["type"] == "other"
    assert fs.info("")["type"] == "directory"
    assert fs.isdir("loop/loop/etc") and fs.isfile("loop/etc/link") and not fs.exists("gone")
    assert fs.readlink("etc/link") == "os-release"


def test_reading(fs: ImagepeelFileSystem) -> None:
    assert fs.cat("etc/os-release") == b"ID=x\n"
    assert fs.cat("odd-\udcff") == b"raw"
    assert fs.cat_file("usr/lib/a.so", 4, 8) == b"\x7fELF"
    assert fs.cat_file("usr/lib/a.so", -4) == b"\x7fELF"
    assert fs.cat_file("usr/lib/a.so", 0, -3996) == b"\x7fELF"
    assert fs.cat_ranges(["etc/link"], [1], [4]) == [b"D=x"]
    with fs.open("etc/link", "r") as file:
        assert file.readlines() == ["ID=x\n"]
    with fs.open("usr/lib/a.so") as file:
        file.seek(-8, 2)
        assert file.read() == b"\x7fELF" * 2


def test_errors_are_those_of_python(fs: ImagepeelFileSystem) -> None:
    for call in (fs.info, fs.ls, fs.cat, fs.open):
        with pytest.raises(FileNotFoundError):
            call("gone")
    with pytest.raises(FileNotFoundError):
        fs.open("etc/dangling")
    with pytest.raises(FileNotFoundError):
        fs.open("pipe")
    with pytest.raises(IsADirectoryError):
        fs.open("etc")
    with pytest.raises(OSError, match="read-only"):
        fs.open("etc/os-release", "wb")
    with pytest.raises(OSError):
        fs.readlink("etc")


def test_chained_urls(archive: Path) -> None:
    fsspec.register_implementation("imagepeel", ImagepeelFileSystem, clobber=True)
    with fsspec.open(f"imagepeel://etc/os-release::file://{archive}") as file:
        assert file.read() == b"ID=x\n"
    fs = fsspec.filesystem("imagepeel", fo=str(archive), view="spec")
    assert fs.rootfs.view == "spec"
    fs.close()
    with pytest.raises(Unsupported):
        ImagepeelFileSystem("x.tar", target_protocol="https")
    with pytest.raises(imagepeel.ImagepeelError):
        ImagepeelFileSystem(str(archive), image="other:1")


def test_it_is_registered_by_the_package() -> None:
    import tomllib

    with open(Path(__file__).parents[3] / "pyproject.toml", "rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["fsspec.specs"]
    assert points == {"imagepeel": f"{ImagepeelFileSystem.__module__}:{ImagepeelFileSystem.__name__}"}


def test_it_survives_pickle(fs: ImagepeelFileSystem) -> None:
    assert pickle.loads(pickle.dumps(fs)).cat("etc/os-release") == b"ID=x\n"


def test_listings_load_into_pandas(archive: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    with imagepeel.open(archive) as opened:
        rootfs = opened.image().rootfs
        frame = pandas.DataFrame((rootfs / "etc").to_dicts())
        assert list(frame["path"]) == ["/etc/dangling", "/etc/link", "/etc/os-release", "/etc/table.csv"]
        assert frame.groupby("kind")["size"].sum()["file"] == 17
    fsspec.register_implementation("imagepeel", ImagepeelFileSystem, clobber=True)
    table = pandas.read_csv(f"imagepeel://etc/table.csv::file://{archive}")
    assert table["b"].sum() == 6
