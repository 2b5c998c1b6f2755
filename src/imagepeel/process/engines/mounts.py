"""The mounts and hidden paths that every engine puts into a container: data of the bundle and of the additions."""

from __future__ import annotations

import msgspec

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.mount_point import MountType

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


class Mount(msgspec.Struct, frozen=True):
    """One mount as the bundle states it."""

    destination: str
    type: MountType
    source: str
    options: tuple[str, ...]


_EVERYWHERE = (
    Mount("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    Mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    Mount("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")),
    Mount("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    Mount("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    Mount("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
)
_AND_RUN = (*_EVERYWHERE, Mount("/run", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")))


def mounts(engine: Engine) -> tuple[Mount, ...]:
    """The mounts every engine makes, in order; some also hide /run."""
    return _AND_RUN if engine.run_tmpfs else _EVERYWHERE
