"""A dockerd of a test's own: roots in a temporary directory, no network, the containerd below it for ctr."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DOCKER = "/usr/bin/docker"
TIMEOUT = 180
"""Seconds that one command of an engine may take; a loaded machine needs them."""


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other test of this machine starts engines: they share runc's state and podman's locks."""
    with open(Path(tempfile.gettempdir()) / "imagepeel-engines.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lacks(versions: Mapping[str, str]) -> str:
    """Why tools cannot be used here, given the version that each must have; empty when they can."""
    if os.geteuid() != 0:
        return "needs root"
    for tool, version in versions.items():
        path = shutil.which(tool)
        if path is None:
            return f"{tool} is not installed"
        words = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=TIMEOUT).stdout
        if version not in words:
            return f"expected texts are those of {tool} {version}"
    return "" if os.path.exists(DOCKER) else "docker is not installed"


class Dockerd:
    """One daemon in `top`, a directory that other tools may use too; `close` ends it and removes everything."""

    def __init__(self, *options: str) -> None:
        # podman reads a path as a name too, and says something else of one that could be none, such as `-_` or `_/`.
        self.top = Path(tempfile.mkdtemp(prefix=f"imagepeel-engines-{os.getpid()}x", suffix="x"))
        self.docker = [DOCKER, "-H", f"unix://{self.top}/s"]
        # A namespace for each run, for runc keeps what runs by it, for all daemons of a machine together.  The name of
        # the directory would not do: it may end in `_`, which containerd refuses.
        self.ctr = ["ctr", "-a", f"{self.top}/exec/containerd/containerd.sock", "-n", f"imagepeel-{os.getpid()}"]
        self.log = (self.top / "log").open("wb")
        command = [
            "dockerd", "--data-root", f"{self.top}/data", "--exec-root", f"{self.top}/exec", "-H", self.docker[2],
            "-p", f"{self.top}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false",
            "--ip-masq=false", "--storage-driver=overlay2", *options,
        ]  # fmt: skip
        self.daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(150):
            asked = subprocess.run([*self.docker, "version"], capture_output=True, timeout=TIMEOUT, check=False)
            if asked.returncode == 0:
                return
            time.sleep(0.2)
        self.close()
        raise RuntimeError("dockerd did not come up")

    def close(self) -> None:
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait(10)
        self.log.close()
        for line in Path("/proc/self/mounts").read_text().splitlines()[::-1]:
            where = line.split(" ")[1]
            if where.startswith(f"{self.top}/"):
                subprocess.run(["umount", "-l", where], capture_output=True, timeout=TIMEOUT, check=False)
        shutil.rmtree(self.top, ignore_errors=True)
