"""Scenarios of execline scripts and the s6 programs in them; the programs are this machine's own."""

from __future__ import annotations

from typing import Any

from model import REPORT, from_machine, scenario, script
from userland import BASH, LIBRARIES, program

from imagepeel import forge

F, D = forge.file, forge.directory
BIN = "usr/lib/execline/bin"
NAMES = ("execlineb", "foreground", "background", "if", "exec", "cd", "export", "unexport", "emptyenv", "umask",
         "fdmove", "define", "importas", "ifelse", "backtick", "redirfd", "pipeline", "envfile", "ifte", "ifthenelse",
         "tryexec", "case", "forx", "trap", "multisubstitute", "multidefine", "elgetpositionals", "exit", "eltest",
         "getcwd", "getpid", "heredoc", "withstdinas", "wait", "fdclose", "fdswap", "piperw", "forbacktickx",
         "forstdin", "loopwhilex", "elglob")  # fmt: skip
S6 = tuple(program(f"usr/bin/{name}", f"/usr/bin/{name}")
           for name in ("s6-setuidgid", "s6-envuidgid", "s6-applyuidgid", "s6-envdir"))  # fmt: skip
TREE = (
    *BASH, program("usr/bin/execlineb", "/usr/bin/execlineb"), program("usr/bin/true", "/usr/bin/true"),
    program("usr/bin/false", "/usr/bin/false"), program("usr/bin/echo", "/usr/bin/echo"),
    program("usr/bin/mkdir", "/usr/bin/mkdir"),
    F("env", 'X=one\n# note\n C = t w o \nV="a b"\nE=\n'), F("env.bad", "X=1\nno line\n"),
    D("vars"), F("vars/X", "val\n"), F("vars/C", "a\nb\n"), F("vars/WORD", ""),
    *(program(f"{BIN}/{name}", f"/{BIN}/{name}") for name in NAMES), *S6,
    *(F(f"{LIBRARIES}/{name}", from_machine(f"/usr/lib/x86_64-linux-gnu/{name}"), 0o644)
      for name in ("libskarnet.so.2.13", "libexecline.so.2.9")), D("open"), D("closed", 0o700),
    F("etc/nsswitch.conf", "passwd: files\ngroup: files\n"),
)  # fmt: skip

# name: the script, its first line's options, the verdict
SCRIPTS: dict[str, tuple[str, str, str]] = {
    "plain": ("report a", "-P", "RUNS"),
    "words": ('report "a b" c\\ d "" # the end', "-P", "RUNS"),
    "discards-arguments": ("report", "-P", "RUNS"),
    "positional": ('report $1 "x $2 y" $@ $# ${3}z', "-S0", "RUNS"),
    "not-positional": ("report $1 $@", "-P", "RUNS"),
    "foreground": ("foreground { true } report", "-P", "RUNS"),
    "foreground-missing": ("foreground { nope } report", "-P", "RUNS"),
    "nested": ("foreground { if { true } foreground { true a } true } report x", "-P", "RUNS"),
    "if": ("if { true } report", "-P", "RUNS"),
    "if-unknown": ("if { report inside } report", "-P", "UNKNOWN"),
    "export": ('export A "b c" unexport TERM report', "-P", "RUNS"),
    "cd": ("cd /open report", "-P", "RUNS"),
    "cd-missing": ("cd /nope report", "-P", "F36"),
    "cd-file": ("cd /etc/passwd report", "-P", "F36"),
    "exec": ("exec -a other report x", "-P", "RUNS"),
    "exec-login": ("exec -l report x", "-P", "RUNS"),
    "setuidgid": ("s6-setuidgid app report x", "-P", "RUNS"),
    "setuidgid-unknown": ("s6-setuidgid ghost report x", "-P", "F36"),
    "setuidgid-missing-program": ("s6-setuidgid app nope", "-P", "F36"),
    "chain": (
        "fdmove -c 2 1\nforeground { true }\ns6-setuidgid app\ncd /open\numask 022\nexport X y\nexec report x",
        "-P",
        "RUNS",
    ),
    "missing": ("nope x", "-P", "F36"),
    "not-executable": ("/etc/passwd", "-P", "F36"),
    "directory": ("/open", "-P", "F36"),
    "unmatched": ("foreground { true report", "-P", "F36"),
    "shell": ('foreground { true } /bin/bash -c "exec report \\$0 b" a', "-P", "RUNS"),
    "define": ('define X "a b" report $X ${X}c', "-P", "RUNS"),
    "importas": ("importas -uD none A WORD importas -D none B NOPE report $A $B", "-P", "RUNS"),
    "background": ("background { true } report", "-P", "RUNS"),
    "ifelse": ("ifelse { true } { report yes } report no", "-P", "RUNS"),
    "ifelse-false": ("ifelse { false } { report yes } report no", "-P", "RUNS"),
    "ifelse-negated": ("ifelse -n { false } { report yes } report no", "-P", "RUNS"),
    "ifelse-empty": ("ifelse { } { report yes } report no", "-P", "RUNS"),
    "ifelse-file": ("ifelse { eltest -e /etc/passwd } { report yes } report no", "-P", "RUNS"),
    "ifelse-no-file": ("ifelse { eltest -e /etc/nope } { report yes } report no", "-P", "RUNS"),
    "ifelse-after-mkdir": ("foreground { mkdir /n } ifelse { eltest -d /n } { report y } report n", "-P", "UNKNOWN"),
    "ifelse-strings": ("importas -i A WORD ifelse { eltest $A = given } { report $A } report no", "-P", "RUNS"),
    "ifelse-nested": ("ifelse { foreground { true } false } { report yes } report no", "-P", "RUNS"),
    "ifelse-shell": ('ifelse { bash -c "exit 3" } { report yes } report no', "-P", "RUNS"),
    "ifelse-own": ("ifelse { report x } { report yes } report no", "-P", "UNKNOWN"),
    "ifelse-missing": ("ifelse { nope } { report yes } report no", "-P", "F36"),
    "ifelse-then-missing": ("ifelse { true } { nope } report no", "-P", "F36"),
    "ifelse-nothing": ("ifelse { false } { report yes }", "-P", "RUNS"),
    "ifte": ("ifte { report yes } { report no } false", "-P", "RUNS"),
    "ifthenelse": ("ifthenelse { false } { true } { true } report x", "-P", "RUNS"),
    "if-false": ("if { false } report", "-P", "F36"),
    "if-missing": ("if { nope } report", "-P", "F36"),
    "background-missing": ("background { nope } report", "-P", "F36"),
    "redirfd": ("redirfd -w 2 /dev/null report", "-P", "RUNS"),
    "redirfd-missing": ("redirfd -r 0 /nope report", "-P", "F36"),
    "redirfd-new": ("redirfd -a 3 /open/log report", "-P", "RUNS"),
    "pipeline": ("pipeline { echo x } report", "-P", "RUNS"),
    "backtick": ("backtick X { echo a } report", "-P", "RUNS"),
    "backtick-path": ("backtick PATH { echo /nope } report", "-P", "UNKNOWN"),
    "backtick-missing": ("backtick X { nope } report", "-P", "F36"),
    "envfile": ("envfile /env importas -i X X importas -i C C report $X $C", "-P", "RUNS"),
    "envfile-missing": ("envfile /nope report", "-P", "F36"),
    "envdir": ("s6-envdir /vars importas -i X X importas -D none W WORD report $X $W", "-P", "RUNS"),
    "case": ("case b { a { report one } b|c { report two } } report none", "-P", "RUNS"),
    "tryexec-missing": ("tryexec { nope a } report b", "-P", "RUNS"),
    "forx": ("forx X { a } report x", "-P", "RUNS"),
    "trap": ("trap { SIGTERM { true } } report a", "-P", "RUNS"),
    "importas-missing": ("importas -i X NOPE report $X", "-P", "F36"),
    "multisubstitute": ("multisubstitute { define X $Y importas Y WORD } report $X $Y", "-P", "RUNS"),
    "elgetpositionals": ("elgetpositionals report $1 $# $@", "", "RUNS"),
    "exit": ("exit 3", "-P", "F36"),
    "empty": ("# nothing", "-P", "RUNS"),
    "emptyenv": ("emptyenv report", "-P", "RUNS"),
}
EXTRA: dict[str, dict[str, Any]] = {
    "setuidgid-as-user": {"user": "app"},
    "cd-closed": {"user": "app"},
}
for name, (text, option, expect) in (SCRIPTS | {
    "setuidgid-as-user": ("s6-setuidgid app report", "-P", "F36"), "cd-closed": ("cd /closed report", "-P", "F36"),
}).items():  # fmt: skip
    scenario(f"execline-{name}", "S9 F36", expect, *TREE, script("e", f"#!/usr/bin/execlineb {option}\n{text}\n"),
             entrypoint=["/e"], cmd=["one", "two"], env=["WORD=given", "PATH=/usr/bin:/bin"],
             **EXTRA.get(name, {}))  # fmt: skip
scenario("execline-text", "S9", "RUNS", *TREE, entrypoint=["execlineb", "-Pc", "foreground { true } report a"])
scenario("execline-text-missing", "S9 F36", "F36", *TREE, entrypoint=["execlineb", "-Pc", "cd / nope"])

WITHOUT_SOURCES = tuple(entry for entry in TREE if entry.path != b"etc/nsswitch.conf")
for name, user, expect in (("name", "app", "F36"), ("numbers", "1234:1234", "RUNS"), ("unknown", "ghost", "F36")):
    scenario(f"execline-no-nsswitch-{name}", "S9 F36", expect, *WITHOUT_SOURCES, env=["PATH=/usr/bin:/bin"],
             entrypoint=["s6-setuidgid", user, "report"])  # fmt: skip

# Programs of the image's own with names that execline has, too: no execlineb stands beside them.
for name in ("wait", "exit", "if", "umask"):
    scenario(f"execline-name-of-its-own-{name}", "S9", "RUNS", *TREE, F(f"opt/{name}", REPORT, 0o755),
             entrypoint=[name, "3"], env=["PATH=/opt:/bin"])  # fmt: skip
scenario("execline-name-of-its-own-behind", "S9", "RUNS", *TREE, F("opt/exit", REPORT, 0o755),
         script("e", "#!/usr/bin/execlineb -P\nforeground { true } /opt/exit 3\n"), entrypoint=["/e"],
         env=["PATH=/usr/bin:/bin"])  # fmt: skip
scenario("execline-name-of-its-own-asked", "S9 S24", "UNKNOWN", *TREE, F("opt/exit", REPORT, 0o755),
         script("e", "#!/usr/bin/execlineb -P\nif { /opt/exit 3 } report\n"), entrypoint=["/e"],
         env=["PATH=/usr/bin:/bin"])  # fmt: skip
