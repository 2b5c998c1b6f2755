"""S9: who is process 1 in the end, which signal it is sent, whether it listens, and how long a stop takes.

The kernel gives process 1 no default signal actions: a signal without a handler is dropped, SIGKILL excepted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagepeel.process.spec.intent import ProcessSpec
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import Engine
from imagepeel.process.spec.values import PidOne

# signal.h of Linux on x86 and arm (the same numbers for all of these).
SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10,
    "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19,
    "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28,
    "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "IOT": 6, "CLD": 17,
}  # fmt: skip
_RT = re.compile(r"RTM(IN|AX)([+-]\d{1,2})?")

HEARS = "yes"
DEAF = "no"
UNSURE = "unknown"

# Programs whose behaviour as process 1 is documented or measured; everything else stays unknown.
_KNOWN = {
    "tini": (HEARS, "an init: it forwards signals and reaps children"),
    "docker-init": (HEARS, "an init: it forwards signals and reaps children"),
    "podman-init": (HEARS, "an init: it forwards signals and reaps children"),
    "catatonit": (HEARS, "an init: it forwards signals and reaps children"),
    "dumb-init": (HEARS, "an init: it forwards signals and reaps children"),
    "s6-svscan": (HEARS, "an init: it stops its services"),
    "nginx": (HEARS, "it handles SIGTERM (fast) and SIGQUIT (graceful)"),
    "postgres": (HEARS, "it handles SIGTERM (smart), SIGINT (fast) and SIGQUIT"),
    "redis-server": (HEARS, "it handles SIGTERM"),
    "java": (HEARS, "the JVM handles SIGTERM and runs its shutdown hooks"),
    "httpd": (HEARS, "it handles SIGTERM and SIGWINCH"),
    "apache2": (HEARS, "it handles SIGTERM and SIGWINCH"),
    "mysqld": (HEARS, "it handles SIGTERM"),
    "mariadbd": (HEARS, "it handles SIGTERM"),
    "mongod": (HEARS, "it handles SIGTERM"),
    "sleep": (DEAF, "it installs no handler, and process 1 has no default action"),
    "tail": (DEAF, "it installs no handler, and process 1 has no default action"),
    "cat": (DEAF, "it installs no handler, and process 1 has no default action"),
    "npm": (DEAF, "npm is no init: it starts a shell that starts the program"),
    "yarn": (DEAF, "yarn is no init: it starts the program as a child"),
}
SHELL_NAMES = frozenset({"sh", "bash", "dash", "ash", "busybox", "zsh", "ksh", "mksh"})


def parse_signal(word: str) -> int | None:
    """A signal by number or name, with or without SIG, in any case; None when no engine knows it."""
    name = word.strip().upper().removeprefix("SIG")
    if name.isdigit() and name.isascii() and len(name) <= 3:
        number = int(name)
        return number if 0 < number <= 64 else None
    if name in SIGNALS:
        return SIGNALS[name]
    match = _RT.fullmatch(name)
    if match is None:
        return None
    number = (34 if match.group(1) == "IN" else 64) + int(match.group(2) or 0)
    return number if 34 <= number <= 64 else None


def signal_name(number: int) -> str:
    """The name people write: SIGTERM, SIGRTMIN+3."""
    for name, value in SIGNALS.items():
        if value == number:
            return f"SIG{name}"
    return "SIGRTMIN" + (f"+{number - 34}" if number > 34 else "")


def stop_signal(wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> tuple[str, str, str]:
    """The signal of a stop, who chose it, and a note when the image's is invalid."""
    given = options.stop_signal or wanted.stop_signal
    origin = "an option of this call" if options.stop_signal else "StopSignal of the image"
    if not given or engine.family in {"containerd", "bundle"}:
        note = f"StopSignal {given} is not read by this engine" if given else ""
        return "SIGTERM", "default", note
    number = parse_signal(given)
    if number is not None:
        return signal_name(number), origin, ""
    note = {
        "sigterm": f"StopSignal {given!r} is no signal: the engine silently sends SIGTERM",
        "refuse": f"StopSignal {given!r} is no signal: the engine refuses to create the container",
        "cannot-stop": f"StopSignal {given!r} is no signal: stopping fails with 'failed to parse stop signal'",
    }.get(engine.bad_stop_signal, "")
    return "SIGTERM", "default", note


def describe(
    argv: Sequence[str],
    path: str | None,
    wanted: ProcessSpec,
    options: ProcessOptions,
    engine: Engine,
    *,
    chain: Sequence[str] = (),
    exact: bool = True,
    script: bool = False,
    hints: Sequence[str] = (),
    waits_for: str = "",
    why: str = "",
    fix: str = "",
    uid: int = 0,
    gid: int = 0,
    groups: Sequence[int] = (),
    traps: Sequence[str] = (),
    wrapper: bool = False,
    forwards: bool = False,
) -> PidOne:
    """Process 1 as a value.

    `argv` and `path` are the program that stays; `script`: it reads a script whose end we do not know; `waits_for`
    names the child a shell waits for; `chain` the programs that replaced each other before, `hints` what the ELF
    file says about its making (`go`), `why` a reason found on the way.
    """
    signal, origin, note = stop_signal(wanted, options, engine)
    grace = wanted.stop_timeout if wanted.stop_timeout is not None and engine.family == "docker" else engine.grace
    name = (path or (argv[0] if argv else "")).rsplit("/", 1)[-1]
    called = argv[0].rsplit("/", 1)[-1] if argv else ""
    kind = "program"
    hears, reason = UNSURE, "whether it handles the signal is not written in the image"
    shell = name in SHELL_NAMES and (called in SHELL_NAMES or name != "busybox")
    if waits_for or (shell and len(argv) > 1):
        kind = "shell"
        hears = DEAF if waits_for else UNSURE
        reason = "a shell reads a script; what it does with signals depends on traps and exec in it"
        if waits_for:
            reason = f"a shell stays process 1 and waits for {waits_for}; it neither handles nor forwards {signal}"
            if signal.removeprefix("SIG") in traps:
                hears = UNSURE
                reason = f"a shell stays process 1 and waits for {waits_for}; its trap for {signal} runs after that"
    elif shell:
        kind, hears, reason = "shell", DEAF, "an interactive shell ignores SIGTERM"
    elif called in _KNOWN or name in _KNOWN:
        hears, reason = _KNOWN[called] if called in _KNOWN else _KNOWN[name]
        kind = "init" if "an init" in reason else "program"
        if hears == HEARS and "no-handlers" in hints:
            reason = f"it is called {called or name}, but it imports nothing that could handle a signal"
            hears, kind = UNSURE, "program"
    elif "go" in hints:
        hears, reason = HEARS, "a Go program: its runtime handles SIGTERM and exits, also as process 1"
    elif script:
        kind, reason = "script", "an interpreter runs a program; without a handler in it the signal is dropped"
    if wrapper and kind == "program":
        kind = "wrapper"
        hears, reason = (HEARS, "it passes signals on to its child") if forwards else (DEAF, "it passes no signal on")
    if signal == "SIGKILL":
        hears, reason = HEARS, "SIGKILL cannot be handled or ignored"
    seconds = ""
    if grace:
        # That a server handles the signal does not say how long it takes to finish what it does.
        at_once = signal == "SIGKILL" or "go" in hints
        open_end = f"0 to {grace}"
        told = {HEARS: "0" if at_once else open_end, DEAF: f"{grace}, then SIGKILL (exit 137)"}
        seconds = told.get(hears, open_end)
    elif hears == DEAF:
        seconds = "never by that signal: this engine has no grace period of its own"
    if hears == DEAF and not fix:
        # A program that is process 1 already gains nothing from exec.
        fix = "put an init in front (--init, tini)"
        if kind == "shell" or not exact:
            fix = f"start it with exec, or {fix}"
    return PidOne(
        argv=tuple(argv),
        path=path,
        exact=exact,
        uid=uid,
        gid=gid,
        groups=tuple(groups),
        chain=tuple(chain),
        kind=kind,
        hears_sigterm=hears,
        stop_signal=signal,
        stop_signal_origin=origin,
        grace_seconds=grace,
        seconds_to_stop=seconds,
        why="; ".join(part for part in (reason, why, note) if part),
        fix=fix,
    )
