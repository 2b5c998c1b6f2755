"""The values of a prediction: what will be asked of whom, what each judge says, and where that is written."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Location
from imagepeel.process.spec.failure import FailureCode, Judge, Outcome, Stage

Origin = Literal["image", "engine", "runtime", "user"]
"""Who set a variable."""
Hears = Literal["yes", "no", "unknown"]
PidOneKind = Literal["program", "shell", "script", "init", "wrapper"]
AdditionKind = Literal["mount", "file", "volume", "setting"]


class EnvVar(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One environment variable of the process and who set it.

    `origin` is `image` (the config's Env), `engine` (a default of the engine), `runtime` (HOME, filled in at the
    last moment) or `user` (an option of this call).  `overrides` names the origins that this value replaced.
    """

    name: str
    value: str
    origin: Origin
    why: str = ""
    overrides: tuple[Origin, ...] = ()
    where: Location | None = None


class Credentials(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the process is: numbers as the kernel knows them, and how they were found.

    `groups` is the supplementary list as given to the runtime.  `name` is the passwd name that matched, if any.
    `effective` and `bounding` hold capability names without the `CAP_` prefix, sorted.
    `notes` are surprises on the way, one sentence each.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    name: str | None = None
    home: str = "/"
    spec: str = ""
    origin: str = ""
    home_origin: str = ""
    effective: tuple[str, ...] = ()
    bounding: tuple[str, ...] = ()
    no_new_privileges: bool = False
    notes: tuple[str, ...] = ()
    where: Location | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path that was looked at and the reason why it was taken or skipped."""

    path: str
    outcome: str
    reason: str
    where: Location | None = None


class Step(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of the trace.

    `rule` is the stage of the start, `judge` who decides it, `round` the 1-based round of the exec chain (0:
    before the first execve).  `call` is the literal system call where there is one.  `outcome` is `ok` or the
    errno or a word for the failure.  `inspect` holds shell filters that show the same in the file of `path`
    (they read the file's bytes from standard input); the receipt is made of them.
    """

    rule: Stage
    judge: Judge
    title: str
    round: int = 0
    call: str = ""
    outcome: str = "ok"
    detail: tuple[str, ...] = ()
    path: str | None = None
    where: Location | None = None
    inspect: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def outcome_in_words(self) -> str:
        """The outcome for people, who know no codes of failures."""
        return self.outcome.words if isinstance(self.outcome, FailureCode) else self.outcome


class Verdict(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens: RUNS, FAILS, DEPENDS (on `depends`) or UNKNOWN (`reason`).

    For FAILS: `id` says what goes wrong, `judge` who refuses, `errno` its symbolic name,
    `message` the sentence of that judge, `text` what the operator sees on this engine, `exit_code` what the
    engine's command line returns (None: it does not return one), `state_exit_code` what the engine records for
    the container (None: there is no container), `runtime_text` and `runtime_exit_code` what the bare runtime says.
    """

    kind: Outcome
    id: FailureCode | None = None
    judge: Judge | None = None
    errno: str = ""
    message: str = ""
    text: str = ""
    exit_code: int | None = None
    state_exit_code: int | None = None
    runtime_text: str = ""
    runtime_exit_code: int | None = None
    why: str = ""
    fix: str = ""
    depends: tuple[str, ...] = ()
    reason: str = ""
    where: Location | None = None
    engine: str = ""

    @property
    def runs(self) -> bool:
        """Whether the start succeeds."""
        return self.kind is Outcome.RUNS

    def __bool__(self) -> bool:
        """Whether the start succeeds: what depends on the host or is unknown is no success."""
        return self.runs

    def __repr__(self) -> str:
        return f"<Verdict {str(self)[:400]!r}>"

    def __str__(self) -> str:
        if self.kind is Outcome.FAILS:
            code = "" if self.exit_code is None else f", exit {self.exit_code}"
            refused = "" if self.judge is None else self.judge.refused(self.errno)
            return f"FAILS ({refused}{code}): {self.message}"
        if self.kind is Outcome.DEPENDS:
            return f"DEPENDS on {'; '.join(self.depends)}"
        if self.kind is Outcome.UNKNOWN:
            return f"UNKNOWN: {self.reason}"
        return self.kind


class StopTime(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long a stop takes, in seconds: from `least` to `most`.

    `killed`: SIGKILL ends the process then, with exit code 137.  `never`: the signal is not heard and nothing comes
    after it, since the engine has no grace period of its own.
    """

    least: int = 0
    most: int = 0
    killed: bool = False
    never: bool = False

    @property
    def words(self) -> str:
        """The time in words."""
        if self.never:
            return "never by that signal: this engine has no grace period of its own"
        if self.killed:
            return f"{self.most}, then SIGKILL (exit 137)"
        return f"{self.least} to {self.most}" if self.most else "0"


class PidOne(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is process 1 once everything has replaced itself, and how it ends.

    `stop` is the time that a stop takes, None when not provable, and `seconds_to_stop` the same in words.
    `exact` is False where the script's text does not prove the final program.
    `uid`, `gid` and `groups` are its effective ids.
    """

    argv: tuple[str, ...]
    path: str | None = None
    exact: bool = True
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    chain: tuple[str, ...] = ()
    kind: PidOneKind = "program"
    hears_sigterm: Hears = "unknown"
    stop_signal: str = "SIGTERM"
    stop_signal_origin: str = "default"
    grace_seconds: int = 10
    seconds_to_stop: str = ""
    stop: StopTime | None = None
    why: str = ""
    fix: str = ""


class Addition(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that the runtime adds to or hides of the tarball.

    `hides` counts image paths that become invisible.
    """

    kind: AdditionKind
    path: str
    what: str
    origin: str
    hides: int = 0
    examples: tuple[str, ...] = ()


class NeededLibrary(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shared library the loader will look for; `path` is None when it is not found."""

    name: str
    path: str | None
    how: str
    needed_by: str
    where: Location | None = None


class Prediction(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which process the image becomes under one profile, and the proof.

    `argv` is the final vector of the first execve, `path` the resolved file of argv[0] (None: none was found),
    `engine` the full name of the profile, `wrapped` the argument vectors of the wrapped programs, outermost first.
    """

    engine: str
    runtime: str
    architecture: str
    argv: tuple[str, ...]
    path: str | None
    env: tuple[EnvVar, ...]
    user: Credentials
    cwd: str
    steps: tuple[Step, ...]
    verdict: Verdict
    pid1: PidOne | None = None
    libraries: tuple[NeededLibrary, ...] = ()
    additions: tuple[Addition, ...] = ()
    wrapped: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The environment as a mapping."""
        return {variable.name: variable.value for variable in self.env}

    @property
    def execve(self) -> str:
        """The first request to the kernel, literally."""
        from imagepeel.process.spec.trace import execve

        return execve(self.path or (self.argv[0] if self.argv else ""), self.argv, len(self.env))

    def __repr__(self) -> str:
        argv = " ".join(self.argv)
        return f"<Prediction {self.verdict.kind} {argv[:400]!r} on {self.engine}>"
