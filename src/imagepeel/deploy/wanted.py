"""What a deployment starts, in one form for pods, compose files, quadlets and command lines."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.deploy.place import Place
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.volume import parse_volume

Form = Literal["pod", "compose", "quadlet", "docker run"]
Role = Literal["init container", "sidecar", "container", "exec probe", "hook", "health check"]
"""What a process is to its deployment; a sidecar is an init container that goes on running."""
MountKind = Literal["volume", "empty directory", "host directory", "elsewhere", "image"]


class Mounted(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mount of a container."""

    path: str
    """Absolute path in the container."""
    kind: MountKind
    what: str
    """What is mounted, in words: `the ConfigMap web`."""
    read_only: bool = False
    place: Place = Place()
    """Where the deployment says so."""


class Mounts:
    """The mounts of one container while they are read, and the same as fields of `ProcessOptions`."""

    def __init__(self) -> None:
        self.mounted: list[Mounted] = []
        self._fields: dict[str, list[str]] = {"volumes": [], "tmpfs": [], "elsewhere": []}

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """`volumes`, `tmpfs` and `elsewhere` of `ProcessOptions`."""
        return {name: tuple(values) for name, values in self._fields.items() if values}

    def volume(self, given: str, place: Place) -> None:
        """Take `PATH`, `NAME:PATH` or `/HOST:PATH`.  UsageError where Docker finds it invalid.

        What a directory of the host has is told by no image.
        """
        volume = parse_volume(given)
        if volume.of_host:
            what = f"the directory {volume.source} of the host"
            self.elsewhere(volume.path, what, place, kind="host directory", closed=volume.read_only)
            return
        self._fields["volumes"].append(given)
        what = f"the volume {volume.source}".rstrip()
        self.mounted.append(
            Mounted(path=volume.path, kind="volume", what=what, read_only=volume.read_only, place=place)
        )

    def empty(self, given: str, place: Place) -> None:
        """Take `PATH` or `PATH:OPTIONS` of a tmpfs."""
        self._fields["tmpfs"].append(given)
        self.mounted.append(Mounted(path=given.partition(":")[0], kind="empty directory", what="a tmpfs", place=place))

    def elsewhere(
        self, path: str, what: str, place: Place, *, kind: MountKind = "elsewhere", closed: bool = True
    ) -> None:
        """Take a mount whose content no image tells."""
        self._fields["elsewhere"].append(f"{path}={what}")
        self.mounted.append(Mounted(path=path, kind=kind, what=what, read_only=closed, place=place))


class Refusal(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody refuses before anything starts, or would refuse under a policy."""

    by: str
    """Who: `kube-apiserver`, `PodSecurity "restricted:latest"`, `compose`."""
    text: str
    """What they say."""
    source: str
    """Document and section that the rule was read in."""
    place: Place = Place()


class Field(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A field of the deployment that decides something about one start."""

    name: str
    place: Place


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One process that a deployment starts in a container, or runs beside it.

    `inside` is True for what is executed in a container that runs already: a probe, a hook, a health check.
    `needs` names what is not in the file and has to be there; `unknown_env` are those of them that set variables.
    """

    container: str
    role: Role
    image: str
    options: ProcessOptions
    place: Place
    owner: str = ""
    """The pod, or the compose project; "" where there is none."""
    what: str = ""
    """`readinessProbe`, `postStart`; "" for a container."""
    fields: tuple[Field, ...] = ()
    mounts: tuple[Mounted, ...] = ()
    needs: tuple[str, ...] = ()
    unknown_env: tuple[str, ...] = ()
    of_image: bool = False
    """Whether the image's own HEALTHCHECK is meant."""
    notes: tuple[str, ...] = ()
    restarts: bool = True

    @property
    def inside(self) -> bool:
        """Whether it is executed in a container that runs already."""
        return self.role in ("exec probe", "hook", "health check")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a container says for those who operate it, each with its place; the manual asks for these."""

    container: str
    place: Place
    ports: tuple[Field, ...] = ()
    probes: tuple[Field, ...] = ()
    state: tuple[Field, ...] = ()
    limits: tuple[Field, ...] = ()
    owners: tuple[Field, ...] = ()


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one file or command line starts, in its order."""

    form: Form
    file: str
    starts: tuple[Wanted, ...]
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    facts: tuple[Facts, ...] = ()
