"""Shared cases of shells: lists whose commands cannot run, start-up files, and programs that only exec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.process.spec.values import Prediction

Case = Callable[[str, str], Path]


def prediction(path: Path, engine: str = "runc@1.1", image: str | None = None) -> Prediction:
    with imagepeel.open(path) as archive:
        return archive.image(image).process(engine=engine)


def test_a_list_whose_first_command_has_no_interpreter_ends_there(case: Case) -> None:
    """P02: dockerd 20.10, 28 and podman all end with 127 and these words."""
    for engine in ("docker@20.10", "docker@28", "podman@4.3"):
        found = prediction(case("bug-reports", "p02-sh-c-script-bash.tar"), engine).verdict
        assert (found.kind, found.runtime_exit_code) == ("FAILS", 127)
        assert found.runtime_text == "/bin/sh: /usr/share/html/env.sh: not found"


def test_a_chown_that_the_user_may_not_do_ends_a_script_with_errexit(case: Case) -> None:
    """P11c: `chown: /opt: Operation not permitted`, exit 1."""
    found = prediction(case("bug-reports", "p11c-chown-set-e.tar"), "docker@20.10").verdict
    assert (found.kind, found.runtime_exit_code) == ("FAILS", 1)
    assert found.runtime_text == "chown: /opt: Operation not permitted"


@pytest.mark.parametrize(
    ("tag", "code", "words"),
    [
        ("login-shell-resets-path", 127, "sh: 1: exec: myapp: not found"),
        ("required-variable-dash", 2, "/run.sh: 2: DATABASE_URL: must be set"),
        ("source-missing-dash", 2, "/run.sh: 2: .: cannot open /etc/app.env: No such file"),
        ("body-crlf-set-e-dash", 2, "/run.sh: 2: set: Illegal option -\r"),
        ("consul-bash-slice-in-dash", 2, "/usr/local/bin/docker-entrypoint.sh: 5: Bad substitution"),
        ("unset-path-in-script-dash", 127, "/run.sh: 3: exec: sleep: not found"),
        ("busybox-unknown-applet", 127, "nope: applet not found"),
    ],
)
def test_what_provably_fails_ends_the_start(case: Case, tag: str, code: int, words: str) -> None:
    """B1, B2, B3, B5: predicted to run, and each ends so with runc 1.1."""
    found = prediction(case("judges", "process-faults"), image=tag).verdict
    assert (found.kind, found.runtime_exit_code, found.runtime_text) == ("FAILS", code, words)


@pytest.mark.parametrize(
    ("tag", "argv", "program"),
    [
        ("bash-login-profile-d", ["myapp"], "/opt/app/bin/myapp"),
        ("bash-env-variable", ["/srv/app"], "/srv/app"),
        ("wrap-setarch", ["/srv/app"], "/srv/app"),
        ("exec-fallback-bash-execfail", ["/srv/app"], "/srv/app"),
        ("micromamba-entrypoint", ["app"], "/opt/env/bin/app"),
        ("busybox-sh-applet-over-path", ["sleep", "99999"], "/bin/busybox"),
        ("start-stop-daemon", ["/srv/app", "--port", "1"], "/srv/app"),
        ("wrap-chrt", ["/srv/app"], "/srv/app"),
        ("bash-exec-a", ["my-name", "one"], "/srv/app"),
    ],
)
def test_process_one_is_the_program_that_really_runs(case: Case, tag: str, argv: list[str], program: str) -> None:
    """A1, A2, A3, A5, C1, C2, C4: the words and the program that runc 1.1 really started."""
    found = prediction(case("judges", "process-faults"), image=tag)
    assert found.verdict.kind == "RUNS"
    assert found.pid1 is not None
    assert (list(found.pid1.argv), found.pid1.path) == (argv, program)


def test_a_directory_that_the_user_cannot_enter_is_found(case: Case) -> None:
    """P28: templates of mode 0700 for root and USER 65532; the real start ends with permission denied."""
    with imagepeel.open(case("bug-reports", "p28-dir-0700.tar")) as archive:
        found = [one for one in archive.image().findings() if one.rule == "USER-CANNOT-READ"]
    assert [one.severity for one in found] == ["low"]
    assert "/component-templates (mode 0700 of 0:0)" in found[0].message


def test_httpd_of_busybox_does_not_hear(case: Case) -> None:
    """C6: called like Apache, and it ignores SIGTERM as process 1."""
    one = prediction(case("judges", "process-faults"), image="busybox-httpd-link").pid1
    assert one is not None
    assert (one.hears_sigterm, one.ends_at_once) == ("no", False)


@pytest.mark.parametrize(
    "scripts", [{"a.sh": "exec /a.sh"}, {"a.sh": "exec /b.sh", "b.sh": "exec /a.sh"}], ids=["itself", "each other"]
)
def test_an_endless_loop_of_exec_is_told(scripts: dict[str, str], tmp_path: Path) -> None:
    """C1: it starts, and nothing else ever runs; it was called RUNS without a word."""
    busybox = Path("/usr/bin/busybox")
    if not busybox.exists():
        pytest.skip("there is no busybox here")
    files = [forge.file(name, f"#!/bin/sh\n{line}\n", 0o755) for name, line in scripts.items()]
    shell = forge.file("bin/sh", busybox.read_bytes(), 0o755)
    path = tmp_path / "loop.tar"
    forge.write(forge.image(forge.layer(shell, *files), names="l:1", cmd=["/a.sh"]), path, kind="docker-archive")
    found = prediction(path)
    assert (found.verdict.kind, found.pid1 and found.pid1.path) == ("RUNS", "/bin/sh")
    assert [note for note in found.notes if "comes to its own start again" in note and "nothing else ever runs" in note]
