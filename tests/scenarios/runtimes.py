"""Starts a bundle with a real runtime of this machine and tells what happened; bounded in time, no network, cleaned up.

The rootfs comes from our own forge, so GNU tar may unpack it here: it is trusted input.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from imagepeel import forge

TIMEOUT = 20

RUNTIMES = {"runc@1.1": "runc", "crun@1.8": "crun"}
"""The profiles that Debian 12 installs, and their programs."""

_RUNC_LINE = re.compile(r'^time="[^"]*" level=(\w+) msg=(".*"|\S+)$')


def why_not() -> str:
    """Why real starts cannot happen here; empty when they can."""
    if os.geteuid() != 0:
        return "needs root to start containers"
    for tool in ("runc", "crun", "tar", "unshare"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    for tool, version in (("runc", "1.1"), ("crun", "1.8")):
        words = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=TIMEOUT).stdout
        if f"{tool} version {version}" not in words:
            return f"expected texts are those of {tool} {version}; here is {words.splitlines()[:1]}"
    return ""


def unpack(spec: forge.ImageSpec, directory: Path) -> None:
    """Unpack the (single, whiteout-free) layers of a forge image with GNU tar, ids and attributes kept."""
    directory.mkdir(mode=0o755)
    for layer in spec.layers:
        subprocess.run(
            ["tar", "-x", "--numeric-owner", "-p", "--xattrs", "--xattrs-include=*", "-C", str(directory)],
            input=layer.content(),
            check=True,
            timeout=TIMEOUT,
            capture_output=True,
        )


def start(runtime: str, bundle: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """Run the bundle to its end: exit code, standard output, and the runtime's own message if it wrote one."""
    (bundle / "config.json").write_text(json.dumps(spec, ensure_ascii=False), "utf-8", "surrogateescape")
    name = "imagepeel-" + uuid.uuid4().hex[:12]
    state = Path(tempfile.mkdtemp(prefix="imagepeel-state-"))
    program = RUNTIMES[runtime]
    command = [program, "--root", str(state), "run", "-b", str(bundle), name]
    if program == "crun":  # its cgroup manager needs a pure v2 tree, which a private mount namespace provides
        script = 'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'
        command = ["unshare", "-m", "sh", "-c", script, "sh", *command]
    timed_out = False
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as expired:
        timed_out, code, out, err = True, -1, expired.stdout or b"", expired.stderr or b""
        subprocess.run([program, "--root", str(state), "kill", name, "KILL"], capture_output=True, timeout=TIMEOUT)
    finally:
        subprocess.run(
            [program, "--root", str(state), "delete", "-f", name], capture_output=True, timeout=TIMEOUT, check=False
        )
        shutil.rmtree(state, ignore_errors=True)
    return {
        "exit": code,
        "timed_out": timed_out,
        "stdout": out.decode("utf-8", "surrogateescape"),
        "text": own_words(err.decode("utf-8", "surrogateescape")),
    }


_TOO_LATE = re.compile(r"\[WARN  tini \(\d+\)\] Child was dead when forwarding signal")


def own_words(err: str) -> str:
    """Standard error without runc's log decoration: its error message, or what the program wrote.

    tini names its own pid in its errors, and sed a file of a random name, which no one can predict.  Runtimes relay
    every signal that they get, also the SIGURG by which Go's scheduler interrupts itself; one that comes when the child
    has just ended makes tini say so.
    """
    err = re.sub(r"\[FATAL tini \(\d+\)\]", "[FATAL tini (PID)]", err)
    err = re.sub(r"(open temporary file \S*/sed|create temp file '\S+)\w{6}", r"\1XXXXXX", err)
    lines = []
    for line in err.splitlines():
        if _TOO_LATE.fullmatch(line):
            continue
        match = _RUNC_LINE.match(line)
        if match is None:
            lines.append(line)
        elif match.group(1) in {"error", "fatal"}:
            words = match.group(2)
            lines.append(go_unquote(words) if words.startswith('"') else words)
    return "\n".join(lines)


def go_unquote(text: str) -> str:
    """The inverse of Go's %q for what logrus writes."""
    simple = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\"}

    def one(match: re.Match[str]) -> str:
        body = match.group(1)
        if body[0] == "x":
            byte = int(body[1:], 16)
            return chr(byte) if byte < 128 else chr(0xDC00 + byte)
        if body[0] in "uU":
            return chr(int(body[1:], 16))
        return simple[body]

    return re.sub(r'\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[ntrabfv"\\])', one, text[1:-1])


def parse_report(stdout: str) -> dict[str, Any] | None:
    """What the forge's `report` program said about itself; None when it did not run."""
    if not stdout.startswith("argv=") and "\nargv=" not in stdout and "uid=" not in stdout:
        return None
    found: dict[str, Any] = {"argv": [], "env": []}
    for line in stdout.split("\n"):
        key, _, value = line.partition("=")
        if key in {"argv", "env"}:
            found[key].append(value)
        elif key == "groups":
            found[key] = sorted(int(part) for part in value.split())
        elif key in {"uid", "gid"}:
            found[key] = int(value)
        elif key == "pid":  # a child's number is anybody's guess
            found[key] = min(int(value), 2)
        elif key in {"cwd", "exe"}:
            found[key] = value
    return found


_ASKED = re.compile(r'^(\d+)\s+execve\("((?:[^"\\]|\\.)*)", \[(.*)\], 0x[0-9a-f]+ /\* \d+ vars \*/')
_ANSWERED = re.compile(r"^(\d+)\s+(?:execve\(|<\.\.\. execve resumed>).*= (-?\d+)(?: (\w+))?(?: \(.*\))?$")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')


def watch(bundle: Path, spec: dict[str, Any]) -> list[tuple[bool, str, list[str], str]]:
    """Every execve of the container, in order: by process 1?, path, argv, errno (empty: it succeeded).

    runc creates the container and waits; strace is attached to its init before the start, so nothing is missed.
    """
    (bundle / "config.json").write_text(json.dumps(spec, ensure_ascii=False), "utf-8", "surrogateescape")
    name = "imagepeel-" + uuid.uuid4().hex[:12]
    state = Path(tempfile.mkdtemp(prefix="imagepeel-state-"))
    log = state / "strace"
    runc = ["runc", "--root", str(state)]
    quiet: dict[str, Any] = {
        "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": TIMEOUT,
    }  # fmt: skip
    tracer: subprocess.Popen[bytes] | None = None
    try:
        subprocess.run([*runc, "create", "-b", str(bundle), name], check=True, **quiet)
        shown = subprocess.run([*runc, "state", name], capture_output=True, check=True, timeout=TIMEOUT).stdout
        pid = str(json.loads(shown)["pid"])
        command = [
            "strace",
            "-f",
            "-q",
            "-e",
            "trace=execve",
            "-e",
            "signal=none",
            "-s",
            "8192",
            "-o",
            str(log),
            "-p",
            pid,
        ]
        tracer = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        status = Path(f"/proc/{pid}/status")
        for _ in range(200):
            if "TracerPid:\t0" not in status.read_text():
                break
            time.sleep(0.02)
        subprocess.run([*runc, "start", name], check=False, **quiet)
        tracer.wait(TIMEOUT)
        return _calls(log.read_text("utf-8", "surrogateescape"), pid)
    finally:
        subprocess.run([*runc, "delete", "-f", name], check=False, **quiet)
        if tracer is not None and tracer.poll() is None:
            tracer.kill()
            tracer.wait(TIMEOUT)
        shutil.rmtree(state, ignore_errors=True)


def _calls(log: str, pid: str) -> list[tuple[bool, str, list[str], str]]:
    """Calls and answers; strace writes them on two lines where something happened in between."""
    found: list[tuple[bool, str, list[str], str]] = []
    pending: dict[str, tuple[str, list[str]]] = {}
    for line in log.splitlines():
        asked = _ASKED.match(line)
        if asked is not None:
            who, path, words = asked.groups()
            pending[who] = (_unescape(path), [_unescape(word) for word in _WORD.findall(words)])
        answered = _ANSWERED.match(line)
        if answered is not None and answered.group(1) in pending:
            who, result, errno = answered.groups()
            path, argv = pending.pop(who)
            found.append((who == pid, path, argv, "" if result == "0" else errno))
    return found


def _unescape(text: str) -> str:
    return (
        text.encode("latin-1", "backslashreplace")
        .decode("unicode_escape")
        .encode("latin-1")
        .decode("utf-8", "surrogateescape")
    )


def stops(bundle: Path, spec: dict[str, Any], patience: float = 1.5) -> bool:
    """Whether the container ends within `patience` seconds of a SIGTERM to its process 1."""
    (bundle / "config.json").write_text(json.dumps(spec), "utf-8")
    name = "imagepeel-" + uuid.uuid4().hex[:12]
    state = Path(tempfile.mkdtemp(prefix="imagepeel-state-"))
    runc = ["runc", "--root", str(state)]
    quiet: dict[str, Any] = {
        "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": TIMEOUT,
    }  # fmt: skip

    def running() -> bool:
        shown = subprocess.run([*runc, "state", name], capture_output=True, check=False, timeout=TIMEOUT).stdout
        return b'"running"' in shown

    try:
        subprocess.run([*runc, "run", "-d", "-b", str(bundle), name], check=True, **quiet)
        time.sleep(0.5)  # let a shell come to its command
        if not running():
            raise RuntimeError("the container ended by itself")
        subprocess.run([*runc, "kill", name, "TERM"], check=True, **quiet)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if not running():
                return True
            time.sleep(0.1)
        return False
    finally:
        subprocess.run([*runc, "delete", "-f", name], check=False, **quiet)
        shutil.rmtree(state, ignore_errors=True)
