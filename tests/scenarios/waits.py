"""Scenarios of scripts that wait: for a service, for a program of the image, for a file; and of loops that just end."""

from __future__ import annotations

from model import scenario
from shells import COREUTILS, MORE, SHELLS
from userland import GLIBC, program

from imagepeel import forge

F = forge.file
# What asks another service succeeds here at once.
PROBES = (
    *GLIBC, *(program(f"bin/{name}", "/usr/bin/true") for name in ("nc", "curl")),
    program("app/check", "/usr/bin/true"),
    program("bin/sleep", "/usr/bin/sleep"), program("bin/grep", "/usr/bin/grep"),
    program("lib/x86_64-linux-gnu/libpcre2-8.so.0", "/lib/x86_64-linux-gnu/libpcre2-8.so.0"),
)  # fmt: skip
READY = F("ready", "")

# name: the script, which ends at once here, and what the image alone tells of it
LINES: dict[str, tuple[str, str]] = {
    "until": ("until nc -z db 5432; do sleep 1; done", "DEPENDS"),
    "while-not": ("while ! nc -z db 5432; do echo waits; sleep 1; done", "DEPENDS"),
    "errexit": ("set -e\nuntil curl -sf http://db; do\n  sleep 1\ndone", "DEPENDS"),
    "function": ('wait_for() { until nc -z "$1" "$2"; do sleep 1; done; }\nwait_for db 5432', "DEPENDS"),
    "counted": ("n=0\nuntil nc -z db 1; do n=$((n+1)); [ $n -ge 30 ] && exit 1; sleep 1; done", "DEPENDS"),
    "endless-if": ("while true; do\n  if nc -z db 1; then break; fi\n  sleep 1\ndone", "DEPENDS"),
    "endless-and": ("while :; do nc -z db 1 && break; sleep 1; done", "DEPENDS"),
    "answer": ('until [ -z "$(curl -s http://db)" ]; do sleep 1; done', "DEPENDS"),
    "program": ("until /app/check; do sleep 1; done", "UNKNOWN"),
    "program-endless": ("while true; do /app/check && break; sleep 1; done", "UNKNOWN"),
    "attempts": ("for i in 1 2 3; do nc -z db 1 && break; sleep 1; done", "RUNS"),
    "file": ("until [ -f /ready ]; do sleep 1; done", "RUNS"),
    "file-of-a-mount": ("until [ -e /dev/null ]; do sleep 1; done", "DEPENDS"),
    "arguments": ('set -- -x\nwhile [ $# -gt 0 ]; do case "$1" in -x) shift;; *) break;; esac; done', "RUNS"),
    "lines": ("while read l; do :; done < /plain", "RUNS"),
    "count": ("i=0\nwhile [ $i -lt 3 ]; do i=$((i+1)); done", "RUNS"),
}
for shell, (entries, path) in SHELLS.items():
    for name, (text, expect) in LINES.items():
        tools = () if shell == "busybox" else COREUTILS
        scenario(f"wait-{shell}-{name}", "S9", expect, *entries, *MORE, *tools, *PROBES, READY,
                 entrypoint=[path, "-c", f"{text}\nexec report"])  # fmt: skip
