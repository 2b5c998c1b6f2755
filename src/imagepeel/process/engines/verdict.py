"""From the failure that decides to a verdict, with the operator's exact text and exit codes."""

from __future__ import annotations

from imagepeel.evidence import Location
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.failure import Failure, Judge, Outcome
from imagepeel.process.spec.values import Verdict
from imagepeel.tables import ERRNO_GO


def runs(engine: str, depends: tuple[str, ...] = ()) -> Verdict:
    """Every judge was asked and none refused; with host facts left open it only DEPENDS."""
    if depends:
        return Verdict(kind=Outcome.DEPENDS, depends=depends, engine=engine)
    return Verdict(kind=Outcome.RUNS, engine=engine)


def unknown(engine: str, reason: str, where: Location | None = None) -> Verdict:
    """No proof either way, and why."""
    return Verdict(kind=Outcome.UNKNOWN, reason=reason, where=where, engine=engine)


def fails(engine: Engine, runtime: Runtime, label: str, failure: Failure) -> Verdict:
    """The verdict on a failure, in the words of its judge and of the engine above; `label` names the engine."""
    message, own, own_exit = failure.message, "", None
    if failure.judge is Judge.LOAD:
        said = EngineMessage(text=message, exit_code=failure.exit_code)
    elif failure.judge is Judge.ENGINE:
        said = engine.refusal(failure)
    elif failure.judge is Judge.RUNTIME:
        said = engine.runtime_refusal(failure, runtime)
        own, own_exit = runtime.refusal(failure.message, failure.phase, run=True), runtime.refusal_exit
    else:
        # The container has started: what is on its standard error reaches the operator unchanged.
        if failure.judge is Judge.KERNEL:
            message = f"exec {failure.about}: {ERRNO_GO[failure.errno]}"
            own, own_exit = runtime.exec_failed(failure.about, failure.errno), runtime.exec_exit
        else:
            message = failure.message.split("\n", 1)[0]
            own, own_exit = failure.message, failure.exit_code
        said = EngineMessage(text=own, exit_code=own_exit, state_exit_code=own_exit if engine.records_exit else None)
    return Verdict(
        kind=Outcome.FAILS,
        id=failure.code,
        judge=failure.judge,
        errno=failure.errno,
        message=message,
        about=failure.about,
        text=said.text,
        exit_code=said.exit_code,
        state_exit_code=said.state_exit_code,
        runtime_text=own,
        runtime_exit_code=own_exit,
        why=failure.why,
        fix=failure.fix,
        depends=failure.depends,
        where=failure.where,
        engine=label,
    )
