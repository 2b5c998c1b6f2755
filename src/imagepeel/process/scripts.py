"""Shells in the chain: what they read, and the program that they become or start in the end."""

from __future__ import annotations

import posixpath

import msgspec

from imagepeel.evidence import text
from imagepeel.process import shelling
from imagepeel.process.engines.lookup import too_many
from imagepeel.process.kernel.execve import ExecveResult
from imagepeel.process.readers import Started
from imagepeel.process.shell import interpreters
from imagepeel.process.shell.interpreters import Search, Shell, StartError
from imagepeel.process.shell.outcome import ScriptOutcome, classify
from imagepeel.process.shell.scope import UNKNOWN
from imagepeel.process.simulation import Simulation
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import READ, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Stage
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Step


class _ShellRun(msgspec.Struct, frozen=True, kw_only=True):
    """A shell that runs as `chain`: which one, what it was told, the text it read, and what that comes to."""

    chain: ExecveResult
    shell: Shell
    told: interpreters.Invocation
    body: str
    tail: ScriptOutcome
    image: shelling.ImageOfShell

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
            errexit=self.tail.errexit,
        )


def follow(sim: Simulation, chain: ExecveResult, shell: Shell, state: ProcessState, depth: int) -> None:
    """A shell runs as `chain`: say what it reads and go on with the command that it ends with."""
    told = interpreters.invocation(chain.argv)
    if told.mode in {"stdin", "unknown"}:
        sim.started.append(Started(chain=chain, told=told))
    if told.mode == "stdin":
        sim.stay(chain, state)
        return
    if told.mode == "unknown":
        sim.stay(chain, state, why="its options are not understood", exact=False, script=True)
        sim.unproved(f"the options of {chain.argv[0]} are not understood")
        return
    argv0 = interpreters.applet(chain.argv)[1][0]
    body, line0 = told.body, "-c"
    if told.mode == "script":
        read = _script_text(sim, told.body, argv0, shell, state)
        if read is None:
            sim.stay(chain, state, script=True, exact=False)
            return
        body, line0 = read, told.body
    image = shelling.ImageOfShell(sim, shell, chain, state)
    startup = image.startup(interpreters.startup_files(shell, chain.argv, told, state.env))
    sim.started.append(Started(chain=chain, told=told, body=body, startup=bool(startup)))
    tail = classify(
        body,
        shell=shell,
        mode=told.mode,
        args=told.args,
        env={**state.env, **dict.fromkeys(state.hidden, UNKNOWN)},
        uid=state.after.uid,
        image=image,
        changed=state.changed,
        options=told.options,
        posix=interpreters.is_posix(chain.argv, told, state.env),
        startup=startup,
    )
    place = trace.locate(sim.rootfs, told.body) if told.mode == "script" else trace.config_place("/config")
    ends = {
        "exec": "replaces itself", "tail": "replaces itself by its last command", "child": "stays and waits",
        "ends": "runs no other program", "unknown": "cannot be followed to its end",
    }[tail.kind]  # fmt: skip
    sim.steps.append(
        Step(
            rule=Stage.PROGRAM,
            judge=Judge.USERLAND,
            round=sim.round,
            title=f"{argv0} ({shell}) reads {line0} and {ends}",
            detail=tuple(part for part in (tail.source, tail.why, *tail.assumes, *tail.trusts) if part),
            path=told.body if told.mode == "script" else None,
            where=place,
            inspect=("sed -n l",) if told.mode == "script" else (),
        )
    )
    sim.assumes.extend((*tail.assumes, *tail.trusts))
    sim.depends.extend(tail.needs)
    run = _ShellRun(chain=chain, shell=shell, told=told, body=body, tail=tail, image=image)
    _after(sim, run, state, depth)
    if tail.hangs:
        sim.unproved(f"{tail.hangs_on}, and that decides whether {argv0} comes further")


def _after(sim: Simulation, run: _ShellRun, state: ProcessState, depth: int) -> None:
    """Go on with the command that the shell ends with."""
    chain, tail = run.chain, run.tail
    if tail.kind == "ends" and tail.exit_code:
        _ends(sim, run, state)
        return
    if tail.kind in {"ends", "unknown"} or not tail.named:
        waits = tail.argv[0] if tail.kind == "child" and tail.argv else ""
        exact = tail.kind == "ends"
        sim.stay(chain, state, script=True, waits_for=waits, why=tail.why, exact=exact, traps=tail.trapped)
        if not exact:
            sim.unproved(tail.in_question)
        return
    if not tail.replaces:
        sim.stay(chain, state, waits_for=tail.argv[0], why=tail.why, traps=tail.trapped)
    inner = _behind(run.tail, state)
    path_value = inner.env.get("PATH")
    name = tail.program or tail.argv[0]
    if why := too_many(name, path_value):
        sim.unproved(why)
        return
    found = interpreters.search(
        sim.rootfs, name, path_value, inner.cwd, state.after, default=interpreters.default_path(run.shell)
    )
    if run.shell != "busybox" and "/" not in name and (path_value == "" or tail.env.get("PATH", "") is None):
        found = interpreters.search_here(sim.rootfs, name, inner.cwd, state.after, by_exec=tail.kind == "exec")
    inside = run.shell == "busybox" and interpreters.has_applet(sim.rootfs, chain.final or b"", name)
    if inside and interpreters.runs_applets_first(sim.rootfs, chain.final or b""):
        _starts(sim, run, text(chain.final or b""), inner, depth)
        return
    if inside and (found.path is None or sim.rootfs.resolve(found.path, cwd=inner.cwd).path != chain.final):
        if found.path is None:
            why = f"this busybox has {tail.argv[0]} inside, and only some builds run it without a file"
            sim.stay(chain, inner, script=True, exact=False, why=why)
            sim.unproved(why)
            return
        inner = msgspec.structs.replace(inner, certain=False)  # a standalone shell takes its own
    if found.path is None and "/" in name and run.image.is_made(posixpath.normpath(posixpath.join(inner.cwd, name))):
        why = f"what lies at {name} is not the image's: a mount lies there or below"
        sim.stay(chain, inner, script=True, exact=False, why=why)
        sim.unproved(why)
        return
    if found.path is None:
        _failed(sim, run, found.errno, run.words(found), inner)
        return
    _starts(sim, run, found.path, inner, depth)


def _starts(sim: Simulation, run: _ShellRun, path: str, state: ProcessState, depth: int) -> None:
    """The shell found its command: execute it."""
    chain, tail = run.chain, run.tail
    started = sim.attempt(path, tail.argv, state)
    if started.failure is None and started.final is not None:
        _went_on(sim, run)
        if tail.complete:
            sim.enter(started, path, state, depth)
        else:
            sim.enter_by_name(started, path, state)
        if tail.replaces and sim.pid1 is None:
            sim.stay(started, state, exact=False)
        return
    sim.record(started)
    code = started.failure.code if started.failure is not None else None
    if started.errno == "ENOENT" and code in {FailureCode.SHEBANG_CRLF, FailureCode.INTERPRETER_MISSING}:
        _failed(sim, run, "interpreter", run.words(Search(path=None, errno="interpreter", seen=path)), state)
    elif started.errno == "ENOEXEC" and code is FailureCode.NO_PROGRAM_FORMAT:
        _went_on(sim, run)
        again = msgspec.structs.replace(chain, argv=(chain.argv[0], path, *tail.argv[1:]))
        if not sim.endless(again, state, depth + 1):
            follow(sim, again, run.shell, state, depth + 1)
    elif started.failure is not None:
        _failed(sim, run, started.errno, None, state)
    else:
        sim.unproved(started.unknown)


def _went_on(sim: Simulation, run: _ShellRun) -> None:
    """The shell's last command really starts."""
    sim.wrapped.append(run.tail.argv)
    if run.tail.replaces:
        sim.history.append(" ".join(run.chain.argv[:1]))


def _ends(sim: Simulation, run: _ShellRun, state: ProcessState) -> None:
    """The shell ends with a failure that its text and the image prove."""
    tail = run.tail
    if tail.errno:
        after = _behind(run.tail, state)
        after = msgspec.structs.replace(after, certain=state.certain and tail.sure)
        _failed(sim, run, tail.errno, ("\n".join(tail.said), tail.exit_code or 127), after)
        return
    sim.stay(run.chain, state, script=True, why=tail.why, exact=tail.sure, traps=tail.trapped)
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
        sim.fail(state, failure)
    elif state.certain:
        sim.unproved(f"{tail.why}, with exit code {tail.exit_code}; whether it comes so far is not proved")


def _failed(
    sim: Simulation, run: _ShellRun, errno: StartError, words: tuple[str, int] | None, state: ProcessState
) -> None:
    """The command does not start; `words` are what the shell says and its exit code, None: not measured."""
    chain, tail = run.chain, run.tail
    why = f"the shell cannot run {tail.argv[0]}: {shelling.reason(tail.argv[0], errno)}"
    sim.steps.append(
        Step(
            rule=Stage.PROGRAM,
            judge=Judge.USERLAND,
            round=sim.round,
            title=f"{tail.argv[0]} cannot be run",
            outcome="ENOENT" if errno == "interpreter" else errno,
        )
    )
    if words is None:
        sim.stay(chain, state, script=True, exact=False, why=why)
        if state.certain:
            sim.unproved(f"{why}; its words were not measured")
        return
    if {"EXIT", "0"} & {*tail.trapped}:
        sim.stay(chain, state, script=True, exact=False, why=why, traps=tail.trapped)
        sim.unproved(f"{why}; a trap then runs and may change the exit code")
        return
    sim.stay(chain, state, script=True, why=why)
    said = words[0] if tail.errno else "\n".join((*tail.said, words[0]))
    fix = f"install {tail.argv[0]} or correct the command" if errno == "ENOENT" else f"chmod +x {tail.argv[0]}"
    if errno == "ENOENT" and run.told.mode == "command" and interpreters.QUOTED_LIST.match(run.body):
        fix = "write the list with double quotes: in single ones it is no JSON, and a shell is given it as its text"
    if errno == "interpreter":
        fix = f"install the interpreter that the first line of {tail.argv[0]} names, or correct that line"
    sim.fail(
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
        sim.unproved(f"{why}, unless what comes before changes that")


def _script_text(sim: Simulation, path: str, argv0: str, shell: Shell, state: ProcessState) -> str | None:
    """The script as the shell reads it; None after a failure or where it cannot be told."""
    seen = check_access(sim.rootfs, path, state.after, state.cwd)
    errno = seen.errno
    node = seen.node
    if not errno and node is not None and not permits(node, state.after, READ):
        errno = "EACCES"
    if errno in {"EACCES", "ENOENT"}:
        if shell == "bash" and "/" not in path and errno == "ENOENT":
            if why := too_many(path, state.env.get("PATH")):
                sim.unproved(why)
                return None
            found = interpreters.search_script(sim.rootfs, path, state.env.get("PATH"), state.cwd, state.after)
            if found is not None:
                return _script_text(sim, found, argv0, shell, state)
        words, code = interpreters.cannot_open(shell, argv0, path, errno)
        why = f"{path} may be executed but not read by uid {state.after.uid}; an interpreter has to read it"
        if errno == "ENOENT":
            why = f"the script {path} does not exist"
        fix = f"chmod a+r {path}" if errno == "EACCES" else f"add {path} to the image"
        sim.fail(
            state,
            Failure(
                code=FailureCode.SCRIPT_UNREADABLE,
                judge=Judge.USERLAND,
                errno=errno,
                message=words,
                exit_code=code,
                why=why,
                fix=fix,
                where=trace.locate(sim.rootfs, path),
            ),
        )
        return None
    if errno or node is None or not node.is_file:
        sim.unproved(f"the shell cannot read {path}")
        return None
    if node.size > interpreters.SCRIPT_MAX:
        sim.unproved(f"the script {path} has {node.size} bytes, too many to follow")
        return None
    return text(sim.rootfs.read(seen.resolution.path, 0, node.size))


def _behind(tail: ScriptOutcome, state: ProcessState) -> ProcessState:
    """The state of the last command: what the script did to the environment and the directory."""
    env = dict(state.env)
    for name, value in tail.env.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return msgspec.structs.replace(
        state,
        env=env,
        cwd=state.cwd if tail.cwd in ("", None) else tail.cwd,
        certain=state.certain and tail.sure and tail.changed < 2 and tail.cwd is not None,
        changed=max(state.changed, tail.changed),
        first=state.first and tail.replaces,
    )
