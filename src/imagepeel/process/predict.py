"""The whole prediction: S1 to S9 in order, every judge asked, the first refusal decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.errors import UsageError
from imagepeel.evidence import Location
from imagepeel.formats.passwd import go_quote
from imagepeel.process.engines import create, lookup, user, verdict
from imagepeel.process.engines import cwd as workdir
from imagepeel.process.engines import env as environment
from imagepeel.process.engines.additions import additions
from imagepeel.process.kernel import execve as kernel
from imagepeel.process.kernel.execve import ExecveRequest
from imagepeel.process.simulate import StartSimulation
from imagepeel.process.spec import intent, profiles, trace
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.intent import ProcessSpec
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import Engine, Runtime
from imagepeel.process.spec.values import Credentials, EnvVar, NeededLibrary, Prediction, Step, Verdict
from imagepeel.tables import MACHINES, known_architecture

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.view import Rootfs

_CONFIG_ROWS = frozenset({"F9", "F39", "F41"})  # proved by the config alone

HOSTNAME = "<container-id>"
"""Stands for the host name that the engine makes up when none is given."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Who predicts for whom: the profile of one call, resolved once."""

    engine: Engine
    runtime: Runtime
    label: str
    architecture: str
    architecture_note: str
    wanted: ProcessSpec
    options: ProcessOptions


def settle(config: Any, options: ProcessOptions, architecture: str | None = None) -> Scenario:
    """Resolve engine, runtime and architecture; raises UsageError for names nobody knows."""
    wanted = intent.read_config(config)
    engine, label = profiles.engine(options.engine)
    runtime = profiles.runtime(options.runtime or engine.runtime)
    if options.runtime is not None:
        label = f"{label} over {options.runtime}"
    if options.host_arch is not None and known_architecture(options.host_arch) not in MACHINES:
        raise UsageError(
            f"there is no architecture {options.host_arch!r} here", hint="known are " + ", ".join(sorted(MACHINES))
        )
    asked = options.host_arch or architecture or wanted.architecture
    note = ""
    if not asked:
        asked, note = "amd64", "the config names no architecture: amd64 is assumed"
    version = options.engine.partition("@")[2].lstrip("v")
    if version and not f"{version}.".startswith(".".join(map(str, engine.version)) + "."):
        borrowed = f"the rules of {engine.label} stand for {label}, which has none of its own here"
        note = f"{borrowed}; {note}" if note else borrowed
    return Scenario(
        engine=engine,
        runtime=runtime,
        label=label,
        architecture=asked,
        architecture_note=note,
        wanted=wanted,
        options=options,
    )


def predict(
    rootfs: Rootfs,
    config: Any,
    options: ProcessOptions | None = None,
    *,
    architecture: str | None = None,
    complete: bool = True,
) -> Prediction:
    """Say which process this image becomes on one engine, or how the start fails, with the proof.

    `config` is an `oci.config.ImageConfig` (None for a bare rootfs), `architecture` the host's when the options
    name none; without both the image's own; `complete` is False where layers are missing or damaged: then nothing
    about files can be proved.  Nothing of the image is executed.  Raises UsageError for an unknown
    engine, runtime or capability; whatever the image contains ends in a verdict.
    """
    setting = settle(config, options or ProcessOptions(), architecture)
    whole = complete and bool(getattr(rootfs, "complete", True))
    return _Run(rootfs, setting, whole, config).predict()


def predict_image(image: LayeredImage, options: ProcessOptions | None = None) -> Prediction:
    """Return `predict` for an image: its runtime view, its config, its architecture."""
    return predict(image.rootfs, image.config, options, architecture=image.architecture)


class _Run:
    """One prediction under way: the trace grows, the first failure is kept."""

    def __init__(self, rootfs: Rootfs, setting: Scenario, complete: bool, config: Any) -> None:
        self.rootfs = rootfs
        self.config = config
        self.complete = complete
        self.setting = setting
        self.engine = setting.engine
        self.runtime = setting.runtime
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.depends: list[str] = []
        self.failure: Verdict | None = None
        self.sim: StartSimulation | None = None
        self.host_env = ""
        self._init = False
        self._pending: list[Verdict] = []
        self._home_problem = ""
        self._user_failure: Verdict | None = None
        self._env_failure: Verdict | None = None

    def fail(self, failure: Verdict) -> None:
        if self.failure is None:
            self.failure = failure

    def predict(self) -> Prediction:
        setting, wanted, options = self.setting, self.setting.wanted, self.setting.options
        if setting.architecture_note:
            self.notes.append(setting.architecture_note)
        argv = intent.merge(wanted, options, self.engine)
        self.steps.append(
            Step(
                rule="S2",
                judge="J1",
                title="What shall run",
                detail=(argv.how, *argv.notes),
                outcome="ok" if argv.argv else "empty",
                where=_argv_place(wanted, options),
            )
        )
        self._platform()
        if not argv.argv:
            self.fail(create.no_command(self.engine, self.runtime, setting.label))
        words = argv.argv
        refused = create.refusal(self.rootfs, self.config, wanted, options, self.engine, setting.label)
        self._look_at_image(refused)
        credentials = self._user()
        place = self._cwd(credentials)
        env, entries = self._env(credentials)
        self._engine_order(place)
        path = self._lookup(words, env, credentials, place, argv.origin)
        if path is not None:
            self._execute(path, words, entries, credentials, place)
        return self._result(words, path, env, credentials, place)

    def _look_at_image(self, refused: Verdict | None) -> None:
        if refused is None:
            return
        self.steps.append(
            Step(
                rule="S1",
                judge="J1",
                title="The engine looks at the image",
                outcome=refused.id or "unknown",
                detail=(refused.why or refused.reason,),
                where=refused.where,
            )
        )
        self.fail(refused)

    def _engine_order(self, place: workdir.Workdir) -> None:
        """What an engine refuses, in its order: docker makes the directory at create, looks the user up at start."""
        if self.engine.family == "docker" and place.kind == "engine":
            self._cwd_failure(place)
        if self._env_failure is not None:
            self.fail(self._env_failure)
        self._look_at_image(create.volumes(self.rootfs, self.setting.wanted, self.engine, self.setting.label))
        if self._user_failure is not None:
            self.fail(self._user_failure)

    def _platform(self) -> None:
        setting = self.setting
        os_name = setting.wanted.os
        if os_name != "linux":
            self.fail(verdict.unknown(setting.label, f"the image is for {os_name}, only Linux processes are predicted"))
        label = known_architecture(setting.wanted.architecture) if setting.wanted.architecture else None
        host = known_architecture(setting.architecture)
        if label and host and label != host:
            self.notes.append(
                f"the image says {setting.wanted.architecture}, the host is {setting.architecture}: "
                + ("the engine warns and goes on" if self.engine.family in {"docker", "podman"} else "nobody checks")
            )

    def _user(self) -> Credentials:
        options, wanted, engine = self.setting.options, self.setting.wanted, self.engine
        spec, origin = (options.user, "option") if options.user is not None else (wanted.user, "image")
        who, fix = user.resolve(self.rootfs, spec or "", origin, options, engine)
        found = who.credentials
        if self.setting.options.run_as_non_root and engine.family == "k8s":
            refused = create.non_root(spec or "", found.uid, engine, self.setting.label)
            self._user_failure = refused
        if who.message:
            self.steps.append(
                Step(
                    rule="S3",
                    judge="J1",
                    title=f"Who: USER {spec}",
                    outcome=who.kind,
                    detail=(who.why,),
                    path=user.PASSWD,
                    where=who.where,
                )
            )
            failure = verdict.by_engine(engine, self.setting.label, who.id, who.message, who.why, fix, who.where)
            self._user_failure = self._user_failure or failure
            return found
        name = f" ({found.name})" if found.name else ""
        title = f"Who: {found.uid}:{found.gid}{name}"
        groups = "groups " + " ".join(map(str, found.groups)) if found.groups else "no supplementary groups"
        caps = f"{len(found.effective)} of {len(found.bounding)} capabilities effective until execve"
        self.steps.append(
            Step(
                rule="S3",
                judge="J1",
                title=title,
                detail=(groups, caps, *found.notes),
                path=user.PASSWD,
                where=trace.locate(self.rootfs, user.PASSWD) or found.where,
                inspect=("cat -A",),
            )
        )
        return found

    def _cwd(self, credentials: Credentials) -> workdir.Workdir:
        options, wanted = self.setting.options, self.setting.wanted
        given, origin = (wanted.working_dir, "WorkingDir of the image")
        if options.workdir is not None:
            given, origin = options.workdir, workdir.BY_OPTION
        actor = Actor.of(credentials, ())
        place = workdir.choose(self.rootfs, given, origin, self.engine, self.runtime, actor)
        self.steps.append(
            Step(
                rule="S5",
                judge=place.judge or "J1",
                title=f"Where: {place.path}",
                outcome=place.errno or "ok",
                detail=(place.how, *place.notes, *((place.why,) if place.why else ())),
                path=place.canonical,
                where=trace.locate(self.rootfs, place.canonical) or trace.config_place("/config/WorkingDir"),
            )
        )
        return place

    def _cwd_failure(self, place: workdir.Workdir) -> None:
        if not place.message:
            return
        where = trace.locate(self.rootfs, place.canonical) or trace.config_place("/config/WorkingDir")
        if place.kind == "engine":
            self.fail(
                verdict.by_engine(
                    self.engine,
                    self.setting.label,
                    place.id,
                    place.message,
                    place.why,
                    place.fix,
                    where,
                    place.errno,
                    created=self.engine.family == "podman",
                )
            )
            return
        self.fail(
            verdict.by_runtime(
                self.engine,
                self.runtime,
                self.setting.label,
                place.id,
                place.errno,
                place.message,
                place.why,
                place.fix,
                where,
                kind=place.kind,
            )
        )

    def _numeric_stranger(self, credentials: Credentials) -> bool:
        """USER is a number that /etc/passwd has no line for: podman then adds one in the copy that it mounts."""
        spec = self.setting.options.user if self.setting.options.user is not None else self.setting.wanted.user
        return (spec or "").partition(":")[0].isdigit() and not credentials.name

    def _env(self, credentials: Credentials) -> tuple[tuple[EnvVar, ...], tuple[str, ...]]:
        hostname = self.setting.options.hostname or HOSTNAME
        built = environment.build(
            self.setting.wanted, self.setting.options, self.engine, self.runtime, hostname=hostname
        )
        home = user.home_of(self.rootfs, credentials, self.runtime)
        if self.engine.home == "engine" and not home.problem and self._user_failure is None:
            home = msgspec.structs.replace(home, value=credentials.home, why="home of the user in /etc/passwd")
        if self.engine.family == "podman" and not home.problem and self._numeric_stranger(credentials):
            wanted, given = self.setting.wanted.working_dir, self.setting.options.workdir
            why = f"podman writes a passwd line for uid {credentials.uid}, and its home is the working directory"
            home = msgspec.structs.replace(home, value=(wanted if given is None else given) or "/", why=why)
        variables = environment.with_home(built.variables, self.engine, self.runtime, home.value, home.why)
        notes = list(built.notes)
        home_variable = next((variable for variable in variables if variable.name == "HOME"), None)
        if home_variable is not None and home_variable.origin == "image" and credentials.uid:
            notes.append(f"HOME stays {home_variable.value}: it is filled in only when absent")
        self.steps.append(
            Step(
                rule="S4",
                judge="J1",
                title=f"With {len(variables)} variables",
                detail=tuple(notes),
                outcome="empty name" if built.problem else "ok",
                where=trace.config_place("/config/Env"),
            )
        )
        if built.depends:
            self.depends.append(built.depends)
            self.host_env = built.depends
        self._before_lookup(built.problem, home.problem)
        return variables, tuple(f"{variable.name}={variable.value}" for variable in variables)

    def _before_lookup(self, env_problem: str, home_problem: str) -> None:
        """runc's own order: configuration, environment, then the rest of its init."""
        if env_problem.startswith("=") and self.engine.family == "podman":
            message = f"env fields from image failed to parse: invalid environment variable: {go_quote(env_problem)}"
            self._env_failure = verdict.by_engine(
                self.engine,
                self.setting.label,
                "F17",
                message,
                "an entry of Env has no name before =",
                "remove it",
                trace.config_place("/config/Env"),
                created=False,
            )
        elif env_problem and self.runtime.family == "runc":
            message = f"environment variable name can't be empty: {go_quote(env_problem)}"
            why = "an entry of Env has no name before ="
            if not env_problem.startswith("="):
                message = f"invalid environment variable: {go_quote(env_problem)}"
                why = "an entry of Env has no ="
            self._pending.append(
                verdict.by_runtime(
                    self.engine,
                    self.runtime,
                    self.setting.label,
                    "F17",
                    "EINVAL",
                    message,
                    why,
                    "remove it",
                    trace.config_place("/config/Env"),
                    kind="init",
                )
            )
        self._home_problem = home_problem

    def _lookup(
        self,
        words: tuple[str, ...],
        env: tuple[EnvVar, ...],
        credentials: Credentials,
        place: workdir.Workdir,
        origin: tuple[str, ...],
    ) -> str | None:
        blocked = create.mount_points(self.rootfs, self.engine, self.setting.label)
        if blocked is not None:
            self.fail(blocked)
        bare = place.kind == "bare"
        crun = self.runtime.family == "crun"
        if place.kind == "engine" or bare:
            self._cwd_failure(place)
        for failure in self._pending:
            self.fail(failure)
        if not crun:
            self._cwd_failure(place)
        if self._home_problem and not crun:
            self.fail(
                verdict.by_runtime(
                    self.engine,
                    self.runtime,
                    self.setting.label,
                    "F42",
                    "EISDIR",
                    self._home_problem,
                    "runc looks the home directory up in /etc/passwd, which cannot be read",
                    "let /etc/passwd be a plain file",
                    trace.locate(self.rootfs, user.PASSWD),
                )
            )
        if not words:
            return None
        if origin and origin[0] == "init":
            self._init = True
            detail = ("the engine brings it from the host and mounts it there",)
            self.steps.append(
                Step(
                    rule="S6", judge="J2", title=f"Which file {trace.quote(words[0])} is", detail=detail, path=words[0]
                )
            )
            return words[0]
        path_value = next((variable.value for variable in env if variable.name == "PATH"), None)
        actor = Actor.of(credentials, credentials.effective)
        directory = "/" if place.message else place.canonical
        if any("\0" in word for word in words):
            self.fail(verdict.unknown(self.setting.label, "an argument holds a NUL byte, which no runtime can pass"))
            return None
        found = lookup.find(self.rootfs, words[0], path_value, directory, actor, self.runtime)
        if found.id == "F34" and "-c" not in words[1:2]:
            # Somebody asks for a shell by name: no shell form is behind it.
            why = f"{words[0]} does not exist: this image has no such shell"
            fix = "add a shell, or name a program that the image has"
            found = msgspec.structs.replace(found, id="F3", why=why, fix=fix)
        title = f"Which file {trace.quote(words[0])} is"
        where = trace.locate(self.rootfs, found.path) if found.path else None
        if found.path is not None:
            how = "has a slash: taken as it is" if "/" in words[0] else f"found in PATH as {found.path}"
            self.steps.append(
                Step(
                    rule="S6",
                    judge="J2",
                    title=title,
                    detail=(how,),
                    path=found.path,
                    where=where,
                    candidates=found.candidates,
                )
            )
        else:
            self.steps.append(
                Step(
                    rule="S6",
                    judge="J2",
                    title=title,
                    outcome=found.errno,
                    detail=(found.why,),
                    path=found.place or None,
                    candidates=found.candidates,
                )
            )
            where = trace.locate(self.rootfs, found.place) if found.place else None
            self.fail(
                verdict.by_runtime(
                    self.engine,
                    self.runtime,
                    self.setting.label,
                    found.id,
                    found.errno,
                    found.message,
                    found.why,
                    found.fix,
                    where or _argv_place(self.setting.wanted, self.setting.options),
                )
            )
        if crun:
            self._cwd_failure(place)
        return found.path

    def _execute(
        self,
        path: str,
        words: tuple[str, ...],
        entries: tuple[str, ...],
        credentials: Credentials,
        place: workdir.Workdir,
    ) -> None:
        host = known_architecture(self.setting.architecture)
        if host is None:
            reason = f"no rules are known for the architecture {self.setting.architecture!r}"
            self.fail(verdict.unknown(self.setting.label, reason))
            return
        call = ExecveRequest(
            path=path,
            argv=words,
            env=entries,
            actor=Actor.of(credentials, credentials.effective),
            cwd=place.canonical if not place.message else "/",
            architecture=host,
            bounding=credentials.bounding,
            no_new_privileges=credentials.no_new_privileges,
            uid=credentials.uid,
            held=credentials.effective,
        )
        if self._init:
            self._behind_init(path, words, credentials, call, host)
            return
        chain = kernel.execute(self.rootfs, call)
        self.steps.extend(chain.steps)
        if chain.errno:
            self.fail(
                verdict.by_kernel(
                    self.engine,
                    self.runtime,
                    self.setting.label,
                    chain.id,
                    chain.errno,
                    path,
                    chain.why,
                    chain.fix,
                    chain.where,
                    chain.depends,
                )
            )
            return
        self.depends.extend(chain.depends)
        if chain.unknown:
            self.fail(verdict.unknown(self.setting.label, chain.unknown, chain.where))
        if chain.final is None:
            return
        sim = StartSimulation(
            self.rootfs, self.engine, self.setting.label, self.setting.wanted, self.setting.options, host
        )
        variables = dict(entry.split("=", 1) for entry in entries)
        sim.judge(chain, credentials, variables, call.cwd, path)
        self._landed(sim)

    def _behind_init(
        self, init: str, words: tuple[str, ...], credentials: Credentials, call: ExecveRequest, host: str
    ) -> None:
        sim = StartSimulation(
            self.rootfs, self.engine, self.setting.label, self.setting.wanted, self.setting.options, host
        )
        variables = dict(entry.split("=", 1) for entry in call.env)
        command = words[len(self.engine.init_argv) :]
        sim.judge_behind_init(init, words, command, credentials, variables, call.cwd)
        self._landed(sim)

    def _landed(self, sim: StartSimulation) -> None:
        """Take over what user space came to."""
        self.sim = sim
        self.steps.extend(sim.steps)
        self.depends.extend(sim.depends)
        if sim.failure is not None:
            self.fail(sim.failure)
        if sim.unknown:
            self.fail(verdict.unknown(self.setting.label, sim.unknown))

    def _result(
        self,
        words: tuple[str, ...],
        path: str | None,
        env: tuple[EnvVar, ...],
        credentials: Credentials,
        place: workdir.Workdir,
    ) -> Prediction:
        final, sim = self.failure, self.sim
        if final is not None and self.host_env and final.judge in {"J2", "J3", "J4"}:
            final = Verdict(
                kind="DEPENDS", depends=(self.host_env,), engine=self.setting.label, reason=f"else {final.message}"
            )
        if final is None:
            final = verdict.runs(self.setting.label, tuple(dict.fromkeys(self.depends)))
        refusal = self.rootfs.refusal
        if refusal is not None and final.id not in _CONFIG_ROWS:
            reason = f"a runtime refuses to unpack this image: {refusal.reason}"
            final = verdict.unknown(self.setting.label, reason)
        elif not self.complete and final.id not in _CONFIG_ROWS:
            final = verdict.unknown(self.setting.label, "layers are missing or damaged: the filesystem is not complete")
        return Prediction(
            engine=self.setting.label,
            runtime=self.runtime.name,
            architecture=self.setting.architecture,
            argv=words,
            path=path,
            env=env,
            user=credentials,
            cwd=place.path,
            steps=tuple(self.steps),
            verdict=final,
            notes=tuple(self.notes),
            pid1=sim.pid1 if sim is not None else None,
            libraries=distinct(sim.libraries) if sim is not None else (),
            wrapped=tuple(sim.wrapped) if sim is not None else (),
            additions=additions(self.rootfs, self.setting.wanted, self.setting.options, self.engine, words),
        )


def _argv_place(wanted: ProcessSpec, options: ProcessOptions) -> Location | None:
    if options.entrypoint is not None or (options.args is not None and not wanted.entrypoint):
        return None
    return trace.config_place("/config/Entrypoint" if wanted.entrypoint else "/config/Cmd")


def distinct(libraries: Iterable[NeededLibrary]) -> tuple[NeededLibrary, ...]:
    """Each library once: the programs of a chain share them, and the first that needs one stands for all."""
    first: dict[tuple[str, str | None], NeededLibrary] = {}
    for library in libraries:
        first.setdefault((library.name, library.path), library)
    return tuple(first.values())
