"""Users, their switchers and what they may do: the cases of bug reports, of starts and of operators."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.forge.specimens import add, sound
from imagepeel.present.prediction import stop_in_words
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Prediction

Case = Callable[[str, str], Path]


def predicted(path: Path, image: str | None = None, **options: object) -> Prediction:
    with imagepeel.open(path) as archive:
        chosen = archive.image(image) if image is not None else archive.image()
        return chosen.process(ProcessOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["docker@20.10", "docker@28"])
@pytest.mark.parametrize(
    ("name", "options"),
    [("p11-gosu-nonroot.tar", {"user": "1000"}), ("p11b-gosu-user.tar", {})],
    ids=["option", "USER"],
)
def test_gosu_needs_the_right_to_switch(case: Case, name: str, options: dict[str, str], engine: str) -> None:
    """Measured with gosu 1.14 on docker 20.10 and 28: it fails also for the user that it is already."""
    verdict = predicted(case("bug-reports", name), engine=engine, **options).verdict
    assert verdict.kind == "FAILS"
    assert verdict.id == "F36"
    assert "operation not permitted" in verdict.text
    assert 'error: failed switching to "' in verdict.text
    assert verdict.exit_code == 1


def test_gosu_as_user_is_no_start_of_its_program(case: Case) -> None:
    found = predicted(case("judges", "process-faults"), "gosu-as-user", engine="runc@1.1")
    assert found.verdict.kind == "FAILS"
    assert found.verdict.runtime_exit_code == 1


def process_fault(case: Case, name: str, **options: object) -> Prediction:
    return predicted(case("judges", "process-faults"), name, engine="runc@1.1", **options)


@pytest.mark.parametrize("name", ["su-c", "busybox-su-c"])
def test_the_shell_of_su_is_the_one_that_passwd_names(case: Case, name: str) -> None:
    """It was looked up as a file that is called `the user's shell`."""
    found = process_fault(case, name)
    assert found.verdict.kind == "RUNS"
    assert not [step for step in found.steps if step.title == "This may fail"]
    assert "the user's shell" not in str(found.wrapped)


def test_busybox_su_is_replaced_by_the_command(case: Case) -> None:
    one = process_fault(case, "busybox-su-c").pid1
    assert one is not None
    assert (one.path, one.argv, one.uid, one.gid) == ("/srv/app", ("/srv/app",), 1000, 1000)
    assert sorted(one.groups) == [1000, 5555]


def test_su_of_util_linux_stays_with_the_groups_of_its_user_and_ends_after_two_seconds(case: Case) -> None:
    one = process_fault(case, "su-c").pid1
    assert one is not None
    assert (one.path, one.uid, one.gid) == ("/usr/bin/su", 0, 0)
    assert sorted(one.groups) == [1000, 5555, 6666]
    assert one.hears_sigterm == "yes"
    assert one.stop is not None and (one.stop.least, one.stop.most, one.stop.killed) == (2, 2, False)


def test_setpriv_gives_the_groups_of_the_user(case: Case) -> None:
    one = process_fault(case, "redis-setpriv").pid1
    assert one is not None
    assert (one.path, one.uid, one.gid) == ("/usr/local/bin/redis-server", 997, 997)
    assert sorted(one.groups) == [997, 6666]


@pytest.mark.parametrize(
    ("name", "argv", "who"),
    [
        ("start-stop-daemon", ("/srv/app", "--port", "1"), (1000, 1000, [1000, 5555, 6666])),
        ("wrap-chrt", ("/srv/app",), (0, 0, [0])),
    ],
)
def test_programs_that_execute_another_are_followed(
    case: Case, name: str, argv: tuple[str, ...], who: tuple[int, int, list[int]]
) -> None:
    one = process_fault(case, name).pid1
    assert one is not None
    assert (one.path, one.argv) == ("/srv/app", argv)
    assert (one.uid, one.gid, sorted(one.groups)) == who


def test_the_stop_signal_names_who_chose_it_once(case: Case) -> None:
    """It said `from the an option of this call`."""
    found = predicted(case("bug-reports", "p18-bootstrap-noexec.tar"), stop_signal="SIGQUIT")
    assert found.pid1 is not None
    assert stop_in_words(found.pid1).startswith("a stop sends SIGQUIT (an option of this call), ")


def test_nginx_goes_into_the_background(case: Case) -> None:
    """Debian's nginx as process 1 ended with 0 after 1.5 seconds; the case is a stub of that name."""
    path = case("bug-reports", "p15-nginx-daemon.tar")
    found = predicted(path, engine="docker@20.10")
    assert found.pid1 is not None
    assert found.pid1.ends_at_once
    assert "ends at once with 0" in found.pid1.why
    assert found.pid1.why in found.notes
    assert found.pid1.hears_sigterm == "unknown"


@pytest.mark.parametrize(("owner", "closed"), [(0, "/var/cache/nginx and /run"), (101, "")])
def test_nginx_as_user_101_is_told_where_it_may_not_write(
    owner: int, closed: str, forge_archive: Callable[..., Path], tmp_path: Path
) -> None:
    """The kernel refuses 101 the directories of root with mode 0755, in which nginx keeps its pid and its bodies."""
    tree = add(
        forge.file("usr/sbin/nginx", programs.hello("nginx\n"), 0o755),
        forge.file("etc/nginx/nginx.conf", "pid /run/nginx.pid;\n"),
        forge.directory("var/cache/nginx", 0o755, owner, owner), forge.directory("run", 0o755, owner, owner),
    )  # fmt: skip
    spec = sound(tree, cmd=["nginx", "-g", "daemon off;"], entrypoint=None, user="101")
    with imagepeel.open(forge_archive(spec, name="nginx.tar")) as archive:
        found = archive.image().findings(select=["SERVER-CANNOT-WRITE"])
    assert len(found) == bool(closed)
    for finding in found:
        for path in closed.split(" and "):
            assert f"{path} (mode 0755 of 0:0)" in finding.message
    assert os.geteuid() != 0 or not closed or not writable_by(101, tmp_path)


def writable_by(uid: int, top: Path) -> bool:
    """Whether the kernel lets a user make a file in a directory of root with mode 0755."""
    top.chmod(0o755)
    place = top / "run"
    place.mkdir(mode=0o755)
    done = subprocess.run(
        ["sh", "-c", ": > nginx.pid"], cwd=place, user=uid, group=uid, extra_groups=[], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("name", ["p18-bootstrap-noexec.tar", "p18b-bootstrap-abs.tar"])
def test_a_script_without_exec_is_found_however_its_path_is_written(case: Case, name: str) -> None:
    with imagepeel.open(case("bug-reports", name)) as archive:
        found = archive.image().findings(select=["SCRIPT-WITHOUT-EXEC"])
        assert [finding.rule for finding in found] == ["SCRIPT-WITHOUT-EXEC"]
        assert "/app/bootstrap.sh" in found[0].message


def test_a_relative_command_has_its_layer(case: Case) -> None:
    found = predicted(case("bug-reports", "p18-bootstrap-noexec.tar"))
    assert found.path == "./bootstrap.sh"
    step = next(step for step in found.steps if step.path == found.path and step.rule == "S6")
    assert step.where is not None and step.where.layer is not None


@pytest.mark.parametrize("engine", ["docker@20.10", "podman@4.3"])
def test_the_fix_opens_the_directory_that_is_closed(case: Case, engine: str) -> None:
    """python3 is 0755; what keeps the user out is /root with 0700."""
    step = predicted(case("bug-reports", "p04-venv-in-root-home.tar"), engine=engine)
    assert step.verdict.kind == "FAILS"
    assert "chmod a+x /root" in step.verdict.fix
