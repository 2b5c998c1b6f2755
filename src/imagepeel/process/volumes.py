"""What volumes and a read-only root filesystem leave open about a start."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from imagepeel.evidence import Name, text
from imagepeel.process.engines.mounted import with_directory
from imagepeel.process.scenario import Scenario
from imagepeel.process.spec.failure import Unproved
from imagepeel.process.wrappers.writes import WRITES
from imagepeel.text import listed

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.tree.resolve import Resolution
    from imagepeel.rootfs.view import Rootfs


def holding(scenario: Scenario, path: str) -> Unproved | str:
    """What has to hold for a program below a volume of the command line; "" for one that lies in none."""
    volume = scenario.volume_at(posixpath.normpath(path))
    if volume is None or volume not in scenario.mounted or volume.empty or volume.depends:
        return ""
    if volume.of_host:
        return Unproved(reason=f"{path} lies below {volume.path}, where a directory of the host is mounted", where=None)
    return f"the volume at {volume.path} is new, or still holds what this image has there"


def server_writes(scenario: Scenario, rootfs: Rootfs, vectors: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield where known servers among these programs write and a read-only root filesystem does not let them."""
    if not scenario.options.read_only:
        return
    for name in dict.fromkeys(words[0].rsplit("/", 1)[-1] for words in vectors if words):
        closed = []
        for path in WRITES.get(name, ()):
            node = rootfs.resolve(path).node
            if node is not None and node.is_dir and _closed(scenario, path):
                closed.append(path)
        if closed:
            yield f"{name} does not write to {listed(closed)}: the root filesystem is read-only"


def _closed(scenario: Scenario, path: str) -> bool:
    volume = scenario.volume_at(path)
    return volume is None or volume.read_only


class Watched:
    """A filesystem that tells a scenario of every look below a place that is mounted from elsewhere."""

    def __init__(self, rootfs: Rootfs, scenario: Scenario) -> None:
        self._rootfs = rootfs
        self._scenario = scenario

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rootfs, name)

    def covered(self, places: Mapping[bytes, Inode]) -> Rootfs:
        """The same with other directories, still watched."""
        return cast("Rootfs", Watched(self._rootfs.covered(places), self._scenario))

    def resolve(self, path: Name, *args: Any, **given: Any) -> Resolution:
        """What the filesystem finds at a path."""
        found = self._rootfs.resolve(path, *args, **given)
        for place in (found.path, *(hop.path for hop in found.hops)):
            self._scenario.note(text(place))
        return found

    def walk(self, path: Name = "/", *args: Any, **given: Any) -> Any:
        """The tree below a path, which may hold one of the mounts or lie below it."""
        top = text(path).rstrip("/")
        for mount in self._scenario.mounted:
            if mount.path.startswith(top + "/"):
                self._scenario.note(mount.path)
        self._scenario.note(text(path))
        return self._rootfs.walk(path, *args, **given)


def with_mounts(rootfs: Rootfs, scenario: Scenario) -> Rootfs:
    """The filesystem with the caller's empty directories on it, and watched where something else is mounted."""
    for mount in (one for one in scenario.mounted if one.empty):
        seen = rootfs.resolve(mount.path)
        keeps = seen.node is not None and scenario.runtime.tmpfs_keeps_mode and not scenario.engine.admits_pods
        mode = None if keeps else mount.mode
        # Runtimes give it the mode of the directory that is covered; a new one has that of a tmpfs.
        usual = 0o1777 if seen.node is None else seen.node.mode
        rootfs = with_directory(rootfs, text(seen.path), mount.owner, usual if mode is None else mode)
    outside = any(one.depends for one in scenario.mounted)
    return cast("Rootfs", Watched(rootfs, scenario)) if outside else rootfs


def told_elsewhere(scenario: Scenario) -> Iterator[str]:
    """Yield what the start depends on that is not in the image: what is mounted where something was looked up."""
    for mount, place in scenario.asked.items():
        yield f"what {mount.depends} has at {place}" if place != mount.path else f"{mount.depends}, mounted at {place}"
