"""Scenarios of shell lists: commands that cannot run, builtins that fail, start-up files, early ends."""

from __future__ import annotations

from model import from_machine, scenario, script
from userland import BASH, BUSYBOX, DASH, GLIBC, L, program

from imagepeel import forge

F, D = forge.file, forge.directory
SHELLS = {"dash": (DASH, "/bin/sh"), "bash": (BASH, "/bin/bash"), "busybox": (BUSYBOX, "/bin/sh")}
ALL_SHELLS = "dash bash busybox"
MORE = (
    F("plain", "x\n", 0o644),
    F("bad-interpreter", "#!/nope/sh\n", 0o755),
    F("set.sh", "APP=report\nexport WORD=sourced\n"),
    F("ends.sh", "exit 7\n"),
    F("closed.sh", "x\n", 0o600),
    D("closed", 0o700),
    D("open"),
)

# name: the script, and the shells in which the start fails (?: in which it is not told)
LINES: dict[str, tuple[str, str]] = {
    "and-missing": ("/nope && exec report", ALL_SHELLS),
    "and-no-interpreter": ("/bad-interpreter && exec report", ALL_SHELLS),
    "or-missing": ("nope || exec report", ""),
    "errexit-missing": ("set -e\nnope\nexec report", ALL_SHELLS),
    "errexit-missing-or": ("set -e\nnope || true\nexec report", ""),
    "errexit-false": ("set -e\nfalse\nexec report", ALL_SHELLS),
    "errexit-test-and": ("set -e\n[ a = b ] && nope\nexec report", ""),
    "exit-status": ("nope\nexit $?", ALL_SHELLS),
    "cd-missing-goes-on": ("cd /nope\nexec report", ""),
    "cd-file-errexit": ("set -e\ncd /plain\nexec report", ALL_SHELLS),
    "source-missing": (". /nope.sh\nexec report", "dash busybox"),
    "source-sets": ('. /set.sh\nexec "$APP" "$WORD"', ""),
    "required": ("exec report ${X:?must be set}", ALL_SHELLS),
    "required-unset": (': "${X?}"\nexec report', ALL_SHELLS),
    "nounset": ("set -u\nexec report $X", ALL_SHELLS),
    "nounset-argument": ("set -u\nexec report $1", ALL_SHELLS),
    "pipefail": ("set -o pipefail\nexec report", "dash"),
    "set-illegal": ("set -Z\nexec report", "dash busybox"),
    "slice": ('exec report "${0:0:1}"', "dash"),
    "array": ("a=(1 2)\nexec report", "dash busybox"),
    "here-string": ("cat <<< x\nexec report", "dash busybox"),
    "double-bracket-errexit": ("set -e\n[[ a = b ]]\nexec report", ALL_SHELLS),
    "shift-too-far": ("shift 3\nexec report", "dash"),
    "redirect-missing-and": ("echo x > /nope/f && exec report", ALL_SHELLS),
    "redirect-directory-errexit": ("set -e\necho x > /open\nexec report", ALL_SHELLS),
    "redirect-exec": ("exec > /nope/f\nexec report", "dash busybox"),
    "redirect-group": ("{ echo x; } > /nope/f && exec report", ALL_SHELLS),
    "pipe-missing-errexit": ("set -e\necho x | nope\nexec report", ALL_SHELLS),
    "function-missing": ("f() {\nnope\n}\nf && exec report", ALL_SHELLS),
    "exec-missing-after-missing": ("nope\nexec also-nope", ALL_SHELLS),
    "exec-login": ("exec -l report x", "dash busybox"),
    "glob": ("exec report /op*", ""),
    "double-bracket-or": ("[[ -z a || ! -n c ]] || exec report", "?dash"),
    "double-bracket-group": ("[[ -z a || ( -n b && ! -n c ) ]] || exec report", "?dash ?busybox"),
    "braces": ("exec report x{a,b}y {1..3} {3..1}", ""),
    "group": ("{ nope; } && exec report", ALL_SHELLS),
    "array-words": ("a=(1 'b c')\na+=(d)\nexec report \"${a[@]}\" ${#a[@]} ${a[1]}", "dash busybox"),
    "array-empty": ('a=()\nexec report "${a[@]}" end', "dash busybox"),
    "array-local": ("f() { local a=(x); exec report ${a[0]}; }\nf", "dash busybox"),
    "arguments-slice": ('set -- a b c\nexec report "${@:2}"', "dash"),
    "read-file": ('exec report "$(< /plain)"', ""),
    "cut-path": ('exec report "${PATH%%:*}" "${PATH##*:}"', ""),
    "command-v-missing": ("set -e\nX=$(command -v nope)\nexec report", ALL_SHELLS),
    "flags-long": ('set -- --flag\nexec "$@"', ALL_SHELLS),
    "flags-values": ('set -e\nset -- -m 64\nexec "$@"', ALL_SHELLS),
    "flags-goes-on": ('set -- --flag\nexec "$@"\nexec report', "dash busybox"),
    "if-body-fails-else": ("if true; then nope; else exit 3; fi\nexec report", ""),
    "usage": ('usage() { echo "Usage: x" >&2; exit 64; }\n[ -n "$1" ] || usage\nexec report', ALL_SHELLS),
    "trap-exit": ("trap 'exit 4' EXIT\nset -e\nfalse", "?dash ?bash ?busybox"),
    "trap-exit-replaced": ("trap 'exit 4' EXIT\nexec report", ""),
    "alias-of-others": ('alias run="exec nope"\nexec report', ""),
    "local-outside-and": ("local x && exit 3\nexec report", "dash busybox"),
    "export-no-name": ("export 1A=x && exit 3\nexec report", "dash busybox"),
    "arithmetic-assigns": ('i=1\n: $((i = 4))\nexec report "$i"', ""),
    "arithmetic-zero-variable": ('A=0\n: "$((4 % A))"\nexec report', "dash ?bash busybox"),
    "arithmetic-no-operand": ('exec report "$((4 / $A))"', "dash ?bash busybox"),
    "arithmetic-octal": ("exec report $((08))", "dash ?bash busybox"),
    "arithmetic-power": ("exec report $((2**3))", "dash"),
    "arithmetic-or": ("exec report $((1 || 1/0))", "?dash ?bash ?busybox"),
    "exec-empty-value": ('APP=\nexec "$APP" x', ALL_SHELLS),
    "empty-errexit": ('set -e\n""\nexec report', ALL_SHELLS),
    "process-input": ("set -e\n{ true <(echo x); }\nexec report", "dash"),
    "function-name": ("true\nmy-f() {\nexec report x\n}\nmy-f", "dash busybox"),
    "function-special": ("exec() { :; }\nexec report", "dash busybox"),
    "both-outputs-and": ("nope &> /dev/null && exec report", "bash busybox"),
    "both-outputs-not": ("if ! nope &> /dev/null; then exec report no; fi\nexec report yes", ""),
    "both-outputs-errexit": ("set -e\nnope &> /dev/null\nexec report", "bash busybox"),
    "let": ("set -e\nlet x=1+2 y=x*2\nexec report $x $y", "dash"),
    "let-zero": ("set -e\nlet x=0\nexec report", ALL_SHELLS),
    "arithmetic-steps": ("set -e\nx=0\n((x++))\nexec report", ALL_SHELLS),
    "arithmetic-sum": ("x=2\n((x += 2))\n((++x))\nexec report $x", ""),
    "arithmetic-if": ("if ((1)); then exec report yes; fi\nexec report no", ""),
    "builtin-word": ("builtin exec report", "dash busybox"),
    "redirect-alone": ("set -e\n> /nope/f\nexec report", ALL_SHELLS),
    "redirect-assigns": ("A=1 > /nope/f\nexec report on $A", ""),
    "source-directory": ("set -e\n. /open\nexec report", "bash"),
    "substitution-cd": ("set -e\nX=$(cd /nope)\nexec report", ALL_SHELLS),
    "nounset-errexit": ('set -eu\nif [ -n "$X" ]; then :; fi\nexec report', ALL_SHELLS),
    "hidden-errors": ("set -e\nnope > /dev/null 2>&1\nexec report", ALL_SHELLS),
    "wait-missing": ("set -e\nnope & wait $!\nexec report", "?dash ?bash ?busybox"),
    "limit": ("set -e\nulimit -l unlimited\nexec report", "?dash ?bash ?busybox"),
    "pipe-missing-and": ("echo x | nope && exec report", ALL_SHELLS),
    "pipe-tee-and": ("echo x | tee /nope/f > /dev/null && exec report", ALL_SHELLS),
    "pipefail-missing": ("set -o pipefail\nnope | true && exec report", ALL_SHELLS),
    "separator": ('IFS=,\nset -- a b\nexec report "$*" "x$*y" $*', ""),
    "function-word": ("function go { exec report go; }\ngo", "dash"),
    "lower": ('X=ABC\nexec report "${X,,}"', "dash ?busybox"),
}
"""Texts that a shell gets with -c."""
SCRIPTS: dict[str, tuple[str, str]] = {
    "and-missing-name": ("nope && exec report", ALL_SHELLS),
    "and-not-executable": ("/plain && exec report", ALL_SHELLS),
    "semicolon-missing": ("nope; exec report", ""),
    "errexit-missing-tested": ("set -e\nif nope; then :; fi\nexec report", ""),
    "errexit-subshell": ("set -e\n(exit 4)\nexec report", ALL_SHELLS),
    "errexit-test": ("set -e\n[ a = b ]\nexec report", ALL_SHELLS),
    "exit-code": ("exit 7", ALL_SHELLS),
    "cd-missing-and": ("cd /nope && exec report", ALL_SHELLS),
    "cd-missing-errexit": ("set -e\ncd /nope\nexec report", ALL_SHELLS),
    "cd-there": ("set -e\ncd /open\nexec report", ""),
    "source-missing-errexit": ("set -e\n. /nope.sh\nexec report", ALL_SHELLS),
    "source-ends": (". /ends.sh\nexec report", ALL_SHELLS),
    "required-default-words": (': "${X:?}"\nexec report', ALL_SHELLS),
    "required-given": ("X=1\nexec report ${X:?must be set}", ""),
    "nounset-default": ("set -u\nexec report ${X:-d}", ""),
    "unset-path": ("unset PATH\nnope\nexec /bin/report", ""),
    "euo-pipefail": ("set -euo pipefail\nexec report", "dash"),
    "set-carriage-return": ("set -e\r\nexec report", "dash busybox"),
    "replace": ('X=a\nexec report "${X/a/b}"', "dash"),
    "array-after": ("nope\na=(1 2)\nexec report", "dash busybox"),
    "double-bracket": ("[[ -n x ]] && exec report", "dash"),
    "source-word": ("source /set.sh && exec report", "dash"),
    "shift-errexit": ("set -e\nshift 3\nexec report", ALL_SHELLS),
    "redirect-missing-goes-on": ("echo x > /nope/f\nexec report", ""),
    "redirect-special": (": > /nope/f\nexec report", "dash busybox"),
    "redirect-input": ("set -e\ncat < /nope\nexec report", ALL_SHELLS),
    "pipe-missing": ("echo x | nope\nexec report", ""),
    "function-fails": ("f() { return 3; }\nf && exec report", ALL_SHELLS),
    "exec-missing-after-echo": ("echo starting\nexec nope", ALL_SHELLS),
    "exec-name": ("exec -a other report x", "dash busybox"),
    "execfail": ("shopt -s execfail\nexec nope || exec report", "dash busybox"),
    "double-bracket-and": ("[[ -n a && -n b ]] && exec report", "dash"),
    "double-bracket-match": ("set -e\n[[ image.tar =~ tar$ ]]\nexec report", "dash"),
    "double-bracket-less": ("[[ a < b ]] && exec report", "dash busybox"),
    "braces-quoted": ('exec report "{a,b}" {a} {}', ""),
    "group-redirect": ("{ true; true; } 2>/dev/null && exec report", ""),
    "array-append": ('args=("$@")\n[[ -n x ]] && args+=(--debug)\nexec report "${args[@]}"', "dash busybox"),
    "array-declared": ("declare -a a=(x y)\nexec report ${a[@]} $a", "dash busybox"),
    "array-slice": ('a=(x y z)\nexec report "${a[@]:1}" "${a[@]:0:1}"', "dash busybox"),
    "cat-file": ('exec report "$(cat /plain)"', ""),
    "dirname": ('P=/opt/app/bin/x\nexec report "$(dirname "$P")" $(basename /a/b.sh .sh)', ""),
    "command-v": ('exec "$(command -v report)" x', ""),
    "append": ("A=1\nA+=2\nexec report $A", ""),
    "flags-letter": ('set -- -F\nexec "$@"', ALL_SHELLS),
    "flags-name": ('set -- -a\nexec "$@"', ALL_SHELLS),
    "if-body-fails": ("set -e\nif true; then nope; fi\nexec report", ALL_SHELLS),
    "for-body-fails": ('set -e\nfor f in /bad*; do if [ -x "$f" ]; then "$f"; fi; done\nexec report', ALL_SHELLS),
    "usage-in-front": ('echo >&2 "no password"\nexit 1', ALL_SHELLS),
    "trap-exit-exec": ("c() { exit 9; }\ntrap c EXIT\nexec nope", "?dash ?bash ?busybox"),
    "alias": ('alias run="exec report"\nrun x', "?dash bash ?busybox"),
    "local-outside": ('local x=1\nexec report "$x"', "dash busybox"),
    "read-only-variable": ('readonly X=1\nX=2\nexec report "$X"', "dash ?bash busybox"),
    "arithmetic-sets": ('i=1\n: $((i++))\nexec report "$i"', "dash"),
    "arithmetic-zero": ("X=$((1/0))\nexec report", "dash ?bash busybox"),
    "arithmetic-zero-parameter": ('A=0\nexec report "$((4 / $A))"', "dash ?bash busybox"),
    "arithmetic-fraction": ("exec report $((1.5 * 2))", "dash ?bash busybox"),
    "arithmetic-word": ("A=many\nexec report $((A + 1))", "dash"),
    "arithmetic-value": ('A=7\nexec report $((-A / 2)) "$((A % 3 * (2 + 010)))" $((NOPE - 1))', ""),
    "exec-empty": ('exec ""\nexec report', ALL_SHELLS),
    "empty-and": ('"" && exec report', ALL_SHELLS),
    "process-output": ("exec > >(cat)\nexec report", "dash ?bash"),
    "process-loop": ("while read X; do :; done < <(echo x)\nexec report", "dash"),
    "indirect": ('A=B\nB=v\nexec report "${!A}"', "dash ?busybox"),
}
"""Texts in a file that names its shell."""
for shell, (entries, path) in SHELLS.items():
    for name, (text, fails) in (LINES | SCRIPTS).items():
        expect = "F35" if shell in fails.split() else "UNKNOWN" if f"?{shell}" in fails.split() else "RUNS"
        given = {"entrypoint": [path, "-c", text]}
        files: tuple[forge.Entry, ...] = ()
        if name in SCRIPTS:
            given, files = {"entrypoint": ["/e"]}, (script("e", f"#!{path}\n{text}\n"),)
        scenario(f"list-{shell}-{name}", "S9 F35", expect, *entries, *MORE, *files, **given)
    for name, text in {
        "cd-closed": "cd /closed && exec report",
        "redirect-closed": "echo x > /closed/f && exec report",
        "redirect-root": "set -e\necho x > /f\nexec report",
        "redirect-file": "echo x > /plain && exec report",
        "source-closed": "set -e\n. /closed.sh\nexec report",
        "chown": "set -e\nchown app /plain\nexec report",
    }.items():
        more = () if shell == "busybox" else (program("bin/chown", "/usr/bin/chown"),)
        link = (L("bin/chown", "busybox"),) if shell == "busybox" else ()
        scenario(f"list-{shell}-user-{name}", "S9 F35", "F35", *entries, *MORE, *more, *link,
                 entrypoint=[path, "-c", text], user="app")  # fmt: skip

for shell, (entries, path) in SHELLS.items():
    scenario(f"list-{shell}-option-pipefail", "S9 F35", "UNKNOWN" if shell == "dash" else "F35", *entries, *MORE,
             entrypoint=[path, "-eo", "pipefail", "-c", "false | true\nexec report"])  # fmt: skip

# bash in posix mode, interactive shells, and scripts without a slash
POSIX = {
    "source-missing": (". /nope.sh\nexec report", "F35"),
    "redirect-special": (": > /nope/f\nexec report", "F35"),
    "set-illegal": ("set -Z\nexec report", "F35"),
    "shift-too-far": ("shift 3\nexec report", "RUNS"),
    "required": ("exec report ${X:?must be set}", "F35"),
    "array": ("a=(1 2)\nexec report ${a[1]}", "RUNS"),
    "double-bracket": ("[[ -n x && a < b ]] && exec report", "RUNS"),
    "cd-missing": ("cd /nope\nexec report", "RUNS"),
    "here-string": ("read X <<< word\nexec report", "RUNS"),
    "exec-missing": ("exec nope", "F35"),
    "missing": ("set -e\nnope\nexec report", "F35"),
    "source-word": ("source set.sh\nexec report", "F35"),
}
AS_SH = frozenset(["redirect-special", "shift-too-far", "array", "cd-missing", "exec-missing", "source-word"])
"""Those that bash gets with -c under the name sh; the others are files for bash --posix."""
for name, (text, expect) in POSIX.items():
    given = {"entrypoint": ["/bin/sh", "-c", text] if name in AS_SH else ["/bin/bash", "--posix", "/e"]}
    scenario(f"posix-bash-{name}", "S9 F35", expect, *BASH, *MORE, script("e", f"#!/bin/sh\n{text}\n"), **given)
for shell, (entries, path) in SHELLS.items():
    interactive = {"dash": "RUNS", "busybox": "RUNS", "bash": "RUNS"}[shell]
    scenario(f"interactive-{shell}-env", "S9", interactive, *entries, F("env.sh", "APP=report\n"), env=["ENV=/env.sh"],
             entrypoint=[path, "-ic", 'exec "${APP-report}" "${APP-none}"'])  # fmt: skip
    scenario(f"bare-{shell}-in-path", "S9 F29", "RUNS" if shell == "bash" else "F29", *entries,
             script("bin/run.sh", "exec report x\n"), entrypoint=[path, "run.sh"])  # fmt: skip
    scenario(f"bare-{shell}-in-cwd", "S9", "RUNS", *entries, script("run.sh", "exec report $0\n", 0o644),
             script("bin/run.sh", "exec report x\n"), entrypoint=[path, "run.sh"])  # fmt: skip
    scenario(f"bare-{shell}-missing", "S9 F29", "F29", *entries, entrypoint=[path, "run.sh"])
    scenario(f"bare-{shell}-not-executable", "S9 F29", "RUNS" if shell == "bash" else "F29", *entries,
             script("bin/run.sh", "exec report x\n", 0o644), entrypoint=[path, "run.sh"])  # fmt: skip
    scenario(f"loop-{shell}", "S9", "RUNS", *entries, script("e", f"#!{path}\nexec report x\n"),
             entrypoint=[path, "/e"])  # fmt: skip
    scenario(f"no-interpreter-line-{shell}", "S9", "RUNS", *entries, script("e", "exec report $0 $1\n"),
             entrypoint=[path, "-c", "exec /e x"])  # fmt: skip
scenario("interactive-bash-rc", "S9", "RUNS", *BASH, F("root/.bashrc", "APP=report\n"),
         entrypoint=["/bin/bash", "-ic", 'exec "${APP-report}" "${APP-none}"'])  # fmt: skip

# start-up files
PROFILE = F(
    "etc/profile", "PATH=/usr/bin:/opt/bin\nexport PATH\nfor i in /etc/profile.d/*.sh; do . $i; done\nunset i\n"
)
for shell, (entries, path) in SHELLS.items():
    scenario(f"login-{shell}-resets-path", "S9 F35", "F35", *entries, PROFILE, D("etc/profile.d"),
             F("etc/profile.d/x.sh", ":\n"), entrypoint=[path, "-lc", "exec report"])  # fmt: skip
    scenario(f"login-{shell}-profile-d", "S9", "RUNS", *entries, PROFILE,
             F("etc/profile.d/x.sh", "export PATH=$PATH:/bin\n"), entrypoint=[path, "-lc", "exec report"])  # fmt: skip
    scenario(f"login-{shell}-own-profile", "S9", "RUNS", *entries, F("root/.profile", "WORD=own\n"),
             entrypoint=[path, "-lc", 'exec report "$WORD"'])  # fmt: skip
scenario("bash-env", "S9", "RUNS", *BASH, F("env.sh", "APP=report\n"), env=["BASH_ENV=/env.sh"],
         entrypoint=["/bin/bash", "-c", 'exec "$APP"'])  # fmt: skip
scenario("bash-env-ends", "S9 F35", "F35", *BASH, F("env.sh", "exit 7\n"), env=["BASH_ENV=/env.sh"],
         entrypoint=["/bin/bash", "-c", "exec report"])  # fmt: skip
scenario("bash-env-not-for-sh", "S9", "RUNS", *BASH, F("env.sh", "exit 7\n"), env=["BASH_ENV=/env.sh"],
         entrypoint=["/bin/sh", "-c", "exec report"])  # fmt: skip
scenario("bash-login-shebang", "S9 F35", "F35", *BASH, F("etc/profile", "PATH=/opt\n"),
         script("e", "#!/bin/bash -l\nexec report\n"), entrypoint=["/e"])  # fmt: skip

# busybox and its applets
scenario("busybox-unknown-applet", "S9 F21", "F21", *BUSYBOX, entrypoint=["/bin/busybox", "nope"])
scenario("busybox-unknown-applet-link", "S9 F21", "F21", *BUSYBOX, L("srv/app", "/bin/busybox"),
         entrypoint=["/srv/app"])  # fmt: skip
scenario("busybox-unknown-applet-nice", "S9 F21", "F21", *BUSYBOX, L("usr/bin/nice", "/bin/busybox"),
         entrypoint=["/bin/sh", "-c", "exec nice report"])  # fmt: skip

# programs that only exec
UTIL = (*GLIBC, D("usr/bin"))
scenario("wrapper-setarch-options", "S9", "RUNS", *UTIL, program("usr/bin/setarch", "/usr/bin/setarch"),
         entrypoint=["setarch", "x86_64", "-R", "report"])  # fmt: skip
for name, words, expect in (
    ("linux32", ["linux32"], "RUNS"), ("uname", ["setarch", "--uname-2.6"], "RUNS"), ("name", ["i386", "-v"], "RUNS"),
    ("uname26", ["setarch", "uname26"], "RUNS"), ("nothing", ["setarch", "--4gb"], "F36"),
    ("linux32-uname", ["linux32", "--uname-2.6"], "RUNS"), ("no-machine", ["setarch", "-R"], "RUNS"),
    ("compat", ["x86_64", "-L", "-3"], "RUNS"), ("shared", ["linux64", "--mmap-page-zero"], "RUNS"),
):  # fmt: skip
    links = (L(f"usr/bin/{one}", "setarch") for one in ("linux32", "linux64", "i386", "x86_64"))
    scenario(f"wrapper-setarch-{name}", "S9 F36", expect, *UTIL, program("usr/bin/setarch", "/usr/bin/setarch"), *links,
             entrypoint=[*words, "report"])  # fmt: skip
scenario("wrapper-chrt", "S9", "RUNS", *UTIL, program("usr/bin/chrt", "/usr/bin/chrt"),
         entrypoint=["chrt", "-o", "0", "report"])  # fmt: skip
scenario("wrapper-choom", "S9", "RUNS", *UTIL, program("usr/bin/choom", "/usr/bin/choom"),
         F("lib/x86_64-linux-gnu/libsmartcols.so.1", from_machine("/lib/x86_64-linux-gnu/libsmartcols.so.1"), 0o644),
         entrypoint=["choom", "-n", "10", "--", "report"])  # fmt: skip
scenario("wrapper-flock-no-fork", "S9", "RUNS", *UTIL, program("usr/bin/flock", "/usr/bin/flock"),
         entrypoint=["flock", "-F", "/bin/report", "report", "x"])  # fmt: skip
scenario("wrapper-start-stop-daemon", "S9", "RUNS", *UTIL,
         program("usr/bin/start-stop-daemon", "/usr/sbin/start-stop-daemon"),
         entrypoint=["start-stop-daemon", "--start", "--exec", "/bin/report", "--", "--port", "1"])  # fmt: skip

# a root filesystem that may not be written
for shell, (entries, path) in SHELLS.items():
    for name, (text, expect, as_line) in {
        "redirect": ("set -e\necho x > /f\nexec report", "F35", False),
        "redirect-there": ("echo x > /plain && exec report", "F35", True),
        "redirect-directory": ("echo x > /open || exec report", "RUNS", False),
        "redirect-missing": ("set -e\necho x > /nope/f\nexec report", "F35", True),
        "redirect-shm": ("set -e\necho x > /dev/shm/f\nexec report", "RUNS", False),
        "goes-on": ("echo x > /f\nexec report", "RUNS", True),
    }.items():
        given = {"entrypoint": [path, "-c", text] if as_line else ["/e"]}
        scenario(f"read-only-{shell}-{name}", "S9 F35", expect, *entries, *MORE, script("e", f"#!{path}\n{text}\n"),
                 options={"read_only": True}, **given)  # fmt: skip
    scenario(f"read-only-{shell}-user", "S9 F35", "F35", *entries, *MORE, options={"read_only": True}, user="app",
             entrypoint=[path, "-c", "echo x > /closed/f && exec report"])  # fmt: skip
    scenario(f"read-only-{shell}-user-file", "S9 F35", "F35", *entries, *MORE, options={"read_only": True}, user="app",
             entrypoint=[path, "-c", "echo x > /plain && exec report"])  # fmt: skip

# tools that fail before the program
TOOLS: dict[str, tuple[str, str]] = {
    "mkdir": ("mkdir /x", "F35"),
    "mkdir-parents": ("mkdir -p /x/y/z", "F35"),
    "mkdir-parents-there": ("mkdir -p /open/", "RUNS"),
    "mkdir-own": ("mkdir -p /own/x/y", "RUNS"),
    "mkdir-there": ("mkdir /open", "F35"),
    "mkdir-no-parent": ("mkdir /nope/x", "F35"),
    "mkdir-below-file": ("mkdir -p /plain/x", "F35"),
    "touch": ("touch /f", "F35"),
    "touch-there": ("touch /plain", "F35"),
    "touch-own": ("touch /own/f", "RUNS"),
    "cp": ("cp /set.sh /f", "F35"),
    "cp-into": ("cp /set.sh /open", "F35"),
    "cp-over": ("cp /set.sh /plain", "F35"),
    "cp-missing": ("cp /nope /own/f", "F35"),
    "cp-own": ("cp /set.sh /own/", "RUNS"),
    "mv": ("mv /set.sh /own/f", "F35"),
    "mv-missing": ("mv /nope /own/f", "F35"),
    "ln": ("ln -s /plain /l", "F35"),
    "ln-there": ("ln -s /plain /set.sh", "F35"),
    "ln-own": ("ln -sf /plain /own/l", "RUNS"),
    "rm": ("rm /plain", "F35"),
    "rm-missing": ("rm /nope", "F35"),
    "rm-force-missing": ("rm -f /nope", "RUNS"),
    "rm-force": ("rm -f /plain", "F35"),
    "chmod": ("chmod 600 /plain", "F35"),
    "chmod-missing": ("chmod 600 /nope", "F35"),
    "chown-missing": ("chown app /nope", "F35"),
    "tee": ("echo x | tee /f", "F35"),
    "cat-missing": ("cat /nope", "F35"),
    "tested": ("mkdir /x || true", "RUNS"),
}
TOOL_NAMES = ("mkdir", "touch", "cp", "mv", "ln", "rm", "chmod", "chown", "tee", "cat")
COREUTILS = tuple(program(f"bin/{name}", f"/usr/bin/{name}") for name in TOOL_NAMES) + tuple(
    F(f"lib/x86_64-linux-gnu/{name}", from_machine(f"/lib/x86_64-linux-gnu/{name}"), 0o644)
    for name in ("libselinux.so.1", "libpcre2-8.so.0", "libacl.so.1", "libattr.so.1")
)
for shell, files, path in (
    ("coreutils", (*DASH, *COREUTILS), "/bin/sh"),
    ("busybox", (*BUSYBOX, *(L(f"bin/{name}", "busybox") for name in TOOL_NAMES)), "/bin/sh"),
):
    own = D("own", 0o755, 1234, 1234)
    for name, (text, expect) in TOOLS.items():
        scenario(f"tool-{shell}-{name}", "S9 F35", expect, *files, *MORE, own, user="app",
                 entrypoint=[path, "-c", f"set -e\n{text}\nexec report"])  # fmt: skip
    scenario(f"tool-{shell}-read-only", "S9 F35", "F35", *files, *MORE, options={"read_only": True},
             entrypoint=[path, "-c", "set -e\nmkdir -p /x/y\nexec report"])  # fmt: skip
