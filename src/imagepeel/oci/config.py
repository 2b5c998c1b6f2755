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
    """`HEALTHCHECK`: how Docker asks whether the container is well; times are nanoseconds, 0 means inherited."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class RunConfig(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `config` object: defaults for the process.

    `entrypoint`, `cmd`, `shell` and `env` are None when absent or null and () when the document holds an empty
    list.  `env` keeps the strings as written, `NAME=value` or not, with repetitions.
    """

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    user: str = ""
    working_dir: str = ""
    labels: Mapping[str, str] = {}
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] = ()
    args_escaped: bool = False


class HistoryStep(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of `history`: what a build step did; `empty_layer` says that it left no layer."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One image config.  `image_id` is the digest of its bytes, `raw` the whole document with unknown fields.

    `history` is None when the document has none; `rootfs_type` is "layers" in every valid image.
    """

    config: RunConfig = RunConfig()
    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    created: str = ""
    author: str = ""
    docker_version: str = ""
    rootfs_type: str = ""
    diff_ids: tuple[str, ...] = ()
    history: tuple[HistoryStep, ...] | None = None
    image_id: Digest | None = None
    raw: JsonObject = {}
    raw_bytes: bytes = b""

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
    """Return the image config in `data` and what was odd about it.

    Malformed when it is no JSON object, LimitExceeded past the JSON bounds; fields of a wrong type are recorded
    and read as absent.
    """
    place = where or Location()
    value, noticed = parse_json(data, place, limits)
    anomalies = list(noticed)
    config = config_of(value, place, anomalies)
    return msgspec.structs.replace(config, image_id=digest_of(data), raw_bytes=data), tuple(anomalies)


def config_of(value: Any, where: Location, anomalies: list[Anomaly]) -> ImageConfig:
    """Return the image config in a parsed JSON value; a value that is no object reads as an empty config."""
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
