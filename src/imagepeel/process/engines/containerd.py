"""The containerd library and its client ctr.

Sources: containerd at the named versions (oci/spec_opts.go, cmd/ctr), and measured starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from imagepeel.process.engines.basis import EVERYTHING, Area, Basis
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import MOUNT, EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.variables import Variable, replace_or_append
from imagepeel.process.spec.failure import Failure, Phase


class Containerd(Engine, frozen=True, kw_only=True):
    """A client of the containerd library, such as ctr."""

    def refusal(self, failure: Failure) -> EngineMessage:
        inside = "" if failure.phase is Phase.BARE else f"mount callback failed on {MOUNT}: "
        return EngineMessage(text=f"ctr: {inside}{failure.message}", exit_code=1)

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = runtime.refusal(failure.message, failure.phase, run=False)
        return EngineMessage(text=f"ctr: {self.create_failed(words)}", exit_code=1)

    def merge_environment(
        self, own: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
    ) -> list[Variable]:
        # The library takes the image's list as it is and merges into it.
        merged = replace_or_append(image or own[:1], own if image else own[1:], notes)
        return replace_or_append(merged, given, notes)


_1_6 = Containerd(
    name="containerd",
    version=(1, 6),
    runtime="runc@1.1",
    loaded_by="containerd",
    path_default="if-env-empty",
    env=(),
    arguments_replace_all="the arguments, which replace Entrypoint and Cmd (ctr)",
    user_rules="containerd",
    nobody_rules="containerd",
    reads_accounts="whole",
    stats_account_files=True,
    says_unknown=True,
    no_new_privileges=True,
    workdir_maker="the runtime",
    volumes="ignore",
    run_tmpfs=True,
    injected=(),
    low_ports=False,
    bad_stop_signal="ignored",
    grace=0,
    end_of_life="2025-08-23",
    basis=Basis(started="1.6.20", measured=EVERYTHING - {Area.STOP}, read="1.6.39"),
)


def series(version: tuple[int, ...], read: str, end_of_life: str, **more: Any) -> Containerd:
    """A series at its newest patch; what it says was seen in starts of 1.6 alone."""
    basis = Basis(read=read, texts="containerd 1.6.20")
    return msgspec.structs.replace(
        _1_6,
        version=version,
        end_of_life=end_of_life,
        basis=basis,
        **{"strict_ids": True, "reads_accounts": "unknown", **more},
    )


_2: dict[str, Any] = {"runtime": "runc@1.3", "says_unknown": False}
_1_7 = series((1, 7), "1.7.33", "2026-09", runtime="runc@1.1")
_2_0 = series((2, 0), "2.0.10", "2025-11", **_2)
_2_1 = series((2, 1), "2.1.9", "2026-07", **_2)
_2_2 = series((2, 2), "2.2.8", "", **_2)
_2_3 = series((2, 3), "2.3.5", "", **{**_2, "runtime": "runc@1.4"})

FIXED_IDS = {(1, 7): 32, (2, 0): 9, (2, 1): 8, (2, 2): 4, (2, 3): 1}
"""The patch of each series from which an id out of range is refused; before, it was looked up as a name."""


def older_patches(versions: Iterable[Engine]) -> tuple[Engine, ...]:
    """What the older patches of some series do otherwise, oldest first; the engine names stay."""
    found: list[Engine] = []
    for one in versions:
        if one.version not in FIXED_IDS:
            continue
        names: dict[str, Any] = {"strict_ids": False, "reads_accounts": "whole"}
        fixed = FIXED_IDS[one.version]
        steps: dict[int, dict[str, Any]] = {0: names, fixed: {}}
        if one.version == (2, 2):
            # An absolute link at /etc/passwd or /etc/group, and, until August 2026, one at a directory before it.
            steps = {0: names | {"account_links": "none"}, 3: names | {"account_links": "last"}}
            steps |= {fixed: {"account_links": "last"}, 8: {}}
        if one.version == (2, 3):
            old = {"account_links": "last", "runtime": "runc@1.3"}
            steps = {0: names | old, fixed: old, 2: {"account_links": "last"}, 5: {}}
        for patch, more in steps.items():
            version = (*one.version, patch)
            found.append(msgspec.structs.replace(one, version=version, **more))
    return tuple(found)


VERSIONS = (_1_6, _1_7, _2_0, _2_1, _2_2, _2_3)
FAMILY = EngineFamily(
    name="containerd",
    versions=VERSIONS,
    patches=older_patches(VERSIONS),
    default=(2, 3),
    matrix=((2, 3),),
)
