"""The words about a process that is executed in a container that runs: a probe, a hook, a health check.

Sources: runc's utils_linux.go and containerd's internal/cri/server/container_execsync.go for the words, moby's
daemon/health.go for health checks, which were measured with dockerd 20.10.24.
"""

from __future__ import annotations

import msgspec

from imagepeel.oci.config import RunConfig
from imagepeel.process.engines.registry import find_engine, find_runtime
from imagepeel.process.spec.failure import Judge, Outcome
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Verdict


def executed(verdict: Verdict, options: ProcessOptions) -> Verdict:
    """The verdict with the words of an exec where those of a create stand."""
    if verdict.kind is not Outcome.FAILS or verdict.judge is not Judge.RUNTIME:
        return verdict
    engine = find_engine(options.engine)[0]
    runtime = find_runtime(options.runtime or engine.runtime)
    words = engine.exec_failed(runtime.exec_refusal(verdict.message))
    return msgspec.structs.replace(verdict, text=words, exit_code=None, state_exit_code=None)


def health_words(config: RunConfig) -> tuple[str, ...]:
    """The words that an image's HEALTHCHECK executes, () where it has none or switches it off."""
    test = config.healthcheck.test if config.healthcheck is not None else ()
    if not test or test[0] == "NONE":
        return ()
    if test[0] == "CMD-SHELL":
        return (*(config.shell or ("/bin/sh", "-c")), *test[1:2])
    return tuple(test[1:])
