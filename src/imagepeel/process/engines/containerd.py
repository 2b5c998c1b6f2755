"""The containerd library and its client ctr.

Sources: containerd at the named versions (oci/spec_opts.go, cmd/ctr), and measured starts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import MOUNT, EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.variables import Variable, replace_or_append
from imagepeel.process.spec.failure import Failure, Phase


def nobody_in_range(*, group: bool) -> str:
    """The words of containerd 1.6, which knows no range of ids: it searches, and finds nobody."""
    return "no groups found" if group else "no users found"


class Containerd(Engine, frozen=True, kw_only=True):
    """A client of the containerd library, such as ctr."""

    knows_id_range: bool = True

    def refusal(self, failure: Failure) -> EngineMessage:
        inside = "" if failure.phase is Phase.BARE else f"mount callback failed on {MOUNT}: "
        return EngineMessage(text=f"ctr: {inside}{failure.message}", exit_code=1)

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = runtime.refusal(failure.message, failure.phase, run=False)
        shown = f"ctr: failed to create shim task: OCI runtime create failed: {words}: unknown"
        return EngineMessage(text=shown, exit_code=1)

    def merge_environment(
        self, own: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
    ) -> list[Variable]:
        # The library takes the image's list as it is and merges into it.
        merged = replace_or_append(image or own[:1], own if image else own[1:], notes)
        return replace_or_append(merged, given, notes)

    def out_of_range(self, message: str, *, group: bool) -> str:
        return message if self.knows_id_range else nobody_in_range(group=group)


_1_6 = Containerd(
    name="containerd",
    version=(1, 6),
    runtime="runc@1.1",
    path_default="if-env-empty",
    env=(),
    arguments_replace_all="the arguments, which replace Entrypoint and Cmd (ctr)",
    user_rules="containerd",
    nobody_rules="containerd",
    stats_account_files=True,
    knows_id_range=False,
    no_new_privileges=True,
    workdir_maker="the runtime",
    volumes="ignore",
    run_tmpfs=True,
    injected=(),
    low_ports=False,
    bad_stop_signal="ignored",
    grace=0,
)
_2 = msgspec.structs.replace(_1_6, version=(2,), runtime="runc@1.3", knows_id_range=True)

FAMILY = EngineFamily(name="containerd", aliases=("ctr", "nerdctl"), versions=(_1_6, _2), default=(2,), matrix=((2,),))
