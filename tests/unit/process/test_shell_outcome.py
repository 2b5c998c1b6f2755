"""What a shell becomes: cases by hand, calls of shells, and text that proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fake_rootfs import FakeRootfs
from hypothesis import given
from hypothesis import strategies as st

from effort import steps
from imagepeel.forge import Entry
from imagepeel.process.shell.interpreters import identify, invocation
from imagepeel.process.shell.outcome import ScriptOutcome, classify


class FileTests:
    """An image of which only some file tests are true, and in which every command starts."""

    def __init__(self, true: set[tuple[str, str]]) -> None:
        self.true = true

    def test(self, operator: str, path: str, cwd: str) -> bool | None:
        return (operator, path) in self.true

    def refuses(self, name: str, path_value: str | None, cwd: str) -> None:
        return None

    umask = 0o022
    enter = read = create = names = tool = child = finds = lambda self, *words: None


def script(
    text: str, *args: str, env: dict[str, str] | None = None, shell: str = "dash", uid: int = 0
) -> ScriptOutcome:
    return classify(text, shell=shell, mode="script", args=("/entry.sh", *args), env=env or {}, uid=uid)


def test_exec_of_the_arguments() -> None:
    found = script('#!/bin/sh\nset -e\n./migrate\nexec "$@"\n', "node", "app.js")
    assert (found.kind, found.argv, found.complete, found.line) == ("exec", ("node", "app.js"), True, 4)
    assert found.hangs_on == "nothing in the image tells whether `./migrate` (line 3) succeeds" and not found.assumes


def test_the_shape_of_database_entrypoints() -> None:
    text = (
        "#!/usr/bin/env bash\n"
        "_main() {\n"
        '  if [ "${1:0:1}" = "-" ]; then set -- postgres "$@"; fi\n'
        '  if [ "$1" = "postgres" ] && [ "$(id -u)" = "0" ]; then\n'
        '    exec gosu postgres "$0" "$@"\n'
        "  fi\n"
        '  exec "$@"\n'
        "}\n"
        '_main "$@"\n'
    )
    root = script(text, "-c", "x", shell="bash")
    assert root.argv == ("gosu", "postgres", "/entry.sh", "postgres", "-c", "x")
    user = script(text, "-c", "x", shell="bash", uid=999)
    assert user.argv == ("postgres", "-c", "x")
    other = script(text, "bash", shell="bash")
    assert other.argv == ("bash",)


def test_two_ways_are_both_named() -> None:
    found = script('if curl -f http://db; then exec server; else exec "$@"; fi', "fallback")
    assert found.kind == "unknown" and "depends" in found.why
    assert {tail.argv for tail in found.alternatives} == {("server",), ("fallback",)}


def test_two_ways_that_end_alike_are_one() -> None:
    found = script('if curl -f http://db; then X=1; fi\nfor f in /d/*; do . "$f"; done\nexec app', "x")
    assert (found.kind, found.argv) == ("exec", ("app",))
    assert any("is read" in note for note in found.assumes)


def test_a_sourced_file_makes_variables_unknown() -> None:
    found = script('. /etc/vars\nexec "$SERVER" -x')
    assert found.kind == "unknown" and "only known at run time" in found.why


def test_a_condition_that_nobody_knows_decides_about_an_early_end() -> None:
    found = script("test -f /etc/app.conf || exit 1\nexec app")
    assert found.argv == ("app",) and not found.assumes
    assert found.hangs_on == "nothing in the image tells whether `test -f /etc/app.conf` (line 1) succeeds"


def test_file_tests_ask_the_image() -> None:
    text = "if [ -x /opt/app ]; then exec /opt/app; fi\nexec /bin/other"
    yes = classify(text, shell="dash", mode="script", image=FileTests({("x", "/opt/app")}))
    no = classify(text, shell="dash", mode="script", image=FileTests(set()))
    assert (yes.argv, no.argv) == (("/opt/app",), ("/bin/other",))
    assert script(text).kind == "unknown"


def test_environment_and_directory_go_along() -> None:
    found = script(
        "export PATH=/opt/bin:$PATH\nunset SECRET\nlocal=1\ncd /srv\nA=1 exec app", env={"PATH": "/bin", "SECRET": "x"}
    )
    assert found.env == {"PATH": "/opt/bin:/bin", "SECRET": None, "A": "1"}
    assert found.cwd == "/srv"


def test_partly_known_words() -> None:
    found = script(
        'exec java $JAVA_OPTS -Dhost="$(hostname)" -jar app.jar $(cat flags)', env={"JAVA_OPTS": "-Xmx1g -v"}
    )
    assert found.kind == "exec" and not found.complete
    assert found.argv == ("java", "-Xmx1g", "-v", "?", "-jar", "app.jar", "...")


def test_child_and_trap() -> None:
    found = script('trap "kill $P" TERM\napp &\nP=$!\nwait $P')
    assert (found.kind, found.argv, found.trapped) == ("child", ("app",), ("TERM",))
    loop = script("while true; do app; done")
    assert (loop.kind, loop.argv) == ("child", ("app",)) and "loop" in loop.why


def test_an_unmeasured_shell_is_unknown() -> None:
    assert classify("app", shell="other", mode="command").kind == "unknown"
    with pytest.raises(ValueError, match="mode"):
        classify("app", shell="dash", mode="stdin")


@pytest.mark.parametrize(
    "text", ["if true", "exec 'x", 'exec "x', "a && ", "case x in", "$(", "${x", "((", "f() app", ")", "a <<"]
)
def test_broken_text_is_unknown(text: str) -> None:
    found = script(text)
    assert found.kind == "unknown" and "not understood" in found.why


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000,
        "$(" * 5_000,
        "${x:-" * 5_000,
        "if a; then " * 5_000,
        "a;" * 50_000,
        "f() { f; f; }; f",
        "f() { eval f; }; f",
        "while :; do :; done",
        "if a; then x=$x$x; fi;" * 3_000,
        "x=aaaaaaaa;" + "x=$x$x;" * 60 + "exec $x",
        'case "$1" in ' + "*a" * 200 + ") exec b;; esac",
        "{" * 100_000,
        "`" * 100_001,
        "a" * 1_100_000,
        "!" * 3_000,
        "! " * 30_000,
        "((a" * 3_000,
    ],
)
def test_hostile_text_costs_as_much_as_it_is_long(text: str) -> None:
    steps(script, text, "a" * 4_000 + "b", limit=30_000 + 120 * min(len(text), 100_001))


@given(st.text(alphabet="ab$\"'`(){}[]|&;<>\\\n \t#!=*?~-0123if then fi do done case esac exec set", max_size=120))
def test_any_text(text: str) -> None:
    for shell in ("dash", "bash", "busybox"):
        for mode in ("command", "script"):
            found = classify(text, shell=shell, mode=mode, args=("sh", "x", "y"), env={"A": "1"})
            assert found.kind in ("exec", "tail", "child", "ends", "unknown")


@pytest.mark.parametrize(
    ("argv", "mode", "text", "args"),
    [
        (["sh", "-c", "x"], "command", "x", ("sh",)),
        (["/bin/sh", "-c", "x", "zero", "one"], "command", "x", ("zero", "one")),
        (["bash", "-eo", "pipefail", "-c", "x", "--"], "command", "x", ("--",)),
        (["sh", "-ec", "x"], "command", "x", ("sh",)),
        (["sh", "-c", "-e", "x"], "command", "x", ("sh",)),
        (["bash", "--norc", "--rcfile", "f", "s.sh", "a"], "script", "s.sh", ("s.sh", "a")),
        (["sh", "--", "s.sh"], "script", "s.sh", ("s.sh",)),
        (["sh"], "stdin", "", ("sh",)),
        (["sh", "-s", "a"], "stdin", "", ("sh", "a")),
        ([], "stdin", "", ("sh",)),
    ],
)
def test_calls(argv: list[str], mode: str, text: str, args: tuple[str, ...]) -> None:
    found = invocation(argv)
    assert (found.mode, found.body, found.args) == (mode, text, args)


@pytest.mark.parametrize("argv", [["sh", "-c"], ["bash", "--dump-strings", "x"], ["bash", "--norc", "-c"]])
def test_calls_that_are_not_understood(argv: list[str]) -> None:
    assert invocation(argv).mode == "unknown"


def test_call_options() -> None:
    assert "e" in invocation(["sh", "-o", "errexit", "-c", "x"]).options
    assert "e" not in invocation(["sh", "-e", "+o", "errexit", "-c", "x"]).options
    assert "f" not in invocation(["sh", "-f", "+f", "-c", "x"]).options
    assert "l" in invocation(["bash", "-lc", "x"]).options and invocation(["-sh"]).mode == "stdin"


MARKS = {"dash": b"Illegal option -%c", "bash": b"GNU bash, version 5.2", "busybox": b"BusyBox v1.35", "": b"\x7fELF"}


@pytest.mark.parametrize(
    ("program", "real", "argv", "name"),
    [
        ("dash", "/usr/bin/dash", ["/bin/sh"], "dash"),
        ("bash", "/usr/bin/bash", ["sh"], "bash"),
        ("bash", "/usr/bin/dash", ["sh"], "bash"),
        ("busybox", "/bin/busybox", ["/bin/sh"], "busybox"),
        ("busybox", "/bin/busybox", ["busybox", "sh"], "busybox"),
        ("busybox", "/bin/busybox", ["cat"], ""),
        ("", "/bin/mksh", ["sh"], ""),
        ("", "/usr/bin/python3", ["sh"], ""),
    ],
)
def test_a_shell_is_known_by_its_content(program: str, real: str, argv: list[str], name: str) -> None:
    rootfs: Any = FakeRootfs([Entry(path=real.encode(), data=MARKS[program])])
    assert identify(rootfs, real.encode(), argv) == name


def test_local_variables_end_with_their_function() -> None:
    """Measured with bash 5.2, dash 0.5.12 and busybox 1.35: only dash keeps the outer value of `local x`."""
    text = 'x=1\nf() { local x; inner="${x-unset}"; x=2; }\nf\nexec app "$x" "$inner"'
    for shell, inner in (("bash", "unset"), ("busybox", "unset"), ("dash", "1")):
        assert script(text, shell=shell).argv == ("app", "1", inner)
    assert script("f() { declare -g x=7; local y=x; z=${!y}; }\nf\nexec app $x $z ${y-none}", shell="bash").argv == (
        *("app", "7", "7", "none"),
    )


def test_names_behind_an_exclamation_mark() -> None:
    """Measured with bash 5.2."""
    text = 'A_1=a\nA_2=b\nn=A_2\nm=none\nexec app "${!n}" "${!n%b}" "${!m:-d}" "${!A_@}"'
    assert script(text, shell="bash").argv == ("app", "b", "", "d", "A_1", "A_2")


def test_a_branch_whose_last_status_is_not_known_is_walked_once() -> None:
    found = script("f() { if [ -n a ]; then x=$(date); elif true; then exec b; fi; }\nf\nexec app", shell="bash")
    assert (found.kind, found.argv) == ("exec", ("app",))


@pytest.mark.parametrize(
    ("text", "hangs", "trusts"),
    [
        ("set -e\n./migrate\nexec app", ["./migrate"], 0),
        ("./migrate && exec app\nexit 1", ["./migrate"], 0),
        ("./migrate || exit 1\nexec app", ["./migrate"], 0),
        ("if ! ./check; then exit 1; fi\nexec app", ["./check"], 0),
        ("set -e\nX=$(./version)\nexec app", ["X=$(./version)"], 0),
        ("set -e\npython manage.py migrate | tee log\nexec app", [], 1),
        ("set -e\nmktemp\nexec app", [], 1),
        ("set -e\n./migrate || true\nexec app", [], 0),
        ("./migrate\nexec app", [], 0),
        ("set -e\nif ./check; then X=1; fi\nexec app", [], 0),
        ("set -e\n./app --version\nexec app", [], 1),
    ],
)
def test_what_has_to_succeed_in_front_of_the_program(text: str, hangs: list[str], trusts: int) -> None:
    """`set -e`, `&&` and `|| exit` make the start hang on a program; what is ordinary is trusted and written down."""
    found = script(text)
    assert (found.kind, found.argv) == ("exec", ("app",))
    assert [one.source for one in found.hangs] == hangs
    assert len(found.trusts) == trusts


def test_a_script_that_ends_with_its_program_does_not_hang_on_it() -> None:
    found = script("set -e\nmkdir -p /data\nserver --port 80")
    assert (found.kind, found.argv, found.hangs) == ("child", ("server", "--port", "80"), ())
