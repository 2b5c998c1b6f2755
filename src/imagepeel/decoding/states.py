"""What is no refusal of a start and is read beside one: signals, exit codes, words of a kubelet for a state.

Sources: signal(7), the Pod lifecycle pages of Kubernetes, systemd.exec(5) ("Process Exit Codes"), bash(1) ("Exit
Status").
"""

from __future__ import annotations

import msgspec

from imagepeel._lazy import late


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is said about a container, and what it can mean, likeliest first."""

    id: str
    words: str
    causes: tuple[str, ...]
    friends: tuple[str, ...] = ()
    tell: str = ""
    """Which command tells the causes apart, by its name in `receipts.why`."""


SIGNALS: dict[int, tuple[str, str]] = {
    1: ("SIGHUP", "the terminal or the session ended"),
    2: ("SIGINT", "somebody pressed Ctrl-C, or STOPSIGNAL asks for it"),
    3: ("SIGQUIT", "a stop with STOPSIGNAL SIGQUIT, as nginx and php-fpm have it"),
    4: ("SIGILL", "the program has an instruction that this processor does not know: built for a newer one"),
    5: ("SIGTRAP", "the program stopped at a trap of its own, such as a failed check"),
    6: ("SIGABRT", "the program gave up by itself: an assertion, a C++ exception, a damaged heap"),
    7: ("SIGBUS", "a mapped file became shorter, or /dev/shm is full (64 MB unless --shm-size)"),
    8: ("SIGFPE", "the program divided by zero"),
    9: ("SIGKILL", "somebody killed it, and it could not refuse"),
    11: ("SIGSEGV", "the program touched memory that is not its own: a mistake in it or in a library"),
    13: ("SIGPIPE", "the reader of its output went away"),
    15: ("SIGTERM", "it was asked to stop, by docker stop, a kubelet or its own init"),
    24: ("SIGXCPU", "its limit of processor time is used up"),
    25: ("SIGXFSZ", "its limit of file size is reached"),
    31: ("SIGSYS", "a seccomp profile kills for a system call that it does not allow"),
}
"""Number, name and what sends it; the rest of signal(7) is about programs that ask for them."""

_KILLED = (
    "the kernel's OOM killer: the memory limit of the container, or of the machine",
    "a stop that took longer than its time: SIGTERM was not heard, SIGKILL followed",
    "somebody killed it: docker kill, a failed liveness probe, an eviction",
)
_MEANT: dict[int, tuple[str, ...]] = {
    9: _KILLED,
    15: (
        "it was stopped, and ended as asked: no failure",
        "a liveness or startup probe failed, and the kubelet stopped it",
    ),
    11: (
        "a mistake in the program or in a library",
        "a program for glibc on musl, or the reverse, that found a library under the right name",
        "an emulated processor (qemu) that runs an image for another machine",
    ),
}
_FRIENDS: dict[int, tuple[str, ...]] = {
    9: ("137 is not always memory: without OOMKilled in the state, look for a stop that was not heard.",),
    15: ("143 says that the signal ended it; a program that handles SIGTERM ends with 0.",),
    11: ("The engine did start it: nothing of the image's command is wrong.",),
}


def of_signal(number: int) -> State:
    """What it means that a signal ended a container."""
    name, sends = SIGNALS.get(number, (f"signal {number}", "a signal that no engine sends by itself"))
    return State(
        id=name,
        words=f"{name} ended it (exit code {128 + number}): {sends}",
        causes=_MEANT.get(number, (sends,)),
        friends=_FRIENDS.get(number, ()),
        tell="oom" if number == 9 else "state",
    )


_OUT_OF_MEMORY = State(
    id="oom-killed",
    words="the kernel killed a process of the container for its memory",
    causes=(
        "the memory limit of the container is too small for what it does",
        "the program takes its heap from the memory of the machine, not from the limit",
        "files in a tmpfs (/dev/shm, an emptyDir in memory) count as memory",
    ),
    friends=("The image is not at fault: it did start.",),
    tell="oom",
)
_CRASH_LOOP = State(
    id="crash-loop",
    words="it started and ended several times; the kubelet waits before the next time",
    causes=("the cause stands in the last state: its exit code, its message and its log",),
    friends=("It is no cause, and waiting does not help.",),
    tell="previous",
)
STATES: tuple[tuple[str, State], ...] = (
    ("OOMKilled", _OUT_OF_MEMORY),
    ("OOM Killed", _OUT_OF_MEMORY),
    ("CrashLoopBackOff", _CRASH_LOOP),
    ("Back-off restarting failed container", _CRASH_LOOP),
    *(
        (
            name,
            State(
                id="not-pulled",
                words="the image was not fetched: no start was tried",
                causes=(
                    "the name or the tag does not exist in the registry",
                    "the registry wants a login that the node does not have (imagePullSecrets)",
                    "the registry has no image for the platform of the node",
                    "the registry cannot be reached, or limits how often one may ask",
                ),
                friends=("Nothing is said about the image itself: nobody has seen it yet.",),
                tell="events",
            ),
        )
        for name in ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName")
    ),
    (
        "CreateContainerConfigError",
        State(
            id="config-error",
            words="the Pod refers to what the kubelet does not find or does not allow",
            causes=(
                "a ConfigMap, a Secret or a key of them is missing",
                "runAsNonRoot is set and the image runs as root, or as a user that is a name",
            ),
            tell="events",
        ),
    ),
    *(
        (
            name,
            State(
                id="not-created",
                words="engine or runtime refused the container; it never ran",
                causes=("the cause is the message behind it",),
                tell="events",
            ),
        )
        for name in ("RunContainerError", "CreateContainerError", "StartError")
    ),
    (
        "203/EXEC",
        State(
            id="systemd-exec",
            words="systemd could not execute the file of ExecStart (exit code 203)",
            causes=(
                "the file of ExecStart is not there, or its interpreter is not",
                "it may not be executed",
                "it is for another machine",
            ),
            friends=("It is the host's systemd that says so, about the engine's own program: no container is meant.",),
            tell="unit",
        ),
    ),
)
"""A word that stands for a state, and the state."""

_EXITS: dict[int, tuple[str, tuple[str, ...]]] = {
    0: ("it ended by itself, without an error", ("the command did all that it was told, and nothing keeps it alive",)),
    1: ("an error of the program's own", ("the program says what in its log",)),
    2: (
        "an error of the program's own, often wrong options or a shell's syntax",
        ("the program says what in its log",),
    ),
    125: ("the engine refused before anything ran", ()),
    126: ("what was to run is there and may not be executed", ()),
    127: ("what was to run, or a library of it, was not found", ()),
    128: ("the runtime could not start it, or an argument of exit was invalid", ()),
    203: ("systemd could not execute the file of ExecStart", ("the file is missing, closed, or for another machine",)),
    255: ("the runtime's own exit code after a failed execve, or exit -1 of a program", ()),
}


def of_exit(number: int) -> State:
    """What an exit code says by itself, without the failures that engines answer with it."""
    if 128 < number <= 128 + 64 and number - 128 in SIGNALS:
        return of_signal(number - 128)
    words, causes = _EXITS.get(number, ("an exit code of the program's own", ("the program says what in its log",)))
    return State(id=f"exit-{number}", words=f"exit code {number}: {words}", causes=causes, tell="state")


EXIT = late(
    r"(?:\b(?:[Ee]xit(?:ed|ing)?|[Rr]estarting)(?: with)?[ (:]{0,4}(?:[Cc]ode|[Ss]tatus)?\"?:? ?\(?"
    r"|returned a non-zero code: |code=exited, status=|[Ee]xitCode\"?:? ?)(\d{1,3})\b"
    r"|\b(?:code|status|Error|error)(?: code)? (12[5-8]|1[34]\d|255)\b"
)
"""An exit code in the words of docker ps, compose, kubectl, systemd, make and builders."""
KILLED = late(r"code=(?:killed|dumped), status=(\d{1,2})\b|\b(?:killed by|terminated by|signal:?) (SIG[A-Z0-9]{3,5})\b")
"""A signal in the words of systemd and of engines."""
NOT_KILLED = late(r"\"?OOMKilled\"?: {0,4}false")
"""What `docker inspect` says of every container that was not."""
