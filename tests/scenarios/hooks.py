"""Scenarios of scripts that start what lies in a directory: loops over files, find, xargs and run-parts."""

from __future__ import annotations

from early import GNU, PCRE
from model import scenario, script
from shells import ALL_SHELLS, SHELLS
from userland import ENV, L, program
from users import library

from imagepeel import forge
from imagepeel.forge import Entry

F, D = forge.file, forge.directory
NAMES = ("find", "sort", "ls", "xargs", "run-parts")
APPLETS = tuple(L(f"bin/{name}", "busybox") for name in NAMES)
UNIX = (*GNU, PCRE, *ENV, *library("libm.so.6"), *(program(f"bin/{name}", f"/usr/bin/{name}") for name in NAMES))
HOOKS: dict[str, tuple[Entry, ...]] = {
    "none": (D("hooks"),),
    "fine": (script("hooks/10-a", "#!/bin/sh\nexit 0\n"),),
    "interpreter": (script("hooks/10-a", "#!/nope/sh\n"),),
    "mode": (F("hooks/10-a", "#!/bin/sh\n", 0o644),),
    "exit": (script("hooks/10-a", "#!/bin/sh\nexit 3\n"),),
    "body": (script("hooks/10-a.sh", "#!/bin/sh\nset -e\ncd /nope\n"),),
    "second": (script("hooks/10-a", "#!/bin/sh\n:\n"), script("hooks/20-b", "#!/bin/sh\necho no >&2\nexit 4\n")),
    "reads": (script("hooks/10-a", "#!/bin/sh\nread x\n"), script("hooks/20-b", "#!/bin/sh\nexit 4\n")),
    "stranger": (F("hooks/10-a", b"\x7fELF-not", 0o755),),
}
RUN = 'do "$f"; done'
SORTED = "find /hooks -type f | sort | while read f"
SERVER = """if find "/hooks/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
    find "/hooks/" -follow -type f -print | sort -V | while read -r f; do
        case "$f" in
            *.envsh) . "$f";;
            *.sh) if [ -x "$f" ]; then "$f"; else echo "$f is ignored"; fi;;
            *) echo "$f is ignored";;
        esac
    done
fi"""

# name: the loop behind `set -e`, the hooks, and the shells in which the start fails (?: in which it is not told)
LOOPS: dict[str, tuple[str, str, str]] = {
    "find-interpreter": (f"{SORTED}; {RUN}", "interpreter", ALL_SHELLS),
    "find-mode": (f"find /hooks -type f | while read -r f; {RUN}", "mode", ALL_SHELLS),
    "find-exit": (f"find /hooks/ -type f | sort | while read -r f; {RUN}", "exit", ALL_SHELLS),
    "find-body": (f"find /hooks -name '*.sh' -type f -print | sort | while IFS= read -r f; {RUN}", "body", ALL_SHELLS),
    "find-second": (f"{SORTED}; {RUN}", "second", ALL_SHELLS),
    "find-fine": (f"{SORTED}; {RUN}", "fine", ""),
    "find-none": (f"{SORTED}; {RUN}", "none", ""),
    "find-other": (f"find /hooks -type f -name '*.sh' | sort | while read f; {RUN}", "exit", ""),
    "find-substituted": (f"for f in $(find /hooks -type f | sort); {RUN}", "exit", ALL_SHELLS),
    "find-missing": (f"find /nope -type f | sort | while read f; {RUN}", "none", ""),
    "find-two": (f"find /hooks -type f | while read f; {RUN}", "second", "?dash ?bash ?busybox"),
    "find-version": (f"find /hooks -type f | sort -V | while read f; {RUN}", "second", ALL_SHELLS),
    "or": (f"find /hooks -type f | while read f; {RUN} || true", "exit", ""),
    "last": (f"for f in /hooks/*; {RUN} || echo failed", "exit", ""),
    "parameter": ('DIR=/hooks\nfor f in "$DIR"/* $DIR/no*; do [ ! -e "$f" ] || "$f"; done', "exit", ALL_SHELLS),
    "reads": (f"ls /hooks/* | while read f; {RUN}", "reads", "?dash ?bash ?busybox"),
    "server": (SERVER, "body", ALL_SHELLS),
    "server-by-path": (SERVER.replace("find ", "/bin/find "), "body", ALL_SHELLS),
    "glob-exit": (f"for f in /hooks/*; {RUN}", "exit", ALL_SHELLS),
    "glob-none": (f"for f in /hooks/*; {RUN}", "none", ALL_SHELLS),
    "glob-test": ('for f in /hooks/*; do [ -x "$f" ] && "$f"; done', "exit", ALL_SHELLS),
    "glob-test-mode": ('for f in /hooks/*; do if [ -x "$f" ]; then "$f"; fi; done', "mode", ""),
    "glob-or": ('for f in /hooks/*; do "$f" || true; done', "exit", ""),
    "glob-or-exit": ('for f in /hooks/*; do "$f" || exit 9; done', "exit", ALL_SHELLS),
    "glob-source": ('for f in /hooks/*; do . "$f"; done', "exit", ALL_SHELLS),
    "glob-shell": ('for f in /hooks/*; do sh "$f"; done', "exit", ALL_SHELLS),
    "ls-while": ("ls /hooks | while read f; do /hooks/$f; done", "exit", ALL_SHELLS),
    "ls-sort": ('ls -1 /hooks/ | sort | while read -r f; do "/hooks/$f"; done', "interpreter", ALL_SHELLS),
    "ls-glob": (f"ls /hooks/* | while read f; {RUN}", "mode", ALL_SHELLS),
    "ls-for": ('for f in $(ls /hooks); do "/hooks/$f"; done', "exit", ALL_SHELLS),
    "cd-glob": ('cd /hooks\nfor f in *; do "./$f"; done', "exit", ALL_SHELLS),
    "xargs-exit": ("find /hooks -type f -print0 | xargs -0 -n1 sh", "exit", ALL_SHELLS),
    "xargs-interpreter": ("find /hooks -type f -print0 | sort -z | xargs -0 -I{} {}", "interpreter", ALL_SHELLS),
    "xargs-mode": ("ls /hooks/* | xargs -n 1 env", "mode", "?dash ?bash ?busybox"),
    "xargs-fine": ("ls /hooks/* | xargs -r -n 1 sh", "fine", ""),
    "exec-each": ("find /hooks -type f -exec {} \\;", "exit", ""),
    "exec-all": ("find /hooks -type f -exec sh {} +", "exit", ALL_SHELLS),
    "document": (f"while read f; {RUN} <<END\n/hooks/10-a\nEND", "exit", ALL_SHELLS),
    "process": (f"while read -r f; {RUN} < <(find /hooks -type f | sort)", "exit", "bash"),
    "array": (f'a=(/hooks/*)\nfor f in "${{a[@]}}"; {RUN}', "exit", "bash"),
    "file": (f"while read f; {RUN} < /list", "exit", ALL_SHELLS),
    "function": ('run() {\n  for f in "$1"/*; do\n    "$f"\n  done\n}\nrun /hooks', "exit", ALL_SHELLS),
    "parts-exit": ("run-parts /hooks", "exit", ALL_SHELLS),
    "parts-interpreter": ("run-parts /hooks", "interpreter", ALL_SHELLS),
    "parts-mode": ("run-parts /hooks", "mode", ""),
    "parts-suffix": ("run-parts /hooks", "body", "busybox"),
    "parts-second": ("run-parts --exit-on-error /hooks", "second", ALL_SHELLS),
    "parts-fine": ("run-parts /hooks", "fine", ""),
    "parts-missing": ("run-parts /nope", "none", "dash bash"),
    "stranger": (f"{SORTED}; {RUN}", "stranger", "?dash ?bash ?busybox"),
}
for shell, (entries, path) in SHELLS.items():
    for name, (text, hooks, fails) in LOOPS.items():
        if name in ("process", "array") and shell != "bash":
            continue
        tools = APPLETS if shell == "busybox" else UNIX
        expect = "F35" if shell in fails.split() else "UNKNOWN" if f"?{shell}" in fails.split() else "RUNS"
        body = script("e", f"set -e\n{text}\nexec report\n")
        scenario(f"hooks-{shell}-{name}", "S9 F35", expect, *entries, *tools, *HOOKS[hooks], F("list", "/hooks/10-a\n"),
                 body, entrypoint=[path, "/e"])  # fmt: skip
