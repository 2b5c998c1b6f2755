"""The filesystem as the process meets it: what an engine repairs and a runtime mounts before the program is looked up.

Order: the engine's own repairs (`prepared`), then the runtime's mounts (`mounted`).  What a mount hides is gone for
every judge after it.  The kernel fills /proc and /sys: what is there on every host is told here, the rest is live.
Sources: moby `daemon/initlayer/setup_unix.go`, proc(5), sysfs(5), runc `setupDevSymlinks`, and measured starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from imagepeel.evidence import raw
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.mount_point import Leads, MountPoint, MountType
from imagepeel.process.engines.mounts import mounts
from imagepeel.process.spec import trace
from imagepeel.rootfs.tree.inode import Inode

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.resolve import Resolution
    from imagepeel.rootfs.view import Rootfs

_REPAIRED = (b"/proc", b"/sys", b"/dev", b"/etc")
"""Directories that Docker makes of whatever else has their name."""

_words = str.split
_PROC_FILES = _words(
    "buddyinfo cgroups cmdline consoles cpuinfo crypto devices diskstats execdomains filesystems interrupts iomem "
    "ioports key-users keys loadavg locks meminfo misc modules pagetypeinfo partitions schedstat softirqs stat swaps "
    "uptime version vmallocinfo vmstat zoneinfo"
)
_OF_PROCESS = _words(
    "cgroup cmdline comm environ limits maps mem mountinfo mounts mountstats oom_score oom_score_adj personality stat "
    "statm status syscall wchan"
)
_PROCESS_OPTIONAL = _words(
    "attr fd fdinfo map_files net ns task arch_status autogroup auxv clear_refs coredump_filter cpuset gid_map io "
    "ksm_merging_pages ksm_stat loginuid numa_maps pagemap patch_state projid_map sched schedstat seccomp_cache "
    "sessionid setgroups smaps smaps_rollup stack timens_offsets timers timerslack_ns uid_map"
)
_SYS = ("block", "bus", "class", "dev", "devices", "firmware", "fs", "hypervisor", "kernel", "module", "power")
_OPTIONAL = _words(
    "acpi asound bootconfig bus config.gz dma driver dynamic_debug fb irq kallsyms kcore kmsg kpagecgroup kpagecount "
    "kpageflags latency_stats mtrr pressure sched_debug scsi slabinfo sysrq-trigger sysvipc timer_list tty fs sys"
)
_LIVE = (
    *(b"/proc/1/" + raw(name) for name in _PROCESS_OPTIONAL),
    *(b"/proc/" + raw(name) for name in _OPTIONAL),
    *(b"/sys/" + raw(name) for name in _SYS),
    b"/dev/core",
)
"""What the kernel's version, its settings and the moment decide."""

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_MAGIC = (b"/proc/1/exe", b"/proc/1/cwd", b"/proc/1/fd")


class _Covers(dict[tuple[object, ...], "Rootfs"]):
    """The filesystems that were made of one by mounts: several engines make the same."""

    def __init__(self, rootfs: Rootfs) -> None:
        super().__init__()


def prepared(rootfs: Rootfs, engine: Engine) -> Rootfs:
    """The image after the engine's own repairs: the same filesystem where nothing is to be repaired."""
    if not engine.repairs_mount_points:
        return rootfs
    return rootfs.derived(_repaired)


def _repaired(rootfs: Rootfs) -> Rootfs:
    odd = []
    for path in _REPAIRED:
        node = rootfs.resolve(path, follow=False).node
        if node is not None and not node.is_dir:
            odd.append(path)
    return rootfs.covered({path: _directory() for path in odd}) if odd else rootfs


def mount_points(rootfs: Rootfs, engine: Engine) -> tuple[MountPoint, ...]:
    """The places in the image that are mounted on, in order, without those inside another mount."""
    found = []
    for mount in mounts(engine):
        path = mount.destination
        if path.count("/") == 1:
            found.append(_point(rootfs, path, mount.type, path == "/dev" and engine.noexec_dev))
    return tuple(found)


def _point(rootfs: Rootfs, path: str, kind: MountType, noexec: bool) -> MountPoint:
    node = rootfs.resolve(path, follow=False).node
    if node is None:
        return MountPoint(path=path, kind=kind, state="missing")
    if node.is_dir:
        return MountPoint(path=path, kind=kind, state="dir")
    where = trace.locate(rootfs, path)
    if node.kind != "symlink":
        return MountPoint(path=path, kind=kind, state="other", noexec=noexec, where=where)
    end = rootfs.resolve(path)
    leads: Leads
    if end.node is None:
        leads = "loop" if end.errno == "ELOOP" else "missing"
    elif not end.node.is_dir:
        leads = "other"
    else:
        leads = "root" if end.path == b"/" else "dir"
    return MountPoint(path=path, kind=kind, state="link", leads=leads, target=node.target, noexec=noexec, where=where)


def mounted(rootfs: Rootfs, engine: Engine) -> Rootfs:
    """The filesystem with the runtime's mounts on it."""
    tops = tuple(
        (rootfs.resolve(point.path).path if point.leads == "dir" else raw(point.path), point.path)
        for point in mount_points(rootfs, engine)
        if point.state != "other" and point.leads in ("", "dir")
    )
    injected = tuple(path for path in engine.injected if path.startswith("/dev/"))
    key = (tops, injected)
    known = rootfs.derived(_Covers)
    if key not in known:
        known[key] = rootfs.covered({where: _content(path, injected) for where, path in tops})
    return known[key]


def with_directory(rootfs: Rootfs, path: str, ids: tuple[int, int], mode: int = 0o755) -> Rootfs:
    """The filesystem with a directory at a canonical path that was made for a start, which these ids own.

    What is missing on the way to it is made too, and belongs to root.
    """
    node, top = _directory(mode=mode), raw(path)
    node.uid, node.gid = ids
    above = top.rpartition(b"/")[0]
    while above and rootfs.resolve(above).node is None:
        node, top = _directory({top.rpartition(b"/")[2]: node}), above
        above = top.rpartition(b"/")[0]
    return rootfs.covered({top: node})


def touches(found: Resolution, engine: Engine) -> bool:
    """Whether a path, or a link on its way, leads below one of the mounts."""
    tops = tuple(raw(mount.destination) for mount in mounts(engine) if mount.destination.count("/") == 1)
    return any(
        path == top or path.startswith(top + b"/")
        for path in (found.path, *(hop.path for hop in found.hops))
        for top in tops
    )


def is_live(path: bytes) -> bool:
    """Whether the kernel of the host and the moment decide what is there."""
    return any(path == live or path.startswith(live + b"/") for live in _LIVE)


def is_magic(found: Resolution) -> bool:
    """Whether a path ends in, or leads through, a link of /proc that is no text: another program, directory or file."""
    return any(path.startswith(_MAGIC) for path in (found.path, *(hop.path for hop in found.hops)))


class _MountedDirectory(Inode):
    """A directory of a mount, whose children are made on first use: most starts look into none."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], dict[bytes, Inode]], mode: int = 0o755) -> None:
        super().__init__("dir", mode)
        self.opaque: bool = True
        self._make: Callable[[], dict[bytes, Inode]] = make
        self._made: dict[bytes, Inode] | None = None

    @property
    def children(self) -> dict[bytes, Inode]:
        if self._made is None:
            self._made = self._make()
        return self._made

    @children.setter
    def children(self, value: dict[bytes, Inode] | None) -> None:
        self._made = value


def _directory(children: dict[bytes, Inode] | None = None, mode: int = 0o755) -> Inode:
    node = Inode("dir", mode)
    node.opaque = True
    node.children = children or {}
    return node


def _files(names: Iterable[str], mode: int = 0o444) -> dict[bytes, Inode]:
    return {raw(name): Inode("file", mode) for name in names}


def _content(path: str, injected: tuple[str, ...]) -> Inode:
    if path == "/proc":
        return _MountedDirectory(_proc, 0o555)
    if path == "/dev":
        return _MountedDirectory(partial(_dev, injected))
    if path == "/sys":
        return _MountedDirectory(_sys, 0o555)
    return _directory()


def _sys() -> dict[bytes, Inode]:
    return {raw(name): _directory() for name in _SYS}


def _link(target: bytes) -> Inode:
    return Inode("symlink", 0o777, target=target, size=len(target))


def _proc() -> dict[bytes, Inode]:
    streams = {raw(str(number)): Inode("char", 0o600, device=(1, 3)) for number in range(3)}
    process = _files(_OF_PROCESS) | {
        b"exe": Inode("file", 0o755),
        b"root": _link(b"/"),
        b"cwd": _link(b"/"),
        b"fd": _directory(streams, 0o500),
        **{name: _directory(mode=0o555) for name in (b"attr", b"fdinfo", b"map_files", b"net", b"ns", b"task")},
    }
    links = {b"self": b"1", b"thread-self": b"1/task/1", b"mounts": b"self/mounts", b"net": b"self/net"}
    children = _files(_PROC_FILES) | {b"1": _directory(process, 0o555), b"sys": _directory(mode=0o555)}
    return children | {name: _link(target) for name, target in links.items()}


def _dev(injected: tuple[str, ...]) -> dict[bytes, Inode]:
    children = {raw(name): Inode("char", 0o666, device=device) for name, device in _DEVICES.items()}
    children |= {b"pts": _directory({b"ptmx": Inode("char", 0o666, device=(5, 2))}), b"mqueue": _directory()}
    children |= {b"shm": _directory(mode=0o1777), b"ptmx": _link(b"pts/ptmx"), b"fd": _link(b"/proc/self/fd")}
    for number, name in enumerate((b"stdin", b"stdout", b"stderr")):
        children[name] = _link(b"/proc/self/fd/%d" % number)
    return children | {raw(path.removeprefix("/dev/")): Inode("file", 0o666) for path in injected}
