"""The same image on every engine and architecture: one prediction a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.process.engines.registry import MATRIX_ENGINES
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction, Verdict
from imagepeel.tables import known_architecture

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
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
    own = config.architecture if config is not None else ""
    cells = _Cells(options, engines, architectures, own)
    return cells.filled(lambda chosen: predict(rootfs, config, chosen))


def matrix_of_image(image: LayeredImage, options: ProcessOptions | None = None, *, view: str = "") -> Matrix:
    """Return the same for an image, as each engine's store takes it; `view` as for `predict_image`."""
    cells = _Cells(options, MATRIX_ENGINES, (), image.architecture)
    return cells.filled(lambda chosen: predict_image(image, chosen, view=view))


class _Cells:
    """Engines and architectures of one matrix."""

    def __init__(
        self, options: ProcessOptions | None, engines: Sequence[str], architectures: Sequence[str], own: str
    ) -> None:
        self.options = options or ProcessOptions()
        self.engines = tuple(engines)
        usual = (known_architecture(own) or "amd64", "amd64", "arm64")
        self.architectures = tuple(architectures or dict.fromkeys(usual))

    def filled(self, predict_one: Callable[[ProcessOptions], Prediction]) -> Matrix:
        """Predict each combination."""
        cells = []
        for engine in self.engines:
            for architecture in self.architectures:
                found = predict_one(msgspec.structs.replace(self.options, engine=engine, host_arch=architecture))
                cells.append(Cell(engine=engine, architecture=architecture, verdict=found.verdict, prediction=found))
        return Matrix(engines=self.engines, architectures=self.architectures, cells=tuple(cells))
