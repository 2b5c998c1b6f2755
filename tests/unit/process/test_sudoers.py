"""Who needs no password for sudo: each line was tried with sudo 1.9.13 as uid 65534 without a terminal."""

from __future__ import annotations

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.wrappers import sudoers
from imagepeel.process.wrappers.sudoers import Asking, needs_no_password

NOBODY = Asking(
    names=frozenset(("ALL", "nobody", "#65534", "%nogroup", "%#65534")), wanted="root", command="/usr/bin/id"
)
GRANTED = "nobody ALL=(ALL) NOPASSWD: ALL\n"
INCLUDED = "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n"


def asked(*files: forge.Entry, main: str = INCLUDED) -> bool:
    return needs_no_password(FakeRootfs((forge.file("etc/sudoers", main, 0o440), *files)), NOBODY)


@pytest.mark.parametrize(
    ("lines", "granted"),
    [
        (GRANTED, True),
        ("%nogroup ALL=(ALL) NOPASSWD: ALL\n", True),
        ("%#65534 ALL=(ALL) NOPASSWD:ALL\n", True),
        ("%daemon ALL=(ALL) NOPASSWD:ALL\n", False),
        ("ALL ALL=(ALL) NOPASSWD:ALL\n", True),
        ("#65534 ALL=(ALL) NOPASSWD:ALL\n", True),
        ("# nobody ALL=(ALL) NOPASSWD: ALL\n", False),
        ("nobody ALL=(daemon) NOPASSWD: ALL\n", False),
        ("nobody ALL=(ALL) NOPASSWD: /usr/bin/env\n", False),
        ("nobody ALL=(ALL) ALL\n", False),
        ("nobody ALL=NOPASSWD: ALL\n", True),
        ("nobody otherhost=(ALL) NOPASSWD: ALL\n", False),
        (GRANTED + "nobody ALL=(ALL) ALL\n", False),  # the last that fits decides
        ("nobody ALL=(ALL) NOPASSWD: /usr/bin/id, PASSWD: ALL\n", False),
        ("nobody ALL=(ALL) \\\n NOPASSWD: ALL\n", True),
    ],
)
def test_a_line_of_an_included_file(lines: str, granted: bool) -> None:
    assert asked(forge.file("etc/sudoers.d/x", lines, 0o440)) is granted
    assert asked(main="root ALL=(ALL:ALL) ALL\n" + lines) is granted


@pytest.mark.parametrize(
    ("entry", "granted"),
    [
        (forge.file("etc/sudoers.d/x.conf", GRANTED), False),
        (forge.file("etc/sudoers.d/x~", GRANTED), False),
        (forge.file("etc/sudoers.d/sub/x", GRANTED), False),
        (forge.file("etc/sudoers.d/x", GRANTED, 0o644), True),
        (forge.file("etc/sudoers.d/x", GRANTED, 0o666), False),
        (forge.file("etc/sudoers.d/x", GRANTED, 0o644, 1, 1), False),
    ],
)
def test_which_files_of_a_directory_count(entry: forge.Entry, granted: bool) -> None:
    assert asked(entry) is granted


def test_the_ways_to_include() -> None:
    x = forge.file("etc/sudoers.d/x", GRANTED)
    assert asked(x, main="#includedir /etc/sudoers.d\n") and asked(x, main="@include /etc/sudoers.d/x\n")
    assert not asked(x, main="root ALL=(ALL) ALL\n")
    a, b = forge.file("etc/sudoers.d/a", GRANTED), forge.file("etc/sudoers.d/b", "nobody ALL=(ALL) ALL\n")
    assert not asked(a, b)


def test_what_is_not_read_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that includes itself ends, too."""
    assert not asked(main=GRANTED + "@include /etc/sudoers\n")
    assert not asked(main=GRANTED + "PEOPLE ALL=(ALL) ALL\n")
    monkeypatch.setattr(sudoers, "MAX_LINES", 3)
    assert asked(main=GRANTED) and not asked(main=GRANTED + "\n\n\n\n")


@pytest.mark.parametrize(
    ("line", "kind", "uid"), [("%more ALL=(ALL) NOPASSWD: ALL\n", "RUNS", 0), ("", "UNKNOWN", None)]
)
def test_a_start_by_a_member_of_a_group(line: str, kind: str, uid: int | None) -> None:
    """The members in /etc/group count, whatever groups the process has."""
    tree = (
        forge.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n"),
        forge.file("etc/group", "root:x:0:\nnogroup:x:65534:\nmore:x:90:nobody\n"),
        forge.file("etc/sudoers", INCLUDED, 0o440),
        forge.file("etc/sudoers.d/x", line, 0o440),
        forge.file("bin/sudo", programs.report(), 0o4755),
        forge.file("bin/app", programs.report(), 0o755),
    )
    spec = ProcessSpec(entrypoint=("sudo", "app"), architecture="amd64", user="65534:65534")
    found = predict(FakeRootfs(tree), spec, ProcessOptions(engine="runc@1.1"))
    assert found.verdict.kind == kind
    assert uid is None or (found.pid1 is not None and found.pid1.uid == uid)
