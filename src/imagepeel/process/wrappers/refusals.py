"""What a program that changes who runs refuses: it has no right to, or there is no such user."""

from __future__ import annotations

from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.values import Credentials


def no_right(message: str, *, program: str, to: str, call: str, old: Credentials, exit_code: int = 1) -> Failure:
    """A switcher that may not do what it is for; `to` is whom it should become and `call` what the kernel refuses."""
    right = "CAP_SETUID" if call == "setuid" else "CAP_SETGID"
    who = f"root without {right}" if old.uid == 0 else f"uid {old.uid}, which has no {right}"
    keep = f"do not drop {right}" if old.uid == 0 else f"start as root, or run the command without {program}"
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        errno="EPERM",
        message=message,
        exit_code=exit_code,
        why=f"{program} cannot become {to}: it runs as {who}, and {call} is not permitted",
        fix=keep,
    )


def refused_name(program: str, message: str, exit_code: int, name: str) -> Failure:
    """There is no such user or group."""
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=message,
        exit_code=exit_code,
        why=f"{program} cannot switch to {name}: the image has no such user or group",
        fix=f"add {name} to /etc/passwd and /etc/group of the image",
    )
