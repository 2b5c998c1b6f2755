"""nerdctl: another client of the containerd library, with Docker's command line and most of Docker's decisions.

Sources: nerdctl 2 (create.go, run_security_linux.go, run_mount.go, run_user.go), read, not started.  Its errors are
containerd's; what it puts before them was read.
"""

from __future__ import annotations

import msgspec

from imagepeel.formats.passwd import go_quote
from imagepeel.process.engines import containerd
from imagepeel.process.engines.basis import Basis
from imagepeel.process.engines.containerd import Containerd
from imagepeel.process.engines.engine import HOST_FILES
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import MOUNT, EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.failure import Failure, Phase


class Nerdctl(Containerd, frozen=True, kw_only=True):
    """nerdctl with its own client library."""

    def refusal(self, failure: Failure) -> EngineMessage:
        inside = "" if failure.phase is Phase.BARE else f"mount callback failed on {MOUNT}: "
        return _fatal(f"{inside}{failure.message}")

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        return _fatal(self.create_failed(runtime.refusal(failure.message, failure.phase, run=False)))


def _fatal(words: str) -> EngineMessage:
    """Its logger's line on a pipe; a terminal gets `FATA[0000]` in its place."""
    return EngineMessage(text=f"level=fatal msg={go_quote(words)}", exit_code=1)


_newest = next(one for one in containerd.VERSIONS if one.version == containerd.FAMILY.default)
_2 = Nerdctl(
    **{
        **msgspec.structs.asdict(_newest),
        "name": "nerdctl",
        "version": (2,),
        "loaded_by": "nerdctl",
        "note": "nerdctl 2 with containerd 2.3",
        "path_default": "always",
        "env": ("HOSTNAME",),
        "arguments_replace_all": "",
        "no_new_privileges": False,
        "seccomp_errno": "EPERM",
        "volumes": "copy",
        "run_tmpfs": False,
        "injected": HOST_FILES,
        "bad_stop_signal": "cannot-stop",
        "grace": 10,
        "basis": Basis(read="2.2"),
    }
)

FAMILY = EngineFamily(name="nerdctl", versions=(_2,), default=(2,), matrix=((2,),))
