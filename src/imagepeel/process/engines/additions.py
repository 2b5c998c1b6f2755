"""What the runtime adds on top of the tarball, and what of the tarball it hides: shown apart, with its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.mounts import MASKED, READ_ONLY, mounts
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Addition
from imagepeel.process.spec.volume import parse_elsewhere, parse_tmpfs, parse_volume

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

_COUNT_MAX = 100_000


class _BelowMounts(dict[tuple[bytes, int], tuple[int, tuple[str, ...]]]):
    """What `hidden` found out about a filesystem: several engines mount something at the same few paths."""

    def __init__(self, rootfs: Rootfs) -> None:
        super().__init__()


def hidden(rootfs: Rootfs, path: str, most: int = _COUNT_MAX) -> tuple[int, tuple[str, ...]]:
    """How many paths of the image lie below a mount point (counted up to `most`), and the first three of them."""
    found = rootfs.resolve(path)
    if found.node is None or not found.node.is_dir:
        return 0, ()
    # By the directory itself: many links may lead to one.
    known = rootfs.derived(_BelowMounts)
    if (found.path, most) not in known:
        known[found.path, most] = _count(rootfs, found.path, most)
    return known[found.path, most]


def _count(rootfs: Rootfs, top: bytes, most: int) -> tuple[int, tuple[str, ...]]:
    count = 0
    examples: list[str] = []
    try:
        for name, _ in rootfs.walk(top):
            if name == top:
                continue
            count += 1
            if len(examples) < 3:
                examples.append(text(name))
            if count >= most:
                break
    except ImagepeelError:
        pass
    return count, tuple(examples)


def additions(
    rootfs: Rootfs, wanted: ProcessSpec, options: ProcessOptions, engine: Engine, argv: tuple[str, ...]
) -> tuple[Addition, ...]:
    """Everything the engine adds: mounts, injected files, volumes, links, settings; in the order of the mount table."""
    found: list[Addition] = []
    who = engine.label
    for mount in mounts(engine):
        path = mount.destination
        if path.count("/") > 1 and path.startswith("/dev/"):
            path_hides: tuple[int, tuple[str, ...]] = (0, ())  # counted with /dev
        else:
            path_hides = hidden(rootfs, path)
        found.append(
            Addition(
                kind="mount",
                path=path,
                what=f"{mount.type} mounted here; image content below it is not visible",
                origin=who,
                hides=path_hides[0],
                examples=path_hides[1],
            )
        )
    for path in engine.injected:
        there = rootfs.resolve(path).node is not None
        found.append(
            Addition(
                kind="file",
                path=path,
                what="put in place by the engine" + ("; the image's own is hidden" if there else ""),
                origin=who,
                hides=int(there),
                examples=(path,) if there else (),
            )
        )
    found.extend(engine.additions(argv))
    before, found = found, _mounted(rootfs, options)
    if options.init and engine.init_argv:
        found.append(Addition(kind="file", path=engine.init_argv[0], what="the init that --init adds", origin=who))
    found.append(
        Addition(
            kind="setting",
            path="/proc",
            what=f"masked: {', '.join(MASKED)}; read-only: {', '.join(READ_ONLY)}",
            origin=who,
        )
    )
    found.append(
        Addition(kind="setting", path="", what="umask 0022, RLIMIT_NOFILE of the engine's service", origin=who)
    )
    if engine.low_ports:
        what = "net.ipv4.ip_unprivileged_port_start=0: every user may listen on ports below 1024"
        found.append(Addition(kind="setting", path="", what=what, origin=who))
    if not wanted.volumes:
        return (*before, *found)
    from imagepeel.process.engines.declared import Additions, TakenOver  # start time

    taken = rootfs.derived(TakenOver).of(wanted.volumes, lambda path: hidden(rootfs, path, 3)[1])
    return Additions(before, wanted.volumes, taken, engine, found).kept()


def _mounted(rootfs: Rootfs, options: ProcessOptions) -> list[Addition]:
    """The volumes of the command line."""
    found = []
    for volume in map(parse_volume, options.volumes):
        count, examples = hidden(rootfs, volume.path)
        what = (
            f"the directory {volume.source} of the host" if volume.of_host else f"the volume {volume.source}".rstrip()
        )
        if not volume.of_host:
            what += "; where it is new, the image's content, owner and mode are copied into it"
        hides = count if volume.of_host else 0
        what += ", read-only" if volume.read_only else ""
        found.append(
            Addition(
                kind="volume", path=volume.path, what=what, origin="the command line", hides=hides, examples=examples
            )
        )
    for mount in (*map(parse_tmpfs, options.tmpfs), *map(parse_elsewhere, options.elsewhere)):
        count, examples = hidden(rootfs, mount.path)
        what = "an empty directory" if mount.empty else f"what is in {mount.depends}"
        found.append(
            Addition(
                kind="mount", path=mount.path, what=what, origin="the command line", hides=count, examples=examples
            )
        )
    if options.read_only:
        found.append(
            Addition(kind="setting", path="/", what="the root filesystem is read-only", origin="the command line")
        )
    return found
