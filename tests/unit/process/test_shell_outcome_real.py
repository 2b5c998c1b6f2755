"""The tail-call rules against dash, bash and busybox: each string is run, and the process ids are compared."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imagepeel.process.shell.outcome import classify

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}
VERSIONS = {"dash": "0.5.12", "bash": "5.2", "busybox": "1.35"}

pytestmark = [pytest.mark.judge, pytest.mark.skipif(sys.platform != "linux", reason="the shells are those of Debian")]

APP_C = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int c, char **v) {
    char line[4096];
    int n = sprintf(line, "%d", getpid());
    for (int i = 0; i < c; i++) n += snprintf(line + n, sizeof line - n - 2, "\\x1f%s", v[i]);
    line[n++] = '\\n';
    int file = open(getenv("APP_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    return write(file, line, n) != n;
}
"""

COMMANDS = [
    "app",
    "app args",
    "A=1 app",
    "A=$(echo 1) app",
    "cd / && app",
    "a; app",
    "a;app",
    "a & app",
    "app &",
    "app & wait",
    "export X=2; app",
    "set -e; app",
    "set -x; app",
    "umask 022; app",
    "app >/dev/null",
    "app 2>&1",
    "app </dev/null",
    "app >/dev/null; a",
    "a >/dev/null; app",
    ">/dev/null app",
    "(app)",
    "( app )",
    "(a; app)",
    "((1)); app",
    "{ app; }",
    "{ a; app; }",
    "if true; then app; fi",
    "if app; then a; fi",
    "if false; then a; else app; fi",
    "while false; do a; done; app",
    "for i in 1; do app; done",
    "case x in x) app;; esac",
    "case x in x) app; esac",
    "app || true",
    "app && true",
    "true && app",
    "true || app",
    "false || app",
    "a && app",
    "a || app",
    "a && a && app",
    "a; a; app",
    "a; true && app",
    "true && { app; }",
    "true && (app)",
    "! app",
    "! true; app",
    "time app",
    "app | cat",
    "true | app",
    "true | exec app",
    "a; true | app",
    'trap "" TERM; app',
    "trap - TERM; app",
    "trap 'echo x' EXIT; app",
    "trap 'echo x' TERM; app",
    "trap 'echo x' TERM; trap - TERM; app",
    "app; true",
    "app; :",
    "app; exit",
    "app; exit $?",
    "exit; app",
    "exec app",
    "exec app args",
    "exec app >/dev/null",
    "exec >/dev/null; app",
    "A=1 exec app",
    "a; exec app",
    "true && exec app",
    "if true; then exec app; fi",
    "{ exec app; }",
    "(exec app)",
    "f() { app; }; f",
    "f() { exec app; }; f",
    "f() { a; }; f; app",
    'f() { app "$@"; }; f 1 2',
    "eval app",
    'eval "a; app"',
    "eval exec app",
    ". /dev/null; app",
    "command app",
    "command exec app",
    "exec env app",
    "env app",
    "app # comment",
    "app;",
    " app",
    'app "$@"',
    '"$@"',
    'exec "$@"',
    "$(echo app)",
    "`echo app`",
    "app $(echo 1)",
    'app "$(a)"',
    "[ 1 = 1 ] && app",
    "[ 1 = 2 ] || app",
    'test -n "$X" && app',
    "cd /; exec app",
    "sleep 0; app",
    "echo hi; app",
    "echo hi && app",
    "builtin cd /; app",
    'set -- a b; app "$@"',
    'set -- app b; exec "$@"',
    "x=1; app",
    "x=1 y=2; app",
    "local_x=1 && app",
    "until true; do a; done; app",
    "if a; then :; fi; app",
    "a",
    "wait; app",
    "nice app",
    "true; (app)",
    "true; { app; }",
    "true; if true; then app; fi",
    "shopt -s x; app",
    "ulimit -c 0; app",
    "ulimit -c 0 && app",
    "export A=1 && app",
    "A=1; export A; app",
    "unset X; app",
    "hash -r; app",
    "printf x; app",
    "app & exec a",
    "a & b & wait",
    "a & b",
    "a & b; true",
    "true & app",
    "app $((1+1))",
    "app ~",
    "app {1,2}",
    "readonly R=1; app",
    "return; app",
    "break; app",
    "./app",
    "{ app; } >/dev/null",
    "(app) >/dev/null",
    "if true; then app; fi >/dev/null",
    "a && app >/dev/null",
    "a; app >/dev/null",
    "a; app 2>&1",
    "a | b; app",
    "a | b && app",
    "app\n",
    "a\napp",
    "a\napp\n",
    "a; app\n",
    "\napp",
    "app\n\n",
    "# c\napp",
    "app\n# c",
    "app \\\n x",
    "a\n\napp",
    "exec app\n",
    "if true\nthen app\nfi",
    "if true\nthen app\nfi\n",
    "app <<E\nx\nE\n",
    "app <<E\nx\nE",
    "a && \\\napp",
    "a &&\napp",
    "cd /\napp",
    "export A=1\napp",
    "{\napp\n}",
    "(\napp\n)",
    "f() {\n app\n}\nf",
    "app # x\n",
    "app ;\n",
    "set -e\napp",
    "app\t",
    "  app  ",
    "a & b; app",
    "a; b & app",
    "true && a; app",
    "a\ntrue && app",
    "a\nb; app",
    "app <<E &&\nx\nE\ntrue",
    "case $1 in app) app;; *) a;; esac",
    'if [ -n "$X" ]; then app; else a; fi',
    "for i in 1 2; do a; done; app",
    'f() { exec app "$@"; }; f x y',
    'set -- x "$@"; exec app "$@"',
    'shift; exec app "$@"',
    "exec app ${X:-none} ${Y:-none}",
    'exec app "${Y+set}" "${X+set}"',
    'exec app "${1#a}" "${1%p}"',
    "exec app $#",
    'exec app "$*"',
    "exec app $@",
    'exec "$1" x',
    "while [ $# -gt 0 ]; do shift; done; exec app $#",
    "export P=/tmp; exec app $P",
    'Z="a b"; exec app $Z "$Z"',
    'exec app \'a b\' "c\\"d" e\\ f',
    "exec app # note",
    'trap "" INT; exec app',
    "(a); exec app",
    "{ a; exec app; }",
    "a || true; exec app",
    "! a; exec app",
    'eval "exec app $X"',
    'A=x; exec app "$A$A"',
    "exec app \"\" ''",
    "until [ 1 = 1 ]; do a; done; exec app",
    'case "$1" in -*) exec a;; a*) exec app one;; esac',
    'case "$1" in [x-z]*) exec a;; ?pp) exec app two;; esac',
    '[ "$#" -eq 0 ] && exec a; exec app',
    '[ "${1#-}" != "$1" ] && set -- a "$@"; exec "$@"',
    'test -z "$NOPE" && exec app',
    'unset X; exec app "${X-gone}"',
    "readonly Q=1; exec app $Q",
    "X=2; (X=3); exec app $X",
    "X=2 :; exec app",
    "f() { return 0; a; }; f && exec app",
    "if ! false; then exec app; fi",
    "if false || true; then exec app; fi",
    "i=1; while true; do if [ $i = 2 ]; then exec app; fi; i=2; done",
]

UNDECIDED = {"$(echo app)", "`echo app`", "a || app", "if app; then a; fi"}
"""Strings whose end depends on what their commands answer: an honest "unknown" is expected."""

SCRIPTS = [
    ('#!/bin/sh\nset -e\nif [ "${1#-}" != "$1" ]; then set -- app "$@"; fi\nexec "$@"\n', ("-x", "1")),
    ('#!/bin/sh\nset -e\nif [ "${1#-}" != "$1" ]; then set -- app "$@"; fi\nexec "$@"\n', ("b", "1")),
    ('#!/bin/sh\n"$@"\n', ("app", "x")),
    ("#!/bin/sh\napp\n", ()),
    ('#!/bin/sh\na\napp "$@"', ("1",)),
    ('#!/bin/sh\ncase "$1" in\n  serve) shift; exec app serve "$@" ;;\n  *) exec b "$@" ;;\nesac\n', ("serve", "x")),
    ('#!/bin/sh\ncase "$1" in\n  serve) shift; exec app serve "$@" ;;\n  *) exec b "$@" ;;\nesac\n', ("other",)),
    ('#!/bin/sh\nrun() {\n  exec app "$@"\n}\nif [ $# -eq 0 ]; then\n  run default\nelse\n  run "$@"\nfi\n', ()),
    ('#!/bin/sh\nexport PORT="${PORT:-80}"\nexec app --port "$PORT"\n', ()),
    ('#!/bin/sh\n: "${PORT:=81}"\nexec app --port "$PORT"\n', ()),
    ('#!/bin/sh\nif [ "$(id -u)" = "0" ]; then exec app as-root; fi\nexec app as-user\n', ()),
    ('#!/bin/sh\nfor a in "$@"; do\n  case "$a" in --debug) D=1;; esac\ndone\nexec app ${D:+-v}\n', ("--debug",)),
    (
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in -n) N=$2; shift 2;; *) break;; esac; done\nexec app $N "$@"\n',
        ("-n", "5", "rest"),
    ),
    ("#!/bin/sh\ncat <<EOF >/dev/null\nexec b\nEOF\nexec app\n", ()),
    ("#!/bin/sh\n# exec b\nexec \\\n  app one \\\n  two\n", ()),
    ('#!/bin/sh\nif true\nthen\n  set -- app "$@"\nfi\nexec "$@"\n', ("z",)),
    ("#!/bin/sh\na &\nwait\nexec app\n", ()),
    ('#!/bin/sh\n[ -n "$MISSING" ] || MISSING=dflt\nexec app "$MISSING"\n', ()),
    ('#!/bin/sh\ntrap "echo bye" TERM\napp &\nwait $!\n', ()),
    ('#!/bin/sh\nexec app "$@" --last\n', ("a b", "")),
]

BASH_SCRIPTS = [
    '#!/bin/bash\nexec app "$BASH_SOURCE" "$@"\n',
    '#!/bin/bash\n_main() {\n  exec app "${BASH_SOURCE[0]}" "$1"\n}\n_main "$@"\n',
    (
        "#!/bin/bash\n_is_sourced() {\n"
        '  [ "${#FUNCNAME[@]}" -ge 2 ] && [ "${FUNCNAME[0]}" = _is_sourced ] && [ "${FUNCNAME[1]}" = source ]\n}\n'
        '_main() {\n  exec app "$FUNCNAME" "${#FUNCNAME[@]}" "${FUNCNAME[1]}" "$@"\n}\n'
        'if ! _is_sourced; then\n  _main "$@"\nfi\n'
    ),
    '#!/bin/bash\nexec app "${FUNCNAME[0]}" "${#BASH_SOURCE[@]}"\n',
    '#!/bin/bash\nif [ "$BASH_SOURCE" = "$0" ]; then exec app run; fi\nexec b sourced\n',
]


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"

    def run(self, shell: str, *arguments: str) -> list[tuple[bool, list[str]]]:
        """(it is the shell's own process, argv) of each program that ran."""
        self.log.write_text("")
        # Wait for background jobs too: they hold the pipe open.
        child = subprocess.Popen(
            [*SHELLS[shell], *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.env(),
            cwd=self.folder,
        )
        child.communicate(timeout=20)
        rows = [line.split("\x1f") for line in self.log.read_text().splitlines()]
        return [(int(row[0]) == child.pid, row[1:]) for row in rows]

    def env(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": "/tmp", "X": "1", "APP_LOG": str(self.log)}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc for the little program")
    folder = tmp_path_factory.mktemp("tail")
    (folder / "app.c").write_text(APP_C)
    subprocess.run(["gcc", "-static", "-o", "app", "app.c"], cwd=folder, check=True)
    for name in ("a", "b"):
        (folder / name).symlink_to("app")
    return Lab(folder)


def need(shell: str) -> None:
    program = shutil.which(SHELLS[shell][0])
    if program is None:
        pytest.skip(f"{shell} is not here")
    command = {
        "dash": ["dpkg-query", "-W", "-f", "${Version}", "dash"],
        "bash": ["bash", "--version"],
        "busybox": ["busybox"],
    }[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"the version of {shell} cannot be told")
    shown = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    if not shown or VERSIONS[shell] not in shown[0]:
        pytest.skip(f"the rules were measured with {shell} {VERSIONS[shell]}")


@pytest.mark.parametrize("shell", SHELLS)
def test_command_strings(lab: Lab, shell: str) -> None:
    need(shell)
    wrong = []
    undecided = 0
    for command in COMMANDS:
        predicted = classify(command, shell=shell, mode="command", args=("zero", "app", "p1"), env=lab.env(), uid=0)
        real = lab.run(shell, "-c", command, "zero", "app", "p1")
        replaced = [argv for own, argv in real if own]
        if predicted.kind == "unknown":
            undecided += 1
            if command not in UNDECIDED:
                wrong.append((command, predicted, real))
        elif predicted.replaces:
            wrapper = predicted.argv[0] in ("env", "nice")
            if not replaced or (predicted.complete and not wrapper and replaced[-1] != list(predicted.argv)):
                wrong.append((command, predicted, real))
        elif replaced or (predicted.kind == "child" and not real):
            wrong.append((command, predicted, real))
    assert not wrong, wrong[:4]
    assert undecided <= len(UNDECIDED)
    print(f"{shell}: {len(COMMANDS)} strings, {undecided} undecided")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("script", "arguments"), SCRIPTS)
def test_scripts(lab: Lab, shell: str, script: str, arguments: tuple[str, ...]) -> None:
    need(shell)
    path = lab.folder / "entry.sh"
    path.write_text(script)
    import os

    predicted = classify(
        script, shell=shell, mode="script", args=(str(path), *arguments), env=lab.env(), uid=os.getuid()
    )
    real = lab.run(shell, str(path), *arguments)
    replaced = [argv for own, argv in real if own]
    assert predicted.kind in ("exec", "child"), predicted
    if predicted.kind == "exec":
        assert predicted.complete and replaced == [list(predicted.argv)], (predicted, real)
    else:
        assert not replaced and real[-1][1] == list(predicted.argv), (predicted, real)


@pytest.mark.parametrize("script", BASH_SCRIPTS)
def test_scripts_that_ask_bash_where_they_are(lab: Lab, script: str) -> None:
    """`$BASH_SOURCE` and `FUNCNAME` decide in the entrypoints of database images."""
    need("bash")
    path = lab.folder / "entry.sh"
    path.write_text(script)
    predicted = classify(script, shell="bash", mode="script", args=(str(path), "x", "a b"), env=lab.env(), uid=0)
    real = lab.run("bash", str(path), "x", "a b")
    assert (predicted.kind, predicted.complete) == ("exec", True), predicted
    assert [argv for own, argv in real if own] == [list(predicted.argv)], (predicted, real)
