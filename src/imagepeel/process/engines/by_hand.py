"""A bundle that imagepeel wrote, started with a runtime by hand: the settings of a usual engine, and none above."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.variables import Variable, given_first
from imagepeel.process.spec.failure import Failure


class ByHand(Engine, frozen=True, kw_only=True):
    """No engine: what the runtime says is what the operator sees."""

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        return EngineMessage(
            text=runtime.refusal(failure.message, failure.phase, run=True), exit_code=runtime.refusal_exit
        )

    def merge_environment(
        self, own: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
    ) -> list[Variable]:
        return given_first(own, image, given, notes)


def family(versions: Sequence[Runtime]) -> EngineFamily:
    """The profiles of one runtime, started by hand."""
    engines = tuple(
        ByHand(
            name=runtime.program,
            version=runtime.version,
            runtime=runtime.name,
            note="a bundle with docker's capabilities, started by hand",
            user_rules="moby",
            reads_accounts="whole",
            nobody_rules="moby",
            env=(),
            workdir_maker="the runtime",
            volumes="ignore",
            injected=(),
            low_ports=False,
            bad_stop_signal="ignored",
            grace=0,
            by_hand=True,
            basis=runtime.basis,
        )
        for runtime in versions
    )
    return EngineFamily(name=versions[0].program, versions=engines, default=versions[-1].version)
