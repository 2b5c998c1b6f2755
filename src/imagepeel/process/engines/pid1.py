"""Who is process 1 in the end, which signal it is sent, whether it listens, and how long a stop takes.

The kernel gives process 1 no default signal actions: a signal without a handler is dropped, SIGKILL excepted.
"""

from __future__ import annotations

import msgspec

from imagepeel._lazy import late
from imagepeel.process.engines.engine import Engine
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Hears, PidOne, PidOneKind, StopSignalOrigin, StopTime

# signal.h of Linux on x86 and arm (the same numbers for all of these).
SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10,
    "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19,
    "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28,
    "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "IOT": 6, "CLD": 17,
}  # fmt: skip
_RT = late(r"RTM(IN|AX)([+-]\d{1,2})?")

HEARS: Hears = "yes"
DEAF: Hears = "no"
UNSURE: Hears = "unknown"

# Programs whose behaviour as process 1 is documented or measured; everything else stays unknown.
_INITS = {
    "tini": "an init: it forwards signals and reaps children",
    "docker-init": "an init: it forwards signals and reaps children",
    "podman-init": "an init: it forwards signals and reaps children",
    "catatonit": "an init: it forwards signals and reaps children",
    "dumb-init": "an init: it forwards signals and reaps children",
    "s6-svscan": "an init: it stops its services",
}
"""Inits, which hear every signal, and what they do with it."""

_KNOWN: dict[str, tuple[Hears, str]] = {
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
_DEAF_APPLETS = frozenset({"httpd"})
"""Applets of busybox that have the name of another program and do not hear (busybox 1.35, seen)."""
_SESSIONS = frozenset({"su", "runuser"})
"""They wait two seconds for their child to end, whether it does so or not, and end with 143 (util-linux 2.38, seen)."""
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


class LastProgram(msgspec.Struct, frozen=True, kw_only=True):
    """The program that stays as process 1, as far as it was followed.

    `uid`, `gid` and `groups` are its effective ids, `chain` the programs that replaced each other before it.
    `hints` are what the ELF file says about its making (`go`, `no-handlers`).  `script`: it reads a script whose end
    is not known; `waits_for` is the child a shell waits for, `traps` are the signals of its traps; `wrapper`: it has
    started another program, and `forwards` signals to it.  `exact` is False where the text does not prove that this
    program stays, `why` a reason found on the way.  `leaves` says why it ends at once, `keep` how it would stay.
    """

    argv: tuple[str, ...]
    path: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    chain: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    script: bool = False
    waits_for: str = ""
    traps: tuple[str, ...] = ()
    wrapper: bool = False
    forwards: bool = False
    exact: bool = True
    why: str = ""
    leaves: str = ""
    keep: str = ""


def stop_signal(wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> tuple[str, StopSignalOrigin, str]:
    """The signal of a stop, who chose it, and a note when the image's is invalid."""
    asked = options.stop_signal if engine.knows_stop_signal else None
    given = asked or wanted.stop_signal
    origin: StopSignalOrigin = "an option of this call" if asked else "StopSignal of the image"
    if not given or engine.bad_stop_signal == "ignored":
        note = f"StopSignal {given} is not read by this engine" if given else ""
        return "SIGTERM", "default", note
    number = parse_signal(given)
    if number is not None:
        return signal_name(number), origin, ""
    note = {
        "sigterm": f"StopSignal {given!r} is no signal: the engine silently sends SIGTERM",
        "refuse": f"StopSignal {given!r} is no signal: the engine refuses to create the container",
        "cannot-stop": f"StopSignal {given!r} is no signal: stopping fails with 'failed to parse stop signal'",
    }[engine.bad_stop_signal]
    return "SIGTERM", "default", note


def describe(program: LastProgram, wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> PidOne:
    """Process 1 as a value: what it is, whether it hears the stop signal, how long a stop takes."""
    signal, origin, note = stop_signal(wanted, options, engine)
    grace = engine.grace
    if wanted.stop_timeout is not None and engine.reads_stop_timeout:
        grace = wanted.stop_timeout
    kind, hears, reason = _hearing(program, signal)
    if program.wrapper and kind == "program":
        kind = "wrapper"
        hears = HEARS if program.forwards else DEAF
        reason = "it passes signals on to its child" if program.forwards else "it passes no signal on"
    stop = None
    if program.wrapper and program.path.rsplit("/", 1)[-1] in _SESSIONS and signal == "SIGTERM":
        hears, reason, stop = (
            HEARS,
            "it ends its child and itself with SIGTERM, after 2 seconds",
            StopTime(least=2, most=2),
        )
    if signal == "SIGKILL":
        hears, reason = HEARS, "SIGKILL cannot be handled or ignored"
    fix = ""
    if program.leaves:
        hears, reason, fix = UNSURE, program.leaves, program.keep
    if hears == DEAF:
        # A program that is process 1 already gains nothing from exec.
        fix = "put an init in front (--init, tini)"
        if kind == "shell" and len(program.argv) == 1 and not program.waits_for:
            fix = "name a program in CMD or ENTRYPOINT"
        elif kind == "shell" or not program.exact:
            fix = f"start it with exec, or {fix}"
    if stop is None and not program.leaves:
        stop = _stop_time(hears, grace, at_once=signal == "SIGKILL" or "go" in program.hints)
    return PidOne(
        argv=program.argv,
        path=program.path,
        exact=program.exact,
        ends_at_once=bool(program.leaves),
        uid=program.uid,
        gid=program.gid,
        groups=program.groups,
        chain=program.chain,
        kind=kind,
        hears_sigterm=hears,
        stop_signal=signal,
        stop_signal_origin=origin,
        grace_seconds=grace,
        seconds_to_stop="" if stop is None else stop.words,
        stop=stop,
        why="; ".join(
            part for part in (reason, program.why, *((note, _setting(engine)) if not program.leaves else ())) if part
        ),
        fix=fix,
    )


def _setting(engine: Engine) -> str:
    return f"{engine.grace} s is the default of {engine.grace_setting}" if engine.grace_setting else ""


def _hearing(program: LastProgram, signal: str) -> tuple[PidOneKind, Hears, str]:
    """What kind of program it is, whether it hears the signal, and why."""
    name = program.path.rsplit("/", 1)[-1] or (program.argv[0].rsplit("/", 1)[-1] if program.argv else "")
    called = program.argv[0].rsplit("/", 1)[-1] if program.argv else ""
    shell = name in SHELL_NAMES and (called in SHELL_NAMES or name != "busybox")
    if program.waits_for:
        waits = f"a shell stays process 1 and waits for {program.waits_for}"
        if signal.removeprefix("SIG") in program.traps:
            return "shell", UNSURE, f"{waits}; its trap for {signal} runs after that"
        return "shell", DEAF, f"{waits}; it neither handles nor forwards {signal}"
    if shell and len(program.argv) > 1:
        reason = "a shell reads a script; what it does with signals depends on traps and exec in it"
        return "shell", UNSURE, reason
    if shell:
        return "shell", DEAF, "it ignores SIGTERM at a terminal; without one its input is empty, and it ends at once"
    if name == "busybox" and called in _DEAF_APPLETS:
        return "program", DEAF, f"{called} of busybox installs no handler, and process 1 has no default action"
    known = called if called in _INITS or called in _KNOWN else name
    if known in _INITS or known in _KNOWN:
        hears, reason = (HEARS, _INITS[known]) if known in _INITS else _KNOWN[known]
        if hears == HEARS and "no-handlers" in program.hints:
            reason = f"it is called {called or name}, but it imports nothing that could handle a signal"
            return "program", UNSURE, reason
        return "init" if known in _INITS else "program", hears, reason
    if "go" in program.hints:
        return "program", HEARS, "a Go program: its runtime handles SIGTERM and exits, also as process 1"
    if program.script:
        return "script", UNSURE, "an interpreter runs a program; without a handler in it the signal is dropped"
    return "program", UNSURE, "whether it handles the signal is not written in the image"


def _stop_time(hears: Hears, grace: int, *, at_once: bool) -> StopTime | None:
    """How long a stop takes, `grace` seconds at most where an engine has such a time; None: nobody can tell."""
    if not grace:
        return StopTime(never=True) if hears == DEAF else None
    if hears == DEAF:
        return StopTime(least=grace, most=grace, killed=True)
    # That a server handles the signal does not say how long it takes to finish what it does.
    return StopTime(most=0 if hears == HEARS and at_once else grace)
