"""Scenarios of scripts that may end before their program: by a tool, a script, a substitution, a program of the image.

A command whose end follows from the image decides (FAILS or RUNS); behind a program that nothing is known of the start
is UNKNOWN.
"""

from __future__ import annotations

from model import GROUP, PASSWD, from_machine, scenario, script
from shells import ALL_SHELLS, COREUTILS, MORE, SHELLS
from userland import BUSYBOX, DASH, L, program

from imagepeel import forge

F, D = forge.file, forge.directory
OWN = D("own", 0o755, 1234, 1234)

# name: the script behind `set -e`, and the shells in which the start fails (?: in which it is not told)
SUBSTITUTED: dict[str, tuple[str, str]] = {
    "read": ('X="$(< /nope)"', ALL_SHELLS),
    "cat": ("X=$(cat /nope)", ALL_SHELLS),
    "cat-hidden": ("X=$(cat /nope 2>/dev/null)", ALL_SHELLS),
    "cat-there": ('X=$(cat /plain)\n[ "$X" = x ]', ""),
    "export": ("export X=$(cat /nope)", ""),
    "export-read": ('export X="$(< /nope)"', "bash"),
    "tested-read": ('echo "$(< /nope)" || true', "bash"),
    "local": ("f() { local X=$(cat /nope); }\nf", ""),
    "word": ('echo "$(cat /nope)"', ""),
    "missing": ("X=$(nope)", ALL_SHELLS),
    "missing-path": ("X=1 Y=$(/nope/x)", ALL_SHELLS),
    "missing-tested": ("X=$(nope) || true", ""),
    "tested": ("if X=$(cat /nope); then nope; fi", ""),
    "and-fails-later": ("export X=$(cat /nope)\nalso-nope", ALL_SHELLS),
    "hidden": ("nope 2>/dev/null", ALL_SHELLS),
    "hidden-group": ("{ nope; } 2>/dev/null", ALL_SHELLS),
    "hidden-cd": ("cd /nope 2>/dev/null", ALL_SHELLS),
    "hidden-for-good": ("exec 2>/dev/null\nnope", ALL_SHELLS),
    "hidden-then-shown": ("nope 2>/dev/null || true\nalso-nope", ALL_SHELLS),
    "shown": ("nope >/dev/null", ALL_SHELLS),
}
# Scripts that run as children, and how they end.
CHILDREN = (
    script("good.sh", "#!/bin/sh\n[ -f /plain ] || exit 9\n:\n"),
    script("bad.sh", '#!/bin/sh\necho "hook fails" >&2\nexit 3\n'),
    script("asks.sh", '#!/bin/sh\n[ "$1" = yes ] || { echo "$0: no $WORD" >&2; exit 4; }\n'),
    script("missing.sh", "#!/bin/sh\nset -e\nnope\n:\n"),
    script("last-missing.sh", "#!/bin/sh\nnope\n"),
    script("exec-missing.sh", '#!/bin/sh\nexec nope "$@"\n'),
    script("deep.sh", "#!/bin/sh\nset -e\n/bad.sh\n"),
    script("last-tool.sh", "#!/bin/sh\nset -e\ncat /nope\n"),
    script("program.sh", "#!/bin/sh\nset -e\n/bin/report from-child > /dev/null\n"),
    script("hooks/1.sh", "#!/bin/sh\n:\n"),
    script("hooks/2.sh", '#!/bin/sh\necho "second" >&2\nexit 5\n'),
    script("well/1.sh", "#!/bin/sh\n:\n"),
    script("plain.sh", ":\n", 0o755),
)
FOLLOWED: dict[str, tuple[str, str]] = {
    "good": ("/good.sh", ""),
    "bad": ("/bad.sh", ALL_SHELLS),
    "bad-and": ("/bad.sh && nope", ""),
    "bad-or": ("/bad.sh || exit 8", ALL_SHELLS),
    "bad-tested": ("if /bad.sh; then nope; fi", ""),
    "argument": ("WORD=given /asks.sh no", ALL_SHELLS),
    "argument-yes": ("/asks.sh yes", ""),
    "exported": ("export WORD=here\n/asks.sh", ALL_SHELLS),
    "not-exported": ("WORD=here\n/asks.sh", ALL_SHELLS),
    "missing": ("/missing.sh", ALL_SHELLS),
    "last-missing": ("/last-missing.sh", ALL_SHELLS),
    "deep": ("/deep.sh", ALL_SHELLS),
    "exec-missing": ("/exec-missing.sh", ALL_SHELLS),
    "exec-missing-text": ("bash -c 'exec nope' || sh -c 'nope'", ALL_SHELLS),
    "exec-missing-ignored": ("/exec-missing.sh || true", ""),
    "by-name": ("sh /bad.sh", ALL_SHELLS),
    "by-text": ("sh -c 'exit 6'", ALL_SHELLS),
    "by-text-fine": ("sh -c ': && true'", ""),
    "hidden": ("/bad.sh 2>/dev/null", ALL_SHELLS),
    "hooks": ('for f in /hooks/*.sh; do "$f"; done', ALL_SHELLS),
    "hooks-well": ('for f in /well/*.sh; do "$f"; done', ""),
    "hooks-ignored": ('for f in /hooks/*.sh; do "$f" || true; done', ""),
    "program": ("/bin/report > /dev/null", "?dash ?bash ?busybox"),
    "program-and": ("/bin/report > /dev/null && true", ""),
    "program-and-go": ("/bin/report > /dev/null && exec report on\nexit 3", "?dash ?bash ?busybox"),
    "program-or-end": ("/bin/report > /dev/null || exit 1", "?dash ?bash ?busybox"),
    "program-ignored": ("/bin/report > /dev/null || true", ""),
    "program-substituted": ("X=$(/bin/report)", "?dash ?bash ?busybox"),
    "program-in-child": ("/program.sh", "?dash ?bash ?busybox"),
    "program-asked": ("/bin/report --version > /dev/null", ""),
}
for shell, (entries, path) in SHELLS.items():
    for name, (text, fails) in (SUBSTITUTED | FOLLOWED).items():
        expect = "F35" if shell in fails.split() else "UNKNOWN" if f"?{shell}" in fails.split() else "RUNS"
        cat = () if shell == "busybox" else (program("bin/cat", "/usr/bin/cat"),)
        cat = (L("bin/cat", "busybox"),) if shell == "busybox" else cat
        body = f"set -e\n{text}\nexec report"
        given, files = {"entrypoint": [path, "-c", body]}, ()
        if len(text) % 2:
            given, files = {"entrypoint": ["/e"]}, (script("e", f"#!{path}\n{body}\n"),)
        scenario(f"early-{shell}-{name}", "S9 F35", expect, *entries, *MORE, *cat, *CHILDREN, *files, **given)

# tools with more than one operand, tools that are judged to do well, and owners that are not there
TOOLS: dict[str, tuple[str, str]] = {
    "chown-unknown-user": ("chown ghost /plain", "F35"),
    "chown-unknown-user-group": ("chown ghost:ghost /plain", "F35"),
    "chown-unknown-group": ("chown app:ghost /plain", "F35"),
    "chown-only-group-unknown": ("chown :ghost /plain", "F35"),
    "chown-two": ("chown app:app /plain /nope /open", "F35"),
    "mkdir-two": ("mkdir /x /own/y /z", "F35"),
    "mkdir-mode": ("mkdir -p -m 700 /own/y", "RUNS"),
    "touch-two": ("touch /own/a /b", "F35"),
    "rm-tree": ("rm -rf /own/nope /open", "F35"),
    "chmod-own": ("chmod -R u+x /own", "RUNS"),
    "cat-closed": ("cat /closed.sh", "F35"),
    "cat-two": ("cat /plain /nope > /dev/null", "F35"),
    "cp-closed": ("cp /closed.sh /own/f", "F35"),
    "grep-found": ("grep -q report /set.sh", "RUNS"),
    "grep-not-found": ("grep -q nope /set.sh", "F35"),
    "grep-missing": ("grep x /nope", "F35"),
    "grep-missing-quiet": ("grep -qs x /nope || exec report a", "RUNS"),
    "grep-closed": ("grep -q x /closed.sh", "F35"),
    "sed-missing": ("sed -i s/a/b/ /nope", "F35"),
    "sed-own": ("sed -i s/a/b/ /own/f", "RUNS"),
    "sed-closed-directory": ("sed -i s/a/b/ /plain", "F35"),
    "id-unknown": ("id -u ghost > /dev/null", "F35"),
    "id-there": ("id -u app > /dev/null", "RUNS"),
    "then-tool": ("mkdir -p /open\nchown bob /plain", "F35"),
    "last": ("cat /nope #", "F35"),
}
INSTALL: dict[str, tuple[str, str]] = {
    "directory": ("install -d /x", "F35"),
    "directory-below": ("install -d /x/y/z", "F35"),
    "directory-two": ("install -d -m 755 /x /own/a", "F35"),
    "directory-own": ("install -d -m 0750 /own/a/b", "RUNS"),
    "directory-owner": ("install -d -o root /own/a", "F35"),
    "directory-own-owner": ("install -d -o app /own/a", "RUNS"),
    "directory-unknown-owner": ("install -d -o ghost -g ghost /own/a", "F35"),
    "directory-unknown-group": ("install -d -g ghost /own/a", "F35"),
    "directory-there": ("install -d -m 700 /open", "F35"),
    "directory-file": ("install -d /plain", "F35"),
    "file": ("install -m 644 /plain /y", "F35"),
    "file-own": ("install -m 644 /plain /own/y", "RUNS"),
    "file-missing": ("install -m 644 /nope /own/y", "F35"),
    "file-owner": ("install -o root /plain /own/y", "F35"),
}
GNU = (
    *DASH, *COREUTILS, program("bin/grep", "/usr/bin/grep"), program("bin/sed", "/usr/bin/sed"),
    program("bin/id", "/usr/bin/id"), program("bin/install", "/usr/bin/install"),
)  # fmt: skip
APPLETS = ("mkdir", "touch", "cp", "rm", "chmod", "chown", "cat", "grep", "sed", "id")
LINKS = tuple(L(f"bin/{name}", "busybox") for name in APPLETS)
PCRE = F("lib/x86_64-linux-gnu/libpcre2-8.so.0", from_machine("/lib/x86_64-linux-gnu/libpcre2-8.so.0"), 0o644)
FILES = (*MORE, OWN, F("own/f", "a\n", 0o644, uid=1234, gid=1234), F("etc/passwd", PASSWD), F("etc/group", GROUP))
for family, files in (("gnu", (*GNU, PCRE)), ("busybox", (*BUSYBOX, *LINKS))):
    for name, (text, expect) in (TOOLS | (INSTALL if family == "gnu" else {})).items():
        known = "install-" if name in INSTALL else ""
        scenario(f"early-{family}-{known}{name}", "S9 F35", expect, *files, *FILES, user="app",
                 entrypoint=["/bin/sh", "-c", f"set -e\n{text}\nexec report"])  # fmt: skip
    for name, text in {"chown": "chown app:app /plain /own/f", "rm": "rm -rf /open /nope", "mkdir": "mkdir -p /a/b /c",
                       "sed": "sed -i -e s/x/y/g /plain", "last-tool": "chmod +x /plain"}.items():  # fmt: skip
        scenario(f"early-{family}-root-{name}", "S9", "RUNS", *files, *FILES,
                 entrypoint=["/bin/sh", "-c", f"set -e\n{text}\nexec report"])  # fmt: skip
