"""setarch and its names: the personality that it asks the kernel for, and who does not give it.

Sources: util-linux 2.38 (setarch.c), and what strace showed of each option.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.tables import ERRNO_LIBC, ErrnoName

_UNAME26 = 0x0020000
_FLAGS = {
    "-B": 0x0800000, "--32bit": 0x0800000,
    "-F": 0x0080000, "--fdpic-funcptrs": 0x0080000,
    "-I": 0x1000000, "--short-inode": 0x1000000,
    "-L": 0x0200000, "--addr-compat-layout": 0x0200000,
    "-R": 0x0040000, "--addr-no-randomize": 0x0040000,
    "-S": 0x2000000, "--whole-seconds": 0x2000000,
    "-T": 0x4000000, "--sticky-timeouts": 0x4000000,
    "-X": 0x0400000, "--read-implies-exec": 0x0400000,
    "-Z": 0x0100000, "--mmap-page-zero": 0x0100000,
    "-3": 0x8000000, "--3gb": 0x8000000,
    "--uname-2.6": _UNAME26,
}  # fmt: skip
_MACHINES = {"uname26": _UNAME26, "linux64": 0, "x86_64": 0, "aarch64": 0, "ppc64": 0, "ppc64le": 0, "s390x": 0}
_MACHINES |= dict.fromkeys(("linux32", "i386", "i486", "i586", "i686", "athlon", "arm", "ppc", "s390"), 8)
"""What each machine's name stands for, of those that are common: PER_LINUX is 0, PER_LINUX32 is 8."""

LET_THROUGH = frozenset({0, 8, _UNAME26, _UNAME26 | 8, 0xFFFFFFFF})
"""The personalities that the seccomp profiles of docker, podman and containerd allow."""


def refusal(
    argv: Sequence[str], wrapped: Wrapped, *, one_only: bool, seccomp_errno: ErrnoName
) -> Failure | Unproved | None:
    """Why setarch ends before its command; None where it gets what it asks for.

    `one_only`: the kernel has a single personality.  `seccomp_errno` is what the engine's seccomp profile answers to
    a call that it does not let through, "" where there is no profile.
    """
    called = argv[0].rsplit("/", 1)[-1]
    first = next(iter(argv[1:]), "-")
    machine = called if called != "setarch" else "" if first.startswith("-") else first
    flags = 0
    for option in wrapped.options:
        flags |= _FLAGS.get(option, 0)
    if not machine and not flags:
        return _fails(f"{called}: no architecture argument or personality flags specified", "it is given neither")
    asked = _MACHINES.get(machine, 0) | flags
    errno: ErrnoName = ""
    if seccomp_errno and asked not in LET_THROUGH:
        errno = seccomp_errno
        who = f"personality {asked:#x}, which the engine's seccomp profile does not let through"
    elif one_only:
        errno, who = "EINVAL", "another personality, and this kernel has one only"
    if machine and machine not in _MACHINES:
        return Unproved(reason=f"whether {called} knows the architecture {machine} is not known")
    if not errno:
        return None
    words = f"{called}: failed to set personality to {machine or '(null)'}: {ERRNO_LIBC[errno]}"
    return _fails(words, f"{called} asks for {who}")


def _fails(message: str, why: str) -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=message,
        exit_code=1,
        why=why,
        fix="start the program without it",
    )
