"""The forge's `/bin/sh` becomes its second argument: `runc run` of the shop shows `/srv/shop/bin/serve` as pid 1."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.process.wrappers.stand_in import PROGRAMS, stand_in
from imagepeel.rootfs.view import Rootfs

WORDS = "sh: the program cannot be run"


@pytest.fixture
def shop(tmp_path: Path) -> imagepeel.Image:
    forge.write(forge.build("shop"), tmp_path / "shop.tar")
    return imagepeel.open(tmp_path / "shop.tar").image()


def test_the_shop_ends_in_its_server(shop: imagepeel.Image) -> None:
    pid1 = shop.process().pid1
    assert pid1 is not None and pid1.exact
    assert (pid1.path, pid1.argv) == ("/srv/shop/bin/serve", ("/srv/shop/bin/serve", "--port", "8080"))
    assert "Process 1 (PID 1) is /srv/shop/bin/serve" in str(shop.explain())


def test_no_other_program_is_taken_for_it(shop: imagepeel.Image) -> None:
    rootfs: Rootfs = shop.rootfs
    argv = ("/bin/sh", "/usr/local/bin/entrypoint.sh", "/srv/shop/bin/serve")
    assert stand_in(rootfs, b"/bin/sh", argv) is not None
    assert stand_in(rootfs, b"/srv/shop/bin/serve", argv) is None
    assert stand_in(rootfs, b"/etc/passwd", argv) is None
    assert stand_in(rootfs, b"/bin/sh", argv[:2]) is None
    assert stand_in(rootfs, b"/bin/sh", ("/bin/sh", "-c", "/srv/shop/bin/serve")) is None


@pytest.mark.parametrize(("target", "code"), [("/none", 127), ("/etc/passwd", 126)])
def test_what_it_cannot_run_ends_it(target: str, code: int, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(
            forge.file("bin/sh", forge.programs.sh(), 0o755),
            forge.file("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
            forge.file("run", '#!/bin/sh\nexec "$@"\n', 0o755),
        ),
        entrypoint=["/run"],
        cmd=[target],
    )
    forge.write(spec, tmp_path / "image.tar")
    verdict = imagepeel.open(tmp_path / "image.tar").image().process().verdict
    assert (verdict.kind, verdict.message, verdict.exit_code) == ("FAILS", WORDS, code)


@pytest.mark.skipif(platform.machine() != "x86_64" or os.getuid() != 0, reason="needs root on amd64")
@pytest.mark.parametrize(("target", "code"), [("/none", 127), ("/etc/passwd", 126)])
def test_the_real_program_ends_so(target: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (tmp_path / "bin/sh").write_bytes(forge.programs.sh())
    (tmp_path / "bin/sh").chmod(0o755)
    done = subprocess.run(["chroot", tmp_path, "/bin/sh", "/run", target], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", WORDS.encode() + b"\n")


def test_its_bytes_are_those_that_the_forge_writes() -> None:
    made = [forge.programs.sh(architecture) for architecture in forge.programs.ARCHITECTURES]
    assert {len(data): hashlib.sha256(data).hexdigest() for data in made} == PROGRAMS
