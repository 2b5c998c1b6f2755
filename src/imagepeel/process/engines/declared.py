"""What an engine adds to an image that declares volumes, of which there may be hundreds of thousands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.variables import Later
from imagepeel.process.spec.values import Addition

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

_VOLUMES = {
    "copy": "an anonymous volume; the image's content, owner and mode are copied into it",
    "host-copy": "a directory of the host; the image's content is copied into it",
    "ignore": "declared, and ignored by this engine: writes stay in the container",
}


class TakenOver(dict[tuple[str, ...], dict[int, tuple[str, ...]]]):
    """By the volumes of an image: some of the paths that each takes over, where there are any."""

    def __init__(self, rootfs: Rootfs) -> None:
        super().__init__()

    def of(self, volumes: tuple[str, ...], some: Callable[[str], tuple[str, ...]]) -> Mapping[int, tuple[str, ...]]:
        """What volumes take over, by their index; `some` is asked once for each path."""
        if volumes not in self:
            found = ((index, some(path)) for index, path in enumerate(volumes))
            self[volumes] = {index: examples for index, examples in found if examples}
        return self[volumes]


class Additions(Later):
    """What an engine adds; the volumes that the image declares, between the `before` and the `after`, are made late."""

    def __init__(
        self,
        before: Sequence[Addition],
        volumes: tuple[str, ...],
        taken: Mapping[int, tuple[str, ...]],
        engine: Engine,
        after: Sequence[Addition],
    ) -> None:
        self._before = before
        self._volumes = volumes
        self._taken = taken
        self._engine = engine
        self._after = after

    def __len__(self) -> int:
        return len(self._before) + len(self._volumes) + len(self._after)

    def _at(self, index: int) -> Addition:
        number = index - len(self._before)
        if number < 0:
            return self._before[index]
        if number >= len(self._volumes):
            return self._after[number - len(self._volumes)]
        return Addition(
            kind="volume",
            path=self._volumes[number],
            what=_VOLUMES[self._engine.volumes],
            origin=f"Volumes of the image, {self._engine.label}",
            examples=self._taken.get(number, ()),
        )
