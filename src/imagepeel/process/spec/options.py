"""What the caller asks of the start: engine, overrides and host facts, in one value."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown

DEFAULT_ENGINE = "docker@29.7"


class ProcessOptions(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The command line of the start, as data; None means "not given".

    Lists are taken where tuples are meant, and one word where a list of one is meant.
    """

    engine: str = DEFAULT_ENGINE
    """`NAME[@VERSION]`; a version between two known ones is the older of them."""
    runtime: str | None = None
    """Runtime underneath, in place of the engine's own: `runc@1.1`, `crun@1.8`."""
    host_arch: str | None = None
    """Machine of the host as Go names it (GOARCH); None takes the image's."""
    args: tuple[str, ...] | None = None
    """Words in place of the image's Cmd (k8s: `args`)."""
    entrypoint: tuple[str, ...] | None = None
    """Words in place of the image's Entrypoint (k8s: `command`), which also discard its Cmd; `("",)` clears it."""
    user: str | None = None
    """`user`, `uid`, `user:group` or any mix, in place of the image's User."""
    env: tuple[str, ...] = ()
    """`NAME=value` entries, which win over those of the image."""
    workdir: str | None = None
    """Path in place of the image's WorkingDir."""
    cap_add: tuple[str, ...] = ()
    """Capability names with or without `CAP_`, or `ALL`."""
    cap_drop: tuple[str, ...] = ()
    """Capability names with or without `CAP_`, or `ALL`."""
    no_new_privileges: bool | None = None
    """The process flag of that name; None takes the engine's default."""
    read_only: bool = False
    """Whether the root filesystem may not be written."""
    volumes: tuple[str, ...] = ()
    """Volumes as Docker's `-v` takes them: `NAME:PATH`, `/HOST:PATH` or `PATH`, with `:ro` where wanted."""
    tmpfs: tuple[str, ...] = ()
    """Absolute paths on which an empty directory is mounted, `PATH` or `PATH:mode=1777,ro`."""
    elsewhere: tuple[str, ...] = ()
    """Mounts whose content no image tells, `PATH=WHAT`: what is looked up below PATH depends on WHAT."""
    run_as_group: int | None = None
    """Number in place of the primary group, whoever the user is (k8s: `runAsGroup`)."""
    groups: tuple[int, ...] = ()
    """Numbers of further supplementary groups (k8s: `supplementalGroups` and `fsGroup`, docker: `--group-add`)."""
    init: bool = False
    """Whether the engine puts its own init in front of the command."""
    tty: bool = False
    """Whether a terminal is attached."""
    hostname: str | None = None
    """Host name of the container; None stands for the one that the engine would make up."""
    stop_signal: str | None = None
    """Name or number in place of the image's StopSignal."""
    supplemental_groups_policy: Literal["", "Merge", "Strict"] = ""
    """The field of a pod of that name: `Strict` leaves the image's supplementary groups out; "" is Merge."""
    user_namespace: bool = False
    """Whether the container gets a user namespace of its own, with 65,536 ids (k8s: `hostUsers: false`)."""
    run_as_non_root: bool = False
    """The Kubernetes setting of that name, which refuses uid 0 and users by name; other engines have none."""
    rootless: bool = False
    """Whether the engine runs without root, and so has few ids to map."""

    def __post_init__(self) -> None:
        """Turn lists into tuples, and one word into a tuple of one."""
        for name in ("args", "entrypoint", "env", "cap_add", "cap_drop", "volumes", "tmpfs", "elsewhere", "groups"):
            value = getattr(self, name)
            if isinstance(value, str):
                msgspec.structs.force_setattr(self, name, (value,))
            elif value is not None and not isinstance(value, tuple):
                msgspec.structs.force_setattr(self, name, tuple(value))
