"""chrt, choom and ionice: what they ask the kernel for before their command, and who does not get it.

Sources: util-linux 2.38 (chrt.c, choom.c, ionice.c), and each text as runc 1.1 showed it with docker's capabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.tables import ErrnoName

_POLICIES = {
    "-o": "other", "--other": "other", "-b": "batch", "--batch": "batch", "-i": "idle", "--idle": "idle",
    "-f": "fifo", "--fifo": "fifo", "-r": "rr", "--rr": "rr", "-d": "deadline", "--deadline": "deadline",
}  # fmt: skip
_PRIORITIES = {"other": (0, 0), "batch": (0, 0), "idle": (0, 0), "fifo": (1, 99), "rr": (1, 99)}
"""The least and the highest priority of each policy; that of a deadline is a matter of its own."""
_REALTIME = frozenset({"1", "realtime"})


def refusal(argv: Sequence[str], wrapped: Wrapped, actor: Actor, *, measured: bool) -> Failure | Unproved | None:
    """Why one of these three ends before its command; None where it gets what it asks for.

    `argv` is its whole vector, and `actor` who it is.  `measured`: the kernel is Linux itself.
    """
    found = _JUDGES[wrapped.program](argv, wrapped, actor)
    if found is not None and (not measured or wrapped.family == "busybox"):
        return Unproved(reason=f"whether {wrapped.program} gets what it asks for was not measured")
    return found


def _value(wrapped: Wrapped, *names: str) -> str:
    """The last value of an option, "" without one."""
    given = [option.partition(" ") for option in wrapped.options]
    return next((value for name, _, value in reversed(given) if name in names), "")


def _chrt(argv: Sequence[str], wrapped: Wrapped, actor: Actor) -> Failure | Unproved | None:
    asked = [_POLICIES[option] for option in wrapped.options if option in _POLICIES]
    policy = asked[-1] if asked else "rr"
    priority = argv[-len(wrapped.argv) - 1]
    if policy not in _PRIORITIES or not priority.isdecimal():
        return Unproved(reason=f"what chrt does with the policy {policy} and the priority {priority} was not measured")
    least, most = _PRIORITIES[policy]
    if not least <= int(priority) <= most:
        return _fails(
            f"chrt: unsupported priority value for the policy: {int(priority)}: see --max for valid range",
            f"chrt asks for the priority {int(priority)}, and the policy {policy} has {least} to {most}",
        )
    if most and "SYS_NICE" not in actor.capabilities:
        return _no_right("chrt: failed to set pid 0's policy", f"chrt asks for the policy {policy}", "SYS_NICE")
    return None


def _ionice(argv: Sequence[str], wrapped: Wrapped, actor: Actor) -> Failure | None:
    ignores = {"-t", "--ignore"} & set(wrapped.options)
    may = {"SYS_NICE", "SYS_ADMIN"} & actor.capabilities
    if _value(wrapped, "-c", "--class").lower() not in _REALTIME or ignores or may:
        return None
    return _no_right("ionice: ioprio_set failed", "ionice asks for the class realtime", "SYS_NICE")


def _choom(argv: Sequence[str], wrapped: Wrapped, actor: Actor) -> Unproved | None:
    if not _value(wrapped, "-n", "--adjust").startswith("-") or "SYS_RESOURCE" in actor.capabilities:
        return None
    return Unproved(
        reason="choom asks for a lower score without CAP_SYS_RESOURCE, and the score that the engine gives decides"
    )


_JUDGES = {"chrt": _chrt, "ionice": _ionice, "choom": _choom}


def _no_right(what: str, asks: str, right: str) -> Failure:
    return _fails(
        f"{what}: Operation not permitted", f"{asks}, which takes CAP_{right}", errno="EPERM",
        fix=f"start the program without it, or add the capability {right}",
    )  # fmt: skip


def _fails(message: str, why: str, *, errno: ErrnoName = "", fix: str = "start the program without it") -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        errno=errno,
        message=message,
        exit_code=1,
        why=why,
        fix=fix,
    )
