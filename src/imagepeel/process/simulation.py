"""The start under way, as `scripts`, `shelling` and `wrapping` see it; `simulate.StartSimulation` is it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from imagepeel.process.spec.failure import Failure
from imagepeel.process.spec.values import PidOne, Step

if TYPE_CHECKING:
    from imagepeel.process.kernel.execve import ExecveResult
    from imagepeel.process.loader.common import LoaderResult
    from imagepeel.process.readers import Started
    from imagepeel.process.scenario import Scenario
    from imagepeel.process.spec.state import ProcessState
    from imagepeel.rootfs.view import Rootfs


class Simulation(Protocol):
    """What shells and wrappers ask of the start under way, and what they tell it."""

    rootfs: Rootfs
    scenario: Scenario
    steps: list[Step]
    round: int
    wrapped: list[tuple[str, ...]]
    history: list[str]
    pid1: PidOne | None
    assumes: list[str]
    depends: list[str]
    started: list[Started]

    def closure(self, chain: ExecveResult, execfn: str, state: ProcessState) -> LoaderResult: ...
    def stay(
        self,
        chain: ExecveResult,
        state: ProcessState,
        *,
        script: bool = ...,
        waits_for: str = ...,
        why: str = ...,
        exact: bool = ...,
        traps: Sequence[str] = ...,
        wrapper: bool = ...,
        forwards: bool = ...,
    ) -> None: ...
    def endless(self, chain: ExecveResult, state: ProcessState, depth: int) -> bool: ...
    def leave(self, chain: ExecveResult, state: ProcessState, leaves: str, keep: str) -> None: ...
    def unproved(self, reason: str) -> None: ...
    def fail(self, state: ProcessState, failure: Failure) -> None: ...
    def attempt(self, path: str, argv: tuple[str, ...], state: ProcessState) -> ExecveResult: ...
    def record(self, chain: ExecveResult) -> None: ...
    def enter(self, chain: ExecveResult, path: str, state: ProcessState, depth: int) -> None: ...
    def enter_by_name(self, chain: ExecveResult, path: str, state: ProcessState) -> None: ...
