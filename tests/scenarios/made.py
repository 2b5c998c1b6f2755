"""Scenarios of scripts that meet what they made themselves: directories, files, their owners and modes."""

from __future__ import annotations

from model import scenario
from shells import ALL_SHELLS, COREUTILS, MORE, SHELLS
from userland import program

from imagepeel import forge

OWN = forge.directory("own", 0o755, 1234, 1234)
TOOLS = (*COREUTILS, *(program(f"bin/{name}", f"/usr/bin/{name}") for name in ("chgrp", "rmdir", "tee")))

# name: the script behind `set -e`, started by app in a directory of its own, and the shells in which the start fails
LINES: dict[str, tuple[str, str]] = {
    "chown-other": ("mkdir x\nchown root x", ALL_SHELLS),
    "chown-other-or": ("mkdir x\nchown root x || true", ""),
    "chown-other-deep": ("mkdir -p a/b/c\nchown root:root a/b/c", ALL_SHELLS),
    "chown-other-tree": ("mkdir -p a/b\nchown -R root:root a", "?dash ?bash ?busybox"),
    "chown-self": ("mkdir -p a/b\nchown app:app a", ""),
    "chown-self-tree": ("mkdir -p a/b\nchown -R app:app a", ""),
    "chown-other-group": ("mkdir a\nchown app:root a", ALL_SHELLS),
    "chown-own-group": ("mkdir a\nchown :app a", ""),
    "chgrp-other": ("mkdir a\nchgrp root a", ALL_SHELLS),
    "chgrp-own": ("mkdir a\nchgrp app a", ""),
    "touch": ("touch f\nchown 0 f", ALL_SHELLS),
    "written": ("echo x > f\nchown 0:0 f", ALL_SHELLS),
    "copied": ("cp /etc/passwd f\nchown 0 f", ALL_SHELLS),
    "tee": ("echo x | tee f > /dev/null\nchown 0 f", ALL_SHELLS),
    "subshell": ("(mkdir x)\nchown root x", ALL_SHELLS),
    "other-name": ("mkdir x\nchown root y", ALL_SHELLS),
    "below": ("mkdir x\nchown app x/y", ALL_SHELLS),
    "second": ("mkdir x y\ntouch x/f y/g\nchown root y/g", ALL_SHELLS),
    "one-inside-the-other": ("mkdir x x/y x/y/z", ""),
    "twice": ("mkdir x\nmkdir x", ALL_SHELLS),
    "removed": ("mkdir x\nrmdir x\nchown app x", ALL_SHELLS),
    "moved": ("touch f\nmv f g\nchmod 600 g\nchown app f", ALL_SHELLS),
    "mode-of-others": ("mkdir x\nchmod 700 /etc/passwd", ALL_SHELLS),
    "mode": ("mkdir x\nchmod 500 x\nmkdir x/y", ALL_SHELLS),
    "mode-opens": ("mkdir x\nchmod 500 x\nchmod 700 x\nmkdir x/y", ""),
    "cd": ("mkdir -p d\ncd d", ""),
    "cd-other": ("mkdir -p d\ncd e", ALL_SHELLS),
    "test": ("mkdir -p d\necho x > d/f\n[ -f d/f ]", ""),
    "test-missing": ("mkdir -p d\n[ -f d/f ]", ALL_SHELLS),
    "test-removed": ("touch f\nrm f\n[ ! -e f ]\n[ -e f ]", ALL_SHELLS),
    "through-a-link": ("mkdir -p /link/d\nchown app /own/d\nchown root /own/d", ALL_SHELLS),
    "glob": ("mkdir a\ntouch a/1 a/2\nset -- a/*\n[ $# -eq 2 ]", ""),
}
for shell, (entries, path) in SHELLS.items():
    for name, (text, fails) in LINES.items():
        expect = "F35" if shell in fails.split() else "UNKNOWN" if f"?{shell}" in fails.split() else "RUNS"
        tools = TOOLS if shell != "busybox" else ()
        link = forge.symlink("link", "own")
        scenario(f"made-{shell}-{name}", "S9 F35", expect, *entries, *MORE, *tools, OWN, link,
                 entrypoint=[path, "-c", f"set -e\n{text}\nexec report"], user="app", working_dir="/own")  # fmt: skip
    for name, text in {
        "script": "printf '#!/bin/report\\n' > r\nchmod +x r\nexec ./r",
        "program": "cp /bin/report r\nchmod +x r\nexec ./r",
    }.items():
        tools = TOOLS if shell != "busybox" else ()
        scenario(f"made-{shell}-starts-{name}", "S9", "UNKNOWN", *entries, *MORE, *tools, OWN,
                 entrypoint=[path, "-c", text], user="app", working_dir="/own")  # fmt: skip
