"""Scenarios of how entrypoints begin: their own directory, getopts, what a substitution or a umask leads to."""

from __future__ import annotations

from early import GNU
from made import OWN, TOOLS
from model import scenario, script
from shells import ALL_SHELLS, MORE, SHELLS
from userland import L, program

GETOPTS = 'while getopts "{0}" o; do case "$o" in p) PORT=$OPTARG;; v) V=1;; *) exit 2;; esac; done\n'
QUIET = """set -- -x -p
while getopts ':p:' o; do
    case $o in
        :) echo "$OPTARG needs a value" >&2; exit 3;;
        \\?) echo "no $OPTARG" >&2;;
    esac
done
exec report"""
REST = 'shift $((OPTIND - 1))\nexec report "$PORT" "$V" "$@"'

# name: the script, and the shells in which the start fails (?: in which it is not told)
LINES: dict[str, tuple[str, str]] = {
    "getopts": (f"set -- -p 80 -v x -v\n{GETOPTS.format('p:v')}{REST}", ""),
    "getopts-cluster": (f"set -- -vp80 -- -z\n{GETOPTS.format('p:v')}{REST}", ""),
    "getopts-wrong": (f"set -- -x\n{GETOPTS.format('p:v')}{REST}", ALL_SHELLS),
    "getopts-no-value": (f"set -- -v -p\n{GETOPTS.format('p:v')}{REST}", ALL_SHELLS),
    "getopts-quiet": (QUIET, ALL_SHELLS),
    "getopts-function": (
        f'parse() {{ {GETOPTS.format("p:v")}}}\nparse -p 1 a\nset -- "$@" $OPTIND\nexec report "$PORT" "$@"',
        "",
    ),
    "getopts-none": (f"set -- x -p 80\n{GETOPTS.format('p:v')}{REST}", ""),
    "cd-assigned": ("set -e\nD=$(cd /nope && pwd)\nexec report", ALL_SHELLS),
    "cd-argument": ('exec report "$(cd /nope && pwd)" x', ""),
    "cd-or": ("D=$(cd /nope && pwd) || exit 5\nexec report", ALL_SHELLS),
    "cd-semicolon": ('set -e\nD=$(cd /nope; pwd)\nexec report "$D"', "dash"),
    "cd-plain": ('set -e\nD=$(cd /plain 2>/dev/null && pwd)\nexec report "$D"', ALL_SHELLS),
    "file-missing": ('set -e\nX="$(< /nope)"\nexec report', ALL_SHELLS),
    "file-missing-cat": ('set -e\nX="$(cat /nope)"\nexec report', ALL_SHELLS),
    "file-missing-goes-on": ('X="$(cat /nope)"\nexec report "$X"', ""),
    "local-false": ("set -e\nf() { local x=$(false); }\nf\nexec report", ""),
    "local-cd": ('set -e\nf() { local x=$(cd /nope && pwd); exec report "$x"; }\nf', ""),
    "export-false": ("set -e\nexport X=$(false)\nexec report", ""),
    "false": ("set -e\nx=$(false)\nexec report", ALL_SHELLS),
    "exit": ("set -e\nx=$(exit 3)\nexec report", ALL_SHELLS),
    "test": ("set -e\nx=$([ a = b ])\nexec report", ALL_SHELLS),
    "true": ('set -e\nx=$(true)\nexec report "$x"', ""),
    "pipefail": ("set -e\n(set -o pipefail) 2>/dev/null && set -o pipefail\nfalse | true\nexec report", "bash busybox"),
    "no-pipefail": ("set -e\nfalse | true\nexec report", ""),
    "tested-function": ("set -e\nf() { false; true; }\nf || exit 4\nexec report", ""),
    "tested-group": ("set -e\n{ false; true; } && exec report x", ""),
    "not-function": ("set -e\nf() { false; exec report; }\n! f", ""),
    "function": ("set -e\nf() { false; true; }\nf\nexec report", ALL_SHELLS),
}
# Behind `set -e`, started by app in a directory of its own.
MASKS: dict[str, tuple[str, str]] = {
    "directory": ("umask 777\nmkdir x\ncd x", ALL_SHELLS),
    "file": ("umask 0777\ntouch f\ncat f", ALL_SHELLS),
    "redirect": ("umask 0444\necho x > f\nread y < f", ALL_SHELLS),
    "parents": ("umask 0777\nmkdir -p a/b/c\nmkdir a/x\ncd a/b/c", ALL_SHELLS),
    "mode": ("umask 777\nmkdir -m 700 x\ncd x", ""),
    "subshell": ("(umask 777)\nmkdir x\ncd x", ""),
    "restored": ('old=$(umask)\numask 777\numask "$old"\nmkdir x\ncd x', ""),
    "symbolic": ("umask u=,g=,o=\nmkdir x\ncd x", ALL_SHELLS),
    "symbolic-part": ("umask u=rwx,go=\nmkdir x\ncd x", ""),
    "copied": ("umask 077\ncp /etc/passwd f\ncat f", ""),
    "copied-closed": ("umask 0400\ncp /etc/passwd f\ncat f", ALL_SHELLS),
    "invalid": ("umask 99", ALL_SHELLS),
    "word": ("umask nope", ALL_SHELLS),
    "invalid-or": ("umask 99 || true", ""),
    "shown": ('umask > /dev/null\numask -S > /dev/null\n[ "$(umask)" = 0022 ]', ""),
    "chmod": ("umask 777\ntouch f\nchmod 600 f\ncat f", ""),
}
# A script in a directory, and what it takes for its own.
PLACES: dict[str, tuple[str, str]] = {
    "own": ('DIR="$(cd "$(dirname "$0")" && pwd)"', ""),
    "own-dashes": ('DIR="$( cd -- "$( dirname -- "$0" )" &> /dev/null && pwd )"', ""),
    "own-quiet": ('DIR="$(cd "$(dirname "$0")" >/dev/null 2>&1 && pwd -P)"', ""),
    "own-semicolon": ("DIR=$(cd $(dirname $0); pwd)", ""),
    "own-source": ('DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"', ""),
    "own-readlink": ('DIR="$(dirname "$(readlink -f "$0")")"', ""),
    "own-cut": ('DIR="${0%/*}"', ""),
    "own-goes": ('cd "$(dirname "$0")"\nDIR=$(pwd)', ""),
    "own-variable": ('cd "$(dirname "$0")"\nDIR=$PWD', ""),
    "own-parent": ('DIR="$(cd "$(dirname "$0")/.." && pwd)"', ""),
    "own-parent-missing": ('DIR="$(cd "$(dirname "$0")/../lib" && pwd)"', ALL_SHELLS),
}
for shell, (entries, path) in SHELLS.items():
    tools = TOOLS if shell != "busybox" else ()

    def told(fails: str, shell: str = shell) -> str:
        return "F35" if shell in fails.split() else "UNKNOWN" if f"?{shell}" in fails.split() else "RUNS"

    for name, (text, fails) in LINES.items():
        scenario(f"opening-{shell}-{name}", "S9 F35", told(fails), *entries, *MORE, *tools,
                 entrypoint=[path, "-c", text])  # fmt: skip
    for name, (text, fails) in MASKS.items():
        scenario(f"umask-{shell}-{name}", "S9 F35", told(fails), *entries, *MORE, *tools, OWN, user="app",
                 entrypoint=[path, "-c", f"set -e\n{text}\nexec report"], working_dir="/own")  # fmt: skip
    more = (*GNU, program("bin/dirname", "/usr/bin/dirname"), program("bin/readlink", "/usr/bin/readlink"))
    links = tuple(L(f"bin/{name}", "busybox") for name in ("dirname", "readlink"))
    for name, (text, fails) in PLACES.items():
        scenario(f"opening-{shell}-{name}", "S9 F35", told(fails), *entries, *(links if tools == () else more),
                 script("opt/app/run", f'#!{path}\nset -e\n{text}\nexec report "$DIR"\n'),
                 entrypoint=["/opt/app/run"])  # fmt: skip
    scenario(f"opening-{shell}-own-no-dirname", "S9 F35", "RUNS", *entries,
             script("opt/app/run", f'#!{path}\nset -e\nDIR="$(cd "$(dirname "$0")" && pwd)"\nexec report "$DIR"\n'),
             entrypoint=["/opt/app/run"])  # fmt: skip
