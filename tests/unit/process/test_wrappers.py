"""Programs that start programs: their grammar by hand, and the installed ones as judges."""

from __future__ import annotations

import errno as errno_numbers
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_rootfs import FakeRootfs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.formats.passwd import UserRefused
from imagepeel.process.engines.user import failure_of
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.wrappers.env import split_string
from imagepeel.process.wrappers.execline_programs import PROGRAMS
from imagepeel.process.wrappers.programs import (
    S6_NOT_PID1,
    Wrapped,
    execvp,
    failure,
    gosu_user_failure,
    is_s6_init,
    unwrap,
)
from imagepeel.process.wrappers.specs import EXECLINE
from imagepeel.tables import ERRNO_MUSL


def read(*argv: str, **options: object) -> Wrapped:
    found = unwrap(argv, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("argv", "kind", "inner"),
    [
        (("tini", "--", "app", "-x"), "supervise", ("app", "-x")),
        (("/sbin/tini", "-g", "-p", "SIGTERM", "-e", "143", "-vv", "--", "app"), "supervise", ("app",)),
        (("tini-static", "--", "app"), "supervise", ("app",)),
        (("tini", "app", "--", "x"), "supervise", ("app", "x")),
        (("/sbin/docker-init", "--", "app"), "supervise", ("app",)),
        (("/run/podman-init", "--", "app"), "supervise", ("app",)),
        (("dumb-init", "--rewrite", "15:2", "--", "app", "-v"), "supervise", ("app", "-v")),
        (("catatonit", "-g", "--", "app", "-x"), "supervise", ("app", "-x")),
        (("gosu", "u:g", "app", "-x"), "exec", ("app", "-x")),
        (("su-exec", "u", "app"), "exec", ("app",)),
        (("setpriv", "--reuid", "u", "--regid=g", "--clear-groups", "--", "app"), "exec", ("app",)),
        (("chpst", "-u", "u:g", "-P", "app", "-x"), "exec", ("app", "-x")),
        (("s6-setuidgid", "u", "app"), "exec", ("app",)),
        (("nice", "-n", "5", "app", "-n"), "exec", ("app", "-n")),
        (("nice", "-5", "app"), "exec", ("app",)),
        (("nohup", "app"), "exec", ("app",)),
        (("ionice", "-c2", "-n", "0", "app"), "exec", ("app",)),
        (("stdbuf", "-oL", "-e", "0", "app"), "exec", ("app",)),
        (("timeout", "-s", "KILL", "5", "app"), "fork", ("app",)),
        (("busybox", "timeout", "5", "app"), "exec", ("app",)),
        (("env", "-i", "-u", "A", "B=1", "C=", "app", "D=2"), "exec", ("app", "D=2")),
        (("env", "-S", "-i A=1 app 'x y'", "z"), "exec", ("app", "x y", "z")),
        (("env", "-vSapp -u"), "exec", ("app", "-u")),
        (("setsid", "-w", "app"), "fork", ("app",)),
        (("setsid", "app"), "detach", ("app",)),
        (("sudo", "-E", "-u", "app", "A=1", "prog", "-u"), "fork", ("prog", "-u")),
        (("su", "-s", "/bin/sh", "-c", "app x", "u"), "fork", ("/bin/sh", "-c", "app x")),
        (("runuser", "-u", "u", "--", "app"), "fork", ("app",)),
        (("chroot", "--userspec=u", "/r", "app"), "exec", ("app",)),
        (("taskset", "-c", "0", "app"), "exec", ("app",)),
        (("tini",), "none", ()),
        (("tini", "-h"), "none", ()),
        (("tini", "-Z", "app"), "none", ()),
        (("gosu", "u"), "none", ()),
        (("env",), "none", ()),
        (("nice",), "none", ()),
    ],
)
def test_grammar(argv: tuple[str, ...], kind: str, inner: tuple[str, ...]) -> None:
    found = read(*argv)
    assert (found.kind, found.argv) == (kind, inner), found


def test_what_is_no_wrapper() -> None:
    for argv in ((), ("app",), ("/bin/busybox", "ls"), ("busybox",), ("sh", "-c", "x")):
        assert unwrap(argv) is None


def test_effects() -> None:
    env = read("env", "-u", "A", "-C", "/srv", "B=1", "app")
    assert (env.env, env.cwd, env.env_clear) == ({"A": None, "B": "1"}, "/srv", False)
    assert read("env", "-", "app").env_clear
    assert read("gosu", "u:g", "app").user == "u:g" and read("gosu", "u", "app").lookup == "go"
    assert read("setpriv", "--regid", "g", "--reuid", "u", "app").user == "u:g"
    assert read("chpst", "-u", "u", "-b", "zero", "-/", "/r", "-e", "./env", "app").argv0 == "zero"
    assert read("chpst", "-e", "./env", "app").env_unknown
    assert read("dumb-init", "-r", "15:3", "app").signals == {"15": "3"}
    init = read("tini", "--", "app")
    assert init.stays and init.forwards and init.reaps
    assert read("sudo", "app").user == "root" and read("sudo", "A=1", "app").env == {"A": "1"}


def test_options_behind_the_program_depend_on_the_c_library() -> None:
    assert read("catatonit", "app", "-g", libc="glibc").argv == ("app",)
    assert read("catatonit", "app", "-g", libc="musl").argv == ("app", "-g")
    assert read("tini", "app", "--", "x", libc="musl").argv == ("app", "--", "x")


def test_an_applet_is_named_by_argv() -> None:
    found = read("/usr/bin/env", "A=1", "app", real="/bin/busybox")
    assert (found.family, found.argv) == ("busybox", ("app",))


def test_s6() -> None:
    assert is_s6_init(b"#!/bin/sh -e\n# This is s6-overlay\n") and not is_s6_init(b"#!/bin/sh\nexec app")
    assert S6_NOT_PID1.message == "s6-overlay-suexec: fatal: can only run as pid 1" and S6_NOT_PID1.exit_code == 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        (r"a\_b 'c\_d' " + r'"e\_f"', ["a", "b", r"c\_d", "e f"]),
        (r"a\tb", ["a\tb"]),
        ("a ${X}y # no", ["a", "1y"]),
        ("a#b", ["a#b"]),
        (r"a \c b", ["a"]),
        ("''", [""]),
    ],
)
def test_split_string(text: str, words: list[str]) -> None:
    assert split_string(text, {"X": "1"}) == words


@pytest.mark.parametrize("text", ["'a", '"a', "$X", "${1}", "a\\", r"\q"])
def test_split_string_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"-S|expansion"):
        split_string(text, {})


def test_execvp() -> None:
    answers = {"/a/x": "EACCES", "/b/x": "ENOENT", "/c/x": "", "/d/x": "ENOEXEC", "x": ""}

    def attempt(path: str) -> str:
        return answers.get(path, "ENOENT")

    assert execvp("x", "/a:/b:/c", attempt).path == "/c/x"
    assert execvp("x", "/a:/b", attempt).errno == "EACCES"
    assert execvp("x", "/b", attempt).errno == "ENOENT"
    assert execvp("x", "/d", attempt, libc="glibc").shell
    assert execvp("x", "/d", attempt, libc="musl").errno == "ENOEXEC"
    assert execvp("x", "/b:", attempt).path == "x"
    assert execvp("", "/c", attempt).errno == "ENOENT"
    assert execvp("/c/x", None, attempt).path == "/c/x"
    assert execvp("x", None, attempt, libc="musl").tried[0][0] == "/usr/local/bin/x"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["tini", "env", "setpriv", "chpst", "su", "sudo", "timeout", "prlimit", "dumb-init", "runuser"]),
    st.lists(st.text(alphabet="-=ab0:S '\"\\$u", max_size=8), max_size=8),
)
def test_any_words(name: str, words: list[str]) -> None:
    for real in ("", "/bin/busybox"):
        found = unwrap([name, *words], real=real, env={"A": "1"})
        assert found is None or found.kind in ("exec", "fork", "supervise", "detach", "none", "unknown")


APP_C = r"""
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
int main(int c, char **v) {
    char line[4096];
    const char *home = getenv("HOME"), *one = getenv("ONE");
    int n = sprintf(line, "%d\x1f%s\x1f%s", getpid(), home ? home : "-", one ? one : "-");
    for (int i = 0; i < c; i++) n += snprintf(line + n, sizeof line - n - 2, "\x1f%s", v[i]);
    line[n++] = '\n';
    int file = open("LOG", O_WRONLY | O_CREAT | O_APPEND, 0666);
    return write(file, line, n) != n;
}
"""

RUNS = [
    "tini -s -- app -x",
    "tini -s app x -- y",
    "tini -s -g -e 143 -p SIGTERM -- app",
    "dumb-init app -v",
    "dumb-init -c -- app",
    "dumb-init -r 15:2 -v app",
    "catatonit app x",
    "catatonit -g -- app -x",
    "gosu root app -x",
    "gosu root:root app",
    "gosu 0 app",
    "env app x",
    "env -i APP",
    "env - APP",
    "env ONE=1 app",
    "env -u HOME ONE= app",
    "env -i ONE=2 APP ONE=3",
    "env -C / app",
    "busybox env ONE=1 app",
    "busybox env -i APP",
    "nice app",
    "nice -n 5 app",
    "nice -5 app",
    "nice --adjustment=5 app",
    "nice -n 5 -- app -n",
    "nohup app -x",
    "nohup -- app",
    "ionice -c 2 -n 0 app",
    "ionice -c3 app",
    "stdbuf -oL app",
    "stdbuf -i 0 -o0 --error=L app -o",
    "timeout 5 app",
    "timeout --foreground 5 app",
    "timeout -s KILL -k 3 5s app -k",
    "busybox timeout 5 app",
    "setpriv --reuid=0 app",
    "setpriv --reuid 0 --regid=0 --clear-groups -- app -x",
    "setpriv --reuid 0 --init-groups --no-new-privs app",
    "busybox setpriv app",
    "setsid -w app",
    "chpst -u root app -x",
    "chpst -b zero app",
    "chpst -v -P app",
    "chroot / app",
    "su root -s /bin/sh -c app",
    "su -s /bin/sh -c app",
    "runuser -u root -- app -x",
    "runuser -u root app",
    "sudo -n APP -x",
    "sudo -n -u root -- APP",
    "sudo -n ONE=5 APP",
    "prlimit -n100 -- app",
    "prlimit --nofile=100 app",
    "taskset -c 0 app",
    "taskset 1 app",
    "setarch x86_64 app",
    "linux64 app",
    "busybox taskset 1 app",
    "busybox chroot / app",
    "flock LOCK app -x",
    "env ONE=1 nice env ONE=2 app",
]

FAILING = [
    "tini -s --",
    "dumb-init",
    "catatonit",
    "gosu root",
    "env",
    "busybox env",
    "nice",
    "nohup",
    "ionice",
    "stdbuf -oL",
    "timeout 5",
    "busybox timeout 5",
    "setpriv --reuid=0",
    "busybox setpriv",
    "setsid -w",
    "chpst -u root",
    "chroot /",
    "runuser -u root --",
    "prlimit -n100",
    "taskset 1",
    "flock LOCK",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux" or shutil.which("gcc") is None or os.geteuid() != 0:
        pytest.skip("needs Linux, gcc and root")
    folder = tmp_path_factory.mktemp("wrap")
    (folder / "app.c").write_text(APP_C.replace("LOG", str(folder / "log")))
    subprocess.run(["gcc", "-static", "-o", "app", "app.c"], cwd=folder, check=True)
    (folder / "plain").write_text("no program")
    (folder / "words").write_text("echo by a shell\n")
    (folder / "words").chmod(0o755)
    return folder


ENV = {"HOME": "/tmp", "LC_ALL": "C"}


def start(lab: Path, argv: list[str]) -> tuple[int, int, str, list[list[str]]]:
    (lab / "log").write_text("")
    child = subprocess.Popen(
        argv,
        env={**ENV, "PATH": f"{lab}:/usr/sbin:/usr/bin:/sbin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=lab,
    )
    _, errors = child.communicate(timeout=20)
    rows = [line.split("\x1f") for line in (lab / "log").read_text().splitlines()]
    return child.pid, child.returncode, errors.decode(), rows


def words_of(lab: Path, line: str) -> list[str]:
    argv = [
        str(lab / "app") if word == "APP" else str(lab / "lock") if word == "LOCK" else word for word in line.split()
    ]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not here")
    if (
        argv[0] == "busybox"
        and argv[1] not in subprocess.run(["busybox", "--list"], capture_output=True, text=True).stdout.split()
    ):
        pytest.skip(f"this busybox has no {argv[1]}")
    return argv


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.parametrize("line", RUNS)
def test_real_wrappers(lab: Path, line: str) -> None:
    argv = words_of(lab, line)
    inner: tuple[str, ...] = tuple(argv)
    env: dict[str, str | None] = dict(ENV)
    stays = False
    unsure = False
    argv0 = ""
    while True:
        real = os.path.realpath(shutil.which(inner[0]) or inner[0])
        found = unwrap(inner, real=real, env=ENV, libc="glibc", leader=False)
        if found is None:
            break
        assert found.kind in ("exec", "fork", "supervise"), found
        stays = stays or found.stays
        unsure = unsure or found.env_unknown
        if found.sets_home:
            env["HOME"] = pwd.getpwnam("root").pw_dir
        env = {**({} if found.env_clear else env), **found.env}
        argv0 = found.argv0
        inner = found.argv
    if inner[:2] == ("/bin/sh", "-c"):
        inner = tuple(inner[2].split())
    pid, code, errors, rows = start(lab, argv)
    assert code == 0 and len(rows) == 1, (code, errors)
    assert (int(rows[0][0]) != pid) == stays
    assert rows[0][3:] == [argv0 or inner[0], *inner[1:]]
    if not unsure:
        shown = ["-" if env.get(name) is None else env[name] for name in ("HOME", "ONE")]
        assert rows[0][1:3] == shown
    elif "ONE" in env:
        assert rows[0][2] == env["ONE"]


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.parametrize("line", FAILING)
@pytest.mark.parametrize("target", ["nope", "/nope/x", "plain", "words", "/etc"])
def test_real_failures(lab: Path, line: str, target: str) -> None:
    argv = words_of(lab, line)
    target = str(lab / target) if target == "plain" else target
    argv.append(target)
    found = unwrap(argv, real=os.path.realpath(shutil.which(argv[0]) or ""), env=ENV, libc="glibc", leader=False)
    assert found is not None and found.argv == (target,)
    _, code, errors, _ = start(lab, argv)
    if target == "words":
        # glibc's execvp hands the file to /bin/sh; Go and runit execute it themselves.
        fallback = found.program not in ("gosu", "chpst")
        assert (code == 0) == fallback
        if fallback:
            return
    errno = {"nope": "ENOENT", "/nope/x": "ENOENT", "words": "ENOEXEC"}.get(target, "EACCES")
    expected = failure(found, errno, called=argv[0], pid="{pid}")
    assert code == expected.exit_code, errors
    said = expected.message.split("{pid}")
    last = errors.strip().splitlines()[-1]
    assert last.startswith(said[0]) and last.endswith(said[-1]), (last, expected)


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.parametrize("line", ["env", "nice", "nohup", "timeout 5", "setpriv --nnp", "setsid -w", "taskset 1"])
@pytest.mark.parametrize("target", ["nope", "a b", "/etc"])
def test_real_programs_name_themselves(lab: Path, line: str, target: str) -> None:
    """Called by an absolute path: coreutils say the whole path, util-linux the last part of it."""
    argv = [*words_of(lab, line), target]
    argv[0] = shutil.which(argv[0]) or ""
    found = unwrap(argv, env=ENV, libc="glibc", leader=False)
    assert found is not None
    _, code, errors, _ = start(lab, argv)
    expected = failure(found, "EACCES" if target == "/etc" else "ENOENT", called=argv[0])
    said = [row for row in errors.strip().splitlines() if "ignoring input" not in row]
    assert ("\n".join(said), code) == (expected.message, expected.exit_code)


def test_programs_name_themselves() -> None:
    """As coreutils 9.1, util-linux 2.38 and busybox 1.35 do when they are called by an absolute path."""
    for called, message in {
        "/usr/bin/nice": "/usr/bin/nice: 'app': No such file or directory",
        "/usr/bin/setsid": "setsid: failed to execute app: No such file or directory",
        "/usr/bin/linux64": "linux64: failed to execute app: No such file or directory",
    }.items():
        assert failure(read(called, "app"), "ENOENT", called=called).message == message
    applet = read("/usr/bin/nice", "app", real="/bin/busybox")
    assert failure(applet, "ENOENT", called="/usr/bin/nice").message == (
        "nice: can't execute 'app': No such file or directory"
    )


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("musl-gcc") is None, reason="needs musl-gcc")
def test_musl_says_its_own_words(tmp_path: Path) -> None:
    source = tmp_path / "say.c"
    source.write_text(
        "#include <stdio.h>\n#include <string.h>\nint main(int c, char **v) { int n;"
        ' while (scanf("%d", &n) == 1) puts(strerror(n)); }\n'
    )
    subprocess.run(["musl-gcc", "-static", "-o", "say", "say.c"], cwd=tmp_path, check=True)
    names = [name for name in ERRNO_MUSL if name]
    numbers = "\n".join(str(getattr(errno_numbers, name)) for name in names)
    said = subprocess.run([tmp_path / "say"], input=numbers, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [ERRNO_MUSL[name] for name in names]
    # What the prediction looks for in a static program of musl, and in none of glibc.
    assert ERRNO_MUSL["ELOOP"].encode() in (tmp_path / "say").read_bytes()


@pytest.mark.parametrize(
    ("library", "words"),
    [(b"Symbolic link loop\0", "Symbolic link loop"), (b"", "Too many levels of symbolic links")],
)
def test_a_static_program_speaks_as_its_c_library(library: bytes, words: str) -> None:
    image = (
        forge.file("bin/busybox", programs.hello() + library, 0o755),
        forge.symlink("usr/bin/nice", "/bin/busybox"),
        forge.symlink("a", "b"),
        forge.symlink("b", "a"),
    )
    spec = ProcessSpec(entrypoint=("/usr/bin/nice", "/a"), architecture="amd64")
    verdict = predict(FakeRootfs(image), spec, ProcessOptions(engine="docker@28")).verdict
    assert (verdict.text, verdict.exit_code) == (f"nice: can't execute '/a': {words}", 126)


@pytest.mark.judge
@pytest.mark.root
def test_real_gosu_user(lab: Path) -> None:
    argv = words_of(lab, "gosu no-such-user app")
    _, code, errors, _ = start(lab, argv)
    message = "unable to find user no-such-user: no matching entries in passwd file"
    cause = failure_of(UserRefused("user-missing", message), "no-such-user")
    expected = gosu_user_failure("no-such-user", cause)
    assert (errors.strip(), code) == (expected.message, expected.exit_code)


@pytest.mark.judge
@pytest.mark.parametrize(
    "text",
    [
        "app x 'y z'",
        r'"a\_b" c\_d',
        "${ONE}x ${HOME}",
        "a\\tb",
        "a # c",
        r"a\c b",
        "'a",
        "$HOME",
        r"\q",
        "''",
        "-u X printf %s",
    ],
)
def test_real_env_split(text: str) -> None:
    if (
        shutil.which("env") is None
        or "coreutils" not in subprocess.run(["env", "--version"], capture_output=True, text=True).stdout
    ):
        pytest.skip("needs env of coreutils")
    show = "printf %s| "
    done = subprocess.run(
        ["env", "-S", show + text], capture_output=True, text=True, env={**ENV, "PATH": "/usr/bin:/bin"}
    )
    try:
        words = split_string(show + text, {**ENV})
    except ValueError as error:
        assert done.returncode == 125 and str(error).split(",")[0] in done.stderr
        return
    assert done.stdout == "".join(f"{word}|" for word in words[2:]) or (len(words) == 2 and done.stdout == "|")


def test_the_names_of_execline_are_those_that_it_reads() -> None:
    assert {"execline", "execlineb", *PROGRAMS} == EXECLINE
