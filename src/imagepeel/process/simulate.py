"""What happens after the kernel said yes: the loader, the interpreter of a script, wrapped commands.

`StartSimulation.judge` takes a finished exec chain and follows it as far as the text of the image proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import raw, text
from imagepeel.process import hints
from imagepeel.process.engines.pid1 import LastProgram, describe
from imagepeel.process.kernel import execve as kernel
from imagepeel.process.kernel.execve import ExecveRequest, ExecveResult
from imagepeel.process.readers import Started
from imagepeel.process.scenario import Scenario
from imagepeel.process.shell import interpreters
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import READ, Actor, permits
from imagepeel.process.spec.failure import Failure, Judge, Stage
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials, NeededLibrary, PidOne, Step, StepOutcome
from imagepeel.process.wrappers.daemons import command_of, goes_away
from imagepeel.process.wrappers.programs import Wrapped, program_of, unwrap
from imagepeel.process.wrappers.specs import EXECLINE
from imagepeel.process.wrappers.stand_in import stand_in
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.process.loader.common import LoaderResult
    from imagepeel.rootfs.view import Rootfs

MAX_DEPTH = 16
"""Programs that start programs; more is a circle or nothing a person could follow."""


_SERVERS = frozenset({"sshd", "cron"})
"""Servers of which `wrapping.server_gives_up` knows what they miss."""


class StartSimulation:
    """The judgement under way; results are in the public attributes."""

    def __init__(self, rootfs: Rootfs, scenario: Scenario, architecture: str) -> None:
        self.rootfs = rootfs
        self.scenario = scenario
        self.architecture = architecture
        self.steps: list[Step] = []
        self.failure: Failure | None = None
        self.depends: list[str] = []
        self.unknown: str = ""
        self.libraries: list[NeededLibrary] = []
        self.wrapped: list[tuple[str, ...]] = []
        self.history: list[str] = []
        self.pid1: PidOne | None = None
        self.notes: list[str] = []
        self.assumes: list[str] = []
        self.started: list[Started] = []
        self.round: int = 0
        self._started: set[tuple[object, ...]] = set()

    def judge(self, chain: ExecveResult, start: ProcessState, execfn: str) -> None:
        """Follow a chain that ended in a program; `execfn` is the path of its first round."""
        self.round = max((step.round for step in chain.steps), default=0)
        state = msgspec.structs.replace(start, after=self._after(start.credentials, chain))
        self._follow(chain, execfn, state, 0)

    def judge_behind_init(self, argv: tuple[str, ...], command: tuple[str, ...], start: ProcessState) -> None:
        """Follow a command that the engine's own init (tini, catatonit) starts as its child."""
        init = argv[0]
        chain = ExecveResult(steps=(), path=init, argv=argv, final=raw(init))
        state = msgspec.structs.replace(start, after=self._after(start.credentials, chain), first=False)
        self.round = 1
        self.stay(chain, state)
        name = init.rsplit("/", 1)[-1]
        wrapped = Wrapped(program=name, family="tini", kind="supervise", argv=command)
        self.started.append(Started(chain=chain, wrapped=wrapped))
        from imagepeel.process import wrapping  # start time

        wrapping.behind_init(self, wrapped, chain, state)

    def _follow(self, chain: ExecveResult, execfn: str, state: ProcessState, depth: int) -> None:
        """A program starts: its loader, then what it is known to do next."""
        if chain.loader is not None and not self._load(chain, execfn, state):
            return
        final = chain.final or b""
        shell = interpreters.identify(self.rootfs, final, chain.argv)
        if self.endless(chain, state, depth):
            return
        path, words = command_of(chain)
        why = self._gives_up(chain, state, path, words)
        if why:
            self.started.append(Started(chain=chain))
            self.stay(chain, state, why=why, exact=False)
            self.unproved(why)
            return
        leaves, keep = goes_away(self.rootfs, chain, state.cwd, shell=bool(shell))
        if leaves:
            self.started.append(Started(chain=chain))
            self.leave(chain, state, leaves, keep)
            return
        if shell:
            from imagepeel.process import scripts  # start time

            scripts.follow(self, chain, shell, state, depth)
            return
        if self._no_applet(chain, state):
            return
        libc = "" if chain.loader is None else "musl" if "ld-musl-" in chain.loader else "glibc"
        read = None
        if text(final).rsplit("/", 1)[-1] in EXECLINE:
            from imagepeel.process import shelling  # start time
            from imagepeel.process.wrappers.execline import read_execline  # start time

            image = shelling.ImageOfShell(self, "dash", chain, state)  # programs are searched as dash does
            read = read_execline(self.rootfs, chain, state, image)
        if isinstance(read, Failure):
            self.started.append(Started(chain=chain))
            self.stay(chain, state, why=read.why)
            self.fail(state, read)
            return
        wrapped = read or stand_in(self.rootfs, final, chain.argv)
        wrapped = wrapped or self._unwrap(chain, state, libc)
        self.started.append(Started(chain=chain, wrapped=wrapped))
        if wrapped is not None:
            from imagepeel.process import wrapping  # start time

            wrapping.follow(self, chain, wrapped, state, depth)
            return
        self.stay(chain, state, script=bool(chain.scripts))

    def _gives_up(self, chain: ExecveResult, state: ProcessState, path: str, words: Sequence[str]) -> str:
        """Why a server that is known ends at once; `path` and `words` are its `command_of`.  "" where none does."""
        if path.endswith("/supervisord"):
            from imagepeel.process.wrappers.supervisor import gives_up  # start time

            hidden = self.scenario.volume_at
            return gives_up(self.rootfs, words[1:], state, hidden=lambda place: hidden(place) is not None)
        if chain.scripts or path.rsplit("/", 1)[-1] not in _SERVERS:
            return ""
        from imagepeel.process import wrapping  # start time

        return wrapping.server_gives_up(self, chain, state)

    def _unwrap(self, chain: ExecveResult, state: ProcessState, libc: str) -> Wrapped | None:
        """Read the arguments of a wrapper; a busybox under another name, such as a hard link, is known by its bytes."""
        real = text(chain.final or b"")
        applet = (
            program_of(real, chain.argv) is not None and interpreters.family_of_tool(self.rootfs, real) == "busybox"
        )
        return unwrap(chain.argv, real="busybox" if applet else real, env=state.env, libc=libc, leader=state.first)

    def endless(self, chain: ExecveResult, state: ProcessState, depth: int) -> bool:
        """Whether programs start each other again and again, and what is proved of it is told."""
        start = (chain.final, chain.argv, state.cwd, state.after, tuple(sorted(state.env.items())))
        again = start in self._started
        self._started.add(start)
        if not again and depth < MAX_DEPTH:
            return False
        if depth >= MAX_DEPTH or not state.certain:
            why = "programs start each other without an end in sight"
            self.stay(chain, state, why=why, exact=False)
            self.unproved(why)
            return True
        why = f"{' '.join(chain.argv)} comes to its own start again, and so on without an end: nothing else ever runs"
        self.stay(chain, state, script=True, why=why)
        self.notes.append(why)
        return True

    def _no_applet(self, chain: ExecveResult, state: ProcessState) -> bool:
        """A busybox that is called by a name which it does not have says so and ends."""
        final = chain.final or b""
        name = interpreters.applet(chain.argv)[0]
        if not interpreters.lacks_applet(self.rootfs, final, name):
            return False
        from imagepeel.process import shelling  # start time

        failure = shelling.no_applet(self.rootfs, final, name)
        self.stay(chain, state, why=failure.why)
        self.fail(state, failure)
        return True

    # -- the loader ------------------------------------------------------------------------------------------

    def closure(self, chain: ExecveResult, execfn: str, state: ProcessState) -> LoaderResult:
        """What the loader of a program finds."""
        from imagepeel.process.loader.closure import Closures  # start time
        from imagepeel.process.loader.common import LoaderOptions  # start time

        options = LoaderOptions(
            env=state.env,
            secure=chain.privileged,
            cwd=raw(state.cwd),
            argv0=chain.argv[0] if chain.argv else "",
            execfn=execfn,
        )
        may_read = partial(permits, actor=state.after, wanted=READ)
        return self.rootfs.common(Closures).follow(self.rootfs, chain.last, options, may_read)

    def _load(self, chain: ExecveResult, execfn: str, state: ProcessState) -> bool:
        """Ask the loader; True when the program may go on."""

        result = self.closure(chain, execfn, state)
        self._libraries(result)
        failure = result.failure
        found = plural(len(result.libraries), "library", "libraries")
        detail = [f"{found} by the rules of {result.family}", *result.warnings]
        outcome: StepOutcome = "ok"
        if failure is not None:
            detail.append(failure.why)
            outcome = failure.code
        elif result.unknown:
            detail.extend(result.unknown)
            outcome = "unknown"
        place = trace.locate(self.rootfs, chain.final or b"/")
        self.steps.append(
            Step(
                rule=Stage.LOADER,
                judge=Judge.USERLAND,
                round=self.round,
                title=f"The loader {chain.loader} loads {chain.last}",
                outcome=outcome,
                detail=tuple(detail),
                path=text(chain.final or b""),
                where=place,
                inspect=(trace.LOOK_AT_DYNAMIC,),
            )
        )
        self.depends.extend(result.depends)
        if failure is not None:
            self.fail(state, msgspec.structs.replace(failure, where=place))
            return False
        if result.unknown:
            self.unproved("; ".join(result.unknown))
        return True

    def _libraries(self, result: LoaderResult) -> None:
        for library in result.libraries:
            where = trace.locate(self.rootfs, library.real) if library.real else None
            self.libraries.append(
                NeededLibrary(
                    name=library.name,
                    path=library.real or library.path,
                    how=library.source,
                    needed_by=library.requested_by,
                    where=where,
                )
            )

    def fail(self, state: ProcessState, failure: Failure) -> None:
        """A failure counts when it is certain and decides how process 1 ends."""
        if self.failure is not None or self.unknown:
            return
        if state.certain:
            self.failure = failure
            return
        self.steps.append(
            Step(
                rule=Stage.PROGRAM,
                judge=Judge.USERLAND,
                title="This may fail",
                outcome=failure.code,
                detail=(failure.why,),
                where=failure.where,
            )
        )

    def unproved(self, reason: str) -> None:
        if self.failure is None and not self.unknown:
            self.unknown = reason

    # -- who stays -------------------------------------------------------------------------------------------

    def stay(
        self,
        chain: ExecveResult,
        state: ProcessState,
        *,
        script: bool = False,
        waits_for: str = "",
        why: str = "",
        exact: bool = True,
        traps: Sequence[str] = (),
        wrapper: bool = False,
        forwards: bool = False,
        leaves: str = "",
        keep: str = "",
    ) -> None:
        """This program is process 1 in the end, unless process 1 was found before."""
        if self.pid1 is not None:
            return
        program = LastProgram(
            argv=chain.argv,
            path=text(chain.final or b""),
            uid=state.after.uid,
            gid=state.after.gid,
            groups=state.credentials.groups,
            chain=tuple(self.history),
            hints=hints.of(self.rootfs, chain.final),
            script=script,
            waits_for=waits_for,
            traps=tuple(traps),
            wrapper=wrapper,
            forwards=forwards,
            exact=exact,
            why=why,
            leaves=leaves,
            keep=keep,
        )
        scenario = self.scenario
        self.pid1 = describe(program, scenario.wanted, scenario.options, scenario.engine)

    def leave(self, chain: ExecveResult, state: ProcessState, leaves: str, keep: str) -> None:
        """This program ends at once, since it goes on in the background; who waits for it ends with it."""
        self.steps.append(
            Step(
                rule=Stage.PROGRAM,
                judge=Judge.USERLAND,
                round=self.round,
                title=f"{chain.argv[0]} goes into the background",
                outcome="ends",
                detail=(leaves, keep),
                path=text(chain.final or b""),
                where=trace.locate(self.rootfs, chain.final or b"/"),
            )
        )
        before = self.pid1
        if before is None:
            self.stay(chain, state, script=bool(chain.scripts), leaves=leaves, keep=keep)
        elif not before.ends_at_once:
            why = f"{leaves}, and {before.argv[0]}, which waits for it, ends too"
            self.pid1 = msgspec.structs.replace(
                before, ends_at_once=True, hears_sigterm="unknown", seconds_to_stop="", stop=None, why=why, fix=keep
            )

    # -- starting another program ----------------------------------------------------------------------------

    def attempt(self, path: str, argv: tuple[str, ...], state: ProcessState) -> ExecveResult:
        """The next execve of the same process (or of its child), not yet part of the trace."""
        user, machine = state.credentials, self.scenario.runtime.kernel
        call = ExecveRequest(
            path=path,
            argv=argv,
            variables=len(state.env),
            too_big=kernel.too_big(argv, state.env.items(), machine),
            actor=state.after,
            cwd=state.cwd,
            architecture=self.architecture,
            bounding=user.bounding,
            no_new_privileges=user.no_new_privileges,
            uid=state.after.uid,
            held=tuple(state.after.capabilities),
            kernel=machine,
        )
        return kernel.execute(self.rootfs, call, first_round=self.round + 1)

    def record(self, chain: ExecveResult) -> None:
        """Make an attempt part of the trace."""
        self.steps.extend(chain.steps)
        self.round = max((step.round for step in chain.steps), default=self.round)
        self.depends.extend(chain.depends)

    def enter(self, chain: ExecveResult, path: str, state: ProcessState, depth: int) -> None:
        """A program started behind another one: go on with it."""
        self.record(chain)
        self._follow(chain, path, self._entered(state, chain), depth + 1)

    def enter_by_name(self, chain: ExecveResult, path: str, state: ProcessState) -> None:
        """A program started with words that only the running shell knows: go on with what can be said without them."""
        self.record(chain)
        state = self._entered(state, chain)
        why = "not all of its words are known before it runs"
        if chain.loader is not None and not self._load(chain, path, state):
            return
        final = chain.final or b""
        shell = interpreters.identify(self.rootfs, final, chain.argv)
        self.stay(chain, state, script=bool(chain.scripts), exact=False, why=why)
        if shell or self._unwrap(chain, state, "") is not None:
            self.unproved(f"{chain.argv[0]} starts another program, and {why}")

    def _entered(self, state: ProcessState, chain: ExecveResult) -> ProcessState:
        """The state once that program runs."""
        if chain.euid is not None or chain.egid is not None:
            return msgspec.structs.replace(state, after=self._after(state.credentials, chain))
        after = state.after
        held = chain.gained if after.uid else after.capabilities
        if held == after.capabilities:
            return state
        return msgspec.structs.replace(state, after=msgspec.structs.replace(after, capabilities=held))

    def _after(self, user: Credentials, chain: ExecveResult) -> Actor:
        """The actor once a program runs: as root with its capabilities, else with those that the file gives."""
        uid = user.uid if chain.euid is None else chain.euid
        gid = user.gid if chain.egid is None else chain.egid
        effective = user.bounding if uid == 0 else ()
        if (user.uid == 0 and user.effective != user.bounding) or self.scenario.runtime.kernel.keeps_capabilities:
            effective = user.effective
        return Actor(uid=uid, gid=gid, groups=frozenset(user.groups), capabilities=chain.gained.union(effective))
