"""What the operator reads of a start: events of the kubelet, lines of compose, the text of docker or podman.

Sources: Kubernetes pkg/kubelet/events/event.go (reasons), pkg/kubelet/kuberuntime/kuberuntime_container.go
(`startContainer`, the states of waiting), kuberuntime_manager.go (`doBackOff`), pkg/kubelet/prober/prober.go; compose's
pkg/compose (`up` prefixes the lines of a container with its name).
"""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.deploy.wanted import Form, Wanted
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.spec.failure import FailureCode, Judge, Outcome
from imagepeel.process.spec.values import Verdict

_PROBES = {"livenessProbe": "Liveness", "readinessProbe": "Readiness", "startupProbe": "Startup"}
_HOOKS = {
    "postStart": ("FailedPostStartHook", "PostStartHook failed"),
    "preStop": ("FailedPreStopHook", "PreStopHook failed"),
}


def operator_reads(verdict: Verdict, wanted: Wanted, form: Form) -> tuple[str, ...]:
    """Return the lines that an operator reads about a failure; () for everything else."""
    engine = find_engine(wanted.options.engine)[0]
    if verdict.kind is Outcome.DEPENDS and form == "pod" and engine.admits_pods:
        return tuple(_if_missing(wanted))
    if verdict.kind is not Outcome.FAILS:
        return ()
    if form == "pod" and engine.admits_pods:
        return tuple(_events(verdict, wanted, engine.probe_errored))
    lines = tuple(verdict.text.splitlines() or [verdict.message])
    started = verdict.judge in (Judge.KERNEL, Judge.USERLAND)
    if form == "compose" and started and not wanted.inside:
        exited = f"{wanted.container}-1 exited with code {verdict.exit_code}" if verdict.exit_code is not None else ""
        return tuple(filter(None, (*(f"{wanted.container}-1  | {line}" for line in lines), exited)))
    return lines


def _events(verdict: Verdict, wanted: Wanted, errored: str) -> list[str]:
    pod = f"{wanted.owner}(<uid>)"
    lines = verdict.text.splitlines() or [verdict.message]
    started = verdict.judge in (Judge.KERNEL, Judge.USERLAND)
    if wanted.what in _PROBES:
        how = "failed" if started else errored
        return [f"Warning  Unhealthy  {_PROBES[wanted.what]} probe {how}: {lines[0]}", *lines[1:]]
    if wanted.what in _HOOKS:
        reason, message = _HOOKS[wanted.what]
        return [f"Warning  {reason}  {message}"]
    if verdict.id is FailureCode.RUN_AS_NON_ROOT:
        detail = f'(pod: "{pod}", container: {wanted.container})'
        return [
            f"Warning  Failed  Error: {verdict.text} {detail}",
            "State: Waiting, Reason: CreateContainerConfigError",
        ]
    if not started:
        by_create = verdict.judge is Judge.ENGINE
        state = (
            "Waiting, Reason: CreateContainerError" if by_create else "Terminated, Reason: StartError, Exit Code: 128"
        )
        return [f"Warning  Failed  Error: {lines[0]}", *lines[1:], f"State: {state}"]
    out = [f"log: {line}" for line in lines]
    if verdict.exit_code is not None:
        out.append(f"Last State: Terminated, Reason: Error, Exit Code: {verdict.exit_code}")
    if wanted.restarts:
        out.append(f"Warning  BackOff  Back-off restarting failed container {wanted.container} in pod {pod}")
    return out


def _if_missing(wanted: Wanted) -> Iterator[str]:
    """Yield the events about a ConfigMap or Secret that is not there (kubelet_pods.go, `makeEnvironmentVariables`)."""
    for need in wanted.needs:
        kind, _, name = need.removeprefix("the ").partition(" ")
        if kind not in ("ConfigMap", "Secret"):
            continue
        name, _, key = name.partition(" (key ")
        yield f'if it is missing: Warning  Failed  Error: {kind.lower()} "{name}" not found'
        if key:
            namespace = wanted.owner.partition("_")[2]
            said = f"couldn't find key {key.removesuffix(')')} in {kind} {namespace}/{name}"
            yield f"if it has no such key: Warning  Failed  Error: {said}"
