"""Wrappers in the chain: env, nice, tini, gosu and their like, followed to the program they become or start."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.process import shelling
from imagepeel.process.engines.lookup import find_as_go, too_many
from imagepeel.process.kernel.execve import ExecveResult
from imagepeel.process.simulation import Simulation
from imagepeel.process.spec import trace
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Stage, Unproved
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Step
from imagepeel.process.wrappers.asking import Answer, Asking
from imagepeel.process.wrappers.programs import (
    S6_NOT_PID1,
    ExecvpResult,
    Libc,
    Wrapped,
    execvp,
    failure,
    is_s6_init,
    with_shell,
)
from imagepeel.tables import ERRNO_GO, ERRNO_MUSL, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

_STATIC = 1 << 22
"""Bytes of a static program that are searched for the words of its C library."""

_FIX = "install {0} in the image or correct the command"


def follow(sim: Simulation, chain: ExecveResult, wrapped: Wrapped, state: ProcessState, depth: int) -> None:
    """A wrapper runs as `chain`: say what it does with its arguments and go on with the program behind it."""
    name = wrapped.program
    place = trace.locate(sim.rootfs, chain.final or b"/")
    ends = {
        "exec": "becomes", "fork": "stays and starts", "supervise": "stays as init and starts",
        "detach": "starts in the background and ends",
    }.get(wrapped.kind, "runs no other program")  # fmt: skip
    command = " ".join(wrapped.argv)
    sim.steps.append(
        Step(
            rule=Stage.PROGRAM, judge=Judge.USERLAND, round=sim.round, title=f"{name} {ends} {command}".rstrip(),
            detail=tuple(part for part in (wrapped.why, *_effects(wrapped)) if part),
            path=text(chain.final or b""), where=place,
        )
    )  # fmt: skip
    if wrapped.kind == "detach" and wrapped.argv:
        why = f"{name} starts {command} in the background and ends at once with 0"
        sim.leave(chain, state, why, f"start {wrapped.argv[0]} itself")
        return
    if wrapped.kind in {"none", "unknown", "detach"} or not wrapped.argv:
        sim.stay(chain, state, why=wrapped.why, exact=wrapped.kind != "unknown")
        if wrapped.kind == "unknown":
            sim.unproved(wrapped.why)
        if wrapped.kind == "none" and wrapped.failure_exit:
            sim.unproved(f"{wrapped.why}; its words were not measured")
        return
    behind = _state_behind(sim, chain, wrapped, state)
    if isinstance(behind, Unproved):
        sim.stay(chain, state, why=behind.reason, exact=False)
        sim.unproved(behind.reason)
        return
    if isinstance(behind, Failure):
        if wrapped.stays:
            sim.stay(chain, state, forwards=wrapped.forwards, why=wrapped.why, wrapper=True)
        sim.fail(state, msgspec.structs.replace(behind, where=place))
        sim.stay(chain, state, why=behind.why)
        if not state.certain:
            sim.unproved(f"{behind.why}, unless what comes before changes that")
        return
    inner, wrapped = behind
    if wrapped.stays:
        own = state
        if wrapped.program in _SESSIONS:
            held = msgspec.structs.replace(state.credentials, groups=inner.credentials.groups)
            own = msgspec.structs.replace(state, credentials=held)
        sim.stay(chain, own, forwards=wrapped.forwards, why=wrapped.why, wrapper=True)
    if wrapped.root not in {"", "/"}:
        why = f"{name} changes the root to {wrapped.root}, where nothing is followed"
        sim.stay(chain, state, why=why, exact=False)
        sim.unproved(why)
        return
    if wrapped.hangs:
        inner = msgspec.structs.replace(inner, certain=False)
    sim.assumes.extend(wrapped.assumes)
    _start(sim, chain, wrapped, inner, depth, sure=state.certain and not wrapped.hangs and wrapped.changed < 2)
    if wrapped.hangs:
        sim.unproved(f"nothing in the image tells whether `{wrapped.hangs}` succeeds, and {name} ends where it fails")
    if sim.pid1 is None:
        sim.stay(chain, state, exact=False)


def _effects(wrapped: Wrapped) -> list[str]:
    found = []
    if wrapped.user:
        found.append(f"as user {wrapped.user}")
    if wrapped.env_clear:
        found.append("with an empty environment")
    for key, value in wrapped.env.items():
        found.append(f"without {key}" if value is None else f"with {key}={value}")
    if wrapped.cwd:
        found.append(f"in {wrapped.cwd}")
    return found


_SESSIONS = frozenset({"su", "runuser"})
"""Programs that take the groups of the user themselves and change the ids in their child only."""


def server_gives_up(sim: Simulation, chain: ExecveResult, state: ProcessState) -> str:
    """Why sshd or cron, which runs as `chain`, ends at once, in a sentence; "" where nothing speaks for it."""
    from imagepeel.process.wrappers import servers  # start time

    name = text(chain.final or b"").rsplit("/", 1)[-1]
    asking = _asking(sim, chain, Wrapped(program=name, family="dpkg", kind="none"), state)
    return servers.gives_up(asking, sim.rootfs.read(chain.final or b"", 0, _STATIC))


def _asked(sim: Simulation, chain: ExecveResult, wrapped: Wrapped, state: ProcessState) -> Answer:
    """What the wrapper that runs as `chain` gets of what it asks for."""
    from imagepeel.process.wrappers import demands  # start time

    return demands.asked(_asking(sim, chain, wrapped, state))


def _asking(sim: Simulation, chain: ExecveResult, wrapped: Wrapped, state: ProcessState) -> Asking:
    def starts(path: str) -> Failure | ErrnoName | None:
        begun = sim.attempt(path, (path.rsplit("/", 1)[-1],), state)
        if begun.failure is None and begun.final is not None and begun.loader is not None:
            return sim.closure(begun, path, state).failure or ""
        return begun.errno if begun.failure is not None else "" if begun.final is not None else None

    scenario = sim.scenario
    return Asking(
        wrapped=wrapped, argv=chain.argv, state=state, rootfs=sim.rootfs,
        image=shelling.ImageOfShell(sim, "dash", chain, state), program=chain.final or b"", starts=starts,
        utf8=_utf8(sim.rootfs, state.env), read_only=scenario.options.read_only, tty=scenario.options.tty,
        linux=not scenario.runtime.kernel.own, personalities=scenario.runtime.kernel.has_personalities,
        seccomp=scenario.engine.seccomp_errno, may_hold=lambda path: scenario.volume_at(path) is not None,
    )  # fmt: skip


def _state_behind(
    sim: Simulation, chain: ExecveResult, wrapped: Wrapped, state: ProcessState
) -> tuple[ProcessState, Wrapped] | Failure | Unproved:
    """The state of the program behind the wrapper that runs as `chain`, and the wrapper with its command settled."""
    env = {} if wrapped.env_clear else dict(state.env)
    for key, value in wrapped.env.items():
        if value is None:
            env.pop(key, None)
        else:
            env[key] = value
    hidden = (state.hidden - {*wrapped.env}).union(wrapped.hidden)
    certain = state.certain and not wrapped.env_unknown and wrapped.changed < 2
    answer = _asked(sim, chain, wrapped, state)
    if not isinstance(answer, str):
        return answer
    if answer:
        sim.depends.append(answer)
    credentials, after = state.credentials, state.after
    if wrapped.user or wrapped.program in {"setpriv", "chroot", "capsh"}:
        program = sim.rootfs.resolve(chain.final).node if chain.final is not None else None
        called = chain.argv[0] if chain.argv else wrapped.program
        from imagepeel.process.wrappers.switching import switch  # start time

        glibc = chain.loader is not None and "ld-musl-" not in chain.loader
        switched = switch(sim.rootfs, wrapped, state, program=program, called=called, opened=chain.last, glibc=glibc)
        if isinstance(switched, Failure | Unproved):
            return switched
        credentials, after = switched.credentials, switched.actor
        certain = certain and switched.measured
        if switched.home is not None and (wrapped.sets_home or wrapped.program not in _SESSIONS):
            env["HOME"] = switched.home
        if wrapped.shell is not None:
            wrapped = with_shell(wrapped, switched.shell)
    cwd = posixpath.normpath(posixpath.join(state.cwd, wrapped.cwd)) if wrapped.cwd else state.cwd
    inner = msgspec.structs.replace(
        state, env=env, credentials=credentials, after=after, certain=certain, cwd=cwd,
        first=state.first and not wrapped.stays, hidden=hidden, changed=max(state.changed, wrapped.changed),
    )  # fmt: skip
    return inner, wrapped


def _start(
    sim: Simulation,
    chain: ExecveResult,
    wrapped: Wrapped,
    state: ProcessState,
    depth: int,
    *,
    libc: Libc | None = None,
    sure: bool = False,
) -> None:
    """Find the command as this wrapper does, start it, and word its failure.

    `libc` is asked of the image's file; `sure` tells that the wrapper itself runs for certain.
    """
    command = wrapped.argv[0]
    vector = _vector(wrapped)
    started: dict[str, ExecveResult] = {}

    def attempt(path: str) -> ErrnoName:
        if path not in started:
            started[path] = sim.attempt(path, vector, state)
        return started[path].errno

    path_value = state.env.get("PATH")
    if why := too_many(command, path_value):
        sim.unproved(why)
        return
    if wrapped.lookup == "go":
        _start_go(sim, chain, wrapped, state, depth)
        return
    libc = libc or _libc(sim.rootfs, chain)
    found = execvp(command, path_value, attempt, libc=libc)
    if found.shell and wrapped.lookup == "execve":
        found = msgspec.structs.replace(found, errno="ENOEXEC", shell=False)
    if found.shell:
        words = ("/bin/sh", found.path, *wrapped.argv[1:])
        begun = sim.attempt("/bin/sh", words, state)
        if begun.errno or begun.final is None:
            sim.unproved(f"{found.path} has no #! line and /bin/sh cannot read it")
            return
        _went_on(sim, chain, wrapped)
        sim.enter(begun, "/bin/sh", state, depth)
        return
    if found.errno:
        last = started.get(found.tried[-1][0]) if found.tried else None
        if sure and "/" in command:  # no variable has a say in it
            state = msgspec.structs.replace(state, certain=True)
        _refuse(sim, chain, wrapped, found, state, last=last, libc=libc)
        return
    begun = started[found.path]
    if begun.final is None:
        sim.record(begun)
        sim.unproved(begun.unknown)
        return
    _went_on(sim, chain, wrapped)
    sim.enter(begun, found.path, state, depth)


def _went_on(sim: Simulation, chain: ExecveResult, wrapped: Wrapped) -> None:
    """The command behind the wrapper really starts."""
    sim.wrapped.append(_vector(wrapped))
    if not wrapped.stays:
        sim.history.append(chain.argv[0])


def _refuse(
    sim: Simulation,
    chain: ExecveResult,
    wrapped: Wrapped,
    found: ExecvpResult,
    state: ProcessState,
    *,
    last: ExecveResult | None,
    libc: Libc,
) -> None:
    command = wrapped.argv[0]
    if last is not None and "/" in command:
        sim.record(last)
    called = chain.argv[0] if chain.argv else ""
    said = failure(wrapped, found.errno, called=called, libc=libc, utf8=_utf8(sim.rootfs, state.env))
    why = f"{wrapped.program} cannot start {command}: {ERRNO_GO.get(found.errno, found.errno)}"
    if last is not None and last.failure is not None and "/" in command:
        why += f" ({last.failure.why})"
    where = trace.locate(sim.rootfs, chain.scripts[0].canonical) if chain.scripts else None
    fix = _FIX.format(command)
    if command.endswith("\r"):
        script = chain.scripts[0].path if chain.scripts else "the command"
        why = f"the first line of {script} ends in CR LF: {wrapped.program} looks for {trace.quote(command)}"
        fix = f"sed -i 's/\\r$//' {chain.scripts[0].path}" if chain.scripts else "remove the CR"
    elif " " in command and wrapped.program == "env" and chain.scripts:
        fix = "write env -S in the first line, or name one word only"
    sim.fail(state, msgspec.structs.replace(said, why=why, fix=fix, where=where))
    if not state.certain:
        sim.unproved(f"{why}, as far as its environment can be told")
    sim.stay(chain, state, why=why)


def _vector(wrapped: Wrapped) -> tuple[str, ...]:
    """The argument vector that the command gets."""
    return (wrapped.argv0 or wrapped.argv[0], *wrapped.argv[1:])


def _libc(rootfs: Rootfs, chain: ExecveResult) -> Libc:
    """The C library of a program: its loader tells, and where it is static, the words of musl inside it."""
    if chain.loader is not None:
        return "musl" if "ld-musl-" in chain.loader else "glibc"
    found = rootfs.resolve(chain.final) if chain.final is not None else None
    if found is None or found.node is None or not found.node.is_file:
        return "glibc"
    try:
        program = rootfs.read(found.path, 0, min(found.node.size, _STATIC))
    except ImagepeelError:  # the kernel read its first bytes; what is damaged behind them says nothing of its library
        return "glibc"
    return "musl" if ERRNO_MUSL["ELOOP"].encode() in program else "glibc"


def _start_go(sim: Simulation, chain: ExecveResult, wrapped: Wrapped, state: ProcessState, depth: int) -> None:
    """Start the command of gosu, a Go program; the builds in use search PATH by the mode bits."""
    path_value = state.env.get("PATH")
    command = wrapped.argv[0]
    found = find_as_go(sim.rootfs, command, path_value, state.cwd, state.after, mode_bits=True, by=wrapped.program)
    if found.failure is not None:
        _go_gives_up(sim, chain, state, found.failure, found.failure.message)
        return
    if found.path is None:
        return
    begun = sim.attempt(found.path, wrapped.argv, state)
    if begun.failure is not None:
        sim.record(begun)
        _go_gives_up(sim, chain, state, begun.failure, f"exec failed: {ERRNO_GO.get(begun.errno, begun.errno)}")
        return
    if begun.final is None:
        sim.record(begun)
        sim.unproved(begun.unknown)
        return
    _went_on(sim, chain, wrapped)
    sim.enter(begun, found.path, state, depth)


def _go_gives_up(sim: Simulation, chain: ExecveResult, state: ProcessState, cause: Failure, message: str) -> None:
    failure = msgspec.structs.replace(
        cause,
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=f"error: {message}",
        exit_code=1,
        depends=(),
    )
    sim.fail(state, failure)
    sim.stay(chain, state, why=cause.why)


def behind_init(sim: Simulation, wrapped: Wrapped, chain: ExecveResult, state: ProcessState) -> None:
    """The command behind the init that the engine brings: s6 refuses, everything else starts as a child."""
    found = sim.rootfs.resolve(wrapped.argv[0])
    if found.path == b"/init" and found.node is not None and found.node.is_file:
        overlay = ("/package/admin/s6-overlay", "/etc/s6-overlay", "/usr/bin/s6-overlay-suexec")
        marked = is_s6_init(sim.rootfs.read(found.path, 0, 65_536))
        if marked or any(sim.rootfs.resolve(place).node is not None for place in overlay):
            sim.fail(state, S6_NOT_PID1)
            return
    _start(sim, chain, wrapped, state, 0, libc="glibc")  # the init is the host's, not a file of the image


def _utf8(rootfs: Rootfs, env: dict[str, str]) -> bool:
    """Whether coreutils gets a UTF-8 locale: C.UTF-8 takes its files too (glibc 2.36, seen)."""
    wanted = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    folded = wanted.lower().replace("-", "")
    if not folded.endswith("utf8"):
        return False
    names = (wanted, f"{wanted.partition('.')[0]}.utf8")
    places = [f"/usr/lib/locale/{name}" for name in names]
    places += [] if folded == "c.utf8" else ["/usr/lib/locale/locale-archive"]
    return any(rootfs.resolve(place).node is not None for place in places)
