"""What the image asks to run, before anybody looks at a file."""

from __future__ import annotations

import msgspec

from imagepeel.oci.config import ImageConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH as engines set it where the image sets none."""


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of an image config that decide the process, null and absent made equal.

    `healthcheck` is the test of the config's Healthcheck.  `layers` counts the DiffIDs that the config names.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    labels: dict[str, str] = {}
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    architecture: str = ""
    os: str = "linux"
    variant: str = ""
    layers: int = 0

    @classmethod
    def of(cls, config: ImageConfig | ProcessSpec | None) -> ProcessSpec:
        """The process that an image config asks for; None, a rootfs without paperwork, asks for nothing."""
        if config is None:
            return cls()
        if isinstance(config, ProcessSpec):
            return config
        run = config.config
        return cls(
            entrypoint=run.entrypoint or (),
            cmd=run.cmd or (),
            env=run.env or (),
            user=run.user,
            working_dir=run.working_dir,
            labels=dict(run.labels),
            volumes=tuple(sorted(run.volumes)),
            exposed_ports=tuple(sorted(run.exposed_ports)),
            stop_signal=run.stop_signal,
            stop_timeout=run.stop_timeout,
            healthcheck=run.healthcheck.test if run.healthcheck is not None else (),
            shell=run.shell or (),
            architecture=config.architecture,
            os=config.os or "linux",
            variant=config.variant,
            layers=len(config.diff_ids),
        )


SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "mksh", "busybox"})


def is_shell_form(words: tuple[str, ...]) -> bool:
    """Whether the vector looks like a shell form that the builder wrapped: `["/bin/sh", "-c", "..."]`."""
    return len(words) >= 3 and words[0].rsplit("/", 1)[-1] in SHELLS and words[1] in {"-c", "-ec", "-lc", "-ce", "-cl"}
