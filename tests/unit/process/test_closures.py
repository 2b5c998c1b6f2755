"""Engines that start one program alike ask its loader once, and again where their mounts cover what it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge.elf import elf
from imagepeel.forge.specimens import GLIBC_LOADER
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Prediction
from imagepeel.rootfs.view import Rootfs

LIBRARY = 1
"""Its number among the entries."""
ENGINES = ("docker@29.7", "docker@20.10", "containerd@2.3", "k8s@1.37", "podman@6.1")


def written(folder: Path, library: str, **config: Any) -> Path:
    """An image whose program needs libshop.so.1, which stands at `library`."""
    program = elf(
        interpreter="/lib64/ld-linux-x86-64.so.2", needed=["libshop.so.1"], runpath=library.rpartition("/")[0]
    )
    layer = forge.layer(
        forge.file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=GLIBC_LOADER), 0o755),
        forge.file(library.lstrip("/"), elf(soname="libshop.so.1"), 0o755),
        forge.file("app", program, 0o755),
    )
    out = folder / "image.tar"
    forge.write(forge.image(layer, entrypoint=["/app"], **config), out)
    return out


def starts(path: Path, engines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Prediction], int]:
    """The predictions, and how many reads of the library they took."""
    reads = 0
    real = Rootfs.read

    def read(self: Rootfs, node: Any, *arguments: Any, **more: Any) -> bytes:
        nonlocal reads
        reads += getattr(node, "entry", None) == LIBRARY
        return real(self, node, *arguments, **more)

    monkeypatch.setattr(Rootfs, "read", read)
    with imagepeel.open(path) as archive:
        image = archive.image()
        found = [predict_image(image, ProcessOptions(engine=engine)) for engine in engines]
    return found, reads


def test_engines_share_what_a_loader_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "/usr/lib/libshop.so.1")
    alone = starts(path, ENGINES[:1], monkeypatch)[1]
    found, together = starts(path, ENGINES, monkeypatch)
    assert [start.verdict.kind for start in found] == ["RUNS"] * len(ENGINES)
    loaded = {tuple(library.path for library in start.libraries) for start in found}
    assert len(loaded) == 1 and "/usr/lib/libshop.so.1" in loaded.pop()
    assert together == alone > 0


def test_a_mount_over_a_library_counts_for_the_engines_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """containerd mounts a tmpfs at /run (oci.WithDefaultSpec), Docker does not."""
    path = written(tmp_path, "/run/shop/libshop.so.1")
    for engines in (("docker@29.7", "containerd@2.3"), ("containerd@2.3", "docker@29.7")):
        found, _ = starts(path, engines, monkeypatch)
        assert {start.engine: start.verdict.kind for start in found} == {
            "docker@29.7": "RUNS",
            "containerd@2.3": "FAILS",
        }


def test_who_may_not_read_a_library_gets_an_answer_of_its_own(tmp_path: Path) -> None:
    program = elf(interpreter="/lib64/ld-linux-x86-64.so.2", needed=["libshop.so.1"], runpath="/lib")
    layer = forge.layer(
        forge.file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=GLIBC_LOADER), 0o755),
        forge.file("lib/libshop.so.1", elf(soname="libshop.so.1"), 0o600),
        forge.file("app", program, 0o755),
    )
    forge.write(forge.image(layer, entrypoint=["/app"]), tmp_path / "image.tar")
    with imagepeel.open(tmp_path / "image.tar") as archive:
        image = archive.image()
        root, other = (predict_image(image, ProcessOptions(user=user)) for user in ("0", "1000"))
    assert (root.verdict.kind, other.verdict.kind) == ("RUNS", "FAILS")
