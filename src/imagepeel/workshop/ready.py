"""Whether this laptop is ready for the course."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from imagepeel import api, forge
from imagepeel.forge.programs import machine
from imagepeel.process.spec.failure import Outcome
from imagepeel.workshop.images import hello

_TOOLS = (
    (("tar",), True, "levels 1 to 4"),
    (("od",), True, "level 1"),
    (("grep",), True, "level 1"),
    (("sha256sum", "shasum"), True, "level 4"),
    (("python3",), True, "levels 3, 5 and 6"),
    (("runc",), False, "level 2, the way with root"),
    (("bwrap",), False, "level 2, as a second starter"),
    (("skopeo",), False, "level 4, as a second judge"),
)


class Ready(msgspec.Struct, frozen=True):
    """One thing: whether it is there, whether the course cannot do without it, and what it is needed for."""

    what: str
    there: bool
    needed: bool
    used: str


def ready() -> Iterator[Ready]:
    """Look at this machine: yields one thing after the other.  Starts `unshare` once, with `true`."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Ready(f"Python {version}", sys.version_info >= (3, 11), True, "everything")
    yield Ready("imagepeel makes an image and predicts its start", _works(), True, "everything")
    for names, needed, used in _TOOLS:
        yield Ready(" or ".join(names), any(map(shutil.which, names)), needed, used)
    yield Ready("user namespaces, or root on Linux", _walls(), False, "levels 2 and 6; without them, the recorded run")


def _works() -> bool:
    data = forge.to_bytes([hello(machine())])
    with api.open(io.BytesIO(data)) as archive:
        return archive.image().process().verdict.kind is Outcome.RUNS


def _walls() -> bool:
    if shutil.which("unshare") is None:
        return False
    try:
        done = subprocess.run(["unshare", "-r", "-p", "-f", "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
