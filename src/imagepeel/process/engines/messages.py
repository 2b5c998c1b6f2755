"""The exact words of runtimes and engines, as templates, and the exit codes that engines make of them."""

from __future__ import annotations

from imagepeel.process.spec.profiles import Engine, Runtime
from imagepeel.tables import ERRNO_GO, ERRNO_LIBC

__all__ = ["create_failed", "engine_refuses", "exec_failed"]

MOUNT = "<mount>"
"""Stands for the temporary directory where an engine mounted the rootfs on the host."""

MOUNT_HINT = (
    ": Are you trying to mount a directory onto a file (or vice-versa)? "
    "Check if the specified host path exists and is the expected type"
)
"""What dockerd adds to every ENOTDIR of a runtime, fitting or not."""


def docker_codes(engine: Engine, message: str, *, created: bool = True) -> tuple[int, int | None]:
    """Exit code of `docker run` and State.ExitCode for an API error with this text.

    The client reads the text (docker/cli `toStatusError`), the daemon too (moby `setExitCodeFromError`).
    `created` is False when the container was never created: then there is no state.
    """
    lower = message.lower()
    directory = engine.version >= (24,)  # the clients before do not know this errno
    if "executable file not found" in lower or "no such file or directory" in lower:
        client = 127
    elif "permission denied" in lower or (directory and "is a directory" in lower):
        client = 126
    else:
        client = 125
    if not created:
        return client, None
    if any(part in lower for part in ("executable file not found", "no such file or directory", "not a directory")):
        state = 127
    elif "permission denied" in lower or (directory and "is a directory" in lower):
        state = 126
    else:
        state = 128
    return client, state


def podman_code(message: str) -> int:
    """Exit code of `podman run` for a failure before the process exists."""
    lower = message.lower()
    if "permission denied" in lower or "operation not permitted" in lower or "is a directory" in lower:
        return 126
    if "not found" in lower or "no such file" in lower:
        return 127
    return 126


def _docker_prefix(engine: Engine) -> str:
    task = "" if engine.version < (23,) else "failed to create task for container: "
    return f"Error response from daemon: {task}failed to create shim task: OCI runtime create failed: "


def runtime_prefix(runtime: Runtime, *, init: bool = False, run: bool = True) -> str:
    """What stands before the cause in the runtime's own message; `init`: an error that 1.1 already marked."""
    if runtime.family == "crun":
        return ""
    verb = "run" if run else "create"
    infix = runtime.init_infix or ("error during container init: " if init else "")
    return f"runc {verb} failed: unable to start container process: {infix}"


class Words:
    """One failure before the process exists (J2), worded by the bare runtime and by the engine above it."""

    def __init__(self, runtime_text: str, text: str, exit_code: int | None, state_exit_code: int | None) -> None:
        self.runtime_text = runtime_text
        self.text = text
        self.exit_code = exit_code
        self.state_exit_code = state_exit_code


def create_failed(engine: Engine, runtime: Runtime, message: str, *, init: bool = False, bare: bool = False) -> Words:
    """A failure of the runtime's create: prefix, engine envelope and codes.

    `init` marks causes that runc 1.1 reports as `error during container init`; `bare` those without the
    `unable to start container process` prefix (they are found before the init process exists).
    """
    if runtime.family == "crun":
        own = by_create = message
    elif bare:
        own, by_create = f"runc run failed: {message}", f"runc create failed: {message}"
    else:
        own = runtime_prefix(runtime, init=init) + message
        by_create = runtime_prefix(runtime, init=init, run=False) + message
    if engine.family == "docker":
        hint = MOUNT_HINT if "not a directory" in by_create else ""
        shown = f"{_docker_prefix(engine)}{by_create}: unknown{hint}"
        client, state = docker_codes(engine, shown)
        return Words(own, shown, client, state)
    if engine.family == "podman":
        code = podman_code(message)
        tail = ""
        if "no such file" in message.lower() or "not found" in message.lower():
            tail = ": OCI runtime attempted to invoke a command that was not found"
        elif "permission denied" in message.lower() or "operation not permitted" in message.lower():
            tail = ": OCI permission denied"
        else:
            tail = ": OCI runtime error"
        if tail == ": OCI runtime error":
            return Words(own, f"Error: OCI runtime error: {runtime.family}: {by_create}", code, None)
        return Words(own, f"Error: {runtime.family}: {by_create}{tail}", code, None)
    if engine.family == "containerd":
        shown = f"ctr: failed to create shim task: OCI runtime create failed: {by_create}: unknown"
        return Words(own, shown, 1, None)
    if engine.family == "k8s":
        shown = (
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
            f"{by_create}: unknown"
        )
        return Words(own, shown, 128, 128)
    return Words(own, own, 1, None)


def exec_failed(engine: Engine, runtime: Runtime, path: str, errno: str) -> Words:
    """A failure of execve itself: the container has started, the words are on its own standard error."""
    if runtime.family == "crun":
        hint = " (missing dynamic library?)" if errno == "ENOENT" else ""
        own = f"exec container process{hint} `{path}`: {ERRNO_LIBC[errno]}"
    else:
        own = f"exec {path}: {ERRNO_GO[errno]}"
    code = runtime.exec_exit
    return Words(own, own, code, code if engine.family in {"docker", "k8s"} else None)


def engine_refuses(engine: Engine, message: str, *, created: bool = True) -> Words:
    """A refusal of the engine itself (J1); `created`: False when it happens before the container exists."""
    if engine.family == "docker":
        shown = f"Error response from daemon: {message}"
        client, state = docker_codes(engine, message, created=created)
        return Words("", shown, client, state)
    if engine.family == "podman":
        return Words("", f"Error: {message}", 126 if created else 125, None)
    if engine.family == "containerd":
        inside = "" if message.startswith("invalid USER") else f"mount callback failed on {MOUNT}: "
        return Words("", f"ctr: {inside}{message}", 1, None)
    if engine.family == "k8s":
        return Words("", message, None, None)
    return Words("", message, None, None)
