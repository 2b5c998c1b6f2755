"""Scenarios of scripts that a condition splits which nobody can know, and of shells that have no PATH any more."""

from __future__ import annotations

from model import REPORT, scenario
from userland import BASH, DASH, program

from imagepeel.forge import file

TOOLS = (program("bin/date", "/usr/bin/date"), program("bin/true", "/usr/bin/true"))
SERVERS = tuple(program(f"bin/{name}", "/usr/bin/true") for name in ("mongod", "nginx", "redis-server"))
DAY = '[ "$(date +%u)" = 9 ]'

# name: the script, and the verdict
TEXTS: dict[str, tuple[str, str]] = {
    "exit": (f"if {DAY}; then exit 3; fi", "UNKNOWN"),
    "exit-well": (f"if {DAY}; then exit 0; fi", "UNKNOWN"),
    "and-exit": (f"{DAY} && exit 3", "UNKNOWN"),
    "or-exit": (f"! {DAY} || exit 3", "UNKNOWN"),
    "case": ('case "$(date +%u)" in 9) exit 3;; esac', "UNKNOWN"),
    "errexit": ('set -e\n[ "$(date +%u)" != 9 ]', "UNKNOWN"),
    "errexit-and": ('set -e\ntrue && [ "$(date +%u)" != 9 ]', "UNKNOWN"),
    "second": (f"if {DAY}; then A=1; elif {DAY}; then exit 3; fi", "UNKNOWN"),
    "in-a-function": (f"check() {{ {DAY} && exit 5; return 0; }}\ncheck", "UNKNOWN"),
    "other-program": (f"if {DAY}; then exec nope; fi", "UNKNOWN"),
    "volume": ("[ ! -f /data/stop ] || exit 4", "UNKNOWN"),
    "both-go-on": (f"if {DAY}; then echo a; else echo b; fi >&2", "RUNS"),
    "both-start": (f"if {DAY}; then exec report x; else exec report x; fi", "RUNS"),
    "tested-in-vain": (f"set -e\n{DAY} || true", "RUNS"),
    "known": ("[ -f /etc/passwd ] || exit 3", "RUNS"),
    "ordinary": ("set -e\ndate > /dev/null", "RUNS"),
    "server-in-front": ("mongod; true", "UNKNOWN"),
    "server-before-and": ("redis-server /etc/redis.conf && true", "UNKNOWN"),
    "server-in-foreground": ("nginx -g 'daemon off;'", "UNKNOWN"),
    "server-behind": ("mongod --fork && true", "RUNS"),
    "server-in-background": ("mongod &", "RUNS"),
    "server-reports": ("set -e\nredis-server --version", "RUNS"),
}
for shell, tree in {"dash": DASH, "bash": BASH}.items():
    for name, (text, expect) in TEXTS.items():
        scenario(f"split-{shell}-{name}", "S9", expect, *tree, *TOOLS, *SERVERS,
                 entrypoint=[f"/bin/{'sh' if shell == 'dash' else shell}", "-c", f"{text}\nexec report x"],
                 volumes=["/data"] if name == "volume" else [])  # fmt: skip

SHUT = file("opt/x/shut", "#!/bin/sh\n", 0o644)
for shell, tree in {"dash": DASH, "bash": BASH}.items():
    for how in ("unset PATH", "PATH="):
        for where, command, expect in (
            ("/", "exec nope", "F35"), ("/opt/x", "exec nope a", "F35"), ("/opt/x", "nope a", "F35"),
            ("/opt/x", "exec shut", "F35"), ("/opt/x", "shut", "F35"), ("/opt/x", "exec run x", "RUNS"),
            ("/opt/x", "set -e; nope; exec run", "F35"), ("/opt/x", "set -e; exec shut", "F35"),
        ):  # fmt: skip
            name = f"{shell}-{how.split(' ')[0].lower().strip('=')}-{where.count('/')}{where[1:2]}-{command}"
            scenario(f"no-path-{name.replace(' ', '_').replace(';', '')}", "S9 F35", expect, *tree, SHUT,
                     file("opt/x/run", REPORT, 0o755), working_dir=where,
                     entrypoint=[f"/bin/{'sh' if shell == 'dash' else shell}", "-c", f"{how}; {command}"])  # fmt: skip

# `function` is a word like others to dash, and where a filter is missing a pipeline writes nothing.
for name, text, expect in (
    ("brackets", "echo a >&2\nfunction f() {\n  echo hi\n}\nf", "F35"),
    ("one-line", "function f { echo hi; }; f", "F35"),
    ("lines", "function f {\n  echo hi\n}\nf", "UNKNOWN"), ("errexit", "set -e\nfunction f {\n  echo hi\n}\nf", "F35"),
    ("inside", "if true; then\nfunction f() { echo hi; }\nfi", "F35"), ("plain", "f() { echo hi >&2; }\nf", "RUNS"),
):  # fmt: skip
    scenario(f"function-dash-{name}", "S9 F35", expect, *DASH, *TOOLS,
             entrypoint=["/bin/sh", "-c", f"{text}\nexec report x"])  # fmt: skip
for shell, tree in {"dash": DASH, "bash": BASH}.items():
    path = f"/bin/{'sh' if shell == 'dash' else shell}"
    for name, text, expect in (
        ("told", "A=$(date 2> /dev/null | nofilter -x) || true\nexec nope \"$A\"", "F35"),
        ("ends", "set -e\nA=$(date 2> /dev/null | nofilter)", "F35"),
    ):  # fmt: skip
        scenario(f"no-filter-{shell}-{name}", "S9 F35", expect, *tree, *TOOLS, entrypoint=[path, "-c", text])
