"""From the first failure of a trace to a verdict with the operator's exact text and exit codes."""

from __future__ import annotations

from imagepeel.evidence import Location
from imagepeel.process.engines.messages import create_failed, engine_refuses, exec_failed
from imagepeel.process.spec.profiles import Engine, Runtime
from imagepeel.process.spec.values import Verdict
from imagepeel.tables import ERRNO_GO


def runs(engine: str, depends: tuple[str, ...] = ()) -> Verdict:
    """Every judge was asked and none refused; with host facts left open it only DEPENDS."""
    if depends:
        return Verdict(kind="DEPENDS", depends=depends, engine=engine)
    return Verdict(kind="RUNS", engine=engine)


def unknown(engine: str, reason: str, where: Location | None = None) -> Verdict:
    """No proof either way, and why."""
    return Verdict(kind="UNKNOWN", reason=reason, where=where, engine=engine)


def by_engine(
    engine: Engine,
    label: str,
    row: str,
    message: str,
    why: str,
    fix: str,
    where: Location | None = None,
    errno: str = "",
    created: bool = True,
) -> Verdict:
    """J1: the engine refuses before it calls the runtime."""
    words = engine_refuses(engine, message, created=created)
    return Verdict(
        kind="FAILS",
        id=row,
        judge="J1",
        errno=errno,
        message=message,
        text=words.text,
        exit_code=words.exit_code,
        state_exit_code=words.state_exit_code,
        why=why,
        fix=fix,
        where=where,
        engine=label,
    )


def by_runtime(
    engine: Engine,
    runtime: Runtime,
    label: str,
    row: str,
    errno: str,
    message: str,
    why: str,
    fix: str,
    where: Location | None = None,
    kind: str = "",
) -> Verdict:
    """J2: the runtime refuses before it executes; `kind` is `init` or `bare` for messages with another prefix."""
    words = create_failed(engine, runtime, message, init=kind == "init", bare=kind == "bare")
    return Verdict(
        kind="FAILS",
        id=row,
        judge="J2",
        errno=errno,
        message=message,
        text=words.text,
        exit_code=words.exit_code,
        state_exit_code=words.state_exit_code,
        runtime_text=words.runtime_text,
        runtime_exit_code=1,
        why=why,
        fix=fix,
        where=where,
        engine=label,
    )


def by_kernel(
    engine: Engine,
    runtime: Runtime,
    label: str,
    row: str,
    errno: str,
    path: str,
    why: str,
    fix: str,
    where: Location | None = None,
    depends: tuple[str, ...] = (),
) -> Verdict:
    """J3: execve fails after the container has started."""
    words = exec_failed(engine, runtime, path, errno)
    return Verdict(
        kind="FAILS",
        id=row,
        judge="J3",
        errno=errno,
        message=f"exec {path}: {ERRNO_GO[errno]}",
        text=words.text,
        exit_code=words.exit_code,
        state_exit_code=words.state_exit_code,
        runtime_text=words.runtime_text,
        runtime_exit_code=words.exit_code,
        why=why,
        fix=fix,
        where=where,
        depends=depends,
        engine=label,
    )


def by_userland(
    engine: Engine,
    label: str,
    row: str,
    errno: str,
    text: str,
    exit_code: int,
    why: str,
    fix: str,
    where: Location | None = None,
) -> Verdict:
    """J4: a loader, shell or wrapper gives up; its own words and code come out of the container unchanged."""
    first = text.split("\n", 1)[0]
    return Verdict(
        kind="FAILS",
        id=row,
        judge="J4",
        errno=errno,
        message=first,
        text=text,
        exit_code=exit_code,
        state_exit_code=exit_code if engine.family in {"docker", "k8s"} else None,
        runtime_text=text,
        runtime_exit_code=exit_code,
        why=why,
        fix=fix,
        where=where,
        engine=label,
    )
