"""`docker run` as it is typed: flags as pflag reads them, then the image, then its words.

Sources: docs.docker.com, "docker container run" (the flags, `--mount`, `--tmpfs`, `--security-opt`); docker/cli
cli/command/container/opts.go; spf13/pflag for the syntax.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.deploy.docker_flags import SHORT, TAKES_NONE, TAKES_ONE
from imagepeel.deploy.place import Place
from imagepeel.deploy.wanted import Deployment, Facts, Field, Mounted, Mounts, Wanted
from imagepeel.errors import UsageError
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.spec.options import ProcessOptions

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_HINT = 'see docs.docker.com, "docker container run"'
_PROGRAMS = ("docker", "podman", "nerdctl")
_MOST_WORDS = 10_000


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """One flag of the command line."""

    name: str
    value: str
    place: Place


def read_docker_run(words: Sequence[str], engine: str) -> Deployment:
    """Return what a command line `docker run FLAGS IMAGE WORDS` starts on an engine.

    `docker` and `run`, or `docker container run` or `create`, may stand in front.  UsageError for a flag that the
    command does not have, one without its value, and for a command line without an image.
    """
    engine = find_engine(engine)[1]
    at = _past_program(words)
    flags, at = _flags(words, at)
    if at >= len(words):
        raise UsageError("the command line names no image", hint="write the image behind the flags of docker run")
    image = words[at]
    reader = _Reader(flags, engine)
    name = reader.one("name") or "container"
    place = Place(pointer=image, column=at + 1)
    options = reader.options()
    if words[at + 1 :]:
        options = msgspec.structs.replace(options, args=tuple(words[at + 1 :]))
    start = Wanted(
        container=name,
        role="container",
        image=image,
        options=options,
        place=place,
        fields=reader.fields(),
        mounts=reader.mounts(),
        needs=reader.needs(),
        unknown_env=reader.unknown_env(),
        restarts=(reader.one("restart") or "no") not in ("no", ""),
    )
    starts = [start, *reader.health(start)]
    facts = Facts(
        container=name,
        place=place,
        ports=tuple(Field(name=one.value, place=one.place) for one in reader.all("publish", "expose")),
        probes=tuple(Field(name="--health-cmd", place=one.place) for one in reader.all("health-cmd")),
        state=tuple(Field(name=one.value, place=one.place) for one in reader.all("volume", "mount")),
        limits=tuple(
            Field(name=f"{one.name} {one.value}", place=one.place) for one in reader.all("memory", "cpus", "pids-limit")
        ),
        owners=tuple(
            Field(name=one.value, place=one.place) for one in reader.all("label") if "maintainer" in one.value
        ),
    )
    return Deployment(form="docker run", file="", starts=tuple(starts), facts=(facts,))


def _past_program(words: Sequence[str]) -> int:
    if len(words) > _MOST_WORDS:
        raise UsageError(f"the command line has more than {_MOST_WORDS:,} words", hint="shorten it")
    at = 0
    if words and words[0].rsplit("/", 1)[-1] in _PROGRAMS:
        at = 1
        if len(words) > 1 and words[1] == "container":
            at = 2
        if at >= len(words) or words[at] not in ("run", "create"):
            what = words[at] if at < len(words) else ""
            raise UsageError(f"docker {what} starts no container", hint="give a command line of docker run")
        at += 1
    elif words and words[0] == "run":
        at = 1
    return at


def _flags(words: Sequence[str], at: int) -> tuple[list[_Given], int]:
    """Read flags up to the first word that is none; return them and where that word is."""
    found: list[_Given] = []
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        word = words[at]
        if word == "--":
            return found, at + 1
        at = _long(words, at, found) if word.startswith("--") else _short(words, at, found)
    return found, at


def _long(words: Sequence[str], at: int, found: list[_Given]) -> int:
    name, equals, value = words[at][2:].partition("=")
    place = Place(pointer=f"--{name}", column=at + 1)
    if name in TAKES_NONE:
        found.append(_Given(name=name, value=_flag(name, value) if equals else "true", place=place))
        return at + 1
    if name not in TAKES_ONE:
        raise UsageError(f"docker run has no flag --{name} (word {at + 1})", hint=_HINT)
    if equals:
        found.append(_Given(name=name, value=value, place=place))
        return at + 1
    return _with_value(words, at, name, found)


def _short(words: Sequence[str], at: int, found: list[_Given]) -> int:
    """Flags of one letter: several without a value may stand together, the last may have one behind it."""
    letters = words[at][1:]
    for number, letter in enumerate(letters):
        name = SHORT.get(letter)
        place = Place(pointer=f"-{letter}", column=at + 1)
        if name is None:
            raise UsageError(f"docker run has no flag -{letter} (word {at + 1})", hint=_HINT)
        rest = letters[number + 1 :]
        if name in TAKES_NONE:
            if rest.startswith("="):
                found.append(_Given(name=name, value=_flag(name, rest[1:]), place=place))
                return at + 1
            found.append(_Given(name=name, value="true", place=place))
            continue
        if rest:
            found.append(_Given(name=name, value=rest.removeprefix("="), place=place))
            return at + 1
        return _with_value(words, at, name, found)
    return at + 1


def _with_value(words: Sequence[str], at: int, name: str, found: list[_Given]) -> int:
    if at + 1 >= len(words):
        raise UsageError(f"the flag --{name} (word {at + 1}) needs a value", hint=_HINT)
    found.append(_Given(name=name, value=words[at + 1], place=Place(pointer=f"--{name}", column=at + 1)))
    return at + 2


def _flag(name: str, value: str) -> str:
    if value in _TRUE:
        return "true"
    if value in _FALSE:
        return "false"
    raise UsageError(f"--{name} is true or false, not {value!r}", hint=_HINT)


class _Reader:
    """The flags of one command line by what they mean."""

    def __init__(self, flags: Sequence[_Given], engine: str) -> None:
        self.flags = flags
        self.engine = engine
        self._mounts = Mounts()
        self._read_mounts()

    def all(self, *names: str) -> list[_Given]:
        """The flags of these names in order."""
        return [one for one in self.flags if one.name in names]

    def one(self, name: str) -> str | None:
        """The value that counts: the last."""
        found = self.all(name)
        return found[-1].value if found else None

    def on(self, name: str) -> bool:
        """Whether a flag without a value is set."""
        return self.one(name) == "true"

    def options(self) -> ProcessOptions:
        """The flags as options of a start."""
        values: dict[str, object] = {
            "engine": self.engine,
            "env": tuple(one.value for one in self.all("env") if "=" in one.value),
            "user": self.one("user"),
            "workdir": self.one("workdir"),
            "cap_add": tuple(one.value for one in self.all("cap-add")),
            "cap_drop": tuple(one.value for one in self.all("cap-drop")),
            "read_only": self.on("read-only"),
            "init": self.on("init"),
            "tty": self.on("tty"),
            "hostname": self.one("hostname"),
            "stop_signal": self.one("stop-signal"),
            **self._mounts.fields,
            "groups": tuple(int(one.value) for one in self.all("group-add") if one.value.isdecimal()),
        }
        entrypoint = self.one("entrypoint")
        if entrypoint is not None:
            values["entrypoint"] = (entrypoint,)
        if self.on("privileged"):
            values |= {"cap_add": ("ALL",), "cap_drop": ()}
        for one in self.all("security-opt"):
            name, _, value = one.value.replace(":", "=", 1).partition("=")
            if name == "no-new-privileges":
                values["no_new_privileges"] = value not in _FALSE
        if (runtime := self.one("runtime")) is not None:
            values["runtime"] = runtime
        return ProcessOptions(**values)  # type: ignore[arg-type]

    def fields(self) -> tuple[Field, ...]:
        """The flags that decide something about the start."""
        quiet = ("name", "label", "publish", "expose", "rm", "detach", "interactive", "network", "restart")
        return tuple(Field(name=f"--{one.name}", place=one.place) for one in self.flags if one.name not in quiet)

    def mounts(self) -> tuple[Mounted, ...]:
        """What is mounted."""
        return tuple(self._mounts.mounted)

    def needs(self) -> tuple[str, ...]:
        """What the command line leaves to its host."""
        found = [f"the volumes of the container {one.value}" for one in self.all("volumes-from")]
        names = (one.value for one in self.all("group-add") if not one.value.isdecimal())
        found += [f"the number of the group {name} in the image" for name in names]
        return tuple(found)

    def unknown_env(self) -> tuple[str, ...]:
        """Variables that it takes from elsewhere."""
        found = [f"the file {one.value} of --env-file" for one in self.all("env-file")]
        found += [f"the variable {one.value} of the client" for one in self.all("env") if "=" not in one.value]
        return tuple(found)

    def health(self, start: Wanted) -> list[Wanted]:
        """The health check: that of the command line, else the image's own."""
        if self.on("no-healthcheck"):
            return []
        given = self.all("health-cmd")
        base = msgspec.structs.replace(start.options, args=None, entrypoint=None, init=False)
        check = msgspec.structs.replace(start, role="health check", what="HEALTHCHECK", options=base, of_image=True)
        if given and given[-1].value:
            words = ("/bin/sh", "-c", given[-1].value)
            options = msgspec.structs.replace(base, entrypoint=words)
            fields = (Field(name="--health-cmd", place=given[-1].place),)
            place = given[-1].place
            return [msgspec.structs.replace(check, options=options, of_image=False, place=place, fields=fields)]
        return [check]

    def _read_mounts(self) -> None:
        for one in self.all("volume"):
            self._mounts.volume(one.value, one.place)
        for one in self.all("tmpfs"):
            self._mounts.empty(one.value, one.place)
        for one in self.all("mount"):
            self._mount(one)

    def _mount(self, given: _Given) -> None:
        """One `--mount`: fields with commas between them."""
        fields: dict[str, str] = {}
        for part in given.value.split(","):
            key, _, value = part.partition("=")
            fields[key.strip().lower()] = value
        kind = fields.get("type", "volume")
        source = fields.get("source", fields.get("src", ""))
        target = fields.get("target", fields.get("dst", fields.get("destination", "")))
        if not target:
            raise UsageError(f"--mount {given.value!r} names no target", hint=_HINT)
        closed = any(name in fields and fields[name] not in _FALSE for name in ("readonly", "ro"))
        if kind == "tmpfs":
            mode = fields.get("tmpfs-mode", "")
            self._mounts.empty(target + (f":mode={mode}" if mode else ""), given.place)
            return
        if kind not in ("bind", "volume"):
            raise UsageError(f"--mount of the type {kind!r} is not known here", hint=_HINT)
        text = f"{source}:{target}" if source else target
        self._mounts.volume(text + (":ro" if closed and source else ""), given.place)
