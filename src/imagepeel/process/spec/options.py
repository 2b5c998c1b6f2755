"""What the caller asks of the start: engine, overrides and host facts, in one value."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown

DEFAULT_ENGINE = "docker@28"


class ProcessOptions(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The command line of the start, as data; None means "not given".

    `engine` is `NAME[@VERSION]` (see `imagepeel.process.spec.profiles`), `runtime` overrides the runtime underneath
    (`runc@1.1`, `crun@1.8`).  `host_arch` is a GOARCH name; None takes the image's architecture.  `args` replaces
    the image's Cmd (k8s: `args`), `entrypoint` its Entrypoint (k8s: `command`) and discards Cmd; `("",)` clears it.
    `env` holds `NAME=value` entries.  `cap_add` and `cap_drop` take names with or without `CAP_`, and `ALL`.
    `run_as_non_root` is the Kubernetes setting.
    """

    engine: str = DEFAULT_ENGINE
    runtime: str | None = None
    host_arch: str | None = None
    args: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    env: tuple[str, ...] = ()
    workdir: str | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool | None = None
    init: bool = False
    tty: bool = False
    hostname: str | None = None
    stop_signal: str | None = None
    run_as_non_root: bool = False
    rootless: bool = False

    def __post_init__(self) -> None:
        """Lists are welcome where tuples are meant, and one word where a list of one is."""
        for name in ("args", "entrypoint", "env", "cap_add", "cap_drop"):
            value = getattr(self, name)
            if isinstance(value, str):
                msgspec.structs.force_setattr(self, name, (value,))
            elif value is not None and not isinstance(value, tuple):
                msgspec.structs.force_setattr(self, name, tuple(value))
