"""What happens after the kernel said yes: the loader, the interpreter of a script, wrapped commands.

`StartSimulation.judge` takes a finished exec chain and follows it as far as the text of the image proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import raw, text
from imagepeel.process import hints, shelling, wrapping
from imagepeel.process.engines.pid1 import LastProgram, describe
from imagepeel.process.kernel import execve as kernel
from imagepeel.process.kernel.execve import ExecveRequest, ExecveResult
from imagepeel.process.loader.closure import closure
from imagepeel.process.loader.common import LoaderResult
from imagepeel.process.scenario import Scenario
from imagepeel.process.shell import interpreters
from imagepeel.process.shell.interpreters import Search, Shell, StartError
from imagepeel.process.shell.outcome import ScriptOutcome, classify
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import READ, Actor, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Stage
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials, NeededLibrary, PidOne, Step, StepOutcome
from imagepeel.process.wrappers.daemons import goes_away
from imagepeel.process.wrappers.programs import Wrapped, unwrap
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs

MAX_DEPTH = 8
"""Programs that start programs; more is a circle or nothing a person could follow."""


class _Answers:
    """What simulated starts found out about a filesystem: engines that start the same program share it."""

    def __init__(self, rootfs: Rootfs) -> None:
        self.closures: dict[tuple[object, ...], LoaderResult] = {}


class _ShellRun(msgspec.Struct, frozen=True, kw_only=True):
    """A shell that runs as `chain`: which one, what it was told, the text it read, and what that comes to."""

    chain: ExecveResult
    shell: Shell
    told: interpreters.Invocation
    body: str
    tail: ScriptOutcome

    def words(self, found: Search) -> tuple[str, int] | None:
        """What this shell says when its last command is not found so, and its exit code."""
        arg0 = self.told.args[0] if self.told.args else ""
        script, by_exec = self.told.mode == "script", self.tail.kind == "exec"
        return interpreters.cannot_run(
            self.shell,
            arg0,
            self.tail.program or self.tail.argv[0],
            found,
            self.tail.line,
            script=script,
            by_exec=by_exec,
        )


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
        wrapping.behind_init(self, wrapped, chain, state)

    def _follow(self, chain: ExecveResult, execfn: str, state: ProcessState, depth: int) -> None:
        """A program starts: its loader, then what it is known to do next."""
        if chain.loader is not None and not self._load(chain, execfn, state):
            return
        final = chain.final or b""
        shell = interpreters.identify(self.rootfs, final, chain.argv)
        if self._circle(chain, state) or depth >= MAX_DEPTH:
            self._endless(chain, state, depth)
            return
        leaves, keep = goes_away(self.rootfs, chain, state.cwd, shell=bool(shell))
        if leaves:
            self.leave(chain, state, leaves, keep)
            return
        if shell:
            self._shell(chain, shell, state, depth)
            return
        if self._no_applet(chain, state):
            return
        libc = "" if chain.loader is None else "musl" if "ld-musl-" in chain.loader else "glibc"
        wrapped = unwrap(chain.argv, real=text(final), env=state.env, libc=libc, leader=state.first)
        if wrapped is not None:
            wrapping.follow(self, chain, wrapped, state, depth)
            return
        self.stay(chain, state, script=bool(chain.scripts))

    def _circle(self, chain: ExecveResult, state: ProcessState) -> bool:
        """Whether this very program with these words, this environment and this directory was started before."""
        start = (chain.final, chain.argv, state.cwd, state.after, tuple(sorted(state.env.items())))
        if start in self._started:
            return True
        self._started.add(start)
        return False

    def _endless(self, chain: ExecveResult, state: ProcessState, depth: int) -> None:
        """Programs start each other again and again: what is proved of it."""
        if depth >= MAX_DEPTH or not state.certain:
            why = "programs start each other without an end in sight"
            self.stay(chain, state, why=why, exact=False)
            self.unproved(why)
            return
        why = f"{' '.join(chain.argv)} comes to its own start again, and so on without an end: nothing else ever runs"
        self.stay(chain, state, script=True, why=why)
        self.notes.append(why)

    def _no_applet(self, chain: ExecveResult, state: ProcessState) -> bool:
        """A busybox that is called by a name which it does not have says so and ends."""
        final = chain.final or b""
        name = interpreters.applet(chain.argv)[0]
        if not interpreters.lacks_applet(self.rootfs, final, name):
            return False
        failure = shelling.no_applet(self.rootfs, final, name)
        self.stay(chain, state, why=failure.why)
        self.fail(state, failure)
        return True

    # -- the loader ------------------------------------------------------------------------------------------

    def _closure(self, chain: ExecveResult, execfn: str, state: ProcessState) -> LoaderResult:
        """Follow the loader; engines that start the same program in the same way share the answer."""

        def may_read(node: Node) -> bool:
            return permits(node, state.after, READ)

        argv0 = chain.argv[0] if chain.argv else ""
        # All that the loader reads of the environment.
        env = {name: value for name, value in state.env.items() if name.startswith(("LD_", "GLIBC_"))}
        key = (
            chain.last,
            execfn,
            argv0,
            state.cwd,
            chain.privileged,
            state.after,
            tuple(sorted(env.items())),
        )
        known = self.rootfs.derived(_Answers).closures
        if key not in known:
            known[key] = closure(
                self.rootfs,
                chain.last,
                env=env,
                secure=chain.privileged,
                cwd=state.cwd,
                argv0=argv0,
                execfn=execfn,
                may_read=may_read,
            )
        return known[key]

    def _load(self, chain: ExecveResult, execfn: str, state: ProcessState) -> bool:
        """Ask the loader; True when the program may go on."""

        result = self._closure(chain, execfn, state)
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

    # -- shells ----------------------------------------------------------------------------------------------

    def _shell(self, chain: ExecveResult, shell: Shell, state: ProcessState, depth: int) -> None:
        told = interpreters.invocation(chain.argv)
        if told.mode == "stdin":
            self.stay(chain, state)
            return
        if told.mode == "unknown":
            self.stay(chain, state, why="its options are not understood", exact=False, script=True)
            self.unproved(f"the options of {chain.argv[0]} are not understood")
            return
        argv0 = interpreters.applet(chain.argv)[1][0]
        body, line0 = told.body, "-c"
        if told.mode == "script":
            read = self._script_text(told.body, argv0, shell, state)
            if read is None:
                self.stay(chain, state, script=True, exact=False)
                return
            body, line0 = read, told.body
        image = shelling.ImageOfShell(self, shell, chain, state)
        tail = classify(
            body,
            shell=shell,
            mode=told.mode,
            args=told.args,
            env=state.env,
            uid=state.after.uid,
            image=image,
            options=told.options,
            posix=interpreters.is_posix(chain.argv, told, state.env),
            startup=image.startup(interpreters.startup_files(shell, chain.argv, told, state.env)),
        )
        place = trace.locate(self.rootfs, told.body) if told.mode == "script" else trace.config_place("/config")
        ends = {
            "exec": "replaces itself", "tail": "replaces itself by its last command", "child": "stays and waits",
            "ends": "runs no other program", "unknown": "cannot be followed to its end",
        }[tail.kind]  # fmt: skip
        self.steps.append(
            Step(
                rule=Stage.PROGRAM,
                judge=Judge.USERLAND,
                round=self.round,
                title=f"{argv0} ({shell}) reads {line0} and {ends}",
                detail=tuple(part for part in (tail.source, tail.why, *tail.assumes) if part),
                path=told.body if told.mode == "script" else None,
                where=place,
                inspect=("cat -A",) if told.mode == "script" else (),
            )
        )
        self.assumes.extend(tail.assumes)
        run = _ShellRun(chain=chain, shell=shell, told=told, body=body, tail=tail)
        self._after_shell(run, state, depth)

    def _after_shell(self, run: _ShellRun, state: ProcessState, depth: int) -> None:
        """Go on with the command that the shell ends with."""
        chain, tail = run.chain, run.tail
        if tail.kind == "ends" and tail.exit_code:
            self._shell_ends(run, state)
            return
        if tail.kind in {"ends", "unknown"} or not tail.named:
            waits = tail.argv[0] if tail.kind == "child" and tail.argv else ""
            exact = tail.kind == "ends"
            self.stay(chain, state, script=True, waits_for=waits, why=tail.why, exact=exact, traps=tail.trapped)
            if not exact:
                self.unproved(tail.in_question)
            return
        if not tail.replaces:
            self.stay(chain, state, waits_for=tail.argv[0], why=tail.why, traps=tail.trapped)
        inner = shelling.behind(run.tail, state)
        path_value = inner.env.get("PATH")
        name = tail.program or tail.argv[0]
        found = interpreters.search(
            self.rootfs, name, path_value, inner.cwd, state.after, default=interpreters.default_path(run.shell)
        )
        if run.shell != "busybox" and "/" not in name and tail.env.get("PATH", "") is None:
            found = Search(path=None, errno="ENOENT")  # the script unset PATH: no directory is searched
            if run.shell == "bash":
                self._shell_failed(run, found.errno, None, inner)
                return
        inside = run.shell == "busybox" and interpreters.has_applet(self.rootfs, chain.final or b"", name)
        if inside and interpreters.runs_applets_first(self.rootfs, chain.final or b""):
            self._shell_starts(run, text(chain.final or b""), inner, depth)
            return
        if inside and (found.path is None or self.rootfs.resolve(found.path, cwd=inner.cwd).path != chain.final):
            if found.path is None:
                why = f"this busybox has {tail.argv[0]} inside, and only some builds run it without a file"
                self.stay(chain, inner, script=True, exact=False, why=why)
                self.unproved(why)
                return
            inner = msgspec.structs.replace(inner, certain=False)  # a standalone shell takes its own
        if found.path is None:
            self._shell_failed(run, found.errno, run.words(found), inner)
            return
        self._shell_starts(run, found.path, inner, depth)

    def _shell_starts(self, run: _ShellRun, path: str, state: ProcessState, depth: int) -> None:
        """The shell found its command: execute it."""
        chain, tail = run.chain, run.tail
        started = self.attempt(path, tail.argv, state)
        self.record(started)
        code = started.failure.code if started.failure is not None else None
        if started.errno == "ENOENT" and code in {FailureCode.SHEBANG_CRLF, FailureCode.INTERPRETER_MISSING}:
            self._shell_failed(run, "interpreter", run.words(Search(path=None, errno="interpreter", seen=path)), state)
        elif started.errno == "ENOEXEC" and code is FailureCode.NO_PROGRAM_FORMAT:
            self._went_on(run)
            again = msgspec.structs.replace(chain, argv=(chain.argv[0], path, *tail.argv[1:]))
            self._shell(again, run.shell, state, depth + 1)
        elif started.failure is not None:
            self._shell_failed(run, started.errno, None, state)
        elif started.final is None:
            self.unproved(started.unknown)
        else:
            self._went_on(run)
            if tail.complete:
                self._follow(started, path, self._entered(state, started), depth + 1)
            else:
                self._follow_name(started, path, self._entered(state, started))
            if tail.replaces and self.pid1 is None:
                self.stay(started, state, exact=False)

    def _went_on(self, run: _ShellRun) -> None:
        """The shell's last command really starts."""
        self.wrapped.append(run.tail.argv)
        if run.tail.replaces:
            self.history.append(" ".join(run.chain.argv[:1]))

    def _follow_name(self, chain: ExecveResult, execfn: str, state: ProcessState) -> None:
        """A program starts with words that only the running shell knows: what can be said without them."""
        why = "not all of its words are known before it runs"
        if chain.loader is not None and not self._load(chain, execfn, state):
            return
        final = chain.final or b""
        shell = interpreters.identify(self.rootfs, final, chain.argv)
        self.stay(chain, state, script=bool(chain.scripts), exact=False, why=why)
        if shell or unwrap(chain.argv, real=text(final), env=state.env, libc="", leader=state.first) is not None:
            self.unproved(f"{chain.argv[0]} starts another program, and {why}")

    def _shell_ends(self, run: _ShellRun, state: ProcessState) -> None:
        """The shell ends with a failure that its text and the image prove."""
        tail = run.tail
        if tail.errno:
            after = shelling.behind(run.tail, state)
            after = msgspec.structs.replace(after, certain=state.certain and tail.sure)
            self._shell_failed(run, tail.errno, ("\n".join(tail.said), tail.exit_code or 127), after)
            return
        self.stay(run.chain, state, script=True, why=tail.why, exact=tail.sure, traps=tail.trapped)
        failure = Failure(
            code=FailureCode.SHELL_LINE_FAILS,
            judge=Judge.USERLAND,
            errno="",
            message="\n".join(tail.said),
            exit_code=tail.exit_code,
            why=tail.why,
            fix="correct the command, or add to the image what it needs",
        )
        if tail.sure:
            self.fail(state, failure)
        elif state.certain:
            self.unproved(f"{tail.why}, with exit code {tail.exit_code}; whether it comes so far is not proved")

    def _shell_failed(
        self, run: _ShellRun, errno: StartError, words: tuple[str, int] | None, state: ProcessState
    ) -> None:
        """The command does not start; `words` are what the shell says and its exit code, None: not measured."""
        chain, tail = run.chain, run.tail
        why = f"the shell cannot run {tail.argv[0]}: {shelling.reason(tail.argv[0], errno)}"
        self.steps.append(
            Step(
                rule=Stage.PROGRAM,
                judge=Judge.USERLAND,
                round=self.round,
                title=f"{tail.argv[0]} cannot be run",
                outcome="ENOENT" if errno == "interpreter" else errno,
            )
        )
        if words is None:
            self.stay(chain, state, script=True, exact=False, why=why)
            if state.certain:
                self.unproved(f"{why}; its words were not measured")
            return
        self.stay(chain, state, script=True, why=why)
        said = words[0] if tail.errno else "\n".join((*tail.said, words[0]))
        fix = f"install {tail.argv[0]} or correct the command" if errno == "ENOENT" else f"chmod +x {tail.argv[0]}"
        if errno == "interpreter":
            fix = f"install the interpreter that the first line of {tail.argv[0]} names, or correct that line"
        self.fail(
            state,
            Failure(
                code=FailureCode.SHELL_LINE_FAILS,
                judge=Judge.USERLAND,
                errno="ENOENT" if errno == "interpreter" else errno,
                message=said,
                exit_code=words[1],
                why=why,
                fix=fix,
            ),
        )
        if not state.certain and state.first:
            self.unproved(f"{why}, unless what comes before changes that")

    def _script_text(self, path: str, argv0: str, shell: Shell, state: ProcessState) -> str | None:
        """The script as the shell reads it; None after a failure or where it cannot be told."""
        seen = check_access(self.rootfs, path, state.after, state.cwd)
        errno = seen.errno
        node = seen.node
        if not errno and node is not None and not permits(node, state.after, READ):
            errno = "EACCES"
        if errno in {"EACCES", "ENOENT"}:
            if shell == "bash" and "/" not in path and errno == "ENOENT":
                found = interpreters.search_script(self.rootfs, path, state.env.get("PATH"), state.cwd, state.after)
                if found is not None:
                    return self._script_text(found, argv0, shell, state)
            words, code = interpreters.cannot_open(shell, argv0, path, errno)
            why = f"{path} may be executed but not read by uid {state.after.uid}; an interpreter has to read it"
            if errno == "ENOENT":
                why = f"the script {path} does not exist"
            fix = f"chmod a+r {path}" if errno == "EACCES" else f"add {path} to the image"
            self.fail(
                state,
                Failure(
                    code=FailureCode.SCRIPT_UNREADABLE,
                    judge=Judge.USERLAND,
                    errno=errno,
                    message=words,
                    exit_code=code,
                    why=why,
                    fix=fix,
                    where=trace.locate(self.rootfs, path),
                ),
            )
            return None
        if errno or node is None or not node.is_file:
            self.unproved(f"the shell cannot read {path}")
            return None
        if node.size > interpreters.SCRIPT_MAX:
            self.unproved(f"the script {path} has {node.size} bytes, too many to follow")
            return None
        return text(self.rootfs.read(seen.resolution.path, 0, node.size))

    # -- starting another program ----------------------------------------------------------------------------

    def attempt(self, path: str, argv: tuple[str, ...], state: ProcessState) -> ExecveResult:
        """The next execve of the same process (or of its child), not yet part of the trace."""
        user = state.credentials
        call = ExecveRequest(
            path=path,
            argv=argv,
            env=tuple(f"{name}={value}" for name, value in state.env.items()),
            actor=state.after,
            cwd=state.cwd,
            architecture=self.architecture,
            bounding=user.bounding,
            no_new_privileges=user.no_new_privileges,
            uid=state.after.uid,
            held=tuple(state.after.capabilities),
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
        if (user.uid == 0 and user.effective != user.bounding) or self.scenario.runtime.keeps_capabilities:
            effective = user.effective
        return Actor(uid=uid, gid=gid, groups=frozenset(user.groups), capabilities=chain.gained.union(effective))
