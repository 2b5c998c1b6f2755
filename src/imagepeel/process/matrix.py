"""The same image on every engine and architecture: one prediction a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.process.engines.registry import MATRIX_ENGINES
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction, Verdict

if TYPE_CHECKING:
    from imagepeel.oci.config import ImageConfig
    from imagepeel.rootfs.view import Rootfs


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One engine on one host architecture."""

    engine: str
    architecture: str
    verdict: Verdict
    prediction: Prediction


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """All cells, engine by engine; `engines` and `architectures` are the row and column titles."""

    engines: tuple[str, ...]
    architectures: tuple[str, ...]
    cells: tuple[Cell, ...]

    def row(self, engine: str) -> tuple[Cell, ...]:
        """The cells of one engine in the order of `architectures`."""
        return tuple(cell for cell in self.cells if cell.engine == engine)

    @property
    def agree(self) -> bool:
        """Whether every cell has the same kind of verdict."""
        return len({cell.verdict.kind for cell in self.cells}) <= 1


def matrix(
    rootfs: Rootfs,
    config: ImageConfig | ProcessSpec | None,
    options: ProcessOptions | None = None,
    *,
    engines: Sequence[str] = MATRIX_ENGINES,
    architectures: Sequence[str] = (),
) -> Matrix:
    """Predict every combination; without `architectures` the image's own and the other common one."""
    options = options or ProcessOptions()
    own = (config.architecture if config is not None else "") or "amd64"
    if not architectures:
        architectures = tuple(dict.fromkeys((own, "amd64", "arm64")))
    cells = []
    for engine in engines:
        for architecture in architectures:
            chosen = msgspec.structs.replace(options, engine=engine, host_arch=architecture)
            found = predict(rootfs, config, chosen)
            cells.append(Cell(engine=engine, architecture=architecture, verdict=found.verdict, prediction=found))
    return Matrix(engines=tuple(engines), architectures=tuple(architectures), cells=tuple(cells))
