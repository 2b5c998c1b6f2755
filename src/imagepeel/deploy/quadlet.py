"""Quadlets: what a .container file of podman starts.

Sources: podman-systemd.unit(5), "Container units [Container]"; systemd.syntax(7) for lines, comments and repeated keys;
systemd.service(5), "Command lines", for words.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagepeel.deploy.place import MOST_BYTES, Place, malformed, too_much
from imagepeel.deploy.wanted import Deployment, Facts, Field, Mounts, Wanted
from imagepeel.deploy.words import split_words
from imagepeel.errors import Unsupported, UsageError
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.serialization import from_json

_TRUE = frozenset({"1", "yes", "true", "on", "y", "t"})
_MOST_LINES = 10_000
_OWN = "Container"
_words = str.split
KEYS = frozenset(
    _words(
        """
        AddCapability AddDevice AddHost Annotation AppArmor AutoUpdate CgroupsMode ContainerName ContainersConfModule
        DefaultDependencies DNS DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile
        EnvironmentHost Exec ExposeHostPort GIDMap GlobalArgs Group GroupAdd HealthCmd HealthInterval
        HealthLogDestination HealthMaxLogCount HealthMaxLogSize HealthOnFailure HealthRetries HealthStartPeriod
        HealthStartupCmd HealthStartupInterval HealthStartupRetries HealthStartupSuccess HealthStartupTimeout
        HealthTimeout HostName HttpProxy Image IP IP6 Label LogDriver LogOpt Mask Memory Mount Network NetworkAlias
        NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort Pull ReadOnly ReadOnlyTmpfs ReloadCmd ReloadSignal
        RemapGid RemapUid RemapUidSize RemapUsers Retry RetryDelay Rootfs RunInit SeccompProfile Secret
        SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested SecurityLabelType
        ServiceName ShmSize StartWithPod StopSignal StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit
        Unmask User UserNS VolatileTmp Volume WorkingDir
        """
    )
)


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line `Key=Value`, joined with those that continue it."""

    section: str
    key: str
    value: str
    place: Place


def read_quadlet(text: bytes, file: str, engine: str) -> Deployment:
    """Return what a .container file starts.

    Malformed with line and column for a line that is none and a key that quadlets do not have, LimitExceeded,
    Unsupported for a file without a [Container] section; UsageError for an unknown engine.
    """
    label = find_engine(engine)[1]
    entries = list(_entries(text, file))
    own = [one for one in entries if one.section == _OWN]
    if not own:
        raise Unsupported(f"{file} is no quadlet: it has no [Container] section", hint="give a .container file")
    for one in own:
        if one.key not in KEYS:
            raise malformed(one.place, f"unsupported key '{one.key}' in group 'Container'")
    unit = _Unit(entries, own, label, file)
    start = unit.start()
    return Deployment(
        form="quadlet", file=file, starts=(start, *unit.health(start)), notes=tuple(unit.notes), facts=(unit.facts(),)
    )


def _entries(text: bytes, file: str) -> Iterator[_Entry]:
    if len(text) > MOST_BYTES:
        raise too_much(Place(file=file, line=1, column=1), f"the file has more than {MOST_BYTES:,} bytes")
    section, joined, start = "", "", 0
    lines = text.split(b"\n")
    if len(lines) > _MOST_LINES:
        raise too_much(Place(file=file, line=_MOST_LINES, column=1), f"there are more than {_MOST_LINES:,} lines")
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            where = Place(file=file, line=number, column=error.start + 1)
            raise malformed(where, "a byte is no UTF-8") from None
        if line.lstrip().startswith(("#", ";")) or (not joined and not line.strip()):
            continue
        start = start if joined else number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        whole, joined = (joined + line).strip(), ""
        place = Place(file=file, line=start, column=1)
        if whole.startswith("["):
            if not whole.endswith("]"):
                raise malformed(place, "the name of a section has no ]")
            section = whole[1:-1]
            continue
        key, equals, value = whole.partition("=")
        if not equals or not section:
            raise malformed(place, "this is neither a section nor Key=Value")
        key = key.strip()
        where = Place(file=file, pointer=f"{section}/{key}", line=start, column=1)
        yield _Entry(section=section, key=key, value=value.strip(), place=where)


class _Unit:
    """One .container file."""

    def __init__(self, entries: list[_Entry], own: list[_Entry], engine: str, file: str) -> None:
        self.entries = entries
        self.own = own
        self.engine = engine
        self.file = file
        self.notes: list[str] = []
        self.mounts = Mounts()
        self.needs: list[str] = []
        self._mount_all()

    def all(self, *keys: str) -> list[_Entry]:
        """The entries of these keys; an empty value forgets those before it."""
        found: list[_Entry] = []
        for one in self.own:
            if one.key in keys:
                found = [*found, one] if one.value else []
        return found

    def one(self, key: str) -> _Entry | None:
        """The entry that counts: the last."""
        found = self.all(key)
        return found[-1] if found else None

    def value(self, key: str) -> str | None:
        """Its value."""
        found = self.one(key)
        return None if found is None else found.value

    def on(self, key: str) -> bool:
        """Whether a flag is set."""
        return (self.value(key) or "").lower() in _TRUE

    def start(self) -> Wanted:
        """The container."""
        image = self.one("Image")
        if image is None:
            raise malformed(self.own[0].place, "no Image or Rootfs key specified" if self.one("Rootfs") is None
                            else "a Rootfs is no image: there is nothing to judge here")  # fmt: skip
        if "%" in "".join(one.value for one in self.own):
            self.notes.append("specifiers such as %h stay as they are: only systemd knows their values")
        self._more_needs()
        user, group = self.value("User"), self.value("Group")
        values: dict[str, object] = {
            "engine": self.engine,
            "env": tuple(self._environment()),
            "user": f"{user or ''}:{group}" if group else user,
            "workdir": self.value("WorkingDir"),
            "read_only": self.on("ReadOnly"),
            "init": self.on("RunInit"),
            "hostname": self.value("HostName"),
            "stop_signal": self.value("StopSignal"),
            "cap_add": tuple(name for one in self.all("AddCapability") for name in one.value.split()),
            "cap_drop": tuple(name for one in self.all("DropCapability") for name in one.value.split()),
            **self.mounts.fields,
            "groups": tuple(int(one.value) for one in self.all("GroupAdd") if one.value.isdecimal()),
        }
        if self.on("NoNewPrivileges"):
            values["no_new_privileges"] = True
        entrypoint, words = self.one("Entrypoint"), self.one("Exec")
        if entrypoint is not None:
            values["entrypoint"] = _entrypoint(entrypoint)
        if words is not None:
            values["args"] = split_words(words.value, words.place)
        deciding = ("Image", "Exec", "Entrypoint", "User", "Group", "WorkingDir", "ReadOnly", "Environment", "Volume",
                    "Tmpfs", "Mount", "AddCapability", "DropCapability", "NoNewPrivileges", "RunInit")  # fmt: skip
        restart = next((one.value for one in self.entries if (one.section, one.key) == ("Service", "Restart")), "no")
        return Wanted(
            container=self.value("ContainerName") or self.file.rsplit("/", 1)[-1].removesuffix(".container"),
            role="container",
            image=image.value,
            options=ProcessOptions(**values),  # type: ignore[arg-type]
            place=image.place,
            fields=tuple(Field(name=one.key, place=one.place) for one in self.own if one.key in deciding),
            mounts=tuple(self.mounts.mounted),
            needs=tuple(self.needs),
            unknown_env=tuple(f"the file {one.value} of EnvironmentFile" for one in self.all("EnvironmentFile")),
            restarts=restart != "no",
        )

    def _more_needs(self) -> None:
        for one in self.all("PodmanArgs", "GlobalArgs"):
            self.needs.append(f"what {one.key}={one.value} changes (line {one.place.line})")
        for one in self.all("Secret"):
            name, _, options = one.value.partition(",")
            self.needs.append(f"the secret {name}")
            if "type=env" not in options:
                self.mounts.elsewhere(f"/run/secrets/{name}", f"the secret {name}", one.place)
        self.needs += [f"the number of the group {one.value} in the image" for one in self.all("GroupAdd")
                       if not one.value.isdecimal()]  # fmt: skip
        if self.on("EnvironmentHost"):
            self.needs.append("the environment of the host")

    def _environment(self) -> Iterator[str]:
        for one in self.all("Environment"):
            for word in split_words(one.value, one.place):
                if "=" in word:
                    yield word

    # ---- mounts -------------------------------------------------------------------------------------------

    def _mount_all(self) -> None:
        for one in self.all("Volume"):
            self._volume(one.value, one.place)
        for one in self.all("Tmpfs"):
            self.mounts.empty(one.value, one.place)
        if self.on("ReadOnly") and (self.value("ReadOnlyTmpfs") or "yes").lower() in _TRUE:
            for path in ("/run", "/tmp", "/var/tmp"):
                self.mounts.empty(path, self.all("ReadOnly")[-1].place)
        for one in self.all("Mount"):
            self._mount(one)

    def _volume(self, given: str, place: Place) -> None:
        source = given.partition(":")[0]
        shown = given.replace(source, source.removesuffix(".volume"), 1) if source.endswith(".volume") else given
        try:
            self.mounts.volume(shown, place)
        except UsageError as error:
            raise malformed(place, error.what, error.hint) from None

    def _mount(self, one: _Entry) -> None:
        fields = dict((part.partition("=")[::2]) for part in one.value.split(","))
        kind = fields.get("type", "volume")
        source = fields.get("source", fields.get("src", ""))
        target = fields.get("destination", fields.get("target", fields.get("dst", "")))
        if not target.startswith("/"):
            raise malformed(one.place, "a mount names no absolute destination")
        if kind == "tmpfs":
            self.mounts.empty(target, one.place)
        elif kind in ("bind", "volume"):
            self._volume(f"{source}:{target}" if source else target, one.place)
        else:
            self.mounts.elsewhere(target, f"the {kind} {source}", one.place)

    # ---- health and facts ---------------------------------------------------------------------------------

    def health(self, start: Wanted) -> Iterator[Wanted]:
        """Yield its health check: that of the file, else the image's own."""
        given = self.one("HealthCmd")
        base = msgspec.structs.replace(start.options, args=None, entrypoint=None, init=False)
        check = msgspec.structs.replace(start, role="health check", what="HEALTHCHECK", options=base, of_image=True)
        if given is None:
            yield check
        elif given.value != "none":
            words = ("/bin/sh", "-c", given.value)
            yield msgspec.structs.replace(
                check,
                options=msgspec.structs.replace(base, entrypoint=words),
                place=given.place,
                fields=(Field(name="HealthCmd", place=given.place),),
                of_image=False,
            )

    def facts(self) -> Facts:
        """What the file says for those who operate it."""

        def found(*keys: str) -> tuple[Field, ...]:
            return tuple(Field(name=f"{one.key}={one.value}", place=one.place) for one in self.all(*keys))

        return Facts(
            container=self.value("ContainerName") or self.file,
            place=self.own[0].place,
            ports=found("PublishPort", "ExposeHostPort"),
            probes=found("HealthCmd"),
            state=found("Volume"),
            limits=found("Memory", "PidsLimit"),
            owners=tuple(one for one in found("Label") if "maintainer" in one.name),
        )


def _entrypoint(entry: _Entry) -> tuple[str, ...]:
    """The words of Entrypoint: a JSON list, or one word."""
    if not entry.value.startswith("["):
        return (entry.value,)
    try:
        return tuple(from_json(entry.value, list[str]))
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise malformed(entry.place, "Entrypoint is no JSON list of texts") from None
