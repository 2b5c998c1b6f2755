"""Every command over hostile images under strace: what it writes, executes and connects to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagepeel import forge
from imagepeel.cli import COMMANDS

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is absent")
WORDS: dict[str, tuple[str, ...]] = {
    "bundle": ("bundle", "ARCHIVE", "OUT/bundle", "--rootfs"),
    "cache": ("cache", "info"),
    "cat": ("cat", "ARCHIVE", "/etc/passwd"),
    "check": ("check", "ARCHIVE", "--write-baseline", "OUT/known.json"),
    "diff": ("diff", "ARCHIVE", "ARCHIVE"),
    "explain": ("explain", "ARCHIVE", "--html", "OUT/page.html"),
    "extract": ("extract", "ARCHIVE", "OUT/tree", "--best-effort"),
    "flatten": ("flatten", "ARCHIVE", "-o", "OUT/flat.tar"),
    "forge": ("forge", "shop", "OUT/shop.tar"),
    "ls": ("ls", "ARCHIVE", "-R", "--kind"),
    "schema": ("schema", "layers"),
    "trace": ("trace", "ARCHIVE", "/etc/passwd"),
    "version": ("version",),
}
"""A call of each command that does the most; of the others it is COMMAND ARCHIVE."""
WITHOUT_ARCHIVE = frozenset(name for name, words in WORDS.items() if "ARCHIVE" not in words)
CHANGES = (
    "creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,mknod,mknodat,"
    "chmod,fchmodat,chown,lchown,fchownat,truncate,setxattr,lsetxattr"
)
CALLS = f"execve,execveat,socket,connect,open,openat,openat2,{CHANGES}"
DRIVER = """
import json, os, pkgutil, sys
import imagepeel
from imagepeel.cli import cli
# Modules are read once and not by every call.
for module in pkgutil.walk_packages(imagepeel.__path__, "imagepeel."):
    if module.name != "imagepeel.__main__":
        try:
            __import__(module.name)
        except ImportError:  # an optional library is absent
            pass
for words in json.loads(sys.argv[1]):
    pid = os.fork()
    if not pid:
        code = 99
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            cli.main(words)
        except SystemExit as leave:
            code = leave.code if isinstance(leave.code, int) else 99
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), *words, flush=True)
"""
_LINE = re.compile(r"\d+\s+(\w+)\((.*)")
_NAMED = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"')


def hostile(folder: Path, canary: Path) -> Iterator[Path]:
    """Images whose links and names lead to a file of this machine, and an ordinary one."""
    secret = str(canary / "secret")
    up = "../" * 20
    spec = forge.image(
        forge.layer(
            forge.directory("etc"), forge.symlink("etc/passwd", secret), forge.symlink("tmp", str(canary)),
            forge.symlink("entry", secret), forge.symlink("up", up + secret[1:]),
        ),
        forge.layer(forge.file(up + secret[1:], "evil"), forge.hardlink("hard", secret), forge.file("x", "")),
        forge.layer(forge.file("tmp/file", "evil"), forge.whiteout("up")),
        cmd=["/entry"],
    )  # fmt: skip
    yield forge.write(spec, folder / "links.tar")
    yield forge.write(forge.build("shop"), folder / "shop.tar", compression="gzip")


def touched(call: str, rest: str, cwd: Path) -> list[str]:
    """The paths that a call names to change them."""
    if call.startswith("open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", rest):
        return []
    named = _NAMED.findall(rest)
    if call.startswith("symlink"):
        named = named[-1:]  # the target is only text
    elif not call.startswith(("rename", "link")):
        named = named[:1]
    return [os.path.join(below or str(cwd), name) for below, name in named]


def test_commands_write_only_where_they_are_told_execute_nothing_and_open_no_socket(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("canary", "images", "cache", "temporary", "home", "out")}
    for place in places.values():
        place.mkdir()
    (places["canary"] / "secret").write_text("the canary's secret")
    calls: list[list[str]] = []
    for archive in hostile(places["images"], places["canary"]):
        own = places["out"] / archive.stem
        own.mkdir()
        for name in COMMANDS:
            words = WORDS.get(name, (name, "ARCHIVE"))
            if name not in WITHOUT_ARCHIVE or [name] not in [call[:1] for call in calls]:
                calls.append([w.replace("ARCHIVE", str(archive)).replace("OUT", str(own)) for w in words])
    log = tmp_path / "log"
    environment = {
        **os.environ, "XDG_CACHE_HOME": str(places["cache"]), "TMPDIR": str(places["temporary"]),
        "HOME": str(places["home"]), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-y", "-s", "4096", "-o", str(log), "-e", f"trace={CALLS}", "--",
         sys.executable, "-c", DRIVER, json.dumps(calls)],
        capture_output=True, env=environment, cwd=places["home"], check=False,
    )  # fmt: skip
    if "PTRACE" in done.stderr.decode(errors="replace"):
        pytest.skip("this machine lets nobody trace a process")
    assert done.returncode == 0, done.stderr
    ended = done.stdout.decode().splitlines()
    assert len(ended) == len(calls)
    assert not [line for line in ended if line.startswith(("70 ", "99 ", "-"))]
    seen = [match.groups() for line in log.read_text(errors="replace").splitlines() if (match := _LINE.match(line))]
    executed = [(call, rest) for call, rest in seen if call in ("execve", "execveat")]
    assert len(executed) == 1, executed[1:]  # the interpreter itself
    assert not [(call, rest) for call, rest in seen if call in ("socket", "connect")]
    changed = {path for call, rest in seen if call != "execve" for path in touched(call, rest, places["home"])}
    allowed = tuple(f"{places[name]}/" for name in ("cache", "temporary", "out"))
    outside = [path for path in changed if not f"{os.path.normpath(path)}/".startswith(allowed) and path != os.devnull]
    assert not outside
    assert len(changed) > 20  # the log was understood
    assert (places["canary"] / "secret").read_text() == "the canary's secret"
    assert os.listdir(places["canary"]) == ["secret"]
    assert not os.listdir(places["temporary"]) and not os.listdir(places["home"])


@pytest.mark.parametrize(
    "word", ["nginx:latest", "ghcr.io/owner/name", "containers-storage:x", "absent.tar", "docker:"]
)
def test_a_word_that_names_no_source_opens_no_socket(word: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    line = ["strace", "-f", "--seccomp-bpf", "-o", str(log), "-e", "trace=socket,connect,execve", "--"]
    words = [sys.executable, "-m", "imagepeel", "explain", word]
    done = subprocess.run([*line, *words], capture_output=True, cwd=tmp_path, check=False)
    if "PTRACE" in done.stderr.decode(errors="replace"):
        pytest.skip("this machine lets nobody trace a process")
    assert done.returncode in (2, 14) and b"try:" in done.stderr
    seen = [match[1] for text in log.read_text().splitlines() if (match := _LINE.match(text))]
    assert seen == ["execve"]
