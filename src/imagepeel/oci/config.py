"""The image config: what to run and how the root filesystem is stacked (image-spec config.md).

Docker's own fields (`Healthcheck`, `Shell`, `OnBuild`, `ArgsEscaped`, `container_config`) follow moby's
`image/image.go` and `api/types/container/config.go`.  Types that an engine would refuse are recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Anomaly, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.digest import Digest, digest_of, problem
from imagepeel.oci.json_document import Fields, JsonObject, lookup, parse_json

MOST_STEPS = 10_000
"""History steps read of one config: a build step each, and engines stop at a few hundred layers."""


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How Docker asks whether the container is well: `HEALTHCHECK` (moby api/types/container/config.go)."""

    test: tuple[str, ...] = ()
    """`("NONE",)`, `("CMD", argument, ...)` or `("CMD-SHELL", line)` as written; () for inherited."""
    interval: int = 0
    """Nanoseconds between two checks, 0 for inherited."""
    timeout: int = 0
    """Nanoseconds that one check may take, 0 for inherited."""
    start_period: int = 0
    """Nanoseconds after the start in which failures do not count, 0 for inherited."""
    start_interval: int = 0
    """Nanoseconds between two checks during `start_period`, 0 for inherited."""
    retries: int = 0
    """Consecutive failures that make the container unhealthy, 0 for inherited."""


class RunConfig(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `config` object: defaults for the process (image-spec config.md).

    A field that is None was absent or null in the document; () stands for an empty list.
    """

    entrypoint: tuple[str, ...] | None = None
    """First words of the argument vector; None when absent."""
    cmd: tuple[str, ...] | None = None
    """Words that follow the entrypoint; None when absent."""
    env: tuple[str, ...] | None = None
    """Strings as written, in file order: `NAME=value` or not, with repetitions; None when absent."""
    user: str = ""
    """`user`, `uid`, `user:group` or any mix, as written; "" when absent."""
    working_dir: str = ""
    """Path as written, also a relative one; "" when absent."""
    labels: Mapping[str, str] = {}
    """Label name to value."""
    volumes: tuple[str, ...] = ()
    """Paths that the engine keeps on volumes, in file order."""
    exposed_ports: tuple[str, ...] = ()
    """`port/protocol` as written, in file order; it opens no port."""
    stop_signal: str = ""
    """Name or number of the signal that asks the process to end, as written; "" when absent."""
    stop_timeout: int | None = None
    """Seconds until SIGKILL; None when absent (then the engine's own default counts)."""
    healthcheck: Healthcheck | None = None
    """None when absent."""
    shell: tuple[str, ...] | None = None
    """Words in front of a shell-form command of a build on top of this image; None when absent."""
    on_build: tuple[str, ...] = ()
    """Dockerfile instructions that a build on top of this image runs first, in order."""
    args_escaped: bool = False
    """Whether a Windows command line is already escaped; Linux engines ignore it."""


class HistoryStep(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of `history`: what a build step did (image-spec config.md).  Texts are as written, "" when absent."""

    created: str = ""
    """Time in RFC 3339."""
    created_by: str = ""
    """Command of the step, in the words of the builder."""
    author: str = ""
    """Author of the step."""
    comment: str = ""
    """Free text; builders put their name here."""
    empty_layer: bool = False
    """Whether the step left no layer."""


class ImageConfig(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One image config (image-spec config.md).  Texts are as written, "" when absent."""

    config: RunConfig = RunConfig()
    """Defaults for the process."""
    os: str = ""
    """Operating system as Go names it (GOOS)."""
    architecture: str = ""
    """Machine as Go names it (GOARCH)."""
    variant: str = ""
    """Variant of the machine, such as `v7`."""
    os_version: str = ""
    """`os.version`, which Windows images state."""
    os_features: tuple[str, ...] = ()
    """`os.features`, which Windows images state."""
    created: str = ""
    """Time in RFC 3339."""
    author: str = ""
    """Author of the image."""
    docker_version: str = ""
    """Version of the Docker that built the image (moby image/image.go)."""
    rootfs_type: str = ""
    """`rootfs.type`: "layers" in every valid image."""
    diff_ids: tuple[str, ...] = ()
    """Digest of each uncompressed layer, base first, as written: an invalid one stays and is an anomaly."""
    history: tuple[HistoryStep, ...] | None = None
    """Build steps, oldest first; None when the document has no history."""
    image_id: Digest | None = None
    """Digest of the document's bytes; None for a config that is not a document of its own."""
    raw: JsonObject = {}
    """The whole document with the fields that nothing here reads."""
    raw_bytes: bytes = b""
    """The document's bytes; b"" for a config that is not a document of its own."""
    not_examined: str = ""
    """The sentence that names the other images of the archive, which this config is not of; "" without any."""

    @property
    def entrypoint(self) -> tuple[str, ...] | None:
        """`config.Entrypoint`."""
        return self.config.entrypoint

    @property
    def cmd(self) -> tuple[str, ...] | None:
        """`config.Cmd`."""
        return self.config.cmd

    @property
    def env(self) -> tuple[str, ...]:
        """`config.Env`, () when absent."""
        return self.config.env or ()

    @property
    def user(self) -> str:
        """`config.User` as written."""
        return self.config.user

    @property
    def working_dir(self) -> str:
        """`config.WorkingDir` as written."""
        return self.config.working_dir

    @property
    def labels(self) -> Mapping[str, str]:
        """`config.Labels`."""
        return self.config.labels

    @property
    def platform(self) -> str:
        """`os/architecture[/variant]`, "" when the document names neither."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def layer_steps(self) -> tuple[int, ...]:
        """The indexes of the history steps that say they made a layer, base first."""
        return tuple(index for index, step in enumerate(self.history or ()) if not step.empty_layer)


def parse_config(
    data: bytes, where: Location | None = None, limits: Limits = DEFAULT
) -> tuple[ImageConfig, tuple[Anomaly, ...]]:
    """Read the bytes of an image config.

    Arguments: `data` is the whole document, `where` its place in the archive for errors and anomalies, `limits` bounds
    its size and nesting.

    Returns the config and the anomalies in the order of reading.  A document that is no object reads as an empty
    config.  A field of a wrong type reads as absent.  Both are anomalies.

    Malformed when `data` is no JSON; LimitExceeded past `Limits.json_bytes` or `Limits.json_depth`.
    """
    place = where or Location()
    value, noticed = parse_json(data, place, limits)
    anomalies = list(noticed)
    config = config_of(value, place, anomalies)
    return msgspec.structs.replace(config, image_id=digest_of(data), raw_bytes=data), tuple(anomalies)


def config_of(value: Any, where: Location, anomalies: list[Anomaly]) -> ImageConfig:
    """Return the image config in a parsed JSON value; a value that is no object reads as an empty config.

    Arguments: `where` is the place of the value; anomalies are appended to `anomalies`.  Raises nothing.
    """
    fields = Fields(value, where, anomalies)
    rootfs = fields.child("rootfs")
    diff_ids = (rootfs.strings("diff_ids") if rootfs else None) or ()
    for index, diff_id in enumerate(diff_ids):
        wrong = problem(diff_id)
        if wrong and rootfs:
            rootfs.note("config-diff-id", f"DiffID {index} is not a digest: {wrong}", "diff_ids", fatal=True)
    return ImageConfig(
        config=_run_config(fields.child("config")),
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
        os_version=fields.text("os.version"),
        os_features=fields.strings("os.features") or (),
        created=fields.text("created"),
        author=fields.text("author"),
        docker_version=fields.text("docker_version"),
        rootfs_type=rootfs.text("type") if rootfs else "",
        diff_ids=diff_ids,
        history=_history(fields),
        raw=fields.raw,
    )


def _run_config(fields: Fields | None) -> RunConfig:
    if fields is None:
        return RunConfig()
    return RunConfig(
        entrypoint=_command(fields, "Entrypoint"),
        cmd=_command(fields, "Cmd"),
        env=fields.strings("Env"),
        user=fields.text("User"),
        working_dir=fields.text("WorkingDir"),
        labels=fields.text_map("Labels"),
        volumes=fields.key_set("Volumes"),
        exposed_ports=fields.key_set("ExposedPorts"),
        stop_signal=fields.text("StopSignal"),
        stop_timeout=fields.integer("StopTimeout"),
        healthcheck=_healthcheck(fields.child("Healthcheck")),
        shell=_command(fields, "Shell"),
        on_build=fields.strings("OnBuild") or (),
        args_escaped=fields.flag("ArgsEscaped"),
    )


def _command(fields: Fields, key: str) -> tuple[str, ...] | None:
    """Return a command list.  Docker's `StrSlice` also takes one string for a list of one; containerd refuses it."""
    value = fields.get(key)
    if isinstance(value, str):
        fields.note(
            "config-command-string",
            f"{key} is a string instead of a list: Docker reads one word, containerd refuses the config",
            key,
            fatal=True,
        )
        return (value,)
    return fields.strings(key)


def _healthcheck(fields: Fields | None) -> Healthcheck | None:
    if fields is None:
        return None
    return Healthcheck(
        test=_command(fields, "Test") or (),
        interval=fields.integer("Interval") or 0,
        timeout=fields.integer("Timeout") or 0,
        start_period=fields.integer("StartPeriod") or 0,
        start_interval=fields.integer("StartInterval") or 0,
        retries=fields.integer("Retries") or 0,
    )


def _history(fields: Fields) -> tuple[HistoryStep, ...] | None:
    if lookup(fields.raw, "history") is None:
        return None
    return tuple(
        HistoryStep(
            created=step.text("created"),
            created_by=step.text("created_by"),
            author=step.text("author"),
            comment=step.text("comment"),
            empty_layer=step.flag("empty_layer"),
        )
        for step in fields.children("history", MOST_STEPS)
    )
