"""The twelve images of an operator (users D): what process says, and the fix, as they were verified there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge

Make = Callable[..., Path]
BUSYBOX = Path("/usr/bin/busybox")

ROWS = [
    (1, "wrong-architecture", "exec format error", "built for arm64", "amd64"),
    (2, "no-loader", "no such file or directory", "the loader named inside it does not", "glibc"),
    (4, "no-exec-bit", "permission denied", "not executable", "chmod +x"),
    (6, "unknown-user", "unable to find user shop: no matching entries in passwd file", "'shop'", "add the user"),
    (7, "no-command", "no command specified", "neither Entrypoint nor Cmd", "ENTRYPOINT or CMD"),
    (11, "no-library", "error while loading shared libraries: libshop.so.1", "libshop.so.1", "install the library"),
]


@pytest.mark.parametrize(("row", "name", "words", "why", "fix"), ROWS, ids=[f"{one[0]} {one[1]}" for one in ROWS])
def test_the_cause_and_the_fix(row: int, name: str, words: str, why: str, fix: str, forge_archive: Make) -> None:
    with imagepeel.open(forge_archive(name)) as archive:
        image = archive.image()
        found = image.process(engine="docker@28").verdict
        severities = {one.severity for one in image.findings() if one.rule not in ("FILE-NOT-TAKEN", "HISTORY-SILENT")}
    assert found.kind == "FAILS" and words in found.text and why in found.why and fix in found.fix, row
    assert ("medium" if row == 7 else "high") in severities


def shelled(*entries: forge.Entry, **settings: Any) -> forge.ImageSpec:
    if not BUSYBOX.exists():
        pytest.skip("there is no busybox here")
    shell = (forge.file("bin/busybox", BUSYBOX.read_bytes(), 0o755), forge.symlink("bin/sh", "busybox"))
    return forge.image(forge.layer(*shell, forge.directory("tmp", 0o1777), *entries), names="row:1", **settings)


def test_5_a_shell_form_does_not_hear_the_signal(forge_archive: Make) -> None:
    image = shelled(cmd=["/bin/sh", "-c", "sleep 99; true"])
    with imagepeel.open(forge_archive(image, name="row5.tar")) as archive:
        found = archive.image().process(engine="docker@28").pid1
    assert found is not None and (found.hears_sigterm, found.grace_seconds) == ("no", 10)


def test_8_a_path_that_lost_what_is_there(forge_archive: Make) -> None:
    """`install sleep`, and /usr/bin/sleep was there."""
    image = shelled(forge.symlink("usr/bin/sleep", "/bin/busybox"), cmd=["sleep", "9"], env=["PATH=/opt/app/bin"])
    with imagepeel.open(forge_archive(image, name="row8.tar")) as archive:
        found = archive.image().process(engine="docker@28").verdict
    assert found.kind == "FAILS" and "/usr/bin/sleep is there" in found.why and "install" not in found.fix


def test_9_a_volume_of_root_and_a_script_that_writes_there(forge_archive: Make) -> None:
    run = forge.file("run.sh", "#!/bin/sh\nset -e\ntouch /data/f\nexec sleep 9\n", 0o755)
    passwd = forge.file("etc/passwd", "app:x:1000:1000::/tmp:/bin/sh\n")
    image = shelled(run, passwd, forge.directory("data"), entrypoint=["/run.sh"], user="app", volumes=["/data"])
    with imagepeel.open(forge_archive(image, name="row9.tar")) as archive:
        assert archive.image().process(engine="docker@28").verdict.kind == "DEPENDS"
        assert [one for one in archive.image().findings() if one.rule == "VOLUME-NOT-OWNED"]


def test_10_a_read_only_root_filesystem(forge_archive: Make) -> None:
    run = forge.file("run.sh", "#!/bin/sh\nset -e\ntouch /var/f\nexec sleep 9\n", 0o755)
    with imagepeel.open(
        forge_archive(shelled(run, forge.directory("var"), entrypoint=["/run.sh"]), name="r.tar")
    ) as one:
        found = one.image().process(engine="docker@28", read_only=True).verdict
        assert one.image().process(engine="docker@28").verdict.kind == "RUNS"
    assert (found.kind, found.runtime_text) == ("FAILS", "touch: /var/f: Read-only file system")


@pytest.mark.parametrize("how", ["link", "hardlink", "copy"])
def test_3_env_of_busybox_speaks_for_itself_whatever_it_is_called(how: str, forge_archive: Make) -> None:
    """CRLF behind `env bash`: real busybox 1.35 says `env: can't execute 'bash\\r'`, by a link, a hard link or a copy.

    The image `busybox` of Docker has its applets as hard links.
    """
    entry = {
        "link": forge.symlink("usr/bin/env", "/bin/busybox"),
        "hardlink": forge.hardlink("usr/bin/env", "bin/busybox", 0o755),
        "copy": forge.file("usr/bin/env", BUSYBOX.read_bytes() if BUSYBOX.exists() else b"", 0o755),
    }[how]
    run = forge.file("run.sh", "#!/usr/bin/env bash\r\necho hi\r\n", 0o755)
    with imagepeel.open(forge_archive(shelled(entry, run, entrypoint=["/run.sh"]), name=f"{how}.tar")) as archive:
        found = archive.image().process(engine="docker@28").verdict
    assert (found.runtime_exit_code, found.runtime_text) == (
        127, "env: can't execute 'bash\r': No such file or directory",
    )  # fmt: skip
    assert "CR LF" in found.why and "sed -i" in found.fix
