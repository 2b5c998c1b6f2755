"""The values of a prediction: what will be asked of whom, what each judge says, and where that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Location
from imagepeel.formats.passwd import RefusalKind
from imagepeel.masking import masked_words
from imagepeel.process.spec.failure import FailureCode, Judge, Outcome, Stage
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.tables import ErrnoName
from imagepeel.text import noun, plural

Origin = Literal["image", "engine", "runtime", "user"]
"""Who set a variable."""
UserOrigin = Literal["", "image", "option"]
"""Who asks for a user: the config of the image, or an option of the call."""

Hears = Literal["yes", "no", "unknown"]
"""Whether process 1 acts on SIGTERM."""
PidOneKind = Literal["program", "shell", "script", "init", "wrapper"]
"""What process 1 is: a program, a shell that waits, a script's shell, an init, or a program that wraps another."""
StopSignalOrigin = Literal["default", "an option of this call", "StopSignal of the image"]
"""Who chose the signal of a stop."""
AdditionKind = Literal["mount", "file", "volume", "setting"]
"""What the engine or runtime adds: a mount, a file, a volume, or a setting without a path of its own."""
ReaderKind = Literal["runtime", "wrapper", "shell", "script", "program", "name", "nobody", "unknown"]
"""Who reads a word of argv: the runtime, a wrapper's own options, a shell, the text that a shell runs, the program.

`name` is `$0` of a text that does not use it: the shell calls itself so in its messages.
"""

CandidateOutcome = Literal[ErrnoName, "taken", "skipped", "fatal", "unknown"]
"""What became of a path that was looked at, or the errno of the refusal."""

_StepWord = Literal[ErrnoName, RefusalKind, "ok", "empty", "empty name", "ends", "refused", "unknown"]
if TYPE_CHECKING:
    StepOutcome: TypeAlias = FailureCode | _StepWord
else:  # msgspec takes no union of an enumeration and a Literal: these are the same values
    StepOutcome = Literal[_StepWord, *(code.value for code in FailureCode)]
"""How a step of a trace ends: `ok`, an errno, a code of a failure, or a word for what went wrong."""


class EnvVar(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One environment variable of the process and who set it.

    `origin` is `image` (the config's Env), `engine` (a default of the engine), `runtime` (HOME, filled in at the
    last moment) or `user` (an option of this call).  `overrides` names the origins that this value replaced.
    """

    name: str
    """Text before the first "="."""
    value: str
    """Text after the first "="."""
    origin: Origin
    """Who set the value that counts."""
    why: str = ""
    """Reason for a value that the image does not set, in words; else ""."""
    overrides: tuple[Origin, ...] = ()
    """Origins whose values this one replaced, first to last."""
    where: Location | None = None
    """Place in the image config; None for a value that is not from there."""


class Credentials(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the process is: numbers as the kernel knows them, and how they were found.

    `groups` is the supplementary list as given to the runtime.  `name` is the passwd name that matched, if any.
    `effective` and `bounding` hold capability names without the `CAP_` prefix, sorted.
    `notes` are surprises on the way, one sentence each.
    """

    uid: int
    """Effective user id."""
    gid: int
    """Effective group id."""
    groups: tuple[int, ...] = ()
    """Supplementary group ids as given to the runtime, in its order."""
    name: str | None = None
    """Name in /etc/passwd that matched; None without one."""
    home: str = "/"
    """Home directory that HOME gets when nothing else sets it."""
    spec: str = ""
    """User as asked for, "" for none."""
    origin: UserOrigin = ""
    """Who asked; "" for nobody."""
    effective: tuple[str, ...] = ()
    """Capability names without `CAP_`, sorted."""
    bounding: tuple[str, ...] = ()
    """Capability names without `CAP_`, sorted."""
    no_new_privileges: bool = False
    """Whether execve can no longer raise privileges."""
    notes: tuple[str, ...] = ()
    """Surprises on the way, one sentence each."""
    where: Location | None = None
    """Place in the image config; None when the user is not from there."""

    @property
    def ids(self) -> str:
        """User and group, with the name where there is one: `999:999 (shop)`."""
        return f"{self.uid}:{self.gid}" + (f" ({self.name})" if self.name else "")

    @property
    def groups_in_words(self) -> str:
        """The supplementary groups as the runtime gets them: `groups 999 998`."""
        return f"groups {' '.join(map(str, self.groups))}" if self.groups else "no supplementary groups"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path that was looked at and the reason why it was taken or skipped."""

    path: str
    """Path in the image."""
    outcome: CandidateOutcome
    """`taken`, `skipped`, `fatal`, the errno of the refusal, or `unknown` where a missing layer may bring it."""
    reason: str
    """In words."""
    where: Location | None = None
    """Tar member of the path; None without one."""
    blocker: str = ""
    """Directory on the way that the user may not search; "" where none is."""


class Step(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of the trace.

    `rule` is the stage of the start, `judge` who decides it, `round` the 1-based round of the exec chain (0:
    before the first execve).  `call` is the literal system call where there is one.  `outcome` is `ok` or the
    errno or a word for the failure.  `inspect` holds shell filters that show the same in the file of `path`
    (they read the file's bytes from standard input); the receipt is made of them.
    """

    rule: Stage
    """Stage of the start."""
    judge: Judge
    """Who decides it."""
    title: str
    """What is decided, one line."""
    round: int = 0
    """From 1 in the exec chain, 0 before the first execve."""
    call: str = ""
    """Literal system call, "" where there is none."""
    outcome: StepOutcome = "ok"
    """`ok`, an errno, a code of a failure, or a word for what went wrong."""
    detail: tuple[str, ...] = ()
    """Further sentences, in reading order."""
    path: str | None = None
    """File that is looked at; None without one."""
    where: Location | None = None
    """Tar member or config field that decides; None without one."""
    inspect: tuple[str, ...] = ()
    """Shell filters that show the same in the bytes of `path`, read from standard input."""
    candidates: tuple[Candidate, ...] = ()
    """Paths that were looked at, in that order."""

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
    """RUNS, FAILS, DEPENDS or UNKNOWN."""
    id: FailureCode | None = None
    """FAILS: what goes wrong."""
    judge: Judge | None = None
    """FAILS: who refuses."""
    errno: ErrnoName = ""
    """FAILS: symbolic name, "" where no errno is involved."""
    message: str = ""
    """FAILS: sentence of that judge."""
    about: str = ""
    """FAILS: file that the kernel was to execute, or library or symbol that a loader misses; "" for other failures."""
    text: str = ""
    """FAILS: what the operator sees on this engine, with its line breaks."""
    exit_code: int | None = None
    """FAILS: exit status of the engine's command line, 0 to 255; None when it does not return one."""
    state_exit_code: int | None = None
    """FAILS: exit code that the engine records, 0 to 255; None when there is no container."""
    runtime_text: str = ""
    """FAILS: what the bare runtime says, "" when it is never asked."""
    runtime_exit_code: int | None = None
    """FAILS: exit status of the bare runtime, 0 to 255; None when it is never asked."""
    why: str = ""
    """Cause in the image, in words."""
    fix: str = ""
    """What to change."""
    after: str = ""
    """FAILS: the failure that comes next, once this one is mended; "" where none is known."""
    depends: tuple[str, ...] = ()
    """Conditions of the host, one sentence each."""
    reason: str = ""
    """UNKNOWN: why there is no proof either way."""
    where: Location | None = None
    """Place in the image that decides; None without one."""
    not_examined: str = ""
    """The sentence about the other images of the archive, as in the prediction."""
    engine: str = ""
    """Full name of the profile."""

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
    """Seconds, 0 or more."""
    most: int = 0
    """Seconds, at least `least`."""
    killed: bool = False
    """Whether SIGKILL ends the process, with exit code 137."""
    never: bool = False
    """Whether that signal never ends it, since the engine has no grace period of its own."""

    @property
    def words(self) -> str:
        """The time in words."""
        if self.never:
            return "never by that signal: this engine has no grace period of its own"
        if self.killed:
            return f"{self.most}, then SIGKILL (exit 137)"
        return f"{self.least} to {self.most}" if self.least != self.most else str(self.most)

    def sentence(self, stop: str = "a stop") -> str:
        """Return what a stop does, without a full stop; `stop` is the subject: `a stop takes 0 to 10 seconds`."""
        if self.never:
            return f"{stop} does not end it: the signal is not heard, and this engine has no grace period of its own"
        if self.killed:
            return f"{stop} takes {plural(self.most, 'second')} and ends in SIGKILL (exit 137)"
        return f"{stop} takes {self.words} {noun(self.most, 'second')}"


class PidOne(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is process 1 once everything has replaced itself, and how it ends.

    `stop` is the time that a stop takes, None when not provable, and `seconds_to_stop` the same in words.
    `exact` is False where the script's text does not prove the final program.
    `uid`, `gid` and `groups` are its effective ids.
    """

    argv: tuple[str, ...]
    """Argument vector of the last execve."""
    path: str | None = None
    """Path of the program; None when it is not known."""
    exact: bool = True
    """Whether the text of the image proves that this program stays."""
    ends_at_once: bool = False
    """Whether it is known to go into the background, which ends the container at once with exit code 0."""
    uid: int = 0
    """Effective user id."""
    gid: int = 0
    """Effective group id."""
    groups: tuple[int, ...] = ()
    """Supplementary group ids."""
    chain: tuple[str, ...] = ()
    """Programs that replaced each other before it, first to last."""
    kind: PidOneKind = "program"
    """What process 1 is."""
    hears_sigterm: Hears = "unknown"
    """Whether SIGTERM does anything."""
    stop_signal: str = "SIGTERM"
    """Signal that a stop sends, as people write it."""
    stop_signal_origin: StopSignalOrigin = "default"
    """Who chose the signal, in words."""
    grace_seconds: int = 10
    """Seconds between the signal and SIGKILL."""
    seconds_to_stop: str = ""
    """`stop` in words, "" when not provable."""
    stop: StopTime | None = None
    """Time that a stop takes; None when not provable."""
    why: str = ""
    """Reasons for `kind` and `hears_sigterm`, in words."""
    fix: str = ""
    """What to change so that it stops in time, "" when nothing."""


class Addition(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that the runtime adds to or hides of the tarball.

    `hides` counts image paths that become invisible.
    """

    kind: AdditionKind
    """Mount, file, volume or setting."""
    path: str
    """Path in the container, "" for a setting that has none."""
    what: str
    """What is added, in words."""
    origin: str
    """Who adds it, in words."""
    hides: int = 0
    """Count of image paths that become invisible."""
    examples: tuple[str, ...] = ()
    """Some of the hidden paths, 3 at most; of a volume, some of the paths that it takes over."""


class NeededLibrary(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shared library the loader will look for; `path` is None when it is not found."""

    name: str
    """As it was asked for."""
    path: str | None
    """File that is loaded; None when it is not found."""
    how: str
    """Where it was found, in words; "" when it was not found, or that it may be in a layer that is not here."""
    needed_by: str
    """Path of the object that asked, or `LD_PRELOAD`."""
    where: Location | None = None
    """Tar member of the file; None without one."""


class WordReader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who reads one word of an argument vector."""

    by: ReaderKind
    """Who."""
    how: str = ""
    """What the word is to that reader, in words; of `unknown` why it is not known."""


class Prediction(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which process the image becomes under one profile, and the proof.

    `argv` is the final vector of the first execve, `path` the resolved file of argv[0] (None: none was found),
    `engine` the full name of the profile, `wrapped` the argument vectors of the wrapped programs, outermost first.
    """

    engine: str
    """Full name of the profile."""
    runtime: str
    """Full name of the runtime."""
    architecture: str
    """Machine of the host as Go names it (GOARCH)."""
    argv: tuple[str, ...]
    """Argument vector of the first execve."""
    path: str | None
    """Resolved file of argv[0]; None when none was found."""
    env: tuple[EnvVar, ...]
    """Environment in the order that execve gets."""
    user: Credentials | None
    """Who the process is; None where the config is not known."""
    cwd: str
    """Absolute working directory, "" where the config is not known."""
    steps: tuple[Step, ...]
    """In the order in which they happen."""
    verdict: Verdict
    """How the start ends."""
    pid1: PidOne | None = None
    """Process 1 once everything has replaced itself; None when the start does not get there."""
    libraries: tuple[NeededLibrary, ...] = ()
    """In the order in which the loader asks for them."""
    additions: tuple[Addition, ...] = ()
    """What the runtime adds or hides, in no order of time."""
    wrapped: tuple[tuple[str, ...], ...] = ()
    """Argument vectors of the wrapped programs, outermost first."""
    notes: tuple[str, ...] = ()
    """Surprises on the way, one sentence each."""
    not_examined: str = ""
    """The sentence about the other images of the archive, where `Image.process` gave it; a result has it in `image`."""
    assumes: tuple[str, ...] = ()
    """What scripts on the way were taken to do, one clause each."""
    readers: tuple[WordReader, ...] = ()
    """Who reads each word of `argv`, in its order; () where no program starts."""
    view: Literal[ViewName, ""] = ""
    """Filesystem that was looked at: that of the engine's store, or the one that was asked for."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment as a mapping of names to values, in the order of `env`."""
        return {variable.name: variable.value for variable in self.env}

    @property
    def execve(self) -> str:
        """The first request to the kernel, as text."""
        from imagepeel.process.spec.trace import execve  # start time

        return execve(self.path or (self.argv[0] if self.argv else ""), self.argv, len(self.env))

    def __repr__(self) -> str:
        argv = " ".join(masked_words(self.argv))
        return f"<Prediction {self.verdict.kind} {argv[:400]!r} on {self.engine}>"
