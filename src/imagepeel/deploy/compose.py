"""Compose files: what each service starts.

Source: docs.docker.com, "Compose file reference", sections Services (command, entrypoint, user, environment, env_file,
read_only, tmpfs, volumes, cap_add, cap_drop, security_opt, privileged, working_dir, init, tty, hostname, stop_signal,
group_add, healthcheck, depends_on, extends, profiles, configs, secrets), Interpolation, Fragments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from imagepeel.deploy.interpolation import Interpolation
from imagepeel.deploy.marked import Node, read_documents
from imagepeel.deploy.place import Place, malformed
from imagepeel.deploy.wanted import Deployment, Facts, Field, Mounts, Refusal, Wanted
from imagepeel.deploy.words import split_words
from imagepeel.errors import Unsupported, UsageError
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.spec.options import ProcessOptions

_REFERENCE = 'docs.docker.com, "Compose file reference"'
_TRUE = frozenset({"true", "yes", "on", "1"})


def read_compose(text: bytes | str, file: str, engine: str, variables: Mapping[str, str] | None = None) -> Deployment:
    """Return what the services of a compose file start, in the order of the file.

    `variables` are those of the project's environment.  Malformed and LimitExceeded with line and column, Unsupported
    for a file without services; UsageError for an unknown engine.
    """
    label = find_engine(engine)[1]
    documents = read_documents(text, file)
    if len(documents) != 1:
        raise Unsupported(f"{file} is no compose file: it has {len(documents)} documents", hint="give one document")
    services = documents[0].get("services")
    if services is None or not services.mapping():
        raise Unsupported(f"{file} is no compose file: it has no services", hint="see " + _REFERENCE)
    project = _Project(documents[0], Interpolation(variables or {}), label)
    starts: list[Wanted] = []
    facts: list[Facts] = []
    for name, node in services.mapping().items():
        service = _Service(project, name, node)
        starts += service.starts()
        facts.append(service.facts())
    missing = tuple(
        f"the variable {name} is not given: compose puts nothing in its place (line {place.line})"
        for name, place in project.interpolation.missing.items()
    )
    refused = tuple(_refusals(services, documents[0]))
    return Deployment(
        form="compose", file=file, starts=tuple(starts), refusals=refused, notes=missing, facts=tuple(facts)
    )


class _Project:
    """What the services of one file share."""

    def __init__(self, document: Node, interpolation: Interpolation, engine: str) -> None:
        self.interpolation = interpolation
        self.engine = engine
        name = document.get("name")
        self.name = name.as_text() if name is not None else "<project>"


class _Service:
    """One service under way."""

    def __init__(self, project: _Project, name: str, node: Node) -> None:
        self.project = project
        self.name = name
        self.node = node
        self.mounts = Mounts()
        self.needs: list[str] = []
        self.unknown_env: list[str] = []
        self.env: dict[str, str] = {}
        if node.get("extends") is not None:
            self.needs.append("the service that it extends")

    # ---- reading ------------------------------------------------------------------------------------------

    def _text(self, node: Node) -> str:
        return self.project.interpolation.fill(node.as_scalar(), node.place)

    def _of(self, name: str) -> str | None:
        found = self.node.get(name)
        return None if found is None else self._text(found)

    def _flag(self, name: str) -> bool:
        found = self.node.get(name)
        return found is not None and self._text(found).lower() in _TRUE

    def _texts(self, name: str) -> list[str]:
        found = self.node.get(name)
        if found is None:
            return []
        return [self._text(one) for one in (found.as_list() if found.kind == "list" else [found])]

    def _words(self, name: str) -> tuple[str, ...] | None:
        """The words of command or entrypoint: a list as it is, a text split; None where it is absent or null."""
        found = self.node.get(name)
        if found is None:
            return None
        if found.kind == "list":
            return tuple(self._text(one) for one in found.as_list())
        return split_words(self._text(found), found.place)

    # ---- starts -------------------------------------------------------------------------------------------

    def starts(self) -> Iterator[Wanted]:
        """Yield the container of the service and its health check."""
        image = self._of("image")
        built = self.node.get("build") is not None
        shown = image or (f"{self.project.name}-{self.name}" if built else "")
        if not shown:
            what = f'service "{self.name}" has neither an image nor a build context specified'
            raise malformed(self.node.place, what)
        self._environment()
        self._volumes()
        options = self._options()
        start = Wanted(
            container=self.name,
            role="container",
            image=shown,
            options=options,
            place=self.node.place,
            owner=self.project.name,
            fields=tuple(self._fields()),
            mounts=tuple(self.mounts.mounted),
            needs=tuple(self.needs),
            unknown_env=tuple(self.unknown_env),
            restarts=(self._of("restart") or "no") not in ("no", ""),
        )
        yield start
        yield from self._health(start)

    def _fields(self) -> Iterator[Field]:
        deciding = ("image", "command", "entrypoint", "user", "working_dir", "environment", "env_file", "read_only",
                    "tmpfs", "volumes", "cap_add", "cap_drop", "security_opt", "privileged", "init", "group_add",
                    "stop_signal", "platform")  # fmt: skip
        for name in deciding:
            found = self.node.get(name)
            if found is not None:
                yield Field(name=name, place=found.place)

    def _options(self) -> ProcessOptions:
        entrypoint, command = self._words("entrypoint"), self._words("command")
        values: dict[str, object] = {
            "engine": self.project.engine,
            "env": tuple(f"{name}={value}" for name, value in self.env.items()),
            "user": self._of("user"),
            "workdir": self._of("working_dir"),
            "read_only": self._flag("read_only"),
            "init": self._flag("init"),
            "tty": self._flag("tty"),
            "hostname": self._of("hostname"),
            "stop_signal": self._of("stop_signal"),
            "cap_add": tuple(self._texts("cap_add")),
            "cap_drop": tuple(self._texts("cap_drop")),
            **self.mounts.fields,
        }
        if entrypoint is not None:
            values["entrypoint"] = entrypoint or ("",)
        if command is not None:
            values["args"] = command
        groups = self._texts("group_add")
        values["groups"] = tuple(int(one) for one in groups if one.isdecimal())
        self.needs += [f"the number of the group {one} in the image" for one in groups if not one.isdecimal()]
        if self._flag("privileged"):
            values |= {"cap_add": ("ALL",), "cap_drop": ()}
        for one in self._texts("security_opt"):
            name, _, value = one.replace(":", "=", 1).partition("=")
            if name == "no-new-privileges":
                values["no_new_privileges"] = value.lower() != "false"
        return ProcessOptions(**values)  # type: ignore[arg-type]

    def _environment(self) -> None:
        """environment wins over env_file, whose files are not read."""
        files = self.node.get("env_file")
        for one in [] if files is None else files.as_list() if files.kind == "list" else [files]:
            path = one.get("path") if one.kind == "map" else one
            required = one.get("required") if one.kind == "map" else None
            if path is None:
                continue
            what = f"the file {self._text(path)} of env_file"
            self.unknown_env.append(what)
            if required is None or self._text(required).lower() in _TRUE:
                self.needs.append(what)
        given = self.node.get("environment")
        if given is None:
            return
        if given.kind == "map":
            for name, value in given.mapping().items():
                self._variable(name, None if value.kind == "null" else self._text(value))
            return
        for one in given.as_list():
            name, equals, rest = self._text(one).partition("=")
            self._variable(name, rest if equals else None)

    def _variable(self, name: str, value: str | None) -> None:
        value = self.project.interpolation.variables.get(name) if value is None else value
        if value is None:
            self.unknown_env.append(f"the variable {name} of compose's own environment")
            return
        self.env[name] = value

    # ---- mounts -------------------------------------------------------------------------------------------

    def _volumes(self) -> None:
        for one in self.node.each("volumes"):
            if one.kind == "map":
                self._long_volume(one)
            else:
                self._short_volume(self._text(one), one.place)
        tmpfs = self.node.get("tmpfs")
        for one in [] if tmpfs is None else tmpfs.as_list() if tmpfs.kind == "list" else [tmpfs]:
            self.mounts.empty(self._text(one), one.place)
        for part, top in (("configs", "/"), ("secrets", "/run/secrets/")):
            for one in self.node.each(part):
                source = one.get("source") if one.kind == "map" else one
                target = one.get("target") if one.kind == "map" else None
                name = self._text(source) if source is not None else ""
                where = self._text(target) if target is not None else top + name
                where = where if where.startswith("/") else top + where
                self.mounts.elsewhere(where, f"the {part.removesuffix('s')} {name}", one.place)

    def _short_volume(self, given: str, place: Place) -> None:
        try:
            self.mounts.volume(given, place)
        except UsageError as error:
            raise malformed(place, error.what, error.hint) from None

    def _long_volume(self, node: Node) -> None:
        kind = self._text(node.get("type") or _absent(node, "type"))
        target = self._text(node.get("target") or _absent(node, "target"))
        found = node.get("source")
        source = self._text(found) if found is not None else ""
        flag = node.get("read_only")
        closed = flag is not None and self._text(flag).lower() in _TRUE
        if kind == "tmpfs":
            mode = node.get("tmpfs", "mode")
            self.mounts.empty(target + (f":mode={int(mode.as_number()):o}" if mode is not None else ""), node.place)
        elif kind in ("volume", "bind"):
            shown = source if kind == "volume" or source.startswith(("/", ".", "~")) else f"./{source}"
            self._short_volume(":".join(filter(None, (shown, target, "ro" if closed and shown else ""))), node.place)
        else:
            self.mounts.elsewhere(target, f"the {kind} {source}", node.place)

    # ---- health and facts ---------------------------------------------------------------------------------

    def _health(self, start: Wanted) -> Iterator[Wanted]:
        base = msgspec.structs.replace(start.options, args=None, entrypoint=None, init=False)
        check = msgspec.structs.replace(start, role="health check", what="HEALTHCHECK", options=base, of_image=True)
        given = self.node.get("healthcheck")
        if given is None:
            yield check
            return
        off, test = given.get("disable"), given.get("test")
        if off is not None and self._text(off).lower() in _TRUE:
            return
        if test is None:
            yield check
            return
        words = [self._text(one) for one in test.as_list()] if test.kind == "list" else ["CMD-SHELL", self._text(test)]
        if words[:1] == ["NONE"]:
            return
        if words[:1] not in (["CMD"], ["CMD-SHELL"]):
            raise malformed(test.place, "a test that is a list begins with NONE, CMD or CMD-SHELL")
        shell = words[0] == "CMD-SHELL"
        asked = ("/bin/sh", "-c", *words[1:2]) if shell else tuple(words[1:])
        yield msgspec.structs.replace(
            check,
            options=msgspec.structs.replace(base, entrypoint=asked),
            place=test.place,
            fields=(Field(name="healthcheck", place=test.place),),
            of_image=False,
        )

    def facts(self) -> Facts:
        """What the service says for those who operate it."""

        def found(*names: str) -> tuple[Field, ...]:
            nodes = [(name, self.node.get(*name.split("."))) for name in names]
            return tuple(Field(name=name, place=node.place) for name, node in nodes if node is not None)

        ports = tuple(
            Field(name=self._text(one) if one.kind != "map" else one.get("target").as_scalar(), place=one.place)  # type: ignore[union-attr]
            for part in ("ports", "expose")
            for one in self.node.each(part)
            if one.kind != "map" or one.get("target") is not None
        )
        state = tuple(Field(name=f"{one.path} is kept in {one.what}", place=one.place)
                      for one in self.mounts.mounted if one.kind in ("volume", "host directory"))  # fmt: skip
        return Facts(
            container=self.name,
            place=self.node.place,
            ports=ports,
            probes=found("healthcheck"),
            state=state,
            limits=found("mem_limit", "cpus", "pids_limit", "deploy.resources.limits"),
            owners=tuple(self._owners()),
        )

    def _owners(self) -> Iterator[Field]:
        labels = self.node.get("labels")
        if labels is None or labels.kind == "null":
            return
        pairs = (
            [(name, value.as_scalar(), value.place) for name, value in labels.mapping().items()]
            if labels.kind == "map"
            else [(*one.as_text().partition("=")[::2], one.place) for one in labels.as_list()]
        )
        for name, value, place in pairs:
            if any(word in name.lower() for word in ("maintainer", "owner", "team", "contact")):
                yield Field(name=f"{name}: {value}", place=place)


def _absent(node: Node, name: str) -> Node:
    raise malformed(node.place, f"a volume in long form names no {name}")


def _refusals(services: Node, document: Node) -> Iterator[Refusal]:
    """What compose refuses before anything starts: services and volumes that nobody declares."""
    declared = document.get("volumes")
    volumes = declared.mapping() if declared is not None else {}
    for name, service in services.mapping().items():
        needed = service.get("depends_on")
        names = (
            {} if needed is None else needed.keys if needed.kind == "map"
            else {one.as_text(): one.place for one in needed.as_list()}
        )  # fmt: skip
        for other, place in names.items():
            if other not in services.mapping():
                text = f'service "{name}" depends on undefined service "{other}": invalid compose project'
                yield Refusal(by="compose", text=text, source=f"{_REFERENCE}, depends_on", place=place)
        for mount in service.each("volumes"):
            source = _named_volume(mount)
            if source and source not in volumes:
                text = f'service "{name}" refers to undefined volume {source}: invalid compose project'
                yield Refusal(by="compose", text=text, source=f"{_REFERENCE}, volumes", place=mount.place)


def _named_volume(mount: Node) -> str:
    """The name of the volume that a mount asks for, "" for other kinds and where a variable decides."""
    if mount.kind == "map":
        source = mount.get("source")
        name = source.as_scalar() if source is not None and mount.string("type") == "volume" else ""
    else:
        parts = mount.as_scalar().split(":")
        name = parts[0] if len(parts) > 1 and not parts[0].startswith(("/", ".", "~")) else ""
    return "" if "$" in name else name
