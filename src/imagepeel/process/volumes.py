"""What volumes and a read-only root filesystem leave open about a start."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from imagepeel.process.scenario import Scenario
from imagepeel.process.spec.failure import Unproved
from imagepeel.process.wrappers.writes import WRITES
from imagepeel.text import listed

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs


def holding(scenario: Scenario, path: str) -> Unproved | str:
    """What has to hold for a program below a volume of the command line; "" for one that lies in none."""
    volume = scenario.volume_at(posixpath.normpath(path))
    if volume is None or volume not in scenario.mounted:
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
            if node is not None and node.is_dir and scenario.volume_at(path) is None:
                closed.append(path)
        if closed:
            yield f"{name} does not write to {listed(closed)}: the root filesystem is read-only"
