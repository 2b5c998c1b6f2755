"""What several programs of one start share, and what podman adds for a user without a line in passwd."""

from __future__ import annotations

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.process.predict import distinct, predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import NeededLibrary, Prediction

BUSYBOX = forge.file("bin/true", forge.programs.hello(), 0o755)


def start(*entries: forge.Entry, options: ProcessOptions, **wanted: object) -> Prediction:
    return predict(FakeRootfs(entries), ProcessSpec(architecture="amd64", **wanted), options)  # type: ignore[arg-type]


def test_a_library_of_two_programs_is_named_once() -> None:
    found = [
        NeededLibrary(name="libc.so.6", path="/lib/libc.so.6", how="ld.so.cache", needed_by="/bin/sh"),
        NeededLibrary(name="libgone.so", path=None, how="", needed_by="/bin/app"),
        NeededLibrary(name="libc.so.6", path="/lib/libc.so.6", how="ld.so.cache", needed_by="/bin/app"),
    ]
    assert distinct(found) == (found[0], found[1])


# podman 4.3.1: `run --user U --workdir W IMAGE sh -c 'echo $HOME'`; the image has no /etc/passwd.
@pytest.mark.parametrize(
    ("user", "workdir", "home"),
    [("1234", "/bin", "/bin"), ("0", "/bin", "/bin"), ("0:7", "/bin", "/bin"), ("", "/bin", "/")],
)
def test_podman_takes_the_working_directory_as_home_of_a_number(user: str, workdir: str, home: str) -> None:
    found = start(
        BUSYBOX, options=ProcessOptions(engine="podman@4.3"), entrypoint=("/bin/true",), user=user, working_dir=workdir
    )
    assert found.environment["HOME"] == home


def test_a_number_with_a_line_keeps_its_home() -> None:
    passwd = forge.file("etc/passwd", b"www-data:x:33:33::/var/www:/bin/sh\n")
    found = start(
        BUSYBOX,
        passwd,
        options=ProcessOptions(engine="podman@4.3", user="33", workdir="/etc"),
        entrypoint=("/bin/true",),
    )
    assert found.environment["HOME"] == "/var/www"


# podman 4.3.1 with `--workdir`: exit 126 and these texts; the same path as WORKDIR of the image is made.
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nope", 'workdir "/nope" does not exist on container <container-id>'),
        ("/bin/true", 'workdir "/bin/true" exists on container <container-id>, but is not a directory'),
    ],
)
def test_podman_makes_no_directory_that_an_option_names(path: str, message: str) -> None:
    found = start(BUSYBOX, options=ProcessOptions(engine="podman@4.3", workdir=path), entrypoint=("/bin/true",)).verdict
    assert (found.kind, found.exit_code) == ("FAILS", 126)
    assert message in found.text
    if path == "/nope":
        made = start(BUSYBOX, options=ProcessOptions(engine="podman@4.3"), entrypoint=("/bin/true",), working_dir=path)
        assert made.verdict.kind == "RUNS"


@pytest.mark.parametrize(
    ("words", "row"), [(("/bin/sh", "-c", "app"), "F34"), (("/bin/sh", "-l"), "F3"), (("/bin/sh",), "F3")]
)
def test_only_the_shell_form_is_called_so(words: tuple[str, ...], row: str) -> None:
    """`["/bin/sh", "-l"]`, which apko writes, is an exec form that asks for a shell."""
    found = start(BUSYBOX, options=ProcessOptions(engine="docker@28"), entrypoint=words).verdict
    assert (found.kind, found.id, "shell form" in found.why) == ("FAILS", row, row == "F34")
    assert 'exec: "/bin/sh": stat /bin/sh: no such file or directory' in found.text


@pytest.mark.parametrize(
    ("engine", "noted"), [("docker@28", False), ("docker@28.5.2", False), ("docker", False), ("docker@99", True)]
)
def test_a_version_without_rules_of_its_own_says_whose_it_has(engine: str, noted: bool) -> None:
    found = start(BUSYBOX, options=ProcessOptions(engine=engine), entrypoint=("/bin/true",))
    assert any(f"stand for {engine}" in note for note in found.notes) is noted


def test_scripts_without_a_first_line_that_start_each_other_end() -> None:
    """The shell reads a script without `#!` itself, so no execve is between two rounds of the circle."""
    found = start(
        forge.file("bin/sh", forge.programs.hello() + b"\0Illegal option -%c\0", 0o755),
        forge.file("a", "exec /b\n", 0o755),
        forge.file("b", "exec /a\n", 0o755),
        options=ProcessOptions(engine="docker@28"),
        entrypoint=("/bin/sh", "-c", "exec /a"),
    )
    assert found.verdict.runs
    assert any("without an end" in note for note in found.notes)
