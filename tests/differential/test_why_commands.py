"""The commands that `why` gives show what they say, in a real shell with real tools; a small program stands for docker.

It answers create, export, cp and image inspect as docker(1) says, from a directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imagepeel.process.spec.failure import FailureCode
from imagepeel.receipts.why import state_command, telling_command

CLIENT = """#!/bin/sh
root={root}
case $1 in
create) echo 0123456789ab;;
export) [ "$2" = 0123456789ab ] && tar -C "$root" -c .;;
cp) [ "$2" = -L ] && tar -C "$root" -ch "./${{3#*:/}}";;
image) echo linux/arm64;;
*) exit 2;;
esac
"""
TOOLS = ("bash", "tar", "od", "grep", "strings", "head")


@pytest.fixture
def run(tmp_path: Path) -> object:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not on this machine")
    root, programs = tmp_path / "root", tmp_path / "programs"
    for folder in (root / "etc", root / "usr/lib", programs):
        folder.mkdir(parents=True)
    (root / "run.sh").write_bytes(b"#!/bin/sh\r\necho\r\n")
    (root / "a 'b'").write_bytes(b"no program at all")
    (root / "app").write_bytes(b"\x7fELF" + bytes(60) + b"/lib64/ld-linux-x86-64.so.2\0")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "usr/lib/libshop.so.1").write_bytes(b"")
    client = programs / "docker"
    client.write_text(CLIENT.format(root=root))
    client.chmod(0o755)

    def command(line: str) -> str:
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, timeout=30)
        assert not done.stderr, done.stderr
        return done.stdout

    return command


@pytest.mark.parametrize(
    ("code", "about", "shown"),
    [
        (FailureCode.SHEBANG_CRLF, "/run.sh", r"s   h  \r  \n"),
        (FailureCode.INTERPRETER_MISSING, "/run.sh", "#   !   /   b   i   n   /   s   h"),
        (FailureCode.LOADER_MISSING, "/app", "/lib64/ld-linux-x86-64.so.2"),
        (FailureCode.NO_PROGRAM_FORMAT, "/a 'b'", "n   o       p   r   o   g"),
        (FailureCode.NOT_EXECUTABLE, "/run.sh", "-rw-"),
        (FailureCode.FILE_MISSING, "/run.sh", "./run.sh"),
        (FailureCode.NOT_IN_PATH, "app", "./app"),
        (FailureCode.LIBRARY_MISSING, "libshop.so.1", "./usr/lib/libshop.so.1"),
        (FailureCode.USER_UNKNOWN, "ghost", "root:x:0:0"),
        (FailureCode.ELF_REFUSED, "/app", "linux/arm64"),
        (FailureCode.NO_COMMAND, "", "linux/arm64"),
    ],
)
def test_a_command_shows_what_it_says(code: FailureCode, about: str, shown: str, run) -> None:  # type: ignore[no-untyped-def]
    assert shown in run(telling_command(code, about).command)


@pytest.mark.parametrize("about", ["", "/", "app", "/a b", "/$(touch x)", "-rf", "/a'b", "/a\nb", "/a;b", "/é", "`id`"])
def test_no_name_runs_anything(about: str) -> None:
    for code in FailureCode:
        command = telling_command(code, about).command
        assert subprocess.run(["bash", "-n", "-c", command], capture_output=True, timeout=30).returncode == 0, command
        assert "$(touch" not in command.replace("'/$(touch x)'", "").replace("'$(touch x)'", "").replace(
            "'touch x)'", ""
        ), command


def test_each_state_has_a_command_of_each_client() -> None:
    for name in ("oom", "state", "previous", "events"):
        own, of_pod = state_command(name), state_command(name, "kubectl")
        assert own is not None and own.command.startswith("docker ")
        assert of_pod is not None and of_pod.command.startswith("kubectl ")
    assert state_command("nothing") is None
