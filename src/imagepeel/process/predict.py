"""The whole prediction: every judge is asked in order, the first refusal decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.knowledge import WHOLE, ImagePart, Knowledge
from imagepeel.evidence import Location, text
from imagepeel.process import volumes
from imagepeel.process.engines import argv, create, user, verdict
from imagepeel.process.engines import cwd as workdir
from imagepeel.process.engines import env as environment
from imagepeel.process.engines.additions import additions
from imagepeel.process.engines.lookup import ProgramLookup, too_many
from imagepeel.process.engines.mounted import (
    is_live,
    is_magic,
    mount_points,
    mounted,
    prepared,
    touches,
    with_directory,
)
from imagepeel.process.engines.runtime import Home
from imagepeel.process.engines.variables import Variables
from imagepeel.process.engines.workdir import Workdir
from imagepeel.process.kernel import execve as kernel
from imagepeel.process.kernel.execve import ExecveRequest
from imagepeel.process.loaded import BY_LOAD, failure_of
from imagepeel.process.readers import readers
from imagepeel.process.scenario import Scenario, settle
from imagepeel.process.simulate import StartSimulation
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Outcome, Phase, Stage, Unproved
from imagepeel.process.spec.hedged import hedged_library, hedged_step
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials, NeededLibrary, Prediction, Step, Verdict
from imagepeel.process.unpredicted import elsewhere, unpredicted
from imagepeel.tables import known_architecture, not_for_linux
from imagepeel.text import plural, without_middle

if TYPE_CHECKING:
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.oci.config import ImageConfig
    from imagepeel.rootfs.view import Rootfs

_BY_CONFIG = frozenset({FailureCode.NO_COMMAND, FailureCode.RUN_AS_NON_ROOT, FailureCode.TOO_MANY_LAYERS})
"""What the config alone proves, whatever the layers hold."""

HOSTNAME = "<container-id>"
"""Stands for the host name that the engine makes up when none is given."""


def predict(
    rootfs: Rootfs,
    config: ImageConfig | ProcessSpec | None,
    options: ProcessOptions | None = None,
    *,
    architecture: str | None = None,
    complete: bool = True,
    load: LoadAnswer | None = None,
) -> Prediction:
    """Say which process this image becomes on one engine, or how the start fails, with the proof.

    `config` is the image's, None for a bare rootfs.  `architecture` is the host's where the options name none;
    without both it is the image's own.  Where the rootfs says that the config or a layer is not known, nothing is
    proved and the verdict is UNKNOWN; `complete` is False for a rootfs that cannot say so itself.  `load` is why the
    engine's store does not take the image as it is.  Nothing of the image is executed.  UsageError for an unknown
    engine, runtime or capability; whatever the image contains ends in a verdict.
    """
    scenario = settle(config, options or ProcessOptions(), architecture)
    known: Knowledge = getattr(rootfs, "knowledge", WHOLE)
    told = None if isinstance(config, ProcessSpec) else unpredicted(scenario, known)
    if told is None and (foreign := not_for_linux(scenario.wanted.os, scenario.wanted.architecture)):
        told = elsewhere(scenario, foreign)
    return told if told is not None else _Run(rootfs, scenario, known, complete, load).predict()


class _Run:
    """One prediction under way: the trace grows, the first failure is kept."""

    def __init__(
        self, rootfs: Rootfs, scenario: Scenario, known: Knowledge, complete: bool, load: LoadAnswer | None
    ) -> None:
        self.image = rootfs
        self.rootfs = prepared(rootfs, scenario.engine)
        """What the engine hands to the runtime."""
        self.inside = volumes.with_mounts(mounted(self.rootfs, scenario.engine), scenario)
        """What the process sees: the same with the mounts of runtime and caller on it."""
        self.known = known
        self.complete = complete and known.layers
        self.load = load
        self.scenario = scenario
        self.engine = scenario.engine
        self.runtime = scenario.runtime
        self.wanted = scenario.wanted
        self.options = scenario.options
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.depends: list[str] = []
        self.verdict: Verdict | None = None
        self.sim: StartSimulation | None = None
        self.host_env = ""
        self.closed: str | None = None
        """The program that may not be executed, where that ends the start."""

    def fail(self, failure: Failure | None) -> None:
        """Keep a failure; of those behind the first that decides, the next one that does not come of it."""
        if failure is None:
            return
        said = verdict.fails(self.engine, self.runtime, self.scenario.label, failure)
        if self.verdict is None:
            self.verdict = said
        elif self.verdict.kind is Outcome.FAILS and not self.verdict.after and self._independent(failure):
            self.verdict = msgspec.structs.replace(self.verdict, after=said.message)

    def _independent(self, failure: Failure) -> bool:
        """Whether a later failure holds whatever is done about the first: the kernel's, about an absolute path."""
        first = self.verdict.id if self.verdict is not None else None
        # A layer that is missing may have what the kernel does not find.
        return (
            self.complete
            and failure.judge is Judge.KERNEL
            and failure.code is not first
            and failure.about.startswith("/")
        )

    def unproved(self, reason: str, where: Location | None = None) -> None:
        """Nothing is proved from here on, unless a failure decides already."""
        if self.verdict is None:
            self.verdict = verdict.unknown(self.scenario.label, reason, where)

    def predict(self) -> Prediction:
        """Ask everybody in order; what one refuses does not keep the others from being asked."""
        self.notes.extend(self.scenario.notes)
        if self.known.imported:
            self.notes.append("no config belongs to it: this holds for an image that is made of it, as an import does")
        self._load()
        vector = argv.merge(self.wanted, self.options, self.engine)
        self.steps.append(
            Step(
                rule=Stage.COMMAND,
                judge=Judge.ENGINE,
                title="What shall run",
                detail=(vector.how, *vector.notes),
                outcome="ok" if vector.argv else "empty",
                where=_argv_place(self.wanted, self.options),
            )
        )
        self._platform()
        if not vector.argv:
            self.fail(create.refuse_no_command(self.engine, self.runtime))
        self._look_at_image(create.refuse_image(self.rootfs, self.wanted, self.options, self.engine))
        who = self._user()
        place = self._cwd(who.credentials)
        env, built, home = self._env(who)
        self._engine_refuses(place, built, who)
        unmapped = self._unmapped(who.credentials)
        self._runtime_refuses(place, built, home, unmapped)
        path = self._lookup(vector, env, who.credentials, place)
        self.fail(unmapped)
        chosen = path if path is not None else self.closed
        host = known_architecture(self.scenario.architecture)
        if host is None and path is not None:
            self.unproved(f"no rules are known for the architecture {self.scenario.architecture!r}")
        elif host is not None and chosen is not None:
            credentials = who.credentials
            if not self.runtime.kernel.changes_identity:
                credentials = msgspec.structs.replace(credentials, no_new_privileges=True)
            big = kernel.too_big(vector.argv, env.pairs(), self.runtime.kernel)
            request = ExecveRequest(
                path=chosen,
                argv=vector.argv,
                variables=len(env),
                too_big=big,
                actor=Actor.of(credentials, credentials.effective),
                cwd=place.canonical if place.failure is None else "/",
                architecture=host,
                bounding=credentials.bounding,
                no_new_privileges=credentials.no_new_privileges,
                uid=credentials.uid,
                held=credentials.effective,
                kernel=self.runtime.kernel,
            )
            # Nothing starts that does not fit; behind an init of the engine that is judged later.
            values = {} if big and not vector.by_init else dict(env.pairs())
            start = ProcessState(credentials=credentials, env=values, cwd=request.cwd, after=request.actor)
            if path is None:
                self._after_mending(request, start)
            else:
                self._execute(request, vector, start)
        return self._result(vector.argv, path, env, who.credentials, place)

    def _load(self) -> None:
        """Whether the image gets into the store at all."""
        load = self.load
        if load is None:
            return
        refused = load.cause is not None
        self.steps.append(
            Step(
                rule=Stage.LOAD,
                judge=Judge.LOAD,
                title=f"Into the store: {load.command}",
                outcome=failure_of(load).code if refused else "refused" if load.refuses else "unknown",
                detail=(load.why, *load.ways),
                where=load.where,
            )
        )
        if refused:
            self.fail(failure_of(load))
        elif load.refuses:
            said = without_middle(" ".join(load.text.split()), 200)
            self.notes.append(
                f"this holds once the image is in the store: {load.label} does not take the file as it is ({said}), "
                f"since {load.why}"
            )
        else:
            self.depends.append(load.why)

    # -- the engine ------------------------------------------------------------------------------------------

    def _look_at_image(self, refused: Failure | Unproved | None) -> None:
        if refused is None:
            return
        self.steps.append(
            Step(
                rule=Stage.IMAGE,
                judge=Judge.ENGINE,
                title="The engine looks at the image",
                outcome=refused.code if isinstance(refused, Failure) else "unknown",
                detail=(refused.why if isinstance(refused, Failure) else refused.reason,),
                where=refused.where,
            )
        )
        if isinstance(refused, Failure):
            self.fail(refused)
        else:
            self.unproved(refused.reason, refused.where)

    def _platform(self) -> None:
        wanted, architecture = self.wanted, self.scenario.architecture
        label = known_architecture(wanted.architecture) if wanted.architecture else None
        host = known_architecture(architecture)
        if label and host and label != host:
            self.notes.append(
                f"the image says {wanted.architecture}, the host is {architecture}: "
                + ("the engine warns and goes on" if self.engine.warns_of_platform else "nobody checks")
            )

    def _user(self) -> user.UserResolution:
        asked = self.options.user
        spec = self.wanted.user if asked is None else asked
        if odd := user.unproved_accounts(self.rootfs, self.engine):
            self.unproved(odd)
        who = user.resolve(self.rootfs, spec, "image" if asked is None else "option", self.options, self.engine)
        found = who.credentials
        if who.failure is not None:
            step = Step(
                rule=Stage.USER,
                judge=Judge.ENGINE,
                title=f"Who: USER {spec}",
                outcome=who.kind,
                detail=(who.failure.why,),
                path=user.PASSWD,
                where=who.failure.where,
            )
        else:
            caps = f"{len(found.effective)} of {len(found.bounding)} capabilities effective until execve"
            step = Step(
                rule=Stage.USER,
                judge=Judge.ENGINE,
                title=f"Who: {found.ids}",
                detail=(found.groups_in_words, caps, *found.notes),
                path=user.PASSWD,
                where=trace.locate(self.rootfs, user.PASSWD) or found.where,
                inspect=("sed -n l",),
            )
        self.steps.append(step)
        if not self.options.run_as_non_root:
            return who
        strict = self.engine.refuse_root(spec, found.uid, by_option=asked is not None)
        return who if strict is None else msgspec.structs.replace(who, failure=strict)

    def _cwd(self, credentials: Credentials) -> Workdir:
        given = self.options.workdir
        asked = workdir.WorkdirRequest(
            path=self.wanted.working_dir if given is None else given, by_option=given is not None
        )
        place = workdir.choose(
            self.rootfs, asked, self.engine, self.runtime, Actor.of(credentials, ()), inside=self.inside
        )
        where = trace.locate(self.rootfs, place.canonical) or trace.config_place("/config/WorkingDir")
        failure = place.failure
        self.steps.append(
            Step(
                rule=Stage.WORKDIR,
                judge=Judge.ENGINE if failure is None else failure.judge,
                title=f"Where: {place.path}",
                outcome="ok" if failure is None else failure.errno,
                detail=(place.how, *place.notes, *((failure.why,) if failure is not None else ())),
                path=place.canonical,
                where=where,
            )
        )
        if failure is None:
            if place.created:
                owner = (credentials.uid, credentials.gid) if self.engine.workdir_of_user else (0, 0)
                self.inside = with_directory(self.inside, place.canonical, owner)
            return place
        return msgspec.structs.replace(place, failure=msgspec.structs.replace(failure, where=where))

    def _env(self, who: user.UserResolution) -> tuple[Variables, environment.Environment, Home]:
        hostname = self.options.hostname or HOSTNAME
        built = environment.build(self.wanted, self.options, self.engine, self.runtime, hostname=hostname)
        home = self._home(who)
        if not self.complete:
            home = msgspec.structs.replace(home, why=f"{home.why}, as far as the layers that are here tell")
        variables = environment.with_home(built.variables, self.engine, self.runtime, home)
        notes = list(built.notes)
        set_home = variables.named("HOME")
        if set_home is not None and set_home.origin == "image" and who.credentials.uid:
            notes.append(f"HOME stays {set_home.value}: it is filled in only when absent")
        self.steps.append(
            Step(
                rule=Stage.ENVIRONMENT,
                judge=Judge.ENGINE,
                title=f"With {plural(len(variables), 'variable')}",
                detail=tuple(notes),
                outcome="empty name" if built.problem else "ok",
                where=trace.config_place("/config/Env"),
            )
        )
        if built.depends:
            self.depends.append(built.depends)
            self.host_env = built.depends
        return variables, built, home

    def _home(self, who: user.UserResolution) -> Home:
        """HOME as the runtime fills it in, or as the engine does."""
        credentials = who.credentials
        home = self.runtime.home(user.read_file(self.rootfs, user.PASSWD), credentials.uid)
        if home.problem:
            return home
        spec = self.options.user if self.options.user is not None else self.wanted.user
        if not credentials.name and spec.partition(":")[0].isdigit():
            given = self.options.workdir
            chosen = self.engine.home_of_stranger(credentials, self.wanted.working_dir if given is None else given)
            if chosen is not None:
                return Home(value=chosen[0], why=chosen[1])
        if self.engine.home == "engine" and who.failure is None:
            return Home(value=credentials.home, why="home of the user in /etc/passwd")
        return home

    def _engine_refuses(self, place: Workdir, built: environment.Environment, who: user.UserResolution) -> None:
        """What an engine refuses, in its order: some make the directory first and look the user up at the start."""
        by_engine = place.failure if place.failure is not None and place.failure.judge is Judge.ENGINE else None
        if self.engine.makes_workdir_first:
            self.fail(by_engine)
        if built.problem:
            self.fail(self.engine.refuse_variable(built.problem))
        self._look_at_image(create.refuse_volumes(self.rootfs, self.wanted, self.engine))
        self.fail(who.failure)
        blocked = create.refuse_mount_points(self.rootfs, self.engine)
        if isinstance(blocked, Failure):
            self.fail(blocked)
        elif blocked is not None:
            self.unproved(blocked.reason, blocked.where)
        self.fail(by_engine)

    # -- the runtime -----------------------------------------------------------------------------------------

    def _unmapped(self, user: Credentials) -> Failure | None:
        """The refusal of an id outside of the container's own user namespace, where it has one."""
        if not self.options.user_namespace or not self.engine.knows_user_namespaces:
            return None
        for what, number in (("gid", user.gid), ("uid", user.uid)):
            if number >= create.SUBORDINATE_IDS:
                return Failure(
                    code=FailureCode.IDS_UNMAPPED,
                    judge=Judge.RUNTIME,
                    errno="EINVAL",
                    message=self.runtime.unmapped(what, number),
                    why=f"the {what} is {number}, and the user namespace has the ids below {create.SUBORDINATE_IDS}",
                    fix=f"use a {what} below {create.SUBORDINATE_IDS}",
                    where=user.where,
                )
        return None

    def _runtime_refuses(
        self, place: Workdir, built: environment.Environment, home: Home, unmapped: Failure | None
    ) -> None:
        """What the runtime refuses before it looks for the program, in its order."""
        if place.failure is not None and place.failure.phase is Phase.BARE:
            self.fail(place.failure)
        if built.problem:
            self.fail(self.runtime.refuse_variable(built.problem))
        self._mounts()
        if place.unproved:
            self.unproved(place.unproved)
        if self.runtime.looks_up_first:
            return
        self.fail(place.failure)
        self.fail(unmapped)
        if home.problem and (failure := self.runtime.unreadable_passwd(home.problem)) is not None:
            self.fail(msgspec.structs.replace(failure, where=trace.locate(self.rootfs, user.PASSWD)))

    def _mounts(self) -> None:
        """What the runtime mounts on; a step of the trace where one of the places is no directory."""
        for point in mount_points(self.rootfs, self.engine):
            if point.state in {"missing", "dir"}:
                continue
            refused = self.engine.refuse_mount(point) or self.runtime.refuse_mount(point)
            said = (refused.why,) if isinstance(refused, Failure) else (refused.reason,) if refused is not None else ()
            self.steps.append(
                Step(
                    rule=Stage.MOUNTS,
                    judge=Judge.RUNTIME,
                    title=f"What is mounted on: {point.what}",
                    outcome="ok" if refused is None else getattr(refused, "errno", "") or "unknown",
                    detail=said,
                    where=point.where,
                )
            )
            if isinstance(refused, Failure):
                self.fail(refused)
            elif refused is not None:
                self.unproved(refused.reason, refused.where)

    def _lookup(self, vector: argv.Argv, env: Variables, credentials: Credentials, place: Workdir) -> str | None:
        """The file that argv[0] means; None after a failure."""
        words = vector.argv
        if not words:
            return None
        title = f"Which file {trace.quote(words[0])} is"
        if vector.by_init:
            detail = ("the engine brings it from the host and mounts it there",)
            self.steps.append(Step(rule=Stage.LOOKUP, judge=Judge.RUNTIME, title=title, detail=detail, path=words[0]))
            return words[0]
        if any("\0" in word for word in words):
            self.unproved("an argument holds a NUL byte, which no runtime can pass")
            return None
        path_value = None if (path_set := env.named("PATH")) is None else path_set.value
        actor = Actor.of(credentials, credentials.effective)
        directory = "/" if place.failure is not None else place.canonical
        if why := too_many(words[0], path_value):
            self.unproved(why)
            return None
        found = self.runtime.find(self.inside, words[0], path_value, directory, actor)
        failure = found.failure
        if failure is not None and failure.code is FailureCode.SHELL_MISSING and "-c" not in words[1:2]:
            # Somebody asks for a shell by name: no shell form is behind it.
            why = f"{words[0]} does not exist: this image has no such shell"
            fix = "add a shell, or name a program that the image has"
            failure = msgspec.structs.replace(failure, code=FailureCode.FILE_MISSING, why=why, fix=fix)
        self._lookup_step(title, words[0], found, failure, directory)
        held = volumes.holding(self.scenario, trace.below(directory, found.path or words[0]))
        if isinstance(held, Unproved):
            self.unproved(held.reason)
        elif held:
            self.depends.append(held)
        self._kernel_decides(words[0], directory, found)
        if failure is not None:
            where = trace.locate(self.inside, found.place) if found.place else None
            where = where or _argv_place(self.wanted, self.options)
            if failure.code in (FailureCode.NOT_EXECUTABLE, FailureCode.SKIPPED_IN_PATH) and self.verdict is None:
                self.closed = found.place or None
            self.fail(msgspec.structs.replace(failure, where=where))
        if self.runtime.looks_up_first:
            self.fail(place.failure)
        return found.path

    def _kernel_decides(self, word: str, directory: str, found: ProgramLookup) -> None:
        """Nothing is proved about a program that the kernel of the host puts below a mount, or does not."""
        seen = self.inside.resolve(found.path or word, cwd=directory)
        if self.runtime.kernel.own and touches(seen, self.engine) and (seen.node is not None or is_live(seen.missing)):
            self.unproved(f"{word} leads below a mount, and {self.runtime.name} has a kernel of its own")
        if found.path is not None and is_magic(seen):
            self.unproved(f"{found.path} leads to {text(seen.path)}: what that is, the moment of the start decides")
        elif found.path is None and "/" in word and is_live(seen.missing):
            self.unproved(f"{word} leads to {text(seen.missing)}, and the kernel of the host decides what is there")

    def _lookup_step(
        self, title: str, word: str, found: ProgramLookup, failure: Failure | None, directory: str
    ) -> None:
        if found.path is not None:
            detail = "has a slash: taken as it is" if "/" in word else f"found in PATH as {found.path}"
        else:
            detail = "" if failure is None else failure.why
        self.steps.append(
            Step(
                rule=Stage.LOOKUP,
                judge=Judge.RUNTIME,
                title=title,
                outcome="ok" if failure is None else failure.errno,
                detail=(detail,),
                path=found.path if found.path is not None else found.place or None,
                where=trace.locate(self.inside, trace.below(directory, found.path)) if found.path else None,
                candidates=found.candidates,
            )
        )

    # -- the kernel and user space ---------------------------------------------------------------------------

    def _execute(self, request: ExecveRequest, vector: argv.Argv, start: ProcessState) -> None:
        sim = StartSimulation(self.inside, self.scenario, request.architecture)
        if vector.by_init:
            sim.judge_behind_init(vector.argv, vector.argv[len(self.engine.init_argv) :], start)
        else:
            result = kernel.execute(self.inside, request)
            self.steps.extend(result.steps)
            self.fail(result.failure)
            if result.failure is not None:
                return
            self.depends.extend(result.depends)
            if result.unknown:
                self.unproved(result.unknown, result.where)
            if result.final is None:
                return
            sim.judge(result, start, request.path)
        self.sim = sim
        self.steps.extend(sim.steps)
        self.depends.extend(sim.depends)
        self.notes.extend(sim.notes)
        self.fail(sim.failure)
        if sim.pid1 is not None:
            self.depends.extend(volumes.server_writes(self.scenario, self.inside, (sim.pid1.argv, *sim.wrapped)))
        if sim.pid1 is not None and sim.pid1.ends_at_once and sim.failure is None:
            self.notes.append(sim.pid1.why)
        if sim.unknown:
            self.unproved(sim.unknown)

    def _after_mending(self, request: ExecveRequest, start: ProcessState) -> None:
        """What comes next where the program may not be executed, once it may."""
        result = kernel.execute(self.inside, msgspec.structs.replace(request, mended=True))
        failure = result.failure
        if failure is None and result.final is not None and not result.unknown:
            sim = StartSimulation(self.inside, self.scenario, request.architecture)
            sim.judge(result, start, request.path)
            failure = sim.failure
        if failure is not None and self.verdict is not None and failure.code is not self.verdict.id:
            said = verdict.fails(self.engine, self.runtime, self.scenario.label, failure)
            self.verdict = msgspec.structs.replace(self.verdict, after=said.message)

    def _result(
        self,
        words: tuple[str, ...],
        path: str | None,
        env: Variables,
        credentials: Credentials,
        place: Workdir,
    ) -> Prediction:
        sim = self.sim
        steps, libraries = self.steps, distinct(sim.libraries) if sim is not None else ()
        if not self.complete:
            why = self.known.why(ImagePart.LAYER)
            steps = [hedged_step(step, why) for step in steps]
            libraries = tuple(map(hedged_library, libraries))
        return Prediction(
            engine=self.scenario.label,
            view=self.rootfs.view,
            runtime=self.runtime.name,
            architecture=self.scenario.architecture,
            argv=words,
            path=path,
            env=env.kept(),
            user=credentials,
            cwd=place.path,
            steps=tuple(steps),
            verdict=self._final(),
            notes=tuple(self.notes),
            assumes=tuple(dict.fromkeys(sim.assumes)) if sim is not None else (),
            readers=readers(words, sim.started) if sim is not None else (),
            pid1=sim.pid1 if sim is not None else None,
            libraries=libraries,
            wrapped=tuple(sim.wrapped) if sim is not None else (),
            additions=additions(self.image, self.wanted, self.options, self.engine, words),
        )

    def _final(self) -> Verdict:
        """The verdict, as far as the filesystem and the host allow one."""
        final, label = self.verdict, self.scenario.label
        told = tuple(volumes.told_elsewhere(self.scenario))
        if told and (final is None or final.judge not in (Judge.LOAD, Judge.ENGINE)):
            reason = f"else {final.message or final.reason}" if final is not None else ""
            final = Verdict(kind=Outcome.DEPENDS, depends=(*told, *self.depends), engine=label, reason=reason)
        if final is not None and self.host_env and final.judge not in (None, Judge.LOAD, Judge.ENGINE):
            depends = (self.host_env,)
            final = Verdict(kind=Outcome.DEPENDS, depends=depends, engine=label, reason=f"else {final.message}")
        if final is None:
            final = verdict.runs(label, tuple(dict.fromkeys(self.depends)))
        if final.id in BY_LOAD:
            return final
        if not self.complete:
            why = self.known.why(ImagePart.LAYER)
            reason = "layers are missing or damaged: the filesystem is not complete"
            return verdict.unknown(label, f"{reason} ({why})" if why else reason)
        if final.id not in _BY_CONFIG and self.rootfs.refusal is not None:
            return verdict.unknown(label, f"a runtime refuses to unpack this image: {self.rootfs.refusal.reason}")
        return final


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
